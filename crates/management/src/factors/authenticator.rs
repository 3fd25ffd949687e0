//! Authenticator apps (RFC 6238): 6 digits of HMAC-SHA1, a new code each 30 seconds, a clock that is one step off is taken.

use totp_rs::{Algorithm, Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::clock::{Entropy, NoEntropy};

/// As RFC 4226, section 4 (R6) recommends.
const SECRET: usize = 20;
const DIGITS: u8 = 6;
const STEP: u64 = 30;

/// A new secret.
pub(crate) fn new_secret(entropy: &dyn Entropy) -> Result<Zeroizing<Vec<u8>>, NoEntropy> {
    let mut secret = Zeroizing::new(vec![0; SECRET]);
    entropy.fill(&mut secret)?;
    Ok(secret)
}

fn app(secret: &[u8]) -> Totp {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_skew(1)
        .with_step_duration(STEP)
        .with_secret(Secret::new(secret.into()))
        .build_noncompliant()
}

/// The time step that this code is of, if it is one of this secret at this time (in seconds since the Unix epoch).
pub(crate) fn step_of(secret: &[u8], code: &str, now: u64) -> Option<i64> {
    app(secret).check(code, now).and_then(|step| i64::try_from(step).ok())
}

/// The secret as people type it.
pub(crate) fn typed(secret: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(Secret::new(secret.into()).to_base32())
}

/// The `otpauth:` address that authenticator apps read.
pub(crate) fn uri(secret: &[u8], organisation: &str, email: &str) -> Zeroizing<String> {
    let (issuer, account) = (percent(organisation), percent(email));
    Zeroizing::new(format!(
        "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP}",
        typed(secret).as_str()
    ))
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B (SHA-1), the last six of the eight digits.
    #[test]
    fn the_vectors_of_the_rfc_are_taken_with_a_step_of_grace() {
        let secret = b"12345678901234567890";
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            let step = i64::try_from(time / STEP).unwrap();
            assert_eq!(step_of(secret, code, time), Some(step));
            assert_eq!(step_of(secret, code, time + STEP), Some(step));
            assert_eq!(step_of(secret, code, time + 3 * STEP), None);
        }
        for wrong in ["287083", "28708", "2870822", "", "abcdef", "２８７０８２"] {
            assert_eq!(step_of(secret, wrong, 59), None, "{wrong}");
        }
    }

    #[test]
    fn names_cannot_add_to_the_address() {
        let uri = uri(b"12345678901234567890", "Keller & Sons?secret=x", "a+b@acme.example");
        assert!(
            uri.starts_with("otpauth://totp/Keller%20%26%20Sons%3Fsecret%3Dx:a%2Bb%40acme.example?secret=GEZDGNBV")
        );
    }
}
