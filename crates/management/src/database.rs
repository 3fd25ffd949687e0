//! Opens the database: the schema is brought up to date as its owner, and then only the role `holdfast_app` is used, which
//! cannot pass row-level security. A schema that this program does not know is refused.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, PgPool, PgTransaction};

use crate::limits;
use crate::storage::{LookUps, StorageError};

/// Every migration that this program knows, oldest first.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The role of the application.
const APP: &str = "holdfast_app";

/// Where the database is.
#[derive(Clone)]
pub enum Source {
    /// Our own cluster, behind a socket that only we reach: each role signs in as itself.
    Embedded {
        socket: PathBuf,
        database: String,
        owner: String,
    },
    /// A server that the operator runs (`DATABASE_URL`): signs in as the owner and takes on the application's role.
    Url(String),
}

/// Why the database cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("DATABASE_URL is not like postgresql://user@host:5432/holdfast")]
    Url,
    #[error(
        "cannot reach PostgreSQL: {0}. Check its URL (DATABASE_URL or `database.url_file`) and that the server runs"
    )]
    Unreachable(#[source] sqlx::Error),
    #[error(
        "the database is of a newer Holdfast (it has migration {0}, which this version does not know). \
         Start the newer version, or restore a backup from before the upgrade"
    )]
    Newer(i64),
    #[error(
        "the database was made by another build of Holdfast (migration {0} differs from this version's). \
         Start the version that made it"
    )]
    Differs(i64),
    #[error(
        "the database holds tables that are not Holdfast's (such as `{0}`): name an empty database in DATABASE_URL"
    )]
    Foreign(String),
    #[error("bringing the database up to date failed: {0}")]
    Migration(#[source] MigrateError),
    #[error(
        "cannot make the database role {APP}: {0}. Let an administrator run: \
         CREATE ROLE {APP} NOLOGIN NOSUPERUSER NOBYPASSRLS; GRANT {APP} TO <the user of DATABASE_URL>"
    )]
    Role(#[source] sqlx::Error),
    #[error(
        "the database role {0} can pass row-level security, so tenants would not be kept apart: run ALTER ROLE {0} NOSUPERUSER NOBYPASSRLS"
    )]
    RoleBypasses(String),
}

/// The database, as the application may use it.
#[derive(Clone)]
pub struct Database {
    pool: PgPool,
    look_ups: Arc<LookUps>,
}

/// Brings the schema up to date and opens the application's connections.
///
/// # Errors
/// [`DatabaseError`], one sentence each.
pub async fn open(source: Source) -> Result<Database, DatabaseError> {
    migrate(&source).await?;
    let app = source.app_options()?;
    let pool = PgPoolOptions::new()
        .max_connections(limits::DATABASE_CONNECTIONS)
        .acquire_timeout(limits::DATABASE_WAIT)
        .idle_timeout(Duration::from_secs(300))
        .connect_with(app)
        .await
        .map_err(DatabaseError::Unreachable)?;
    let role = sqlx::query_as::<_, (String, bool)>(
        "SELECT rolname::text, rolsuper OR rolbypassrls OR current_user <> 'holdfast_app' FROM pg_roles WHERE rolname = current_user",
    );
    match role.fetch_one(&pool).await.map_err(DatabaseError::Unreachable)? {
        (name, true) => Err(DatabaseError::RoleBypasses(name)),
        (_, false) => Ok(Database {
            pool,
            look_ups: Arc::default(),
        }),
    }
}

/// Brings the schema up to date as the owner.
///
/// # Errors
/// [`DatabaseError`], one sentence each.
pub async fn migrate(source: &Source) -> Result<(), DatabaseError> {
    let mut owner = source
        .owner_options()?
        .connect()
        .await
        .map_err(DatabaseError::Unreachable)?;
    refuse_foreign_tables(&mut owner).await?;
    // Two servers that start at once would change the same grants at once, which PostgreSQL answers with an error. The lock
    // ends with the connection; the migrator has one of its own.
    sqlx::query("SELECT pg_advisory_lock(hashtext('holdfast/roles'))")
        .execute(&mut owner)
        .await
        .map_err(DatabaseError::Role)?;
    ensure_role(&mut owner, matches!(source, Source::Embedded { .. }))
        .await
        .map_err(DatabaseError::Role)?;
    MIGRATIONS.run(&mut owner).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => DatabaseError::Newer(version),
        MigrateError::VersionMismatch(version) => DatabaseError::Differs(version),
        other => DatabaseError::Migration(other),
    })?;
    owner.close().await.map_err(DatabaseError::Unreachable)
}

async fn refuse_foreign_tables(owner: &mut PgConnection) -> Result<(), DatabaseError> {
    let foreign: Option<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
         AND to_regclass('public._sqlx_migrations') IS NULL LIMIT 1",
    )
    .fetch_optional(owner)
    .await
    .map_err(DatabaseError::Unreachable)?;
    foreign.map_or(Ok(()), |table| Err(DatabaseError::Foreign(table)))
}

/// Roles belong to the whole server, so this is not a migration: two installations may share one.
async fn ensure_role(owner: &mut PgConnection, embedded: bool) -> Result<(), sqlx::Error> {
    let exists = sqlx::query("SELECT FROM pg_roles WHERE rolname = 'holdfast_app'")
        .fetch_optional(&mut *owner)
        .await?;
    if exists.is_none() {
        let create = match embedded {
            true => "CREATE ROLE holdfast_app LOGIN NOSUPERUSER NOBYPASSRLS NOINHERIT",
            false => "CREATE ROLE holdfast_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOINHERIT",
        };
        match sqlx::raw_sql(create).execute(&mut *owner).await {
            // Another server made it at the same moment.
            Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42710" | "23505")) => {}
            other => {
                other?;
            }
        }
    }
    if !embedded {
        let member = sqlx::query_scalar::<_, bool>("SELECT pg_has_role(current_user, 'holdfast_app', 'MEMBER')");
        if !member.fetch_one(&mut *owner).await? {
            sqlx::raw_sql("GRANT holdfast_app TO CURRENT_USER")
                .execute(&mut *owner)
                .await?;
        }
    }
    sqlx::raw_sql("GRANT USAGE ON SCHEMA public TO holdfast_app")
        .execute(owner)
        .await?;
    Ok(())
}

impl Database {
    /// Whether PostgreSQL answers now.
    pub async fn ready(&self) -> bool {
        let answer = tokio::time::timeout(limits::DATABASE_WAIT, sqlx::query("SELECT").execute(&self.pool));
        matches!(answer.await, Ok(Ok(_)))
    }

    /// Closes every connection, after what runs on it.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// What goes together with that of other requests.
    pub(crate) fn look_ups(&self) -> &LookUps {
        &self.look_ups
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self) -> Result<PgTransaction<'static>, StorageError> {
        self.begin_with("BEGIN".to_owned()).await
    }

    /// Begins a transaction with this `BEGIN` and what stands behind it. In a task of its own: sqlx does not know of a transaction whose
    /// beginning nobody waits for any more, as when a client leaves, and would hand its connection on with it.
    #[expect(clippy::disallowed_methods, reason = "the one place, which goes to the end")]
    pub(crate) async fn begin_with(&self, begin: String) -> Result<PgTransaction<'static>, StorageError> {
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(begin)).await });
        Ok(begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))?)
    }
}

impl Source {
    fn owner_options(&self) -> Result<PgConnectOptions, DatabaseError> {
        match self {
            Self::Embedded {
                socket,
                database,
                owner,
            } => Ok(PgConnectOptions::new_without_pgpass()
                .socket(socket)
                .username(owner)
                .database(database)
                .application_name("holdfast-migrate")),
            // The parser's own words are left out: they may repeat the password.
            Self::Url(url) if url.starts_with("postgresql://") || url.starts_with("postgres://") => {
                url.parse().map_err(|_| DatabaseError::Url)
            }
            Self::Url(_) => Err(DatabaseError::Url),
        }
    }

    fn app_options(&self) -> Result<PgConnectOptions, DatabaseError> {
        let options = self.owner_options()?.application_name("holdfast");
        Ok(match self {
            Self::Embedded { .. } => options.username(APP),
            // Set while connecting, so that RESET ROLE comes back to it.
            Self::Url(_) => options.options([("role", APP)]),
        })
    }
}
