//! What the fuzz targets reach of passkeys: what a browser says of one that was made, and of one that is shown.

use passkey_auth::{Challenge, Webauthn};

use super::passkey::{CREDENTIAL_ID_BYTES, Made, Shown, checked, credential, proved, public_key, said, site_of};

/// The site, and where its page is.
pub const SITE: &str = "localhost";
pub const ORIGIN: &str = "http://localhost:8080";
/// Whose passkeys they are.
pub const HANDLE: [u8; 32] = [7; 32];

fn site() -> Webauthn {
    site_of(SITE, "Holdfast", ORIGIN)
}

/// Whichever challenge it says: which of them were given is in the database.
fn challenge(client_data: &str) -> Option<Challenge> {
    Some(Challenge(said(client_data)?.bytes().to_vec()))
}

/// Reads of a passkey that was made, as JSON; its public key (a COSE_Key), if it is taken.
///
/// # Panics
/// When what is taken could not be kept.
pub fn made(answer: &[u8]) -> Option<Vec<u8>> {
    let made: Made = serde_json::from_slice(answer).ok()?;
    let challenge = challenge(&made.client_data)?;
    let kept = checked(&site(), challenge, HANDLE.to_vec(), made).ok()?;
    assert!(kept.credential_id.len() >= CREDENTIAL_ID_BYTES, "it could be another's");
    let key = public_key(&kept.public_key).expect("what is kept is read back");
    Some(key.to_vec())
}

/// Reads of a passkey that is shown, as JSON; its counter, if it is the one of this id and public key (a COSE_Key).
pub fn shown(answer: &[u8], id: &[u8], public_key: &[u8]) -> Option<u32> {
    let shown: Shown = serde_json::from_slice(answer).ok()?;
    let challenge = challenge(&shown.client_data)?;
    let credential = credential(id.to_vec(), public_key, 0);
    proved(&site(), challenge, HANDLE.to_vec(), &credential, shown).ok()
}
