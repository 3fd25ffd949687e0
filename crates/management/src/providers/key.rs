//! The key under which the secrets of sign-in providers are sealed, and from which what is secret about a sign-in under way is
//! made: a copy of the database alone opens neither.

use std::path::Path;

use hmac::{Hmac, Mac as _};
use oauth2::PkceCodeVerifier;
use protocol::{TenantId, b64};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::clock::{Entropy, NoEntropy};
use crate::ids::IdentityProviderId;
use crate::key_file::{self, KeyFileError};
use crate::sealing;
use crate::secret_token::SecretToken;

const PURPOSE: &[u8] = b"holdfast/sign-in-provider/v1";

/// The installation's key for sign-in providers. No `Debug`; wiped when dropped.
pub struct ProviderKey {
    sealing: Zeroizing<[u8; 32]>,
    attempts: Zeroizing<[u8; 32]>,
}

impl ProviderKey {
    /// Reads the key of this installation, or makes it.
    ///
    /// # Errors
    /// [`KeyFileError`] says which file and what to do.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, KeyFileError> {
        let loss = "the secrets of sign-in providers have to be entered again";
        Ok(Self::from_bytes(&*key_file::load_or_create(data_dir, "sign-in", loss)?))
    }

    /// From 32 random bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self {
            sealing: sealing::derive(bytes, PURPOSE),
            attempts: sealing::derive(bytes, b"holdfast/sign-in-attempt/v1"),
        }
    }

    /// Bound to the provider that it is for.
    pub(crate) fn seal(
        &self,
        entropy: &dyn Entropy,
        tenant: TenantId,
        provider: IdentityProviderId,
        secret: &str,
    ) -> Result<Vec<u8>, NoEntropy> {
        sealing::seal(
            &self.sealing,
            entropy,
            &sealing::whose(PURPOSE, tenant, provider),
            secret.as_bytes(),
        )
    }

    /// `None` when it was sealed for another provider, under another key, or was changed.
    pub(crate) fn open(
        &self,
        tenant: TenantId,
        provider: IdentityProviderId,
        sealed: &[u8],
    ) -> Option<Zeroizing<String>> {
        let bytes = sealing::open(&self.sealing, &sealing::whose(PURPOSE, tenant, provider), sealed)?;
        std::str::from_utf8(&bytes)
            .ok()
            .map(|text| Zeroizing::new(text.to_owned()))
    }

    /// What shows the provider that whoever has the code is who asked for it (RFC 7636). It is kept nowhere; whoever sees the state,
    /// as everybody does who sees the address of the way back, cannot make it.
    pub(crate) fn verifier(&self, state: &SecretToken) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.made("pkce", state))
    }

    /// What the provider repeats in the token, so that a token of another sign-in is none of this one.
    pub(crate) fn nonce(&self, state: &SecretToken) -> String {
        self.made("nonce", state)
    }

    fn made(&self, purpose: &str, state: &SecretToken) -> String {
        let mut mac =
            <Hmac<Sha256> as hmac::Mac>::new_from_slice(&*self.attempts).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.update(state.bytes());
        b64::encode(mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::OsEntropy;

    #[test]
    fn a_secret_opens_for_its_provider_alone() {
        let key = ProviderKey::from_bytes(&[7; 32]);
        let (tenant, provider) = (TenantId::new(), IdentityProviderId::new());
        let sealed = key.seal(&OsEntropy, tenant, provider, "secret").unwrap();
        assert_eq!(**key.open(tenant, provider, &sealed).unwrap(), *"secret");
        assert!(key.open(tenant, IdentityProviderId::new(), &sealed).is_none());
        assert!(key.open(TenantId::new(), provider, &sealed).is_none());
        assert!(
            ProviderKey::from_bytes(&[8; 32])
                .open(tenant, provider, &sealed)
                .is_none()
        );
    }

    #[test]
    fn what_is_secret_about_a_sign_in_depends_on_the_key_and_on_the_state() {
        let key = ProviderKey::from_bytes(&[7; 32]);
        let [one, other] = [(); 2].map(|()| SecretToken::generate(&OsEntropy).unwrap());
        assert_eq!(key.nonce(&one), key.nonce(&one));
        assert_ne!(key.nonce(&one), key.nonce(&other));
        assert_ne!(key.nonce(&one), *key.verifier(&one).secret());
        assert_ne!(key.nonce(&one), ProviderKey::from_bytes(&[8; 32]).nonce(&one));
    }
}
