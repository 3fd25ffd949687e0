//! Using what somebody else shares: presented to their keeper through the relay, which answers with data or says why not.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::Millis;
use protocol::channel::VaultState;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::time::Duration;
use uuid::Uuid;
use vault::{
    Capability, CapabilityError, PRESENTATION_BYTES, Presentable, PresentationOf, PublicIdentity, SharedRequest,
    SignerKey,
};

use super::copy_held::Used;
use super::message::{Call, Message};
use super::present::Answered;
use super::{Received, ShareError, Shares, millis};
use crate::approvals::{Action, Whose};
use crate::broker::DESCRIBE;
use crate::contacts::{Contact, ContactError};
use crate::limits;
use crate::relay::{Courier as _, RelayError, RelayNotice};
use crate::vault_service::{VaultError, unpoisoned};

/// One call of what is shared.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UseReceived {
    pub id: Uuid,
    #[serde(default = "get")]
    pub method: String,
    /// Below the service's address; what is missing is the path that is shared.
    pub path: Option<String>,
    #[serde(default)]
    pub query: String,
    #[serde(default)]
    pub content_type: String,
    /// Text.
    #[serde(default)]
    pub body: String,
    /// Ask whoever shares it, and never read a copy.
    #[serde(default)]
    pub live: bool,
}

impl UseReceived {
    /// What is asked for: where nothing is said, what there may be a copy of.
    fn request(self, of: &Capability) -> SharedRequest {
        let says_nothing = self.method == get() && self.path.is_none() && self.query.is_empty() && self.body.is_empty();
        match &of.cached {
            Some(cached) if says_nothing => cached.clone(),
            _ => SharedRequest {
                service: of.resource.service().to_owned(),
                method: self.method,
                path: self.path.unwrap_or_else(|| of.resource.path().to_owned()),
                query: self.query,
                content_type: self.content_type,
                body: self.body.into_bytes(),
            },
        }
    }
}

fn get() -> String {
    "GET".to_owned()
}

/// What a keeper said: an answer, or a refusal's code and words.
pub(super) type Said = Result<Answered, (String, String)>;

/// Who is waited for, and where the answer goes.
struct Waits {
    of: SignerKey,
    answer: oneshot::Sender<Said>,
}

/// Calls that wait for others' keepers.
#[derive(Clone, Default)]
pub(super) struct Waiting {
    /// By their ids.
    calls: Arc<std::sync::Mutex<HashMap<Uuid, Waits>>>,
    /// Since when keepers that have not answered have said nothing.
    silent: Arc<std::sync::Mutex<HashMap<SignerKey, Millis>>>,
}

/// One that waits; gone when it is dropped.
struct Place<'a> {
    waiting: &'a Waiting,
    id: Uuid,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        unpoisoned(&self.waiting.calls).remove(&self.id);
    }
}

impl Waiting {
    fn wait(&self, id: Uuid, of: SignerKey) -> Result<(Place<'_>, oneshot::Receiver<Said>), ShareError> {
        let mut waiting = unpoisoned(&self.calls);
        if waiting.len() >= limits::SHARE_CALLS_WAITING {
            return Err(ShareError::WaitsForTooMuch);
        }
        let (answer, answered) = oneshot::channel();
        waiting.insert(id, Waits { of, answer });
        Ok((Place { waiting: self, id }, answered))
    }

    /// An answer came, and whether it was waited for. One that nobody waits for, or that somebody else has sent, is let go.
    pub fn answered(&self, by: &SignerKey, id: Uuid, said: Said) -> bool {
        let mut waiting = unpoisoned(&self.calls);
        if waiting.get(&id).is_some_and(|waits| waits.of == *by)
            && let Some(waits) = waiting.remove(&id)
        {
            return waits.answer.send(said).is_ok();
        }
        false
    }

    /// This keeper says something again.
    pub fn heard(&self, keeper: &SignerKey) {
        unpoisoned(&self.silent).remove(keeper);
    }

    fn was_silent(&self, keeper: SignerKey, now: Millis) {
        unpoisoned(&self.silent).insert(keeper, now);
    }

    /// Whether it did not answer just now, and has said nothing since.
    fn is_silent(&self, keeper: &SignerKey, now: Millis) -> bool {
        let since = unpoisoned(&self.silent).get(keeper).copied();
        since.is_some_and(|since| now.saturating_sub(since) < millis(limits::SHARE_SILENT))
    }
}

impl Shares {
    /// A call of the owner's agent, as its owner is asked about it.
    ///
    /// # Errors
    /// Why it may not be used.
    pub fn asked_call(&self, received: &Received, call: &UseReceived) -> Result<Action, ShareError> {
        let by = self.usable(received)?;
        let resource = &received.capability.resource;
        Ok(Action::CallShared {
            share: call.id,
            owner: by.user,
            name: by.name,
            of: self.whose(received)?,
            service: resource.service().to_owned(),
            method: call.method.clone(),
            path: call.path.clone().unwrap_or_else(|| resource.path().to_owned()),
            query: call.query.clone(),
            content_type: call.content_type.clone(),
            body: call.body.clone(),
        })
    }

    /// Whose it is, where it was passed on: by their keys, and as the owner of this vault knows them.
    fn whose(&self, received: &Received) -> Result<Option<Whose>, ShareError> {
        let Some(through) = &received.through else {
            return Ok(None);
        };
        let owner = through.owner()?;
        let contacts = self.contacts.list()?;
        let known = contacts.into_iter().find(|contact| contact.identity == owner);
        Ok(Some(Whose {
            keys: owner.encode(),
            name: known.map(|known| known.name),
            fingerprint: owner.fingerprint(),
        }))
    }

    /// As [`use_received`](Self::use_received), if it still is what it was when its owner was asked.
    ///
    /// # Errors
    /// [`ShareError::Exchanged`], and those.
    pub async fn use_as_asked(&self, asked: &Received, call: UseReceived) -> Result<Used, ShareError> {
        if !self.one_received(call.id)?.is_the_same(asked) {
            return Err(ShareError::Exchanged);
        }
        self.use_received(call).await
    }

    /// Uses what somebody shares with this vault, or has passed on to it, and waits for the keeper of whoever it belongs to:
    /// [`limits::SHARE_ANSWER`] at most. Where there may be a copy of just this and they do not answer, it is read out of the copy.
    ///
    /// # Errors
    /// [`ShareError::Refused`] with the other keeper's reason; [`ShareError::NoAnswer`], [`ShareError::OwnerSilent`]; what this vault knows by
    /// itself. [`ShareError::Relay`], [`ShareError::PersonUnknown`]: it cannot be asked whether it was taken back, or its owner is suspended, and then no
    /// copy is read.
    pub async fn use_received(&self, call: UseReceived) -> Result<Used, ShareError> {
        let id = call.id;
        let received = self.one_received(id)?;
        let from = self.usable(&received)?;
        let live = call.live;
        let request = call.request(&received.capability);
        let copied = !live && received.capability.cached.as_ref() == Some(&request) && self.held_copy(id)?.is_some();
        let keeper = received.issued_by()?.signer();
        if copied
            && self.waiting.is_silent(&keeper, self.clock.now())
            && let Some(used) = self.read_copy(id).await?
        {
            return Ok(used);
        }
        let patience = match copied {
            true => limits::SHARE_ANSWER_BEFORE_COPY,
            false => limits::SHARE_ANSWER,
        };
        let error = match self.present(&received, &from, request, Message::Use, patience).await {
            Ok(answer) => return Ok(Used { answer, copy: None }),
            Err(error) => error,
        };
        let nobody = matches!(
            error,
            ShareError::NoAnswer { .. }
                | ShareError::OwnerSilent { .. }
                | ShareError::Relay(RelayError::Refused { .. })
        );
        if copied && nobody {
            self.waiting.was_silent(keeper, self.clock.now());
            return self.read_copy(id).await?.ok_or(error);
        }
        Err(error)
    }

    /// How the tools are described that are shared with this vault in a group, for its owner to read also before they have accepted it: as the
    /// keeper of whoever shares them answers now.
    ///
    /// # Errors
    /// [`ShareError::NoResource`] where it is no server of tools, and those of [`Self::use_received`].
    pub async fn tools_of(&self, id: Uuid) -> Result<Answered, ShareError> {
        let received = self.one_received(id)?;
        let from = match self.usable(&received) {
            Err(ShareError::NotAccepted) => self.owner_of(&received)?.ok_or(ContactError::Unknown)?,
            usable => usable?,
        };
        let tools = received.in_group().is_some_and(|group| group.tools);
        if !tools {
            return Err(ShareError::NoResource);
        }
        let resource = &received.capability.resource;
        let one = !resource.path().is_empty();
        let request = SharedRequest {
            service: resource.service().to_owned(),
            method: get(),
            path: resource.path().to_owned(),
            query: if one { DESCRIBE.to_owned() } else { String::new() },
            content_type: String::new(),
            body: Vec::new(),
        };
        self.present(&received, &from, request, Message::Use, limits::SHARE_ANSWER)
            .await
    }

    /// Presents what was received of somebody, with what is asked for, to the keeper of whoever it belongs to, and waits so long for its answer.
    pub(super) async fn present<R: Presentable>(
        &self,
        received: &Received,
        from: &Contact,
        request: R,
        message: fn(Call) -> Message,
        patience: Duration,
    ) -> Result<Answered, ShareError> {
        let keeper = received.issued_by()?;
        let contacts = self.contacts.list()?;
        let silent = match contacts.into_iter().find(|contact| contact.identity == keeper) {
            Some(contact) => ShareError::NoAnswer { name: contact.name },
            None => ShareError::OwnerSilent { by: from.name.clone() },
        };
        let identity = self.vault.identity().await?;
        let presentation = PresentationOf::sign(&identity, received.chain(), request, self.clock.now())?.encode();
        if presentation.len() > PRESENTATION_BYTES {
            return Err(CapabilityError::TooLarge(PRESENTATION_BYTES).into());
        }
        let id = Uuid::now_v7();
        let call = Call {
            id,
            until: self.clock.now() + millis(patience),
            presentation,
        };
        self.ask_keeper(&keeper, silent, id, message(call), patience).await
    }

    async fn ask_keeper(
        &self,
        keeper: &PublicIdentity,
        silent: ShareError,
        id: Uuid,
        message: Message,
        patience: Duration,
    ) -> Result<Answered, ShareError> {
        let mut vault = self.vault.watch();
        let mut notices = self.relay.notices();
        let (_place, mut answer) = self.waiting.wait(id, keeper.signer())?;
        let sent = self.relay.send(message.to(keeper, Vec::new())).await?;
        let deadline = tokio::time::sleep(patience);
        let mut deadline = std::pin::pin!(deadline);
        let (mut listens, mut taken) = (true, false);
        loop {
            tokio::select! {
                said = &mut answer => return match said {
                    Ok(Ok(answered)) => Ok(answered),
                    Ok(Err((code, message))) => Err(ShareError::Refused { code, message }),
                    Err(_) => Err(RelayError::Ended.into()),
                },
                notice = notices.recv(), if listens => match notice {
                    Ok(RelayNotice::Accepted { id }) if id == sent => taken = true,
                    Ok(RelayNotice::Lost { id, code, message, .. }) if id == sent => {
                        return Err(RelayError::Refused { code, message }.into());
                    }
                    Err(RecvError::Closed) => listens = false,
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                },
                _ = vault.wait_for(|state| *state != VaultState::Unlocked) => return Err(VaultError::Locked.into()),
                () = &mut deadline => return Err(match taken {
                    true => silent,
                    false => RelayError::Unreachable.into(),
                }),
            }
        }
    }
}
