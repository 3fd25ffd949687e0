//! Sealed objects, over a cell's socket and onto a disk.

use hyper::Method;
use protocol::CellId;
use protocol::limits::BLOB_BYTES;
use serde_json::{Value, json};

use crate::keeper::{Keeper, Socket, connect, request};
use crate::platform::Platform;

async fn awake() -> (Platform, Keeper) {
    let platform = Platform::new().await;
    let keeper = platform.awake().await;
    (platform, keeper)
}

fn code(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap();
    body["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn blobs_are_written_read_listed_and_deleted() {
    let (platform, keeper) = awake().await;
    let bytes = vec![7_u8; 3 * 1024 * 1024];
    for name in ["chunks/ab/cd", "chunks/aa", "manifest.1"] {
        let (status, _) = keeper
            .request(Method::PUT, &format!("/blobs/{name}"), bytes.clone())
            .await;
        assert_eq!(status, 204, "{name}");
    }
    let (status, body) = keeper.request(Method::GET, "/blobs/chunks/ab/cd", "").await;
    assert_eq!((status.as_u16(), body.as_ref()), (200, bytes.as_slice()));
    let (_, body) = keeper.request(Method::GET, "/blobs?prefix=chunks/", "").await;
    let listed: Value = serde_json::from_slice(&body).unwrap();
    let size = bytes.len();
    let expected = json!({"blobs": [{"name": "chunks/aa", "size": size}, {"name": "chunks/ab/cd", "size": size}]});
    assert_eq!(listed, expected);
    for _ in 0..2 {
        assert_eq!(keeper.request(Method::DELETE, "/blobs/chunks/aa", "").await.0, 204);
    }
    let (status, body) = keeper.request(Method::GET, "/blobs/chunks/aa", "").await;
    assert_eq!((status.as_u16(), code(&body).as_str()), (404, "not_found"));
    let place = format!("blobs/tenants/{}/cells/{}/manifest.1", platform.tenant, platform.cell);
    assert_eq!(std::fs::read(platform.folder.path().join(place)).unwrap(), bytes);
}

#[tokio::test]
async fn promise_03_a_cell_reaches_no_blob_of_another() {
    let (mut platform, keeper) = awake().await;
    let first = platform.cell;
    keeper.request(Method::PUT, "/blobs/secret", "of the first").await;
    platform.cell = CellId::new();
    let other = platform.awake().await;
    let up = "..%2f..%2f".to_owned();
    let names = [
        "secret".to_owned(),
        format!("../{first}/secret"),
        format!("..%2f{first}%2fsecret"),
        format!("%2e%2e/{first}/secret"),
        format!("/{first}/secret"),
        format!("{up}cells/{first}/secret"),
        format!("tenants/{}/cells/{first}/secret", platform.tenant),
    ];
    for name in names {
        let (status, body) = other.request(Method::GET, &format!("/blobs/{name}"), "").await;
        assert!(matches!(status.as_u16(), 400 | 404), "{name}: {status}");
        assert!(!body.windows(5).any(|part| part == b"first"), "{name}");
    }
    let (_, body) = other.request(Method::GET, "/blobs?prefix=../", "").await;
    assert_eq!(body.as_ref(), br#"{"blobs":[]}"#);
}

#[tokio::test]
async fn promise_11_names_sizes_and_conflicts_are_refused_by_name() {
    let (_platform, keeper) = awake().await;
    for name in [
        "UPPER",
        "a//b",
        "a/",
        ".hidden",
        "a%20b",
        "a%00",
        "%C3%A9",
        &"a".repeat(201),
    ] {
        let (status, body) = keeper.request(Method::PUT, &format!("/blobs/{name}"), "x").await;
        assert_eq!((status.as_u16(), code(&body).as_str()), (400, "name"), "{name}");
    }
    let (status, _) = keeper.request(Method::PUT, "/blobs/big", vec![0; BLOB_BYTES]).await;
    assert_eq!(status, 204);
    let (status, body) = keeper.request(Method::PUT, "/blobs/big", vec![0; BLOB_BYTES + 1]).await;
    assert_eq!((status.as_u16(), code(&body).as_str()), (413, "too_large"));
    let (status, body) = keeper.request(Method::PUT, "/blobs/big/part", "x").await;
    assert_eq!((status.as_u16(), code(&body).as_str()), (409, "conflict"));
    let (_, body) = keeper.request(Method::GET, "/blobs/big", "").await;
    assert_eq!(body.len(), BLOB_BYTES, "what was refused replaced nothing");
}

#[tokio::test]
async fn a_cell_stores_no_more_than_its_quota_also_after_a_restart() {
    let platform = Platform::with(|config| config.blob_quota_bytes = 1000).await;
    let keeper = platform.awake().await;
    let put = async |name: &str, bytes: usize| {
        let (status, _) = request(&keeper.path, Method::PUT, &format!("/blobs/{name}"), vec![0; bytes]).await;
        status.as_u16()
    };
    assert_eq!(put("a", 600).await, 204);
    assert_eq!(put("b", 401).await, 507);
    assert_eq!(put("b", 400).await, 204);
    assert_eq!(put("a", 601).await, 507);
    // Replacing counts the difference; deleting gives room.
    assert_eq!(put("a", 500).await, 204);
    assert_eq!(put("c", 101).await, 507);
    keeper.request(Method::DELETE, "/blobs/b", "").await;
    assert_eq!(put("c", 500).await, 204);
    let (status, body) = keeper.request(Method::PUT, "/blobs/d", "x").await;
    assert_eq!((status.as_u16(), code(&body).as_str()), (507, "quota"));
}

#[tokio::test]
async fn removing_a_cell_removes_its_blobs_and_no_other_cells() {
    let (mut platform, keeper) = awake().await;
    let first = platform.cell;
    keeper.request(Method::PUT, "/blobs/a/b", "x").await;
    platform.cell = CellId::new();
    let other = platform.awake().await;
    other.request(Method::PUT, "/blobs/a/b", "x").await;
    platform.cells.remove(first, platform.tenant).await.unwrap();
    let place = |cell| {
        platform
            .folder
            .path()
            .join(format!("blobs/tenants/{}/cells/{cell}/a/b", platform.tenant))
    };
    assert!(!place(first).exists());
    assert!(place(platform.cell).exists());
}

#[tokio::test]
async fn promise_11_a_control_connection_that_does_not_speak_the_protocol_is_closed() {
    use futures::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;
    let (platform, mut keeper) = awake().await;
    let hello = |version: u32| {
        Message::text(format!(
            r#"{{"type":"hello","version":{version},"vault":"new","agent":"absent","busy":false}}"#
        ))
    };
    let first = [
        Message::text("{}"),
        Message::text("not json"),
        Message::binary(vec![1]),
        hello(2),
        Message::text(r#"{"type":"request","id":1,"op":"sleep"}"#),
        Message::text("x".repeat(70_000)),
    ];
    for message in first {
        let mut socket: Socket = connect(&platform.socket(), "/attach").await;
        let _ = socket.send(message.clone()).await;
        let ended = matches!(socket.next().await, Some(Ok(Message::Close(_)) | Err(_)) | None);
        assert!(ended, "{message:?}");
    }
    // The keeper that was there is not disturbed.
    use protocol::control::{KeeperOp, Outcome};
    assert_eq!(keeper.ask(KeeperOp::Thaw).await, Outcome::Ok);
}

#[tokio::test]
async fn the_socket_is_reached_through_no_folder_that_other_users_may_enter() {
    use std::os::unix::fs::PermissionsExt as _;
    let (platform, keeper) = awake().await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let cell = keeper.path.parent().unwrap();
    assert_eq!(mode(cell.parent().unwrap()), 0o700);
    assert_eq!(mode(cell), 0o755);
    assert_eq!(mode(&keeper.path), 0o666);
    assert_eq!(
        keeper.config,
        protocol::control::CellConfig {
            private_model_addresses: Vec::new(),
            lock_after_ms: 30 * 60 * 1000,
            public_url: String::new(),
        }
    );
    drop(platform);
}
