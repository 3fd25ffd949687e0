//! What the organisation's audit log hears of the activity: that something was asked for, allowed, refused, shared or taken back, and how often.
//! Never what, nor with whom. Everything of these kinds that is in the activity is counted there, in the same write; an agent that makes a
//! noise is counted, and adds no more than one event of each kind in [`limits::DEEDS_APART`].

use protocol::control::{Deeds, KeeperOp};

use super::Activity;
use crate::limits;
use crate::platform::Platform;

/// Tells of what was done, for as long as there is a vault. What was not taken, or is not known to have been, is told again: never too few, and
/// after a connection that broke off in that moment perhaps twice.
pub async fn tell_deeds(activity: Activity, platform: Platform) {
    let (mut changes, mut vault) = (activity.when_untold(), activity.vault().watch());
    let mut welcome = platform.welcome();
    loop {
        changes.borrow_and_update();
        vault.borrow_and_update();
        // In a vault that is locked it waits for the next unlock.
        let untold = activity.untold().unwrap_or_default();
        // One that does not know what that is would end the connection: there it waits for a server that does.
        let heard = welcome
            .borrow_and_update()
            .as_ref()
            .is_some_and(|welcome| welcome.deeds);
        if untold == Deeds::default() || !heard {
            let changed = tokio::select! {
                changed = changes.changed() => changed,
                changed = vault.changed() => changed,
                changed = welcome.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
            continue;
        }
        let told = match platform.request(KeeperOp::Deeds(untold)).await {
            Ok(()) => activity.were_told(untold).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = told {
            tracing::debug!("what was done is told to the audit log again: {error}");
        }
        tokio::time::sleep(limits::DEEDS_APART).await;
    }
}
