//! Tenants are kept apart by PostgreSQL itself, whatever the statements above it say.

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use uuid::Uuid;

use crate::support::{TestDatabase, TestVault, World, user_id};

/// Tables with tenants' rows that PostgreSQL does not guard, and why.
async fn unguarded(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c
         WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
            AND (c.relname = 'tenants' OR EXISTS (
                SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped))
            AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
                SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'own' AND p.polcmd = '*'
                    AND pg_get_expr(p.polqual, p.polrelid) LIKE '%= ( SELECT holdfast_tenant()%'))
         ORDER BY 1",
    )
    .fetch_all(connection)
    .await
    .unwrap()
}

async fn tenant_tables(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND a.attname = 'tenant_id' ORDER BY 1",
    )
    .fetch_all(connection)
    .await
    .unwrap()
}

#[tokio::test]
async fn promise_03_every_table_with_a_tenant_forces_row_security() {
    let database = TestDatabase::new().await;
    management::database::migrate(&database.source()).await.unwrap();
    let mut owner = database.owner().await;
    assert_eq!(unguarded(&mut owner).await, Vec::<String>::new());
    assert!(tenant_tables(&mut owner).await.len() >= 5);

    // The check can fail: each of these breaks one part of what it asks for.
    for (table, statements) in [
        ("bare", "CREATE TABLE bare (tenant_id uuid)"),
        (
            "unforced",
            "CREATE TABLE unforced (tenant_id uuid); ALTER TABLE unforced ENABLE ROW LEVEL SECURITY;
            CREATE POLICY own ON unforced USING (tenant_id = (SELECT holdfast_tenant()))",
        ),
        (
            "open",
            "CREATE TABLE open (tenant_id uuid); ALTER TABLE open ENABLE ROW LEVEL SECURITY;
            ALTER TABLE open FORCE ROW LEVEL SECURITY; CREATE POLICY own ON open USING (true)",
        ),
    ] {
        sqlx::raw_sql(statements).execute(&mut owner).await.unwrap();
        assert_eq!(unguarded(&mut owner).await, [table]);
        sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE {table}")))
            .execute(&mut owner)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn promise_03_the_application_role_cannot_pass_row_security() {
    let database = TestDatabase::new().await;
    management::database::migrate(&database.source()).await.unwrap();
    let mut owner = database.owner().await;
    let role = sqlx::query(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,
            EXISTS (SELECT FROM pg_class WHERE relowner = r.oid) AS owns,
            EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid) AS is_member
         FROM pg_roles r WHERE rolname = 'holdfast_app'",
    );
    let role = role.fetch_one(&mut owner).await.unwrap();
    for right in 0..role.len() {
        assert!(!role.get::<bool, _>(right), "right {right}");
    }
    let mut app = database.app().await;
    for forbidden in [
        "SET ROLE holdfast",
        "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
        "DROP POLICY own ON users",
        "CREATE TABLE mine (id int)",
        "TRUNCATE users CASCADE",
        "UPDATE users SET tenant_id = tenant_id",
        "UPDATE users SET kind = 'person'",
        "UPDATE api_keys SET scopes = scopes",
        "UPDATE api_keys SET user_id = user_id",
        "UPDATE sign_in_providers SET issuer = issuer",
        "UPDATE destinations SET sealed = sealed",
        "UPDATE deliveries SET destination_id = destination_id",
        "UPDATE deliveries SET webhook_id = webhook_id",
        "UPDATE deliveries SET push_device_id = push_device_id",
        "UPDATE push_devices SET user_id = user_id",
        "UPDATE mailboxes_shown SET mailbox = mailbox",
        "DELETE FROM mailboxes_shown",
        "UPDATE api_webhooks SET events = events",
        "UPDATE api_templates SET name = name",
        "UPDATE api_agents SET name = name",
        "UPDATE api_agents SET cell_id = cell_id",
        "UPDATE api_schedules SET job = job",
        "UPDATE api_turns SET told = told",
        "UPDATE linked_accounts SET user_id = user_id",
        "UPDATE linked_accounts SET subject = subject",
        "DELETE FROM users",
        "SELECT * FROM _sqlx_migrations",
        "UPDATE audit_events SET body = body",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "UPDATE audit_checkpoints SET seq = seq",
        "DELETE FROM audit_checkpoints",
        "DELETE FROM audit_heads",
        "INSERT INTO audit_events (tenant_id, seq, body, hash) VALUES (gen_random_uuid(), 1, '{}', '')",
        "INSERT INTO audit_heads (tenant_id, seq, hash) VALUES (gen_random_uuid(), 0, '')",
        "UPDATE audit_heads SET seq = 0",
        "UPDATE audit_waiting SET rest = rest",
        "DELETE FROM audit_waiting",
        "TRUNCATE audit_waiting",
        "UPDATE operator_events SET body = body",
        "DELETE FROM operator_events",
        "TRUNCATE operator_events",
        "DELETE FROM operator_head",
        "UPDATE operator_sessions SET expires_at = now()",
    ] {
        let error = sqlx::raw_sql(forbidden).execute(&mut app).await.expect_err(forbidden);
        assert_eq!(
            error.as_database_error().unwrap().code().unwrap(),
            "42501",
            "{forbidden}: {error}"
        );
    }
}

#[tokio::test]
async fn promise_03_templates_are_the_operators_and_no_transaction_of_a_tenant_sees_or_makes_one() {
    let database = TestDatabase::new().await;
    management::database::migrate(&database.source()).await.unwrap();
    let make = |name: &str| {
        AssertSqlSafe(format!(
            "INSERT INTO api_templates (name, content, created_at, updated_at) VALUES ('{name}', '{{}}', now(), now())"
        ))
    };
    let mut owner = database.owner().await;
    sqlx::raw_sql(make("x")).execute(&mut owner).await.unwrap();
    let mut app = database.app().await;
    let tenant = Uuid::now_v7().to_string();
    for (looking, speaks_for, seen) in [
        ("", "", 0),
        ("", tenant.as_str(), 0),
        ("all", tenant.as_str(), 0),
        ("all", "", 1),
    ] {
        let mut transaction = app.begin().await.unwrap();
        speak_for(&mut transaction, speaks_for).await;
        set(&mut transaction, "holdfast.api_tenants", looking).await;
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM api_templates")
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        assert_eq!(count, seen, "{looking:?} for {speaks_for:?}");
        let made = sqlx::raw_sql(make("y")).execute(&mut *transaction).await;
        assert_eq!(made.is_ok(), seen == 1, "{looking:?} for {speaks_for:?}: {made:?}");
        transaction.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn promise_03_one_tenant_cannot_see_or_write_anothers_rows() {
    let (world, mut anna) = World::owned().await;
    world.invite(&mut anna, "bob@acme.example", "member").await;
    let mut olga = world.second_tenant().await;
    world.invite(&mut olga, "eve@globex.example", "member").await;
    for browser in [&mut anna, &mut olga] {
        let vault = TestVault::of(&world, browser, 1).await;
        browser.put("/identity", vault.identity()).await.expect(204);
        let me = browser.get("/me").await.expect(200).json["user"]["id"].clone();
        let letter = json!({"id": Uuid::now_v7(), "to": me, "body": "AAAA"});
        browser.post("/letters", letter).await.expect(204);
        let contacts = vault.contacts(1, &[user_id(&me)], 1, 0);
        browser.put("/recovery/contacts", contacts).await.expect(204);
        let asked = browser
            .post("/recovery/request", json!({"request": "AAAA"}))
            .await
            .expect(201)
            .json;
        let released = json!({"request": asked["id"], "sealed": "AAAA"});
        browser.post("/recovery/release", released).await.expect(204);
    }
    let (acme, globex) = (world.cell_of(&mut anna).await, world.cell_of(&mut olga).await);
    let mut owner = world.database.owner().await;
    // Both have a row in every table, or the test below would prove nothing.
    sqlx::raw_sql(AssertSqlSafe(format!(
        "INSERT INTO sign_in_links (token_hash, tenant_id, user_id, created_at, expires_at)
         VALUES (sha256('a'), '{}', '{}', now(), now())",
        acme.tenant, acme.user
    )))
    .execute(&mut owner)
    .await
    .unwrap();
    for tenant in [&acme, &globex] {
        for statement in [
            "INSERT INTO authenticators (tenant_id, user_id, sealed_secret, created_at) VALUES ('{tenant}', '{user}', 'x', now())",
            "INSERT INTO backup_codes (tenant_id, user_id, code_hash) VALUES ('{tenant}', '{user}', sha256('x'))",
            "INSERT INTO passkeys (id, tenant_id, user_id, credential_id, public_key, counter, name, created_at)
             VALUES (gen_random_uuid(), '{tenant}', '{user}', 'x', 'x', 0, 'x', now())",
            "INSERT INTO factor_attempts (tenant_id, user_id, failures, next_at) VALUES ('{tenant}', '{user}', 1, now())",
            "INSERT INTO api_keys (id, tenant_id, user_id, name, key_hash, hint, scopes, created_at, expires_at)
             VALUES (gen_random_uuid(), '{tenant}', '{user}', 'x', sha256('{tenant}'), 'hf_x', '{profile}', now(), now())",
            "WITH made AS (INSERT INTO groups (id, tenant_id, name, created_at) VALUES (gen_random_uuid(), '{tenant}', 'x', now())
                RETURNING id),
             invited AS (INSERT INTO group_invitations (id, tenant_id, group_id, email, role, invited_by, created_at, expires_at)
                SELECT gen_random_uuid(), '{tenant}', id, 'x@x.example', 'member', '{user}', now(), now() FROM made)
             INSERT INTO group_members (tenant_id, group_id, user_id, role, joined_at)
             SELECT '{tenant}', id, '{user}', 'member', now() FROM made",
            "WITH made AS (INSERT INTO alert_rules (id, tenant_id, trigger, email, created_at)
                VALUES (gen_random_uuid(), '{tenant}', 'exported', 'x@x.example', now()) RETURNING id)
             INSERT INTO alerts (id, tenant_id, rule_id, subject, summary, events, first_at, due_at)
             SELECT gen_random_uuid(), '{tenant}', id, 'x', 'x', 1, now(), 'infinity' FROM made",
            "WITH made AS (INSERT INTO destinations (id, tenant_id, kind, name, host, sealed, created_at)
                VALUES (gen_random_uuid(), '{tenant}', 'webhook', 'x', 'x', 'x', now()) RETURNING id)
             INSERT INTO deliveries (id, tenant_id, destination_id, created_at, due_at)
             SELECT gen_random_uuid(), '{tenant}', id, now(), 'infinity' FROM made",
            "INSERT INTO push_devices (id, tenant_id, user_id, session_id, name, sealed, created_at)
             VALUES (gen_random_uuid(), '{tenant}', '{user}', gen_random_uuid(), 'x', 'x', now())",
            "INSERT INTO chain_checks (tenant_id, due_at) VALUES ('{tenant}', 'infinity')",
            "INSERT INTO mailboxes (tenant_id, user_id, mailbox, opened_at) VALUES ('{tenant}', '{user}', sha256('x'), now())",
            "INSERT INTO mailboxes_shown (tenant_id, user_id, mailbox, shown_at) VALUES ('{tenant}', '{user}', sha256('x'), now())",
            "INSERT INTO approval_notices (tenant_id, user_id) VALUES ('{tenant}', '{user}')",
            "WITH made AS (INSERT INTO sign_in_providers (id, tenant_id, kind, name, issuer, created_at)
                VALUES (gen_random_uuid(), '{tenant}', 'oidc', 'x', 'https://x.example', now()) RETURNING id)
             INSERT INTO sign_in_attempts (state_hash, tenant_id, provider_id, browser_hash, expires_at)
             SELECT sha256('{tenant}'), '{tenant}', id, sha256('x'), now() FROM made",
            "INSERT INTO linked_accounts (id, tenant_id, user_id, issuer, subject, label, created_at)
             VALUES (gen_random_uuid(), '{tenant}', '{user}', 'https://x.example', 'x', 'x', now())",
            "INSERT INTO join_domains (id, tenant_id, domain, approval, created_at)
             VALUES (gen_random_uuid(), '{tenant}', 'x.example', true, now())",
            "INSERT INTO join_links (token_hash, tenant_id, email, browser_hash, created_at, expires_at)
             VALUES (sha256('{tenant}'), '{tenant}', 'x@x.example', sha256('x'), now(), now())",
            "INSERT INTO join_requests (id, tenant_id, email, name, created_at)
             VALUES (gen_random_uuid(), '{tenant}', 'x@x.example', 'x', now())",
            "INSERT INTO ended_api_keys (key_hash, tenant_id, name) VALUES (sha256('{tenant}'), '{tenant}', 'x')",
            "INSERT INTO cells_of_leavers (tenant_id, user_id, cell_id, erase) SELECT tenant_id, user_id, id, false FROM cells WHERE tenant_id = '{tenant}'",
            "INSERT INTO audit_waiting (tenant_id, start, rest) VALUES ('{tenant}', 'x', 'x')",
            "INSERT INTO audit_checkpoints (tenant_id, seq, hash, at, signature)
             VALUES ('{tenant}', 1, sha256('x'), 0, sha512('x'))",
            "INSERT INTO api_tenants (tenant_id, cell_id, name, created_at, updated_at)
             VALUES ('{tenant}', gen_random_uuid(), 'x', now(), now())",
            "INSERT INTO api_agents (tenant_id, name, cell_id, created_at, updated_at)
             VALUES ('{tenant}', 'x', gen_random_uuid(), now(), now())",
            "INSERT INTO api_schedules (tenant_id, agent, job, timing, next_at) VALUES ('{tenant}', 'main', 'x', '{}', 'infinity')",
            "INSERT INTO api_turns (tenant_id, id, agent, session, told, offers, required, begun_at, held_until)
             VALUES ('{tenant}', gen_random_uuid(), 'main', 'x', sha256('x'), false, false, now(), 'infinity')",
            "INSERT INTO platform_secrets (tenant_id, cell_id, key_id, sealed)
             VALUES ('{tenant}', gen_random_uuid(), 1, decode(repeat('00', 61), 'hex'))",
            "INSERT INTO api_tenant_keys (id, tenant_id, key_hash, hint, created_at)
             VALUES (gen_random_uuid(), '{tenant}', sha256('{tenant}'), 'ocpk_x', now())",
            "INSERT INTO api_sessions (tenant_id, id, conversation, created_at, used_at) VALUES ('{tenant}', 'x', 'x', now(), now())",
            "INSERT INTO api_approvals (tenant_id, id, heard_at, ends_at) VALUES ('{tenant}', gen_random_uuid(), now(), 'infinity')",
            "INSERT INTO api_writes (tenant_id, key_hash, request_hash, begun_at) VALUES ('{tenant}', sha256('x'), sha256('x'), now())",
            "INSERT INTO api_webhooks (id, tenant_id, host, events, key_id, sealed, created_at)
             VALUES (gen_random_uuid(), '{tenant}', 'x', '{turn.failed}', 1, 'x', now())",
        ] {
            let statement = statement
                .replace("{tenant}", &tenant.tenant.to_string())
                .replace("{user}", &tenant.user.to_string());
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut owner)
                .await
                .unwrap();
        }
    }
    let tables = tenant_tables(&mut owner).await;
    for table in &tables {
        let count = format!("SELECT count(DISTINCT tenant_id) FROM {table}");
        let tenants: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut owner)
            .await
            .unwrap();
        assert_eq!(tenants, 2, "{table}");
    }

    // By SET ROLE from the superuser's own connection, as the application's role is meant to hold there too.
    sqlx::raw_sql("SET ROLE holdfast_app")
        .execute(&mut owner)
        .await
        .unwrap();
    let mut app = owner;
    for table in &tables {
        let visible = format!("SELECT DISTINCT tenant_id::text FROM {table}");
        let seen: Vec<String> = sqlx::query_scalar(AssertSqlSafe(visible.clone()))
            .fetch_all(&mut app)
            .await
            .unwrap();
        assert!(seen.is_empty(), "without a tenant, {table} shows {seen:?}");

        let mut transaction = app.begin().await.unwrap();
        speak_for(&mut transaction, &acme.tenant.to_string()).await;
        let seen: Vec<String> = sqlx::query_scalar(AssertSqlSafe(visible))
            .fetch_all(&mut *transaction)
            .await
            .unwrap();
        assert_eq!(seen, [acme.tenant.to_string()], "{table}");
        transaction.rollback().await.unwrap();
    }

    let writes = [
        "INSERT INTO tenants (id, name, created_at) VALUES ('{tenant}', 'x', now())",
        "INSERT INTO users (id, tenant_id, name, email, role, created_at)
         VALUES (gen_random_uuid(), '{tenant}', 'x', 'x@x.example', 'owner', now())",
        "INSERT INTO cells (id, tenant_id, user_id, created_at) VALUES (gen_random_uuid(), '{tenant}', '{user}', now())",
        "INSERT INTO sessions (id, tenant_id, user_id, token_hash, created_at, last_seen_at, expires_at)
         VALUES (gen_random_uuid(), '{tenant}', '{user}', sha256('x'), now(), now(), now())",
        "INSERT INTO sign_in_links (token_hash, tenant_id, user_id, created_at, expires_at)
         VALUES (sha256('x'), '{tenant}', '{user}', now(), now())",
        "INSERT INTO invitations (id, tenant_id, email, role, invited_by, token_hash, created_at, expires_at)
         VALUES (gen_random_uuid(), '{tenant}', 'x@x.example', 'owner', '{user}', sha256('x'), now(), now())",
        "INSERT INTO authenticators (tenant_id, user_id, sealed_secret, created_at) VALUES ('{tenant}', '{user}', 'x', now())",
        "INSERT INTO backup_codes (tenant_id, user_id, code_hash) VALUES ('{tenant}', '{user}', sha256('y'))",
        "INSERT INTO factor_attempts (tenant_id, user_id, failures, next_at) VALUES ('{tenant}', '{user}', 1, now())",
        "INSERT INTO api_keys (id, tenant_id, user_id, name, key_hash, hint, scopes, created_at, expires_at)
         VALUES (gen_random_uuid(), '{tenant}', '{user}', 'x', sha256('y'), 'hf_x', '{profile}', now(), now())",
        "INSERT INTO ended_api_keys (key_hash, tenant_id, name) VALUES (sha256('y'), '{tenant}', 'x')",
        "INSERT INTO groups (id, tenant_id, name, created_at) VALUES (gen_random_uuid(), '{tenant}', 'x', now())",
        "INSERT INTO group_members (tenant_id, group_id, user_id, role, joined_at)
         VALUES ('{tenant}', gen_random_uuid(), '{user}', 'member', now())",
        "INSERT INTO group_invitations (id, tenant_id, group_id, email, role, invited_by, created_at, expires_at)
         VALUES (gen_random_uuid(), '{tenant}', gen_random_uuid(), 'x@x.example', 'member', '{user}', now(), now())",
        "INSERT INTO sign_in_providers (id, tenant_id, kind, name, issuer, created_at)
         VALUES (gen_random_uuid(), '{tenant}', 'oidc', 'x', 'https://y.example', now())",
        "INSERT INTO sign_in_attempts (state_hash, tenant_id, provider_id, browser_hash, expires_at)
         VALUES (sha256('y'), '{tenant}', gen_random_uuid(), sha256('x'), now())",
        "INSERT INTO linked_accounts (id, tenant_id, user_id, issuer, subject, label, created_at)
         VALUES (gen_random_uuid(), '{tenant}', '{user}', 'https://y.example', 'x', 'x', now())",
        "INSERT INTO join_domains (id, tenant_id, domain, approval, created_at)
         VALUES (gen_random_uuid(), '{tenant}', 'y.example', true, now())",
        "INSERT INTO join_links (token_hash, tenant_id, email, browser_hash, created_at, expires_at)
         VALUES (sha256('y'), '{tenant}', 'x@x.example', sha256('x'), now(), now())",
        "INSERT INTO join_requests (id, tenant_id, email, name, created_at)
         VALUES (gen_random_uuid(), '{tenant}', 'y@x.example', 'x', now())",
        "INSERT INTO alert_rules (id, tenant_id, trigger, email, created_at)
         VALUES (gen_random_uuid(), '{tenant}', 'exported', 'x@x.example', now())",
        "INSERT INTO alerts (id, tenant_id, rule_id, subject, summary, events, first_at, due_at)
         VALUES (gen_random_uuid(), '{tenant}', gen_random_uuid(), 'x', 'x', 1, now(), now())",
        "INSERT INTO destinations (id, tenant_id, kind, name, host, sealed, created_at)
         VALUES (gen_random_uuid(), '{tenant}', 'webhook', 'x', 'x', 'x', now())",
        "INSERT INTO push_devices (id, tenant_id, user_id, session_id, name, sealed, created_at)
         VALUES (gen_random_uuid(), '{tenant}', '{user}', gen_random_uuid(), 'x', 'x', now())",
        "INSERT INTO deliveries (id, tenant_id, destination_id, created_at, due_at)
         VALUES (gen_random_uuid(), '{tenant}', gen_random_uuid(), now(), now())",
        "INSERT INTO chain_checks (tenant_id, due_at) VALUES ('{tenant}', now())",
        "INSERT INTO mailboxes (tenant_id, user_id, mailbox, opened_at) VALUES ('{tenant}', '{user}', sha256('y'), now())",
        "INSERT INTO mailboxes_shown (tenant_id, user_id, mailbox, shown_at) VALUES ('{tenant}', '{user}', sha256('y'), now())",
        "INSERT INTO approval_notices (tenant_id, user_id) VALUES ('{tenant}', '{user}')",
        "INSERT INTO audit_waiting (tenant_id, start, rest) VALUES ('{tenant}', 'x', 'x')",
        "INSERT INTO audit_checkpoints (tenant_id, seq, hash, at, signature)
         VALUES ('{tenant}', 99, sha256('x'), 0, sha512('x'))",
        "INSERT INTO api_tenants (tenant_id, cell_id, name, created_at, updated_at)
         VALUES ('{tenant}', gen_random_uuid(), 'x', now(), now())",
        "INSERT INTO platform_secrets (tenant_id, cell_id, key_id, sealed)
         VALUES ('{tenant}', gen_random_uuid(), 1, decode(repeat('00', 61), 'hex'))",
        "INSERT INTO api_tenant_keys (id, tenant_id, key_hash, hint, created_at)
         VALUES (gen_random_uuid(), '{tenant}', sha256('y'), 'ocpk_x', now())",
        "INSERT INTO api_sessions (tenant_id, id, conversation, created_at, used_at) VALUES ('{tenant}', 'y', 'x', now(), now())",
        "INSERT INTO api_approvals (tenant_id, id, heard_at, ends_at) VALUES ('{tenant}', gen_random_uuid(), now(), now())",
        "INSERT INTO api_schedules (tenant_id, agent, job, timing, next_at) VALUES ('{tenant}', 'main', 'y', '{}', now())",
        "INSERT INTO api_turns (tenant_id, id, agent, session, told, offers, required, begun_at, held_until)
         VALUES ('{tenant}', gen_random_uuid(), 'main', 'x', sha256('x'), false, false, now(), now())",
        "INSERT INTO api_writes (tenant_id, key_hash, request_hash, begun_at) VALUES ('{tenant}', sha256('y'), sha256('x'), now())",
        "INSERT INTO api_webhooks (id, tenant_id, host, events, key_id, sealed, created_at)
         VALUES (gen_random_uuid(), '{tenant}', 'x', '{turn.failed}', 1, 'x', now())",
    ];
    for write in writes {
        let write = write
            .replace("{tenant}", &globex.tenant.to_string())
            .replace("{user}", &globex.user.to_string());
        let mut transaction = app.begin().await.unwrap();
        speak_for(&mut transaction, &acme.tenant.to_string()).await;
        let error = sqlx::raw_sql(AssertSqlSafe(write.clone()))
            .execute(&mut *transaction)
            .await
            .expect_err(&write);
        assert!(error.to_string().contains("row-level security"), "{write}: {error}");
        transaction.rollback().await.unwrap();
    }
    for change in [
        "UPDATE sessions SET last_seen_at = now()",
        "UPDATE sign_in_links SET used_at = now()",
        "UPDATE invitations SET revoked_at = now()",
        "DELETE FROM sessions",
        "UPDATE users SET deactivated_at = now()",
        "UPDATE authenticators SET last_step = 1",
        "DELETE FROM backup_codes",
        "DELETE FROM factor_attempts",
        "UPDATE users SET role = 'owner'",
        "UPDATE api_keys SET expires_at = now()",
        "DELETE FROM api_keys",
        "DELETE FROM ended_api_keys",
        "UPDATE sign_in_providers SET enabled = false",
        "DELETE FROM sign_in_providers",
        "DELETE FROM sign_in_attempts",
        "UPDATE linked_accounts SET label = 'y'",
        "DELETE FROM linked_accounts",
        "UPDATE join_domains SET approval = false",
        "DELETE FROM join_domains",
        "DELETE FROM join_links",
        "UPDATE join_requests SET refused_at = now()",
        "DELETE FROM join_requests",
        "UPDATE groups SET name = 'x'",
        "UPDATE alert_rules SET last_problem = 'x'",
        "DELETE FROM alert_rules",
        "UPDATE alerts SET sent_at = now()",
        "DELETE FROM alerts",
        "UPDATE destinations SET last_problem = 'x'",
        "DELETE FROM destinations",
        "UPDATE deliveries SET due_at = now()",
        "DELETE FROM deliveries",
        "UPDATE chain_checks SET due_at = now()",
        "DELETE FROM chain_checks",
        "UPDATE mailboxes SET waiting_since = now(), waiting_seen_at = now()",
        "UPDATE mailboxes_shown SET shown_at = now()",
        "DELETE FROM mailboxes",
        "UPDATE approval_notices SET told_at = now()",
        "DELETE FROM approval_notices",
        "UPDATE group_members SET role = 'admin'",
        "DELETE FROM group_members",
        "UPDATE group_invitations SET accepted_at = now()",
        "DELETE FROM sign_in_links",
        "UPDATE api_tenants SET name = 'x'",
        "DELETE FROM api_tenants",
        "UPDATE platform_secrets SET epoch = 9",
        "DELETE FROM platform_secrets",
        "UPDATE api_tenant_keys SET expires_at = now()",
        "DELETE FROM api_tenant_keys",
        "UPDATE api_sessions SET used_at = now()",
        "DELETE FROM api_sessions",
        "UPDATE api_approvals SET outcome = 'allowed'",
        "DELETE FROM api_approvals",
        "UPDATE api_schedules SET next_at = now()",
        "DELETE FROM api_schedules",
        "UPDATE api_turns SET held_until = now()",
        "DELETE FROM api_turns",
        "UPDATE api_writes SET status = 200",
        "DELETE FROM api_writes",
        "UPDATE api_webhooks SET last_problem = 'x'",
        "DELETE FROM api_webhooks",
    ] {
        let statement = format!("{change} WHERE tenant_id = '{}'", globex.tenant);
        let mut transaction = app.begin().await.unwrap();
        speak_for(&mut transaction, &acme.tenant.to_string()).await;
        let changed = sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *transaction)
            .await
            .unwrap();
        assert_eq!(changed.rows_affected(), 0, "{change}");
        transaction.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn promise_03_a_presented_token_or_address_shows_its_own_rows_and_nothing_else() {
    let (world, mut anna) = World::owned().await;
    let mut olga = world.second_tenant().await;
    let (acme, globex) = (world.cell_of(&mut anna).await, world.cell_of(&mut olga).await);
    let mut app = world.database.app().await;

    let mut transaction = app.begin().await.unwrap();
    set(&mut transaction, "holdfast.email", "anna@acme.example").await;
    let seen: Vec<String> = sqlx::query_scalar("SELECT email FROM users")
        .fetch_all(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(seen, ["anna@acme.example"]);
    // A tenant that is set narrows it again: the two never add up.
    speak_for(&mut transaction, &globex.tenant.to_string()).await;
    let seen: Vec<String> = sqlx::query_scalar("SELECT email FROM users")
        .fetch_all(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(seen, ["olga@globex.example"]);
    transaction.rollback().await.unwrap();

    let mut transaction = app.begin().await.unwrap();
    let text = anna.cookie.as_ref().unwrap().split_once('=').unwrap().1;
    let hash = <sha2::Sha256 as sha2::Digest>::digest(protocol::b64::decode(text).unwrap());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    set(&mut transaction, "holdfast.token", &hex).await;
    let seen: Vec<String> = sqlx::query_scalar("SELECT tenant_id::text FROM sessions")
        .fetch_all(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(seen, [acme.tenant.to_string()]);
    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users")
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(users, 0);
    transaction.rollback().await.unwrap();

    // Settings end with their transaction, so a connection from the pool carries none into the next request.
    let users: i64 = sqlx::query_scalar("SELECT count(*) FROM users")
        .fetch_one(&mut app)
        .await
        .unwrap();
    assert_eq!(users, 0);
}

#[tokio::test]
async fn promise_03_the_operator_sees_which_organisations_there_are_and_no_row_of_theirs() {
    let (world, mut anna) = World::owned().await;
    world.second_tenant().await;
    let operator = world.operator(true).await;
    let acme = world.cell_of(&mut anna).await.tenant.to_string();
    let text = operator.operator.as_ref().unwrap().split_once('=').unwrap().1;
    let hash = <sha2::Sha256 as sha2::Digest>::digest(protocol::b64::decode(text).unwrap());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut owner = world.database.owner().await;
    let tables = tenant_tables(&mut owner).await;
    let mut app = world.database.app().await;
    for (shown, organisations) in [(hex.as_str(), 2), (&"00".repeat(32), 0), ("", 0)] {
        let mut transaction = app.begin().await.unwrap();
        set(&mut transaction, "holdfast.operator", shown).await;
        let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM tenants")
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        assert_eq!(seen, organisations, "{shown}");
        for table in &tables {
            let rows: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
                .fetch_one(&mut *transaction)
                .await
                .unwrap();
            assert_eq!(rows, 0, "{table}");
        }
        // A tenant that is set narrows it: the two never add up.
        speak_for(&mut transaction, &acme).await;
        let seen: Vec<String> = sqlx::query_scalar("SELECT name FROM tenants")
            .fetch_all(&mut *transaction)
            .await
            .unwrap();
        assert_eq!(seen, ["Acme"]);
        transaction.rollback().await.unwrap();
    }
}

async fn speak_for(connection: &mut PgConnection, tenant: &str) {
    set(connection, "holdfast.tenant", tenant).await;
}

async fn set(connection: &mut PgConnection, name: &str, value: &str) {
    sqlx::query("SELECT set_config($1, $2, true)")
        .bind(name)
        .bind(value)
        .execute(connection)
        .await
        .unwrap();
}
