//! Web Push: a person's devices are woken when something waits for them, by a message that is signed and has nothing in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::http::header;
use management::{CellRef, limits};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use protocol::control::{ApprovalNotice, ApprovalState, NoticeKind};
use protocol::relay::MailboxKey;
use protocol::{ApprovalId, b64};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::support::{Browser, Got, Pushes, Receiver, World};

const BOBS: MailboxKey = MailboxKey([2; 32]);
const LIFE: Duration = Duration::from_secs(30 * 60);

/// Anna and Bob, each with an agent, and a push service.
struct Case {
    world: World,
    service: Receiver,
    anna: Browser,
    bob: Browser,
    annas: CellRef,
    bobs: CellRef,
}

impl Case {
    async fn new() -> Self {
        let service = Receiver::start().await;
        service.answers(201);
        let pushes = Pushes::To(vec![service.address.clone()], 12);
        let (world, mut anna) = World::owned_pushing(pushes).await;
        let mut bob = world.join(&mut anna, "bob@acme.example", "member").await;
        let (annas, bobs) = (world.cell_of(&mut anna).await, world.cell_of(&mut bob).await);
        Self {
            world,
            service,
            anna,
            bob,
            annas,
            bobs,
        }
    }

    /// Bob's agent has a request that waits from now on, as its keeper tells of it; or none any more.
    async fn agent_waits(&self, waits: bool) {
        waiting(&self.world, self.bobs, waits).await;
    }

    async fn begins_to_wait(&self) {
        self.agent_waits(false).await;
        self.agent_waits(true).await;
    }

    /// The next message, which is for this device, once it is written down that it was sent.
    async fn woken(&self, path: &str) -> Got {
        let got = self.service.next().await;
        assert_eq!(got.path, path);
        self.sent().await;
        got
    }

    /// Nothing is on its way: whatever was sent has come.
    async fn sent(&self) {
        until(&self.world, "SELECT count(*) = 0 FROM deliveries").await;
    }

    async fn nothing_comes(&self) {
        self.sent().await;
        let came = self.service.rest().await;
        assert!(came.is_empty(), "{came:?}");
    }
}

async fn waiting(world: &World, cell: CellRef, waits: bool) {
    let notice = ApprovalNotice {
        id: ApprovalId::new(),
        ends_at: world.clock.seconds() * 1000 + i64::try_from(LIFE.as_millis()).unwrap(),
        state: ApprovalState::Waiting,
        kind: NoticeKind::Agent,
    };
    let notices = waits.then_some(notice);
    let told = world
        .management
        .approvals_wait(cell.cell, cell.tenant, notices.as_slice());
    told.await.unwrap();
}

/// Waits until this is so in the database.
async fn until(world: &World, statement: &str) {
    let mut owner = world.database.owner().await;
    let so = tokio::time::timeout(Duration::from_secs(30), async {
        while !sqlx::query_scalar::<_, bool>(AssertSqlSafe(statement.to_owned()))
            .fetch_one(&mut owner)
            .await
            .unwrap()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    so.await.expect(statement);
}

async fn rows(world: &World, statement: &str) -> i64 {
    let count = sqlx::query_scalar(AssertSqlSafe(statement.to_owned()));
    count.fetch_one(&mut world.database.owner().await).await.unwrap()
}

/// As a browser gives it.
fn subscription(endpoint: &str) -> Value {
    json!({"endpoint": endpoint, "expirationTime": null, "keys": {"p256dh": "BAAA", "auth": "AAAA"}})
}

/// Turns it on in this browser: the device's path.
async fn turn_on(browser: &mut Browser, endpoint: &str) -> String {
    let added = browser.post("/push/devices", subscription(endpoint)).await.expect(201);
    format!("/push/devices/{}", added.json["id"].as_str().unwrap())
}

/// How many devices the person has.
async fn devices(browser: &mut Browser) -> usize {
    let listed = browser.get("/push").await.expect(200).json;
    listed["devices"].as_array().unwrap().len()
}

/// It was signed with this key for a push service of this origin, as RFC 8292 has it.
#[track_caller]
fn assert_signed(got: &Got, key: &str, origin: &str, now: i64) {
    let fields = got.header("authorization").strip_prefix("vapid ").unwrap();
    let fields: BTreeMap<_, _> = fields.split(", ").map(|field| field.split_once('=').unwrap()).collect();
    assert_eq!(fields["k"], key);
    let key = VerifyingKey::from_sec1_bytes(&b64::decode(key).unwrap()).unwrap();
    let (signed, signature) = fields["t"].rsplit_once('.').unwrap();
    let signature = Signature::from_slice(&b64::decode(signature).unwrap()).unwrap();
    key.verify(signed.as_bytes(), &signature).expect("it is signed");
    let parts: Vec<Value> = signed
        .split('.')
        .map(|part| serde_json::from_slice(&b64::decode(part).unwrap()).unwrap())
        .collect();
    assert_eq!(parts[0], json!({"alg": "ES256", "typ": "JWT"}));
    let expires = parts[1]["exp"].as_i64().unwrap();
    assert!(now < expires && expires <= now + 24 * 60 * 60, "{expires}");
    let claims = json!({"aud": origin, "exp": expires, "sub": "http://localhost:8080"});
    assert_eq!(parts[1], claims);
}

#[tokio::test]
async fn a_week_that_can_be_read_wakes_no_device_and_does_not_keep_back_what_does() {
    let mut case = Case::new().await;
    turn_on(&mut case.bob, &case.service.url("/phone")).await;
    case.agent_waits(true).await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    case.woken("/phone").await;
    let week = [ApprovalNotice {
        id: uuid::Uuid::nil().into(),
        ends_at: (case.world.clock.seconds() + 7 * 24 * 60 * 60) * 1000,
        state: ApprovalState::Waiting,
        kind: NoticeKind::Week,
    }];
    let told = (case.world.management).approvals_wait(case.bobs.cell, case.bobs.tenant, &week);
    told.await.unwrap();
    case.world.clock.advance(limits::PUSH_BETWEEN);
    case.nothing_comes().await;
    case.agent_waits(true).await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    case.woken("/phone").await;
}

#[tokio::test]
async fn each_device_is_woken_at_once_by_a_message_that_is_signed_and_has_nothing_in_it() {
    let mut case = Case::new().await;
    for device in ["/phone", "/laptop"] {
        turn_on(&mut case.bob, &case.service.url(device)).await;
    }
    // One's own agent alone wakes them.
    turn_on(&mut case.anna, &case.service.url("/annas")).await;
    let key = case.bob.get("/push").await.expect(200).json["public_key"].clone();
    case.agent_waits(true).await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    let mut woken = BTreeSet::new();
    for _ in 0..2 {
        let got = case.service.next().await;
        let origin = format!("http://{}", case.service.address);
        assert_signed(&got, key.as_str().unwrap(), &origin, case.world.clock.seconds());
        assert!(got.body.is_empty());
        assert_eq!(got.header("ttl"), limits::PUSH_LIFE.as_secs().to_string());
        assert_eq!((got.header("urgency"), got.header("topic")), ("high", "waits"));
        // Nothing else is said, to whoever runs the push service either.
        let known = [
            "accept",
            "authorization",
            "content-length",
            "host",
            "topic",
            "ttl",
            "urgency",
            "user-agent",
        ];
        let other: Vec<_> = got
            .headers
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
            .collect();
        assert!(other.is_empty(), "{other:?}");
        woken.insert(got.path);
    }
    assert_eq!(woken, BTreeSet::from(["/laptop".to_owned(), "/phone".to_owned()]));
    case.nothing_comes().await;
    let listed = case.bob.get("/push").await.expect(200).json;
    for device in listed["devices"].as_array().unwrap() {
        assert_eq!(device["last_told_at"], case.world.clock.seconds() * 1000);
    }
    // Before the mail, which waits for a minute.
    let mails = case.world.mails.files().len();
    assert_eq!(mails, 1, "the invitation");
}

#[tokio::test]
async fn a_message_for_a_locked_vault_wakes_them_too_unless_the_organisation_does_not_want_it() {
    let mut case = Case::new().await;
    turn_on(&mut case.bob, &case.service.url("/bobs")).await;
    let bobs = case.bobs;
    let opened = async || {
        let opened = case.world.management.mailbox_opened(bobs.cell, bobs.tenant, &BOBS);
        opened.await.unwrap();
    };
    let waits = async || case.world.management.something_waits(&BOBS).await.unwrap();
    opened().await;
    waits().await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    case.woken("/bobs").await;
    // More of it is not told again within a day.
    case.world.clock.advance(limits::PUSH_BETWEEN);
    waits().await;
    case.nothing_comes().await;
    case.world.clock.advance(limits::REQUEST_MAIL_EVERY);
    waits().await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    case.woken("/bobs").await;

    let mut anna = case.world.enter("anna@acme.example", "full", true).await;
    let wait = json!({"requests_while_locked": "wait"});
    anna.put("/policy", wait).await.expect(200);
    opened().await;
    waits().await;
    case.nothing_comes().await;
}

#[tokio::test]
async fn who_came_meanwhile_is_not_called_and_nobody_is_called_again_for_what_waits_already() {
    let mut case = Case::new().await;
    turn_on(&mut case.bob, &case.service.url("/bobs")).await;
    // Bob's page was loaded anew, which takes a moment.
    case.agent_waits(true).await;
    let moment = "SELECT extract(epoch FROM due_at - created_at)::bigint FROM deliveries";
    let moment = u64::try_from(rows(&case.world, moment).await).unwrap();
    assert_eq!(Duration::from_secs(moment), limits::PUSH_PATIENCE);
    case.agent_waits(false).await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    case.nothing_comes().await;

    case.agent_waits(true).await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    case.woken("/bobs").await;
    // It asks for more, and its keeper says so again and again.
    for _ in 0..3 {
        case.world.clock.advance(Duration::from_secs(9));
        case.agent_waits(true).await;
    }
    case.nothing_comes().await;
    // Bob answers and goes, and it asks anew: not more often than once a minute.
    case.begins_to_wait().await;
    let apart = "SELECT extract(epoch FROM d.due_at - p.last_told_at)::bigint FROM deliveries d JOIN push_devices p ON p.id = d.push_device_id";
    let apart = u64::try_from(rows(&case.world, apart).await).unwrap();
    assert_eq!(Duration::from_secs(apart), limits::PUSH_BETWEEN);
    case.world.clock.advance(limits::PUSH_BETWEEN);
    case.woken("/bobs").await;
    // What goes on waiting is told again after as long as by mail.
    let second = Duration::from_secs(1);
    for step in [LIFE / 2, LIFE / 2, LIFE / 2, LIFE / 2 - second] {
        case.world.clock.advance(step);
        case.agent_waits(true).await;
        case.nothing_comes().await;
    }
    assert_eq!(LIFE * 2, limits::APPROVAL_MAIL_EVERY);
    case.world.clock.advance(second);
    case.agent_waits(true).await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    case.woken("/bobs").await;
}

#[tokio::test]
async fn a_device_that_its_push_service_knows_no_more_is_told_nothing_any_more() {
    let mut case = Case::new().await;
    for status in [404, 410] {
        turn_on(&mut case.bob, &case.service.url("/bobs")).await;
        case.service.answers(status);
        case.begins_to_wait().await;
        case.world.clock.advance(limits::PUSH_PATIENCE);
        case.woken("/bobs").await;
        assert_eq!(devices(&mut case.bob).await, 0, "{status}");
    }
    case.begins_to_wait().await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    case.nothing_comes().await;
}

#[tokio::test]
async fn what_is_not_taken_is_tried_again_while_it_waits_and_given_up_in_the_end() {
    let mut case = Case::new().await;
    turn_on(&mut case.bob, &case.service.url("/bobs")).await;
    let tried = async |times: u32, due: u64| {
        assert_eq!(case.service.next().await.path, "/bobs");
        let now = case.world.clock.seconds();
        let due = now + i64::try_from(due).unwrap();
        let statement = format!(
            "SELECT coalesce(bool_and(tries = {times} AND due_at = to_timestamp({due})), false) FROM deliveries"
        );
        until(&case.world, &statement).await;
    };
    case.service.answers(503);
    case.agent_waits(true).await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    tried(1, limits::DELIVERY_RETRY.as_secs()).await;
    // The service may ask for more time.
    case.service.answers_with(429, header::RETRY_AFTER, "600");
    case.world.clock.advance(limits::DELIVERY_RETRY);
    tried(2, 600).await;
    case.service.answers(201);
    case.world.clock.advance(Duration::from_secs(600));
    case.woken("/bobs").await;

    // Bob has come meanwhile.
    case.service.answers(503);
    case.world.clock.advance(limits::PUSH_BETWEEN);
    case.begins_to_wait().await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    tried(1, limits::DELIVERY_RETRY.as_secs()).await;
    case.agent_waits(false).await;
    case.world.clock.advance(limits::DELIVERY_RETRY);
    case.nothing_comes().await;

    // The last try.
    case.agent_waits(true).await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    tried(1, limits::DELIVERY_RETRY.as_secs()).await;
    sqlx::query("UPDATE deliveries SET tries = $1")
        .bind(limits::DELIVERY_TRIES - 1)
        .execute(&mut case.world.database.owner().await)
        .await
        .unwrap();
    case.world.clock.advance(limits::DELIVERY_RETRY);
    case.woken("/bobs").await;
    assert_eq!(rows(&case.world, "SELECT count(*) FROM push_devices").await, 1);
}

#[tokio::test]
async fn what_is_not_public_is_not_called_unless_the_operator_named_it_and_no_redirect_is_followed() {
    let mut case = Case::new().await;
    let other = Receiver::start().await;
    let device = turn_on(&mut case.bob, &case.service.url("/bobs")).await;
    let long = format!("https://push.example/{}", "x".repeat(2048));
    for (endpoint, words) in [
        (other.url("/x"), "`private_addresses` of `[push]`"),
        ("https://169.254.169.254/latest/meta-data".into(), "keep their metadata"),
        ("https://[::ffff:127.0.0.1]/x".into(), "another one inside it"),
        ("http://push.example/x".into(), "must start with https://"),
        ("https://user:pass@push.example/x".into(), "not an address of the web"),
        ("tls://push.example".into(), "such as https://"),
        ("javascript:alert(1)".into(), "such as https://"),
        ("".into(), "not an address of the web"),
        (long, "at most 2048 characters"),
    ] {
        for sent in [
            case.bob.post("/push/devices", subscription(&endpoint)).await,
            case.bob.put(&device, subscription(&endpoint)).await,
        ] {
            let refused = sent.refused(422, "invalid_field").json;
            assert_eq!(refused["field"], "endpoint");
            let detail = refused["detail"].as_str().unwrap();
            assert!(detail.contains(words), "{endpoint}: {detail}");
            assert!(!detail.contains("pass@"), "{detail}");
        }
    }
    assert_eq!(devices(&mut case.bob).await, 1);

    // A name is looked up when it is called, and what it stands for is judged then.
    let port = other.address.rsplit_once(':').unwrap().1;
    turn_on(&mut case.bob, &format!("https://localhost:{port}/x")).await;
    case.service.answers_with(307, header::LOCATION, &other.url("/x"));
    case.agent_waits(true).await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    assert_eq!(case.service.next().await.path, "/bobs");
    until(
        &case.world,
        "SELECT count(*) = 2 AND bool_and(tries = 1) FROM deliveries",
    )
    .await;
    // The round that tried them is over: the next one finds nothing due but this.
    turn_on(&mut case.anna, &case.service.url("/annas")).await;
    case.service.answers(201);
    waiting(&case.world, case.annas, true).await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    assert_eq!(case.service.next().await.path, "/annas");
    assert!(other.rest().await.is_empty());
}

#[tokio::test]
async fn whoever_ends_a_session_ends_what_is_told_to_its_device_and_a_session_that_runs_out_does_not() {
    let mut case = Case::new().await;
    let endpoint = case.service.url("/phone");
    let mut laptop = case.world.sign_in("bob@acme.example").await;

    turn_on(&mut case.bob, &endpoint).await;
    case.bob.post("/sign-out", json!({})).await.expect(204);
    assert_eq!(devices(&mut laptop).await, 0);

    let mut phone = case.world.sign_in("bob@acme.example").await;
    turn_on(&mut phone, &endpoint).await;
    turn_on(&mut laptop, &case.service.url("/laptop")).await;
    laptop.delete("/sessions").await.expect(200);
    assert_eq!(devices(&mut laptop).await, 1);

    let mut phone = case.world.sign_in("bob@acme.example").await;
    let device = turn_on(&mut phone, &endpoint).await;
    let sessions = phone.get("/sessions").await.expect(200).json["sessions"].clone();
    let phones = sessions.as_array().unwrap().iter().find(|each| each["current"] == true);
    let phones = format!("/sessions/{}", phones.unwrap()["id"].as_str().unwrap());
    laptop.delete(&phones).await.expect(204);
    assert_eq!(devices(&mut laptop).await, 1);
    laptop.delete(&device).await.refused(404, "not_found");

    // Who is away is who it is for: the next session takes the device over, and ends it.
    case.world.clock.advance(Duration::from_secs(24 * 60 * 60));
    let mut laptop = case.world.sign_in("bob@acme.example").await;
    assert_eq!(devices(&mut laptop).await, 1);
    let listed = laptop.get("/push").await.expect(200).json;
    let device = format!("/push/devices/{}", listed["devices"][0]["id"].as_str().unwrap());
    laptop.put(&device, subscription(&endpoint)).await.expect(204);
    case.agent_waits(true).await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    case.woken("/phone").await;
    laptop.post("/sign-out", json!({})).await.expect(204);
    assert_eq!(rows(&case.world, "SELECT count(*) FROM push_devices").await, 0);
}

#[tokio::test]
async fn nobody_who_is_suspended_is_told_nor_anybody_of_an_organisation_that_is() {
    let mut case = Case::new().await;
    let all = "SELECT count(*) FROM push_devices";
    turn_on(&mut case.bob, &case.service.url("/bobs")).await;
    turn_on(&mut case.anna, &case.service.url("/annas")).await;
    let suspend = format!("/people/{}/suspend", case.bobs.user);
    let lost = case.anna.post(&suspend, json!({})).await.expect(200).json;
    assert_eq!(lost["push_devices"], 1);
    assert_eq!(rows(&case.world, all).await, 1);
    let mut operator = case.world.operator(true).await;
    let suspend = format!("/operator/tenants/{}/suspend", case.annas.tenant);
    operator.post(&suspend, json!({})).await.expect(200);
    assert_eq!(rows(&case.world, all).await, 0);
}

#[tokio::test]
async fn promise_03_a_device_is_its_persons_alone_and_there_are_only_so_many() {
    let mut case = Case::new().await;
    let device = turn_on(&mut case.bob, &case.service.url("/s3cret")).await;
    case.anna
        .put(&device, subscription(&case.service.url("/annas")))
        .await
        .refused(404, "not_found");
    case.anna.delete(&device).await.refused(404, "not_found");
    assert_eq!(devices(&mut case.anna).await, 0);
    case.agent_waits(true).await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    case.woken("/s3cret").await;

    // Where it is reached, nobody is told, and a copy of the database does not say.
    let kept: String = sqlx::query_scalar("SELECT encode(sealed, 'escape') FROM push_devices")
        .fetch_one(&mut case.world.database.owner().await)
        .await
        .unwrap();
    assert!(!kept.contains("s3cret"), "{kept}");
    assert!(!case.bob.get("/push").await.expect(200).text.contains("s3cret"));

    for _ in 1..limits::PUSH_DEVICES {
        turn_on(&mut case.bob, "https://push.example/x").await;
    }
    case.bob
        .post("/push/devices", subscription("https://push.example/x"))
        .await
        .refused(409, "limit_reached");
    turn_on(&mut case.anna, "https://push.example/x").await;
    case.bob.delete(&device).await.expect(204);
    turn_on(&mut case.bob, "https://push.example/x").await;

    let log = case.bob.get("/audit?action=push").await.expect(200);
    let acts: Vec<_> = log.json["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["action"].as_str().unwrap())
        .collect();
    assert_eq!(acts[..2], ["push.turned_on", "push.turned_off"]);
    assert!(!log.text.contains("s3cret") && !log.text.contains("push.example"));
}

#[tokio::test]
async fn what_waited_when_the_server_stopped_wakes_by_the_next_unless_its_operator_has_turned_it_off() {
    let mut case = Case::new().await;
    turn_on(&mut case.bob, &case.service.url("/bobs")).await;
    let pushes = Pushes::To(vec![case.service.address.clone()], 12);
    case.agent_waits(true).await;
    case.world = case.world.restarted_pushing(pushes).await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    case.woken("/bobs").await;

    case.world = case.world.restarted_pushing(Pushes::Off).await;
    case.world.clock.advance(limits::PUSH_BETWEEN);
    case.begins_to_wait().await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    case.nothing_comes().await;
    let mut bob = case.world.enter("bob@acme.example", "full", true).await;
    let listed = bob.get("/push").await.expect(200).json;
    assert!(listed["public_key"].is_null(), "{listed}");
    bob.post("/push/devices", subscription("https://push.example/x"))
        .await
        .refused(409, "push_off");
    // What is there can be taken away all the same.
    assert_eq!(listed["devices"].as_array().unwrap().len(), 1);

    // Another key opens nothing of what was sealed under the one before, and no push service would take its word.
    case.world = case.world.restarted_pushing(Pushes::To(Vec::new(), 13)).await;
    case.world.clock.advance(limits::PUSH_BETWEEN);
    case.begins_to_wait().await;
    case.world.clock.advance(limits::PUSH_PATIENCE);
    case.nothing_comes().await;
    assert_eq!(rows(&case.world, "SELECT count(*) FROM push_devices").await, 0);
}
