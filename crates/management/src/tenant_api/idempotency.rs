//! `Idempotency-Key`: a write that is asked for twice under one key is done once, and answered twice. The answer is kept sealed,
//! and with it what was asked.
//! What makes, changes or takes away something keeps its answer in the transaction in which that begins to count ([`Write`]): a server that ends has
//! left both or neither. What is done in a cell alone keeps it afterwards: done twice, it does the same.
//! What makes a cell is noted also where it names no key: half of it goes by itself, and no answer is kept.
//! Turns have no answer here: the key names the turn itself, and the cell remembers it.

use std::convert::Infallible;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use protocol::{CellId, TenantId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use uuid::Uuid;

use super::Keyed;
use super::access::Caller;
use super::tenants::{self, Named};
use crate::app::App;
use crate::body;
use crate::custody::{CustodyError, What};
use crate::ids;
use crate::limits;
use crate::openapi::silent;
use crate::problem::ApiError;
use crate::repeating::Repeating;
use crate::storage::api_agents::ApiAgent;
use crate::storage::api_writes::{self, Begun, Half};
use crate::storage::{TenantTransaction, api_tenants};

static KEY: HeaderName = HeaderName::from_static("idempotency-key");
static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The header, as the document says it.
pub(crate) fn parameter(keyed: Keyed) -> Option<Parameter> {
    let words = match keyed {
        Keyed::Write | Keyed::Cell => {
            "Names this write, so that it is done once: for 24 hours the same request under the same key is answered as the first time \
             (`Idempotency-Replayed: true`). Another request under it is 422, one that is still under way 409, and one about a tenant that \
             was removed since 410."
        }
        Keyed::Turn => {
            "Names the turn, so that it is run once: sent again, it is the same turn, whose answer comes again."
        }
        Keyed::Nothing => return None,
    };
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(format!("^[!-~]{{1,{}}}$", limits::IDEMPOTENCY_KEY_CHARS)));
    let parameter = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(words))
        .schema(Some(key));
    Some(parameter.build())
}

/// The key that a request names.
fn named(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = headers.get(&KEY) else {
        return Ok(None);
    };
    let key = value.to_str().unwrap_or_default();
    let good = (1..=limits::IDEMPOTENCY_KEY_CHARS).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    match good {
        true => Ok(Some(key)),
        false => Err(ApiError::BadRequest(format!(
            "`Idempotency-Key` is 1 to {} printable characters without spaces",
            limits::IDEMPOTENCY_KEY_CHARS
        ))),
    }
}

/// The turn that a request to this agent is about: of its key, or a new one.
pub(crate) fn turn(headers: &HeaderMap, agent: &ApiAgent) -> Result<(Uuid, bool), ApiError> {
    let Some(key) = named(headers)? else {
        return Ok((Uuid::new_v4(), false));
    };
    let mut digest = Sha256::new_with_prefix(b"holdfast/turn/v1\0")
        .chain_update(agent.tenant.uuid().as_bytes())
        .chain_update(key);
    // One key names a turn of each agent. No key has a 0 in it, so this is no other key of the first agent's.
    if !agent.is_main() {
        digest = digest.chain_update([0]).chain_update(agent.cell.uuid().as_bytes());
    }
    Ok((ids::of_digest(digest), true))
}

/// Does a write once, and to its end: a client that leaves breaks nothing off between what is stored and what a keeper is told.
pub(crate) async fn once(State((app, keyed)): State<(App, Keyed)>, request: Request, next: Next) -> Response {
    if request.method() == Method::GET {
        return next.run(request).await;
    }
    let key = match named(request.headers()) {
        _ if keyed == Keyed::Nothing => None,
        Ok(key) => key.map(str::to_owned),
        Err(error) => return error.into_response(),
    };
    let write = async move {
        if key.is_none() && keyed != Keyed::Cell {
            return next.run(request).await;
        }
        let answer = guarded(&app, key.as_deref(), request, next).await;
        answer.unwrap_or_else(|error| error.into_response())
    };
    match tokio::spawn(write.in_current_span()).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only when the server ends.
            Err(_) => ApiError::Busy.into_response(),
        },
    }
}

/// The write that a handler does, where it is noted.
pub(crate) struct Write(Option<Asked>);

#[derive(Clone)]
struct Asked {
    begun: Begun,
    /// Whose write it is.
    of: TenantId,
    /// What was asked, as a hash; none where no key was named, so that nobody can ask for it again.
    hash: Option<[u8; 32]>,
}

impl<S: Send + Sync> FromRequestParts<S> for Write {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get().cloned()))
    }
}

silent!(Write);

impl Write {
    /// A cell begins to be in this transaction. Until the answer is kept, what it belongs to is half made, and goes before the write is done
    /// again.
    pub(crate) async fn makes(&self, transaction: &mut TenantTransaction, cell: CellId) -> Result<(), ApiError> {
        let Some(asked) = &self.0 else { return Ok(()) };
        let half = Half {
            tenant: transaction.tenant(),
            cell,
        };
        let said = transaction
            .for_another(asked.of, async |own| api_writes::makes(own, &asked.begun, half).await)
            .await?;
        still_ours(said)
    }

    /// What this transaction has made is answered with 201 and this. Both are kept, or neither.
    pub(crate) async fn made(
        &self,
        app: &App,
        transaction: &mut TenantTransaction,
        answer: &impl Serialize,
    ) -> Result<(), ApiError> {
        self.keep(app, transaction, StatusCode::CREATED, &json(answer)).await
    }

    /// The same of what it has changed, with 200.
    pub(crate) async fn done(
        &self,
        app: &App,
        transaction: &mut TenantTransaction,
        answer: &impl Serialize,
    ) -> Result<(), ApiError> {
        self.keep(app, transaction, StatusCode::OK, &json(answer)).await
    }

    /// The same of what it has taken away, with 204.
    pub(crate) async fn ended(&self, app: &App, transaction: &mut TenantTransaction) -> Result<(), ApiError> {
        self.keep(app, transaction, StatusCode::NO_CONTENT, &[]).await
    }

    async fn keep(
        &self,
        app: &App,
        transaction: &mut TenantTransaction,
        status: StatusCode,
        body: &[u8],
    ) -> Result<(), ApiError> {
        let Some(asked) = &self.0 else { return Ok(()) };
        let about = Some(transaction.tenant()).filter(|about| *about != asked.of);
        let kept = asked.keep(app, transaction, status.as_u16(), about, body).await?;
        still_ours(kept)
    }
}

fn json(answer: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(answer).expect("an answer is JSON")
}

/// Where somebody else has taken the write up, what was done of it here is not kept.
fn still_ours(ours: bool) -> Result<(), ApiError> {
    match ours {
        true => Ok(()),
        false => Err(ApiError::WriteUnderWay),
    }
}

impl Asked {
    /// Keeps the answer, once; of what nobody can ask for again, nothing.
    async fn keep(
        &self,
        app: &App,
        transaction: &mut TenantTransaction,
        status: u16,
        about: Option<TenantId>,
        body: &[u8],
    ) -> Result<bool, ApiError> {
        let Some(hash) = &self.hash else {
            let forgotten = async |own: &mut TenantTransaction| api_writes::forget(own, &self.begun).await;
            return Ok(transaction.for_another(self.of, forgotten).await?);
        };
        let custody = &app.tenant_api()?.custody;
        // A hash in clear would say of each guess whether it is right, of a model's key or of what was said.
        let kept = [&hash[..], body].concat();
        transaction
            .for_another(self.of, async |own| {
                let sealed = custody.seal(own, What::Answer, &kept).await?;
                Ok(api_writes::answered(own, &self.begun, status, about, &sealed).await?)
            })
            .await
    }
}

async fn guarded(app: &App, named: Option<&str>, request: Request, next: Next) -> Result<Response, ApiError> {
    let custody = &app.tenant_api()?.custody;
    let tenant = request
        .extensions()
        .get::<Caller>()
        .ok_or(ApiError::KeyNeeded)?
        .tenant();
    let (mut parts, body) = request.into_parts();
    let on = On::of(&mut parts).await;
    let body = body::whole(Request::from_parts(parts.clone(), body), limits::TENANT_BODY_BYTES).await?;
    let mut key = [0_u8; 32];
    match named {
        Some(named) => key = Sha256::digest(named.as_bytes()).into(),
        None => app.entropy.fill(&mut key)?,
    }
    // With what stands behind the question mark: it may name another agent.
    let address = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let hash: [u8; 32] = Sha256::new_with_prefix(parts.method.as_str())
        .chain_update([0])
        .chain_update(address)
        .chain_update([0])
        .chain_update(&body)
        .finalize()
        .into();
    let mut read_again = false;
    let begun = loop {
        let mut transaction = TenantTransaction::begin(&app.database, tenant).await?;
        let seen = api_writes::begin(&mut transaction, &key, app.clock.now()).await?;
        transaction.commit().await?;
        match seen {
            api_writes::Seen::New(begun) => break begun,
            api_writes::Seen::UnderWay => return Err(ApiError::WriteUnderWay),
            api_writes::Seen::Left(begun) => give_up(app, tenant, &begun).await?,
            api_writes::Seen::Gone => return Err(ApiError::AnswerGone),
            api_writes::Seen::Answered { status, sealed, beside } => {
                let kept = match custody.unseal(What::Answer, tenant, &sealed).await {
                    // A rotation has sealed it again since it was read.
                    Err(CustodyError::NoWrappingKey(_)) if !read_again => {
                        read_again = true;
                        continue;
                    }
                    kept => kept?,
                };
                let (known, body) = match &beside {
                    Some(hash) => (hash.as_slice(), kept.as_slice()),
                    None => kept.split_at_checked(hash.len()).ok_or(CustodyError::Damaged)?,
                };
                if known != hash {
                    return Err(ApiError::KeyReused);
                }
                let mut answer = answer(status, Bytes::copy_from_slice(body));
                answer.headers_mut().insert(&REPLAYED, HeaderValue::from_static("true"));
                return Ok(answer);
            }
        }
    };
    let asked = Asked {
        begun,
        of: tenant,
        hash: named.is_some().then_some(hash),
    };
    parts.extensions.insert(asked.clone());
    let answered = next.run(Request::from_parts(parts, Body::from(body))).await;
    let (mut head, body) = answered.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    head.headers.remove(header::CONTENT_LENGTH);
    if !head.status.is_success() && !is_undone(app, tenant, &begun).await? {
        // What is left of it stays noted with the write, and goes before that is done again.
        return Ok(Response::from_parts(head, Body::from(body)));
    }
    let mut transaction = TenantTransaction::begin(&app.database, tenant).await?;
    let ours = head.status.is_server_error() || head.status == StatusCode::TOO_MANY_REQUESTS;
    if ours {
        api_writes::forget(&mut transaction, &begun).await?;
    } else {
        let wanted = on.tenant(&body);
        let about = match wanted {
            Some(about) => transaction.for_another(about, api_tenants::find).await?.map(|_| about),
            None => None,
        };
        if wanted.is_some() && about.is_none() && head.status.is_success() {
            // It was removed while this was under way.
            api_writes::gone(&mut transaction, &begun).await?;
        } else {
            // Where the handler has kept it, it stays as that is.
            asked
                .keep(app, &mut transaction, head.status.as_u16(), about, &body)
                .await?;
        }
    }
    transaction.commit().await?;
    Ok(Response::from_parts(head, Body::from(body)))
}

/// Whether nothing is left of what a write that failed has begun to make: its handler has undone it, or it is undone here.
async fn is_undone(app: &App, tenant: TenantId, begun: &Begun) -> Result<bool, ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, tenant).await?;
    let half = api_writes::half(&mut transaction, begun).await?;
    transaction.commit().await?;
    let Some(half) = half else { return Ok(true) };
    let undone = tenants::remove::half(app, half).await;
    if let Err(error) = &undone {
        tracing::warn!(%error, tenant = %half.tenant, cell = %half.cell, "what was not made whole is there yet; it goes before its write is done again");
    }
    Ok(undone.is_ok())
}

/// What a write is about, as far as its answer goes with it.
enum On {
    /// This tenant, whoever wants it.
    Tenant(TenantId),
    /// The tenant that it makes.
    Made,
    /// No tenant, or one that is gone after it.
    Nothing,
}

impl On {
    async fn of(parts: &mut Parts) -> Self {
        let route = parts
            .extensions
            .get::<MatchedPath>()
            .map(|path| path.as_str().to_owned());
        match route.as_deref() {
            Some("/api/v1/tenants") => Self::Made,
            Some("/api/v1/tenants/{id}") if parts.method == Method::DELETE => Self::Nothing,
            Some(route) if route.starts_with("/api/v1/tenants/") => {
                let named = Named::from_request_parts(parts, &()).await;
                named.map_or(Self::Nothing, |Named(tenant)| Self::Tenant(tenant))
            }
            _ => Self::Nothing,
        }
    }

    /// The tenant with which the answer goes.
    fn tenant(&self, answer: &[u8]) -> Option<TenantId> {
        #[derive(Deserialize)]
        struct Made {
            id: TenantId,
        }
        match self {
            Self::Tenant(tenant) => Some(*tenant),
            Self::Made => serde_json::from_slice(answer).ok().map(|Made { id }| id),
            Self::Nothing => None,
        }
    }
}

/// Forgets what was kept for a day, and removes halves that nobody has asked for again, of whichever tenant, until what is returned is stopped.
pub(crate) fn start(app: &App) -> Repeating {
    let app = app.clone();
    Repeating::start(limits::WRITES_SWEPT, move || {
        let app = app.clone();
        async move {
            if let Err(error) = api_writes::forget_old(&app.database, app.clock.now()).await {
                tracing::warn!(%error, "old answers of the tenant API could not be forgotten; they are later");
            }
            match api_writes::halves_left(&app.database, app.clock.now()).await {
                Ok(left) => {
                    for (of, begun) in left {
                        if let Err(error) = give_up(&app, of, &begun).await {
                            tracing::warn!(%error, "what was not made whole is there yet; it goes later");
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "what was not made whole could not be looked for; it is later"),
            }
        }
    })
}

/// Removes half of what a write has begun to make, and forgets the write.
async fn give_up(app: &App, of: TenantId, begun: &Begun) -> Result<(), ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, of).await?;
    // From here on it is nobody else's write, nor that of who is slow.
    let taken = api_writes::take_up(&mut transaction, begun, app.clock.now()).await?;
    transaction.commit().await?;
    let Some((begun, half)) = taken else { return Ok(()) };
    tenants::remove::half(app, half).await?;
    tracing::info!(tenant = %half.tenant, cell = %half.cell, "what was not made whole was removed");
    let mut transaction = TenantTransaction::begin(&app.database, of).await?;
    api_writes::forget(&mut transaction, &begun).await?;
    Ok(transaction.commit().await?)
}

fn answer(status: u16, body: Bytes) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let kind = match (body.is_empty(), status.is_success()) {
        (true, _) => return status.into_response(),
        (false, true) => "application/json",
        (false, false) => "application/problem+json",
    };
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

#[cfg(test)]
mod tests {
    use protocol::CellId;
    use time::OffsetDateTime;

    use super::*;
    use crate::storage::api_tenants::Share;

    fn agent(name: &str, cell: Uuid) -> ApiAgent {
        ApiAgent {
            tenant: Uuid::nil().into(),
            tenant_name: "Anna".to_owned(),
            name: name.to_owned(),
            cell: CellId::from(cell),
            template: None,
            model: None,
            fallbacks: Vec::new(),
            share: Share::default(),
            held_on: None,
            created_at: OffsetDateTime::UNIX_EPOCH,
            updated_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_key_names_a_turn_of_one_agent_and_the_first_agents_are_as_they_were() {
        let mut headers = HeaderMap::new();
        headers.insert(&KEY, HeaderValue::from_static("k"));
        let named = |agent: &ApiAgent| turn(&headers, agent).unwrap();
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let main = named(&agent("main", one));
        // As each server has always named it.
        assert_eq!(main, (Uuid::from_u128(0x805a_dfff_00a6_42cd_8985_f4bc_8c5d_e74a), true));
        assert_eq!(main, named(&agent("main", two)));
        let press = named(&agent("press", one));
        assert_eq!(press, named(&agent("press", one)));
        // One of the same name that is made after it is another agent.
        assert_ne!(press, named(&agent("press", two)));
        assert_ne!(press, main);
    }
}
