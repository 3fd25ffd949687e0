//! The audit log: to look at, and to take away.

pub(crate) mod cef;
pub(crate) mod csv;
pub(crate) mod export;
pub(crate) mod list;

use futures::stream::{self, Stream, StreamExt as _};
use protocol::{Millis, UserId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::access::{Manager, SignedIn};
use crate::app::App;
use crate::audit::told::Told;
use crate::audit::{Action, Entry};
use crate::limits;
use crate::problem::ApiError;
use crate::storage::audit::{self, Filter};
use crate::storage::{StorageError, TenantTransaction};

/// What is looked for, in the address.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    before: Option<i64>,
    person: Option<UserId>,
    action: Option<String>,
    outcome: Option<String>,
    since: Option<Millis>,
    until: Option<Millis>,
    text: Option<String>,
}

/// Everything that matches a search, the newest first, each event as `line` writes it, in pieces, for an export in `format`; that it was taken
/// away is recorded, and is not in it.
async fn taken_away<L: Fn(&Told) -> String + Send + 'static>(
    app: &App,
    manager: &Manager,
    search: Search,
    format: &'static str,
    line: L,
) -> Result<impl Stream<Item = Result<String, StorageError>> + Send + use<L>, ApiError> {
    let person = manager.signed_in();
    let filter = search.filter(person);
    let mut transaction = person.transaction(app).await?;
    let first = audit::find(&mut transaction, &filter, limits::AUDIT_EXPORTED).await?;
    let entry = Entry::done(Action::AuditExported).with("format", format);
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    let (database, tenant) = (app.database.clone(), person.session().tenant);
    let found = stream::try_unfold((first, filter), move |(page, mut filter)| {
        let database = database.clone();
        async move {
            let Some(last) = page.last() else {
                return Ok::<_, StorageError>(None);
            };
            filter.before = Some(last.seq);
            let mut transaction = TenantTransaction::begin(&database, tenant).await?;
            let next = audit::find(&mut transaction, &filter, limits::AUDIT_EXPORTED).await?;
            Ok(Some((page, (next, filter))))
        }
    });
    Ok(found.map(move |page| {
        let lines = page?.into_iter().map(|event| Ok(line(&Told::read(&event.body)?)));
        lines.collect()
    }))
}

impl Search {
    /// As a filter: owners and admins may see everything, everybody else what they did and what was done to them.
    fn filter(self, person: &SignedIn) -> Filter {
        let session = person.session();
        let sees_all = session.role.manages();
        let person = match sees_all {
            true => self.person,
            false => Some(session.user),
        };
        // PostgreSQL's text has no zero bytes; what asks for one finds nothing.
        let text = |text: Option<String>| {
            text.filter(|text| !text.is_empty())
                .map(|text| text.replace('\0', "\u{fffd}"))
        };
        Filter {
            before: self.before,
            person: person.map(|id| id.to_string()),
            action: text(self.action),
            outcome: text(self.outcome),
            since: self.since,
            until: self.until,
            text: text(self.text),
        }
    }
}
