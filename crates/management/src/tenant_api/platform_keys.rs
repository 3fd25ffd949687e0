//! `POST /api/v1/platform-keys/rotate`: what is kept to open the cells' vaults is sealed again under a new wrapping key, and, where one
//! is given, under a new master key, while the server serves. An `Idempotency-Key` has no effect here, since nothing is kept of what holds the
//! master key: to rotate twice does no harm.

use axum::Json;
use axum::extract::State;
use protocol::b64;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::access::Operator;
use crate::access::Body;
use crate::app::App;
use crate::audit::{Action, Entry};
use crate::custody::{MasterKey, MasterKeyIn, Rotated};
use crate::problem::ApiError;
use crate::storage::StorageError;

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({})))]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotate {
    /// Absent: the master key stays. A passphrase, or 32 bytes and more.
    #[serde(default, deserialize_with = "wiped")]
    #[schema(value_type = Option<String>)]
    new_master_key: Option<Zeroizing<String>>,
    /// The same, where it is no text: in base64url.
    #[serde(default, deserialize_with = "wiped")]
    #[schema(value_type = Option<String>)]
    new_master_key_bytes: Option<Zeroizing<String>>,
}

impl Rotate {
    fn master(&self) -> Result<Option<MasterKey>, ApiError> {
        let refused = |field, reason: String| ApiError::InvalidField { field, reason };
        let key = match (&self.new_master_key, &self.new_master_key_bytes) {
            (None, None) => return Ok(None),
            (Some(text), None) => MasterKey::new(text.as_bytes()),
            (None, Some(encoded)) => {
                let raw = b64::decode(encoded).map(Zeroizing::new);
                MasterKey::new(&raw.map_err(|_| refused("new_master_key_bytes", "It is not base64url.".to_owned()))?)
            }
            (Some(_), Some(_)) => {
                let words = "A new master key is text or bytes, and not both.";
                return Err(refused("new_master_key_bytes", words.to_owned()));
            }
        };
        key.map(Some)
            .map_err(|error| refused("new_master_key", format!("{error}.")))
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = RotatedKeys, examples(json!({"key": 2, "secrets": 3, "master_changed": false, "master_key_in": "data_directory"})))]
pub(crate) struct Done {
    #[serde(flatten)]
    rotated: Rotated,
    /// Where the server that answers takes its master key from when it starts: a new one belongs there before it does.
    master_key_in: MasterKeyIn,
}

/// Text that is wiped when it is dropped.
pub(super) fn wiped<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Zeroizing::new))
}

pub(crate) async fn post(
    State(app): State<App>,
    operator: Operator,
    Body(body): Body<Rotate>,
) -> Result<Json<Done>, ApiError> {
    let master = body.master()?;
    let api = app.tenant_api()?;
    let rotated = api.custody.rotate(master).await?;
    let entry = Entry::done(Action::PlatformKeysRotated)
        .with("key", rotated.key)
        .with("secrets", rotated.secrets)
        .with("master_changed", rotated.master_changed);
    let mut transaction = app.database.begin().await?;
    app.audit
        .record_operator(&mut transaction, None, &operator.by(), &entry)
        .await?;
    transaction.commit().await.map_err(StorageError::from)?;
    tracing::info!(
        key = rotated.key,
        secrets = rotated.secrets,
        "the tenant API's keys were rotated"
    );
    Ok(Json(Done {
        rotated,
        master_key_in: api.master_key_in,
    }))
}
