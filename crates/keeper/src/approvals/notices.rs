//! What the platform hears of what waits while the owner is not there: that something does, of which kind, and when it ends, so that somebody
//! can call them. Never what. While a person has a channel open it hears nothing, nor where they do not want to be called; of what was
//! decided it hears where it keeps the vault's secret itself.

use protocol::channel::{SlotKind, VaultState};
use protocol::control::{ApprovalNotice, ApprovalState, NoticeKind};
use protocol::{ApprovalId, Millis};
use tokio::sync::broadcast::{self, error::RecvError};

use super::Approvals;
use super::record::{Approval, State};
use crate::activity::What;
use crate::channel::ChannelHost;
use crate::limits;
use crate::platform::Platform;
use crate::rates::Rates;
use crate::vault_service::{LockReason, VaultNotice};

/// What there is to tell.
#[derive(Default)]
pub(super) struct Waits {
    /// The owner wants to be called.
    told: bool,
    /// What waits first stands first.
    pub notices: Vec<ApprovalNotice>,
}

/// Says it, and again when it changes, for as long as there are channels.
pub async fn tell_platform(approvals: Approvals, rates: Rates, host: ChannelHost, platform: Platform) {
    let (mut changes, mut pauses) = (approvals.changes(), rates.changes());
    let mut comings = host.comings();
    let (mut vault, mut events) = (approvals.vault.watch(), approvals.vault.notices());
    let (mut last, mut locked) = (Waits::default(), None);
    loop {
        changes.borrow_and_update();
        pauses.borrow_and_update();
        comings.borrow_and_update();
        if *vault.borrow_and_update() == VaultState::Unlocked {
            locked = None;
        }
        // A vault that has locked meanwhile says nothing: what waited in it still does.
        if let Some(now) = approvals.waits(&rates) {
            last = now;
        }
        let mut told = Vec::new();
        if last.told && !host.is_attended() {
            told.extend(locked);
            told.extend(&last.notices);
        }
        platform.set_status(|status| status.approvals = told);
        let changed = tokio::select! {
            changed = changes.changed() => changed,
            changed = pauses.changed() => changed,
            changed = comings.changed() => changed,
            changed = vault.changed() => changed,
            () = locked_after_pauses(&mut events) => {
                locked = Some(no_request(NoticeKind::Locked, approvals.clock.now()));
                Ok(())
            }
        };
        if changed.is_err() {
            return;
        }
        // An agent that asks all the time is told of together.
        tokio::time::sleep(limits::APPROVAL_NOTICES_APART).await;
    }
}

async fn locked_after_pauses(events: &mut broadcast::Receiver<VaultNotice>) {
    loop {
        match events.recv().await {
            Ok(VaultNotice::Locked {
                reason: LockReason::Unusual,
                ..
            }) => return,
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Approvals {
    /// What there is to tell; none while the vault is locked.
    pub(super) fn waits(&self, rates: &Rates) -> Option<Waits> {
        if !self.tells_when_away().ok()? {
            return Some(Waits::default());
        }
        let now = self.clock.now();
        let of_platform = self.vault.slots().iter().any(|slot| slot.kind == SlotKind::Platform);
        let kept = Millis::try_from(limits::APPROVAL_NOTICES_KEPT.as_millis()).unwrap_or(Millis::MAX);
        let all = self.all().ok()?;
        let (waiting, over): (Vec<_>, Vec<_>) = all.iter().partition(|approval| approval.is_waiting(now));
        let agreed = over.iter().filter(|approval| approval.is_seconded(now));
        let agreed = agreed.map(|approval| of_kind(NoticeKind::Seconded, approval.id, approval.expires_at));
        let over = over
            .iter()
            .filter(|approval| of_platform && now < approval.asked_at.saturating_add(kept));
        let asked = self.asked_of_me().ok()?.into_iter();
        let asked = asked.filter(|asked| asked.is_waiting(now));
        let asked = asked.map(|asked| of_kind(NoticeKind::Second, asked.id, asked.until));
        let elsewhere = self.activity.last_began(What::CommandDecidedElsewhere).ok()?;
        let elsewhere = elsewhere.map(|at| no_request(NoticeKind::DecidedElsewhere, at));
        let paused = rates.last_pause().ok()?.map(|at| no_request(NoticeKind::Paused, at));
        let alarms = elsewhere.into_iter().chain(paused);
        let told = alarms.filter(|alarm| now < alarm.ends_at);
        let told = told.chain(waiting.into_iter().map(|approval| notice(approval, now)));
        let week = rates.week_to_read().ok()?;
        let week = week.map(|ends_at| of_kind(NoticeKind::Week, ApprovalId::from(uuid::Uuid::nil()), ends_at));
        let told = told.chain(asked).chain(agreed).chain(week);
        let told = told.chain(over.map(|approval| notice(approval, now)));
        Some(Waits {
            told: true,
            notices: told.take(limits::APPROVAL_NOTICES).collect(),
        })
    }
}

fn of_kind(kind: NoticeKind, id: ApprovalId, ends_at: Millis) -> ApprovalNotice {
    ApprovalNotice {
        id,
        ends_at,
        state: ApprovalState::Waiting,
        kind,
    }
}

/// What is told of for a while, since nobody can answer it from outside.
fn no_request(kind: NoticeKind, at: Millis) -> ApprovalNotice {
    let told = Millis::try_from(limits::RATE_NOTICE_LIFE.as_millis()).unwrap_or(Millis::MAX);
    of_kind(kind, uuid::Uuid::nil().into(), at.saturating_add(told))
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
        kind: NoticeKind::Agent,
    }
}
