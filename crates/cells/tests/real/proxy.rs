//! A client's WebSocket and a keeper's, joined.

use std::time::{Duration, Instant};

use cells::driver::{Part, PartState};
use cells::{CellState, proxy::close};
use futures::{SinkExt as _, StreamExt as _};
use protocol::control::{KeeperOp, PlatformOp};
use protocol::limits::{CHANNELS_PER_CELL, FRAME_BYTES};
use protocol::{CellId, TenantId};
use serde_json::Value;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::keeper::{Keeper, connect};
use crate::platform::{Client, Platform};

async fn hint(client: &mut Client) -> Value {
    match client.next().await {
        Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?} instead of a hint"),
    }
}

async fn closed<S>(socket: &mut WebSocketStream<S>) -> u16
where
    WebSocketStream<S>: futures::Stream<Item = Result<Message, Error>> + Unpin,
{
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(Some(CloseFrame { code, .. })))) => return code.into(),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            other => panic!("{other:?} instead of a close"),
        }
    }
}

/// A client and the keeper's end of its channel.
async fn joined(platform: &Platform, keeper: &mut Keeper) -> (Client, crate::keeper::Socket) {
    let (mut client, dialled) = tokio::join!(platform.client(), keeper.dial());
    assert_eq!(hint(&mut client).await["phase"], "connected");
    (client, dialled)
}

#[tokio::test]
async fn a_client_wakes_its_cell_is_told_so_and_is_joined_with_its_keeper() {
    let platform = Platform::new().await;
    let mut client = platform.client().await;
    client.send(Message::text("hello, already")).await.unwrap();
    let first = hint(&mut client).await;
    assert_eq!(
        (&first["type"], &first["phase"]),
        (&"platform".into(), &"starting_keeper".into())
    );
    assert!(first["at"].as_i64().unwrap() > 1_700_000_000_000);
    let mut keeper = Keeper::attach(&platform.socket()).await;
    let mut dialled = keeper.dial().await;
    assert_eq!(hint(&mut client).await["phase"], "connected");

    assert_eq!(dialled.next().await.unwrap().unwrap(), Message::text("hello, already"));
    let frame = Message::binary(vec![0xA5; FRAME_BYTES]);
    client.send(frame.clone()).await.unwrap();
    assert_eq!(dialled.next().await.unwrap().unwrap(), frame);
    dialled.send(frame.clone()).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), frame);
}

#[tokio::test]
async fn promise_03_a_channel_opens_only_with_a_token_of_this_installation() {
    let platform = Platform::new().await;
    let token = platform.token(60);
    let forged = {
        let mut other = Platform::new().await;
        other.key = ed25519_dalek::SigningKey::from_bytes(&[8; 32]);
        (other.cell, other.tenant) = (platform.cell, platform.tenant);
        other.token(60)
    };
    assert_eq!(platform.refused(None, None).await, 401);
    assert_eq!(platform.refused(Some("v1.x.y"), None).await, 401);
    assert_eq!(platform.refused(Some(&forged), None).await, 401);
    for origin in ["https://evil.example", "null"] {
        assert_eq!(platform.refused(Some(&token), Some(origin)).await, 403);
    }
    assert_eq!(platform.cells.list(), [], "nothing was woken");
    platform
        .open(Some(&token), Some("https://agents.example"))
        .await
        .unwrap();
    let own = format!("http://{}", platform.address);
    platform.open(Some(&token), Some(&own)).await.unwrap();
}

#[tokio::test]
async fn promise_03_a_token_of_another_tenant_does_not_reach_the_cell() {
    let mut platform = Platform::new().await;
    let _keeper = platform.awake().await;
    platform.tenant = TenantId::new();
    let mut client = platform.client().await;
    let refusal = hint(&mut client).await;
    assert_eq!(
        (&refusal["type"], &refusal["code"]),
        (&"platform_error".into(), &"not_found".into())
    );
    assert_eq!(closed(&mut client).await, 1008);
}

#[tokio::test]
async fn an_expired_token_opens_nothing_and_ends_nothing() {
    let platform = Platform::new().await;
    let mut expired = platform.open(Some(&platform.token(-1)), None).await.unwrap();
    assert_eq!(hint(&mut expired).await["code"], "token_expired");
    assert_eq!(closed(&mut expired).await, close::TOKEN_EXPIRED);
    assert_eq!(platform.cells.list(), []);

    let mut keeper = platform.awake().await;
    let short = platform.token(1);
    let (client, mut dialled) = tokio::join!(platform.open(Some(&short), None), keeper.dial());
    let mut client = client.unwrap();
    hint(&mut client).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    client.send(Message::text("still here")).await.unwrap();
    assert_eq!(dialled.next().await.unwrap().unwrap(), Message::text("still here"));
}

#[tokio::test]
async fn when_either_side_ends_the_other_is_told_why() {
    let platform = Platform::new().await;
    let mut keeper = platform.awake().await;

    let (mut client, mut dialled) = joined(&platform, &mut keeper).await;
    let bye = CloseFrame {
        code: 1000.into(),
        reason: "bye".into(),
    };
    client.close(Some(bye)).await.unwrap();
    assert_eq!(closed(&mut dialled).await, 1000);

    let (mut client, mut dialled) = joined(&platform, &mut keeper).await;
    dialled.send(Message::text("last words")).await.unwrap();
    let locked = CloseFrame {
        code: 4000.into(),
        reason: "locked".into(),
    };
    dialled.close(Some(locked)).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("last words"));
    assert_eq!(closed(&mut client).await, 4000);

    let (mut client, dialled) = joined(&platform, &mut keeper).await;
    drop(dialled);
    assert_eq!(closed(&mut client).await, close::KEEPER_GONE);

    let (client, mut dialled) = joined(&platform, &mut keeper).await;
    drop(client);
    assert_eq!(closed(&mut dialled).await, 1001);
}

#[tokio::test]
async fn a_message_beyond_the_limit_ends_the_channel_by_name() {
    let platform = Platform::new().await;
    let mut keeper = platform.awake().await;
    let (mut client, mut dialled) = joined(&platform, &mut keeper).await;
    let _ = client.send(Message::binary(vec![0; FRAME_BYTES + 1])).await;
    assert_eq!(closed(&mut client).await, 1009);
    assert_eq!(closed(&mut dialled).await, 1009);
}

#[tokio::test]
async fn channels_beyond_the_limit_are_refused_until_one_ends() {
    let platform = Platform::new().await;
    let mut keeper = platform.awake().await;
    let mut open = Vec::new();
    for _ in 0..CHANNELS_PER_CELL {
        open.push(joined(&platform, &mut keeper).await);
    }
    let mut refused = platform.client().await;
    assert_eq!(hint(&mut refused).await["code"], "too_many_channels");
    assert_eq!(closed(&mut refused).await, close::TOO_MANY);
    let (mut client, mut dialled) = open.pop().unwrap();
    client.close(None).await.unwrap();
    closed(&mut dialled).await;
    joined(&platform, &mut keeper).await;
}

#[tokio::test]
async fn a_full_installation_says_so_and_when_to_try_again() {
    let mut platform = Platform::with(|config| config.capacity = 1).await;
    let _keeper = platform.awake().await;
    platform.cell = CellId::new();
    let mut client = platform.client().await;
    assert_eq!(hint(&mut client).await["phase"], "starting_keeper");
    let refusal = hint(&mut client).await;
    assert_eq!(refusal["code"], "cells_full");
    assert!(refusal["retry_after_ms"].as_u64().unwrap() > 0);
    assert_eq!(closed(&mut client).await, 1013);
}

#[tokio::test]
async fn promise_12_a_client_that_does_not_read_stops_its_keeper_and_fills_no_memory() {
    let platform = Platform::new().await;
    let mut keeper = platform.awake().await;
    let (mut client, mut dialled) = joined(&platform, &mut keeper).await;
    let mut sent = 0_u64;
    let frame = Message::binary(vec![1; FRAME_BYTES]);
    while let Ok(result) = tokio::time::timeout(Duration::from_millis(500), dialled.send(frame.clone())).await {
        result.unwrap();
        sent += 1;
        assert!(sent < 64, "nothing holds the keeper back");
    }
    // A channel that is stuck in one direction goes on in the other.
    client.send(Message::text("slow down")).await.unwrap();
    assert_eq!(dialled.next().await.unwrap().unwrap(), Message::text("slow down"));
    for _ in 0..sent {
        assert_eq!(client.next().await.unwrap().unwrap(), frame);
    }
}

#[tokio::test]
async fn promise_06_a_frame_from_a_client_wakes_a_paused_cell_and_arrives() {
    let platform = Platform::with(|config| config.pause_after = Duration::from_millis(400)).await;
    let mut keeper = platform.awake().await;
    let (mut client, mut dialled) = joined(&platform, &mut keeper).await;
    keeper.obey(PlatformOp::Pause).await;
    platform.until(CellState::Paused).await;
    assert_eq!(platform.driver.part(platform.cell, Part::Agent), PartState::Paused);
    client.send(Message::text("are you there?")).await.unwrap();
    keeper.obey(PlatformOp::Resumed).await;
    assert_eq!(dialled.next().await.unwrap().unwrap(), Message::text("are you there?"));
    assert_eq!(platform.driver.part(platform.cell, Part::Agent), PartState::Running);
}

#[tokio::test]
async fn a_client_that_comes_back_to_a_cell_that_fell_asleep_wakes_it() {
    let platform = Platform::new().await;
    let mut keeper = platform.awake().await;
    let (mut client, dialled) = joined(&platform, &mut keeper).await;
    keeper.ask(KeeperOp::Sleep).await;
    platform.until(CellState::Asleep).await;
    drop((keeper, dialled));
    assert_eq!(closed(&mut client).await, close::KEEPER_GONE);

    let mut client = platform.client().await;
    assert_eq!(hint(&mut client).await["phase"], "starting_keeper");
    let mut keeper = Keeper::attach(&platform.socket()).await;
    let _dialled = keeper.dial().await;
    assert_eq!(hint(&mut client).await["phase"], "connected");
}

#[tokio::test]
async fn a_channel_can_be_dialled_once_and_only_by_the_cell_it_is_for() {
    let platform = Platform::new().await;
    let mut keeper = platform.awake().await;
    let _client = platform.client().await;
    let channel = keeper.channel().await;
    let route = format!("/channels/{channel}");

    let other = Platform::new().await;
    let _other_keeper = other.awake().await;
    let get = hyper::Method::GET;
    let (status, _) = crate::keeper::request(&other.socket(), get.clone(), &route, "").await;
    assert_ne!(status, 101);
    let _dialled = connect(&keeper.path, &route).await;
    let (status, _) = keeper.request(get, &route, "").await;
    assert_ne!(status, 101);
}

#[tokio::test]
async fn the_proxy_adds_a_fraction_of_a_millisecond() {
    let platform = Platform::new().await;
    let mut keeper = platform.awake().await;
    let (mut client, mut dialled) = joined(&platform, &mut keeper).await;
    tokio::spawn(async move {
        while let Some(Ok(message)) = dialled.next().await {
            if dialled.send(message).await.is_err() {
                break;
            }
        }
    });
    let mut took = Vec::new();
    for _ in 0..2000 {
        let begin = Instant::now();
        client.send(Message::binary(vec![0; 300])).await.unwrap();
        client.next().await.unwrap().unwrap();
        took.push(begin.elapsed());
    }
    took.sort();
    println!("there and back: median {:?}, p95 {:?}", took[1000], took[1900]);
    // On a machine that builds at the same time; the bench has the figure.
    assert!(took[1000] < Duration::from_millis(20), "{:?}", took[1000]);
}

#[tokio::test]
async fn a_session_that_ends_closes_its_channels_within_a_second_and_opens_none() {
    let platform = Platform::new().await;
    let mut keeper = platform.awake().await;
    let (client, mut dialled) = tokio::join!(platform.client(), keeper.dial());
    let mut client = client;
    hint(&mut client).await;
    client.send(Message::text("hello")).await.unwrap();
    assert_eq!(dialled.next().await.unwrap().unwrap(), Message::text("hello"));
    assert_eq!(
        *platform.sessions.uses.borrow(),
        1,
        "what the client writes is use of its session"
    );

    let before = std::time::Instant::now();
    platform.sessions.end();
    assert_eq!(closed(&mut client).await, close::SESSION_ENDED);
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    // The token is still good for a minute; the session that it was made for is not.
    let mut again = platform.client().await;
    assert_eq!(hint(&mut again).await["code"], "session_ended");
    assert_eq!(closed(&mut again).await, close::SESSION_ENDED);
}
