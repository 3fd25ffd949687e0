//! Signing somebody in: the one function that issues sessions, for every way in, and the cookie that carries them.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{AppendHeaders, IntoResponse};
use protocol::UserId;

use crate::app::App;
use crate::clock::after;
use crate::config::PublicUrl;
use crate::handlers::me::Me;
use crate::limits;
use crate::problem::ApiError;
use crate::secret_token::SecretToken;
use crate::storage::{StorageError, TenantTransaction, sessions};

/// Signs somebody in who has just proved who they are, commits, and answers with the cookie and with who they are.
pub(crate) async fn issue(
    app: &App,
    mut transaction: TenantTransaction,
    user: UserId,
) -> Result<impl IntoResponse + use<>, ApiError> {
    let token = SecretToken::generate(&*app.entropy)?;
    let now = app.clock.now();
    sessions::create(
        &mut transaction,
        user,
        token.hash(),
        now,
        after(now, limits::SESSION_LIFE),
    )
    .await?;
    transaction.commit().await?;
    // Read back as any later request will: what does not work now is an error now.
    let session = sessions::authenticate(&app.database, token.hash(), now)
        .await?
        .ok_or(StorageError::Unreadable("a session that was just made"))?;
    Ok((
        AppendHeaders([(SET_COOKIE, cookie(&app.config.public_url, &token)?)]),
        axum::Json(Me::from(&session)),
    ))
}

/// The token that a request presents. The name depends on the scheme, so that over TLS no cookie of a lesser kind counts.
pub(crate) fn presented(headers: &HeaderMap, public_url: &PublicUrl) -> Option<SecretToken> {
    let name = name(public_url);
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .and_then(|(_, value)| SecretToken::parse(value))
}

/// What takes the cookie away.
pub(crate) fn clear(public_url: &PublicUrl) -> HeaderValue {
    match public_url.is_tls() {
        true => HeaderValue::from_static("__Host-holdfast_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"),
        false => HeaderValue::from_static("holdfast_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"),
    }
}

fn name(public_url: &PublicUrl) -> &'static str {
    match public_url.is_tls() {
        true => "__Host-holdfast_session",
        false => "holdfast_session",
    }
}

fn cookie(public_url: &PublicUrl, token: &SecretToken) -> Result<HeaderValue, ApiError> {
    let secure = if public_url.is_tls() { "; Secure" } else { "" };
    let text = format!(
        "{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
        name(public_url),
        token.text().as_str(),
        limits::SESSION_LIFE.as_secs()
    );
    let mut value = HeaderValue::try_from(text).map_err(|_| StorageError::Unreadable("a cookie"))?;
    value.set_sensitive(true);
    Ok(value)
}
