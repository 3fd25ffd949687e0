//! The methods of `vault.*` about how it locks, and about its key.

use std::sync::Arc;

use protocol::Millis;
use protocol::channel::ChannelError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::host::Inner;
use super::methods::{SecretJson, write_result};
use super::outgoing::Subscriber;
use super::own_methods::{nothing, read};
use crate::limits::{LOCK_AFTER_LONGEST, LOCK_AFTER_SHORTEST};
use crate::vault_service::Policy;

#[derive(Deserialize)]
struct Grant {
    minutes: u32,
}

#[derive(Serialize)]
struct Locking {
    locks_at: Option<Millis>,
    granted_until: Option<Millis>,
}

#[derive(Serialize)]
struct PolicyResult {
    #[serde(flatten)]
    policy: Policy,
    /// As the operator has it.
    usual_lock_after_minutes: u32,
    lock_after_shortest: u32,
    lock_after_longest: u32,
    grant_longest: u32,
}

/// A call, its parameters read.
pub(super) enum PolicyCall {
    Get,
    Set(Policy),
    Extend,
    Grant(u32),
    Rotate,
}

/// None for a method that is not one of these.
pub(super) fn parse(method: &str, params: Option<&RawValue>) -> Result<Option<PolicyCall>, ChannelError> {
    Ok(Some(match method {
        "vault.policy" => PolicyCall::Get,
        "vault.set_policy" => PolicyCall::Set(read(params)?),
        "vault.extend" => PolicyCall::Extend,
        "vault.grant" => PolicyCall::Grant(read::<Grant>(params)?.minutes),
        "vault.rotate" => PolicyCall::Rotate,
        _ => return Ok(None),
    }))
}

impl PolicyCall {
    pub async fn answer(self, host: &Arc<Inner>, subscriber: &Subscriber) -> Result<SecretJson, ChannelError> {
        let vault = &host.vault;
        let locking = || {
            write_result(&Locking {
                locks_at: vault.locks_at(),
                granted_until: vault.granted_until(),
            })
        };
        match self {
            Self::Get => write_result(&PolicyResult {
                policy: vault.policy()?,
                usual_lock_after_minutes: vault.usual_lock_after_minutes(),
                lock_after_shortest: LOCK_AFTER_SHORTEST,
                lock_after_longest: LOCK_AFTER_LONGEST,
                grant_longest: vault.grant_longest(),
            }),
            Self::Set(policy) => {
                let proof = vault.fresh_proof(subscriber.id())?;
                vault.set_policy(&proof, policy).await?;
                nothing()
            }
            // That it was asked is the use.
            Self::Extend => locking(),
            Self::Grant(0) => {
                vault.end_grant();
                locking()
            }
            Self::Grant(minutes) => {
                let proof = vault.fresh_proof(subscriber.id())?;
                vault.grant(&proof, minutes)?;
                locking()
            }
            Self::Rotate => {
                let proof = vault.fresh_proof(subscriber.id())?;
                vault.rotate(&proof).await?;
                nothing()
            }
        }
    }
}
