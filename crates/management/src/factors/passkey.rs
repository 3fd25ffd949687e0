//! Passkeys for signing in (WebAuthn Level 3): discoverable, without a name, always with user verification, so one is two factors
//! by itself. Only our own page can use one, only for what this server asked of that browser, and only once.
//!
//! What `passkey-auth` checks, and our tests hold it to: the kind of act, challenge, origin, hash of the site's id, presence and
//! verification of the person, signature, and that the counter rises. The challenge is looked up here, in the database.

use passkey_auth::{
    Attachment, AuthenticationResponse, AuthenticationState, Challenge, CosePublicKey, CredentialId, Error,
    PasskeyCredential, RegistrationResponse, RegistrationState, Webauthn,
};
use protocol::{TenantId, UserId, b64};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::access::Client;
use crate::app::App;
use crate::audit::{Action, By, Entry, Target};
use crate::clock::after;
use crate::limits;
use crate::problem::ApiError;
use crate::secret_token::{SecretToken, TokenHash};
use crate::storage::passkey_challenges::{self, Purpose};
use crate::storage::{StorageError, TenantTransaction, factors, passkeys};

/// The stored form of a public key: this, then the COSE_Key.
const VERSION: u8 = 1;
/// The shortest id of a passkey.
pub(super) const CREDENTIAL_ID_BYTES: usize = 16;

/// What a page asks an authenticator to sign.
#[derive(Serialize, ToSchema)]
pub(crate) struct Asked {
    challenge: String,
    rp_id: String,
    timeout_ms: u64,
}

/// A passkey that is shown, as the browser gives it.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Shown {
    id: String,
    authenticator_data: String,
    pub(super) client_data: String,
    signature: String,
    user_handle: String,
}

/// A passkey that was just made, as the browser gives it.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Made {
    id: String,
    pub(super) client_data: String,
    attestation: String,
}

fn site(app: &App) -> Result<Webauthn, ApiError> {
    let url = &app.config.public_url;
    let id = url.passkey_site().ok_or(ApiError::PasskeysUnavailable)?;
    Ok(site_of(id, &app.config.name, url.origin()))
}

/// What is asked of every passkey of a site.
pub(super) fn site_of(id: &str, name: &str, origin: &str) -> Webauthn {
    Webauthn::new(id, name, origin)
        .require_user_verification(true)
        .require_user_handle(true)
        .strict_base64(true)
        .authenticator_attachment(Attachment::Any)
}

/// Makes a challenge for this browser.
pub(crate) async fn ask(app: &App, browser: TokenHash, purpose: Purpose) -> Result<Asked, ApiError> {
    let site = site(app)?;
    let challenge = SecretToken::generate(&*app.entropy)?;
    let now = app.clock.now();
    let expires_at = after(now, limits::PASSKEY_CHALLENGE_LIFE);
    passkey_challenges::keep(&app.database, challenge.hash(), browser, purpose, now, expires_at).await?;
    Ok(Asked {
        challenge: challenge.text().as_str().to_owned(),
        rp_id: site.rp_id().to_owned(),
        timeout_ms: limits::PASSKEY_CHALLENGE_LIFE.as_secs() * 1000,
    })
}

/// The challenge that the browser says was signed.
pub(super) fn said(client_data: &str) -> Option<SecretToken> {
    #[derive(Deserialize)]
    struct ClientData {
        challenge: String,
    }
    let json = b64::decode(client_data).ok()?;
    let data: ClientData = serde_json::from_slice(&json).ok()?;
    SecretToken::parse(&data.challenge)
}

/// The challenge that the browser says was signed, if this server gave it to that browser for this; it is used up by that.
async fn take(app: &App, browser: TokenHash, purpose: Purpose, client_data: &str) -> Result<Challenge, ApiError> {
    let challenge = said(client_data).ok_or(ApiError::PasskeyRefused)?;
    let now = app.clock.now();
    match passkey_challenges::take(&app.database, challenge.hash(), browser, purpose, now).await? {
        true => Ok(Challenge(challenge.bytes().to_vec())),
        false => Err(ApiError::PasskeyRefused),
    }
}

/// Whose a passkey is, as the authenticator keeps it: two ids, nothing that names anybody.
pub(crate) fn handle(tenant: TenantId, user: UserId) -> Vec<u8> {
    [*tenant.uuid().as_bytes(), *user.uuid().as_bytes()].concat()
}

fn owner(handle: &str) -> Option<(TenantId, UserId)> {
    let bytes = b64::decode(handle).ok()?;
    let (tenant, user) = bytes.split_at_checked(16)?;
    let id = |bytes| Uuid::from_slice(bytes).ok();
    Some((id(tenant)?.into(), id(user)?.into()))
}

/// Who showed a passkey, and a transaction in their tenant in which it counts as used. `expected` is whose it has to be.
pub(crate) async fn show(
    app: &App,
    client: &Client,
    shown: Shown,
    expected: Option<(TenantId, UserId)>,
) -> Result<(TenantTransaction, UserId), ApiError> {
    let site = site(app)?;
    let browser = client.begun.ok_or(ApiError::PasskeyRefused)?;
    let challenge = take(app, browser, Purpose::Show, &shown.client_data).await?;
    let (tenant, user) = owner(&shown.user_handle)
        .filter(|owner| expected.is_none_or(|expected| expected == *owner))
        .ok_or(ApiError::PasskeyRefused)?;
    let id = b64::decode(&shown.id).map_err(|_| ApiError::PasskeyRefused)?;
    let mut transaction = TenantTransaction::begin(&app.database, tenant).await?;
    if !factors::one_at_a_time(&mut transaction, user).await? {
        return Err(ApiError::PasskeyRefused);
    }
    let stored = passkeys::find(&mut transaction, user, &id).await?;
    let stored = stored.ok_or(ApiError::PasskeyRefused)?;
    let counter = u32::try_from(stored.counter).map_err(|_| StorageError::Unreadable("counter of a passkey"))?;
    let credential = credential(id, public_key(&stored.public_key)?, counter);
    match proved(&site, challenge, handle(tenant, user), &credential, shown) {
        Ok(counter) => {
            passkeys::used(&mut transaction, stored.id, counter, app.clock.now()).await?;
            Ok((transaction, user))
        }
        Err(error) => {
            let by = By::user(user, &stored.user_name, client);
            let entry = Entry::refused(Action::FactorShown)
                .on(Target::new("passkey", stored.id, &stored.name))
                .with("factor", "passkey")
                .with("reason", reason(&error));
            app.audit.record(&mut transaction, &by, entry).await?;
            transaction.commit().await?;
            Err(ApiError::PasskeyRefused)
        }
    }
}

/// A passkey as it was kept: its id, its public key (a COSE_Key) and its counter.
pub(super) fn credential(id: Vec<u8>, public_key: &[u8], counter: u32) -> PasskeyCredential {
    PasskeyCredential {
        id: CredentialId(id),
        public_key_cose: CosePublicKey(public_key.to_vec()),
        counter,
        transports: Vec::new(),
        aaguid: [0; 16],
    }
}

/// The new counter of a passkey, if it is the one that was shown, by whom it belongs to, for this challenge.
pub(super) fn proved(
    site: &Webauthn,
    challenge: Challenge,
    handle: Vec<u8>,
    credential: &PasskeyCredential,
    shown: Shown,
) -> Result<u32, Error> {
    let state = AuthenticationState {
        challenge,
        allow_credentials: vec![credential.id.clone()],
        // The challenge's age was looked at before, by our clock.
        created_at: 0,
        user_handle: Some(handle),
    };
    let response = AuthenticationResponse {
        id: shown.id,
        authenticator_data: shown.authenticator_data,
        signature: shown.signature,
        client_data_json: shown.client_data,
        user_handle: Some(shown.user_handle),
    };
    let success = site.finish_authentication(&state, &response, credential)?;
    Ok(success.new_counter)
}

/// A passkey that was just made, checked.
pub(crate) struct Checked {
    pub credential_id: Vec<u8>,
    pub public_key: Vec<u8>,
    pub counter: u32,
}

/// Checks a passkey that the browser holding this session has just made.
pub(crate) async fn check_new(
    app: &App,
    session: TokenHash,
    tenant: TenantId,
    user: UserId,
    made: Made,
) -> Result<Checked, ApiError> {
    let site = site(app)?;
    let challenge = take(app, session, Purpose::Enrol, &made.client_data).await?;
    checked(&site, challenge, handle(tenant, user), made)
}

/// What to keep of a passkey that was made for this challenge.
pub(super) fn checked(site: &Webauthn, challenge: Challenge, handle: Vec<u8>, made: Made) -> Result<Checked, ApiError> {
    let state = RegistrationState {
        challenge,
        user_id: handle,
        created_at: 0,
    };
    let response = RegistrationResponse {
        id: made.id,
        transports: Vec::new(),
        attestation_object: made.attestation,
        client_data_json: made.client_data,
    };
    let credential = site.finish_registration(&state, &response).map_err(|error| {
        tracing::info!(reason = reason(&error), "a new passkey was refused");
        ApiError::PasskeyRefused
    })?;
    // WebAuthn, section 4: nobody could tell shorter ones from another's.
    if credential.id.0.len() < CREDENTIAL_ID_BYTES {
        return Err(ApiError::PasskeyRefused);
    }
    Ok(Checked {
        public_key: [&[VERSION][..], credential.public_key_cose.as_bytes()].concat(),
        credential_id: credential.id.0,
        counter: credential.counter,
    })
}

pub(super) fn public_key(stored: &[u8]) -> Result<&[u8], StorageError> {
    stored
        .strip_prefix(&[VERSION])
        .ok_or(StorageError::Unreadable("public key of a passkey"))
}

/// Why, in a word: what the library says may hold what was sent.
fn reason(error: &Error) -> &'static str {
    match error {
        Error::ClientDataType { .. } => "type",
        Error::ChallengeMismatch => "challenge",
        Error::OriginMismatch { .. } => "origin",
        Error::RpIdHashMismatch => "site",
        Error::UserNotPresent => "presence",
        Error::UserNotVerified => "verification",
        Error::BadSignature => "signature",
        Error::CounterReplay { .. } => "counter",
        Error::UnsupportedAlg(_) => "algorithm",
        _ => "malformed",
    }
}
