//! What the platform hears of requests while their owner is not there: that one waits and when it ends, so that somebody can call them.
//! Never what is asked. While a person has a channel open it hears nothing, nor where they do not want to be called; of what was decided
//! it hears where it keeps the vault's secret itself.

use protocol::Millis;
use protocol::channel::SlotKind;
use protocol::control::{ApprovalNotice, ApprovalState};

use super::Approvals;
use super::record::{Approval, State};
use crate::channel::ChannelHost;
use crate::limits;
use crate::platform::Platform;

/// Says it, and again when it changes, for as long as there are channels.
pub async fn tell_platform(approvals: Approvals, host: ChannelHost, platform: Platform) {
    let mut changes = approvals.changes();
    let mut comings = host.comings();
    let mut vault = approvals.vault.watch();
    let mut last = Vec::new();
    loop {
        changes.borrow_and_update();
        vault.borrow_and_update();
        comings.borrow_and_update();
        // A vault that has locked meanwhile says nothing: what waited in it still does.
        if let Some(now) = approvals.notices() {
            last = now;
        }
        let told = if host.is_attended() { Vec::new() } else { last.clone() };
        platform.set_status(|status| status.approvals = told);
        let changed = tokio::select! {
            changed = changes.changed() => changed,
            changed = comings.changed() => changed,
            changed = vault.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
        // An agent that asks all the time is told of together.
        tokio::time::sleep(limits::APPROVAL_NOTICES_APART).await;
    }
}

impl Approvals {
    /// What there is to tell, what waits first; none while the vault is locked.
    fn notices(&self) -> Option<Vec<ApprovalNotice>> {
        if !self.tells_when_away().ok()? {
            return Some(Vec::new());
        }
        let now = self.clock.now();
        let of_platform = self.vault.slots().iter().any(|slot| slot.kind == SlotKind::Platform);
        let kept = Millis::try_from(limits::APPROVAL_NOTICES_KEPT.as_millis()).unwrap_or(Millis::MAX);
        let all = self.all().ok()?;
        let (waiting, over): (Vec<_>, Vec<_>) = all.iter().partition(|approval| approval.is_waiting(now));
        let over = over
            .into_iter()
            .filter(|approval| of_platform && now < approval.asked_at.saturating_add(kept));
        let asked = self.asked_of_me().ok()?.into_iter();
        let asked = asked.filter(|asked| asked.is_waiting(now)).map(|asked| ApprovalNotice {
            id: asked.id,
            ends_at: asked.until,
            state: ApprovalState::Waiting,
        });
        let told = waiting.into_iter().map(|approval| notice(approval, now)).chain(asked);
        let told = told.chain(over.map(|approval| notice(approval, now)));
        Some(told.take(limits::APPROVAL_NOTICES).collect())
    }
}

fn notice(approval: &Approval, now: Millis) -> ApprovalNotice {
    ApprovalNotice {
        id: approval.id,
        ends_at: approval.expires_at,
        state: match approval.state {
            State::Waiting if approval.is_waiting(now) => ApprovalState::Waiting,
            State::AwaitsSecond { .. } if now < approval.expires_at => ApprovalState::Waiting,
            State::Waiting | State::AwaitsSecond { .. } => ApprovalState::Ended,
            State::Allowed { .. } | State::Used { .. } => ApprovalState::Allowed,
            State::Denied { .. } => ApprovalState::Refused,
        },
    }
}
