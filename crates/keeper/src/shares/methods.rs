//! `share.*` of the channel (`docs/protocol.md`, section 2).

use futures::future::BoxFuture;
use protocol::channel::ChannelError;
use protocol::{GroupResourceId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use vault::Capability;

use super::given::{Given, Terms};
use super::links::Link;
use super::{Grant, Manage, NewResource, PassOn, ShareError, Shares, UseReceived, Words};
use crate::channel::{Methods, Subscriber, read_value, unknown_method};
use crate::vault_service::VaultError;

#[derive(Deserialize)]
struct One {
    id: Uuid,
}

#[derive(Deserialize)]
struct OneResource {
    id: GroupResourceId,
}

#[derive(Deserialize)]
struct Accept {
    id: Uuid,
    /// Who says none has read the first words: they are the only ones that an older page has shown.
    #[serde(default)]
    revision: u64,
}

#[derive(Deserialize)]
struct Ask {
    of: UserId,
    words: String,
}

impl Shares {
    /// One of them, as its owner and their agent see it.
    ///
    /// # Errors
    /// The vault's errors.
    pub fn shown(&self, given: &Given) -> Result<Value, ShareError> {
        self.shown_beside(&self.links()?, given)
    }

    /// All that was given, as [`shown`](Self::shown).
    ///
    /// # Errors
    /// The vault's errors.
    pub fn shown_given(&self) -> Result<Vec<Value>, ShareError> {
        let (links, given) = (self.links()?, self.given()?);
        given.iter().map(|each| self.shown_beside(&links, each)).collect()
    }

    fn shown_beside(&self, links: &[Link], given: &Given) -> Result<Value, ShareError> {
        let capability = &given.capability;
        let uses = self.uses(capability.jti)?;
        let mut stopped = self.is_revoked(capability.jti)?;
        if let Some(through) = &given.through {
            stopped |= self.has_seen_ended(&through.above)?;
        }
        let state = self.state(capability, stopped);
        let mut shown = json!({
            "id": capability.jti, "with": given.with, "name": given.name, "resource": capability.resource,
            "scope": capability.scope, "from": capability.iat, "until": capability.exp,
            "constraints": capability.constraints, "state": state, "calls": uses.calls, "last_used": uses.last,
            "arrived": given.arrived, "group": given.group,
        });
        if given.told > 0 {
            shown["told"] = json!(given.told);
        }
        if let Some(cached) = &capability.cached {
            shown["cached"] = json!(cached);
            shown["copy"] = self.shown_copy(given)?;
        }
        if given.lost {
            shown["lost"] = json!(true);
        }
        if let Some(missed) = given.missed {
            shown["missed"] = json!(missed);
        }
        if let Some(by) = &given.by {
            shown["by"] = json!(by);
        }
        if let Some(through) = &given.through {
            shown["of"] = self.person(capability.aud, &through.owner)?;
        }
        if self.is_elsewhere(given)? {
            shown["elsewhere"] = json!(true);
        }
        let links = self.shown_links(links, capability.jti)?;
        if !links.is_empty() {
            shown["passed_on"] = json!(links);
        }
        Ok(shown)
    }

    /// How something that may have been taken back stands.
    pub(super) fn state(&self, capability: &Capability, stopped: bool) -> &'static str {
        if stopped {
            "stopped"
        } else if capability.exp <= self.clock.now() {
            "over"
        } else {
            "given"
        }
    }

    /// Whether something may be shared from this channel: while a second person is needed for what the agent shares, whoever finds an open
    /// page shares nothing without a fresh proof.
    fn may_share(&self, channel: u64) -> Result<(), VaultError> {
        if self.approvals.is_of_two_now()? {
            self.vault.fresh_proof(channel)?;
        }
        Ok(())
    }

    async fn call_method(&self, method: &str, params: Value, channel: u64) -> Result<Value, ChannelError> {
        match method {
            "share.given" => {
                let given = self.shown_given()?;
                Ok(json!({"given": given}))
            }
            "share.issue" => {
                self.may_share(channel)?;
                let terms: Terms = read_value(params)?;
                let given = self.issue(terms).await?;
                Ok(json!({"share": self.shown(&given)?, "capability": given.capability}))
            }
            "share.pass_on" => {
                self.may_share(channel)?;
                let given = self.pass_on(read_value::<PassOn>(params)?).await?;
                Ok(json!({"share": self.shown(&given)?}))
            }
            "share.revoke" => {
                self.revoke(read_value::<One>(params)?.id).await?;
                Ok(json!({}))
            }
            "share.received" => {
                let received = self.received().map_err(ShareError::from)?;
                let shown = received
                    .iter()
                    .map(|each| self.shown_to_owner(each))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(json!({"received": shown}))
            }
            "share.use" => {
                let used = self.use_received(read_value::<UseReceived>(params)?).await?;
                Ok(json!(used))
            }
            "share.refresh" => {
                self.refresh_copy(read_value::<One>(params)?.id).await?;
                Ok(json!({}))
            }
            "share.tools" => {
                let answered = self.tools_of(read_value::<One>(params)?.id).await?;
                Ok(json!(answered))
            }
            "share.ask" => {
                let Ask { of, words } = read_value(params)?;
                self.ask(of, &words).await?;
                Ok(json!({}))
            }
            "share.asked" => Ok(json!({"asked": self.asked().map_err(ShareError::from)?})),
            "share.dismiss" => {
                self.dismiss(read_value::<One>(params)?.id).await?;
                Ok(json!({}))
            }
            "share.seen" => {
                self.seen_missed(read_value::<One>(params)?.id).await?;
                Ok(json!({}))
            }
            "share.resources" => Ok(json!({"resources": self.resources().map_err(ShareError::from)?})),
            "share.offer" => {
                let resource = self.offer(read_value::<NewResource>(params)?).await?;
                Ok(json!({"resource": resource}))
            }
            "share.grant" => {
                self.may_share(channel)?;
                let given = self.grant(read_value::<Grant>(params)?).await?;
                Ok(json!({"share": self.shown(&given)?}))
            }
            "share.manage" => {
                let manage: Manage = read_value(params)?;
                if manage.request.changes() {
                    self.may_share(channel)?;
                }
                Ok(json!({"members": self.manage(manage).await?}))
            }
            "share.withdraw" => {
                self.withdraw(read_value::<OneResource>(params)?.id).await?;
                Ok(json!({}))
            }
            "share.skill" => {
                let received = self.one_received(read_value::<One>(params)?.id)?;
                let group = received.group.ok_or(ShareError::NoResource)?;
                let mut shown = json!({"skill": group.skill, "revision": group.what.revision});
                if let Some(newer) = received.newer {
                    shown["newer"] = json!(newer);
                }
                Ok(shown)
            }
            "share.reword" => {
                let resource = self.reword(read_value::<Words>(params)?).await?;
                Ok(json!({"resource": resource}))
            }
            "share.accept" => {
                let Accept { id, revision } = read_value(params)?;
                self.accept(id, revision).await?;
                Ok(json!({}))
            }
            "share.look_at_groups" => {
                self.look_at_groups().await?;
                Ok(json!({}))
            }
            "share.forget" => {
                self.forget_received(read_value::<One>(params)?.id).await?;
                Ok(json!({}))
            }
            _ => Err(unknown_method(method)),
        }
    }
}

impl Methods for Shares {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: Value,
        subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<Value, ChannelError>> {
        Box::pin(self.call_method(method, params, subscriber.id()))
    }
}
