use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::key::{Bytes, Nonce, Sig, SignerKey, signed};
use super::{
    Capability, CapabilityError, Granted, KnownChains, ManageRequest, SharedRequest, VERSION, canonical, parse,
    signed_bytes, verify_chain,
};
use crate::limits::{PRESENTATION_BYTES, PRESENTATION_LIFE_MS};
use crate::{Identity, random_bytes};

/// What whoever holds something can ask for with it.
pub trait Presentable: Clone + Serialize + DeserializeOwned {
    /// What it is signed under, so that a request of one kind is never taken for one of another.
    const DOMAIN: &'static [u8];

    /// Whether this is allowed by what was granted.
    ///
    /// # Errors
    /// [`CapabilityError`] names why not.
    fn check(&self, granted: &Granted) -> Result<(), CapabilityError>;
}

/// A request with the chain that allows it, signed by whoever holds the last of the chain: for one keeper, one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresentationOf<R> {
    pub ver: u8,
    pub aud: SignerKey,
    pub chain: Vec<Capability>,
    pub request: R,
    /// When it was signed.
    pub at: i64,
    pub nonce: Nonce,
    /// None only while it is being signed.
    #[serde(deserialize_with = "signed", skip_serializing_if = "Option::is_none")]
    sig: Option<Sig>,
}

/// Of a call of what is shared.
pub type Presentation = PresentationOf<SharedRequest>;

/// Of what somebody does who manages what is shared.
pub type Management = PresentationOf<ManageRequest>;

impl<R: Presentable> PresentationOf<R> {
    /// Presents a chain whose last link the signer holds.
    ///
    /// # Errors
    /// [`CapabilityError::EmptyChain`].
    pub fn sign(identity: &Identity, chain: Vec<Capability>, request: R, now: i64) -> Result<Self, CapabilityError> {
        Self::sign_with_nonce(identity, chain, request, now, Nonce::new(random_bytes()))
    }

    /// As [`Self::sign`], with a nonce that must never be used twice: for known answers.
    ///
    /// # Errors
    /// [`CapabilityError::EmptyChain`].
    pub fn sign_with_nonce(
        identity: &Identity,
        chain: Vec<Capability>,
        request: R,
        now: i64,
        nonce: Nonce,
    ) -> Result<Self, CapabilityError> {
        let first = chain.first().ok_or(CapabilityError::EmptyChain)?;
        let mut presentation = Self {
            ver: VERSION,
            aud: first.aud,
            chain,
            request,
            at: now,
            nonce,
            sig: None,
        };
        presentation.sig = Some(Bytes(identity.sign(&presentation.signed_bytes())));
        Ok(presentation)
    }

    /// Reads one; whether it is good is for [`Self::verify`] to say.
    ///
    /// # Errors
    /// [`CapabilityError::TooLarge`], [`CapabilityError::Malformed`], [`CapabilityError::NotCanonical`].
    pub fn parse(text: &[u8]) -> Result<Self, CapabilityError> {
        parse(text, PRESENTATION_BYTES)
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
        signed_bytes(R::DOMAIN, &unsigned)
    }

    /// Verifies everything that can be known without a memory. What remains: that `nonce` was not seen in the last
    /// [`Self::remembered_for`], and that each link's constraints leave room.
    ///
    /// # Errors
    /// [`CapabilityError`] names what is wrong first.
    pub fn verify(
        &self,
        own: &SignerKey,
        now: i64,
        is_revoked: impl Fn(Uuid) -> bool,
    ) -> Result<Granted, CapabilityError> {
        self.verify_by(own, now, || verify_chain(&self.chain, own, now, is_revoked))
    }

    /// The same, where the signatures of some chains are known to be good. Its own is verified every time.
    ///
    /// # Errors
    /// As of [`Self::verify`].
    pub fn verify_among(
        &self,
        known: &KnownChains,
        own: &SignerKey,
        now: i64,
        is_revoked: impl Fn(Uuid) -> bool,
    ) -> Result<Granted, CapabilityError> {
        self.verify_by(own, now, || known.verify(&self.chain, own, now, is_revoked))
    }

    fn verify_by(
        &self,
        own: &SignerKey,
        now: i64,
        chain: impl FnOnce() -> Result<Granted, CapabilityError>,
    ) -> Result<Granted, CapabilityError> {
        if self.ver != VERSION {
            return Err(CapabilityError::UnknownVersion(self.ver));
        }
        if self.aud != *own {
            return Err(CapabilityError::WrongAudience);
        }
        let granted = chain()?;
        if !granted.holder.verifies(&self.signed_bytes(), self.sig) {
            return Err(CapabilityError::NotHeld);
        }
        if now.saturating_sub(self.at).saturating_abs() > PRESENTATION_LIFE_MS {
            return Err(CapabilityError::Stale);
        }
        self.request.check(&granted)?;
        Ok(granted)
    }

    /// How long a nonce has to be remembered, in milliseconds: a clock may be as far ahead as a presentation may be old.
    pub const fn remembered_for() -> i64 {
        2 * PRESENTATION_LIFE_MS
    }
}
