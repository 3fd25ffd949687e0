//! What a tenant's agent asks for: the developer's program lists and answers it, and webhooks hear that there is something, and no more.

use std::time::Duration;

use axum::http::Method;
use management::limits;
use protocol::control::{ApprovalNotice, ApprovalState, NoticeKind};
use protocol::{ApprovalId, CellId, TenantId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::destinations::assert_signed;
use crate::support::{Developer, HASH, Receiver, World};

const LIFE: Duration = Duration::from_secs(30 * 60);

/// A tenant whose webhook hears of requests, and its cell.
struct Telling {
    world: World,
    operator: Developer,
    tenant: Developer,
    id: Uuid,
    cell: CellId,
    secret: Value,
}

impl Telling {
    async fn to(receiver: &Receiver) -> Self {
        let (world, _, operator) = World::with_tenants_telling(std::slice::from_ref(&receiver.address)).await;
        let (id, tenant) = world.tenant("x").await;
        let wanted = json!({"url": receiver.url("/hook"), "events": ["approval.waiting", "approval.ended"]});
        let at = format!("/api/v1/tenants/{id}/webhooks");
        let secret = operator.post(&at, wanted).await.expect(201).json["secret"].clone();
        let seen = operator.get(&format!("/api/v1/tenants/{id}")).await.expect(200).json;
        let cell = seen["cell"]["id"].as_str().unwrap().parse().unwrap();
        Self {
            world,
            operator,
            tenant,
            id,
            cell,
            secret,
        }
    }

    fn now(&self) -> i64 {
        self.world.clock.seconds() * 1000
    }

    /// A request that waits from now on, as a keeper tells of it.
    fn request(&self) -> ApprovalNotice {
        ApprovalNotice {
            id: ApprovalId::new(),
            ends_at: self.now() + i64::try_from(LIFE.as_millis()).unwrap(),
            state: ApprovalState::Waiting,
            kind: NoticeKind::Agent,
        }
    }

    /// The keeper tells this, whole.
    async fn told(&self, approvals: &[ApprovalNotice]) {
        let told = self
            .world
            .management
            .approvals_wait(self.cell, TenantId::from(self.id), approvals);
        told.await.unwrap();
    }

    async fn count(&self, table: &str) -> i64 {
        let count = format!("SELECT count(*) FROM {table}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(count))
            .fetch_one(&mut self.world.database.owner().await)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn webhooks_hear_once_that_something_waits_and_once_what_became_of_it_signed_and_without_a_word() {
    let receiver = Receiver::start().await;
    let telling = Telling::to(&receiver).await;
    // The agent is at work in one session.
    let said = json!({"session_id": "s_1", "message": "hold, canary"});
    let mut stream = telling
        .tenant
        .with("accept", "text/event-stream")
        .stream("/api/v1/chat", said)
        .await;
    stream.until("delta").await;
    let request = telling.request();
    // Also after each connection of its keeper.
    telling.told(&[request]).await;
    telling.told(&[request]).await;
    let got = receiver.next().await;
    assert_signed(&got, &telling.secret);
    let data = json!({"tenant_id": telling.id, "agent": "main", "session_id": "s_1", "approval_id": request.id, "ends_at": request.ends_at});
    assert_eq!(
        (&got.json()["type"], &got.json()["data"]),
        (&json!("approval.waiting"), &data)
    );

    let refused = ApprovalNotice {
        state: ApprovalState::Refused,
        ..request
    };
    telling.told(&[refused]).await;
    telling.told(&[refused]).await;
    telling.told(&[request]).await;
    let got = receiver.next().await;
    assert_signed(&got, &telling.secret);
    let data = json!({"tenant_id": telling.id, "agent": "main", "session_id": "s_1", "approval_id": request.id, "outcome": "refused",
        "ended_at": telling.now()});
    assert_eq!(
        (&got.json()["type"], &got.json()["data"]),
        (&json!("approval.ended"), &data)
    );
    let kept: Vec<String> = sqlx::query_scalar("SELECT a::text FROM api_approvals a")
        .fetch_all(&mut telling.world.database.owner().await)
        .await
        .unwrap();
    assert!(kept.len() == 1 && !kept[0].contains("canary"), "{kept:?}");
    assert!(receiver.rest().await.is_empty());
}

#[tokio::test]
async fn a_request_of_another_agent_names_it_and_no_session_of_the_first() {
    let receiver = Receiver::start().await;
    let telling = Telling::to(&receiver).await;
    let press = json!({"name": "press", "model": {"key": "sk-of-press"}});
    let at = format!("/api/v1/tenants/{}/agents", telling.id);
    let made = telling.operator.post(&at, press).await.expect(201).json;
    let cell: CellId = made["cell"]["id"].as_str().unwrap().parse().unwrap();
    // Both are at work.
    let mut streams = Vec::new();
    for (agent, session) in [("main", "s_main"), ("press", "s_press")] {
        let said = json!({"session_id": session, "message": "hold", "agent": agent});
        let events = telling.tenant.with("accept", "text/event-stream");
        let mut stream = events.stream("/api/v1/chat", said).await;
        stream.until("delta").await;
        streams.push(stream);
    }
    let request = telling.request();
    let refused = ApprovalNotice {
        state: ApprovalState::Refused,
        ..request
    };
    for (notice, kind) in [(request, "approval.waiting"), (refused, "approval.ended")] {
        let tenant = TenantId::from(telling.id);
        telling
            .world
            .management
            .approvals_wait(cell, tenant, &[notice])
            .await
            .unwrap();
        let told = receiver.next().await.json();
        let data = &told["data"];
        assert_eq!((&told["type"], &data["agent"]), (&json!(kind), &json!("press")));
        assert_eq!(data["session_id"], "s_press");
    }
}

#[tokio::test]
async fn what_nobody_answers_ends_at_its_time_also_while_its_keeper_sleeps() {
    let receiver = Receiver::start().await;
    let telling = Telling::to(&receiver).await;
    let request = telling.request();
    let over = ApprovalNotice {
        ends_at: telling.now(),
        ..telling.request()
    };
    let allowed = ApprovalNotice {
        state: ApprovalState::Allowed,
        ..telling.request()
    };
    // Of the other two nothing was told while they waited.
    telling.told(&[request, over, allowed]).await;
    let got = receiver.next().await.json();
    assert_eq!(
        (&got["type"], &got["data"]["session_id"]),
        (&json!("approval.waiting"), &Value::Null)
    );
    telling.world.clock.advance(LIFE + limits::TENANT_APPROVAL_GRACE);
    let got = receiver.next().await.json();
    assert_eq!(
        (&got["type"], &got["data"]["outcome"], &got["data"]["approval_id"]),
        (&json!("approval.ended"), &json!("expired"), &json!(request.id))
    );
    assert!(receiver.rest().await.is_empty());
}

#[tokio::test]
async fn what_an_agent_asks_for_ends_with_it_and_webhooks_hear_that() {
    let receiver = Receiver::start().await;
    let telling = Telling::to(&receiver).await;
    let at = format!("/api/v1/tenants/{}/agents", telling.id);
    let press = telling
        .operator
        .post(&at, json!({"name": "press"}))
        .await
        .expect(201)
        .json;
    let cell: CellId = press["cell"]["id"].as_str().unwrap().parse().unwrap();
    let waits = telling.request();
    let refused = ApprovalNotice {
        state: ApprovalState::Refused,
        ..telling.request()
    };
    let asked = ApprovalNotice {
        state: ApprovalState::Waiting,
        ..refused
    };
    for approvals in [[waits, asked], [waits, refused]] {
        let told = telling
            .world
            .management
            .approvals_wait(cell, TenantId::from(telling.id), &approvals);
        told.await.unwrap();
    }
    // The first agent's stays.
    telling.told(&[telling.request()]).await;
    for _ in 0..4 {
        receiver.next().await;
    }
    telling.operator.delete(&format!("{at}/press")).await.expect(200);
    let got = receiver.next().await;
    assert_signed(&got, &telling.secret);
    let data = json!({"tenant_id": telling.id, "agent": "press", "session_id": null, "approval_id": waits.id, "outcome": "expired",
        "ended_at": telling.now()});
    assert_eq!(
        (&got.json()["type"], &got.json()["data"]),
        (&json!("approval.ended"), &data)
    );
    assert!(receiver.rest().await.is_empty());
    assert_eq!(telling.count("api_approvals").await, 1);
}

#[tokio::test]
async fn an_agent_that_asks_all_the_time_is_told_of_within_a_bound_and_later_again() {
    let receiver = Receiver::start().await;
    let telling = Telling::to(&receiver).await;
    receiver.answers(503);
    for _ in 0..3 {
        let many: Vec<_> = (0..50).map(|_| telling.request()).collect();
        telling.told(&many).await;
    }
    assert_eq!(telling.count("api_approvals").await, limits::TENANT_APPROVALS);
    assert_eq!(telling.count("deliveries").await, limits::TENANT_APPROVALS);
    telling.world.clock.advance(limits::TENANT_APPROVALS_WITHIN);
    telling.told(&[telling.request()]).await;
    assert_eq!(telling.count("api_approvals").await, limits::TENANT_APPROVALS + 1);
}

#[tokio::test]
async fn promise_03_a_cell_tells_of_its_own_tenant_alone_and_of_none_that_is_gone() {
    let receiver = Receiver::start().await;
    let telling = Telling::to(&receiver).await;
    let (other, _) = telling.world.tenant("other").await;
    let told = async |tenant: Uuid| {
        let request = [telling.request()];
        let told = telling
            .world
            .management
            .approvals_wait(telling.cell, TenantId::from(tenant), &request);
        told.await.unwrap();
    };
    told(other).await;
    assert_eq!(telling.count("api_approvals").await, 0);
    told(telling.id).await;
    assert_eq!(telling.count("api_approvals").await, 1);
    telling
        .operator
        .delete(&format!("/api/v1/tenants/{}", telling.id))
        .await
        .expect(200);
    told(telling.id).await;
    assert_eq!(telling.count("api_approvals").await, 0);
}

#[tokio::test]
async fn a_program_sees_what_its_agent_asks_for_and_answers_exactly_that_once() {
    let (world, agents, _) = World::with_tenants().await;
    let (_, tenant) = world.tenant("x").await;
    let (_, other) = world.tenant("other").await;
    let nothing = json!({"approvals": [], "ask_before_commands": false});
    assert_eq!(tenant.get("/api/v1/approvals").await.expect(200).json, nothing);
    let settings = json!({"ask_before_commands": true});
    let set = tenant.patch("/api/v1/approvals", settings.clone()).await.expect(200);
    assert_eq!(set.json, settings);
    let as_it_was = tenant.patch("/api/v1/approvals", json!({})).await.expect(200);
    assert_eq!(as_it_was.json, settings);
    let none = tenant.patch("/api/v1/approvals", json!({"ask_before_commands": null}));
    none.await.refused(422, "invalid_field");
    for session in ["s_1", "s_2"] {
        let said = json!({"session_id": session, "message": "approve canary"});
        tenant.post("/api/v1/chat", said).await.expect(200);
    }
    let listed = tenant.get("/api/v1/approvals").await.expect(200).json;
    assert_eq!(listed["ask_before_commands"], true);
    let [first, second] = [0, 1].map(|at| listed["approvals"][at].clone());
    assert_eq!(
        (&first["session_id"], &first["hash"], &first["action"]["command"]),
        (&json!("s_1"), &json!(HASH), &json!("approve canary"))
    );
    assert_eq!(second["session_id"], "s_2");
    assert_eq!(other.get("/api/v1/approvals").await.expect(200).json, nothing);

    let at = |request: &Value| format!("/api/v1/approvals/{}", request["id"].as_str().unwrap());
    let allow = json!({"hash": HASH, "answer": "allow"});
    let refused = async |program: &Developer, uri: &str, body: &Value, status: u16, code: &str| {
        let answer = program.send(Method::POST, uri, Some(body)).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["code"]),
            (status, &json!(code)),
            "{}",
            answer.text
        );
    };
    refused(&other, &at(&first), &allow, 404, "unknown_approval").await;
    let changed = json!({"hash": "another", "answer": "allow"});
    refused(&tenant, &at(&first), &changed, 409, "approval_changed").await;
    for unreadable in [
        json!({"answer": "allow"}),
        json!({"hash": HASH, "answer": "always"}),
        json!({"hash": HASH, "answer": "allow", "per_day": 9}),
    ] {
        assert_eq!(
            tenant.send(Method::POST, &at(&first), Some(&unreadable)).await.status,
            400
        );
    }
    assert!(agents.answered().is_empty());
    let once = tenant.with("idempotency-key", "k");
    for _ in 0..2 {
        let answered = once.post(&at(&first), allow.clone()).await.expect(200).json;
        assert_eq!(answered, json!({"id": first["id"], "answer": "allow"}));
    }
    // Also without a key: it counts once.
    tenant.post(&at(&first), allow.clone()).await.expect(200);
    let refuse = json!({"hash": HASH, "answer": "refuse", "reason": "canary reason"});
    refused(&tenant, &at(&first), &refuse, 409, "already_decided").await;
    // The keeper has taken it, and what it said is lost on its way.
    agents.lose_answers_to("approval.decide");
    let once = tenant.with("idempotency-key", "l");
    refused(&once, &at(&second), &refuse, 503, "cell_unavailable").await;
    agents.repair();
    for program in [&once, &tenant] {
        program.post(&at(&second), refuse.clone()).await.expect(200);
    }
    assert_eq!(
        agents.answered(),
        [
            (first["id"].clone(), json!({"answer": "once"})),
            (
                second["id"].clone(),
                json!({"answer": "deny", "reason": "canary reason"})
            ),
        ]
    );
    // Written down, once: who answered what with which word, and nothing of what was asked.
    let entries: Vec<String> = sqlx::query_scalar(
        "SELECT body FROM operator_events WHERE action = 'api_tenant.approval_answered' ORDER BY seq",
    )
    .fetch_all(&mut world.database.owner().await)
    .await
    .unwrap();
    assert!(
        entries.len() == 2 && entries[0].contains("allowed") && entries[1].contains("refused"),
        "{entries:?}"
    );
    assert!(!entries.concat().contains("canary"), "{entries:?}");
}
