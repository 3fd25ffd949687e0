use std::time::{Duration, Instant};

use management::database::{self, DatabaseError, Source};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::support::{TestDatabase, World};

async fn refusal(database: &TestDatabase) -> DatabaseError {
    database::open(database.source())
        .await
        .err()
        .expect("the schema is refused")
}

#[tokio::test]
async fn a_schema_of_a_newer_version_is_refused() {
    let database = TestDatabase::new().await;
    database::open(database.source()).await.unwrap();
    let mut owner = database.owner().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'from the future', true, 'x', 0)";
    sqlx::raw_sql(newer).execute(&mut owner).await.unwrap();
    let error = refusal(&database).await;
    assert!(matches!(error, DatabaseError::Newer(9999)));
    assert!(error.to_string().contains("Start the newer version"), "{error}");
}

#[tokio::test]
async fn a_schema_that_was_made_otherwise_is_refused() {
    let database = TestDatabase::new().await;
    database::open(database.source()).await.unwrap();
    let mut owner = database.owner().await;
    sqlx::raw_sql("UPDATE _sqlx_migrations SET checksum = 'x' WHERE version = 2")
        .execute(&mut owner)
        .await
        .unwrap();
    assert!(matches!(refusal(&database).await, DatabaseError::Differs(2)));
}

#[tokio::test]
async fn a_database_of_something_else_is_refused_and_left_alone() {
    let database = TestDatabase::empty().await;
    let mut owner = database.owner().await;
    sqlx::raw_sql("CREATE TABLE wordpress (id int)")
        .execute(&mut owner)
        .await
        .unwrap();
    let error = refusal(&database).await;
    assert!(error.to_string().contains("wordpress"), "{error}");
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn opening_again_changes_nothing_and_many_may_open_at_once() {
    let database = TestDatabase::empty().await;
    let (one, two) = tokio::join!(database::open(database.source()), database::open(database.source()));
    assert!(one.unwrap().ready().await && two.unwrap().ready().await);
    database::open(database.source()).await.unwrap();
}

/// Makes the database one of a server of the operator's: owned by a role that is no superuser.
async fn of_the_operators(database: &TestDatabase) -> String {
    let mut owner = database.owner().await;
    let role = format!("operator_{}", database.name());
    for statement in [
        format!("CREATE ROLE {role} LOGIN CREATEROLE NOSUPERUSER"),
        format!("ALTER DATABASE {} OWNER TO {role}", database.name()),
        // Another installation on this server may have made the role already; then an administrator grants it.
        "DO $$ BEGIN CREATE ROLE holdfast_app NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$".into(),
        format!("GRANT holdfast_app TO {role}; GRANT USAGE, CREATE ON SCHEMA public TO {role}"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut owner).await.unwrap();
    }
    format!(
        "postgresql:///{}?host={}&user={role}",
        database.name(),
        database.socket().display()
    )
}

#[tokio::test]
async fn a_server_of_the_operators_is_used_as_the_application_role() {
    let database = TestDatabase::empty().await;
    let url = of_the_operators(&database).await;
    let opened = database::open(Source::Url(url)).await.unwrap();
    assert!(opened.ready().await);
}

/// Makes the schema that the migrations with these numbers make.
async fn migrate_by(url: &str, takes: impl Fn(i64) -> bool) {
    let taken = database::MIGRATIONS.iter().filter(|migration| takes(migration.version));
    let migrator = Migrator::with_migrations(taken.cloned().collect());
    let mut connection = PgConnection::connect(url).await.unwrap();
    migrator.run(&mut connection).await.unwrap();
}

#[tokio::test]
async fn an_upgrade_keeps_the_alerts_that_wait_and_drops_those_that_were_given_up() {
    let database = TestDatabase::empty().await;
    let url = of_the_operators(&database).await;
    migrate_by(&url, |version| version < 65).await;
    let mut owner = database.owner().await;
    let rows = "INSERT INTO tenants (id, name, created_at) VALUES ('00000000-0000-7000-8000-000000000001', 'Ours', now());
        INSERT INTO alert_rules (id, tenant_id, trigger, email, created_at) VALUES ('00000000-0000-7000-8000-000000000002',
            '00000000-0000-7000-8000-000000000001', 'failures', 'anna@example.org', now());
        INSERT INTO alerts (id, tenant_id, rule_id, subject, summary, events, first_at, due_at, tries, given_up_at)
            SELECT gen_random_uuid(), '00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002',
                subject, subject, 1, now(), now(), 3, given_up_at
            FROM (VALUES ('waits', NULL), ('given up', now())) AS alert (subject, given_up_at);";
    sqlx::raw_sql(rows).execute(&mut owner).await.unwrap();

    assert!(database::open(Source::Url(url)).await.unwrap().ready().await);
    let kept: Vec<String> =
        sqlx::query_scalar("SELECT subject FROM alerts JOIN alert_rules ON alert_rules.id = rule_id")
            .fetch_all(&mut owner)
            .await
            .unwrap();
    assert_eq!(kept, ["waits"]);
}

#[tokio::test]
async fn an_upgrade_sees_to_the_cells_of_who_was_suspended_or_removed_before() {
    let database = TestDatabase::empty().await;
    let url = of_the_operators(&database).await;
    migrate_by(&url, |version| version < 405).await;
    let mut owner = database.owner().await;
    let rows = "INSERT INTO tenants (id, name, created_at) VALUES ('00000000-0000-7000-8000-000000000001', 'Ours', now());
        INSERT INTO users (id, tenant_id, name, email, role, created_at, deactivated_at, removed_at)
            SELECT gen_random_uuid(), '00000000-0000-7000-8000-000000000001', name, name, 'member', now(), deactivated_at, removed_at
            FROM (VALUES ('stays', NULL, NULL), ('suspended', now(), NULL), ('removed', now(), now())) AS person (name, deactivated_at, removed_at);
        INSERT INTO cells (id, tenant_id, user_id, created_at) SELECT gen_random_uuid(), tenant_id, id, now() FROM users;";
    sqlx::raw_sql(rows).execute(&mut owner).await.unwrap();

    assert!(database::open(Source::Url(url)).await.unwrap().ready().await);
    let listed: Vec<(String, bool)> = sqlx::query_as(
        "SELECT u.name, l.erase FROM cells_of_leavers l JOIN cells c ON c.id = l.cell_id JOIN users u ON u.id = c.user_id ORDER BY 1",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert_eq!(listed, [("removed".to_owned(), true), ("suspended".to_owned(), false)]);
}

#[tokio::test]
async fn an_upgrade_keeps_the_deliveries_that_wait_also_where_later_numbers_came_first() {
    let database = TestDatabase::empty().await;
    let url = of_the_operators(&database).await;
    // 151 and 230 change what 70 makes, 165 what 151 makes, and 370, 375 and 396 what 165 makes.
    migrate_by(&url, |version| ![70, 151, 165, 230, 370, 375, 396].contains(&version)).await;
    let mut owner = database.owner().await;
    let rows = "INSERT INTO tenants (id, name, created_at) VALUES ('00000000-0000-7000-8000-000000000001', 'Ours', now());
        INSERT INTO destinations (id, tenant_id, kind, name, host, sealed, created_at) VALUES (
            '00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000001', 'webhook', 'x', 'x', 'x', now());
        INSERT INTO deliveries (id, tenant_id, destination_id, created_at, due_at) VALUES (gen_random_uuid(),
            '00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002', now(), now());";
    sqlx::raw_sql(rows).execute(&mut owner).await.unwrap();

    assert!(database::open(Source::Url(url)).await.unwrap().ready().await);
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM deliveries WHERE webhook_id IS NULL")
        .fetch_one(&mut owner)
        .await
        .unwrap();
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn an_upgrade_ends_sessions_that_were_lowered_and_kept_their_days() {
    let database = TestDatabase::empty().await;
    let url = of_the_operators(&database).await;
    migrate_by(&url, |version| version < 361).await;
    let mut owner = database.owner().await;
    let rows = "INSERT INTO tenants (id, name, created_at) VALUES ('00000000-0000-7000-8000-000000000001', 'Ours', now());
        INSERT INTO users (id, tenant_id, name, email, role, created_at) VALUES ('00000000-0000-7000-8000-000000000002',
            '00000000-0000-7000-8000-000000000001', 'Anna', 'anna@example.org', 'owner', now());
        INSERT INTO sessions (id, tenant_id, user_id, token_hash, created_at, last_seen_at, expires_at, state, device)
            SELECT gen_random_uuid(), '00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002',
                sha256(device::bytea), now(), now(), now() + life, state, device
            FROM (VALUES ('full', interval '7 days', 'whole'), ('enrol', interval '7 days', 'lowered'),
                ('factor', interval '7 days', 'lowered, too'), ('factor', interval '15 minutes', 'half')) AS session (state, life, device);";
    sqlx::raw_sql(rows).execute(&mut owner).await.unwrap();

    assert!(database::open(Source::Url(url)).await.unwrap().ready().await);
    let left: Vec<String> = sqlx::query_scalar("SELECT device FROM sessions ORDER BY device")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    assert_eq!(left, ["half", "whole"]);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_one_sentence_that_says_what_to_do() {
    let url = "postgresql://nobody@127.0.0.1:1/none?sslmode=disable";
    let error = database::open(Source::Url(url.into())).await.err().unwrap();
    assert!(error.to_string().contains("Check its URL (DATABASE_URL"), "{error}");
    assert!(matches!(
        database::open(Source::Url("mysql://x".into())).await,
        Err(DatabaseError::Url)
    ));
}

/// So often somebody leaves in the course of a request, each time a little later.
const MOMENTS: u32 = 150;

#[tokio::test]
async fn whoever_leaves_in_the_middle_of_a_request_leaves_no_transaction_open() {
    let (world, mut anna) = World::owned().await;
    anna.get("/sessions").await.expect(200);
    let begun = Instant::now();
    anna.get("/sessions").await.expect(200);
    let whole = begun.elapsed();
    let mut owner = world.database.owner().await;
    for moment in 0..MOMENTS {
        let leaves_at = Instant::now() + whole * moment / MOMENTS;
        let mut leaving = anna.clone();
        tokio::select! {
            biased;
            _ = leaving.get("/sessions") => {}
            () = async { while Instant::now() < leaves_at { tokio::task::yield_now().await } } => {}
        }
        // What is under way is taken back in a moment.
        let begun = Instant::now();
        while open_transactions(&mut owner).await > 0 {
            assert!(begun.elapsed() < Duration::from_secs(5), "at {moment} of {MOMENTS}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Transactions of others that nobody works on at this moment.
async fn open_transactions(owner: &mut PgConnection) -> i64 {
    let open = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    sqlx::query_scalar(open).fetch_one(owner).await.unwrap()
}
