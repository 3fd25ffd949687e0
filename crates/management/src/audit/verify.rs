//! Checks an export without us: that no event was changed, left out, added or moved, and that nothing is missing at its end.
//! Needs the file and, to be sure who signed it, the installation's public key.

use std::io::BufRead;

use ed25519_dalek::VerifyingKey;
use protocol::{Millis, TenantId, b64};
use serde::Deserialize;

use super::chain;
use super::export::{CheckpointLine, EndLine, EventLine, Header, Signed};
use super::key::{Place, Whose, is_signed};
use crate::storage::audit::Head;

/// Longest line of an export, in bytes.
const LINE_BYTES: usize = 64 * 1024;

/// What was found in an export that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Whose log it is, in words.
    pub whose: String,
    /// Events up to this one were written before the log was signed on its way: the operator's, until it was. 0 otherwise.
    pub unsigned: i64,
    /// Events, from the first one on.
    pub events: i64,
    /// Signatures over places of the chain, with the one at its end.
    pub signatures: u64,
    pub exported_at: Millis,
    /// The key that signed it, as in `keys/audit.pub`.
    pub key: String,
}

/// What is wrong with an export, and where.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the file cannot be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("this is not an audit export of a version that this program knows")]
    NotAnExport,
    #[error("the file was signed by another installation's key than the one that was given")]
    OtherKey,
    #[error("line {line} cannot be read: it was changed, or is no part of an export")]
    Line { line: usize },
    #[error("line {line}: event {expected} was expected here and is missing, or was moved")]
    Gap { line: usize, expected: i64 },
    #[error("line {line}: event {seq} is of another organisation")]
    OtherTenant { line: usize, seq: i64 },
    #[error("line {line}: event {seq}, or one before it, was changed: its hash is not the one of what stands here")]
    Changed { line: usize, seq: i64 },
    #[error("line {line}: the signature over event {seq} is not good: the chain up to here was changed")]
    Signature { line: usize, seq: i64 },
    #[error("line {line}: the signature over event {seq} is missing: the chain up to here may have been written anew")]
    Unsigned { line: usize, seq: i64 },
    #[error("the end is missing: the file was cut after event {after}")]
    Cut { after: i64 },
}

#[derive(Deserialize)]
struct Numbered {
    seq: i64,
    tenant: Option<TenantId>,
}

/// Checks an export. `key` is the installation's public key, as in `keys/audit.pub`; without it, the key that the file names is
/// believed, and whoever could change the file could have signed it anew.
///
/// # Errors
/// [`Broken`] says what is wrong first.
pub fn verify(mut file: impl BufRead, key: Option<&str>) -> Result<Verified, Broken> {
    let header: Header = match read(&mut file, 1)? {
        Some(text) => serde_json::from_str(&text).map_err(|_| Broken::NotAnExport)?,
        None => return Err(Broken::NotAnExport),
    };
    if header.holdfast_audit != 1 {
        return Err(Broken::NotAnExport);
    }
    if key.is_some_and(|key| key.trim() != header.key) {
        return Err(Broken::OtherKey);
    }
    let bytes = b64::decode(&header.key).ok().and_then(|bytes| bytes.try_into().ok());
    let public = bytes
        .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
        .ok_or(Broken::NotAnExport)?;
    let whose = header.whose().ok_or(Broken::NotAnExport)?;
    let mut chain = Chain {
        whose,
        public,
        seq: 0,
        hash: [0; 32],
        signed: 0,
        signatures: 0,
    };
    for line in 2.. {
        let Some(text) = read(&mut file, line)? else {
            return Err(Broken::Cut { after: chain.seq });
        };
        if let Ok(event) = serde_json::from_str::<EventLine>(&text) {
            chain.event(line, &event)?;
        } else if let Ok(CheckpointLine { checkpoint }) = serde_json::from_str(&text) {
            chain.signed(line, Place::Checkpoint, &checkpoint)?;
        } else if let Ok(EndLine { end }) = serde_json::from_str(&text) {
            chain.signed(line, Place::End, &end)?;
            return match read(&mut file, line + 1)? {
                Some(_) => Err(Broken::Line { line: line + 1 }),
                None => Ok(Verified {
                    whose: whose.to_string(),
                    unsigned: match whose {
                        Whose::Tenant(_) => 0,
                        Whose::Operator { unsigned } => unsigned,
                    },
                    events: chain.seq,
                    signatures: chain.signatures,
                    exported_at: end.at,
                    key: header.key,
                }),
            };
        } else {
            return Err(Broken::Line { line });
        }
    }
    Err(Broken::NotAnExport)
}

/// The next line; a file that is no export may have one without end.
fn read(file: &mut impl BufRead, line: usize) -> Result<Option<String>, Broken> {
    use std::io::Read as _;
    let mut text = String::new();
    let read = file.take(LINE_BYTES as u64).read_line(&mut text);
    match read {
        Ok(0) => Ok(None),
        Ok(_) if text.ends_with('\n') => Ok(Some(text)),
        Ok(_) => Err(Broken::Line { line }),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Err(Broken::Line { line }),
        Err(error) => Err(error.into()),
    }
}

struct Chain {
    whose: Whose,
    public: VerifyingKey,
    seq: i64,
    hash: [u8; 32],
    /// The last event over whose place there was a signature on the way.
    signed: i64,
    signatures: u64,
}

impl Chain {
    /// Nothing may follow a place where an installation signs before its signature.
    fn is_signed_so_far(&self, line: usize) -> Result<(), Broken> {
        match self.whose.is_signed_at(self.seq) && self.signed != self.seq {
            true => Err(Broken::Unsigned { line, seq: self.seq }),
            false => Ok(()),
        }
    }

    fn event(&mut self, line: usize, event: &EventLine) -> Result<(), Broken> {
        self.is_signed_so_far(line)?;
        let body = event.event.get();
        let numbered: Numbered = serde_json::from_str(body).map_err(|_| Broken::Line { line })?;
        let expected = self.seq + 1;
        if numbered.seq != expected {
            return Err(Broken::Gap { line, expected });
        }
        // The operator's tells of every organisation, and of none.
        if matches!(self.whose, Whose::Tenant(tenant) if numbered.tenant != Some(tenant)) {
            return Err(Broken::OtherTenant { line, seq: expected });
        }
        self.hash = chain::next(&self.hash, body);
        self.seq = expected;
        match b64::encode(self.hash) == event.hash {
            true => Ok(()),
            false => Err(Broken::Changed { line, seq: expected }),
        }
    }

    fn signed(&mut self, line: usize, place: Place, signed: &Signed) -> Result<(), Broken> {
        let seq = self.seq;
        match place {
            Place::Checkpoint => self.signed = seq,
            Place::End => self.is_signed_so_far(line)?,
        }
        if signed.seq != seq || signed.hash != b64::encode(self.hash) {
            return Err(Broken::Signature { line, seq });
        }
        let signature = b64::decode(&signed.signature)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        let good = signature.is_some_and(|signature| {
            let head = Head { seq, hash: self.hash };
            is_signed(&self.public, place, self.whose, &head, signed.at, &signature)
        });
        self.signatures += 1;
        good.then_some(()).ok_or(Broken::Signature { line, seq })
    }
}
