//! What the control plane is measured beside: axum and PostgreSQL alone, without headers, limits, roles, audit or row-level security. It
//! is a process of its own, `bench reference <socket folder>`, and says its port on standard output.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// The argument that starts it.
pub const ARGUMENT: &str = "reference";
/// As many as the server has.
const POOL: u32 = 16;
const DATABASE: &str = "reference";
const ROLE: &str = "holdfast";
const TOKEN: &str = "a session of the reference";

/// A running one; it ends when it is dropped.
pub struct Reference {
    pub process: Child,
    pub address: SocketAddr,
}

impl Reference {
    /// Starts it on the PostgreSQL of an installation, in a database of its own.
    pub async fn start(data_dir: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .arg(ARGUMENT)
            .arg(data_dir.join("postgres/run"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("this program starts again");
        let mut said = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let port = said.next_line().await.expect("it speaks").expect("it says its port");
        let port = port.parse().expect("a port is a number");
        Self {
            process,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        }
    }

    /// The header of who is signed in.
    pub fn cookie() -> (&'static str, String) {
        (header::COOKIE.as_str(), format!("session={TOKEN}"))
    }
}

fn options(socket: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket)
        .username(ROLE)
        .database(database)
}

/// The process itself.
pub async fn run(socket: &Path) {
    let mut first = PgConnection::connect_with(&options(socket, "postgres"))
        .await
        .expect("PostgreSQL answers");
    let create = format!("CREATE DATABASE {DATABASE}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(create))
        .execute(&mut first)
        .await
        .expect("a database");
    let pool = PgPoolOptions::new()
        .min_connections(POOL)
        .max_connections(POOL)
        .connect_with(options(socket, DATABASE))
        .await
        .expect("connections");
    let tables = "CREATE TABLE users (id uuid PRIMARY KEY, email text NOT NULL, name text NOT NULL);
        CREATE TABLE sessions (hash bytea PRIMARY KEY, user_id uuid NOT NULL REFERENCES users (id), expires_at timestamptz NOT NULL);
        INSERT INTO users VALUES (gen_random_uuid(), 'anna@example.org', 'Anna');";
    sqlx::raw_sql(tables).execute(&pool).await.expect("tables");
    sqlx::query("INSERT INTO sessions SELECT $1, id, now() + interval '1 day' FROM users")
        .bind(hash(TOKEN))
        .execute(&pool)
        .await
        .expect("a session");
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/me", get(me))
        .with_state(pool);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a free port");
    println!("{}", listener.local_addr().expect("it is bound").port());
    std::io::stdout().flush().expect("standard output is read");
    axum::serve(listener, router)
        .await
        .expect("it serves until it is ended");
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

async fn me(State(pool): State<PgPool>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let cookie = headers.get(header::COOKIE).and_then(|value| value.to_str().ok());
    let token = cookie.and_then(|cookie| cookie.strip_prefix("session="));
    let token = token.ok_or(StatusCode::UNAUTHORIZED)?;
    let row: Option<(uuid::Uuid, String, String)> = sqlx::query_as(
        "SELECT users.id, email, name FROM sessions JOIN users ON users.id = user_id WHERE hash = $1 AND expires_at > now()",
    )
    .bind(hash(token))
    .fetch_optional(&pool)
    .await
    .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let (id, email, name) = row.ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(Json(json!({"id": id, "email": email, "name": name})))
}
