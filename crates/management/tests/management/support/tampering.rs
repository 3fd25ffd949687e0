//! What somebody can do to an audit chain who has the database and not the key.

use sha2::Digest as _;
use sqlx::PgConnection;

/// What the superuser of the database can do to it: every event from here on hashed anew, and the end, too.
pub async fn rehash(connection: &mut PgConnection, from: i64) {
    let mut before: Vec<u8> = sqlx::query_scalar("SELECT hash FROM audit_events WHERE seq = $1")
        .bind(from - 1)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let bodies: Vec<(i64, String)> = sqlx::query_as("SELECT seq, body FROM audit_events WHERE seq >= $1 ORDER BY seq")
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
        sqlx::query("UPDATE audit_events SET hash = $1 WHERE seq = $2")
            .bind(&before)
            .bind(seq)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    sqlx::query("UPDATE audit_heads SET hash = $1")
        .bind(&before)
        .execute(connection)
        .await
        .unwrap();
}
