//! Managing for somebody what they share with a group: who of its members may do what with it.
//!
//! What is promised here: the keeper that has the service does it for whoever was given the right `admin` by its owner, asks for it with a
//! signed request that is new, and is in the group; never for more than they may themself, never for those who manage it, too, and for nothing
//! else: what it is, its address, its key and what agents are told of it stay the owner's. What was taken from them meanwhile is not done.

use protocol::{Millis, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vault::{CapabilityError, ManageRequest, Management, PublicIdentity, Scope, Scopes};

use super::given::Given;
use super::message::Message;
use super::present::Answered;
use super::resources::Grant;
use super::{ShareError, Shares};
use crate::limits;
use crate::rates::By;

/// What is to be done, of what was received.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manage {
    pub id: Uuid,
    pub request: ManageRequest,
}

/// A member who may use it, as whoever manages it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Managed {
    pub user: UserId,
    pub scope: Scopes,
    pub until: Millis,
    /// Their keeper has said that it has it.
    pub arrived: bool,
}

impl From<Given> for Managed {
    fn from(given: Given) -> Self {
        Self {
            user: given.with,
            until: given.capability.exp,
            scope: given.capability.scope,
            arrived: given.arrived.is_some(),
        }
    }
}

impl Shares {
    /// Has the keeper of whoever shares something do this to who may use it, and tells who may use it then: the owner of this vault says so in
    /// their own channel, and nobody in their place. It waits as long as a use does.
    ///
    /// # Errors
    /// [`ShareError::NotReceived`], why it may not be used, [`ShareError::Capability`] where it may not be managed, and those of
    /// [`Self::use_received`].
    pub async fn manage(&self, manage: Manage) -> Result<Vec<Managed>, ShareError> {
        let received = self.one_received(manage.id)?;
        let from = self.usable(&received)?;
        if !received.capability.scope.contains(&Scope::Admin) {
            return Err(CapabilityError::NotAllowed(Scope::Admin.name()).into());
        }
        let answered = self
            .present(&received, &from, manage.request, Message::Manage, limits::SHARE_ANSWER)
            .await?;
        serde_json::from_slice(&answered.body).map_err(|_| CapabilityError::Malformed.into())
    }

    /// Does what `from` asks for who manages something that is shared from here.
    ///
    /// # Errors
    /// [`ShareError`] names why not; nothing was done then, but what was counted stays counted.
    pub async fn managed(&self, from: &PublicIdentity, text: &[u8]) -> Result<Answered, ShareError> {
        let outcome = self.done_for_manager(from, text).await;
        if let Err(error) = &outcome {
            self.note_refused(from, text, error);
        }
        outcome
    }

    async fn done_for_manager(&self, from: &PublicIdentity, text: &[u8]) -> Result<Answered, ShareError> {
        let asked = Management::parse(text)?;
        if asked.chain.last().is_none_or(|link| link.sub != from.signer()) {
            return Err(CapabilityError::NotHeld.into());
        }
        let own = self.vault.identity().await?.public().signer();
        let by = {
            let _one = self.one_at_a_time.lock().await;
            let (_, mut by) = self.verified(&own, &asked)?;
            let mut records = vec![self.seen(asked.nonce, self.clock.now())?];
            if self.bind(&mut by)? {
                records.push(by.record());
            }
            let service = by.capability.resource.service();
            let who = By::person(by.with, &by.name);
            self.rates.count(who, service, asked.request.changes()).await?;
            self.vault.put_records(records).await?;
            by
        };
        self.check_holders(&by, &asked.chain).await?;
        self.check_place(&by)?;
        let resource = by.group.as_ref().ok_or(ShareError::NoResource)?.resource;
        match asked.request {
            ManageRequest::Look => {}
            ManageRequest::Grant { user, scope, until } => {
                let grant = Grant {
                    resource,
                    with: user.into(),
                    scope,
                    until,
                };
                self.grant_by(grant, Some(&by)).await?;
            }
            ManageRequest::End { user } => {
                let _one = self.one_at_a_time.lock().await;
                let before = self.given_of(resource, Some(user.into()))?;
                self.may_change(&by, &before)?;
                let endings = before.iter().map(Given::ending).collect();
                self.revoke_all(endings, Vec::new(), Some(&by)).await?;
            }
        }
        self.still_given(&asked.chain)?;
        let members: Vec<Managed> = self.given_of(resource, None)?.into_iter().map(Managed::from).collect();
        Ok(Answered {
            status: 200,
            content_type: "application/json".to_owned(),
            body: serde_json::to_vec(&members).expect("ids, words and numbers serialise"),
            cut: false,
        })
    }

    /// Whether somebody who manages something may still, and may change what a member had of it. `one_at_a_time` is held.
    pub(super) fn may_change(&self, by: &Given, before: &[Given]) -> Result<(), ShareError> {
        self.still_given(std::slice::from_ref(&by.capability))?;
        match before.iter().any(Given::manages) {
            true => Err(ShareError::OwnerOnly),
            false => Ok(()),
        }
    }
}
