//! One PostgreSQL for all tests of a process, and a database of its own for each test.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use management::database::Source;
use management::postgres::{Cluster, Settings};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::sync::oneshot;

use super::template;

/// Lives as long as a test holds it; the next test after that starts a new one.
static SHARED: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

/// What the clusters of tests that run at once may need.
const ROOM_BYTES: u64 = 2 * 1024 * 1024 * 1024;

struct Shared {
    socket: std::path::PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Shared {
    fn get() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let started = Arc::new(Self::start());
        *shared = Arc::downgrade(&started);
        started
    }

    /// The cluster's tasks need a runtime that outlives the test which happened to come first.
    fn start() -> Self {
        let (started, socket) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let folder = passing_folder();
                template::copy_to(folder.path()).await;
                let cluster = Cluster::start(Settings::new(folder.path())).await.unwrap();
                started.send(folder.path().join("postgres/run")).unwrap();
                let _dropped = stopped.await;
                cluster.stop().await;
            });
        });
        Self {
            socket: socket.recv().expect("the cluster starts"),
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _panicked = self.thread.take().map(JoinHandle::join);
    }
}

/// A folder that PostgreSQL's user can walk through.
pub fn open_folder() -> tempfile::TempDir {
    open_folder_in(&std::env::temp_dir())
}

fn open_folder_in(place: &Path) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    tempfile::Builder::new()
        .prefix("holdfast-test-")
        .permissions(std::fs::Permissions::from_mode(0o711))
        .tempdir_in(place)
        .unwrap()
}

/// The same for what nobody has to find after a crash: in memory, where that has room, because most of such a test was waiting for the disk.
fn passing_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    match rustix::fs::statvfs(memory) {
        Ok(it) if it.f_bavail * it.f_frsize >= ROOM_BYTES => open_folder_in(memory),
        _ => open_folder(),
    }
}

/// A database with the whole schema, and nothing in it.
#[derive(Clone)]
pub struct TestDatabase {
    shared: Arc<Shared>,
    name: String,
}

impl TestDatabase {
    pub async fn new() -> Self {
        Self::from_template(template::DATABASE).await
    }

    /// A database without a schema.
    pub async fn empty() -> Self {
        Self::from_template("template1").await
    }

    async fn from_template(template: &str) -> Self {
        let shared = tokio::task::spawn_blocking(Shared::get).await.unwrap();
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let this = Self { shared, name };
        let mut connection = this.options("postgres", "holdfast").connect().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "CREATE DATABASE {} TEMPLATE {template}",
            this.name
        )))
        .execute(&mut connection)
        .await
        .unwrap();
        this
    }

    pub fn source(&self) -> Source {
        Source::Embedded {
            socket: self.socket().into(),
            database: self.name.clone(),
            owner: "holdfast".into(),
        }
    }

    pub fn socket(&self) -> &Path {
        &self.shared.socket
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection as the superuser, whom row-level security does not hold.
    pub async fn owner(&self) -> PgConnection {
        self.options(&self.name, "holdfast").connect().await.unwrap()
    }

    /// Until so many wait for a lock in it.
    pub async fn until_wait_for_locks(&self, many: i64) {
        let mut looks = self.owner().await;
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let wait = async {
            while sqlx::query_scalar::<_, i64>(waiting)
                .fetch_one(&mut looks)
                .await
                .unwrap()
                < many
            {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let came = tokio::time::timeout(std::time::Duration::from_secs(20), wait).await;
        came.unwrap_or_else(|_| panic!("{many} wait for a lock"));
    }

    /// Ends the connections of those who wait for a lock in it.
    pub async fn cuts_off_who_waits_for_locks(&self) {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        sqlx::raw_sql(cut).execute(&mut self.owner().await).await.unwrap();
    }

    /// A connection as the application signs in.
    pub async fn app(&self) -> PgConnection {
        self.options(&self.name, "holdfast_app").connect().await.unwrap()
    }

    fn options(&self, database: &str, role: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.socket())
            .username(role)
            .database(database)
    }
}
