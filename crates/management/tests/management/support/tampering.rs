//! What somebody can do to an audit chain who has the database and not the key.

use sha2::Digest as _;
use sqlx::PgConnection;

/// What the superuser of the database can do to it: every event from here on hashed anew, and the end, too.
pub async fn rehash(connection: &mut PgConnection, from: i64) {
    hash_anew(connection, ["audit_events", "audit_heads"], from).await;
}

/// As [`rehash`], of the operator's chain.
pub async fn rehash_operators(connection: &mut PgConnection, from: i64) {
    hash_anew(connection, ["operator_events", "operator_head"], from).await;
}

async fn hash_anew(connection: &mut PgConnection, [events, head]: [&str; 2], from: i64) {
    let sql = |text: String| sqlx::AssertSqlSafe(text);
    let mut before: Vec<u8> = sqlx::query_scalar(sql(format!("SELECT hash FROM {events} WHERE seq = $1")))
        .bind(from - 1)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let bodies: Vec<(i64, String)> = sqlx::query_as(sql(format!(
        "SELECT seq, body FROM {events} WHERE seq >= $1 ORDER BY seq"
    )))
    .bind(from)
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    for (seq, body) in bodies {
        let mut hash = sha2::Sha256::new();
        hash.update(b"holdfast/audit/v1\0");
        hash.update(&before);
        hash.update(body.as_bytes());
        before = hash.finalize().to_vec();
        sqlx::query(sql(format!("UPDATE {events} SET hash = $1 WHERE seq = $2")))
            .bind(&before)
            .bind(seq)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    sqlx::query(sql(format!("UPDATE {head} SET hash = $1")))
        .bind(&before)
        .execute(connection)
        .await
        .unwrap();
}
