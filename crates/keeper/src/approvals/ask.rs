//! Asking: what the agent's side of the keeper calls before it does something.

use std::sync::atomic::Ordering;

use protocol::Millis;
use protocol::channel::VaultState;
use tokio::time::{Duration, Instant, sleep_until};

use super::action::{Action, ShareTerms};
use super::record::{Approval, State};
use super::store::Change;
use super::{ApprovalError, Approvals};
use crate::activity::What;
use crate::limits;
use crate::rates::{By, RateError, Rates};
use crate::vault_service::VaultError;

/// The ceiling that a call of the agent is counted against. What is above it does not leave, so no answer is used up for it.
#[derive(Clone, Copy)]
pub struct Ceiling<'a> {
    pub rates: &'a Rates,
    pub by: By<'a>,
    pub service: &'a str,
}

impl Ceiling<'_> {
    /// One more call; only what changes something is asked about.
    async fn count(self) -> Result<(), RateError> {
        self.rates.count(self.by, self.service, true).await
    }
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Now, and once: it is used up already.
    Allowed,
    Denied {
        reason: String,
    },
    /// Its owner has not answered yet. Asking for the very same again finds the answer.
    Waiting {
        until: Millis,
        /// Its owner has allowed it, and a second person has not answered yet.
        second: bool,
    },
}

/// Counts a call that waits.
struct Held<'a>(&'a Approvals);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Approvals {
    /// Asks whether this may be done, and waits so long for an answer. An answer that was given to the very same request, and was not
    /// used yet, is used up here, once it is counted against the ceiling, where there is one.
    ///
    /// # Errors
    /// [`ApprovalError::TooLarge`], [`ApprovalError::TooMany`], [`ApprovalError::Paused`], the vault's errors; nothing may be done then.
    pub async fn ask(
        &self,
        action: &Action,
        ceiling: Option<Ceiling<'_>>,
        patience: Duration,
    ) -> Result<Verdict, ApprovalError> {
        let crowded = self.held.fetch_add(1, Ordering::Relaxed) >= limits::APPROVALS_HELD;
        let _held = Held(self);
        self.ask_and_wait(action, ceiling, patience, crowded).await
    }

    /// The same for a command that OpenClaw holds: until its time is over, however many calls are held, since nobody tries it again.
    ///
    /// # Errors
    /// As of [`Self::ask`].
    pub(super) async fn ask_for_openclaw(&self, action: &Action) -> Result<Verdict, ApprovalError> {
        self.ask_and_wait(action, None, limits::APPROVAL_LIFE, false).await
    }

    async fn ask_and_wait(
        &self,
        action: &Action,
        ceiling: Option<Ceiling<'_>>,
        patience: Duration,
        crowded: bool,
    ) -> Result<Verdict, ApprovalError> {
        if action.size() > limits::APPROVAL_BYTES {
            return Err(ApprovalError::TooLarge);
        }
        let until = Instant::now() + patience;
        let mut changes = self.changes();
        let mut vault = self.vault.watch();
        let mut first = None;
        loop {
            changes.borrow_and_update();
            // A request that ran out is not made anew by a call that still waits: it stays refused.
            if let Some(until) = first
                && self.clock.now() >= until
            {
                return Ok(Verdict::Waiting { until, second: false });
            }
            let (expires_at, second) = match self.look(action, ceiling).await? {
                Verdict::Waiting { until, second } => (until, second),
                verdict => return Ok(verdict),
            };
            // A second person has longer than the owner.
            if second || first.is_none() {
                first = Some(expires_at);
            }
            let left = u64::try_from(expires_at - self.clock.now()).unwrap_or(0);
            let ends = until.min(Instant::now() + Duration::from_millis(left));
            let over = Verdict::Waiting {
                until: expires_at,
                second,
            };
            if crowded {
                return Ok(over);
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return Ok(over) },
                _ = vault.wait_for(|state| *state != VaultState::Unlocked) => return Err(VaultError::Locked.into()),
                () = sleep_until(ends) => return Ok(over),
            }
        }
    }

    /// Looks for a rule or an answer, and makes the request if there is none.
    async fn look(&self, action: &Action, ceiling: Option<Ceiling<'_>>) -> Result<Verdict, ApprovalError> {
        let _one = self.one_at_a_time.lock().await;
        let (now, hash, running) = (self.clock.now(), action.hash(), self.running());
        let same = |approval: &Approval| approval.hash == hash && !approval.is_over(now);
        let mut known = self.all()?.into_iter().find(same);
        let of_two = self.needs_second(action)?;
        // Allowed by one person, before two were needed, or waiting for a second one that nobody asks any more: it is asked again.
        if let Some(approval) = &mut known
            && match approval.state {
                State::Allowed { .. } => of_two && approval.seconded.is_none(),
                State::AwaitsSecond { .. } => !of_two,
                _ => false,
            }
        {
            approval.ask_again(now);
            self.vault.put_records(vec![Self::put(approval)]).await?;
            self.changed();
        }
        match &known {
            Some(approval) if matches!(approval.state, State::Allowed { .. }) => {
                // The answer is bound to what was asked, also if a record had been mixed up.
                if approval.action.hash() != hash {
                    return Err(ApprovalError::Changed);
                }
                if let Some(ceiling) = ceiling {
                    ceiling.count().await?;
                }
                self.vault.put_records(vec![Self::used(approval, now)]).await?;
                self.activity.note(action.deed(What::ApprovalUsed))?;
                self.changed();
                return Ok(Verdict::Allowed);
            }
            Some(Approval {
                state: State::Denied { reason, .. },
                seconded,
                ..
            }) => {
                let reason = match seconded {
                    Some(second) => format!("{}, the second person, refused it. {reason}", second.name),
                    None => reason.clone(),
                };
                return Ok(Verdict::Denied { reason });
            }
            _ => {}
        }
        let rule = if of_two {
            None
        } else {
            self.rule_for(action, &running, now)?
        };
        if let Some(rule) = rule {
            if let Some(ceiling) = ceiling {
                ceiling.count().await?;
            }
            let mut changes = vec![Self::put_rule(&rule)];
            changes.extend(known.as_ref().map(|waits| Self::used(waits, now)));
            self.vault.put_records(changes).await?;
            self.activity
                .note(action.deed(What::ApprovalUsed).because("a rule of yours"))?;
            self.changed();
            return Ok(Verdict::Allowed);
        }
        if let Some(waits) = known {
            return Ok(Verdict::Waiting {
                until: waits.expires_at,
                second: matches!(waits.state, State::AwaitsSecond { .. }),
            });
        }
        self.make(action, now, running).await
    }

    /// The terms of an open request of the agent's to share the same for as long, counted from when it was asked: then it is that one
    /// which is meant, however long the answer took.
    ///
    /// # Errors
    /// [`VaultError::Locked`].
    pub fn open_share(
        &self,
        terms: &ShareTerms,
        until_from: impl Fn(Millis) -> Millis,
    ) -> Result<Option<ShareTerms>, VaultError> {
        let now = self.clock.now();
        let all = self.all()?;
        let open = all.into_iter().filter(|approval| !approval.is_over(now));
        let mut same = open.filter_map(|approval| {
            let until = until_from(approval.asked_at);
            let meant = ShareTerms { until, ..terms.clone() };
            (approval.action == Action::Share(meant.clone()) && until > now).then_some(meant)
        });
        Ok(same.next())
    }

    /// The record of a request whose answer is used up.
    fn used(approval: &Approval, now: Millis) -> Change {
        Self::put(&Approval {
            state: State::Used { at: now },
            ..approval.clone()
        })
    }

    async fn make(&self, action: &Action, now: Millis, mut running: Vec<String>) -> Result<Verdict, ApprovalError> {
        if self.count_waiting(now)? >= limits::APPROVALS_WAITING {
            return Err(ApprovalError::TooMany);
        }
        let conversation = running.pop().filter(|_| running.is_empty());
        let approval = Approval::new(action, conversation, now);
        let mut changes = self.tidy(now)?;
        changes.push(Self::put(&approval));
        let asked = action.deed(What::ApprovalAsked);
        self.activity.note_with(vec![asked], changes).await?;
        self.changed();
        Ok(Verdict::Waiting {
            until: approval.expires_at,
            second: false,
        })
    }
}
