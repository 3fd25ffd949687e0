//! What other keepers say about what is shared, taken from the relay: each message once, and what it asks for is done once.

use std::collections::HashMap;
use std::future::Future;

use protocol::Millis;
use protocol::channel::VaultState;
use protocol::relay::MailboxKey;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};
use uuid::Uuid;
use vault::{Capability, CapabilityError, Presentation, PublicIdentity, SignerKey};

use super::error::TOO_LATE;
use super::given::Given;
use super::group::GroupOffer;
use super::message::{Call, Message};
use super::present::Answered;
use super::{Received, ShareError, Shares};
use crate::activity::{Deed, What};
use crate::contacts::{Contact, ContactError};
use crate::limits;
use crate::relay::{self, Courier as _, Record, RelayNotice, Topic};
use crate::versioned::decode;

/// Calls of others that are carried out now.
#[derive(Default)]
struct Calls {
    all: JoinSet<SignerKey>,
    of: HashMap<SignerKey, usize>,
}

impl Calls {
    fn has_room(&self, who: &SignerKey) -> bool {
        self.all.len() < limits::SHARE_CALLS
            && self.of.get(who).copied().unwrap_or_default() < limits::SHARE_CALLS_OF_ONE
    }

    fn begin(&mut self, who: SignerKey, call: impl Future<Output = ()> + Send + 'static) {
        *self.of.entry(who).or_default() += 1;
        self.all.spawn(async move {
            call.await;
            who
        });
    }

    fn ended(&mut self, who: Option<SignerKey>) {
        if let Some(who) = who
            && let Some(count) = self.of.get_mut(&who)
        {
            *count -= 1;
        }
        if self.all.is_empty() {
            self.of.clear();
        }
    }
}

impl Shares {
    /// Carries what is shared between this keeper and others, for ever. What arrives from now on is for the future that is returned.
    pub fn carry(&self) -> impl Future<Output = ()> + use<> {
        let mut arriving = self.relay.receive(Topic::Sharing);
        let mut notices = self.relay.notices();
        let mut vault = self.vault.watch();
        let shares = self.clone();
        let (groups, copies) = (self.clone(), self.clone());
        let hearing = async move {
            let (mut calls, mut listens) = (Calls::default(), true);
            shares.offer_again().await;
            loop {
                tokio::select! {
                    message = arriving.recv() => match message {
                        Some(message) => shares.hear(message, &mut calls).await,
                        None => return,
                    },
                    notice = notices.recv(), if listens => match notice {
                        Ok(RelayNotice::Lost { .. }) => shares.see_to_lost().await,
                        Ok(RelayNotice::Revoked { .. }) => {
                            shares.sweep_copies(None).await;
                            shares.changed();
                        }
                        Ok(RelayNotice::Wrong { about, .. }) => shares.note_of_relay(What::RelayWrong, about),
                        Ok(RelayNotice::Odd { about, .. }) => shares.note_of_relay(What::RelayOdd, about),
                        Ok(RelayNotice::NotTold) => shares.note_untold(),
                        Ok(RelayNotice::IssuerUnknown { issuer }) => {
                            shares.note_of_relay(What::RevocationsUnknown, issuer);
                            shares.sweep_copies(Some(issuer)).await;
                        }
                        Err(RecvError::Closed) => listens = false,
                        Err(RecvError::Lagged(_)) => {
                            shares.see_to_lost().await;
                            shares.sweep_copies(None).await;
                        }
                        Ok(_) => {}
                    },
                    Some(ended) = calls.all.join_next() => calls.ended(ended.ok()),
                    turned = vault.changed() => {
                        if turned.is_err() {
                            return;
                        }
                        let state = *vault.borrow_and_update();
                        match state {
                            VaultState::Unlocked => shares.offer_again().await,
                            // What is under way could neither be carried out nor be answered.
                            _ => calls.all.abort_all(),
                        }
                    }
                }
            }
        };
        async move {
            tokio::select! {
                () = hearing => {}
                () = groups.watch_groups() => {}
                () = copies.watch_copies() => {}
            }
        }
    }

    async fn hear(&self, received: relay::Received, calls: &mut Calls) {
        let from = received.from.signer();
        self.waiting.heard(&from);
        let outcome = match decode::<Message>(&received.content) {
            Some(Message::Offer { capability, group }) => {
                self.hear_offer(received, &capability, group.map(|group| *group)).await
            }
            Some(Message::PassOn { chain, owner }) => self.hear_pass_on(received, chain, &owner).await,
            Some(Message::PassedOn { chain, to }) => self.hear_passed_on(received, &chain, &to).await,
            Some(Message::Kept { id, revision }) => self.hear_kept(received, id, revision).await,
            Some(Message::Use(call)) => self.hear_call(received, call, false, calls).await,
            Some(Message::Manage(call)) => self.hear_call(received, call, true, calls).await,
            Some(Message::Answered { id, answer }) => {
                let said = match answer.body.len() <= limits::FETCHED_BYTES {
                    true => Ok(answer),
                    false => Err((
                        "too_large".to_owned(),
                        "The answer is larger than any may be.".to_owned(),
                    )),
                };
                self.waiting.answered(&from, id, said);
                received.ack(Vec::new()).await.map_err(ShareError::from)
            }
            Some(Message::Refused { id, code, message }) => self.hear_refused(received, id, code, message).await,
            Some(Message::Copy { id, number, at, answer }) => self.hear_copy(received, id, number, at, answer).await,
            Some(Message::CopyKept { id, number }) => self.hear_copy_kept(received, id, number).await,
            Some(Message::Ask { id, words }) => self.hear_ask(received, id, &words).await,
            None => {
                tracing::info!("a message about what is shared is of a form that is not known here");
                received.ack(Vec::new()).await.map_err(ShareError::from)
            }
        };
        if let Err(error) = outcome {
            tracing::info!(code = error.code(), "a message about what is shared was not taken");
        }
    }

    async fn hear_offer(
        &self,
        received: relay::Received,
        capability: &Capability,
        group: Option<GroupOffer>,
    ) -> Result<(), ShareError> {
        let _one = self.one_at_a_time.lock().await;
        let taken = self.take_offer(&received.from, capability, group).await;
        self.keep_offer(received, capability.jti, taken).await
    }

    async fn hear_pass_on(
        &self,
        received: relay::Received,
        chain: Vec<Capability>,
        owner: &[u8],
    ) -> Result<(), ShareError> {
        let _one = self.one_at_a_time.lock().await;
        let id = chain.last().map(|last| last.jti).unwrap_or_default();
        let taken = self.take_passed_on(&received.from, chain, owner).await;
        self.keep_offer(received, id, taken).await
    }

    /// Keeps what somebody has brought, follows all who may take it back, and says that it is there.
    async fn keep_offer(
        &self,
        received: relay::Received,
        id: Uuid,
        taken: Result<Vec<Record>, ShareError>,
    ) -> Result<(), ShareError> {
        let records = match taken {
            Ok(records) => records,
            Err(error) => {
                // Not another time either; its issuer sees that it was not kept.
                tracing::info!(code = error.code(), "what somebody offers is not kept");
                received.ack(Vec::new()).await?;
                return Ok(());
            }
        };
        received.ack(records).await?;
        self.changed();
        self.follow_makers().await?;
        self.say_kept(self.one_received(id)?).await
    }

    /// Tells whoever has brought it that it is there. `one_at_a_time` is held.
    async fn say_kept(&self, mut there: Received) -> Result<(), ShareError> {
        let (id, revision) = (there.capability.jti, there.revision());
        there.unsaid = false;
        let kept = Message::Kept { id, revision }.to(&there.brought_by()?, vec![there.record()]);
        self.relay.send(kept).await?;
        Ok(())
    }

    /// What broke off after something was kept is done now. `one_at_a_time` is held.
    async fn say_kept_again(&self) {
        let Ok(received) = self.received() else { return };
        let mut done = vec![self.follow_makers().await];
        if done[0].is_ok() {
            for there in received.into_iter().filter(|there| there.unsaid) {
                done.push(self.say_kept(there).await);
            }
        }
        for error in done.into_iter().filter_map(Result::err) {
            tracing::info!(code = error.code(), "what broke off is not done now either");
        }
    }

    /// Somebody says that they have passed on what was given here: its owner sees it before it is used.
    async fn hear_passed_on(
        &self,
        received: relay::Received,
        chain: &[Capability],
        to: &[u8],
    ) -> Result<(), ShareError> {
        let _one = self.one_at_a_time.lock().await;
        let records = match self.take_link(&received.from, chain, to).await {
            Ok(records) => records,
            Err(error) => {
                received.ack(Vec::new()).await?;
                return Err(error);
            }
        };
        received.ack(records).await?;
        self.changed();
        self.follow_makers().await
    }

    async fn hear_kept(&self, received: relay::Received, id: Uuid, revision: u64) -> Result<(), ShareError> {
        let _one = self.one_at_a_time.lock().await;
        let from = received.from.signer();
        let given = self.was_given(id)?.filter(|given| given.capability.sub == from);
        let arrived = given.filter(Given::is_on_its_way).map(|mut given| {
            given.arrived = given.arrived.or(Some(self.clock.now()));
            given.told = given.told.max(revision);
            given.lost &= given.is_on_its_way();
            given.record()
        });
        received.ack(Vec::from_iter(arrived)).await?;
        self.changed();
        self.copies_wanted.notify_one();
        Ok(())
    }

    async fn hear_copy(
        &self,
        received: relay::Received,
        id: Uuid,
        number: u64,
        at: Millis,
        answer: Answered,
    ) -> Result<(), ShareError> {
        let _one = self.one_at_a_time.lock().await;
        let from = received.from.clone();
        let record = match self.take_copy(&from, id, number, at, answer) {
            Ok(record) => record,
            Err(error) => {
                received.ack(Vec::new()).await?;
                return Err(error);
            }
        };
        received.ack(vec![record]).await?;
        self.changed();
        if let Some(owner) = self.owner_of(&self.one_received(id)?)? {
            self.activity.note(Deed::new(What::CopyKept, owner.name))?;
        }
        let kept = Message::CopyKept { id, number };
        self.relay.send(kept.to(&from, Vec::new())).await?;
        Ok(())
    }

    async fn hear_copy_kept(&self, received: relay::Received, id: Uuid, number: u64) -> Result<(), ShareError> {
        let _one = self.one_at_a_time.lock().await;
        let from = received.from.signer();
        let given = self.was_given(id)?.filter(|given| given.capability.sub == from);
        let there = given.map(|given| self.take_copy_kept(&given, number)).transpose()?;
        received.ack(Vec::from_iter(there.flatten())).await?;
        self.changed();
        Ok(())
    }

    async fn hear_ask(&self, received: relay::Received, id: Uuid, words: &str) -> Result<(), ShareError> {
        let records = self.take_ask(&received.from, id, words)?;
        received.ack(records).await?;
        self.changed();
        Ok(())
    }

    async fn hear_refused(
        &self,
        received: relay::Received,
        id: Uuid,
        code: String,
        message: String,
    ) -> Result<(), ShareError> {
        let from = received.from.clone();
        let short = |text: String| text.chars().take(limits::SHARE_REFUSAL_CHARS).collect::<String>();
        let is_late = code == TOO_LATE;
        let waited = self
            .waiting
            .answered(&from.signer(), id, Err((short(code), short(message))));
        received.ack(Vec::new()).await?;
        if is_late && !waited {
            self.note_back(&from)?;
        }
        Ok(())
    }

    /// Somebody wants to use what is shared, or manages it.
    async fn hear_call(
        &self,
        received: relay::Received,
        call: Call,
        manages: bool,
        calls: &mut Calls,
    ) -> Result<(), ShareError> {
        let from = received.from.clone();
        let Some(left) = self.time_left(&call) else {
            return self.hear_late(received, &call).await;
        };
        // Taken first: what would come again after a crash is better lost than done twice.
        received.ack(Vec::new()).await?;
        // To anybody else it is as if nobody were there.
        let Ok(Some(who)) = self.whose_place(&from, &call.presentation) else {
            return Ok(());
        };
        if !calls.has_room(&who) {
            self.refuse(&from, call.id, ShareError::TooManyCalls).await;
            return Ok(());
        }
        let shares = self.clone();
        calls.begin(who, async move { shares.attend(&from, call, left, manages).await });
        Ok(())
    }

    /// Carries a call out and answers it, `left` milliseconds at most.
    async fn attend(&self, from: &PublicIdentity, call: Call, left: u64, manages: bool) {
        let doing = async {
            match manages {
                true => self.managed(from, &call.presentation).await,
                false => self.answer(from, &call.presentation).await,
            }
        };
        let id = call.id;
        match timeout(Duration::from_millis(left), doing).await {
            Ok(Ok(answer)) => self.say(&Message::Answered { id, answer }, from).await,
            Ok(Err(error)) => self.refuse(from, id, error).await,
            Err(_) => self.refuse(from, id, ShareError::TooSlow).await,
        }
    }

    async fn say(&self, message: &Message, to: &PublicIdentity) {
        if let Err(error) = self.relay.send(message.to(to, Vec::new())).await {
            tracing::info!(code = error.code(), "somebody was not answered");
        }
    }

    pub(super) async fn refuse(&self, to: &PublicIdentity, id: Uuid, error: ShareError) {
        let (code, message) = (error.code().to_owned(), error.to_string());
        self.say(&Message::Refused { id, code, message }, to).await;
    }

    /// Whose place among the calls of others somebody takes who has to do with this vault: of whoever was given what they hold, so that
    /// those to whom it was passed on take no more of them; or a contact's own.
    pub(super) fn whose_place(
        &self,
        who: &PublicIdentity,
        presentation: &[u8],
    ) -> Result<Option<SignerKey>, ShareError> {
        if let Ok(given) = self.shows(who, presentation) {
            return Ok(Some(given.capability.sub));
        }
        let contacts = self.contacts.list()?;
        let known = contacts.iter().any(|contact| contact.identity == *who);
        Ok(known.then(|| who.signer()))
    }

    /// What was given here that somebody shows and holds.
    fn shows(&self, who: &PublicIdentity, presentation: &[u8]) -> Result<Given, ShareError> {
        self.holds(who, &Presentation::parse(presentation)?.chain)
    }

    /// What was given here that somebody holds, or held before it ended: who has seen what others hold can show that, too.
    fn holds(&self, who: &PublicIdentity, chain: &[Capability]) -> Result<Given, ShareError> {
        let given = self.root(chain)?;
        let before_its_end = chain.iter().map(|link| link.exp - 1).min();
        let at = before_its_end.unwrap_or_default().min(self.clock.now());
        let granted = self.known_chains.verify(chain, &given.capability.iss, at, |_| false)?;
        match granted.holder == who.signer() {
            true => Ok(given),
            false => Err(CapabilityError::NotHeld.into()),
        }
    }

    pub(super) async fn see_to_lost(&self) {
        let _one = self.one_at_a_time.lock().await;
        self.mark_lost().await;
    }

    /// What did not reach somebody: what they do not have yet is offered again at the next unlock, and the owner is told. What breaks off here
    /// is seen to when it begins again. `one_at_a_time` is held.
    async fn mark_lost(&self) {
        if let Err(error) = self.try_mark_lost().await {
            tracing::debug!(code = error.code(), "what did not reach somebody is seen to later");
        }
    }

    async fn try_mark_lost(&self) -> Result<(), ShareError> {
        let (mut lost, mut records) = (self.relay.lost()?, Vec::new());
        if lost.is_empty() {
            return Ok(());
        }
        records.extend(lost.iter().map(|lost| (lost.record.clone(), None)));
        // Who sends of another topic hears of it by themselves.
        lost.retain(|lost| lost.topic.is_none_or(|topic| topic == Topic::Sharing as u8));
        for mut given in self.given()? {
            let is_for = |lost: &relay::Lost| lost.to.0 == given.capability.sub.0;
            if lost.iter().any(is_for) && given.is_on_its_way() && !given.lost {
                given.lost = true;
                records.push(given.record());
            }
        }
        let mut deeds = Vec::new();
        for lost in &lost {
            if let Some(contact) = self.contact_at(lost.to)? {
                let code = json!(lost.code);
                deeds.push(Deed::new(What::NotDelivered, contact.name).because(code.as_str().unwrap_or_default()));
            }
        }
        self.activity.note_with(deeds, records).await?;
        self.changed();
        Ok(())
    }

    pub(super) async fn offer_again(&self) {
        let _one = self.one_at_a_time.lock().await;
        self.mark_lost().await;
        if let Err(error) = self.bind_all().await {
            tracing::debug!(
                code = error.code(),
                "what earlier versions shared is bound at its next use"
            );
        }
        self.offer_lost().await;
        self.say_kept_again().await;
    }

    /// Offers again whatever did not reach somebody. `one_at_a_time` is held.
    pub(super) async fn offer_lost(&self) {
        let (Ok(given), now) = (self.given(), self.clock.now()) else {
            return;
        };
        for mut given in given.into_iter().filter(|given| given.is_to_be_offered(now)) {
            let over = given.capability.exp <= now || self.is_revoked(given.capability.jti).unwrap_or(true);
            let contact = self.contacts.known(given.with).ok();
            let contact = contact.filter(|contact| contact.identity.signer() == given.capability.sub);
            let Some(contact) = contact.filter(|_| !over) else {
                continue;
            };
            (given.lost, given.offered) = (false, Some(now));
            let Ok(group) = self.group_offer(&given) else { continue };
            let offer = given.offer(group).to(&contact.identity, vec![given.record()]);
            let sent = self.relay.send(offer).await;
            if let Err(error) = sent {
                tracing::info!(code = error.code(), "what is shared is not offered again now");
                return;
            }
        }
    }

    fn contact_at(&self, mailbox: MailboxKey) -> Result<Option<Contact>, ContactError> {
        let mut contacts = self.contacts.list()?.into_iter();
        Ok(contacts.find(|contact| contact.identity.signer().0 == mailbox.0))
    }

    /// That something is wrong with what comes from somebody, or with this vault's own. What is wrong is in the log.
    fn note_of_relay(&self, what: What, about: MailboxKey) {
        let about = self.contact_at(about).ok().flatten();
        let name = about.map(|contact| contact.name).unwrap_or_default();
        // Nothing was done because of it that would have to be undone if it cannot be noted.
        let _locked = self.activity.note(Deed::new(what, name));
        self.changed();
    }

    /// That others do not hear yet what was taken back here.
    fn note_untold(&self) {
        // As with what else is of the relay.
        let _locked = self.activity.note(Deed::new(What::RevocationsWait, ""));
        self.changed();
    }

    /// That a call of `from` was refused before it came to the broker: by the name that this vault has for them, or of whom what they show was
    /// given to, who answers for those to whom they passed it on.
    pub(super) fn note_refused(&self, from: &PublicIdentity, presentation: &[u8], error: &ShareError) {
        let contact = self.contact_at(MailboxKey(from.signer().0)).ok().flatten();
        let given_to = || Some(self.shows(from, presentation).ok()?.name);
        let name = contact
            .map(|contact| contact.name)
            .or_else(given_to)
            .unwrap_or_default();
        // Refused all the same if it cannot be noted.
        let _locked = self
            .activity
            .note(Deed::new(What::ShareRefused, name).because(error.code()));
    }
}
