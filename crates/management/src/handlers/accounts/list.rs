//! `GET /api/v1/accounts`: one's own accounts at other sites, and the sites where one may have some.

use axum::Json;
use axum::extract::State;
use protocol::Millis;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::SignedIn;
use crate::app::App;
use crate::clock::millis;
use crate::handlers::sign_in::providers::Button;
use crate::ids::LinkedAccountId;
use crate::problem::ApiError;
use crate::storage::{linked_accounts, providers};

#[derive(Serialize, ToSchema)]
pub(crate) struct Accounts {
    accounts: Vec<Account>,
    providers: Vec<Button>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LinkedAccount)]
struct Account {
    #[schema(value_type = Uuid)]
    id: LinkedAccountId,
    /// What the organisation calls the site; without one it signs nobody in at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    issuer: String,
    label: String,
    linked_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Millis>,
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn) -> Result<Json<Accounts>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let linked = linked_accounts::list(&mut transaction, person.session().user).await?;
    let mut on = providers::list(&mut transaction).await?;
    on.retain(|provider| provider.on);
    let accounts = linked
        .into_iter()
        .map(|each| Account {
            id: each.id,
            provider: on
                .iter()
                .find(|provider| provider.issuer == each.issuer)
                .map(|provider| provider.name.clone()),
            issuer: each.issuer,
            label: each.label,
            linked_at: millis(each.created_at),
            last_used_at: each.last_used_at.map(millis),
        })
        .collect();
    let providers = on.into_iter().map(Button::from).collect();
    Ok(Json(Accounts { accounts, providers }))
}
