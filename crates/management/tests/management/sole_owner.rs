//! The way back for who owns an organisation alone and has lost every second factor.

use management::audit::AuditKey;
use management::{NotReset, SoleOwner, database, limits};
use serde_json::json;

use crate::support::{World, token};

async fn reset(world: &World, email: &str) -> Result<Vec<management::OwnerReset>, NotReset> {
    let opened = database::open(world.database.source()).await.unwrap();
    let owner = SoleOwner {
        database: &opened,
        clock: world.clock.clone(),
        audit_key: AuditKey::from_bytes(&[9; 32]),
        mailer: &*world.mails,
    };
    owner.reset_factors(email).await
}

/// With a second factor that nobody has.
async fn lost(world: &World, email: &str) {
    sqlx::query(
        "INSERT INTO authenticators (tenant_id, user_id, sealed_secret, created_at, confirmed_at)
         SELECT tenant_id, id, 'x', now(), now() FROM users WHERE email = $1",
    )
    .bind(email)
    .execute(&mut world.database.owner().await)
    .await
    .unwrap();
}

#[tokio::test]
async fn the_only_owner_comes_back_by_mail_and_both_logs_have_it() {
    let (world, mut anna) = World::owned().await;
    let mut olga = world.second_tenant().await;
    lost(&world, "anna@acme.example").await;
    lost(&world, "olga@globex.example").await;
    let done = reset(&world, "anna@acme.example").await.unwrap();
    assert_eq!(done.len(), 1);
    assert_eq!(
        (done[0].owner.as_str(), done[0].organisation.as_str()),
        ("Anna", "Acme")
    );
    assert_eq!((done[0].second_factors, done[0].sessions), (1, 1));
    let mail = world.mails.next().await;
    assert!(
        mail.contains("whoever runs this server has reset your second factors at Acme"),
        "{mail}"
    );
    anna.get("/me").await.refused(401, "not_signed_in");
    olga.get("/me").await.expect(200);

    let mut browser = world.browser();
    let email = json!({"email": "anna@acme.example"});
    browser.post("/sign-in", email).await.expect(202);
    let link = token(&world.mails.next().await, "sign-in");
    browser
        .post("/sign-in/complete", json!({ "token": link }))
        .await
        .expect(200);
    let theirs = browser.get("/audit?action=person.factors_reset").await.expect(200).json;
    let mut operator = world.operator(true).await;
    let own = operator.get("/operator/audit").await.expect(200).json;
    for log in [theirs, own] {
        let event = &log["events"][0];
        assert_eq!(event["action"], "person.factors_reset");
        assert_eq!(event["actor"]["kind"], "operator");
        assert_eq!(event["device"], "holdfast on the server's machine");
        assert_eq!(event["target"]["name"], "Anna");
        assert_eq!(event["details"]["second_factors"], "1");
    }
}

#[tokio::test]
async fn whoever_another_owner_can_help_is_not_reset_nor_who_is_no_owner_suspended_or_has_none() {
    let (world, mut anna) = World::owned().await;
    world.join(&mut anna, "bob@acme.example", "member").await;
    let refused = async |email: &str| reset(&world, email).await.unwrap_err();
    assert!(matches!(refused("nobody").await, NotReset::NoAddress(_)));
    assert!(matches!(refused("nobody@acme.example").await, NotReset::NotAlone(_)));
    assert!(matches!(refused("anna@acme.example").await, NotReset::NoFactor(_)));
    lost(&world, "anna@acme.example").await;
    lost(&world, "bob@acme.example").await;
    assert!(matches!(refused("bob@acme.example").await, NotReset::NotAlone(_)));
    let change = async |statement: &'static str| {
        let mut owner = world.database.owner().await;
        sqlx::query(statement).execute(&mut owner).await.unwrap();
    };
    change("UPDATE users SET role = 'owner' WHERE email = 'bob@acme.example'").await;
    assert!(matches!(refused("anna@acme.example").await, NotReset::NotAlone(_)));
    change("UPDATE users SET deactivated_at = now() WHERE email = 'bob@acme.example'").await;
    assert!(matches!(refused("bob@acme.example").await, NotReset::NotAlone(_)));
    assert_eq!(world.mails.files().len(), 1, "only Bob's invitation was mailed");
    anna.get("/me").await.expect(200);
    // Whoever could help is suspended.
    assert_eq!(reset(&world, "anna@acme.example").await.unwrap().len(), 1);
}

#[tokio::test]
async fn it_is_done_however_many_organisations_they_are_in() {
    let (world, _anna) = World::owned().await;
    lost(&world, "anna@acme.example").await;
    let before = "WITH others AS (INSERT INTO tenants (id, name, created_at)
            SELECT gen_random_uuid(), 'Other', now() FROM generate_series(1, $1) RETURNING id)
        INSERT INTO users (id, tenant_id, name, email, role, created_at)
            SELECT gen_random_uuid(), id, 'Anna', 'anna@acme.example', 'member', timestamptz '2000-01-01' FROM others";
    sqlx::query(before)
        .bind(limits::ORGANISATIONS_PER_ADDRESS)
        .execute(&mut world.database.owner().await)
        .await
        .unwrap();
    assert_eq!(reset(&world, "anna@acme.example").await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_done_before_the_database_failed_is_said() {
    let (world, _anna) = World::owned().await;
    world.second_tenant().await;
    for statement in [
        "UPDATE users SET email = 'anna@acme.example', created_at = now() + interval '100 years' WHERE email = 'olga@globex.example'",
        "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF EXISTS (SELECT FROM tenants WHERE id = OLD.tenant_id AND name = 'Globex') THEN RAISE EXCEPTION 'no'; END IF;
            RETURN OLD; END $$",
        "CREATE TRIGGER fails BEFORE DELETE ON authenticators FOR EACH ROW EXECUTE FUNCTION fails()",
    ] {
        let mut owner = world.database.owner().await;
        sqlx::query(statement).execute(&mut owner).await.unwrap();
    }
    lost(&world, "anna@acme.example").await;
    match reset(&world, "anna@acme.example").await {
        Err(NotReset::Storage { done, .. }) => assert_eq!((done.len(), done[0].organisation.as_str()), (1, "Acme")),
        other => panic!("{other:?}"),
    }
}
