//! Templates of the tenant API's agents that the operator made. They are of no tenant, and only a transaction of [`begin`] sees them.

use protocol::template::AgentTemplate;
use sqlx::{PgConnection, PgTransaction};
use time::OffsetDateTime;

use super::StorageError;
use super::api_tenants::{Model, look_over_all, model};
use crate::database::Database;

/// A template as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct StoredTemplate {
    pub content: AgentTemplate,
    /// The model of tenants who name none.
    pub model: Option<Model>,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
}

/// A row of the table.
struct Row {
    content: String,
    model_kind: Option<String>,
    model_base_url: Option<String>,
    model_name: Option<String>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

impl TryFrom<Row> for StoredTemplate {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        Ok(Self {
            content: serde_json::from_str(&row.content).map_err(|_| StorageError::Unreadable("a template"))?,
            model: model(row.model_kind, row.model_base_url, row.model_name),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn text(content: &AgentTemplate) -> Result<String, StorageError> {
    serde_json::to_string(content).map_err(|_| StorageError::Unreadable("a template"))
}

/// A transaction that sees the templates. For who has the operator's token.
pub(crate) async fn begin(database: &Database) -> Result<PgTransaction<'static>, StorageError> {
    let mut transaction = database.begin().await?;
    look_over_all(&mut transaction).await?;
    Ok(transaction)
}

/// One of them, locked against another change.
pub(crate) async fn find(connection: &mut PgConnection, name: &str) -> Result<Option<StoredTemplate>, StorageError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT content, model_kind, model_base_url, model_name, created_at, updated_at
         FROM api_templates WHERE name = $1 FOR UPDATE",
        name
    );
    row.fetch_optional(connection).await?.map(TryInto::try_into).transpose()
}

/// Some of them by their names, after one of these.
pub(crate) async fn list(
    connection: &mut PgConnection,
    after: Option<&str>,
    most: i64,
) -> Result<Vec<StoredTemplate>, StorageError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT content, model_kind, model_base_url, model_name, created_at, updated_at
         FROM api_templates WHERE $1::text IS NULL OR name > $1 ORDER BY name LIMIT $2",
        after,
        most
    );
    let rows = rows.fetch_all(connection).await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// How many there are.
pub(crate) async fn count(connection: &mut PgConnection) -> Result<i64, StorageError> {
    let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM api_templates"#);
    Ok(count.fetch_one(connection).await?)
}

/// Adds one; false where there is one of its name.
pub(crate) async fn create(connection: &mut PgConnection, template: &StoredTemplate) -> Result<bool, StorageError> {
    let model = template.model.as_ref();
    let made = sqlx::query!(
        "INSERT INTO api_templates (name, content, model_kind, model_base_url, model_name, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING",
        template.content.name,
        text(&template.content)?,
        model.map(|model| model.kind.as_str()),
        model.map(|model| model.base_url.as_str()),
        model.map(|model| model.name.as_str()),
        template.created_at,
        template.updated_at
    );
    Ok(made.execute(connection).await?.rows_affected() == 1)
}

/// Stores what may change of one.
pub(crate) async fn change(connection: &mut PgConnection, template: &StoredTemplate) -> Result<(), StorageError> {
    let model = template.model.as_ref();
    sqlx::query!(
        "UPDATE api_templates SET content = $2, model_kind = $3, model_base_url = $4, model_name = $5, updated_at = $6 WHERE name = $1",
        template.content.name,
        text(&template.content)?,
        model.map(|model| model.kind.as_str()),
        model.map(|model| model.base_url.as_str()),
        model.map(|model| model.name.as_str()),
        template.updated_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes one; false where there is none.
pub(crate) async fn remove(connection: &mut PgConnection, name: &str) -> Result<bool, StorageError> {
    let gone = sqlx::query!("DELETE FROM api_templates WHERE name = $1", name);
    Ok(gone.execute(connection).await?.rows_affected() == 1)
}
