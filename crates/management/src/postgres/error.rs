//! Why our own PostgreSQL does not run, and what to do about it.

use std::path::PathBuf;

/// Each is one sentence, or two, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error(
        "PostgreSQL is not installed (looked in /usr/lib/postgresql/*/bin). Install it with `apt-get install postgresql`, \
         or set DATABASE_URL to a server of yours"
    )]
    NotInstalled,
    #[error(
        "the database in {path} was made by PostgreSQL {version}, which is not installed. Install postgresql-{version}, \
         or upgrade the cluster with pg_upgradecluster"
    )]
    VersionNotInstalled { path: PathBuf, version: String },
    #[error(
        "PostgreSQL does not run as root, and there is no system user `postgres` to run it as. \
         Install the distribution's package postgresql, or start Holdfast as an ordinary user"
    )]
    NoAccount,
    #[error(
        "the system user `{account}` cannot reach {path}: {blocked} is closed to other users. \
         Choose another data directory (for root: /var/lib/holdfast), or run `chmod o+x {blocked}`"
    )]
    Unreachable {
        account: String,
        path: PathBuf,
        blocked: PathBuf,
    },
    #[error(
        "the path of the database's socket, {path}, is longer than the {limit} bytes that Linux allows: choose a shorter data directory"
    )]
    SocketPathTooLong { path: PathBuf, limit: usize },
    #[error("another Holdfast already uses {0}: stop it first, or choose another data directory")]
    InUse(PathBuf),
    #[error("cannot use {path}: {source}. Check that the data directory is writable and the disk is not full")]
    File { path: PathBuf, source: std::io::Error },
    #[error("cannot run {program}: {source}")]
    Program { program: PathBuf, source: std::io::Error },
    #[error("making the database failed: {said}")]
    Initdb { said: String },
    #[error("PostgreSQL did not start: {said}. Its log is {log}")]
    DidNotStart { said: String, log: PathBuf },
    #[error("PostgreSQL (process {pid}) of an earlier run did not stop in time. Stop it with `kill -QUIT {pid}`")]
    OldOneRuns { pid: i32 },
    #[error("PostgreSQL runs but does not answer: {0}")]
    Unanswered(#[source] sqlx::Error),
}

/// Adds the path to an I/O error.
pub(super) fn at(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> PostgresError + '_ {
    move |source| PostgresError::File {
        path: path.to_path_buf(),
        source,
    }
}
