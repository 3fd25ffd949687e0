//! The audit log: to look at, and to take away.

pub(crate) mod cef;
pub(crate) mod csv;
pub(crate) mod export;
pub(crate) mod list;

use protocol::{Millis, UserId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::access::{Manager, SignedIn};
use crate::app::App;
use crate::audit::told::Told;
use crate::audit::{Action, Entry};
use crate::limits;
use crate::person::Role;
use crate::problem::ApiError;
use crate::storage::audit::{self, Filter};

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

/// What matches a search, read back, for an export in `format`; that it was taken away is recorded.
async fn taken_away(app: &App, manager: &Manager, search: Search, format: &'static str) -> Result<Vec<Told>, ApiError> {
    let person = manager.signed_in();
    let filter = search.filter(person);
    let mut transaction = person.transaction(app).await?;
    let found = audit::find(&mut transaction, &filter, limits::AUDIT_TABLE).await?;
    let entry = Entry::done(Action::AuditExported).with("format", format);
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    let events = found.iter().map(|event| Told::read(&event.body));
    Ok(events.collect::<Result<_, _>>()?)
}

impl Search {
    /// As a filter: owners and admins may see everything, everybody else what they did and what was done to them.
    fn filter(self, person: &SignedIn) -> Filter {
        let session = person.session();
        let sees_all = matches!(session.role, Role::Owner | Role::Admin);
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
