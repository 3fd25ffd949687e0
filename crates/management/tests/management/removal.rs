//! Organisations that the operator removes.

use management::Scope;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::support::{Browser, World};

/// How many rows of an organisation each table has that has rows of organisations.
async fn rows(connection: &mut PgConnection, tenant: &str) -> Vec<(String, i64)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND a.attname = 'tenant_id' ORDER BY 1",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    let mut counted = Vec::new();
    for table in tables {
        let count = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{tenant}'");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        counted.push((table, count));
    }
    counted
}

/// An organisation in which much has been done: its owner, and its path for the operator.
async fn busy(world: &World) -> (Browser, String) {
    let mut anna = world.set_up().await;
    let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
    world.program("anna@acme.example", &[Scope::Profile]).await;
    let group = anna.post("/groups", json!({"name": "Sales"})).await.expect(201).json;
    let invite = format!("/groups/{}/invitations", group["id"].as_str().unwrap());
    let bobs = bob.get("/me").await.expect(200).json["user"]["id"].clone();
    anna.post(
        &invite,
        json!({"person": bobs, "email": "bob@acme.example", "role": "member"}),
    )
    .await;
    let alert = json!({"trigger": "key_made", "email": "anna@acme.example"});
    anna.post("/alerts", alert).await.expect(201);
    anna.put("/identity", json!({"bundle": "A".repeat(172)}))
        .await
        .expect(204);
    world.program("anna@acme.example", &[Scope::Profile]).await;
    world.invite(&mut anna, "cleo@acme.example", "member").await;
    let tenant = world.cell_of(&mut anna).await.tenant;
    (anna, format!("/operator/tenants/{tenant}"))
}

#[tokio::test]
async fn an_organisation_that_is_removed_leaves_no_row_and_no_cell_and_the_operators_log_keeps_that_it_was_there() {
    let world = World::new().await;
    let (mut anna, path) = busy(&world).await;
    let mut olga = world.second_tenant().await;
    let id = path.rsplit('/').next().unwrap().to_owned();
    let globex = world.cell_of(&mut olga).await.tenant.to_string();
    let mut owner = world.database.owner().await;
    // A table that a later version brings is no exception.
    sqlx::raw_sql(AssertSqlSafe(format!(
        "CREATE TABLE later (tenant_id uuid NOT NULL REFERENCES tenants (id), user_id uuid NOT NULL,
            FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id));
         INSERT INTO later SELECT tenant_id, id FROM users WHERE tenant_id = '{id}'"
    )))
    .execute(&mut owner)
    .await
    .unwrap();
    let before = rows(&mut owner, &id).await;
    let filled = before.iter().filter(|(_, count)| *count > 0).count();
    assert!(filled >= 10, "{before:?}");
    let theirs = rows(&mut owner, &globex).await;

    let mut operator = world.operator(true).await;
    let losses = operator.get(&format!("{path}/losses")).await.expect(200).json;
    assert_eq!((&losses["people"], &losses["cells"]), (&json!(2), &json!(2)));
    assert_eq!((&losses["api_keys"], &losses["groups"]), (&json!(2), &json!(1)));
    assert!(losses["audit_events"].as_i64().unwrap() > 5);

    operator.delete(&path).await.refused(409, "not_suspended");
    operator.post(&format!("{path}/suspend"), json!({})).await.expect(200);
    let gone = operator.delete(&path).await.expect(200).json;
    assert_eq!(gone["people"], 2);
    for (table, count) in rows(&mut owner, &id).await {
        assert_eq!(count, 0, "{table}");
    }
    assert_eq!(rows(&mut owner, &globex).await, theirs);
    let removed = world.cells.removed();
    assert_eq!(removed.len(), 2);
    assert!(removed.iter().all(|cell| cell.tenant.to_string() == id));

    operator.get(&path).await.refused(404, "not_found");
    operator.delete(&path).await.refused(404, "not_found");
    anna.get("/me").await.refused(401, "not_signed_in");
    olga.get("/me").await.expect(200);
    let log = operator.get("/operator/audit").await.expect(200).json;
    let told = &log["events"][0];
    assert_eq!(
        (&told["action"], &told["outcome"]),
        (&json!("organisation.removed"), &json!("done"))
    );
    assert_eq!((&told["tenant"], &told["target"]["name"]), (&json!(id), &json!("Acme")));
    assert_eq!(told["details"]["people"], "2");
    // Who signs in by mail is told nothing, and the sign-in page shows nobody's buttons.
    let providers = world.browser().get("/sign-in/providers").await.expect(200).json;
    assert_eq!(providers, json!({"providers": []}));
}

#[tokio::test]
async fn as_long_as_a_cell_cannot_be_removed_everything_stays_that_says_whose_it_is() {
    let world = World::new().await;
    let (_anna, path) = busy(&world).await;
    let mut operator = world.operator(true).await;
    operator.post(&format!("{path}/suspend"), json!({})).await.expect(200);
    world.cells.break_down();
    operator.delete(&path).await.refused(503, "cell_unavailable");
    let whole = operator.get(&path).await.expect(200).json;
    assert_eq!(whole["people"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_database_removes_no_organisation_but_for_an_operator_who_is_signed_in_and_none_that_is_in_use() {
    let world = World::new().await;
    let (mut anna, path) = busy(&world).await;
    let id = path.rsplit('/').next().unwrap().to_owned();
    let remove = format!("SELECT remove_organisation('{id}')");
    let mut app = world.database.app().await;
    for settings in [
        String::new(),
        format!("SELECT set_config('holdfast.tenant', '{id}', false);"),
        "SELECT set_config('holdfast.operator', encode(sha256('x'), 'hex'), false);".to_owned(),
    ] {
        let statements = AssertSqlSafe(format!("{settings} {remove}"));
        let refused = sqlx::raw_sql(statements).execute(&mut app).await.unwrap_err();
        assert!(refused.to_string().contains("only the operator"), "{refused}");
    }
    // With a session of the operator, it is the organisation's being in use that stops it.
    world.operator(true).await;
    let session: Vec<u8> = sqlx::query_scalar("SELECT token_hash FROM operator_sessions LIMIT 1")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    let hash: String = session.iter().map(|byte| format!("{byte:02x}")).collect();
    let statements = format!(
        "SELECT set_config('holdfast.tenant', '', false), set_config('holdfast.operator', '{hash}', false); {remove}"
    );
    let refused = sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut app)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("suspended"), "{refused}");
    let people: Value = anna.get("/people").await.expect(200).json;
    assert_eq!(people["people"].as_array().unwrap().len(), 2);
}
