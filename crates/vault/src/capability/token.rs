use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::Wider;
use super::key::{Bytes, Hash, Sig, SignerKey, signed};
use super::terms::{Constraints, Scope, Scopes};
use super::{CapabilityError, LARGEST_NUMBER, Resource, SharedRequest, VERSION, canonical, parse, signed_bytes};
use crate::Identity;
use crate::limits::{CACHED_REQUEST_BYTES, CAPABILITY_BYTES, CAPABILITY_CLOCK_MS, CAPABILITY_LIFE_MS};

const DOMAIN: &[u8] = b"holdfast/capability/v1";

/// A signed permission: `iss` lets `sub` have the keeper of `aud` do what `scope` says with `resource`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capability {
    pub ver: u8,
    /// Its id: what is revoked and counted.
    pub jti: Uuid,
    pub iss: SignerKey,
    pub sub: SignerKey,
    /// The keeper that carries it out: of the one who issued the first of a chain.
    pub aud: SignerKey,
    pub resource: Resource,
    pub scope: Scopes,
    /// From when, in milliseconds since the Unix epoch.
    pub iat: i64,
    /// Until when, this moment not included.
    pub exp: i64,
    pub constraints: Constraints,
    /// The one request of whose answer a copy may lie with the holder, for when the issuer's keeper cannot be asked; none for no copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<SharedRequest>,
    /// SHA-256 of the canonical writing of the one that this was made from; none for the first of a chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prf: Option<Hash>,
    /// None only while it is being signed.
    #[serde(deserialize_with = "signed", skip_serializing_if = "Option::is_none")]
    sig: Option<Sig>,
}

/// What a new capability says.
#[derive(Debug, Clone)]
pub struct NewCapability {
    pub id: Uuid,
    pub holder: SignerKey,
    pub resource: Resource,
    pub scope: Scopes,
    pub from: i64,
    pub until: i64,
    pub constraints: Constraints,
    pub cached: Option<SharedRequest>,
}

impl Capability {
    /// Issues one for what is the signer's own.
    ///
    /// # Errors
    /// [`CapabilityError`] when its terms are none that anybody would accept.
    pub fn issue(identity: &Identity, new: NewCapability) -> Result<Self, CapabilityError> {
        let own = identity.public().signer();
        Self::sign(identity, new, own, None)
    }

    /// Passes on what the signer holds, no wider than it is.
    ///
    /// # Errors
    /// [`CapabilityError`] when it would be refused where it is used.
    pub fn delegate(identity: &Identity, parent: &Self, new: NewCapability) -> Result<Self, CapabilityError> {
        let child = Self::sign(identity, new, parent.aud, Some(parent.hash()))?;
        child.check_after(parent)?;
        Ok(child)
    }

    fn sign(
        identity: &Identity,
        new: NewCapability,
        audience: SignerKey,
        made_from: Option<Hash>,
    ) -> Result<Self, CapabilityError> {
        let mut capability = Self {
            ver: VERSION,
            jti: new.id,
            iss: identity.public().signer(),
            sub: new.holder,
            aud: audience,
            resource: new.resource,
            scope: new.scope,
            iat: new.from,
            exp: new.until,
            constraints: new.constraints,
            cached: new.cached,
            prf: made_from,
            sig: None,
        };
        capability.check_terms()?;
        capability.sig = Some(Bytes(identity.sign(&capability.signed_bytes())));
        Ok(capability)
    }

    /// Reads one; that it is signed and in force is for [`super::verify_chain`] to say.
    ///
    /// # Errors
    /// [`CapabilityError::TooLarge`], [`CapabilityError::Malformed`], [`CapabilityError::NotCanonical`].
    pub fn parse(text: &[u8]) -> Result<Self, CapabilityError> {
        parse(text, CAPABILITY_BYTES)
    }

    /// The canonical writing, signature included.
    pub fn encode(&self) -> Vec<u8> {
        canonical(self)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let unsigned = Self {
            sig: None,
            ..self.clone()
        };
        signed_bytes(DOMAIN, &unsigned)
    }

    /// SHA-256 of the canonical writing.
    pub fn hash(&self) -> Hash {
        Hash::of(&self.encode())
    }

    /// Checks it by itself: its version, terms, signature (where that is not known to be good) and time.
    pub(super) fn check(&self, now: i64, is_signed: bool) -> Result<(), CapabilityError> {
        self.check_terms()?;
        if !is_signed && !self.iss.verifies(&self.signed_bytes(), self.sig) {
            return Err(CapabilityError::BadSignature(self.jti));
        }
        if self.iat > now.saturating_add(CAPABILITY_CLOCK_MS) {
            return Err(CapabilityError::NotYet(self.jti));
        }
        if self.exp <= now {
            return Err(CapabilityError::Expired(self.jti));
        }
        Ok(())
    }

    fn check_terms(&self) -> Result<(), CapabilityError> {
        if self.ver != VERSION {
            return Err(CapabilityError::UnknownVersion(self.ver));
        }
        let numbers = 0..=i64::try_from(LARGEST_NUMBER).unwrap_or(i64::MAX);
        let life = self.exp.saturating_sub(self.iat);
        if !numbers.contains(&self.iat) || !numbers.contains(&self.exp) || !(1..=CAPABILITY_LIFE_MS).contains(&life) {
            return Err(CapabilityError::BadTimes(self.jti));
        }
        if !self.constraints.are_numbers_good() {
            return Err(CapabilityError::BadNumber(self.jti));
        }
        if self.scope.is_empty() {
            return Err(CapabilityError::NoScope(self.jti));
        }
        if self.cached.as_ref().is_some_and(|request| !self.may_be_cached(request)) {
            return Err(CapabilityError::BadCopy(self.jti, CACHED_REQUEST_BYTES));
        }
        Ok(())
    }

    /// Whether a copy of this may lie with somebody: it is read out of what they may read, which nobody counts, and is theirs alone.
    fn may_be_cached(&self, request: &SharedRequest) -> bool {
        let reads = |scope: &Scope| matches!(scope, Scope::Read | Scope::List);
        self.scope.iter().all(reads)
            && self.constraints == Constraints::default()
            && self.prf.is_none()
            && request.method == "GET"
            && canonical(request).len() <= CACHED_REQUEST_BYTES
            && request.check_within(&self.resource, &self.scope).is_ok()
    }

    /// Checks it as the link after `parent`: made from it, by the one who held it, and no wider.
    pub(super) fn check_after(&self, parent: &Self) -> Result<(), CapabilityError> {
        let id = self.jti;
        if self.iss != parent.sub {
            return Err(CapabilityError::NotTheHolder(id));
        }
        if self.prf != Some(parent.hash()) {
            return Err(CapabilityError::WrongProof(id));
        }
        if !parent.scope.contains(&Scope::Share) {
            return Err(CapabilityError::MayNotShare(id));
        }
        let wider = if !self.resource.is_within(&parent.resource) {
            Some(Wider::Resource)
        } else if !self.scope.is_subset(&parent.scope) {
            Some(Wider::Scope)
        } else if self.iat < parent.iat || self.exp > parent.exp {
            Some(Wider::Time)
        } else {
            self.constraints.wider_than(&parent.constraints)
        };
        wider.map_or(Ok(()), |what| Err(CapabilityError::Wider { id, what }))
    }
}
