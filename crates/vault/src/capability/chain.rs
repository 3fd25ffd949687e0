use uuid::Uuid;

use super::key::SignerKey;
use super::terms::{Constraints, Scopes};
use super::{Capability, CapabilityError, Resource};
use crate::limits::CAPABILITY_LINKS;

/// One link of a chain that was verified: what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub id: Uuid,
    pub constraints: Constraints,
    /// Until when this link is good: what is counted of it has to be remembered that long.
    pub until: i64,
}

/// What a chain comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    pub holder: SignerKey,
    pub resource: Resource,
    pub scope: Scopes,
    /// Until when; no link lasts longer than the one before.
    pub until: i64,
    /// Each link's own constraints: a call counts against every one of them.
    pub links: Vec<Link>,
}

/// Verifies a chain for the keeper of `own`, which issued the first of it. `is_revoked` is asked for each link.
///
/// # Errors
/// [`CapabilityError`] names what is wrong first.
pub fn verify_chain(
    chain: &[Capability],
    own: &SignerKey,
    now: i64,
    is_revoked: impl Fn(Uuid) -> bool,
) -> Result<Granted, CapabilityError> {
    verify(chain, own, now, is_revoked, false)
}

/// The same of a chain whose signatures are known to be good, where they are.
pub(super) fn verify(
    chain: &[Capability],
    own: &SignerKey,
    now: i64,
    is_revoked: impl Fn(Uuid) -> bool,
    is_signed: bool,
) -> Result<Granted, CapabilityError> {
    if chain.len() > CAPABILITY_LINKS {
        return Err(CapabilityError::TooManyLinks(CAPABILITY_LINKS));
    }
    let (first, last) = chain.first().zip(chain.last()).ok_or(CapabilityError::EmptyChain)?;
    if first.iss != *own || first.prf.is_some() {
        return Err(CapabilityError::NotIssuedHere);
    }
    for (at, link) in chain.iter().enumerate() {
        if link.aud != *own {
            return Err(CapabilityError::WrongAudience);
        }
        link.check(now, is_signed)?;
        if let Some(before) = at.checked_sub(1) {
            link.check_after(&chain[before])?;
        }
        if chain[..at].iter().any(|earlier| earlier.jti == link.jti) {
            return Err(CapabilityError::Twice(link.jti));
        }
        if is_revoked(link.jti) {
            return Err(CapabilityError::Revoked(link.jti));
        }
    }
    Ok(Granted {
        holder: last.sub,
        resource: last.resource.clone(),
        scope: last.scope.clone(),
        until: last.exp,
        links: chain
            .iter()
            .map(|link| Link {
                id: link.jti,
                constraints: link.constraints,
                until: link.exp,
            })
            .collect(),
    })
}
