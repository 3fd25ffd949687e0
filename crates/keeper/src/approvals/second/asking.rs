//! The side of whoever has allowed something: the chosen people are asked, and an answer counts when all of it fits.

use std::future::Future;

use protocol::channel::VaultState;
use protocol::relay::MailboxKey;
use protocol::{ApprovalId, EnvelopeId};
use tokio::sync::broadcast::error::RecvError;
use vault::PublicIdentity;

use super::Person;
use super::message::{Message, Said};
use crate::activity::{Deed, What};
use crate::approvals::record::{Approval, Seconded, State};
use crate::approvals::{Action, ApprovalError, Approvals};
use crate::limits;
use crate::relay::{Courier as _, Received, RelayNotice, Topic};

/// Carries requests and answers between this keeper and others, for ever. What arrives from now on is for the future that is returned.
pub fn carry_seconds(approvals: &Approvals) -> impl Future<Output = ()> + use<> {
    let way = approvals.relay();
    let way = way.map(|relay| (relay.receive(Topic::Approvals), relay.notices()));
    let (approvals, mut changes, mut vault) = (approvals.clone(), approvals.changes(), approvals.vault.watch());
    async move {
        let Ok((mut arriving, mut notices)) = way else { return };
        let mut listens = true;
        approvals.answer_again().await;
        loop {
            // A vault that is locked keeps it when it opens.
            if let Err(error) = approvals.keep_demand().await {
                tracing::debug!(code = error.code(), "what the organisation demands is not kept yet");
            }
            let on = tokio::select! {
                message = arriving.recv() => match message {
                    Some(message) => {
                        approvals.hear(message).await;
                        true
                    }
                    None => false,
                },
                notice = notices.recv(), if listens => {
                    match notice {
                        Ok(RelayNotice::Lost { id, to, .. }) => approvals.was_lost(id, to).await,
                        Err(RecvError::Closed) => listens = false,
                        Ok(_) | Err(RecvError::Lagged(_)) => {}
                    }
                    true
                }
                changed = changes.changed() => changed.is_ok(),
                changed = vault.changed() => {
                    let state = *vault.borrow_and_update();
                    if state == VaultState::Unlocked {
                        approvals.answer_again().await;
                    }
                    changed.is_ok()
                }
            };
            if !on {
                return;
            }
        }
    }
}

impl Approvals {
    /// Writes down that its owner has allowed it, and asks the others: all in one write with the first message.
    pub(in crate::approvals) async fn ask_seconds(&self, approval: &Approval) -> Result<(), ApprovalError> {
        let people = self.seconds()?;
        let mut with = vec![Self::put(approval)];
        if people.is_empty() {
            return Err(ApprovalError::NobodySecond);
        }
        let ask = Message::Ask {
            id: approval.id,
            until: approval.expires_at,
            action: Box::new(approval.action.clone()),
            holder: self.holder(&approval.action)?,
        };
        let mut asks = Vec::new();
        for person in people {
            let with = std::mem::take(&mut with);
            let is_first = !with.is_empty();
            match self.relay()?.send(ask.to(&person.identity, with)).await {
                Ok(id) => asks.push(id),
                Err(error) if is_first => return Err(error.into()),
                // It is written down that it was allowed, and somebody is asked.
                Err(error) => tracing::warn!(code = error.code(), "one of the second people is not asked"),
            }
        }
        let asked = Approval {
            asks,
            ..approval.clone()
        };
        Ok(self.vault.put_records(vec![Self::put(&asked)]).await?)
    }

    /// The public keys of whom something is to be shared with; empty for everything else, and where other keys are known meanwhile.
    fn holder(&self, action: &Action) -> Result<Vec<u8>, ApprovalError> {
        let Action::Share(terms) = action else {
            return Ok(Vec::new());
        };
        let contact = self.contacts()?.known(terms.with).ok();
        let same = contact.filter(|contact| contact.identity.signer() == terms.holder);
        Ok(same.map(|contact| contact.identity.encode()).unwrap_or_default())
    }

    /// The relay has lost a message of this vault's to this mailbox.
    async fn was_lost(&self, id: EnvelopeId, to: MailboxKey) {
        let _one = self.one_at_a_time.lock().await;
        let noted = match self.ask_was_lost(id, to).await {
            Ok(false) => self.answer_was_lost(id).await,
            known => known.map(|_| ()),
        };
        if let Err(error) = noted {
            tracing::warn!(
                code = error.code(),
                "that something about a request was lost is not noted"
            );
        }
    }

    /// One of the second people was not asked. Where nobody else is, its owner decides anew: they see why, and can ask again.
    async fn ask_was_lost(&self, id: EnvelopeId, to: MailboxKey) -> Result<bool, ApprovalError> {
        let now = self.clock.now();
        let awaits = |each: &Approval| matches!(each.state, State::AwaitsSecond { .. }) && now < each.expires_at;
        let all = self.all()?.into_iter();
        let Some(mut approval) = all.filter(awaits).find(|each| each.asks.contains(&id)) else {
            return Ok(false);
        };
        approval.asks.retain(|each| *each != id);
        if approval.asks.is_empty() {
            approval.ask_again(now);
            approval.not_asked = true;
        }
        let person = self
            .seconds()?
            .into_iter()
            .find(|each| each.identity.signing_key() == to.0);
        let name = person.map(|person| person.name).unwrap_or_default();
        self.activity
            .note(Deed::new(What::SecondLost, name).because("a request"))?;
        self.vault.put_records(vec![Self::put(&approval)]).await?;
        self.changed();
        Ok(true)
    }

    async fn hear(&self, received: Received) {
        let from = received.from.clone();
        let heard = match Message::decode(&received.content) {
            Some(Message::Ask {
                id,
                until,
                action,
                holder,
            }) => self.hear_ask(received, id, until, *action, &holder).await,
            Some(Message::Answer { answer, signature }) => self.hear_answer(received, &answer, &signature).await,
            Some(Message::Over { id }) => self.hear_over(received, &from, id).await,
            None => received.ack(Vec::new()).await.map_err(ApprovalError::from),
        };
        if let Err(error) = heard {
            tracing::info!(code = error.code(), "a message about a request was not taken");
        }
    }

    async fn hear_answer(&self, received: Received, answer: &Said, signature: &[u8]) -> Result<(), ApprovalError> {
        let _one = self.one_at_a_time.lock().await;
        let (approval, person) = match self.counts(&received.from, answer, signature).await {
            Ok(counts) => counts,
            Err(ApprovalError::Vault(error)) => return Err(error.into()),
            Err(error) => {
                tracing::info!(code = error.code(), "the answer of a second person does not count");
                return Ok(received.ack(Vec::new()).await?);
            }
        };
        let now = self.clock.now();
        let reason: String = answer.reason.chars().take(limits::DENY_REASON_CHARS).collect();
        let answered = Approval {
            expires_at: Approval::ends(now),
            state: if answer.allow {
                State::Allowed { at: now }
            } else {
                State::Denied { at: now, reason }
            },
            seconded: Some(Seconded {
                name: person.name.clone(),
                allowed: answer.allow,
                at: now,
            }),
            ..approval
        };
        let what = if answer.allow {
            What::ApprovalGiven
        } else {
            What::ApprovalDenied
        };
        let why = format!("by {}, the second person", person.name);
        self.activity
            .note_first(answered.action.deed(what).because(why))
            .await?;
        let from = received.from.clone();
        received.ack(vec![Self::put(&answered)]).await?;
        self.changed();
        self.tell_over(answered.id, Some(&from)).await;
        Ok(())
    }

    /// The request that this is an answer to, and whose it is.
    async fn counts(
        &self,
        from: &PublicIdentity,
        answer: &Said,
        signature: &[u8],
    ) -> Result<(Approval, Person), ApprovalError> {
        let own = self.vault.identity().await?.public();
        let approval = self.get(answer.id)?;
        let person = self.seconds()?.into_iter().find(|person| person.identity == *from);
        let person = person.filter(|_| *from != own).ok_or(ApprovalError::NotSecond)?;
        if !matches!(approval.state, State::AwaitsSecond { .. }) {
            return Err(ApprovalError::Decided);
        }
        if self.clock.now() >= approval.expires_at {
            return Err(ApprovalError::Expired);
        }
        let hash = approval.action.hash();
        if approval.hash != hash || !answer.is_of(from, signature, own.signer(), hash, approval.expires_at) {
            return Err(ApprovalError::Changed);
        }
        Ok((approval, person))
    }

    /// The others need not answer any more. One who is not told sees it end.
    pub(in crate::approvals) async fn tell_over(&self, id: ApprovalId, except: Option<&PublicIdentity>) {
        let Ok(people) = self.seconds() else { return };
        for person in people.iter().filter(|person| except != Some(&person.identity)) {
            let Ok(relay) = self.relay() else { return };
            let over = Message::Over { id }.to(&person.identity, Vec::new());
            if let Err(error) = relay.send(over).await {
                tracing::info!(code = error.code(), "a second person is not told that it is over");
            }
        }
    }
}
