//! A PostgreSQL of our own, for installations that name none: the distribution's programs, a cluster in
//! `<data-dir>/postgres`, reached over a unix socket alone, never as root, started again when it dies, stopped with us.

mod account;
mod binaries;
mod error;
mod folder;
mod leftover;
mod supervisor;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::process::Child;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

pub use error::PostgresError;

use crate::database::Source;
use account::Account;
use folder::Folder;
use supervisor::Supervisor;

const DATABASE: &str = "holdfast";
/// The cluster's superuser: owns the tables, runs the migrations, and nothing else.
const OWNER: &str = "holdfast";
/// How long a start may take, recovery after a crash included.
const START_TIME: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Where the cluster lives.
#[derive(Debug, Clone)]
pub struct Settings {
    data_dir: PathBuf,
}

impl Settings {
    /// The cluster of the installation in this data directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
        }
    }
}

/// A running cluster. Dropping it stops PostgreSQL too, but only [`Cluster::stop`] waits for it.
#[derive(Debug)]
pub struct Cluster {
    folder: Arc<Folder>,
    pid: watch::Receiver<Option<i32>>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Cluster {
    /// Makes the cluster at the first start, starts PostgreSQL, and returns when it answers.
    ///
    /// # Errors
    /// [`PostgresError`], each with what to do.
    pub async fn start(settings: Settings) -> Result<Self, PostgresError> {
        let account = Account::choose()?;
        let folder = Arc::new(Folder::open(&settings.data_dir, &account)?);
        let binaries = binaries::find(&folder.data)?;
        folder.create_cluster(&binaries, &account).await?;
        leftover::clear(&folder.data).await?;
        leftover::unlock_socket(&folder.run, &folder.data)?;

        let supervisor = Supervisor {
            folder: folder.clone(),
            binaries,
            account,
        };
        let child = first_start(&supervisor).await?;
        let (pid_sender, pid) = watch::channel(None);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(supervisor.run(child, pid_sender, stopped));
        let cluster = Self {
            folder,
            pid,
            stop: Some(stop),
            task: Some(task),
        };
        cluster
            .create_database(DATABASE)
            .await
            .map_err(PostgresError::Unanswered)?;
        Ok(cluster)
    }

    /// How to reach the installation's database.
    pub fn source(&self) -> Source {
        self.source_of(DATABASE)
    }

    /// How to reach a database of this cluster.
    pub fn source_of(&self, database: &str) -> Source {
        Source::Embedded {
            socket: self.folder.run.clone(),
            database: database.into(),
            owner: OWNER.into(),
        }
    }

    /// Makes a database if it is missing.
    ///
    /// # Errors
    /// When PostgreSQL does not answer.
    pub async fn create_database(&self, name: &str) -> Result<(), sqlx::Error> {
        let mut connection = options(&self.folder.run, "postgres").connect().await?;
        let exists = sqlx::query("SELECT FROM pg_database WHERE datname = $1").bind(name);
        if exists.fetch_optional(&mut connection).await?.is_none() {
            let quoted = name.replace('"', "\"\"");
            let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE \"{quoted}\" ENCODING 'UTF8'"));
            sqlx::raw_sql(create).execute(&mut connection).await?;
        }
        connection.close().await
    }

    /// A URL of the owner, for tools such as `psql` and the checked queries.
    pub fn owner_url(&self) -> String {
        format!(
            "postgresql:///{DATABASE}?host={}&user={OWNER}",
            self.folder.run.display()
        )
    }

    /// The postmaster's process, while one runs. Changes when it is started again.
    pub fn pid(&self) -> watch::Receiver<Option<i32>> {
        self.pid.clone()
    }

    /// Stops PostgreSQL and waits until it has.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(task) = self.task.take() {
            let _panicked = task.await;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The supervisor sees its channel close and stops the postmaster; if its runtime is already gone, this signal does.
        if self.task.is_some()
            && let Some(pid) = self.pid.borrow().and_then(rustix::process::Pid::from_raw)
        {
            let _gone = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        }
    }
}

fn options(socket: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket)
        .username(OWNER)
        .database(database)
}

/// Starts the postmaster and waits until it answers. One that cannot start yet, because processes of a killed one still
/// hold its memory, is tried again.
async fn first_start(supervisor: &Supervisor) -> Result<Child, PostgresError> {
    let until = Instant::now() + START_TIME;
    loop {
        let log_length = std::fs::metadata(&supervisor.folder.log).map_or(0, |meta| meta.len());
        let mut child = supervisor.spawn()?;
        let unanswered = loop {
            let tried = options(&supervisor.folder.run, "postgres").connect().await;
            match tried {
                Ok(connection) => {
                    let _closed = connection.close().await;
                    return Ok(child);
                }
                Err(error) if Instant::now() > until => break Some(error),
                Err(_) => {}
            }
            tokio::select! {
                _ = child.wait() => break None,
                // A postmaster says that it is ready by answering, and in no other way that needs no extra part.
                () = sleep(LOOK_AGAIN) => {}
            }
        };
        if let Some(error) = unanswered {
            let _gone = child.kill().await;
            return Err(PostgresError::Unanswered(error));
        }
        let said = supervisor.folder.last_complaint(log_length);
        if !said.contains("still in use") || Instant::now() > until {
            return Err(PostgresError::DidNotStart {
                said,
                log: supervisor.folder.log.clone(),
            });
        }
        sleep(LOOK_AGAIN * 8).await;
    }
}
