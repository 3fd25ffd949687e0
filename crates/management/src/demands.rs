//! That an organisation demands a second person: told to its keepers when it begins to, and again and again, for those that were not connected
//! then or whose server did not hear of it.

use protocol::TenantId;

use crate::app::App;
use crate::limits;
use crate::repeating::Repeating;
use crate::storage::{StorageError, TenantTransaction, tenants};

/// Tells them, until what is returned is stopped.
pub(crate) fn start(app: &App) -> Repeating {
    let app = app.clone();
    Repeating::start(limits::SECOND_DEMANDED_AGAIN, move || {
        let app = app.clone();
        async move { tell_all(&app).await }
    })
}

/// Tells the keepers of every organisation that demands one.
pub(crate) async fn tell_all(app: &App) {
    for tenant in app.cells.tenants_awake() {
        match is_demanded(app, tenant).await {
            Ok(true) => app.cells.second_demanded(tenant),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%tenant, %error, "whether a second person is demanded could not be looked up; it is looked up again");
            }
        }
    }
}

async fn is_demanded(app: &App, tenant: TenantId) -> Result<bool, StorageError> {
    let mut transaction = TenantTransaction::begin(&app.database, tenant).await?;
    let demanded = tenants::second_person(&mut transaction).await?;
    transaction.commit().await?;
    Ok(demanded)
}
