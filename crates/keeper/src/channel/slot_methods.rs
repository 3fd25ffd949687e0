//! The methods `slot.*`: adding, proving, renaming and taking away ways into the vault.

use std::sync::Arc;

use protocol::channel::{ChannelError, PasskeyRequest, SlotKind};
use protocol::{Millis, SlotId, b64};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use vault::Kek;

use super::host::Inner;
use super::methods::{SecretJson, write_result};
use super::outgoing::Subscriber;
use super::own_methods::{KekParam, nothing, read};
use crate::vault_service::NewSlotParams;

#[derive(Deserialize)]
struct RegisterStart {
    kind: SlotKind,
    name: Option<String>,
    passkey: Option<PasskeyRequest>,
    #[serde(with = "b64")]
    request: Vec<u8>,
}

#[derive(Deserialize)]
struct RegisterFinish {
    slot: SlotId,
    #[serde(with = "b64")]
    record: Vec<u8>,
    kek: KekParam,
    replaces: Option<SlotId>,
}

#[derive(Deserialize)]
struct OneSlot {
    slot: SlotId,
}

#[derive(Deserialize)]
struct Rename {
    slot: SlotId,
    name: String,
}

#[derive(Deserialize)]
struct ProveStart {
    slot: SlotId,
    #[serde(with = "b64")]
    request: Vec<u8>,
}

#[derive(Deserialize)]
struct ProveFinish {
    slot: SlotId,
    #[serde(with = "b64")]
    finish: Vec<u8>,
}

#[derive(Serialize)]
struct RegisterResponse {
    slot: SlotId,
    #[serde(with = "b64")]
    response: Vec<u8>,
}

#[derive(Serialize)]
struct ProveResponse {
    #[serde(with = "b64")]
    response: Vec<u8>,
    retry_after_ms: u64,
}

#[derive(Serialize)]
struct Proved {
    until: Millis,
}

/// A call, its parameters read.
pub(super) enum SlotCall {
    RegisterStart {
        new: NewSlotParams,
        request: Vec<u8>,
    },
    RegisterFinish {
        slot: SlotId,
        record: Vec<u8>,
        kek: Kek,
        replaces: Option<SlotId>,
    },
    ConfirmPhrase(SlotId),
    Rename {
        slot: SlotId,
        name: String,
    },
    Remove(SlotId),
    ProveStart {
        slot: SlotId,
        request: Vec<u8>,
    },
    ProveFinish {
        slot: SlotId,
        finish: Vec<u8>,
    },
}

/// None for a method that is not one of these.
pub(super) fn parse(method: &str, params: Option<&RawValue>) -> Result<Option<SlotCall>, ChannelError> {
    Ok(Some(match method {
        "slot.register_start" => {
            let params: RegisterStart = read(params)?;
            SlotCall::RegisterStart {
                new: NewSlotParams {
                    kind: params.kind,
                    name: params.name,
                    passkey: params.passkey,
                },
                request: params.request,
            }
        }
        "slot.register_finish" => {
            let params: RegisterFinish = read(params)?;
            SlotCall::RegisterFinish {
                slot: params.slot,
                record: params.record,
                kek: params.kek.0,
                replaces: params.replaces,
            }
        }
        "slot.confirm_phrase" => SlotCall::ConfirmPhrase(read::<OneSlot>(params)?.slot),
        "slot.rename" => {
            let Rename { slot, name } = read(params)?;
            SlotCall::Rename { slot, name }
        }
        "slot.remove" => SlotCall::Remove(read::<OneSlot>(params)?.slot),
        "slot.prove_start" => {
            let ProveStart { slot, request } = read(params)?;
            SlotCall::ProveStart { slot, request }
        }
        "slot.prove_finish" => {
            let ProveFinish { slot, finish } = read(params)?;
            SlotCall::ProveFinish { slot, finish }
        }
        _ => return Ok(None),
    }))
}

impl SlotCall {
    pub async fn answer(self, host: &Arc<Inner>, subscriber: &Subscriber) -> Result<SecretJson, ChannelError> {
        let vault = &host.vault;
        let channel = subscriber.id();
        match self {
            Self::RegisterStart { new, request } => {
                let proof = vault.fresh_proof(channel)?;
                let (slot, response) = vault.slot_register_start(&proof, new, &request)?;
                write_result(&RegisterResponse { slot, response })
            }
            Self::RegisterFinish {
                slot: added,
                record,
                kek,
                replaces,
            } => {
                let proof = vault.fresh_proof(channel)?;
                vault
                    .slot_register_finish(&proof, added, &record, kek, replaces)
                    .await?;
                if let Some(replaced) = replaces {
                    let came_through_it = host.slot_of(subscriber) == Some(replaced);
                    host.slot_replaced(replaced, added, came_through_it.then_some(subscriber));
                    if came_through_it {
                        host.send_ready(subscriber, added);
                    }
                }
                nothing()
            }
            Self::ConfirmPhrase(slot) => {
                vault.confirm_phrase(slot).await?;
                nothing()
            }
            Self::Rename { slot, name } => {
                vault.slot_rename(slot, &name).await?;
                nothing()
            }
            Self::Remove(slot) => {
                let proof = vault.fresh_proof(channel)?;
                let records = host.router.ending(slot).await?;
                vault.slot_remove(&proof, slot, records).await?;
                host.slot_removed(slot, subscriber);
                nothing()
            }
            Self::ProveStart { slot, request } => {
                let (response, retry_after_ms) = vault.prove_start(channel, slot, &request).await?;
                write_result(&ProveResponse {
                    response,
                    retry_after_ms,
                })
            }
            Self::ProveFinish { slot, finish } => {
                let until = vault.prove_finish(channel, slot, &finish).await?;
                host.remember_use(slot, None);
                write_result(&Proved { until })
            }
        }
    }
}
