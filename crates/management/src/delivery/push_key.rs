//! The key of Web Push: what push services know this installation by (VAPID, RFC 8292), and what seals where they take messages for
//! whose device. A device takes messages from this key alone, so a copy of the database reaches none.

use std::path::Path;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::ops::Reduce;
use p256::{NonZeroScalar, U256};
use protocol::{TenantId, b64};
use serde_json::json;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::clock::{Entropy, NoEntropy, after};
use crate::ids::PushDeviceId;
use crate::key_file::{self, KeyFileError};
use crate::{limits, sealing};

const SIGNING: &[u8] = b"holdfast/push-signing/v1";
const ENDPOINT: &[u8] = b"holdfast/push-endpoint/v1";

/// The installation's key for Web Push. No `Debug`; wiped when dropped.
pub struct PushKey {
    signing: SigningKey,
    sealing: Zeroizing<[u8; 32]>,
}

impl PushKey {
    /// Reads the key of this installation, or makes it.
    ///
    /// # Errors
    /// [`KeyFileError`] says which file and what to do.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, KeyFileError> {
        let loss = "people have to turn on again, on each device, that they are told there";
        Ok(Self::from_bytes(&*key_file::load_or_create(data_dir, "push", loss)?))
    }

    /// From 32 random bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let scalar = sealing::derive(bytes, SIGNING);
        Self {
            // Any 256 bits are a key: nearly all of them as they are, the others less the order of the curve.
            signing: <NonZeroScalar as Reduce<U256>>::reduce_bytes((&*scalar).into()).into(),
            sealing: sealing::derive(bytes, ENDPOINT),
        }
    }

    /// The public key as browsers and push services take it: the point, uncompressed, in base64url.
    pub(super) fn public(&self) -> String {
        b64::encode(self.signing.verifying_key().to_encoded_point(false))
    }

    /// The value of `Authorization` for a push service of this origin. `contact` is whom it may ask about us.
    pub(super) fn authorization(&self, origin: &str, contact: &str, now: OffsetDateTime) -> String {
        let head = b64::encode(json!({"typ": "JWT", "alg": "ES256"}).to_string());
        let expires = after(now, limits::PUSH_TOKEN_LIFE).unix_timestamp();
        let claims = b64::encode(json!({"aud": origin, "exp": expires, "sub": contact}).to_string());
        let signature: Signature = self.signing.sign(format!("{head}.{claims}").as_bytes());
        let signature = b64::encode(signature.to_bytes());
        format!("vapid t={head}.{claims}.{signature}, k={}", self.public())
    }

    /// Bound to the device that it is of.
    pub(super) fn seal(
        &self,
        entropy: &dyn Entropy,
        tenant: TenantId,
        device: PushDeviceId,
        endpoint: &str,
    ) -> Result<Vec<u8>, NoEntropy> {
        let aad = sealing::whose(ENDPOINT, tenant, device);
        sealing::seal(&self.sealing, entropy, &aad, endpoint.as_bytes())
    }

    /// `None` when it was sealed for another device, under another key, or was changed.
    pub(super) fn open(&self, tenant: TenantId, device: PushDeviceId, sealed: &[u8]) -> Option<Zeroizing<String>> {
        let bytes = sealing::open(&self.sealing, &sealing::whose(ENDPOINT, tenant, device), sealed)?;
        String::from_utf8(bytes.to_vec()).ok().map(Zeroizing::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::OsEntropy;

    #[test]
    fn where_a_device_is_reached_opens_for_it_alone() {
        let key = PushKey::from_bytes(&[7; 32]);
        let (tenant, id) = (TenantId::new(), PushDeviceId::new());
        let endpoint = "https://push.example/s3cret";
        let sealed = key.seal(&OsEntropy, tenant, id, endpoint).unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("s3cret"));
        assert_eq!(key.open(tenant, id, &sealed).unwrap().as_str(), endpoint);
        assert!(key.open(tenant, PushDeviceId::new(), &sealed).is_none());
        assert!(key.open(TenantId::new(), id, &sealed).is_none());
        assert!(PushKey::from_bytes(&[8; 32]).open(tenant, id, &sealed).is_none());
    }

    #[test]
    fn any_bytes_give_a_key_and_each_its_own() {
        let publics: std::collections::BTreeSet<_> = [[0; 32], [1; 32], [255; 32]]
            .iter()
            .map(|bytes| PushKey::from_bytes(bytes).public())
            .collect();
        assert_eq!(publics.len(), 3);
        // 65 bytes, the first of which says that the point is not compressed.
        assert!(publics.iter().all(|key| key.len() == 87 && key.starts_with('B')));
    }
}
