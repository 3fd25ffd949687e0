//! Second factors: an authenticator app, passkeys, and ten backup codes for when they are lost. Every code is counted as a try
//! before it is looked at.

pub(crate) mod authenticator;
pub(crate) mod backup_codes;
pub mod fuzzing;
mod key;
pub(crate) mod passkey;
pub(crate) mod reset;

pub use key::FactorKey;

use axum::Json;
use protocol::UserId;
use zeroize::Zeroizing;

use crate::access::Enroller;
use crate::answer::WithCookies;
use crate::app::App;
use crate::audit::{Action, By, Entry};
use crate::problem::ApiError;
use crate::session::{self, Shown};
use crate::storage::factors::Enrolment;
use crate::storage::sessions::{Session, State as Stage};
use crate::storage::{StorageError, TenantTransaction, factors, sessions};

/// What a code was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Authenticator,
    Backup,
}

impl Code {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Authenticator => "authenticator",
            Self::Backup => "backup_code",
        }
    }
}

/// Counts a try of somebody; refused while they have to wait.
pub(crate) async fn begin_try(app: &App, session: &Session) -> Result<(), ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, session.tenant).await?;
    let wait = factors::begin_try(&mut transaction, session.user, app.clock.now()).await?;
    transaction.commit().await?;
    wait.map_or(Ok(()), |wait| Err(ApiError::TooMany(wait)))
}

/// Takes a code of the authenticator or a backup code, once: what it was, and the transaction in which it is used up.
pub(crate) async fn show(
    app: &App,
    session: &Session,
    by: &By,
    code: &str,
) -> Result<(TenantTransaction, Code), ApiError> {
    let waited = app.limits.code(session.tenant).await;
    waited.map_err(ApiError::TooMany)?;
    begin_try(app, session).await?;
    let mut transaction = TenantTransaction::begin(&app.database, session.tenant).await?;
    if !factors::one_at_a_time(&mut transaction, session.user).await? {
        return Err(ApiError::NotSignedIn);
    }
    let shown = match backup_codes::parse(code) {
        Some(code) => {
            let hash = app.factor_key.hash_code(session.user, &code);
            let used = factors::use_backup_code(&mut transaction, session.user, &hash).await?;
            used.then_some(Code::Backup)
        }
        None => match step(app, &mut transaction, session, code, true).await? {
            Some(step) if factors::use_step(&mut transaction, session.user, step).await? => Some(Code::Authenticator),
            _ => None,
        },
    };
    app.limits.code_tried(session.tenant, shown.is_some()).await;
    match shown {
        Some(code) => {
            factors::end_tries(&mut transaction, session.user).await?;
            Ok((transaction, code))
        }
        None => {
            app.audit
                .record(&mut transaction, by, Entry::refused(Action::FactorShown))
                .await?;
            transaction.commit().await?;
            Err(ApiError::CodeWrong)
        }
    }
}

/// The time step of a code of somebody's authenticator, which may be the confirmed one or the one that waits for its first code.
pub(crate) async fn step(
    app: &App,
    transaction: &mut TenantTransaction,
    session: &Session,
    code: &str,
    confirmed: bool,
) -> Result<Option<i64>, ApiError> {
    let Some(sealed) = factors::sealed_secret(transaction, session.user, confirmed).await? else {
        return Ok(None);
    };
    let secret = app
        .factor_key
        .open(session.tenant, session.user, &sealed)
        .ok_or(StorageError::Unreadable(
            "secret of an authenticator: was keys/factors.key replaced?",
        ))?;
    let now = u64::try_from(app.clock.now().unix_timestamp()).unwrap_or(0);
    let digits: Zeroizing<String> = Zeroizing::new(code.chars().filter(|c| *c != ' ').collect());
    Ok(authenticator::step_of(&secret, &digits, now))
}

/// Makes new backup codes in place of the old ones: what to show, once.
pub(crate) async fn new_backup_codes(
    app: &App,
    transaction: &mut TenantTransaction,
    session: &Session,
) -> Result<Vec<String>, ApiError> {
    let codes = backup_codes::generate(&*app.entropy)?;
    let hashes: Vec<_> = codes
        .iter()
        .map(|code| app.factor_key.hash_code(session.user, code))
        .collect();
    factors::replace_backup_codes(transaction, session.user, &hashes).await?;
    Ok(codes.iter().map(|code| backup_codes::shown(code)).collect())
}

/// Lets whoever asks set up a factor, unless there is one that they have to show first.
pub(crate) async fn enrolment(transaction: &mut TenantTransaction, enroller: &Enroller) -> Result<Enrolment, ApiError> {
    let allowed = factors::enrolment(transaction, enroller).await?;
    allowed.ok_or(match enroller.session().state {
        Stage::Full => ApiError::StepUpNeeded,
        Stage::Factor | Stage::Enrol => ApiError::FactorNeeded,
    })
}

/// Ends setting up a factor: commits, and answers with the cookies of the session, which has another token by that; where signing in waited for
/// this, of the one in which one is signed in.
pub(crate) async fn enrolled<T>(
    app: &App,
    mut transaction: TenantTransaction,
    enroller: &Enroller,
    answer: T,
) -> Result<WithCookies<Json<T>>, ApiError> {
    let session = enroller.session();
    let answer = Json(answer);
    if session.state == Stage::Enrol {
        let client = enroller.client();
        let way = sessions::way(&mut transaction, session.id)
            .await?
            .ok_or(ApiError::NotSignedIn)?;
        let issued = session::issue(app, transaction, client, session.user, way, Shown::SecondFactor).await?;
        // The cookies of the session that was just issued, beside the answer.
        let cookies = issued.cookies;
        return Ok(WithCookies { answer, cookies });
    }
    session::renew(app, transaction, enroller.client(), session.id, answer).await
}

/// After a factor was taken away: the last one stays where the organisation asks for one, and backup codes go with it.
pub(crate) async fn after_removal(transaction: &mut TenantTransaction, user: UserId) -> Result<(), ApiError> {
    if !factors::one_at_a_time(transaction, user).await? {
        return Err(ApiError::NotSignedIn);
    }
    let standing = factors::standing(transaction, user).await?;
    match standing {
        left if left.has_factor() => Ok(()),
        none if none.required => Err(ApiError::FactorRequired),
        _ => Ok(factors::replace_backup_codes(transaction, user, &[]).await?),
    }
}
