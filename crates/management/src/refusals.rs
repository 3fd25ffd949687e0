//! What was refused, for the audit log: acts that somebody may not do, keys and links that do not work, limits that were reached. One
//! layer sees every answer, so no handler can forget it. Refusals are counted in memory and written down once a minute, one entry for
//! each who, from where and why, with how often: who is refused without end fills no log and makes nobody wait.

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use axum::middleware::Next;
use axum::response::Response;
use protocol::TenantId;
use uuid::Uuid;

use crate::access::{Asker, Client};
use crate::app::App;
use crate::audit::{Action, AuditLog, By, Entry, Target};
use crate::database::Database;
use crate::limits;
use crate::problem::ApiError;
use crate::providers::ProviderError;
use crate::rate_limit::network;
use crate::repeating::Repeating;
use crate::storage::{StorageError, TenantTransaction};

/// Why something was refused, on the answer that says so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Why {
    /// None: it is written down already.
    action: Option<Action>,
    code: &'static str,
    /// Somebody tried to come in, and did not.
    failed: bool,
}

impl Why {
    /// What is written down of a refusal; nothing of what people are refused every day, such as a page after its session is over. A
    /// wrong second factor, or a wrong token of the operator, is written down where it is looked at, each time.
    pub(crate) fn of(error: &ApiError) -> Option<Self> {
        let (action, failed) = match error {
            ApiError::NotAllowed
            | ApiError::OperatorsToken
            | ApiError::TenantsKey
            | ApiError::NotForKeys
            | ApiError::ScopeMissing(_)
            | ApiError::NotSigned
            | ApiError::CrossSite
            | ApiError::CsrfToken
            | ApiError::Storage(StorageError::Suspended) => (Some(Action::AccessRefused), false),
            // A program with a key that was revoked goes on trying; that keeps nobody out who shares its address.
            ApiError::KeyRefused | ApiError::TenantKeyRefused => (Some(Action::KeyRefused), false),
            ApiError::LinkInvalid | ApiError::OtherBrowser | ApiError::AttemptInvalid => {
                (Some(Action::LinkRefused), true)
            }
            ApiError::PasskeyRefused => (Some(Action::PasskeyRefused), true),
            ApiError::CodeWrong | ApiError::AccountUnknown | ApiError::OperatorTokenWrong => (None, true),
            ApiError::TooMany(_)
            | ApiError::TenantTooOften(_)
            | ApiError::TooOften(_)
            | ApiError::LimitReached(_)
            | ApiError::TooManyTemplates
            | ApiError::TooManyAgents => (Some(Action::LimitReached), false),
            _ => return None,
        };
        Some(Self::new(action, error, failed))
    }

    /// What is written down of a refusal of somebody who came back from another site: also that the site sent them away, or that what they
    /// brought is not good there. A site that cannot be reached refuses nobody, and one that answers something else than it should, which
    /// may be its own fault, counts against nobody.
    pub(crate) fn of_return(error: &ApiError) -> Option<Self> {
        match error {
            ApiError::ProviderRefused | ApiError::Provider(ProviderError::Token(_)) => {
                Some(Self::new(Some(Action::SignInRefused), error, true))
            }
            // Whoever sits at a browser that a site still lets in: a word to the admins, and none against their address.
            ApiError::Provider(ProviderError::Answer(_)) | ApiError::MailFirst => {
                Some(Self::new(Some(Action::SignInRefused), error, false))
            }
            _ => Self::of(error),
        }
    }

    fn new(action: Option<Action>, error: &ApiError, failed: bool) -> Self {
        Self {
            action,
            code: error.kind().1,
            failed,
        }
    }
}

/// Who asks, as far as a request has shown.
#[derive(Clone)]
enum Seen {
    Somebody(Box<Client>),
    /// Who came with something of this organisation's: back from a site that it set up, or with a key of its that works no more.
    SomebodyOf(TenantId, Box<Client>),
    Person(Arc<Asker>),
    Operator(Box<Client>),
    Tenant(TenantId, String, Box<Client>),
}

tokio::task_local! {
    static SEEN: RefCell<Option<Seen>>;
}

/// Notes who asks. Outside of a request that the layer is around, nobody wants to know.
fn see(seen: Seen) {
    let _outside = SEEN.try_with(|slot| *slot.borrow_mut() = Some(seen));
}

/// Somebody asks; who has been seen already stays seen.
pub(crate) fn see_somebody(client: &Client) {
    let _outside = SEEN.try_with(|slot| {
        slot.borrow_mut()
            .get_or_insert_with(|| Seen::Somebody(Box::new(client.clone())));
    });
}

/// Somebody who is not known comes with something of this organisation's.
pub(crate) fn see_somebody_of(tenant: TenantId, client: &Client) {
    see(Seen::SomebodyOf(tenant, Box::new(client.clone())));
}

/// A person asks, or a program for one.
pub(crate) fn see_person(asker: &Arc<Asker>) {
    see(Seen::Person(asker.clone()));
}

/// The operator asks.
pub(crate) fn see_operator(client: &Client) {
    see(Seen::Operator(Box::new(client.clone())));
}

/// A tenant of the tenant API asks.
pub(crate) fn see_tenant(id: TenantId, name: &str, client: Client) {
    see(Seen::Tenant(id, name.to_owned(), Box::new(client)));
}

/// The layer around all routes.
pub(crate) async fn notice(State(app): State<App>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    SEEN.scope(RefCell::new(None), async {
        let response = next.run(request).await;
        if let Some(why) = response.extensions().get::<Why>() {
            let seen = SEEN.with(RefCell::take);
            if why.failed {
                app.limits.tried(address(seen.as_ref()), false).await;
            }
            if let Some(action) = why.action {
                app.refusals.note((action, why.code), seen, &method, &uri);
            }
        }
        response
    })
    .await
}

fn address(seen: Option<&Seen>) -> Option<IpAddr> {
    match seen? {
        Seen::Person(asker) => asker.client().address,
        Seen::Tenant(_, _, client) | Seen::Operator(client) | Seen::SomebodyOf(_, client) | Seen::Somebody(client) => {
            client.address
        }
    }
}

/// What counts as one.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    /// Whose log it goes to; none: the operator's.
    tenant: Option<TenantId>,
    who: Option<Uuid>,
    address: Option<IpAddr>,
    why: (Action, &'static str),
}

struct Refused {
    by: By,
    /// Of the tenant API: whom it concerns.
    about: Option<TenantId>,
    /// The first one.
    request: String,
    times: u64,
}

#[derive(Default)]
struct Counted {
    /// Of those who have shown who they are, and of all others: no noise from outside hides what somebody inside does.
    known: HashMap<Key, Refused>,
    unknown: HashMap<Key, Refused>,
}

/// Refusals that are not written down yet.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<Counted>);

impl Refusals {
    fn note(&self, why: (Action, &'static str), seen: Option<Seen>, method: &Method, uri: &Uri) {
        let (tenant, who, about, by) = match &seen {
            Some(Seen::Person(asker)) => {
                let session = asker.session();
                (Some(session.tenant), Some(session.asker()), None, asker.by())
            }
            Some(Seen::Tenant(id, name, client)) => {
                (None, Some(id.uuid()), Some(*id), By::api_tenant(*id, name, client))
            }
            Some(Seen::Operator(client)) => (None, None, None, By::operator(client)),
            Some(Seen::SomebodyOf(tenant, client)) => (Some(*tenant), None, None, By::nobody(Some(client))),
            Some(Seen::Somebody(client)) => (None, None, None, By::nobody(Some(client))),
            None => (None, None, None, By::nobody(None)),
        };
        let key = Key {
            tenant,
            who,
            address: address(seen.as_ref()).map(network),
            why,
        };
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Counted { known, unknown } = &mut *counted;
        let (kept, most) = match who {
            Some(_) => (known, limits::REFUSALS_OF_KNOWN),
            None => (unknown, limits::REFUSALS_OF_UNKNOWN),
        };
        if let Some(refused) = kept.get_mut(&key) {
            refused.times = refused.times.saturating_add(1);
            return;
        }
        let full = kept.len() >= most;
        let key = match full {
            // One more for each reason, of everybody for whom there is no room.
            true => Key {
                tenant: None,
                who: None,
                address: None,
                why,
            },
            false => key,
        };
        let refused = kept.entry(key).or_insert_with(|| Refused {
            by: if full { By::nobody(None) } else { by },
            about: about.filter(|_| !full),
            request: format!("{method} {}", uri.path()),
            times: 0,
        });
        refused.times = refused.times.saturating_add(1);
    }

    /// Writes down what was counted. What the database does not take is in the server's log alone.
    pub(crate) async fn write(&self, database: &Database, audit: &AuditLog) {
        let counted = mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (key, refused) in counted.known.into_iter().chain(counted.unknown) {
            if let Err(error) = write_one(database, audit, &key, &refused).await {
                let (action, code) = key.why;
                let (action, times) = (action.as_str(), refused.times);
                tracing::error!(%error, action, code, times, "refusals could not be written into the audit log");
            }
        }
    }

    /// Writes them down every minute, until what is returned is stopped.
    pub(crate) fn start(refusals: &Arc<Self>, database: Database, audit: Arc<AuditLog>) -> Repeating {
        let refusals = refusals.clone();
        Repeating::start(limits::REFUSALS_WRITTEN, move || {
            let (refusals, database, audit) = (refusals.clone(), database.clone(), audit.clone());
            async move { refusals.write(&database, &audit).await }
        })
    }
}

async fn write_one(database: &Database, audit: &AuditLog, key: &Key, refused: &Refused) -> Result<(), StorageError> {
    let (action, code) = key.why;
    let entry = Entry::refused(action)
        .on(Target::new("request", code, &refused.request))
        .with("times", refused.times);
    match key.tenant {
        Some(tenant) => {
            let mut transaction = TenantTransaction::begin(database, tenant).await?;
            audit.record(&mut transaction, &refused.by, entry).await?;
            transaction.commit().await
        }
        None => {
            let mut transaction = database.begin().await?;
            audit
                .record_operator(&mut transaction, refused.about, &refused.by, &entry)
                .await?;
            Ok(transaction.commit().await?)
        }
    }
}
