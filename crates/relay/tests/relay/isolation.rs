use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};

use crate::support::Server;

pub async fn connect(server: &Server, database: &str, role: &str) -> Result<PgConnection, sqlx::Error> {
    PgConnectOptions::new_without_pgpass()
        .socket(server.folder.path().join("postgres/run"))
        .username(role)
        .database(database)
        .connect()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_01_the_relays_role_reads_nothing_of_managements_and_changes_no_revocation() {
    let server = Server::new().await;
    let _management = management::database::open(server.cluster.source()).await.unwrap();
    let relay = server.relay().await;
    let mut in_management = connect(&server, "holdfast", "holdfast_relay").await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'",
    )
    .fetch_all(&mut in_management)
    .await
    .unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    for table in tables {
        let read = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("SELECT FROM public.\"{table}\"")));
        assert!(read.execute(&mut in_management).await.is_err(), "{table}");
    }
    let mut own = connect(&server, "holdfast_relay", "holdfast_relay").await.unwrap();
    for forbidden in [
        "DELETE FROM relay.revoked",
        "UPDATE relay.epochs SET number = 1",
        "TRUNCATE relay.envelopes",
        "DROP TABLE relay.mailboxes",
        "UPDATE relay.envelopes SET sealed = ''",
    ] {
        assert!(sqlx::raw_sql(forbidden).execute(&mut own).await.is_err(), "{forbidden}");
    }
    let mut app = connect(&server, "holdfast_relay", "holdfast_app").await.unwrap();
    assert!(
        sqlx::raw_sql("SELECT FROM relay.envelopes")
            .execute(&mut app)
            .await
            .is_err()
    );
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_relays_do_not_share_a_database() {
    let server = Server::new().await;
    let relay = server.relay().await;
    let database = relay::Database::open(&server.source()).await.unwrap();
    let second = relay::Relay::start(relay::RelayConfig::default(), database).await;
    assert!(matches!(second.err(), Some(relay::DatabaseError::InUse)));
    relay.stop().await;
}
