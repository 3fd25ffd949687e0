//! What of all this lies in the vault, by name; JSON with a version.
//!
//! `relay/to/<receiver>`: where the envelopes to somebody stand. `relay/out/<receiver>/<id>`: one that is to be sent.
//! `relay/from/<sender>`: what was seen of somebody. `relay/epochs/head`, `relay/epochs/<number>`: what this vault has revoked.
//! `relay/lost/<id>`: a message that did not reach somebody, until it is seen to.
//! `relay/issuer/<issuer>`: what somebody who is followed has revoked. `relay/restored`: this vault may have forgotten some of its own epochs.
//! `share/revoked/<id>`: what was taken back here, written together with the epoch that says so.

use std::collections::BTreeSet;

use protocol::relay::epoch::{EpochError, EpochHead, SignedEpoch};
use protocol::relay::{MailboxKey, Refusal};
use protocol::{CapabilityId, EnvelopeId, Millis, b64};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vault::{Body, PublicIdentity};
use zeroize::Zeroize as _;

use super::{Lost, Record, RelayError};
use crate::limits::ISSUER_REVOKED;
use crate::vault_service::{VaultError, VaultService};
use crate::versioned::{self, is_default};

pub(super) const OUT: &str = "relay/out/";
const FROM: &str = "relay/from/";
const LOST: &str = "relay/lost/";
const HEAD: &str = "relay/epochs/head";
const ISSUERS: &str = "relay/issuer/";
const EPOCHS: &str = "relay/epochs/";
const RESTORED: &str = "relay/restored";
/// What was taken back here.
pub(crate) const REVOKED: &str = "share/revoked/";
/// What does not come back with a backup: the numbers of a stream are given out once.
const STREAMS: &str = "relay/to/";
const VERSION: u8 = 1;

/// Where the envelopes to somebody stand.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct To {
    v: u8,
    #[serde(with = "b64")]
    bundle: Vec<u8>,
    pub stream: u64,
    /// The number of the next one.
    pub next: u64,
    pub base: u64,
    #[serde(with = "b64")]
    link: Vec<u8>,
}

impl To {
    pub fn new(to: &PublicIdentity, now: Millis) -> Self {
        Self {
            v: VERSION,
            bundle: to.encode(),
            stream: u64::try_from(now).unwrap_or(0),
            next: 1,
            base: 1,
            link: vec![0; 32],
        }
    }

    pub fn link(&self) -> [u8; 32] {
        link(&self.link)
    }

    /// One more was numbered.
    pub fn advance(&mut self, link: [u8; 32]) {
        self.next += 1;
        self.link = link.to_vec();
    }

    pub fn identity(&self) -> Result<PublicIdentity, RelayError> {
        PublicIdentity::decode(&self.bundle).map_err(|_| RelayError::Unreadable)
    }
}

/// One envelope that is to be sent.
#[derive(Serialize, Deserialize)]
pub(super) struct Out {
    v: u8,
    /// The id of the last part: what the whole message goes by.
    pub message: EnvelopeId,
    pub topic: u8,
    pub part: u16,
    pub parts: u16,
    /// What its one-time key is made from: sealed again, it is the same bytes.
    #[serde(with = "b64")]
    pub seed: Vec<u8>,
    #[serde(with = "b64")]
    pub content: Vec<u8>,
}

impl Drop for Out {
    fn drop(&mut self) {
        self.content.zeroize();
        self.seed.zeroize();
    }
}

impl Out {
    pub fn new(message: EnvelopeId, topic: u8, part: u16, parts: u16, content: &[u8]) -> Self {
        Self {
            v: VERSION,
            message,
            topic,
            part,
            parts,
            seed: vault::random_bytes::<32>().to_vec(),
            content: content.to_vec(),
        }
    }
}

/// A message that did not reach somebody.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StoredLost {
    v: u8,
    to: MailboxKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic: Option<u8>,
    code: Refusal,
}

pub(super) fn put_lost(id: EnvelopeId, to: MailboxKey, topic: Option<u8>, code: Refusal) -> Record {
    let lost = StoredLost {
        v: VERSION,
        to,
        topic,
        code,
    };
    json(format!("{LOST}{id}"), &lost)
}

/// All that was lost and not seen to. What is not understood is of a newer version, which sees to it.
pub(super) fn lost(vault: &VaultService) -> Result<Vec<Lost>, RelayError> {
    let names = vault.list_records(LOST)?.into_iter();
    let lost = names.filter_map(|record| {
        let stored: StoredLost = read(vault, &record).ok()??;
        Some(Lost {
            record,
            to: stored.to,
            topic: stored.topic,
            code: stored.code,
        })
    });
    Ok(lost.collect())
}

/// What was seen of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct From {
    pub stream: u64,
    pub last: u64,
    pub link: [u8; 32],
}

impl From {
    pub const NOTHING: Self = Self {
        stream: 0,
        last: 0,
        link: [0; 32],
    };
}

#[derive(Serialize, Deserialize)]
struct StoredFrom {
    v: u8,
    stream: u64,
    last: u64,
    #[serde(with = "b64")]
    link: Vec<u8>,
    /// When that was, by this vault's clock.
    #[serde(default, skip_serializing_if = "is_default")]
    at: Millis,
}

/// What somebody who is followed has revoked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Issuer {
    v: u8,
    number: u64,
    #[serde(with = "b64")]
    hash: Vec<u8>,
    /// When the last of these was signed.
    pub at: Millis,
    /// All that they have revoked up to this number; where that is more than [`ISSUER_REVOKED`], what is held here of it.
    pub revoked: BTreeSet<CapabilityId>,
    /// The highest number of an epoch that they have signed and that did not follow these: while it is above `number`, some are kept back.
    #[serde(default, skip_serializing_if = "is_default")]
    seen: u64,
    /// They have signed two that do not fit together, and none that follows since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    forked: bool,
    /// What is held here that they can revoke.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub held: BTreeSet<CapabilityId>,
    /// They have revoked something that is not in `revoked`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
    /// For these all is read again from the first one on, up to `seen`: until then they count as revoked, and nobody has done anything wrong.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    fresh: BTreeSet<CapabilityId>,
}

impl Issuer {
    pub fn unknown() -> Self {
        Self {
            v: VERSION,
            number: 0,
            hash: vec![0; 32],
            at: 0,
            revoked: BTreeSet::new(),
            seen: 0,
            forked: false,
            held: BTreeSet::new(),
            partial: false,
            fresh: BTreeSet::new(),
        }
    }

    /// Their epochs are read again from the first one on.
    pub fn is_read_again(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Whether this counts as revoked.
    pub fn is_refused(&self, capability: CapabilityId) -> bool {
        let is_doubted = self.doubt().is_some() && (self.fresh.is_empty() || self.fresh.contains(&capability));
        is_doubted || self.revoked.contains(&capability)
    }

    /// The highest number of an epoch that they are known to have signed.
    pub fn newest(&self) -> u64 {
        self.number.max(self.seen)
    }

    /// This is held here now of what they can revoke. Where something is new, and may be among what was revoked before and not remembered, all
    /// is read again.
    pub fn hold(&mut self, held: BTreeSet<CapabilityId>) {
        let is_new = |id: &&CapabilityId| !self.held.contains(id) && !self.revoked.contains(id);
        let new: BTreeSet<_> = held.iter().filter(is_new).copied().collect();
        self.fresh.retain(|id| held.contains(id));
        if self.partial && !new.is_empty() {
            match self.doubt().is_some() && !self.is_read_again() {
                true => self.fresh.clone_from(&held),
                false => self.fresh.extend(new),
            }
            self.seen = self.newest();
            (self.number, self.hash, self.partial) = (0, vec![0; 32], false);
        }
        self.held = held;
        self.tidy();
    }

    fn tidy(&mut self) {
        if self.revoked.len() > ISSUER_REVOKED {
            let before = self.revoked.len();
            self.revoked.retain(|id| self.held.contains(id));
            self.partial |= self.revoked.len() < before;
        }
    }

    /// Why what they have revoked is not known for certain, until what was kept back is there.
    pub fn doubt(&self) -> Option<EpochError> {
        if self.forked {
            return Some(EpochError::Forked(self.seen));
        }
        let (last, found) = (self.number, self.seen);
        (last < found).then_some(EpochError::Gap { last, found })
    }

    /// One that they have signed does not follow these. Says whether that is new.
    pub fn saw(&mut self, signed: &SignedEpoch, error: EpochError) -> bool {
        if self.is_read_again() {
            // What is new there may be of anything.
            self.fresh.clone_from(&self.held);
        }
        let before = (self.seen, self.forked);
        self.seen = self.seen.max(signed.epoch().number);
        self.forked |= matches!(error, EpochError::Forked(_));
        before != (self.seen, self.forked)
    }

    pub fn head(&self) -> EpochHead {
        EpochHead {
            number: self.number,
            hash: link(&self.hash),
        }
    }

    pub fn take(&mut self, head: EpochHead, signed: &SignedEpoch) {
        self.number = head.number;
        self.hash = head.hash.to_vec();
        self.at = signed.epoch().at;
        self.revoked.extend(&signed.epoch().revoked);
        self.forked = false;
        if self.number >= self.seen {
            self.fresh.clear();
        }
        self.tidy();
    }
}

#[derive(Serialize, Deserialize)]
struct Head {
    v: u8,
    number: u64,
    #[serde(with = "b64")]
    hash: Vec<u8>,
}

fn link(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().unwrap_or([0; 32])
}

fn hex(key: &MailboxKey) -> String {
    key.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<MailboxKey> {
    let byte = |at: usize| u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
    bytes?.try_into().ok().map(MailboxKey)
}

fn json<T: Serialize>(name: String, value: &T) -> Record {
    let json = serde_json::to_vec(value).expect("numbers, text and bytes serialise");
    (name, Some(json))
}

fn read<T: DeserializeOwned>(vault: &VaultService, name: &str) -> Result<Option<T>, RelayError> {
    let Some(json) = vault.get_record(name)? else {
        return Ok(None);
    };
    let version: Version = serde_json::from_slice(&json).map_err(|_| RelayError::Unreadable)?;
    if version.v != VERSION {
        return Err(RelayError::Unreadable);
    }
    serde_json::from_slice(&json)
        .map(Some)
        .map_err(|_| RelayError::Unreadable)
}

#[derive(Deserialize)]
struct Version {
    v: u8,
}

fn to_name(to: &MailboxKey) -> String {
    format!("{STREAMS}{}", hex(to))
}

pub(super) fn to(vault: &VaultService, to: &MailboxKey) -> Result<Option<To>, RelayError> {
    read(vault, &to_name(to))
}

pub(super) fn put_to(to: &MailboxKey, state: &To) -> Record {
    json(to_name(to), state)
}

/// The name of an envelope that is to be sent. Ids rise, so names are in the order of sending.
pub(super) fn out_name(to: &MailboxKey, id: EnvelopeId) -> String {
    format!("{OUT}{}/{id}", hex(to))
}

/// What [`out_name`] was made from.
pub(super) fn read_out_name(name: &str) -> Option<(MailboxKey, EnvelopeId)> {
    let (to, id) = name.strip_prefix(OUT)?.split_once('/')?;
    Some((unhex(to)?, id.parse().ok()?))
}

pub(super) fn put_out(name: String, out: &Out) -> Record {
    json(name, out)
}

pub(super) fn out(vault: &VaultService, name: &str) -> Result<Option<Out>, RelayError> {
    read(vault, name)
}

fn from_name(from: &MailboxKey) -> String {
    format!("{FROM}{}", hex(from))
}

pub(super) fn from(vault: &VaultService, from: &MailboxKey) -> Result<From, RelayError> {
    let stored: Option<StoredFrom> = read(vault, &from_name(from))?;
    Ok(stored.map_or(From::NOTHING, |stored| From {
        stream: stored.stream,
        last: stored.last,
        link: link(&stored.link),
    }))
}

pub(super) fn put_from(from: &MailboxKey, state: &From, now: Millis) -> Record {
    let stored = StoredFrom {
        v: VERSION,
        stream: state.stream,
        last: state.last,
        link: state.link.to_vec(),
        at: now,
    };
    json(from_name(from), &stored)
}

/// Everybody of whom something was seen.
pub(super) fn senders(vault: &VaultService) -> Result<Vec<MailboxKey>, RelayError> {
    keys(vault, FROM)
}

/// When something of somebody was last taken; 0 where that was not noted.
pub(super) fn taken_at(vault: &VaultService, from: &MailboxKey) -> Millis {
    let stored: Option<StoredFrom> = read(vault, &from_name(from)).ok().flatten();
    stored.map_or(0, |stored| stored.at)
}

/// Forgets somebody: what was seen of them, and where the envelopes to them stand if none waits.
pub(super) fn forget(vault: &VaultService, who: &MailboxKey) -> Result<Vec<Record>, RelayError> {
    let mut gone = vec![(from_name(who), None)];
    if vault.list_records(&format!("{OUT}{}/", hex(who)))?.is_empty() {
        gone.push((to_name(who), None));
    }
    Ok(gone)
}

/// Whose keys stand in the names that begin so.
fn keys(vault: &VaultService, prefix: &str) -> Result<Vec<MailboxKey>, RelayError> {
    let names = vault.list_records(prefix)?;
    Ok(names
        .iter()
        .filter_map(|name| unhex(name.strip_prefix(prefix)?))
        .collect())
}

pub(super) fn own_head(vault: &VaultService) -> Result<EpochHead, RelayError> {
    let stored: Option<Head> = read(vault, HEAD)?;
    Ok(stored.map_or_else(EpochHead::default, |head| EpochHead {
        number: head.number,
        hash: link(&head.hash),
    }))
}

/// The next of this vault's own epochs.
pub(super) fn put_own(head: &EpochHead, signed: &SignedEpoch) -> [Record; 2] {
    let stored = Head {
        v: VERSION,
        number: head.number,
        hash: head.hash.to_vec(),
    };
    [
        json(HEAD.to_owned(), &stored),
        (own_name(head.number), Some(signed.encode())),
    ]
}

fn own_name(number: u64) -> String {
    format!("{EPOCHS}{number:020}")
}

pub(super) fn own(vault: &VaultService, number: u64) -> Result<Option<Vec<u8>>, RelayError> {
    Ok(vault.get_record(&own_name(number))?.map(|bytes| bytes.to_vec()))
}

/// It was taken back at this time.
pub(crate) fn revoked_record(id: Uuid, at: Millis) -> Record {
    (format!("{REVOKED}{id}"), Some(versioned::encode(&at)))
}

/// What is to be signed once it is known that the relay has no epoch of this vault that the vault has forgotten.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Restored {
    v: u8,
    pub revoked: BTreeSet<CapabilityId>,
}

pub(super) fn restored(vault: &VaultService) -> Result<Option<Restored>, RelayError> {
    read(vault, RESTORED)
}

pub(super) fn put_restored(state: Option<&Restored>) -> Record {
    let name = RESTORED.to_owned();
    match state {
        Some(state) => json(
            name,
            &Restored {
                v: VERSION,
                revoked: state.revoked.clone(),
            },
        ),
        None => (name, None),
    }
}

/// What lies over the content of a backup that takes the place of this vault's: that no epoch is signed before the relay was heard, with what
/// was to be signed; and all epochs, where it is the same vault and the backup has fewer.
pub(crate) fn after_restore(vault: &VaultService, backup: &Body) -> Result<Vec<(String, Vec<u8>)>, VaultError> {
    let mut records = Vec::new();
    let mut keep = |name: String| -> Result<(), VaultError> {
        let value = vault.get_record(&name)?;
        records.extend(value.map(|value| (name, value.to_vec())));
        Ok(())
    };
    let number = |head: Option<&[u8]>| {
        let head: Option<Head> = head.and_then(|head| serde_json::from_slice(head).ok());
        head.map_or(0, |head| head.number)
    };
    let (now, then) = (vault.get_record(HEAD)?, backup.get(HEAD));
    if vault.has_identity_of(backup)? && number(now.as_deref().map(Vec::as_slice)) > number(then) {
        for name in vault.list_records(EPOCHS)? {
            keep(name)?;
        }
    }
    // What this vault has still to sign, and what the backup's had: a revocation that is signed twice is none too many.
    let mut both = Restored::default();
    let (here, there) = (vault.get_record(RESTORED)?, backup.get(RESTORED));
    for bytes in [here.as_deref().map(Vec::as_slice), there].into_iter().flatten() {
        match serde_json::from_slice::<Restored>(bytes) {
            Ok(one) if one.v == VERSION => both.revoked.extend(one.revoked),
            _ => {
                // Of a newer version, which goes on with it; nothing is signed over it here.
                records.push((RESTORED.to_owned(), bytes.to_vec()));
                return Ok(records);
            }
        }
    }
    let (name, bytes) = put_restored(Some(&both));
    records.extend(bytes.map(|bytes| (name, bytes)));
    Ok(records)
}

fn issuer_name(issuer: &MailboxKey) -> String {
    format!("{ISSUERS}{}", hex(issuer))
}

pub(super) fn issuer(vault: &VaultService, issuer: &MailboxKey) -> Result<Option<Issuer>, RelayError> {
    read(vault, &issuer_name(issuer))
}

pub(super) fn put_issuer(issuer: &MailboxKey, state: Option<&Issuer>) -> Record {
    let name = issuer_name(issuer);
    match state {
        Some(state) => json(name, state),
        None => (name, None),
    }
}

/// Everybody who is followed.
pub(super) fn issuers(vault: &VaultService) -> Result<Vec<MailboxKey>, RelayError> {
    keys(vault, ISSUERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 wrote them. A line that is changed here is a format that released keepers do not read.
    const FROM: &str =
        r#"{"v":1,"stream":1700000000000,"last":7,"link":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}"#;
    /// Of a version that notes when.
    const FROM_DATED: &str = r#"{"v":1,"stream":1700000000000,"last":7,"link":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","at":1700000000001}"#;
    const ISSUER: &str = r#"{"v":1,"number":3,"hash":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","at":1700000000000,"revoked":["01a21ede-1a16-7737-bbc9-cbcf73c3af65"]}"#;

    /// Of one whose epochs do not fit together.
    const DOUBTED: &str = r#"{"v":1,"number":3,"hash":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","at":1700000000000,"revoked":[],"seen":5,"forked":true}"#;

    /// Of one who has revoked more than is remembered, read again.
    const PARTIAL: &str = r#"{"v":1,"number":3,"hash":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","at":1700000000000,"revoked":[],"seen":5,"held":["01a21ede-1a16-7737-bbc9-cbcf73c3af65"],"partial":true,"fresh":["01a21ede-1a16-7737-bbc9-cbcf73c3af65"]}"#;

    const LOST_NOW: &str =
        r#"{"v":1,"to":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","topic":1,"code":"mailbox_full"}"#;

    const RESTORED_NOW: &str = r#"{"v":1,"revoked":["01a21ede-1a16-7737-bbc9-cbcf73c3af65"]}"#;

    #[test]
    fn records_of_the_first_version_are_read_and_written_as_they_were() {
        let from: StoredFrom = serde_json::from_str(FROM).unwrap();
        assert_eq!((from.last, from.link.len()), (7, 32));
        assert_eq!(serde_json::to_string(&from).unwrap(), FROM);
        let dated: StoredFrom = serde_json::from_str(FROM_DATED).unwrap();
        assert_eq!((from.at, dated.at), (0, 1_700_000_000_001));
        assert_eq!(serde_json::to_string(&dated).unwrap(), FROM_DATED);
        let issuer: Issuer = serde_json::from_str(ISSUER).unwrap();
        assert_eq!((issuer.number, issuer.revoked.len()), (3, 1));
        assert_eq!(serde_json::to_string(&issuer).unwrap(), ISSUER);
        let doubted: Issuer = serde_json::from_str(DOUBTED).unwrap();
        assert_eq!(doubted.doubt(), Some(EpochError::Forked(5)));
        assert_eq!(serde_json::to_string(&doubted).unwrap(), DOUBTED);
        let partial: Issuer = serde_json::from_str(PARTIAL).unwrap();
        assert_eq!(
            (partial.held.len(), partial.doubt()),
            (1, Some(EpochError::Gap { last: 3, found: 5 }))
        );
        assert_eq!(serde_json::to_string(&partial).unwrap(), PARTIAL);
        let restored: Restored = serde_json::from_str(RESTORED_NOW).unwrap();
        assert_eq!(restored.revoked.len(), 1);
        let written = put_restored(Some(&restored)).1.unwrap();
        assert_eq!(written, RESTORED_NOW.as_bytes());
        let lost: StoredLost = serde_json::from_str(LOST_NOW).unwrap();
        assert_eq!((lost.topic, lost.code), (Some(1), Refusal::MailboxFull));
        let written = put_lost(EnvelopeId::new(), lost.to, lost.topic, lost.code).1.unwrap();
        assert_eq!(written, LOST_NOW.as_bytes());
        assert_eq!(VERSION, 1, "a new version gets fixtures of its own, beside these");
    }
}
