//! What the platform hears of requests while their owner is not there, read from the wire: that there are some, and not a word of one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use client::{Channel, SecretBytes, platform_secret};
use futures::future::BoxFuture;
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use keeper::activity::{Deed, What, tell_deeds};
use keeper::approvals::{Approvals, tell_platform};
use keeper::clock::Clock as _;
use keeper::limits;
use keeper::platform::{ChannelSocket, PlatformRequests, Welcome};
use keeper::shares::{Groups as _, Tie};
use keeper::vault_service::LockReason;
use protocol::TenantId;
use protocol::channel::SlotKind;
use protocol::control::{
    ApprovalNotice, ApprovalState, CellConfig, Deeds, FromKeeper, FromPlatform, GONE, KeeperOp, NoticeKind, Outcome,
    PlatformOp, VERSION,
};
use protocol::relay::MailboxKey;
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::approvals::Asking;
use super::bench::{TestKeeper, password, refused};

/// A keeper that does nothing for its platform but to hear what is demanded.
struct Hears(Approvals);

impl PlatformRequests for Hears {
    fn welcome<'a>(&'a self, _welcome: &'a Welcome) -> BoxFuture<'a, Result<(), String>> {
        std::future::ready(Ok(())).boxed()
    }

    fn policy(&self, _policy: protocol::control::TenantPolicy) {}

    fn second_demanded(&self) {
        self.0.set_second_demanded(Some(true));
    }

    fn channel(&self, _socket: ChannelSocket) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }

    fn request(&self, _op: PlatformOp) -> BoxFuture<'static, Outcome> {
        std::future::ready(Outcome::Ok).boxed()
    }
}

/// The platform's end of the control connection.
struct Wire {
    socket: WebSocketStream<UnixStream>,
    /// Every byte that came over it, as text.
    heard: String,
    last: Vec<ApprovalNotice>,
    /// What the audit log is told, with the number of the request.
    deeds: Vec<(u64, Deeds)>,
    /// Of whom it is asked whether they are let in, with the number of the request.
    people: Vec<(u64, MailboxKey)>,
    words: usize,
    _tasks: JoinSet<()>,
}

impl Wire {
    async fn of(keeper: &TestKeeper) -> Self {
        Self::of_server(keeper, json!({"deeds": true})).await
    }

    /// As [`Self::of`], of one that says this beside its welcome.
    async fn of_server(keeper: &TestKeeper, says: Value) -> Self {
        let listener = UnixListener::bind(keeper.platform_socket()).unwrap();
        let mut tasks = JoinSet::new();
        let (platform, hears) = (keeper.platform.clone(), Hears(keeper.approvals.clone()));
        tasks.spawn(async move { platform.run(Arc::new(hears)).await.unwrap() });
        tasks.spawn(tell_platform(
            keeper.approvals.clone(),
            keeper.rates.clone(),
            keeper.host.clone(),
            keeper.platform.clone(),
        ));
        tasks.spawn(tell_deeds(keeper.activity.clone(), keeper.platform.clone()));
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let welcome = FromPlatform::Welcome {
            version: VERSION,
            cell: keeper.cell,
            tenant: TenantId::new(),
            config: CellConfig {
                private_model_addresses: Vec::new(),
                lock_after_ms: 1_800_000,
                public_url: "https://holdfast.example".into(),
            },
            deeds: false,
            stands: false,
            notices: Box::default(),
        };
        let mut welcome = json!(welcome);
        let welcome = welcome.as_object_mut().unwrap();
        welcome.remove("deeds");
        welcome.remove("stands");
        welcome.remove("notices");
        welcome.extend(says.as_object().unwrap().clone());
        socket
            .send(Message::text(serde_json::to_string(&welcome).unwrap()))
            .await
            .unwrap();
        Self {
            socket,
            heard: String::new(),
            last: Vec::new(),
            deeds: Vec::new(),
            people: Vec::new(),
            words: 0,
            _tasks: tasks,
        }
    }

    async fn read(&mut self) {
        let message = self.socket.next().await.unwrap().unwrap();
        let Message::Text(text) = message else { return };
        self.heard.push_str(text.as_str());
        match serde_json::from_str(text.as_str()).unwrap() {
            FromKeeper::Hello { status, .. } | FromKeeper::Status(status) => {
                self.words += 1;
                self.last = status.approvals;
            }
            FromKeeper::Request {
                id,
                op: KeeperOp::Deeds(deeds),
            } => self.deeds.push((id, deeds)),
            FromKeeper::Request {
                id,
                op: KeeperOp::Stands { mailbox },
            } => self.people.push((id, mailbox)),
            _ => {}
        }
    }

    /// The next word for the audit log, answered with this.
    async fn next_deeds(&mut self, outcome: Outcome) -> Deeds {
        let reading = async {
            while self.deeds.is_empty() {
                self.read().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(15), reading)
            .await
            .expect("the audit log is told");
        let (id, deeds) = self.deeds.remove(0);
        self.reply(id, outcome).await;
        deeds
    }

    /// Whom it is asked about next, answered with this.
    async fn next_person(&mut self, outcome: Outcome) -> MailboxKey {
        while self.people.is_empty() {
            self.read().await;
        }
        let (id, mailbox) = self.people.remove(0);
        self.reply(id, outcome).await;
        mailbox
    }

    async fn reply(&mut self, id: u64, outcome: Outcome) {
        self.say(&FromPlatform::Reply { id, outcome }).await;
    }

    async fn say(&mut self, message: &FromPlatform) {
        let text = serde_json::to_string(message).unwrap();
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Reads until the last word is so.
    async fn until(&mut self, is: impl Fn(&[ApprovalNotice]) -> bool) -> Vec<ApprovalNotice> {
        let reading = async {
            while !is(&self.last) {
                self.read().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(15), reading)
            .await
            .expect("the platform hears of it");
        self.last.clone()
    }

    /// Reads for twice the time between two words.
    async fn rest(&mut self) -> Vec<ApprovalNotice> {
        let _time_is_over = tokio::time::timeout(limits::APPROVAL_NOTICES_APART * 2, async {
            loop {
                self.read().await;
            }
        })
        .await;
        self.last.clone()
    }
}

/// Its owner comes back.
async fn back(keeper: &TestKeeper) -> Channel {
    let slot = keeper.vault.slots()[0].id;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel
}

/// What waits, as its owner is shown it.
async fn shown(channel: &Channel) -> Vec<Value> {
    let list = channel.call("approval.list", json!({})).await.unwrap();
    list["waiting"].as_array().unwrap().clone()
}

/// Waits until the keeper has so many requests, without asking it through a channel.
async fn asked_for(keeper: &TestKeeper, count: usize) {
    let mut changes = keeper.approvals.changes();
    while keeper.approvals.waiting() != count {
        changes.changed().await.unwrap();
    }
}

#[tokio::test]
async fn promise_01_while_nobody_is_there_the_platform_hears_that_something_waits_and_not_a_word_of_it() {
    let asking = Asking::new().await;
    let Asking { keeper, .. } = &asking;
    let mut wire = Wire::of(keeper).await;
    let first = asking.send("POST /x/svc/canary-path?canary=query", "canary-body");
    let request = asking.waiting(1).await.remove(0);
    assert!(wire.rest().await.is_empty(), "its owner is there");

    let Asking {
        keeper,
        channel,
        service,
        ..
    } = asking;
    drop(channel);
    let told = wire.until(|told| !told.is_empty()).await;
    let notice = json!({"id": request["id"], "ends_at": request["expires_at"], "state": "waiting"});
    assert_eq!(json!(told), json!([notice]));
    // Also when the vault locks: it can be opened and answered.
    keeper.vault.lock(LockReason::Idle).await.unwrap();
    assert_eq!(wire.rest().await, told);

    let channel = back(&keeper).await;
    wire.until(<[_]>::is_empty).await;
    channel.unlock().await.unwrap();
    let answer =
        json!({"id": request["id"], "hash": request["hash"], "answer": {"answer": "deny", "reason": "canary-reason"}});
    channel.call("approval.decide", answer).await.unwrap();
    drop(channel);
    // What was decided is not the platform's: it hears of the next one alone.
    let agent = Arc::clone(&keeper);
    let second = tokio::spawn(async move { agent.agent.ask("POST /x/svc/canary-next", &[], "").await });
    asked_for(&keeper, 1).await;
    let told = wire.until(|told| !told.is_empty()).await;
    assert_eq!((told.len(), told[0].state), (1, ApprovalState::Waiting));
    assert_ne!(json!(told[0].id), request["id"]);
    for word in ["canary", "svc", "POST", "call_service", &service.base_url()] {
        assert!(!wire.heard.contains(word), "{word} in {}", wire.heard);
    }
    first.abort();
    second.abort();
}

#[tokio::test]
async fn where_the_platform_keeps_the_secret_nobody_is_ever_there_and_it_hears_what_became_of_each() {
    let secret = platform_secret(&SecretBytes::copy_from(&[7; 32]).unwrap());
    let (keeper, _slot, channel, _events) = TestKeeper::with_slot(SlotKind::Platform, secret).await;
    let asking = Asking::of(keeper, channel).await;
    let mut wire = Wire::of(&asking.keeper).await;
    let mut calls = Vec::new();
    for (count, body) in ["one", "two", "three"].into_iter().enumerate() {
        calls.push(asking.send("POST /x/svc/items", body));
        asking.waiting(count + 1).await;
    }
    let told = wire.until(|told| told.len() == 3).await;
    assert!(told.iter().all(|each| each.state == ApprovalState::Waiting));
    let shown = shown(&asking.channel).await;
    asking.allow(&shown[0]).await;
    asking.decide(&shown[1], json!({"answer": "deny"})).await.unwrap();
    let states = |told: &[ApprovalNotice]| -> Vec<Value> {
        let state = |shown: &Value| {
            told.iter()
                .find(|each| json!(each.id) == shown["id"])
                .map(|each| each.state)
        };
        shown.iter().map(|shown| json!(state(shown))).collect()
    };
    let wanted = ["allowed", "refused", "waiting"].map(|state| json!(state));
    wire.until(|told| states(told) == wanted).await;
    // Not answered in time, which is told with the next change.
    asking.keeper.clock.forward(30 * 60_000);
    calls.push(asking.send("POST /x/svc/items", "four"));
    let wanted = ["allowed", "refused", "ended"].map(|state| json!(state));
    let told = wire.until(|told| states(told) == wanted).await;
    assert_eq!((told.len(), told[0].state), (4, ApprovalState::Waiting));
    for call in calls {
        call.abort();
    }
}

#[tokio::test]
async fn who_does_not_want_to_be_called_is_not_spoken_of() {
    let asking = Asking::new().await;
    let list = asking.list().await;
    assert_eq!(list["tell_when_away"], true, "unless they say otherwise");
    let set = async |channel: &Channel, tell: bool| {
        let params = json!({"tell_when_away": tell});
        channel.call("approval.settings", params).await.unwrap();
    };
    set(&asking.channel, false).await;
    let activity = asking.channel.call("activity.list", json!({})).await.unwrap();
    assert!(activity.to_string().contains("away_changed"), "{activity:#}");
    let mut wire = Wire::of(&asking.keeper).await;
    let call = asking.send("POST /x/svc/items", "one");
    asking.waiting(1).await;
    let Asking { keeper, channel, .. } = asking;
    drop(channel);
    assert!(wire.rest().await.is_empty());
    let channel = back(&keeper).await;
    assert_eq!(shown(&channel).await.len(), 1, "it waits all the same");
    assert_eq!(
        channel.call("approval.list", json!({})).await.unwrap()["tell_when_away"],
        false
    );
    set(&channel, true).await;
    drop(channel);
    wire.until(|told| told.len() == 1).await;
    call.abort();
}

#[tokio::test]
async fn an_agent_that_asks_all_the_time_is_spoken_of_now_and_then() {
    let secret = platform_secret(&SecretBytes::copy_from(&[7; 32]).unwrap());
    let (keeper, _slot, channel, _events) = TestKeeper::with_slot(SlotKind::Platform, secret).await;
    let asking = Asking::of(keeper, channel).await;
    let mut wire = Wire::of(&asking.keeper).await;
    wire.until(<[_]>::is_empty).await;
    let since = Instant::now();
    let calls: Vec<_> = (0..50)
        .map(|n| asking.send("POST /x/svc/items", &format!("{n}")))
        .collect();
    wire.until(|told| told.len() == 50).await;
    let most = since.elapsed().as_secs_f64() / limits::APPROVAL_NOTICES_APART.as_secs_f64() + 3.0;
    assert!(
        (wire.words as f64) < most,
        "{} words where {most} are enough",
        wire.words
    );
    for call in calls {
        call.abort();
    }
}

#[tokio::test]
async fn promise_01_who_is_away_is_told_of_pauses_and_of_a_lock_because_of_them_and_not_of_what() {
    let asking = Asking::new().await;
    let mut wire = Wire::of(&asking.keeper).await;
    let call = async || asking.send("GET /x/svc/canary-path", "").await.unwrap();
    for _ in 0..limits::RATE_READS_FLOOR {
        assert!(call().await.starts_with("HTTP/1.1 200"));
    }
    assert!(call().await.starts_with("HTTP/1.1 429"));
    assert!(wire.rest().await.is_empty(), "its owner is there");

    let Asking { keeper, channel, .. } = asking;
    drop(channel);
    let told = wire.until(|told| !told.is_empty()).await;
    let ends_at = keeper.clock.now() + 60 * 60_000;
    let notice = |kind: &str| json!({"id": uuid::Uuid::nil(), "ends_at": ends_at, "state": "waiting", "kind": kind});
    assert_eq!(json!(told), json!([notice("paused")]));
    keeper.vault.lock(LockReason::Unusual).await.unwrap();
    let told = wire.until(|told| told.len() == 2).await;
    assert_eq!(json!(told), json!([notice("locked"), notice("paused")]));
    for word in ["canary", "svc", "GET"] {
        assert!(!wire.heard.contains(word), "{word} in {}", wire.heard);
    }

    // Its owner comes, and goes without having let it go on.
    let channel = back(&keeper).await;
    wire.until(<[_]>::is_empty).await;
    channel.unlock().await.unwrap();
    drop(channel);
    let told = wire.until(|told| !told.is_empty()).await;
    assert_eq!(json!(told), json!([notice("paused")]));
}

#[tokio::test]
async fn promise_01_who_is_away_is_told_once_a_week_that_the_last_one_can_be_read_and_not_a_number_of_it() {
    const DAY: i64 = 24 * 60 * 60_000;
    let asking = Asking::new().await;
    let mut wire = Wire::of_server(&asking.keeper, json!({"notices": ["week"]})).await;
    assert!(
        asking
            .send("GET /x/svc/canary-path", "")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
    let Asking { keeper, channel, .. } = asking;
    // Thursday, the first of January 1970.
    assert_eq!(keeper.clock.now().div_euclid(DAY), 0);
    drop(channel);
    assert!(wire.rest().await.is_empty(), "this week is not over");
    let mut visit = async |days: i64| {
        keeper.clock.forward(days * DAY);
        drop(back(&keeper).await);
        wire.rest().await
    };
    let week = json!([{"id": uuid::Uuid::nil(), "ends_at": 11 * DAY, "state": "waiting", "kind": "week"}]);
    assert_eq!(json!(visit(4).await), week);
    assert_eq!(json!(visit(6).await), week);
    assert!(visit(1).await.is_empty(), "in the last week nothing was called");
    for word in ["canary", "svc", "GET"] {
        assert!(!wire.heard.contains(word), "{word} in {}", wire.heard);
    }
}

/// So much time has gone by.
async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn promise_01_the_audit_log_hears_how_often_something_was_asked_for_and_decided_and_not_a_word_of_it() {
    let asking = Asking::new().await;
    let mut wire = Wire::of(&asking.keeper).await;
    let mut calls = vec![asking.send("POST /x/svc/canary-path", "canary-body")];
    let first = asking.waiting(1).await.remove(0);
    let asked = |asked| Deeds {
        asked,
        ..Deeds::default()
    };
    let unavailable = Outcome::Error {
        code: "unavailable".to_owned(),
        message: String::new(),
    };
    assert_eq!(wire.next_deeds(unavailable).await, asked(1));
    let deny = json!({"answer": "deny", "reason": "canary-reason"});
    asking.decide(&first, deny).await.unwrap();
    // However much is asked meanwhile, it is told of together.
    for number in 0..3 {
        calls.push(asking.send("POST /x/svc/items", &format!("canary-{number}")));
    }
    let waiting = asking.waiting(3).await;
    asking.allow(&waiting[0]).await;
    wire.rest().await;
    assert_eq!(wire.deeds, []);
    let Asking { keeper, channel, .. } = asking;
    drop(channel);
    later(limits::DEEDS_APART).await;
    let told = wire.next_deeds(Outcome::Ok).await;
    let all = Deeds {
        allowed: 1,
        denied: 1,
        ..asked(4)
    };
    assert_eq!(told, all, "what was not taken is told again");
    wire.rest().await;
    later(limits::DEEDS_APART).await;
    wire.rest().await;
    assert_eq!(wire.deeds, [], "what was taken is not");
    for word in ["canary", "svc", "POST"] {
        assert!(!wire.heard.contains(word), "{word} in {}", wire.heard);
    }
    // What a locked vault has not told yet is told after the next unlock.
    let send = |body: &'static str| {
        let keeper = Arc::clone(&keeper);
        tokio::spawn(async move { keeper.agent.ask("POST /x/svc/items", &[], body).await })
    };
    calls.push(send("fourth"));
    assert_eq!(wire.next_deeds(Outcome::Ok).await, asked(1));
    calls.push(send("fifth"));
    asked_for(&keeper, 4).await;
    wire.rest().await;
    keeper.vault.lock(LockReason::Idle).await.unwrap();
    later(limits::DEEDS_APART).await;
    wire.rest().await;
    assert_eq!(wire.deeds, []);
    let channel = back(&keeper).await;
    channel.unlock().await.unwrap();
    assert_eq!(wire.next_deeds(Outcome::Ok).await, asked(1));
    for call in calls {
        call.abort();
    }
}

#[tokio::test]
async fn a_server_that_does_not_know_what_is_done_is_not_told_of_it() {
    let asking = Asking::new().await;
    let mut wire = Wire::of_server(&asking.keeper, json!({})).await;
    let _call = asking.send("POST /x/svc/path", "body");
    asking.waiting(1).await;
    wire.rest().await;
    later(limits::DEEDS_APART).await;
    wire.rest().await;
    assert_eq!(wire.deeds, []);
}

#[tokio::test]
async fn promise_09_the_platform_is_asked_who_is_suspended_where_it_answers_and_anything_but_its_yes_is_none() {
    let keeper = TestKeeper::new().await;
    let asked = MailboxKey([7; 32]);
    let mut wire = Wire::of_server(&keeper, json!({"stands": true})).await;
    keeper.platform.welcome().wait_for(Option::is_some).await.unwrap();
    let error = |code: &str| Outcome::Error {
        code: code.to_owned(),
        message: String::new(),
    };
    for (outcome, tie) in [
        (Outcome::Ok, Tie::Stands),
        (error(GONE), Tie::Gone),
        (error("unavailable"), Tie::Unknown),
    ] {
        let (said, about) = tokio::join!(keeper.platform.person(asked), wire.next_person(outcome));
        assert_eq!((said, about), (tie, asked));
    }
    // Away, it says nothing.
    drop(wire);
    assert_eq!(keeper.platform.person(asked).await, Tie::Unknown);
}

#[tokio::test]
async fn what_was_asked_for_and_not_written_is_neither_noted_nor_told() {
    let asking = Asking::new().await;
    let noted = async || {
        let entries = asking.channel.call("activity.list", json!({})).await.unwrap();
        entries.to_string().matches("approval_asked").count()
    };
    let obstacle = asking.keeper.folder().join("vault.new");
    std::fs::create_dir(&obstacle).unwrap();
    let refused = asking.send("POST /x/svc/items", "first").await.unwrap();
    assert!(!refused.contains("200 OK"), "{refused}");
    assert_eq!((noted().await, asking.keeper.approvals.waiting()), (0, 0));
    std::fs::remove_dir(&obstacle).unwrap();
    let mut wire = Wire::of(&asking.keeper).await;
    let _call = asking.send("POST /x/svc/items", "second");
    asking.waiting(1).await;
    let told = Deeds {
        asked: 1,
        ..Deeds::default()
    };
    assert_eq!(wire.next_deeds(Outcome::Ok).await, told);
    assert_eq!(noted().await, 1);
}

#[tokio::test]
async fn a_platform_of_before_is_not_asked_who_is_suspended() {
    let keeper = TestKeeper::new().await;
    let mut wire = Wire::of_server(&keeper, json!({})).await;
    keeper.platform.welcome().wait_for(Option::is_some).await.unwrap();
    assert_eq!(keeper.platform.person(MailboxKey([7; 32])).await, Tie::Stands);
    wire.rest().await;
    assert_eq!(wire.people, []);
}

#[tokio::test]
async fn promise_07_who_is_away_is_told_that_a_command_was_decided_elsewhere_where_the_platform_knows_of_that() {
    for named in [&["decided_elsewhere"][..], &[]] {
        let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
        drop(channel);
        let deed = Deed::new(What::CommandDecidedElsewhere, "command");
        keeper.activity.note_first(deed).await.unwrap();
        let known = ApprovalNotice {
            id: uuid::Uuid::nil().into(),
            ends_at: keeper.clock.now() + 60 * 60_000,
            state: ApprovalState::Waiting,
            kind: NoticeKind::DecidedElsewhere,
        };
        keeper.platform.set_status(|status| status.approvals = vec![known]);
        let mut wire = Wire::of_server(&keeper, json!({"deeds": true, "notices": named})).await;
        wire.read().await;
        assert!(wire.last.is_empty(), "its first word is for any platform");
        let counted = Deeds {
            elsewhere: 1,
            ..Deeds::default()
        };
        assert_eq!(wire.next_deeds(Outcome::Ok).await, counted);
        // A platform of before could not read it, and would end the connection.
        let told = wire.rest().await;
        assert_eq!(
            told.iter().map(|notice| notice.kind.as_str()).collect::<Vec<_>>(),
            named,
            "{}",
            wire.heard
        );
        assert!(!wire.heard.contains("command"), "{}", wire.heard);
    }
}

#[tokio::test]
async fn promise_07_a_second_person_who_is_demanded_meanwhile_is_needed_in_a_vault_that_is_open() {
    let asking = Asking::new().await;
    let mut wire = Wire::of(&asking.keeper).await;
    wire.read().await;
    let hello: Value = serde_json::from_str(&wire.heard).unwrap();
    assert_eq!(hello["hears_demands"], true, "else it is not told");
    let call = asking.send("POST /x/svc/items", "one");
    let shown = asking.waiting(1).await.remove(0);
    assert_eq!(shown["second"], false);

    // No channel is opened: the page that is there, and an answer to what waits already, meet it.
    let mut changes = asking.keeper.approvals.changes();
    wire.say(&FromPlatform::SecondDemanded).await;
    let heard = tokio::time::timeout(Duration::from_secs(15), changes.changed());
    heard.await.expect("the keeper hears of it").unwrap();
    let shown = asking.waiting(1).await.remove(0);
    assert_eq!(shown["second"], true);
    let error = refused(asking.decide(&shown, json!({"answer": "once"})).await);
    assert_eq!(error.code(), Some("nobody_second"));
    assert!(asking.service.heard().is_empty());
    call.abort();
}
