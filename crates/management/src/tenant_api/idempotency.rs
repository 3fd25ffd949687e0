//! `Idempotency-Key`: a write that is asked for twice under one key is done once, and answered twice. The answer is kept sealed,
//! and with it what was asked.
//! Turns have no answer here: the key names the turn itself, and the cell remembers it.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts as _, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use protocol::TenantId;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use uuid::Uuid;

use super::Keyed;
use super::access::Caller;
use super::tenants::Named;
use crate::app::App;
use crate::custody::{CustodyError, What};
use crate::ids;
use crate::limits;
use crate::problem::ApiError;
use crate::repeating::Repeating;
use crate::storage::api_agents::ApiAgent;
use crate::storage::{TenantTransaction, api_tenants, api_writes};

static KEY: HeaderName = HeaderName::from_static("idempotency-key");
static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The header, as the document says it.
pub(crate) fn parameter(keyed: Keyed) -> Option<Parameter> {
    let words = match keyed {
        Keyed::Write => {
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
        match key {
            None => next.run(request).await,
            Some(key) => guarded(&app, &key, request, next)
                .await
                .unwrap_or_else(|error| error.into_response()),
        }
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

async fn guarded(app: &App, key: &str, request: Request, next: Next) -> Result<Response, ApiError> {
    let custody = &app.tenant_api()?.custody;
    let tenant = request
        .extensions()
        .get::<Caller>()
        .ok_or(ApiError::KeyNeeded)?
        .tenant();
    let (mut parts, body) = request.into_parts();
    let on = On::of(&mut parts).await;
    let body = to_bytes(body, limits::TENANT_BODY_BYTES)
        .await
        .map_err(|_| ApiError::TooLarge(limits::TENANT_BODY_BYTES))?;
    let key: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    // With what stands behind the question mark: it may name another agent.
    let address = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let asked: [u8; 32] = Sha256::new_with_prefix(parts.method.as_str())
        .chain_update([0])
        .chain_update(address)
        .chain_update([0])
        .chain_update(&body)
        .finalize()
        .into();
    let mut transaction = TenantTransaction::begin(&app.database, tenant).await?;
    let seen = api_writes::begin(&mut transaction, &key, app.clock.now()).await?;
    transaction.commit().await?;
    match seen {
        api_writes::Seen::New => {}
        api_writes::Seen::UnderWay => return Err(ApiError::WriteUnderWay),
        api_writes::Seen::Gone => return Err(ApiError::AnswerGone),
        api_writes::Seen::Answered { status, sealed, beside } => {
            let kept = custody.unseal(What::Answer, tenant, &sealed).await?;
            let (known, body) = match &beside {
                Some(hash) => (hash.as_slice(), kept.as_slice()),
                None => kept.split_at_checked(asked.len()).ok_or(CustodyError::Damaged)?,
            };
            if known != asked {
                return Err(ApiError::KeyReused);
            }
            let mut answer = answer(status, Bytes::copy_from_slice(body));
            answer.headers_mut().insert(&REPLAYED, HeaderValue::from_static("true"));
            return Ok(answer);
        }
    }
    let answered = next.run(Request::from_parts(parts, Body::from(body))).await;
    let (mut head, body) = answered.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let mut transaction = TenantTransaction::begin(&app.database, tenant).await?;
    let ours = head.status.is_server_error() || head.status == StatusCode::TOO_MANY_REQUESTS;
    if ours {
        api_writes::forget(&mut transaction, &key).await?;
    } else {
        let wanted = on.tenant(&body);
        let about = match wanted {
            Some(about) => transaction.for_another(about, api_tenants::find).await?.map(|_| about),
            None => None,
        };
        if wanted.is_some() && about.is_none() && head.status.is_success() {
            // It was removed while this was under way.
            api_writes::gone(&mut transaction, &key).await?;
        } else {
            // A hash in clear would say of each guess whether it is right, of a model's key or of what was said.
            let kept = [&asked[..], &body].concat();
            let sealed = custody.seal(&mut transaction, What::Answer, &kept).await?;
            api_writes::answered(&mut transaction, &key, head.status.as_u16(), about, &sealed).await?;
        }
    }
    transaction.commit().await?;
    head.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(head, Body::from(body)))
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

/// Forgets what was kept for a day, of whichever tenant, until what is returned is stopped.
pub(crate) fn start(app: &App) -> Repeating {
    let app = app.clone();
    Repeating::start(limits::WRITES_SWEPT, move || {
        let app = app.clone();
        async move {
            if let Err(error) = api_writes::forget_old(&app.database, app.clock.now()).await {
                tracing::warn!(%error, "old answers of the tenant API could not be forgotten; they are later");
            }
        }
    })
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
