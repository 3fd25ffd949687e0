//! The vault as it lies on disk: a header in clear, and the body sealed under the data key and bound to the header.
//!
//! Format: `"holdfast-vault" || 0x01 || length of header (u32, big endian) || header (JSON) || sealed body`. The body's
//! associated data is the SHA-512 of everything before it, so a header that was changed, by as much as one slot, is found when
//! the vault is opened. The header must be readable while the vault is locked: it has what a log-in needs (the OPAQUE server
//! setup and registrations), which together allow guessing at a password offline; `docs/security.md` says what that means.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::body::{Body, BodyError};
use crate::keys;
use crate::limits::{CREDENTIAL_ID_BYTES, RP_ID_BYTES, SLOTS, VAULT_BYTES};
use crate::opaque::{OpaqueError, Registration, ServerSetup};
use crate::seal::{SealError, SealKey};
use crate::secret::{DataKey, Kek};
use crate::slot::{SlotKind, WrapError, unwrap_data_key, wrap_data_key};
use crate::slot_keys::SlotKeys;

const MAGIC: &[u8; 15] = b"holdfast-vault\x01";
const PURPOSE: &str = "vault";

/// Why a vault file is refused. Nothing is ever written in answer to one of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error("this is no vault file, or one of a version that is not known here")]
    NotAVault,
    #[error("a vault file of {0} bytes is larger than VAULT_BYTES ({VAULT_BYTES})")]
    TooLarge(usize),
    #[error("the header of the vault is malformed: {0}")]
    Header(String),
    #[error("the vault has no slot {0}")]
    UnknownSlot(Uuid),
    #[error("a vault has at most SLOTS ({SLOTS}) slots")]
    TooManySlots,
    #[error("the vault does not know what it needs of the slot {0} to wrap a new key for it: unlock through it once")]
    SlotNotReady(Uuid),
    #[error("this is the last way into the vault: add another one first")]
    LastSlot,
    #[error("what is asked of a passkey is malformed: an id of 1 to 1023 bytes, a salt of 32, and the name of a site")]
    Passkey,
    #[error("the vault is bound to no cell yet")]
    NotBound,
    #[error(transparent)]
    Wrap(#[from] WrapError),
    #[error("the slot opened, but not to the key that this vault was made with: the slot is from elsewhere")]
    KeyCheck,
    #[error("the sealed part of the vault is refused: {0}")]
    Sealed(#[from] SealError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("the header says epoch {header}, the sealed part {body}: they are not from the same write")]
    Epoch { header: u64, body: u64 },
    #[error(transparent)]
    Opaque(#[from] OpaqueError),
}

/// What a browser needs to ask an authenticator for a passkey slot's secret. Public: it is needed while the vault is locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyHeader {
    #[serde(with = "bytes")]
    pub credential_id: Vec<u8>,
    /// What the authenticator's PRF is asked with, 32 bytes.
    #[serde(with = "bytes")]
    pub prf_salt: Vec<u8>,
    /// The site that the passkey belongs to.
    pub rp_id: String,
}

impl PasskeyHeader {
    fn is_usable(&self) -> bool {
        let printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        (1..=CREDENTIAL_ID_BYTES).contains(&self.credential_id.len())
            && self.prf_salt.len() == 32
            && (1..=RP_ID_BYTES).contains(&self.rp_id.len())
            && printable(&self.rp_id)
    }
}

/// One keyslot as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub struct SlotRecord {
    pub id: Uuid,
    pub kind: SlotKind,
    pub name: String,
    /// Milliseconds since the Unix epoch; not known of the oldest slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    /// Of a passkey's slot alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<PasskeyHeader>,
    #[serde(with = "bytes")]
    registration: Vec<u8>,
    #[serde(with = "bytes")]
    wrapped_key: Vec<u8>,
}

impl SlotRecord {
    /// What a log-in to this slot is checked against.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`] when the file was changed.
    pub fn registration(&self) -> Result<Registration, OpaqueError> {
        Registration::deserialize(&self.registration)
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Header {
    cell: Option<Uuid>,
    #[serde(with = "bytes")]
    server_setup: Vec<u8>,
    /// None while the vault is new.
    #[serde(default, with = "optional_bytes")]
    key_check: Option<Vec<u8>>,
    epoch: u64,
    slots: Vec<SlotRecord>,
}

/// A vault file in memory: the header as it is, the body sealed.
#[derive(Clone)]
pub struct VaultFile {
    header: Header,
    /// The header exactly as it was read or written: what the body is bound to.
    prefix: Vec<u8>,
    sealed: Vec<u8>,
}

impl VaultFile {
    /// A vault that nobody has made his own yet.
    pub fn new(setup: &ServerSetup) -> Self {
        Self::assemble(Header {
            cell: None,
            server_setup: setup.serialize().to_vec(),
            key_check: None,
            epoch: 0,
            slots: Vec::new(),
        })
    }

    fn assemble(header: Header) -> Self {
        let json = serde_json::to_vec(&header).expect("a header of ids, text and numbers serialises");
        let length = u32::try_from(json.len()).expect("32 slots of some 400 bytes are far below 4 GiB");
        let prefix = [MAGIC, length.to_be_bytes().as_slice(), &json].concat();
        Self {
            header,
            prefix,
            sealed: Vec::new(),
        }
    }

    /// Reads a file; the sealed part is not looked at.
    ///
    /// # Errors
    /// [`FileError`] when it is not a vault file that is understood.
    pub fn decode(bytes: &[u8]) -> Result<Self, FileError> {
        if bytes.len() > VAULT_BYTES {
            return Err(FileError::TooLarge(bytes.len()));
        }
        let rest = bytes.strip_prefix(MAGIC).ok_or(FileError::NotAVault)?;
        let (length, rest) = rest
            .split_first_chunk::<4>()
            .ok_or_else(|| FileError::Header("it was cut".to_owned()))?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((json, sealed)) = rest.split_at_checked(length) else {
            return Err(FileError::Header("it was cut".to_owned()));
        };
        let header: Header = serde_json::from_slice(json).map_err(|error| FileError::Header(error.to_string()))?;
        if header.slots.len() > SLOTS {
            return Err(FileError::TooManySlots);
        }
        if header.key_check.is_none() && !(header.slots.is_empty() && sealed.is_empty()) {
            return Err(FileError::Header("a new vault has no slots and no content".to_owned()));
        }
        Ok(Self {
            prefix: bytes[..bytes.len() - sealed.len()].to_vec(),
            header,
            sealed: sealed.to_vec(),
        })
    }

    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        [self.prefix.as_slice(), &self.sealed].concat()
    }

    /// Whether nobody has made this vault his own yet.
    pub fn is_new(&self) -> bool {
        self.header.key_check.is_none()
    }

    /// The cell that it is bound to.
    pub fn cell(&self) -> Option<Uuid> {
        self.header.cell
    }

    /// How often it was written since it was made.
    pub fn epoch(&self) -> u64 {
        self.header.epoch
    }

    /// The OPAQUE server's keys.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`] when the file was changed.
    pub fn server_setup(&self) -> Result<ServerSetup, OpaqueError> {
        ServerSetup::deserialize(&self.header.server_setup)
    }

    /// The slots, oldest first.
    pub fn slots(&self) -> &[SlotRecord] {
        &self.header.slots
    }

    /// One slot.
    ///
    /// # Errors
    /// [`FileError::UnknownSlot`].
    pub fn slot(&self, id: Uuid) -> Result<&SlotRecord, FileError> {
        self.header
            .slots
            .iter()
            .find(|slot| slot.id == id)
            .ok_or(FileError::UnknownSlot(id))
    }

    /// Binds a new vault to its cell.
    #[must_use]
    pub fn bound_to(&self, cell: Uuid) -> Self {
        Self::assemble(Header {
            cell: Some(cell),
            ..self.header.clone()
        })
    }

    /// Opens the vault with one slot's key: the key, the header and the body must belong together.
    ///
    /// # Errors
    /// [`FileError`] names what does not.
    pub fn open(&self, slot: Uuid, kek: &Kek) -> Result<(DataKey, Body), FileError> {
        let cell = self.header.cell.ok_or(FileError::NotBound)?;
        let record = self.slot(slot)?;
        let data_key = unwrap_data_key(&record.wrapped_key, kek, record.id, record.kind, cell)?;
        let body = self.open_body(&data_key)?;
        Ok((data_key, body))
    }

    /// Opens the body with the data key.
    ///
    /// # Errors
    /// [`FileError`] names what does not belong together.
    pub fn open_body(&self, data_key: &DataKey) -> Result<Body, FileError> {
        let cell = self.header.cell.ok_or(FileError::NotBound)?;
        let known = self.header.key_check.as_deref();
        // Not a secret: it is stored in clear.
        if known != Some(keys::check(data_key, cell).as_slice()) {
            return Err(FileError::KeyCheck);
        }
        let name = body_name(&self.prefix);
        let plain = SealKey::new(data_key, PURPOSE).open(&name, self.header.epoch, &self.sealed)?;
        let body = Body::decode(&plain)?;
        if body.epoch != self.header.epoch {
            return Err(FileError::Epoch {
                header: self.header.epoch,
                body: body.epoch,
            });
        }
        Ok(body)
    }

    /// The next write: `body` under this file's slots, as changed by `change`.
    ///
    /// # Errors
    /// [`FileError`] when the vault is bound to no cell, would lose its last slot, or grows past a limit.
    pub fn written(&self, data_key: &DataKey, body: &Body, change: SlotChange) -> Result<Self, FileError> {
        let cell = self.header.cell.ok_or(FileError::NotBound)?;
        let mut header = Header {
            key_check: Some(keys::check(data_key, cell).to_vec()),
            epoch: body.epoch,
            ..self.header.clone()
        };
        if let Some(removed) = change.remove {
            let before = header.slots.len();
            header.slots.retain(|slot| slot.id != removed);
            if header.slots.len() == before {
                return Err(FileError::UnknownSlot(removed));
            }
        }
        if let Some((renamed, name)) = change.rename {
            let slot = header.slots.iter_mut().find(|slot| slot.id == renamed);
            slot.ok_or(FileError::UnknownSlot(renamed))?.name = name;
        }
        if let Some(add) = change.add {
            if header.slots.len() >= SLOTS {
                return Err(FileError::TooManySlots);
            }
            if (add.kind == SlotKind::Passkey) != add.passkey.as_ref().is_some_and(PasskeyHeader::is_usable) {
                return Err(FileError::Passkey);
            }
            header.slots.push(SlotRecord {
                wrapped_key: wrap_data_key(data_key, &add.kek, add.id, add.kind, cell),
                registration: add.registration.serialize(),
                id: add.id,
                kind: add.kind,
                name: add.name,
                created: Some(add.created),
                passkey: add.passkey,
            });
        }
        if header.slots.is_empty() {
            return Err(FileError::LastSlot);
        }
        Self::sealed(header, data_key, body)
    }

    /// The next write, under another data key: wrapped anew for every slot.
    ///
    /// # Errors
    /// [`FileError::SlotNotReady`] when `keys_of` knows nothing of a slot; as [`Self::written`] otherwise.
    pub fn rotated(
        &self,
        data_key: &DataKey,
        body: &Body,
        keys_of: impl Fn(Uuid) -> Option<SlotKeys>,
    ) -> Result<Self, FileError> {
        let cell = self.header.cell.ok_or(FileError::NotBound)?;
        let mut header = Header {
            key_check: Some(keys::check(data_key, cell).to_vec()),
            epoch: body.epoch,
            ..self.header.clone()
        };
        for slot in &mut header.slots {
            let keys = keys_of(slot.id).ok_or(FileError::SlotNotReady(slot.id))?;
            slot.wrapped_key = keys.wrap(data_key, slot.id, slot.kind, cell);
        }
        Self::sealed(header, data_key, body)
    }

    fn sealed(header: Header, data_key: &DataKey, body: &Body) -> Result<Self, FileError> {
        let mut file = Self::assemble(header);
        let plain: Zeroizing<Vec<u8>> = body.encode();
        file.sealed = SealKey::new(data_key, PURPOSE).seal(&body_name(&file.prefix), body.epoch, &plain)?;
        match file.prefix.len() + file.sealed.len() {
            length if length > VAULT_BYTES => Err(FileError::TooLarge(length)),
            _ => Ok(file),
        }
    }
}

/// A slot to be added.
pub struct NewSlot {
    pub id: Uuid,
    pub kind: SlotKind,
    pub name: String,
    /// Milliseconds since the Unix epoch.
    pub created: i64,
    /// For a passkey, and only for one.
    pub passkey: Option<PasskeyHeader>,
    pub registration: Registration,
    pub kek: Kek,
}

/// How the slots change with a write.
#[derive(Default)]
pub struct SlotChange {
    pub remove: Option<Uuid>,
    pub rename: Option<(Uuid, String)>,
    pub add: Option<NewSlot>,
}

fn body_name(prefix: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha512::digest(prefix).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

mod bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        URL_SAFE_NO_PAD.decode(text).map_err(D::Error::custom)
    }
}

mod optional_bytes {
    use serde::{Deserialize, Deserializer, Serialize as _, Serializer};

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Bytes(#[serde(with = "super::bytes")] Vec<u8>);

    // serde hands over a reference to the field as it is.
    #[allow(clippy::ref_option)]
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.clone().map(Bytes).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Bytes>::deserialize(deserializer)?.map(|bytes| bytes.0))
    }
}
