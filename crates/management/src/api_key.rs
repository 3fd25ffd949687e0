//! Keys with which programs call the API: a prefix, 32 random bytes, and a checksum, so that a mistyped or made-up key is refused
//! without asking the database, and so that scanners find keys that were published by mistake. Only a hash is stored.

use std::marker::PhantomData;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use protocol::b64;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::clock::{Entropy, NoEntropy};
use crate::limits;
use crate::secret_token::{SecretToken, TokenHash};

/// Characters of 32 bytes and of 3 bytes in base64url.
const SECRET_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 4;
/// Characters after the prefix that are kept, to know a key again by.
const HINT_CHARS: usize = 4;

/// What a key is for. A key of one form is never one of another.
pub(crate) trait Form {
    /// What every key begins with.
    const PREFIX: &'static str;
    const CHECKSUM_DOMAIN: &'static [u8];
    const HASH_DOMAIN: &'static [u8];
}

/// For people's and service accounts' programs.
pub(crate) struct OfAccount;

impl Form for OfAccount {
    const PREFIX: &'static str = "hf_";
    const CHECKSUM_DOMAIN: &'static [u8] = b"holdfast/api-key-checksum/v1\0";
    const HASH_DOMAIN: &'static [u8] = b"holdfast/api-key/v1\0";
}

/// For a tenant of the tenant API.
pub(crate) struct OfTenant;

impl Form for OfTenant {
    const PREFIX: &'static str = "ocpk_";
    const CHECKSUM_DOMAIN: &'static [u8] = b"holdfast/tenant-key-checksum/v1\0";
    const HASH_DOMAIN: &'static [u8] = b"holdfast/tenant-key/v1\0";
}

pub(crate) type ApiKey = Key<OfAccount>;
pub(crate) type TenantKey = Key<OfTenant>;

/// A key in clear. It has no `Debug` and no `Display`, and is wiped when dropped.
pub(crate) struct Key<F>(SecretToken, PhantomData<F>);

impl<F: Form> Key<F> {
    /// A new key.
    pub(crate) fn generate(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        SecretToken::generate(entropy).map(|token| Self(token, PhantomData))
    }

    /// Whether a text looks like a key of this form, right or wrong.
    pub(crate) fn is_meant(text: &str) -> bool {
        text.starts_with(F::PREFIX)
    }

    /// Reads a key; `None` if it is none, or was mistyped.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(F::PREFIX)?;
        if rest.len() != SECRET_CHARS + CHECKSUM_CHARS || !rest.is_ascii() {
            return None;
        }
        let (secret, checksum) = rest.split_at(SECRET_CHARS);
        let key = Self(SecretToken::parse(secret)?, PhantomData);
        bool::from(key.checksum().as_bytes().ct_eq(checksum.as_bytes())).then_some(key)
    }

    /// As its holder keeps it.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}{}{}", F::PREFIX, *self.0.text(), *self.checksum()))
    }

    /// Its beginning, to know it again by.
    pub(crate) fn hint(&self) -> String {
        self.text().chars().take(F::PREFIX.len() + HINT_CHARS).collect()
    }

    /// What to store and to look up by. A plain hash is enough for 256 random bits.
    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::from_bytes(
            Sha256::new_with_prefix(F::HASH_DOMAIN)
                .chain_update(self.0.bytes())
                .finalize()
                .into(),
        )
    }

    fn checksum(&self) -> Zeroizing<String> {
        let digest = Sha256::new_with_prefix(F::CHECKSUM_DOMAIN)
            .chain_update(self.0.bytes())
            .finalize();
        let mut text = b64::encode(digest);
        text.truncate(CHECKSUM_CHARS);
        Zeroizing::new(text)
    }
}

/// What a request presents: nothing, something that is no key (`Some(None)`), or a key. Other schemes are a proxy's, which browsers
/// send by themselves; this one they never do.
pub(crate) fn presented(headers: &HeaderMap) -> Option<Option<ApiKey>> {
    bearer(headers).map(ApiKey::parse)
}

/// What stands in `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// What the audit log names in place of a browser.
pub(crate) fn device(name: &str) -> String {
    format!("API key {name}").chars().take(limits::DEVICE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::OsEntropy;

    struct Sevens;

    impl Entropy for Sevens {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), NoEntropy> {
            buffer.fill(7);
            Ok(())
        }
    }

    #[test]
    fn a_key_is_written_and_hashed_as_it_always_was() {
        let key = ApiKey::generate(&Sevens).unwrap();
        assert_eq!(*key.text(), "hf_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc9waE");
        assert_eq!(key.hint(), "hf_BwcH");
        assert_eq!(
            key.hash().hex(),
            "dab3770b928b3c6453099d2e92d75267ef5f01e238e2519c8a99831818ff726c"
        );
    }

    #[test]
    fn a_tenants_key_is_written_and_hashed_as_it_always_was_and_is_no_other_key() {
        let key = TenantKey::generate(&Sevens).unwrap();
        assert_eq!(*key.text(), "ocpk_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwckDq2");
        assert_eq!(key.hint(), "ocpk_BwcH");
        assert!(TenantKey::is_meant(&key.text()) && TenantKey::parse(&key.text()).is_some());
        assert!(ApiKey::parse(&key.text()).is_none());
        assert_ne!(key.hash(), ApiKey::generate(&Sevens).unwrap().hash());
        let dressed_up = ApiKey::generate(&Sevens).unwrap().text().replace("hf_", "ocpk_");
        assert!(TenantKey::parse(&dressed_up).is_none(), "the checksum is another");
    }

    #[test]
    fn a_key_is_read_back_and_one_wrong_character_is_noticed() {
        let key = ApiKey::generate(&OsEntropy).unwrap();
        let text = key.text();
        assert_eq!(ApiKey::parse(&text).unwrap().hash(), key.hash());
        for at in 0..text.len() {
            let mut wrong = text.as_bytes().to_vec();
            wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
            assert!(
                ApiKey::parse(std::str::from_utf8(&wrong).unwrap()).is_none(),
                "character {at}"
            );
        }
        for bad in ["", "hf_", "hf_\u{e9}", &text[..text.len() - 1], &format!("{}x", *text)] {
            assert!(ApiKey::parse(bad).is_none(), "{bad}");
        }
    }
}
