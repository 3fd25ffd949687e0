use client::ClientError;
use serde_json::json;

use super::bench::{TestKeeper, end_of, refused};

#[tokio::test]
async fn requests_run_at_once_and_each_gets_its_own_answer() {
    let (keeper, _, channel, _events) = TestKeeper::with_vault().await;
    let waiting = channel.call("test.wait", json!({}));
    let rest = async {
        keeper.methods.one_waits().await;
        let echoed = channel.call("test.echo", json!({"a": [1, "ü"]})).await.unwrap();
        assert_eq!(echoed, json!({"a": [1, "ü"]}));
        channel.call("test.release", json!({})).await.unwrap();
    };
    let (waited, ()) = tokio::join!(waiting, rest);
    assert_eq!(waited.unwrap(), json!("released"));
}

#[tokio::test]
async fn a_cancelled_request_stops_where_it_waits() {
    let (keeper, _, channel, _events) = TestKeeper::with_vault().await;
    tokio::select! {
        _ = channel.call("test.wait", json!({})) => panic!("it was not released"),
        () = keeper.methods.one_waits() => {}
    }
    keeper.methods.dropped.notified().await;
    assert_eq!(channel.call("test.echo", json!(2)).await.unwrap(), json!(2));
}

#[tokio::test]
async fn what_still_runs_is_dropped_with_the_connection() {
    let (keeper, _, channel, _events) = TestKeeper::with_vault().await;
    let call = tokio::spawn(async move { channel.call("test.wait", json!({})).await });
    keeper.methods.one_waits().await;
    call.abort();
    keeper.methods.dropped.notified().await;
}

#[tokio::test]
async fn errors_come_back_with_a_code_and_too_many_requests_are_refused() {
    let (keeper, _, channel, _events) = TestKeeper::with_vault().await;
    let unknown = channel.call("nothing.here", json!({})).await;
    assert_eq!(refused(unknown).code(), Some("unknown_method"));
    let malformed = channel.call("vault.unlock", json!({"kek": "short"})).await;
    assert_eq!(refused(malformed).code(), Some("malformed"));
    let wrong_key = json!({"kek": protocol::b64::encode([1; 32])});
    assert_eq!(
        refused(channel.call("vault.unlock", wrong_key).await).code(),
        Some("wrong_key")
    );

    let channel = &channel;
    let mut waiting: futures::stream::FuturesUnordered<_> =
        (0..64).map(|_| channel.call("test.wait", json!({}))).collect();
    let refused_one = async {
        for _ in 0..64 {
            keeper.methods.one_waits().await;
        }
        refused(channel.call("test.echo", json!({})).await)
    };
    tokio::select! {
        error = refused_one => assert_eq!(error.code(), Some("too_many_requests")),
        _ = futures::StreamExt::next(&mut waiting) => panic!("none was released"),
    }
}

#[tokio::test]
async fn events_reach_their_subscriber_in_order() {
    let (keeper, _, channel, mut events) = TestKeeper::with_vault().await;
    channel.call("test.events", json!({"count": 500})).await.unwrap();
    keeper.host.broadcast("last", &json!({}));
    let mut next = 0;
    loop {
        let event = events.next().await.unwrap().unwrap();
        match event.event.as_str() {
            "test" => {
                assert_eq!(event.data["n"], json!(next));
                next += 1;
            }
            "last" => break,
            _ => {}
        }
    }
    assert_eq!(next, 500);
}

#[tokio::test]
async fn an_answer_that_does_not_fit_a_frame_is_an_error_and_the_channel_goes_on() {
    let (_keeper, _, channel, _events) = TestKeeper::with_vault().await;
    let fits = "x".repeat(protocol::limits::FRAME_BYTES - 100);
    let outcome = channel.call("test.echo", json!(fits)).await;
    assert_eq!(outcome.unwrap(), json!(fits));
    // Escaping makes the answer longer than the question.
    let grows = "\u{7f}".repeat(10);
    assert_eq!(channel.call("test.echo", json!(grows)).await.unwrap(), json!(grows));
    let too_many = channel.call("test.events", json!({"count": 1, "bytes": 1 << 20})).await;
    assert_eq!(too_many.unwrap(), json!({}));
    assert_eq!(channel.call("test.echo", json!(1)).await.unwrap(), json!(1));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_let_go_and_the_others_are_not_held_up() {
    use super::bench::password;
    let (keeper, slot, channel, mut events) = TestKeeper::with_vault().await;
    // A client that reads nothing after its log-in: its end of the wire is never polled.
    let mut deaf = keeper.connect().await;
    let opened = deaf_login(&mut deaf, keeper.cell, slot).await;
    assert!(opened);
    while keeper.host.channels() < 2 {
        tokio::task::yield_now().await;
    }
    let (reading, _more) = keeper.login(slot, &password(), None).await.unwrap();
    let filler = "x".repeat(256 * 1024);
    for n in 0..24 {
        keeper.host.broadcast("filler", &json!({"n": n, "filler": filler}));
        // Those who read get their turn.
        while reading.call("test.echo", json!(n)).await.unwrap() != json!(n) {}
        while !matches!(events.next().await, Some(Ok(event)) if event.event == "filler") {}
    }
    assert_eq!(keeper.host.channels(), 2, "the deaf one is gone, the readers are not");
    drop(channel);
    end_of(&mut events).await;
}

async fn deaf_login(socket: &mut super::bench::Socket, cell: protocol::CellId, slot: protocol::SlotId) -> bool {
    use futures::{SinkExt as _, StreamExt as _};
    use protocol::channel::{ClientHandshake, KeeperHandshake};
    use tokio_tungstenite::tungstenite::Message;

    let (login, request) = vault::opaque::ClientLogin::start(&super::bench::password()).unwrap();
    for message in [
        ClientHandshake::Hello { version: 1 },
        ClientHandshake::LoginStart { slot, request },
    ] {
        let text = serde_json::to_string(&message).unwrap();
        socket.send(Message::text(text)).await.unwrap();
    }
    socket.next().await.unwrap().unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    let KeeperHandshake::LoginResponse { response, .. } = serde_json::from_str(answer.to_text().unwrap()).unwrap()
    else {
        return false;
    };
    let names = vault::opaque::Names {
        cell: cell.uuid(),
        slot: slot.uuid(),
    };
    let Ok(proved) = login.finish(&response, &names) else {
        return false;
    };
    let finish = ClientHandshake::LoginFinish {
        slot,
        finish: proved.finish,
    };
    let text = serde_json::to_string(&finish).unwrap();
    socket.send(Message::text(text)).await.is_ok()
}

#[tokio::test]
async fn a_channel_whose_client_goes_away_is_forgotten() {
    let (keeper, _, channel, mut events) = TestKeeper::with_vault().await;
    assert_eq!(keeper.host.channels(), 1);
    channel.close().await;
    assert!(matches!(end_of(&mut events).await, ClientError::Closed(_)));
    while keeper.host.channels() > 0 {
        tokio::task::yield_now().await;
    }
}
