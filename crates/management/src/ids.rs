//! The ids of what management alone knows. The OpenAPI document has them as UUIDs, without names of their own: each field of such a type
//! says `#[schema(value_type = Uuid)]`.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// An id that is the same wherever the same was hashed: the first half of the digest.
pub(crate) fn of_digest(digest: Sha256) -> Uuid {
    let digest: [u8; 32] = digest.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

protocol::typed_id! {
    /// A place that alerts and audit events go to.
    pub(crate) DestinationId,
    /// Something on its way out to a mailbox, a destination, a webhook or a device.
    pub(crate) DeliveryId,
    /// A rule that says who is told of what.
    pub(crate) AlertRuleId,
    /// Something that came up under a rule.
    pub(crate) AlertId,
    /// Another site that the people of an organisation sign in with.
    pub(crate) IdentityProviderId,
    /// Somebody's account at such a site.
    pub(crate) LinkedAccountId,
    /// One passkey for signing in.
    pub(crate) PasskeyId,
    /// An invitation to an organisation: from a manager, or from the operator to own it.
    pub(crate) InvitationId,
    /// An invitation to a group.
    pub(crate) GroupInvitationId,
    /// A domain whose addresses may join an organisation.
    pub(crate) JoinDomainId,
    /// Somebody who waits to be let into an organisation.
    pub(crate) JoinRequestId,
    /// A letter between vaults, under the id that its sender gave it.
    pub(crate) LetterId,
    /// Somebody's request to their contacts to have their vault again.
    pub(crate) RecoveryRequestId,
    /// A browser that is told by Web Push that something waits.
    pub(crate) PushDeviceId,
    /// One sign-in of the operator in one browser.
    pub(crate) OperatorSessionId,
}
