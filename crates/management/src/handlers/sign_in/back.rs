//! `GET /api/v1/sign-in/return/{provider}`: somebody comes back from another site, to sign in or to link their account there. The
//! browser is sent on to a page in any case; what went wrong is a word in the address's fragment.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use protocol::{SessionId, TenantId};

use crate::access::{self, Client, Id};
use crate::answer::WithCookies;
use crate::app::App;
use crate::audit::{Action, By, Entry, Target};
use crate::ids::IdentityProviderId;
use crate::joining::{self, Newcomer};
use crate::openapi::{InContract, Sketch};
use crate::person::Name;
use crate::problem::ApiError;
use crate::providers::attempt::{self, Arrived, Refused, Return};
use crate::refusals::Why;
use crate::session::{self, Shown, Way};
use crate::sign_in::page_of;
use crate::storage::linked_accounts::{self, Link};
use crate::storage::providers::{self, Provider};
use crate::storage::sessions::{self, State as Stage};
use crate::storage::{TenantTransaction, factors};

pub(crate) async fn get(
    State(app): State<App>,
    client: Client,
    Id(provider): Id<IdentityProviderId>,
    back: Return,
) -> Result<SentOn, ApiError> {
    if let Err(wait) = app.limits.attempt(client.address).await {
        // Nothing is looked up for who has to wait, not even whose buttons they pressed.
        return Ok(refused("/sign-in", &ApiError::TooMany(wait)));
    }
    let arrived = match attempt::take(&app, &client, provider, back).await {
        Ok(arrived) => arrived,
        Err(Refused { error, linking, tenant }) => {
            let tenant = match tenant {
                Some(tenant) => Some(tenant),
                None => pressed_at(&app, provider).await,
            };
            return Ok(refused(&page(linking, tenant), &error));
        }
    };
    let page = page(arrived.session.is_some(), Some(arrived.provider.tenant));
    let outcome = match arrived.session {
        Some(session) => link(&app, &client, &arrived, session).await,
        None => sign_in(&app, &client, arrived).await,
    };
    Ok(outcome.unwrap_or_else(|error| refused(&page, &error)))
}

/// Where somebody finds what they pressed.
fn page(linking: bool, tenant: Option<TenantId>) -> String {
    match (linking, tenant) {
        (true, _) => "/security".to_owned(),
        (false, Some(tenant)) => format!("/{}", page_of(tenant)),
        (false, None) => "/sign-in".to_owned(),
    }
}

/// Whose button leads back to this address: all that is known where what is brought is no attempt, was used or is over.
async fn pressed_at(app: &App, provider: IdentityProviderId) -> Option<TenantId> {
    let found = providers::find_pressed(&app.database, provider).await;
    found.ok().flatten().map(|provider| provider.tenant)
}

/// The browser is sent on.
pub(crate) struct SentOn {
    to: String,
    cookies: Vec<HeaderValue>,
    /// For the audit log.
    refused: Option<Why>,
}

impl IntoResponse for SentOn {
    fn into_response(self) -> Response {
        let answer = (StatusCode::SEE_OTHER, AppendHeaders([(header::LOCATION, self.to)]));
        let cookies = self.cookies;
        let mut response = WithCookies { answer, cookies }.into_response();
        if let Some(why) = self.refused {
            response.extensions_mut().insert(why);
        }
        response
    }
}

impl InContract for SentOn {
    fn describe(sketch: &mut Sketch) {
        sketch.answers_empty(303, "To a page, signed in or not.");
    }
}

fn to(page: &str, fragment: &str) -> SentOn {
    let to = match fragment {
        "" => page.to_owned(),
        fragment => format!("{page}#{fragment}"),
    };
    SentOn {
        to,
        cookies: Vec::new(),
        refused: None,
    }
}

fn refused(page: &str, error: &ApiError) -> SentOn {
    SentOn {
        refused: Why::of_return(error),
        ..to(page, &format!("refused:{}", error.code()))
    }
}

/// Signs in whose account it is; who is new joins, where their address may.
async fn sign_in(app: &App, client: &Client, arrived: Arrived) -> Result<SentOn, ApiError> {
    let Arrived { provider, account, .. } = &arrived;
    let mut transaction = TenantTransaction::begin(&app.database, provider.tenant).await?;
    let known = linked_accounts::use_by(&mut transaction, account, app.clock.now()).await?;
    let (transaction, user) = match known {
        Some((user, true)) => (transaction, user),
        Some((_, false)) => return not_known(app, transaction, client, provider).await,
        None => {
            let name = account.name.as_deref().and_then(|name| Name::parse(name).ok());
            let name = name.or_else(|| Name::parse(&account.label).ok());
            let (Some(name), Some(email)) = (name, &account.email) else {
                return not_known(app, transaction, client, provider).await;
            };
            let newcomer = Newcomer {
                name: &name,
                email,
                account: Some(account),
            };
            match joining::join(app, transaction, client, &newcomer).await {
                Ok(joined) => joined,
                // An address that is somebody's here is not theirs for that: an account is known by its own name alone.
                Err(ApiError::AlreadyMember | ApiError::LinkInvalid) => {
                    let transaction = TenantTransaction::begin(&app.database, provider.tenant).await?;
                    return not_known(app, transaction, client, provider).await;
                }
                Err(other) => return Err(other),
            }
        }
    };
    let shown = Shown::Account { at: arrived.shown_at };
    let issued = session::issue(app, transaction, client, user, Way::Provider, shown).await?;
    Ok(SentOn {
        cookies: issued.cookies,
        ..to("/", "")
    })
}

async fn not_known(
    app: &App,
    mut transaction: TenantTransaction,
    client: &Client,
    provider: &Provider,
) -> Result<SentOn, ApiError> {
    let entry = Entry::refused(Action::SignInRefused).on(Target::new("provider", provider.id, &provider.name));
    app.audit
        .record(&mut transaction, &By::nobody(Some(client)), entry)
        .await?;
    transaction.commit().await?;
    Err(ApiError::AccountUnknown)
}

/// Links the account to whoever asked, in the session in which they did.
async fn link(app: &App, client: &Client, arrived: &Arrived, asked: SessionId) -> Result<SentOn, ApiError> {
    let Arrived { provider, account, .. } = arrived;
    let token = client.session.ok_or(ApiError::NotSignedIn)?;
    access::may_look_up(app, client, token)?;
    let now = app.clock.now();
    let session = sessions::authenticate(&app.database, token, app.session_clock(), &client.address_text()).await?;
    let session = session
        .filter(|session| session.id == asked && session.tenant == provider.tenant && session.state == Stage::Full)
        .ok_or(ApiError::NotSignedIn)?;
    let mut transaction = TenantTransaction::begin(&app.database, session.tenant).await?;
    // Whoever removes them waits, and finds the account.
    if !factors::one_at_a_time(&mut transaction, session.user).await? {
        return Err(ApiError::NotSignedIn);
    }
    match linked_accounts::link(&mut transaction, session.user, account, now).await? {
        Link::Own => {}
        Link::Taken => return Err(ApiError::AccountTaken),
        Link::TooMany => return Err(ApiError::LimitReached(crate::limits::ACCOUNTS_PER_USER)),
        Link::Made(id) => {
            let entry = Entry::done(Action::AccountLinked)
                .on(Target::new("account", id, &account.label))
                .with("issuer", &account.issuer);
            app.audit
                .record(&mut transaction, &By::person(&session, client), entry)
                .await?;
        }
    }
    transaction.commit().await?;
    Ok(to("/security", "linked"))
}
