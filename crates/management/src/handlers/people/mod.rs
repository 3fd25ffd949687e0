//! The people of the organisation: seeing them, suspending, letting back in, removing.

pub(crate) mod cascade;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod reset_factors;
pub(crate) mod restore;
pub(crate) mod role;
pub(crate) mod suspend;

use serde::Serialize;
use utoipa::ToSchema;

use crate::access::FreshManager;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::cell_control::{CellRef, CellState};
use crate::leavers;
use crate::problem::ApiError;
use crate::storage::TenantTransaction;
use crate::storage::leaving::{Cascade, Leaver, Named};

/// What somebody loses, or has lost.
#[derive(Serialize, ToSchema)]
pub(crate) struct Losses {
    #[serde(flatten)]
    cascade: Cascade,
    named: Named,
    /// How their cell is, or is made to be.
    cell: Fate,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::handlers) enum Fate {
    Asleep,
    Starting,
    Awake,
    Paused,
    Failed,
    /// On its way to sleep: what runs in it is broken off and sealed.
    Stopping,
    Removed,
    /// What is left of it is being removed, again and again until nothing is.
    Removing,
}

impl From<CellState> for Fate {
    fn from(state: CellState) -> Self {
        match state {
            CellState::Asleep => Self::Asleep,
            CellState::Starting => Self::Starting,
            CellState::Awake => Self::Awake,
            CellState::Paused => Self::Paused,
            CellState::Failed => Self::Failed,
        }
    }
}

/// The cell of somebody whom the manager may send away.
fn cell_of(manager: &FreshManager, leaver: &Leaver) -> CellRef {
    CellRef {
        cell: leaver.cell,
        tenant: manager.signed_in().session().tenant,
        user: leaver.id,
    }
}

impl Losses {
    pub(in crate::handlers) fn new(cascade: Cascade, named: Named, cell: Fate) -> Self {
        Self { cascade, named, cell }
    }
}

/// What is written down of an act, with what it took away.
pub(in crate::handlers) fn told(leaver: &Leaver, action: Action, cascade: Option<Cascade>) -> Entry {
    let entry = Entry::done(action).on(Target::new("person", leaver.id, &leaver.name));
    match cascade {
        Some(cascade) => entry
            .with("sessions", cascade.sessions)
            .with("sign_in_links", cascade.sign_in_links)
            .with("invitations", cascade.invitations)
            .with("second_factors", cascade.second_factors)
            .with("linked_accounts", cascade.linked_accounts)
            .with("push_devices", cascade.push_devices)
            .with("api_keys", cascade.api_keys)
            .with("groups", cascade.groups)
            .with("alerts", cascade.alerts)
            .with("service_keys_left", cascade.service_keys_left)
            .with("destinations_left", cascade.destinations_left),
        None => entry,
    }
}

/// Has the cell of somebody who was suspended sleep, and says how far that is.
pub(in crate::handlers) async fn stop_cell(app: &App, cell: CellRef) -> Result<Fate, ApiError> {
    Ok(match leavers::send_to_sleep(app, cell).await? {
        CellState::Asleep => Fate::Asleep,
        _ => Fate::Stopping,
    })
}

/// Writes the act down, with what it took away, and commits.
async fn record(
    app: &App,
    mut transaction: TenantTransaction,
    manager: &FreshManager,
    leaver: &Leaver,
    action: Action,
    cascade: Option<Cascade>,
) -> Result<(), ApiError> {
    let entry = told(leaver, action, cascade);
    app.audit
        .record(&mut transaction, &manager.signed_in().by(), entry)
        .await?;
    transaction.commit().await?;
    Ok(())
}
