use std::time::Duration;

use management::limits;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::destinations::{add, assert_signed, once};
use crate::support::{Browser, Got, Receiver, World};

async fn streaming(browser: &mut Browser, kind: &str, url: &str) -> (String, Value) {
    let (id, made) = add(browser, json!({"kind": kind, "name": "Collector", "url": url})).await;
    let path = format!("/destinations/{id}/stream");
    browser.put(&path, json!({"on": true})).await.expect(204);
    (id, made)
}

fn numbers(got: &Got) -> Vec<i64> {
    let events = got.json()["data"]["events"].as_array().unwrap().clone();
    events.iter().map(|event| event["seq"].as_i64().unwrap()).collect()
}

async fn newest(browser: &mut Browser) -> i64 {
    let log = browser.get("/audit").await.expect(200).json;
    log["events"][0]["seq"].as_i64().unwrap()
}

/// Whatever comes until all up to here have come.
async fn up_to(receiver: &Receiver, last: i64) -> Vec<Got> {
    let mut came = Vec::new();
    loop {
        let got = receiver.next().await;
        let there = numbers(&got).last() == Some(&last);
        came.push(got);
        if there {
            return came;
        }
    }
}

#[tokio::test]
async fn audit_events_go_out_as_they_happen_in_order_and_byte_for_byte() {
    let receiver = Receiver::start().await;
    let (_world, mut anna) = World::owned_telling(std::slice::from_ref(&receiver.address)).await;
    let begun_after = newest(&mut anna).await + 1;
    let (id, made) = streaming(&mut anna, "webhook", &receiver.url("/audit")).await;
    for _ in 0..5 {
        anna.post("/step-up", json!({"code": "000000"})).await;
    }
    let last = newest(&mut anna).await;
    let came = up_to(&receiver, last).await;
    let mut seen = Vec::new();
    for got in &came {
        assert_signed(got, &made["secret"]);
        assert_eq!(got.json()["type"], "audit");
        seen.extend(numbers(got));
    }
    // What was before the stream is not in it; that it was turned on is.
    assert_eq!(seen, (begun_after + 1..=last).collect::<Vec<_>>());
    let exported = anna.download("/audit/export").await;
    for got in &came {
        let body = std::str::from_utf8(&got.body).unwrap();
        for event in got.json()["data"]["events"].as_array().unwrap() {
            // As it was hashed: the text in the export stands in what came.
            let seq = event["seq"].as_i64().unwrap();
            let line = exported.lines().nth(usize::try_from(seq).unwrap()).unwrap();
            let text = line
                .strip_prefix(r#"{"event":"#)
                .unwrap()
                .rsplit_once(r#","hash""#)
                .unwrap()
                .0;
            assert!(body.contains(text), "{text}");
        }
    }

    // Turned off, nothing more comes: the next thing that does is of after it was turned on again.
    let path = format!("/destinations/{id}/stream");
    once(&mut anna, |each| each["waiting"] == 0).await;
    receiver.rest().await;
    anna.put(&path, json!({"on": false})).await.expect(204);
    anna.post("/step-up", json!({"code": "000000"})).await;
    let off = newest(&mut anna).await;
    anna.put(&path, json!({"on": true})).await.expect(204);
    assert_eq!(numbers(&receiver.next().await), [off + 1]);
}

#[tokio::test]
async fn a_stream_loses_nothing_while_its_receiver_is_away() {
    let receiver = Receiver::start().await;
    let addresses = [receiver.address.clone()];
    let (world, mut anna) = World::owned_telling(&addresses).await;
    receiver.answers(503);
    let (id, _) = streaming(&mut anna, "webhook", &receiver.url("/audit")).await;
    let first = newest(&mut anna).await;
    let failed = receiver.next().await;
    once(&mut anna, |each| !each["last_problem"].is_null()).await;
    // More than one piece holds, after the first one was fixed.
    for _ in 0..limits::STREAM_EVENTS + 5 {
        anna.download("/audit/export.csv").await;
    }
    let last = newest(&mut anna).await;

    // It is away for longer than it is waited for: the stream stands, which is shown, also after a restart.
    let mut owner = world.database.owner().await;
    sqlx::query("UPDATE deliveries SET tries = $1")
        .bind(limits::DELIVERY_TRIES - 1)
        .execute(&mut owner)
        .await
        .unwrap();
    drop(owner);
    world.clock.advance(limits::DELIVERY_RETRY);
    let again = receiver.next().await;
    assert_eq!(again.header("webhook-id"), failed.header("webhook-id"));
    assert_eq!(numbers(&again), numbers(&failed));
    once(&mut anna, |each| each["stream_stands"] == true).await;
    let world = world.restarted(&addresses).await;
    let mut anna = world.enter("anna@acme.example", "full", true).await;

    // A test that arrives has it go on from where it stopped.
    receiver.answers(200);
    anna.post(&format!("/destinations/{id}/test"), json!({}))
        .await
        .expect(200);
    assert_eq!(receiver.next().await.json()["type"], "test");
    let tested = last + 1;
    let mut seen = Vec::new();
    for got in up_to(&receiver, tested).await {
        assert!(numbers(&got).len() <= usize::try_from(limits::STREAM_EVENTS).unwrap());
        seen.extend(numbers(&got));
    }
    assert_eq!(seen, (first..=tested).collect::<Vec<_>>());
    let shown = once(&mut anna, |each| each["waiting"] == 0).await;
    assert!(
        shown["stream_stands"].is_null() && shown["last_problem"].is_null(),
        "{shown}"
    );
}

#[tokio::test]
async fn syslog_gets_each_event_counted_in_octets() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (_world, mut anna) = World::owned_telling(std::slice::from_ref(&address)).await;
    for wrong in [
        "https://logs.example.org",
        "tls://logs.example.org/path",
        "tcp://logs.example.org:514",
        "tls://127.0.0.1:1",
    ] {
        let wanted = json!({"kind": "syslog", "name": "x", "url": wrong});
        anna.post("/destinations", wanted).await.refused(422, "invalid_field");
    }
    streaming(&mut anna, "syslog", &format!("tcp://{address}")).await;
    anna.post("/step-up", json!({"code": "000000"})).await;
    let last = newest(&mut anna).await;
    let mut messages = Vec::new();
    while messages.len() < 2 {
        let accepted = tokio::time::timeout(Duration::from_secs(20), listener.accept()).await;
        let (mut stream, _) = accepted.expect("it connects").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (length, after) = rest.split_once(' ').unwrap();
            let (message, after) = after.split_at(length.parse().unwrap());
            messages.push(message.to_owned());
            rest = after;
        }
    }
    // Log audit (13): notice, and warning where something was refused. RFC 5424, section 6.
    let (head, body) = messages[0].split_once(" - {").unwrap();
    assert_eq!(
        head,
        "<109>1 2030-03-17T17:46:40Z localhost holdfast - destination.stream_begun"
    );
    let event: Value = serde_json::from_str(&format!("{{{body}")).unwrap();
    assert_eq!(event["seq"], last - 1);
    assert!(
        messages[1].starts_with("<108>1 2030-03-17T17:46:40Z localhost holdfast - factor.shown - {"),
        "{}",
        messages[1]
    );
    once(&mut anna, |each| {
        each["waiting"] == 0 && !each["last_sent_at"].is_null()
    })
    .await;
}

#[tokio::test]
async fn whoever_begins_to_have_the_log_sent_elsewhere_sets_off_the_alert_of_exports() {
    let receiver = Receiver::start().await;
    let (world, mut anna) = World::owned_telling(std::slice::from_ref(&receiver.address)).await;
    let told = json!({"trigger": "exported", "email": "watch@acme.example"});
    anna.post("/alerts", told).await.expect(201);
    streaming(&mut anna, "webhook", &receiver.url("/audit")).await;
    let mail = world.mails.next().await;
    assert!(mail.contains("Anna: destination.stream_begun (Collector)"), "{mail}");
}
