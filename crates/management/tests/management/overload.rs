use axum::http::StatusCode;
use management::limits;
use sqlx::Connection as _;
use tokio::task::JoinSet;

use crate::support::World;

/// More than the server works on at once.
const TOO_MANY: usize = 64;

#[tokio::test]
async fn promise_12_beyond_its_capacity_the_server_says_so_at_once_and_recovers() {
    let (world, mut anna) = World::owned().await;
    // Nothing that looks at a session is answered until this ends.
    let mut owner = world.database.owner().await;
    let mut lock = owner.begin().await.unwrap();
    sqlx::query("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();

    let mut requests = JoinSet::new();
    for _ in 0..limits::REQUESTS_AT_ONCE + TOO_MANY {
        let mut anna = anna.clone();
        requests.spawn(async move { anna.get("/me").await });
    }
    for _ in 0..TOO_MANY {
        let refused = requests.join_next().await.unwrap().unwrap();
        let refused = refused.refused(503, "busy");
        assert!(refused.headers.contains_key("retry-after"));
    }
    lock.rollback().await.unwrap();

    // The others are served, or told that the database took too long; nobody is left without an answer.
    while let Some(answer) = requests.join_next().await {
        let answer = answer.unwrap();
        if answer.status != StatusCode::OK {
            let refused = answer.refused(503, "database_unavailable");
            assert!(refused.headers.contains_key("retry-after"));
        }
    }
    anna.get("/me").await.expect(200);
}
