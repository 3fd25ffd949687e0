//! The channel's own methods: `vault.*`, `slot.*`, `model.get` and `model.set`. Their parameters and results may be secret: they
//! are read into and written from memory that is wiped.

use std::sync::Arc;

use protocol::channel::{ChannelError, SlotInfo, VaultState};
use protocol::{Millis, b64};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::RawValue;
use vault::{Kek, ResumptionSecret};
use zeroize::Zeroizing;

use super::host::Inner;
use super::methods::{SecretJson, read_params, write_result};
use super::outgoing::Subscriber;
use super::policy_methods::{self, PolicyCall};
use super::slot_methods::{self, SlotCall};
use crate::vault_service::{LockReason, ModelKind, ModelParams, RotationStatus, Unlocked, VaultError, VaultService};

/// Base64url of secret bytes, wiped after it was written.
fn secret_text<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&Zeroizing::new(b64::encode(bytes)))
}

/// Data of the event `ready`.
#[derive(Serialize)]
pub(super) struct Ready<'a> {
    #[serde(serialize_with = "secret_text")]
    ticket: &'a [u8],
    #[serde(serialize_with = "secret_text")]
    secret: &'a [u8],
    vault: VaultState,
}

impl<'a> Ready<'a> {
    pub fn new(ticket: &'a [u8; 32], secret: &'a ResumptionSecret, vault: VaultState) -> Self {
        Self {
            ticket,
            secret: secret.expose(),
            vault,
        }
    }
}

/// A wrapping key as it comes from the client.
pub(crate) struct KekParam(pub Kek);

impl<'de> Deserialize<'de> for KekParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Base64url has nothing to escape: the text is borrowed from the frame, which is wiped.
        let text = <&str>::deserialize(deserializer)?;
        let bytes = Zeroizing::new(b64::decode(text).map_err(|_| D::Error::custom("a key is base64url"))?);
        Kek::copy_from(&bytes).map(Self).map_err(D::Error::custom)
    }
}

#[derive(Deserialize)]
struct WithKek {
    kek: KekParam,
}

#[derive(Serialize)]
struct UnlockedResult<'a> {
    vault: VaultState,
    #[serde(serialize_with = "secret_text")]
    local_key: &'a [u8],
    epoch: u64,
}

#[derive(Serialize)]
struct LockedResult {
    saved: bool,
}

#[derive(Serialize)]
struct Status {
    vault: VaultState,
    /// What the clock shows that all times are told by.
    now: Millis,
    slots: Vec<SlotStatus>,
    locks_at: Option<Millis>,
    phrase_confirmed: Option<bool>,
    epoch: Option<u64>,
    /// Until when this channel may do what needs a fresh proof.
    proof_until: Option<Millis>,
    /// Until when the vault stays open without use.
    granted_until: Option<Millis>,
    rotation: Option<RotationStatus>,
}

/// A slot, with what only its owner is told.
#[derive(Serialize)]
struct SlotStatus {
    #[serde(flatten)]
    info: SlotInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<Millis>,
}

fn slot_statuses(vault: &VaultService) -> Vec<SlotStatus> {
    let uses = vault.slot_uses();
    let status = |info: SlotInfo| SlotStatus {
        last_used: uses.get(&info.id).copied(),
        info,
    };
    vault.slots().into_iter().map(status).collect()
}

#[derive(Serialize, Default)]
struct ModelResult {
    configured: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<ModelKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
}

/// A call whose parameters are understood.
pub(super) enum Call {
    Create(Kek),
    Unlock(Kek),
    Lock,
    Status,
    Slot(SlotCall),
    Policy(PolicyCall),
    ModelGet,
    ModelSet(ModelParams),
}

pub(super) fn read<'a, T: Deserialize<'a>>(params: Option<&'a RawValue>) -> Result<T, ChannelError> {
    match params {
        Some(params) => read_params(params),
        None => serde_json::from_str("{}").map_err(|_| ChannelError::new("malformed", "This method needs parameters.")),
    }
}

/// The answer of what has nothing to say.
pub(super) fn nothing() -> Result<SecretJson, ChannelError> {
    Ok(Zeroizing::new(b"{}".to_vec()))
}

/// Reads a call of one of the channel's own methods; none when the method is somebody else's.
pub(super) fn parse(method: &str, params: Option<&RawValue>) -> Result<Option<Call>, ChannelError> {
    Ok(Some(match method {
        "vault.create" => Call::Create(read::<WithKek>(params)?.kek.0),
        "vault.unlock" => Call::Unlock(read::<WithKek>(params)?.kek.0),
        "vault.lock" => Call::Lock,
        "vault.status" => Call::Status,
        "model.get" => Call::ModelGet,
        "model.set" => Call::ModelSet(read(params)?),
        _ if method.starts_with("vault.") => return Ok(policy_methods::parse(method, params)?.map(Call::Policy)),
        _ => return Ok(slot_methods::parse(method, params)?.map(Call::Slot)),
    }))
}

fn unlocked(unlocked: &Unlocked) -> Result<SecretJson, ChannelError> {
    write_result(&UnlockedResult {
        vault: VaultState::Unlocked,
        local_key: unlocked.local_key.expose(),
        epoch: unlocked.epoch,
    })
}

impl Call {
    pub async fn answer(self, host: &Arc<Inner>, subscriber: &Subscriber) -> Result<SecretJson, ChannelError> {
        let vault = &host.vault;
        let slot = || host.slot_of(subscriber).ok_or(VaultError::UnknownSlot);
        match self {
            Self::Create(kek) => unlocked(&vault.create(slot()?, &kek).await?),
            Self::Unlock(kek) => {
                let slot = slot()?;
                // Not opened for somebody who would be thrown out: the channel ends with the keeper, and a new one reaches the next.
                vault.staying().await;
                let opened = vault.unlock(slot, &kek)?;
                host.remember_use(slot, Some(kek));
                unlocked(&opened)
            }
            Self::Lock => {
                let saved = vault.lock(LockReason::Asked).await?;
                write_result(&LockedResult { saved })
            }
            Self::Status => write_result(&Status {
                vault: vault.state(),
                now: vault.now(),
                slots: slot_statuses(vault),
                locks_at: vault.locks_at(),
                phrase_confirmed: vault.phrase_confirmed(),
                epoch: vault.epoch(),
                proof_until: vault.proof_until(subscriber.id()),
                granted_until: vault.granted_until(),
                rotation: vault.rotation_status(),
            }),
            Self::Slot(call) => call.answer(host, subscriber).await,
            Self::Policy(call) => call.answer(host, subscriber).await,
            Self::ModelGet => write_result(&match vault.model()? {
                None => ModelResult::default(),
                Some(model) => ModelResult {
                    configured: true,
                    kind: Some(model.kind),
                    base_url: Some(model.base_url),
                    model: Some(model.model),
                },
            }),
            Self::ModelSet(params) => {
                let settings = params.complete(vault.model()?)?;
                vault.set_model(&settings).await?;
                nothing()
            }
        }
    }
}
