//! Our own PostgreSQL: what it survives, and what it says when it cannot run.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use management::postgres::{Cluster, PostgresError, Settings};
use management::{
    Config, Management, OsEntropy, Parts, RequestLimits, SessionTimes, SystemClock, database, mail::Outbox,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use crate::support::{Browser, Cells, open_folder, template};

async fn start(folder: &Path) -> Result<Cluster, PostgresError> {
    Cluster::start(Settings::new(folder)).await
}

async fn connect(folder: &Path) -> sqlx::PgConnection {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(folder.join("postgres/run"))
        .username("holdfast");
    options.database("holdfast").connect().await.unwrap()
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[tokio::test]
async fn it_listens_on_its_socket_alone_and_runs_as_nobody_special() {
    let folder = open_folder();
    let cluster = start(folder.path()).await.unwrap();
    let mut connection = connect(folder.path()).await;
    for (setting, value) in [
        ("listen_addresses", ""),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
    ] {
        let found: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(setting)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(found, value, "{setting}");
    }
    let base = folder.path().join("postgres");
    for private in ["data", "run"] {
        assert_eq!(
            std::fs::metadata(base.join(private)).unwrap().permissions().mode() & 0o777,
            0o700,
            "{private}"
        );
    }
    assert_eq!(
        std::fs::metadata(base.join("postgres.log"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let pid = cluster.pid().borrow().unwrap();
    let owner = std::fs::metadata(format!("/proc/{pid}")).unwrap().uid();
    assert_ne!(owner, 0);
    cluster.stop().await;
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test]
async fn what_was_written_is_there_after_a_stop_and_a_start() {
    let folder = open_folder();
    template::copy_to(folder.path()).await;
    let cluster = start(folder.path()).await.unwrap();
    sqlx::raw_sql("CREATE TABLE kept AS SELECT 1 AS id")
        .execute(&mut connect(folder.path()).await)
        .await
        .unwrap();
    cluster.stop().await;
    let cluster = start(folder.path()).await.unwrap();
    sqlx::query("SELECT id FROM kept")
        .fetch_one(&mut connect(folder.path()).await)
        .await
        .unwrap();
    cluster.stop().await;
}

#[tokio::test]
async fn one_data_directory_has_one_server() {
    let folder = open_folder();
    template::copy_to(folder.path()).await;
    let cluster = start(folder.path()).await.unwrap();
    assert!(matches!(start(folder.path()).await, Err(PostgresError::InUse(_))));
    cluster.stop().await;
    start(folder.path()).await.unwrap().stop().await;
}

#[tokio::test]
async fn promise_05_killed_postgres_is_started_again_and_keeps_what_it_acknowledged() {
    let folder = open_folder();
    template::copy_to(folder.path()).await;
    let cluster = start(folder.path()).await.unwrap();
    let database = database::open(cluster.source()).await.unwrap();
    let parts = Parts {
        database,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        mailer: Arc::new(Outbox::new(folder.path().join("outbox"))),
        cells: Arc::new(Cells::default()),
        machine: Arc::new(Cells::default()),
        gateway_key: management::gateway_key::load_or_create(folder.path()).unwrap(),
        factor_key: management::FactorKey::from_bytes(&[8; 32]),
        provider_key: management::ProviderKey::from_bytes(&[10; 32]),
        destination_key: management::DestinationKey::from_bytes(&[11; 32]),
        push_key: management::PushKey::from_bytes(&[12; 32]),
        audit_key: management::audit::AuditKey::from_bytes(&[9; 32]),
        shared_limits: None,
        tenant_api: None,
    };
    let config = Config {
        public_url: "http://localhost:8080".parse().unwrap(),
        data_dir: folder.path().into(),
        name: "Holdfast".into(),
        version: "0".into(),
        trusted_proxies: Vec::new(),
        cors_origins: Vec::new(),
        private_provider_addresses: Vec::new(),
        private_alert_addresses: Vec::new(),
        push: true,
        private_push_addresses: Vec::new(),
        sessions: SessionTimes::default(),
        requests: RequestLimits::default(),
        demo_model: None,
    };
    let management = Management::new(config, parts);
    let link = std::fs::read_to_string(management.publish_setup_link().await.unwrap().unwrap()).unwrap();
    let token = link.trim().split_once('#').unwrap().1;
    let mut anna = Browser::new(management::router(&management));
    let body = json!({"token": token, "organisation": "Acme", "name": "Anna", "email": "anna@acme.example"});
    anna.post("/setup", body).await.expect(200);

    for round in 0..2 {
        let email = format!("bob{round}@acme.example");
        anna.post("/invitations", json!({"email": email, "role": "member"}))
            .await
            .expect(201);
        let mut pid = cluster.pid();
        let killed = pid.borrow_and_update().unwrap();
        // At first its data is out of reach, so that it cannot come back: requests say so, and when to try again.
        let (data, away) = (folder.path().join("postgres/data"), folder.path().join("postgres/away"));
        if round == 0 {
            std::fs::rename(&data, &away).unwrap();
        }
        signal(killed, Signal::KILL);
        pid.wait_for(|now| *now != Some(killed)).await.unwrap();
        if round == 0 {
            let answer = anna.get("/me").await.refused(503, "database_unavailable");
            assert!(answer.headers.contains_key("retry-after"));
            std::fs::rename(&away, &data).unwrap();
        }

        let back = async {
            while !management.database_ready().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), back)
            .await
            .expect("it comes back by itself");
        let listed = anna.get("/invitations").await.expect(200).json;
        assert_eq!(listed["invitations"].as_array().unwrap().len(), round + 1);
    }
    management.shutdown().await;
    cluster.stop().await;
}

#[tokio::test]
async fn a_postgres_that_outlived_its_server_is_stopped_first() {
    let folder = open_folder();
    template::copy_to(folder.path()).await;
    start(folder.path()).await.unwrap().stop().await;
    let mut orphan = by_hand(folder.path());
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    while !folder.path().join("postgres/run/.s.PGSQL.5432").exists() {
        assert!(tokio::time::Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let cluster = start(folder.path()).await.unwrap();
    assert!(orphan.try_wait().unwrap().is_some(), "the orphan has ended");
    assert_ne!(cluster.pid().borrow().unwrap(), i32::try_from(orphan.id()).unwrap());
    cluster.stop().await;
}

/// The postmaster of the folder, started beside us, as a killed server leaves it.
fn by_hand(folder: &Path) -> std::process::Child {
    use std::os::unix::process::CommandExt as _;
    let owner = std::fs::metadata(folder.join("postgres/data")).unwrap();
    let binaries = std::fs::read_dir("/usr/lib/postgresql")
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let data = folder.canonicalize().unwrap().join("postgres/data");
    let mut command = std::process::Command::new(binaries.join("bin/postgres"));
    command
        .arg("-D")
        .arg(&data)
        .args(["-c", "listen_addresses=", "-k"])
        .arg(folder.join("postgres/run"));
    if rustix::process::geteuid().is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    command
        .current_dir("/")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn a_pid_file_that_names_a_stranger_is_stale_and_the_stranger_lives_on() {
    let folder = open_folder();
    template::copy_to(folder.path()).await;
    start(folder.path()).await.unwrap().stop().await;
    let file = folder.path().join("postgres/data/postmaster.pid");
    std::fs::write(&file, format!("{}\n", std::process::id())).unwrap();
    start(folder.path()).await.unwrap().stop().await;
}

#[tokio::test]
async fn an_interrupted_first_start_is_begun_again() {
    let folder = open_folder();
    let half = folder.path().join("postgres/data.new");
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(half.join("PG_VERSION"), "15\n").unwrap();
    start(folder.path()).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_folder_that_postgres_cannot_walk_through_is_named() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = open_folder();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let error = start(&folder.path().join("data")).await.unwrap_err();
    assert!(error.to_string().contains("chmod o+x"), "{error}");
    let long = open_folder();
    let error = start(&long.path().join("x".repeat(100))).await.unwrap_err();
    assert!(matches!(error, PostgresError::SocketPathTooLong { .. }));
}
