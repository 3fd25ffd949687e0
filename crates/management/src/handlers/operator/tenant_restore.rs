//! `POST /api/v1/operator/tenants/{id}/restore`: puts a suspended organisation into use again. Who was suspended with it may sign in.

use axum::extract::State;
use axum::response::NoContent;
use protocol::TenantId;

use super::{record, tenant_of};
use crate::access::Id;
use crate::app::App;
use crate::audit::{Action, Entry, Target};
use crate::operator::FreshOperator;
use crate::problem::ApiError;
use crate::storage::{TenantTransaction, suspension};

pub(crate) async fn post(
    State(app): State<App>,
    fresh: FreshOperator,
    Id(id): Id<TenantId>,
) -> Result<NoContent, ApiError> {
    let tenant = tenant_of(&app, fresh.operator(), id).await?;
    let mut transaction = TenantTransaction::begin(&app.database, tenant.id).await?;
    if suspension::restore(&mut transaction, &fresh).await? {
        let entry =
            || Entry::done(Action::OrganisationRestored).on(Target::new("organisation", tenant.id, &tenant.name));
        record(&app, transaction, fresh.operator(), entry).await?;
    }
    Ok(NoContent)
}
