//! A target for each parser of what comes from outside: from the network, the platform, a store, a disk, or the agent.
//!
//! A target takes any bytes. It must not panic, and says by a panic what else must hold of what was accepted. `seeds` are
//! valid examples to begin with; what a run once found is kept in `corpus/NAME/` and replayed by every test run.

mod at_rest;
mod carried;
mod channel;
mod home;
mod management;
mod outside;
mod relayed;
mod socket;

/// One parser.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    /// Valid examples.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    at_rest::VAULT_FILE,
    at_rest::VAULT_BODY,
    at_rest::SEALED_RECORD,
    at_rest::WRAPPED_KEY,
    at_rest::SLOT_KEYS,
    channel::FRAME,
    channel::HANDSHAKE,
    channel::REQUEST,
    channel::PHRASE,
    carried::BACKUP,
    carried::BACKUP_KEY,
    carried::IDENTITY,
    carried::SEALED_TO,
    carried::SECRETS_EXPORT,
    carried::CAPABILITY,
    carried::RECOVERY,
    home::MANIFEST,
    home::CHUNK,
    relayed::FRAMES,
    relayed::EPOCH,
    relayed::ENVELOPE,
    socket::GATEWAY_TOKEN,
    socket::CONTROL,
    socket::BRIDGE_LINE,
    socket::BLOB_NAME,
    outside::OPENCLAW,
    outside::BROKER_PATH,
    outside::PROVIDER_ANSWER,
    outside::ADDRESS,
    outside::TEMPLATE,
    management::AUDIT_EXPORT,
    management::DISCOVERY,
    management::ID_TOKEN,
    management::PASSKEY_MADE,
    management::PASSKEY_SHOWN,
    management::API_KEY,
    management::FORWARDED,
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
