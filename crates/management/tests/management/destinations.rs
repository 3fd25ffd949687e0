use std::time::Duration;

use axum::http::header;
use management::limits;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::support::{Browser, Got, Receiver, World};

/// Adds a destination: its id, and the answer.
pub async fn add(browser: &mut Browser, wanted: Value) -> (String, Value) {
    let made = browser.post("/destinations", wanted).await.expect(201).json;
    (made["id"].as_str().unwrap().to_owned(), made)
}

async fn webhook(browser: &mut Browser, receiver: &Receiver) -> (String, Value) {
    let wanted = json!({"kind": "webhook", "name": "Our hook", "url": receiver.url("/hook/s3cret-path")});
    add(browser, wanted).await
}

async fn tell(browser: &mut Browser, trigger: &str, destination: &str) -> String {
    let wanted = json!({"trigger": trigger, "destination": destination});
    let made = browser.post("/alerts", wanted).await.expect(201).json;
    made["id"].as_str().unwrap().to_owned()
}

/// The only destination, once it is as asked for.
pub async fn once(browser: &mut Browser, is: impl Fn(&Value) -> bool) -> Value {
    let told = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let listed = browser.get("/destinations").await.expect(200).json;
            let destination = listed["destinations"][0].clone();
            if is(&destination) {
                return destination;
            }
        }
    });
    told.await.expect("it comes to that")
}

/// Checks the signature with the reference implementation.
#[track_caller]
pub fn assert_signed(got: &Got, secret: &Value) {
    let reference = Webhook::new(secret.as_str().unwrap()).unwrap();
    let timestamp = got.header("webhook-timestamp").parse().unwrap();
    let expected = reference.sign(got.header("webhook-id"), timestamp, &got.body).unwrap();
    assert_eq!(got.header("webhook-signature"), expected);
}

#[tokio::test]
async fn an_alert_reaches_a_webhook_signed_and_more_of_it_in_one() {
    let receiver = Receiver::start().await;
    let (world, mut anna) = World::owned_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, made) = webhook(&mut anna, &receiver).await;
    assert_eq!(made["host"], receiver.address);
    tell(&mut anna, "exported", &id).await;
    anna.download("/audit/export.csv").await;
    let got = receiver.next().await;
    assert_eq!(got.path, "/hook/s3cret-path");
    assert_signed(&got, &made["secret"]);
    assert_eq!(got.header("webhook-timestamp"), world.clock.seconds().to_string());
    let first = got.json();
    assert_eq!(first["type"], "alert");
    assert_eq!(first["data"]["trigger"], "exported");
    assert_eq!(first["data"]["organisation"], "Acme");
    assert_eq!(first["data"]["events"], 1);
    assert!(
        first["data"]["summary"]
            .as_str()
            .unwrap()
            .starts_with("Anna: audit.exported")
    );
    assert_eq!(first["data"]["page"], "http://localhost:8080/audit");
    let shown = once(&mut anna, |each| !each["last_sent_at"].is_null()).await;
    assert_eq!(shown["last_sent_at"], world.clock.seconds() * 1000);
    assert_eq!(shown["waiting"], 0);

    for _ in 0..3 {
        anna.download("/audit/export.csv").await;
    }
    world.clock.advance(limits::ALERT_BETWEEN);
    let more = receiver.next().await;
    assert_eq!(more.json()["data"]["events"], 3);
    assert_ne!(more.header("webhook-id"), got.header("webhook-id"));
    assert!(receiver.rest().await.is_empty());
}

#[tokio::test]
async fn chats_and_pagers_get_what_they_take_and_no_name_becomes_a_mention() {
    let receiver = Receiver::start().await;
    let (_world, mut anna) = World::owned_telling(std::slice::from_ref(&receiver.address)).await;
    for (kind, key) in [("slack", ""), ("discord", ""), ("pagerduty", "R0UT1NGKEY")] {
        let wanted = json!({"kind": kind, "name": kind, "url": receiver.url(&format!("/{kind}")), "key": key});
        let (id, made) = add(&mut anna, wanted).await;
        assert!(made["secret"].is_null(), "{made}");
        tell(&mut anna, "key_made", &id).await;
    }
    let name = "<!channel> @everyone [x](https://x.example)";
    let wanted = json!({"name": name, "scopes": ["profile"], "days": 1});
    anna.post("/keys", wanted).await.expect(201);
    for _ in 0..3 {
        let got = receiver.next().await;
        let body = got.json();
        match got.path.as_str() {
            "/slack" => {
                let text = body["text"].as_str().unwrap();
                assert!(
                    text.starts_with("An API key was made at Acme\nAnna: key.made"),
                    "{text}"
                );
                assert!(text.contains("&lt;!channel&gt;") && !text.contains("<!"), "{text}");
                assert!(text.ends_with("<http://localhost:8080/audit|Audit log>"), "{text}");
            }
            "/discord" => {
                assert_eq!(body["allowed_mentions"], json!({"parse": []}));
                let text = body["content"].as_str().unwrap();
                assert!(text.contains("\\@everyone \\[x\\]\\(https\\://x.example\\)"), "{text}");
            }
            "/pagerduty" => {
                assert_eq!(body["routing_key"], "R0UT1NGKEY");
                assert_eq!(body["event_action"], "trigger");
                assert_eq!(body["payload"]["source"], "localhost");
                assert_eq!(body["payload"]["severity"], "warning");
                assert_eq!(body["payload"]["timestamp"], "2030-03-17T17:46:40Z");
                assert!(body["dedup_key"].as_str().unwrap().len() > 40);
            }
            other => panic!("{other}"),
        }
    }
    // They take no audit events.
    let listed = anna.get("/destinations").await.expect(200).json;
    for each in listed["destinations"].as_array().unwrap() {
        let path = format!("/destinations/{}/stream", each["id"].as_str().unwrap());
        anna.put(&path, json!({"on": true})).await.refused(422, "invalid_field");
    }
}

#[tokio::test]
async fn what_is_not_taken_is_tried_again_with_the_same_id_until_it_is_given_up() {
    let receiver = Receiver::start().await;
    let (world, mut anna) = World::owned_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, made) = webhook(&mut anna, &receiver).await;
    tell(&mut anna, "exported", &id).await;
    receiver.answers(503);
    anna.download("/audit/export.csv").await;
    let first = receiver.next().await;
    let failed = once(&mut anna, |each| !each["last_problem"].is_null()).await;
    assert_eq!(failed["last_problem"], "it answered 503: it has trouble of its own");
    assert_eq!(failed["waiting"], 1);
    assert!(!failed["last_failed_at"].is_null());
    let rules = anna.get("/alerts").await.expect(200).json;
    assert_eq!(rules["alerts"][0]["last_problem"], failed["last_problem"]);
    assert_eq!(rules["alerts"][0]["destination"]["name"], "Our hook");

    // It may ask for more time; nothing comes before that.
    receiver.answers_with(429, header::RETRY_AFTER, "600");
    world.clock.advance(limits::DELIVERY_RETRY);
    let second = receiver.next().await;
    once(&mut anna, |each| each["last_problem"].as_str().unwrap().contains("429")).await;
    receiver.answers(200);
    world.clock.advance(Duration::from_secs(600));
    let third = receiver.next().await;
    for again in [&second, &third] {
        assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
        assert_eq!(again.body, first.body);
        assert_signed(again, &made["secret"]);
    }
    assert_eq!(third.header("webhook-timestamp"), world.clock.seconds().to_string());
    let taken = once(&mut anna, |each| each["waiting"] == 0).await;
    assert!(taken["last_problem"].is_null() && taken["given_up"] == 0, "{taken}");

    // The last try.
    receiver.answers(500);
    world.clock.advance(limits::ALERT_BETWEEN);
    let mut anna = world.enter("anna@acme.example", "full", true).await;
    anna.download("/audit/export.csv").await;
    receiver.next().await;
    once(&mut anna, |each| !each["last_problem"].is_null()).await;
    sqlx::query("UPDATE deliveries SET tries = $1")
        .bind(limits::DELIVERY_TRIES - 1)
        .execute(&mut world.database.owner().await)
        .await
        .unwrap();
    world.clock.advance(limits::DELIVERY_RETRY);
    receiver.next().await;
    let given_up = once(&mut anna, |each| each["given_up"] == 1).await;
    assert_eq!(given_up["waiting"], 0);

    // Who says that there is nothing any more is believed at once.
    receiver.answers(410);
    world.clock.advance(limits::ALERT_BETWEEN);
    let mut anna = world.enter("anna@acme.example", "full", true).await;
    anna.download("/audit/export.csv").await;
    receiver.next().await;
    once(&mut anna, |each| each["given_up"] == 2).await;
}

#[tokio::test]
async fn what_waits_survives_a_restart() {
    let receiver = Receiver::start().await;
    let addresses = [receiver.address.clone()];
    let (world, mut anna) = World::owned_telling(&addresses).await;
    let (id, made) = webhook(&mut anna, &receiver).await;
    tell(&mut anna, "exported", &id).await;
    receiver.answers(503);
    anna.download("/audit/export.csv").await;
    let first = receiver.next().await;
    once(&mut anna, |each| {
        each["waiting"] == 1 && !each["last_problem"].is_null()
    })
    .await;
    let world = world.restarted(&addresses).await;
    receiver.answers(204);
    world.clock.advance(limits::DELIVERY_RETRY);
    let again = receiver.next().await;
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    assert_signed(&again, &made["secret"]);
    let mut anna = world.enter("anna@acme.example", "full", true).await;
    once(&mut anna, |each| each["waiting"] == 0).await;
}

#[tokio::test]
async fn what_is_not_public_is_refused_unless_the_operator_named_it_and_no_redirect_is_followed() {
    let (named, other) = (Receiver::start().await, Receiver::start().await);
    let (_world, mut anna) = World::owned_telling(std::slice::from_ref(&named.address)).await;
    for (url, words) in [
        (other.url("/x"), "`private_addresses` of `[alerts]`"),
        (
            "https://169.254.169.254/latest/meta-data".to_owned(),
            "keep their metadata",
        ),
        ("https://[::ffff:127.0.0.1]/x".to_owned(), "another one inside it"),
        ("http://hooks.example.org/x".to_owned(), "must start with https://"),
        (
            "https://user:pass@hooks.example.org/x".to_owned(),
            "not an address of the web",
        ),
        ("file:///etc/passwd".to_owned(), "such as https://"),
        ("tls://logs.example.org:6514".to_owned(), "such as https://"),
        ("s3cret".to_owned(), "not an address of the web"),
    ] {
        let wanted = json!({"kind": "webhook", "name": "x", "url": url});
        let refused = anna
            .post("/destinations", wanted)
            .await
            .refused(422, "invalid_field")
            .json;
        assert_eq!(refused["field"], "url");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{url}: {detail}");
        assert!(!detail.contains("s3cret") && !detail.contains("pass@"), "{detail}");
    }

    // A name is looked up when it is called, and what it stands for is judged then.
    let port = other.address.rsplit_once(':').unwrap().1;
    let hidden = json!({"kind": "slack", "name": "Hidden", "url": format!("https://localhost:{port}/x")});
    let (id, _) = add(&mut anna, hidden).await;
    let tested = anna
        .post(&format!("/destinations/{id}/test"), json!({}))
        .await
        .expect(200)
        .json;
    assert_eq!(tested["delivered"], false);
    assert!(
        tested["problem"].as_str().unwrap().contains("a loopback address"),
        "{tested}"
    );
    anna.delete(&format!("/destinations/{id}")).await.expect(204);

    // Nor does one that was named lead elsewhere.
    named.answers_with(302, header::LOCATION, &other.url("/x"));
    let (id, _) = webhook(&mut anna, &named).await;
    let tested = anna
        .post(&format!("/destinations/{id}/test"), json!({}))
        .await
        .expect(200)
        .json;
    assert_eq!(tested["delivered"], false);
    assert!(
        tested["problem"].as_str().unwrap().contains("it sends elsewhere"),
        "{tested}"
    );
    named.next().await;
    assert!(other.rest().await.is_empty());
}

#[tokio::test]
async fn addresses_and_keys_go_in_and_never_come_out() {
    let receiver = Receiver::start().await;
    let (world, mut anna) = World::owned_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, made) = webhook(&mut anna, &receiver).await;
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"));
    let pager = json!({"kind": "pagerduty", "name": "Pager", "key": "R0UT1NGKEY"});
    let (_, made) = add(&mut anna, pager).await;
    assert_eq!(made["host"], "events.pagerduty.com");
    tell(&mut anna, "exported", &id).await;
    receiver.answers(500);
    anna.post(&format!("/destinations/{id}/test"), json!({}))
        .await
        .expect(200);
    anna.download("/audit/export.csv").await;
    once(&mut anna, |each| {
        each["waiting"] == 1 && !each["last_problem"].is_null()
    })
    .await;

    let mut said = String::new();
    for path in ["/destinations", "/alerts", "/audit", "/audit/export"] {
        said.push_str(&anna.get(path).await.expect(200).text);
    }
    let mut owner = world.database.owner().await;
    for table in ["destinations", "deliveries", "alerts", "alert_rules", "audit_events"] {
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT t::text FROM {table} t")))
            .fetch_all(&mut owner)
            .await
            .unwrap();
        assert!(!rows.is_empty(), "{table}");
        said.push_str(&rows.concat());
    }
    // As PostgreSQL writes bytes, too.
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for kept in ["s3cret-path", "R0UT1NGKEY", secret, secret.trim_start_matches("whsec_")] {
        assert!(!said.contains(kept) && !said.contains(&hex(kept)), "{kept}");
    }
    assert!(said.contains("Our hook"));
}

#[tokio::test]
async fn destinations_are_tested_bounded_and_removed_with_their_alerts() {
    let receiver = Receiver::start().await;
    let (world, mut anna) = World::owned_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, made) = webhook(&mut anna, &receiver).await;
    let tested = anna
        .post(&format!("/destinations/{id}/test"), json!({}))
        .await
        .expect(200)
        .json;
    assert_eq!(tested, json!({"delivered": true}));
    let got = receiver.next().await;
    assert_signed(&got, &made["secret"]);
    assert_eq!(got.json()["type"], "test");
    assert_eq!(got.json()["data"]["summary"], "A test by Anna: nothing has happened");

    let rule = tell(&mut anna, "exported", &id).await;
    anna.post(&format!("/alerts/{rule}/test"), json!({})).await.expect(204);
    receiver.next().await;
    receiver.answers(403);
    let refused = anna
        .post(&format!("/alerts/{rule}/test"), json!({}))
        .await
        .refused(424, "not_delivered");
    assert!(refused.json["detail"].as_str().unwrap().contains("does not let us in"));
    let log = anna.get("/audit?action=alert.tested").await.expect(200).json;
    let outcomes: Vec<_> = log["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["outcome"])
        .collect();
    assert_eq!(outcomes, ["refused", "done"]);
    let again = json!({"trigger": "exported", "destination": id});
    anna.post("/alerts", again).await.refused(409, "already_told");
    for nobody in [
        json!({"trigger": "exported"}),
        json!({"trigger": "exported", "email": "a@acme.example", "destination": id}),
        json!({"trigger": "exported", "destination": uuid::Uuid::now_v7()}),
    ] {
        anna.post("/alerts", nobody).await.refused(422, "invalid_field");
    }
    for wrong in [
        json!({"kind": "pagerduty", "name": "x", "key": "not a key"}),
        json!({"kind": "slack", "name": "x", "url": "https://hooks.example/x", "key": "k3y"}),
        json!({"kind": "webhook", "name": "x", "url": format!("https://hooks.example/{}", "x".repeat(limits::DESTINATION_URL_BYTES))}),
        json!({"kind": "webhook", "name": "x", "url": format!("https://hooks.example/{}", "ü".repeat(limits::DESTINATION_URL_BYTES / 3))}),
        json!({"kind": "webhook", "name": "x", "url": format!("https://{}", "x".repeat(400))}),
        json!({"kind": "syslog", "name": "x", "url": format!("tls://{}:1", "x".repeat(400))}),
        json!({"kind": "webhook", "name": " ", "url": "https://hooks.example/x"}),
    ] {
        anna.post("/destinations", wrong).await.refused(422, "invalid_field");
    }
    for number in 1..limits::DESTINATIONS {
        let wanted = json!({"kind": "slack", "name": format!("{number}"), "url": "https://hooks.example/x"});
        anna.post("/destinations", wanted).await.expect(201);
    }
    let one_more = json!({"kind": "slack", "name": "x", "url": "https://hooks.example/x"});
    anna.post("/destinations", one_more).await.refused(409, "limit_reached");

    // Somebody else's is nobody's.
    let mut olga = world.second_tenant().await;
    let mut olga_fresh = world.enter("olga@globex.example", "full", true).await;
    olga.post(&format!("/destinations/{id}/test"), json!({}))
        .await
        .refused(404, "not_found");
    olga_fresh
        .delete(&format!("/destinations/{id}"))
        .await
        .refused(404, "not_found");
    let theirs = json!({"trigger": "exported", "destination": id});
    olga_fresh.post("/alerts", theirs).await.refused(422, "invalid_field");

    anna.delete(&format!("/destinations/{id}")).await.expect(204);
    anna.delete(&format!("/destinations/{id}"))
        .await
        .refused(404, "not_found");
    assert_eq!(anna.get("/alerts").await.expect(200).json, json!({"alerts": []}));
    let log = anna.get("/audit?action=destination.").await.expect(200).json;
    assert_eq!(log["events"][0]["action"], "destination.removed");
}

#[tokio::test]
async fn quiet_hours_hold_for_destinations_and_for_what_is_tried_again() {
    let receiver = Receiver::start().await;
    let (world, mut anna) = World::owned_telling(std::slice::from_ref(&receiver.address)).await;
    let (id, _) = webhook(&mut anna, &receiver).await;
    let minute = i16::try_from(world.clock.seconds() / 60 % 1440).unwrap();
    // They begin in a minute, when the first try has failed.
    let quiet = json!({"from": (minute + 1) % 1440, "to": (minute + 30) % 1440});
    let wanted = json!({"trigger": "exported", "destination": id, "quiet": quiet});
    anna.post("/alerts", wanted).await.expect(201);
    receiver.answers(500);
    anna.download("/audit/export.csv").await;
    receiver.next().await;
    once(&mut anna, |each| !each["last_problem"].is_null()).await;
    receiver.answers(200);
    world.clock.advance(limits::DELIVERY_RETRY);
    // The next try is put off to their end; another alert comes meanwhile.
    tell(&mut anna, "key_made", &id).await;
    anna.post("/keys", json!({"name": "x", "scopes": ["profile"], "days": 1}))
        .await
        .expect(201);
    assert_eq!(receiver.next().await.json()["data"]["trigger"], "key_made");
    world.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(receiver.next().await.json()["data"]["trigger"], "exported");
}
