//! The edge where errors become answers: RFC 9457 problem details, once, for every route.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::cell_control::CellUnavailable;
use crate::clock::NoEntropy;
use crate::custody::CustodyError;
use crate::limits;
use crate::machine::ActFailed;
use crate::providers::ProviderError;
use crate::rate_limit::TooOften;
use crate::refusals::Why;
use crate::storage::StorageError;
use crate::tenant_api::{Failure, TenantTooOften};

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("The request cannot be read: {0}.")]
    BadRequest(String),
    #[error("{reason}")]
    InvalidField { field: &'static str, reason: String },
    #[error("Sign in first.")]
    NotSignedIn,
    #[error("This API key does not work: it was revoked, it has ended, or it never was one.")]
    KeyRefused,
    #[error("Signing in is not finished: show your second factor, or set one up.")]
    FactorNeeded,
    #[error("You are signed in already.")]
    AlreadySignedIn,
    #[error("For this, show again that it is you: {} minutes are over since you last did.", limits::STEP_UP.as_secs() / 60)]
    StepUpNeeded,
    #[error(
        "For this, sign in again, with everything that you sign in with: it takes a sign-in of the last {} minutes, and one with another site counts only if that site asked you who you are.",
        limits::STEP_UP.as_secs() / 60
    )]
    SignInAgain,
    #[error("The keys of your vault are not known here yet. Unlock it and try again.")]
    IdentityUnknown,
    #[error("Your vault has not signed this. Unlock it and try again.")]
    NotSigned,
    #[error("Other contacts were chosen later than these. Choose them again.")]
    ContactsOlder,
    #[error("This code is not right, or was used already. Wait for the next one.")]
    CodeWrong,
    #[error("This passkey was not accepted: one that opens a vault does not sign in. Try another, or another way.")]
    PasskeyRefused,
    #[error("This passkey is set up already.")]
    PasskeyKnown,
    #[error(
        "You have {} passkeys, which is the most there may be. Remove one first.",
        limits::PASSKEYS_PER_USER
    )]
    TooManyPasskeys,
    #[error("Passkeys need an installation that is reached by a name over HTTPS, or on this machine.")]
    PasskeysUnavailable,
    #[error("There is an authenticator app already. Remove it before you set up another.")]
    AlreadyEnrolled,
    #[error("Your organisation asks everybody for a second factor, so the last one cannot be removed.")]
    FactorRequired,
    #[error("Set up a second factor of your own first.")]
    FactorFirst,
    #[error("This person has no second factor that could be reset.")]
    NoFactor,
    #[error("Open this link in the browser in which you asked for it, or ask for a new one here.")]
    OtherBrowser,
    #[error("This sign-in was used already, took too long, or was never begun here. Begin again.")]
    AttemptInvalid,
    #[error(
        "The other site did not say who you are: it was called off there, or it does not let you. Begin again, or use another way."
    )]
    ProviderRefused,
    #[error("The other site cannot be used at the moment. Try again, or use another way.")]
    Provider(#[from] ProviderError),
    #[error(
        "This account is not linked to anybody here. If you are here already, sign in by mail and link it under \"Signing in\"; if not, ask for an invitation."
    )]
    AccountUnknown,
    #[error(
        "Your organisation asks everybody for a second factor, and you have none yet. Sign in by mail once, and set one up."
    )]
    MailFirst,
    #[error("This account is linked to somebody else here.")]
    AccountTaken,
    #[error("You have asked to join. You get a mail as soon as somebody has decided.")]
    Waiting,
    #[error(
        "{} people wait already to be let in. Ask somebody there for an invitation.",
        limits::JOIN_REQUESTS
    )]
    TooManyWaiting,
    #[error("There is this provider already.")]
    ProviderKnown,
    #[error("Enter what the provider gave you first: the client ID and the client secret.")]
    ProviderUnfinished,
    #[error("Your role does not allow this. Ask an owner of your organisation, or somebody who administers it.")]
    NotAllowed,
    #[error("This is about tenants: it takes the operator's token, and no tenant's key.")]
    OperatorsToken,
    #[error("This is an agent's: it takes a key of its tenant (`ocpk_…`), and not the operator's token.")]
    TenantsKey,
    #[error("No API key may call this. Sign in with a browser.")]
    NotForKeys,
    #[error("This key may not call this: it needs the scope `{0}`.")]
    ScopeMissing(&'static str),
    #[error("There are {0} of these already. Remove one first.")]
    LimitReached(i64),
    #[error("There is a template of this name already.")]
    TemplateKnown,
    #[error("The tenant has an agent of this name already.")]
    AgentKnown,
    #[error("`main` is the tenant's own: it is changed and removed with the tenant.")]
    AgentMain,
    #[error(
        "The tenant has {} agents already, which is the most there may be (TENANT_AGENTS). Remove one first.",
        limits::TENANT_AGENTS
    )]
    TooManyAgents,
    #[error("This template is built in and stays as it is. Make one of your own with what is to be different.")]
    TemplateBuiltIn,
    #[error(
        "There are {} templates already, which is the most there may be (API_TEMPLATES). Remove one first.",
        limits::API_TEMPLATES
    )]
    TooManyTemplates,
    #[error("This address or destination is told of that already.")]
    AlreadyTold,
    #[error("Whoever runs this server has turned Web Push off.")]
    PushOff,
    #[error("The mail server did not take the mail. Ask whoever runs this server to look at its log.")]
    MailFailed,
    #[error("The destination did not take it: {0}.")]
    NotDelivered(String),
    #[error("The operator's token is not right. It is in the file `admin-token` of the data directory.")]
    OperatorTokenWrong,
    #[error("The file with the operator's token cannot be read. Look at the server's log.")]
    OperatorTokenUnreadable,
    #[error("This person is suspended, so their agent stays asleep. Let them back in first.")]
    PersonSuspended,
    #[error("This organisation is suspended. Let it back in first.")]
    TenantSuspended,
    #[error("Somebody is in this organisation already. Those who own it invite people.")]
    Inhabited,
    #[error("There is an organisation of this name already.")]
    OrganisationKnown,
    #[error(
        "The first organisation is made with the link in the file `setup-url` of the data directory. Use that first."
    )]
    NotSetUp,
    #[error("This group is put away. Take it out again first.")]
    GroupArchived,
    #[error("This is the organisation's last owner. Make somebody else an owner first.")]
    LastOwner,
    #[error("This request came from another site, so it was not carried out.")]
    CrossSite,
    #[error("This request lacks the token of its session, so it was not carried out. Load the page again.")]
    CsrfToken,
    #[error("A key that works is needed: `Authorization: Bearer ocpk_…` of a tenant, or the operator's token.")]
    KeyNeeded,
    #[error("This key does not work: it was revoked, it has ended, or it never was one.")]
    TenantKeyRefused,
    #[error("A request with this `Idempotency-Key` is under way. Wait for its answer.")]
    WriteUnderWay,
    #[error("This `Idempotency-Key` was used for another request.")]
    KeyReused,
    #[error("The request with this `Idempotency-Key` was done, and its tenant has been removed since.")]
    AnswerGone,
    #[error("{}", .0.message)]
    Agent(Failure),
    #[error("The server could not do this. It has been noted.")]
    Custody(CustodyError),
    #[error(
        "Another server changes the platform's keys at this moment, or has changed the master key since this one was started. Start this one \
         with the new master key, then try again."
    )]
    KeysChangedElsewhere,
    #[error("There is nothing here.")]
    NotFound,
    #[error("This address does not take this method.")]
    MethodNotAllowed,
    #[error("The request is larger than {0} bytes.")]
    TooLarge(usize),
    #[error("The body must be JSON (Content-Type: application/json).")]
    UnsupportedMediaType,
    #[error("This link was used, has expired, or was never ours. Ask for a new one.")]
    LinkInvalid,
    #[error("This installation is set up already. Ask its owner for an invitation.")]
    AlreadySetUp,
    #[error("Somebody with this address is in it already.")]
    AlreadyMember,
    #[error("This address has an open invitation. Send it again or revoke it.")]
    AlreadyInvited,
    #[error("Too many tries. Wait {} seconds and try again.", .0.as_secs().max(1))]
    TooMany(Duration),
    #[error(
        "More than {} requests of this tenant in a minute (`requests_per_minute`). Wait {} seconds and try again, or have its limit raised.",
        .0.most, .0.wait.as_secs() + 1
    )]
    TenantTooOften(TenantTooOften),
    #[error(
        "More than {} requests in a minute (`{}`). Wait {} seconds and try again.",
        .0.most, .0.limit, .0.wait.as_secs() + 1
    )]
    TooOften(TooOften),
    #[error("The request took longer than {} seconds.", limits::REQUEST_TIME.as_secs())]
    TimedOut,
    #[error(
        "The server is busy with {} requests. Try again in a moment.",
        limits::REQUESTS_AT_ONCE
    )]
    Busy,
    #[error("More mail waits to be sent than this server keeps. Try again in a minute.")]
    MailQueueFull,
    #[error("The cell cannot be reached: {0}")]
    Cell(#[from] CellUnavailable),
    #[error("It is left as it is: {0}.")]
    CellNotNow(String),
    #[error("{}", storage_detail(.0))]
    Storage(#[from] StorageError),
    #[error("The server could not do this. It has been noted.")]
    Entropy(#[from] NoEntropy),
}

fn storage_detail(error: &StorageError) -> &'static str {
    match error {
        StorageError::Suspended => "Your organisation is suspended. Ask whoever runs this server.",
        StorageError::NotSuspended => "Suspend this organisation first: only then nobody works with what is removed.",
        StorageError::Unavailable(_) => "The database cannot be reached. Try again in a moment.",
        _ => "The server could not do this. It has been noted.",
    }
}

/// Why a request was refused or failed (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem {
    r#type: String,
    title: &'static str,
    status: u16,
    /// For people: what is wrong and what to do.
    detail: String,
    /// For programs. It never changes its meaning.
    code: String,
    /// What in the body is not right.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
}

impl ApiError {
    /// Status, code and title. The code is what programs look at; it never changes its meaning.
    pub(crate) fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::BadRequest(_) => (S::BAD_REQUEST, "bad_request", "The request cannot be read"),
            Self::InvalidField { .. } => (
                S::UNPROCESSABLE_ENTITY,
                "invalid_field",
                "Something is not filled in right",
            ),
            Self::NotSignedIn | Self::KeyRefused => (S::UNAUTHORIZED, "not_signed_in", "Not signed in"),
            Self::FactorNeeded => (S::FORBIDDEN, "factor_needed", "A second factor is needed"),
            Self::AlreadySignedIn => (S::CONFLICT, "already_signed_in", "Already signed in"),
            Self::StepUpNeeded => (S::FORBIDDEN, "step_up_needed", "Show again that it is you"),
            Self::SignInAgain => (S::FORBIDDEN, "sign_in_again", "Sign in again"),
            Self::IdentityUnknown => (S::CONFLICT, "identity_unknown", "The vault's keys are not known"),
            Self::NotSigned => (S::FORBIDDEN, "not_signed", "Not signed by the vault"),
            Self::ContactsOlder => (S::CONFLICT, "contacts_older", "There is a later list"),
            Self::CodeWrong => (S::FORBIDDEN, "code_wrong", "Not the right code"),
            Self::PasskeyRefused => (S::FORBIDDEN, "passkey_refused", "The passkey was not accepted"),
            Self::PasskeyKnown => (S::CONFLICT, "passkey_known", "Already set up"),
            Self::TooManyPasskeys => (S::CONFLICT, "too_many_passkeys", "Too many passkeys"),
            Self::PasskeysUnavailable => (S::CONFLICT, "passkeys_unavailable", "No passkeys here"),
            Self::AlreadyEnrolled => (S::CONFLICT, "already_enrolled", "Already set up"),
            Self::FactorRequired => (S::CONFLICT, "factor_required", "A second factor is required"),
            Self::FactorFirst => (S::CONFLICT, "factor_first", "A second factor is needed first"),
            Self::NoFactor => (S::CONFLICT, "no_factor", "No second factor"),
            Self::OtherBrowser => (S::CONFLICT, "other_browser", "Another browser asked"),
            Self::AttemptInvalid => (S::GONE, "attempt_invalid", "This sign-in is over"),
            Self::ProviderRefused => (S::FORBIDDEN, "provider_refused", "The other site said no"),
            Self::Provider(_) => (S::BAD_GATEWAY, "provider_failed", "The other site cannot be used"),
            Self::AccountUnknown => (S::FORBIDDEN, "account_unknown", "Nobody here has this account"),
            Self::MailFirst => (S::FORBIDDEN, "mail_first", "Sign in by mail first"),
            Self::AccountTaken => (S::CONFLICT, "account_taken", "The account is somebody else's"),
            Self::Waiting => (S::FORBIDDEN, "waiting", "Somebody has to agree first"),
            Self::TooManyWaiting => (S::CONFLICT, "too_many_waiting", "Too many wait"),
            Self::ProviderKnown => (S::CONFLICT, "provider_known", "Already set up"),
            Self::ProviderUnfinished => (S::CONFLICT, "provider_unfinished", "Something is missing"),
            Self::NotAllowed | Self::OperatorsToken | Self::TenantsKey => (S::FORBIDDEN, "not_allowed", "Not allowed"),
            Self::NotForKeys => (S::FORBIDDEN, "not_for_keys", "Not for API keys"),
            Self::ScopeMissing(_) => (S::FORBIDDEN, "scope_missing", "The key's scopes do not cover this"),
            Self::LimitReached(_) | Self::TooManyTemplates | Self::TooManyAgents => {
                (S::CONFLICT, "limit_reached", "Too many")
            }
            Self::TemplateKnown => (S::CONFLICT, "template_known", "There is one of this name"),
            Self::AgentKnown => (S::CONFLICT, "agent_known", "There is one of this name"),
            Self::AgentMain => (S::CONFLICT, "agent_main", "The tenant's own agent"),
            Self::TemplateBuiltIn => (S::CONFLICT, "template_built_in", "The template is built in"),
            Self::AlreadyTold => (S::CONFLICT, "already_told", "There is this alert already"),
            Self::PushOff => (S::CONFLICT, "push_off", "Web Push is off"),
            Self::MailFailed => (S::SERVICE_UNAVAILABLE, "mail_failed", "The mail was not taken"),
            Self::NotDelivered(_) => (S::FAILED_DEPENDENCY, "not_delivered", "Not delivered"),
            Self::OperatorTokenWrong => (S::FORBIDDEN, "operator_token_wrong", "Not the right token"),
            Self::OperatorTokenUnreadable => (
                S::SERVICE_UNAVAILABLE,
                "operator_token_unreadable",
                "The operator's token cannot be read",
            ),
            Self::PersonSuspended => (S::CONFLICT, "person_suspended", "The person is suspended"),
            Self::TenantSuspended => (S::CONFLICT, "tenant_suspended", "The organisation is suspended"),
            Self::Storage(StorageError::NotSuspended) => (S::CONFLICT, "not_suspended", "The organisation is in use"),
            Self::Inhabited => (S::CONFLICT, "inhabited", "Somebody is in it"),
            Self::OrganisationKnown => (S::CONFLICT, "organisation_known", "There is one of this name"),
            Self::NotSetUp => (S::CONFLICT, "not_set_up", "Not set up yet"),
            Self::Storage(StorageError::Suspended) => {
                (S::FORBIDDEN, "organisation_suspended", "The organisation is suspended")
            }
            Self::GroupArchived => (S::CONFLICT, "group_archived", "The group is put away"),
            Self::LastOwner => (S::CONFLICT, "last_owner", "The last owner"),
            Self::CrossSite => (S::FORBIDDEN, "cross_site", "Request from another site"),
            Self::CsrfToken => (S::FORBIDDEN, "csrf_token", "Token of the session is missing"),
            Self::KeyNeeded | Self::TenantKeyRefused => (S::UNAUTHORIZED, "key_needed", "No key that works"),
            Self::WriteUnderWay => (S::CONFLICT, "write_under_way", "Under way"),
            Self::KeyReused => (S::UNPROCESSABLE_ENTITY, "idempotency_key_reused", "Another request"),
            Self::AnswerGone => (S::GONE, "answer_gone", "The tenant is gone"),
            Self::Agent(failure) => (failure.status, "agent", "The agent did not do it"),
            Self::Custody(_) => (S::INTERNAL_SERVER_ERROR, "internal", "An error of the server"),
            Self::KeysChangedElsewhere => (S::CONFLICT, "keys_changed_elsewhere", "The keys were changed elsewhere"),
            Self::NotFound => (S::NOT_FOUND, "not_found", "Not found"),
            Self::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed"),
            Self::TooLarge(_) => (S::PAYLOAD_TOO_LARGE, "too_large", "Too large"),
            Self::UnsupportedMediaType => (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Not JSON"),
            Self::LinkInvalid => (S::GONE, "link_invalid", "The link does not work"),
            Self::AlreadySetUp => (S::CONFLICT, "already_set_up", "Already set up"),
            Self::AlreadyMember => (S::CONFLICT, "already_member", "Already in the organisation"),
            Self::AlreadyInvited => (S::CONFLICT, "already_invited", "Already invited"),
            Self::TooMany(_) => (S::TOO_MANY_REQUESTS, "too_many_requests", "Too many tries"),
            Self::TenantTooOften(_) => (S::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests"),
            Self::TooOften(_) => (S::TOO_MANY_REQUESTS, "request_limit", "Too many requests"),
            Self::TimedOut => (S::SERVICE_UNAVAILABLE, "timed_out", "Took too long"),
            Self::Busy => (S::SERVICE_UNAVAILABLE, "busy", "Too busy"),
            Self::MailQueueFull => (S::SERVICE_UNAVAILABLE, "mail_queue_full", "Too much mail"),
            Self::Cell(_) => (S::SERVICE_UNAVAILABLE, "cell_unavailable", "The cell cannot be reached"),
            Self::CellNotNow(_) => (S::CONFLICT, "cell_not_now", "Not now"),
            Self::Storage(StorageError::Unavailable(_)) => (
                S::SERVICE_UNAVAILABLE,
                "database_unavailable",
                "The database cannot be reached",
            ),
            Self::Storage(_) | Self::Entropy(_) => (S::INTERNAL_SERVER_ERROR, "internal", "An error of the server"),
        }
    }
}

impl ApiError {
    /// For where an answer is a page: the code, and a line in the log as for any other answer.
    pub(crate) fn code(&self) -> &'static str {
        self.log();
        self.kind().1
    }

    fn log(&self) {
        let code = self.kind().1;
        match self {
            Self::Storage(StorageError::Suspended | StorageError::NotSuspended) => {}
            Self::Storage(error) => tracing::error!(%error, code, "a request failed"),
            Self::Custody(error) => tracing::error!(%error, code, "a request failed"),
            Self::Provider(error) => tracing::warn!(%error, code, "a sign-in provider cannot be used"),
            Self::Entropy(_) | Self::Cell(_) | Self::TimedOut | Self::OperatorTokenUnreadable => {
                tracing::error!(error = %self, code, "a request failed")
            }
            _ => {}
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, title) = self.kind();
        self.log();
        let field = match &self {
            Self::InvalidField { field, .. } => Some(*field),
            _ => None,
        };
        let retry_after = match &self {
            Self::TooMany(wait)
            | Self::TooOften(TooOften { wait, .. })
            | Self::TenantTooOften(TenantTooOften { wait, .. }) => Some(wait.as_secs() + 1),
            Self::Agent(failure) => failure
                .retry_after
                .map(|wait| wait.as_millis().div_ceil(1000).max(1) as u64),
            Self::WriteUnderWay => Some(limits::BUSY_AGAIN.as_secs()),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(limits::BUSY_AGAIN.as_secs()),
            _ => None,
        };
        let in_vain = matches!(&self, Self::Agent(failure) if failure.is_not_to_be_tried_again());
        let code = match &self {
            Self::Agent(failure) => failure.code.clone(),
            _ => code.to_owned(),
        };
        let problem = Problem {
            r#type: format!("urn:holdfast:problem:{code}"),
            title,
            status: status.as_u16(),
            detail: self.to_string(),
            code,
            field,
        };
        let why = Why::of(&self);
        let mut response = (status, Json(problem)).into_response();
        if let Some(why) = why {
            response.extensions_mut().insert(why);
        }
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // OpenAI's libraries send again what failed on our side, or is in conflict, unless they are told not to.
        if in_vain {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
        response
    }
}

impl From<ActFailed> for ApiError {
    fn from(failed: ActFailed) -> Self {
        match failed {
            ActFailed::NotNow(why) => Self::CellNotNow(why),
            ActFailed::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<CustodyError> for ApiError {
    fn from(error: CustodyError) -> Self {
        match error {
            CustodyError::ChangedElsewhere => Self::KeysChangedElsewhere,
            error => Self::Custody(error),
        }
    }
}

impl ApiError {
    /// Of a body that may have so many bytes.
    pub(crate) fn of_body(rejection: &JsonRejection, most: usize) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge(most),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            // The parser names the field and the place, and repeats no value longer than a word; tokens are never numbers or enums.
            _ => Self::BadRequest(match rejection {
                JsonRejection::JsonDataError(error) => error.body_text(),
                JsonRejection::JsonSyntaxError(_) => "the body is not JSON".into(),
                _ => return Self::not_whole(),
            }),
        }
    }

    /// Of a body that broke off.
    pub(crate) fn not_whole() -> Self {
        Self::BadRequest("the body did not arrive whole".into())
    }
}
