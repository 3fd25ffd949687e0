//! `POST /api/v1/cell/wake`: starts the own cell if it does not run; asking twice is asking once.

use axum::extract::State;

use crate::access::SignedIn;
use crate::answer::Accepted;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::problem::ApiError;

pub(crate) async fn post(State(app): State<App>, person: SignedIn) -> Result<Accepted, ApiError> {
    let cell = person.cell();
    app.cells.wake(cell).await?;
    let mut transaction = person.transaction(&app).await?;
    let entry = Entry::done(Action::CellWoken).on(Target::new("cell", cell.cell, ""));
    app.audit.record(&mut transaction, &person.by(), entry).await?;
    transaction.commit().await?;
    Ok(Accepted)
}
