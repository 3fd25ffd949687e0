//! What the platform keeps for the tenant API's cells: sealed, rotated while it is used, and of no use without the master key.

use std::pin::pin;
use std::sync::Arc;

use axum::http::Method;
use futures::future::{Either, select};
use management::{CellRef, Custody, CustodyError, MasterKey, OsEntropy, SystemClock, database};
use serde_json::json;
use sqlx::Connection as _;
use uuid::Uuid;

use crate::support::{MASTER_KEY, Receiver, World};

async fn custody(world: &World, master: impl AsRef<[u8]>) -> Result<Custody, CustodyError> {
    let database = database::open(world.database.source()).await.unwrap();
    let master = MasterKey::new(master.as_ref()).unwrap();
    Custody::open(database, Arc::new(SystemClock), Arc::new(OsEntropy), master).await
}

async fn cell(world: &World) -> CellRef {
    let (tenant, _) = world.tenant("x").await;
    let mut owner = world.database.owner().await;
    let cell: Uuid = sqlx::query_scalar("SELECT cell_id FROM api_tenants WHERE tenant_id = $1")
        .bind(tenant)
        .fetch_one(&mut owner)
        .await
        .unwrap();
    CellRef {
        cell: cell.into(),
        tenant: tenant.into(),
        user: tenant.into(),
    }
}

#[tokio::test]
async fn a_secret_is_had_again_with_the_master_key_and_not_with_another() {
    let (world, ..) = World::with_tenants().await;
    let cell = cell(&world).await;
    let first = custody(&world, MASTER_KEY).await.unwrap().kept(cell).await.unwrap();
    let again = custody(&world, MASTER_KEY).await.unwrap().kept(cell).await.unwrap();
    assert_eq!(*first.secret, *again.secret);
    assert!(first.keeper.is_none());
    let other = custody(&world, "another passphrase that is long enough").await;
    assert!(matches!(other, Err(CustodyError::OtherMasterKey)));
}

#[tokio::test]
async fn a_secret_that_was_moved_to_another_cell_or_changed_does_not_open() {
    let (world, ..) = World::with_tenants().await;
    let (one, two) = (cell(&world).await, cell(&world).await);
    let custody = custody(&world, MASTER_KEY).await.unwrap();
    let mut owner = world.database.owner().await;
    let swapped = "UPDATE platform_secrets SET sealed = (SELECT sealed FROM platform_secrets WHERE cell_id = $2) WHERE cell_id = $1";
    sqlx::query(swapped)
        .bind(one.cell.uuid())
        .bind(two.cell.uuid())
        .execute(&mut owner)
        .await
        .unwrap();
    assert!(matches!(custody.kept(one).await, Err(CustodyError::Damaged)));
    assert!(custody.kept(two).await.is_ok());
    // Nor is it found under another tenant.
    let stranger = CellRef {
        tenant: one.tenant,
        ..two
    };
    assert!(matches!(custody.kept(stranger).await, Err(CustodyError::NotKept)));
}

#[tokio::test]
async fn keys_are_rotated_while_others_read_and_the_old_ones_open_nothing_after_that() {
    let (world, _, operator) = World::with_tenants().await;
    let cell = cell(&world).await;
    let beside = custody(&world, MASTER_KEY).await.unwrap();
    let before = beside.kept(cell).await.unwrap();
    let once = operator.with("idempotency-key", "k");
    let made = once
        .post("/api/v1/tenants", json!({"name": "y"}))
        .await
        .expect(201)
        .json;

    let rotated = operator
        .post("/api/v1/platform-keys/rotate", json!({}))
        .await
        .expect(200)
        .json;
    assert_eq!(
        rotated,
        json!({"key": 2, "secrets": 2, "master_changed": false, "master_key_in": "environment"})
    );
    // Another server finds the new key by itself, and so does an answer that was kept.
    assert_eq!(*beside.kept(cell).await.unwrap().secret, *before.secret);
    let again = once
        .post("/api/v1/tenants", json!({"name": "y"}))
        .await
        .expect(201)
        .json;
    assert_eq!(made, again);
    let mut owner = world.database.owner().await;
    let keys: Vec<i32> = sqlx::query_scalar("SELECT id FROM wrapping_keys")
        .fetch_all(&mut owner)
        .await
        .unwrap();
    assert_eq!(keys, [2]);
}

#[tokio::test]
async fn the_master_key_is_changed_while_the_server_serves() {
    let (world, _, operator) = World::with_tenants().await;
    let cell = cell(&world).await;
    let before = custody(&world, MASTER_KEY).await.unwrap().kept(cell).await.unwrap();
    let new = "a new passphrase, as long as the first one was";
    let short = operator
        .post("/api/v1/platform-keys/rotate", json!({"new_master_key": "short"}))
        .await;
    assert_eq!(
        (short.status.as_u16(), &short.json["field"]),
        (422, &json!("new_master_key"))
    );
    let rotated = operator
        .post("/api/v1/platform-keys/rotate", json!({"new_master_key": new}))
        .await
        .expect(200)
        .json;
    assert_eq!(rotated["master_changed"], true);
    // The server that runs goes on; the next one starts with the new key, and from then on the old one opens nothing.
    world.tenant("made meanwhile").await;
    let after = custody(&world, new).await.unwrap().kept(cell).await.unwrap();
    assert_eq!(*after.secret, *before.secret);
    assert!(matches!(
        custody(&world, MASTER_KEY).await,
        Err(CustodyError::OtherMasterKey)
    ));
}

#[tokio::test]
async fn a_master_key_may_be_bytes_that_are_no_text() {
    let (world, _, operator) = World::with_tenants().await;
    let cell = cell(&world).await;
    let before = custody(&world, MASTER_KEY).await.unwrap().kept(cell).await.unwrap();
    let raw = [0xff; 32];
    let encoded = protocol::b64::encode(raw);
    for (wrong, field) in [
        (
            json!({"new_master_key": "x", "new_master_key_bytes": encoded}),
            "new_master_key_bytes",
        ),
        (json!({"new_master_key_bytes": "not base64!"}), "new_master_key_bytes"),
    ] {
        let refused = operator.post("/api/v1/platform-keys/rotate", wrong).await;
        assert_eq!(refused.refused(422, "invalid_field").json["field"], field);
    }
    let wanted = json!({"new_master_key_bytes": encoded});
    operator.post("/api/v1/platform-keys/rotate", wanted).await.expect(200);
    let after = custody(&world, raw).await.unwrap().kept(cell).await.unwrap();
    assert_eq!(*after.secret, *before.secret);
}

#[tokio::test]
async fn what_is_rotated_after_a_change_of_the_master_key_opens_with_the_new_one_too() {
    let (world, _, operator) = World::with_tenants().await;
    let cell = cell(&world).await;
    let beside = custody(&world, MASTER_KEY).await.unwrap();
    let before = beside.kept(cell).await.unwrap();
    let new = "a new passphrase, as long as the first one was";
    for body in [json!({"new_master_key": new}), json!({})] {
        operator.post("/api/v1/platform-keys/rotate", body).await.expect(200);
    }
    // A server that has not heard of the new one would leave it nothing to open.
    assert!(matches!(beside.rotate(None).await, Err(CustodyError::ChangedElsewhere)));
    let after = custody(&world, new).await.unwrap().kept(cell).await.unwrap();
    assert_eq!(*after.secret, *before.secret);
}

#[tokio::test]
async fn a_server_seals_under_the_key_that_another_one_has_made_since() {
    let (world, agents, operator) = World::with_tenants().await;
    let beside = world.beside(agents, &[]).await;
    operator
        .post("/api/v1/platform-keys/rotate", json!({}))
        .await
        .expect(200);
    let cell = cell(&beside).await;
    let custody = custody(&world, MASTER_KEY).await.unwrap();
    assert!(custody.kept(cell).await.is_ok());
}

#[tokio::test]
async fn what_is_about_to_be_stored_when_the_keys_are_rotated_elsewhere_is_not_lost() {
    let (world, agents, operator) = World::with_tenants().await;
    let beside = world.beside(agents, &[]).await;
    // The other server has sealed what opens a cell, and does not get on to the end of its transaction.
    let mut owner = world.database.owner().await;
    let mut lock = owner.begin().await.unwrap();
    sqlx::query("LOCK TABLE api_tenant_keys IN SHARE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let rotation = async {
        world.database.until_wait_for_locks(1).await;
        let rotated = pin!(operator.post("/api/v1/platform-keys/rotate", json!({})));
        match select(rotated, pin!(world.database.until_wait_for_locks(2))).await {
            Either::Left((rotated, _)) => {
                lock.rollback().await.unwrap();
                rotated
            }
            Either::Right(((), rotated)) => {
                lock.rollback().await.unwrap();
                rotated.await
            }
        }
    };
    let (cell, rotated) = tokio::join!(cell(&beside), rotation);
    rotated.expect(200);
    let custody = custody(&world, MASTER_KEY).await.unwrap();
    assert!(custody.kept(cell).await.is_ok());
}

/// Asks for what is sealed in this table, while a rotation comes between its being read and its being opened.
async fn while_it_is_sealed_again<T>(world: &World, table: &str, asked: impl Future<Output = T>) -> T {
    let mut owner = world.database.owner().await;
    let sealed_under = |change: &str| {
        let statement = format!("UPDATE {table} SET key_id = key_id {change} WHERE sealed IS NOT NULL");
        sqlx::AssertSqlSafe(statement)
    };
    // Under a key that there will not be any more when it is looked for.
    sqlx::query(sealed_under("+ 1")).execute(&mut owner).await.unwrap();
    let mut rotation = owner.begin().await.unwrap();
    sqlx::query("LOCK TABLE wrapping_keys IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *rotation)
        .await
        .unwrap();
    let goes_on = async {
        world.database.until_wait_for_locks(1).await;
        sqlx::query(sealed_under("- 1")).execute(&mut *rotation).await.unwrap();
        rotation.commit().await.unwrap();
    };
    tokio::join!(asked, goes_on).0
}

#[tokio::test]
async fn what_is_sealed_again_between_being_read_and_being_opened_is_read_once_more() {
    let receiver = Receiver::start().await;
    let (world, _, operator) = World::with_tenants_telling(std::slice::from_ref(&receiver.address)).await;
    let cell = cell(&world).await;
    let custody = custody(&world, MASTER_KEY).await.unwrap();
    let kept = while_it_is_sealed_again(&world, "platform_secrets", custody.kept(cell)).await;
    assert!(kept.is_ok());

    let wanted = json!({"url": receiver.url("/hook"), "events": ["turn.failed"]});
    let hooks = format!("/api/v1/tenants/{}/webhooks", cell.tenant);
    let once = operator.with("idempotency-key", "k");
    let made = once.post(&hooks, wanted.clone()).await.expect(201).json;
    let again = while_it_is_sealed_again(&world, "api_writes", once.post(&hooks, wanted)).await;
    assert_eq!(again.expect(201).json, made);

    let test = format!("{hooks}/{}/test", made["id"].as_str().unwrap());
    let tested = operator.send(Method::POST, &test, None);
    let tested = while_it_is_sealed_again(&world, "api_webhooks", tested).await;
    assert_eq!(tested.expect(200).json["delivered"], true);
}

#[tokio::test]
async fn of_a_rotation_nothing_is_kept_under_a_key() {
    let (world, _, operator) = World::with_tenants().await;
    let once = operator.with("idempotency-key", "k");
    let wanted = json!({"new_master_key": "a new passphrase, as long as the first one was"});
    for key in [2, 3] {
        let rotated = once
            .post("/api/v1/platform-keys/rotate", wanted.clone())
            .await
            .expect(200);
        assert_eq!(rotated.json["key"], key);
        assert_eq!(rotated.headers.get("idempotency-replayed"), None);
    }
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM api_writes")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    assert_eq!(kept, 0);
}
