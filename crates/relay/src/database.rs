//! Opens the relay's database: the schema `relay` is brought up to date as its owner, and then only the role `holdfast_relay` is
//! used, which has rights on the relay's tables and on no others, wherever they lie.

use std::path::PathBuf;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool, PgTransaction};

use crate::limits;

/// Every migration that this program knows, oldest first.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The role of the relay.
const ROLE: &str = "holdfast_relay";
const SCHEMA: &str = "relay";

/// Where the database is.
#[derive(Clone)]
pub enum Source {
    /// A cluster of our own, behind a socket that only we reach: each role signs in as itself.
    Embedded {
        socket: PathBuf,
        database: String,
        owner: String,
    },
    /// A server that the operator runs: signs in as the owner and takes on the relay's role.
    Url(String),
}

/// Why the database cannot be used, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("the relay's database URL is not like postgresql://user@host:5432/holdfast")]
    Url,
    #[error("cannot reach the relay's PostgreSQL: {0}. Check its URL and that the server runs")]
    Unreachable(#[source] sqlx::Error),
    #[error(
        "the relay's database is of a newer Holdfast (it has migration {0}, which this version does not know). Start the newer version"
    )]
    Newer(i64),
    #[error(
        "the relay's database was made by another build of Holdfast (migration {0} differs). Start the version that made it"
    )]
    Differs(i64),
    #[error("bringing the relay's database up to date failed: {0}")]
    Migration(#[source] MigrateError),
    #[error(
        "cannot make the database role {ROLE}: {0}. Let an administrator run: \
         CREATE ROLE {ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS; GRANT {ROLE} TO <the user of the relay's database URL>"
    )]
    Role(#[source] sqlx::Error),
    #[error("the database role {0} may do more than the relay should: run ALTER ROLE {0} NOSUPERUSER NOBYPASSRLS")]
    RoleTooStrong(String),
    #[error("another relay uses this database: stop it first")]
    InUse,
}

/// The database, as the relay may use it.
#[derive(Clone)]
pub struct Database {
    pool: PgPool,
    options: PgConnectOptions,
}

impl Database {
    /// Brings the schema up to date and opens the relay's connections.
    ///
    /// # Errors
    /// [`DatabaseError`], one sentence each.
    pub async fn open(source: &Source) -> Result<Self, DatabaseError> {
        migrate(source).await?;
        let options = source.relay_options()?;
        let pool = PgPoolOptions::new()
            .max_connections(limits::DATABASE_CONNECTIONS)
            .acquire_timeout(limits::DATABASE_WAIT)
            .connect_with(options.clone())
            .await
            .map_err(DatabaseError::Unreachable)?;
        let role = sqlx::query_as::<_, (String, bool)>(
            "SELECT rolname::text, rolsuper OR rolbypassrls OR current_user <> 'holdfast_relay'
             FROM pg_roles WHERE rolname = current_user",
        );
        match role.fetch_one(&pool).await.map_err(DatabaseError::Unreachable)? {
            (name, true) => Err(DatabaseError::RoleTooStrong(name)),
            (_, false) => Ok(Self { pool, options }),
        }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection for the writer alone.
    pub(crate) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        self.options.connect().await
    }

    /// Closes every connection, after what runs on it.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Begins a transaction. In a task of its own: sqlx does not know of a transaction whose beginning nobody waits for any more, as when a
/// keeper leaves, and would hand its connection on with it.
#[expect(clippy::disallowed_methods, reason = "the one place, which goes to the end")]
pub(crate) async fn begin(pool: &PgPool) -> Result<PgTransaction<'static>, sqlx::Error> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin().await });
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

async fn migrate(source: &Source) -> Result<(), DatabaseError> {
    let owner = source.owner_options()?;
    let mut owner = owner.connect().await.map_err(DatabaseError::Unreachable)?;
    sqlx::query("SELECT pg_advisory_lock(hashtext('holdfast/relay/schema'))")
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

/// Roles belong to the whole server, so this is not a migration: two installations may share one.
async fn ensure_role(owner: &mut PgConnection, embedded: bool) -> Result<(), sqlx::Error> {
    let exists = sqlx::query("SELECT FROM pg_roles WHERE rolname = 'holdfast_relay'");
    if exists.fetch_optional(&mut *owner).await?.is_none() {
        let create = match embedded {
            true => "CREATE ROLE holdfast_relay LOGIN NOSUPERUSER NOBYPASSRLS NOINHERIT",
            false => "CREATE ROLE holdfast_relay NOLOGIN NOSUPERUSER NOBYPASSRLS NOINHERIT",
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
        let member = sqlx::query_scalar::<_, bool>("SELECT pg_has_role(current_user, 'holdfast_relay', 'MEMBER')");
        if !member.fetch_one(&mut *owner).await? {
            sqlx::raw_sql("GRANT holdfast_relay TO CURRENT_USER")
                .execute(&mut *owner)
                .await?;
        }
    }
    sqlx::raw_sql("CREATE SCHEMA IF NOT EXISTS relay; GRANT USAGE ON SCHEMA relay TO holdfast_relay")
        .execute(owner)
        .await?;
    Ok(())
}

impl Source {
    fn owner_options(&self) -> Result<PgConnectOptions, DatabaseError> {
        let options = match self {
            Self::Embedded {
                socket,
                database,
                owner,
            } => PgConnectOptions::new_without_pgpass()
                .socket(socket)
                .username(owner)
                .database(database),
            // The parser's own words are left out: they may repeat the password.
            Self::Url(url) if url.starts_with("postgresql://") || url.starts_with("postgres://") => {
                url.parse().map_err(|_| DatabaseError::Url)?
            }
            Self::Url(_) => return Err(DatabaseError::Url),
        };
        Ok(options
            .application_name("holdfast-relay")
            .options([("search_path", SCHEMA)]))
    }

    fn relay_options(&self) -> Result<PgConnectOptions, DatabaseError> {
        let options = self.owner_options()?;
        Ok(match self {
            Self::Embedded { .. } => options.username(ROLE),
            // Set while connecting, so that RESET ROLE comes back to it.
            Self::Url(_) => options.options([("role", ROLE)]),
        })
    }
}
