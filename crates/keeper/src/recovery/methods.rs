//! `recovery.*` of the channel (`docs/protocol.md`, section 2).

use futures::future::BoxFuture;
use protocol::channel::ChannelError;
use protocol::{SlotId, UserId, b64};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use vault::SecretBytes;
use zeroize::Zeroizing;

use super::Recovery;
use super::held::HeldShown;
use super::own::NewRecovery;
use crate::channel::{KekParam, SecretJson, SecretMethods, Subscriber, read_params, unknown_method, write_result};

#[derive(Deserialize)]
struct Set<'a> {
    slot: SlotId,
    #[serde(with = "b64")]
    record: Vec<u8>,
    kek: KekParam,
    /// Base64url: borrowed from memory that is wiped.
    secret: &'a str,
    threshold: u8,
    wait_ms: u64,
    contacts: Vec<UserId>,
}

#[derive(Deserialize)]
struct See {
    user: UserId,
    #[serde(with = "b64")]
    request: Vec<u8>,
}

#[derive(Deserialize)]
struct Approve {
    id: String,
    code: String,
}

#[derive(Deserialize)]
struct Which {
    id: String,
}

impl Recovery {
    async fn answer(
        &self,
        method: &str,
        params: &RawValue,
        subscriber: &Subscriber,
    ) -> Result<SecretJson, ChannelError> {
        match method {
            "recovery.get" => {
                let held: Vec<HeldShown> = self.all_held()?.into_iter().map(HeldShown::from).collect();
                let (own, ended) = (self.own_signed().await?, self.ended_signed().await?);
                write_result(&json!({"own": own, "ended": ended, "held": held, "asked": self.all_asked()?}))
            }
            "recovery.set" => {
                let proof = self.vault.fresh_proof(subscriber.id())?;
                let set: Set<'_> = read_params(params)?;
                let malformed = || ChannelError::new("malformed", "The secret of a recovery has 32 bytes.");
                let secret = Zeroizing::new(b64::decode(set.secret).map_err(|_| malformed())?);
                let new = NewRecovery {
                    slot: set.slot,
                    record: set.record,
                    kek: set.kek.0,
                    secret: SecretBytes::copy_from(&secret).map_err(|_| malformed())?,
                    threshold: set.threshold,
                    wait_ms: set.wait_ms,
                    contacts: set.contacts,
                };
                let own = self.set_up(&proof, subscriber.id(), new).await?;
                write_result(&self.signed(own).await?)
            }
            "recovery.stop" => {
                self.stop(&read_params::<Which>(params)?.id).await?;
                write_result(&json!({}))
            }
            "recovery.see" => {
                let See { user, request } = read_params(params)?;
                write_result(&self.see(user, &request).await?)
            }
            "recovery.approve" => {
                let Approve { id, code } = read_params(params)?;
                write_result(&self.approve(&id, &code).await?)
            }
            "recovery.refuse" => write_result(&self.refuse(&read_params::<Which>(params)?.id).await?),
            "recovery.release" => {
                let sealed = self.release(&read_params::<Which>(params)?.id).await?;
                write_result(&json!({"sealed": b64::encode(sealed)}))
            }
            _ => Err(unknown_method(method)),
        }
    }
}

impl SecretMethods for Recovery {
    fn call<'a>(
        &'a self,
        method: &'a str,
        params: &'a RawValue,
        subscriber: &'a Subscriber,
    ) -> BoxFuture<'a, Result<SecretJson, ChannelError>> {
        Box::pin(self.answer(method, params, subscriber))
    }
}
