//! A vault as a released keeper left it, with a record of every kind: today's keeper opens it and tells of it what was told then. A
//! new kind of record gets a new fixture beside the old ones, made by `HOLDFAST_WRITE_VECTORS=1`, which never writes over one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use client::Channel;
use keeper::clock::Clock as _;
use protocol::{CellId, UserId, b64};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vault::{
    AgreementSecret, Capability, Constraints, Identity, NewCapability, Presentation, PublicIdentity, RecoveryRequest,
    Resource, Scope, SharedRequest,
};

use super::agent_side::{Service, ok};
use super::approvals::Turns;
use super::bench::{TestKeeper, password};

const START: i64 = 1_700_000_000_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Kinds of records by the beginnings of their names, each in the fixture.
const KINDS: [&str; 27] = [
    "activity/agent",
    "activity/last-use",
    "activity/person",
    "activity/refused",
    "approval-rule/",
    "approval-settings",
    "approval/",
    "contacts/",
    "egress/policy",
    "post/out/",
    "recovery/asked/",
    "recovery/held/",
    "recovery/set",
    "relay/epochs/",
    "relay/epochs/head",
    "relay/out/",
    "relay/to/",
    // With tools, so of the second version: crates/keeper/src/broker/routes/route.rs.
    "route/",
    "secret/",
    "share/asked/",
    "share/given/",
    "share/nonces",
    "share/received/",
    "share/revoked/",
    "share/use/",
    "spending/limits",
    "spending/usage/",
];

/// Records that no method of these tells of, and where they are held to their form.
const ELSEWHERE: [(&str, &str); 20] = [
    ("activity/untold", "counts: what cannot be read is not told"),
    ("cell/durations", "a hint: what cannot be read is measured anew"),
    ("chat/conversation/", "crates/keeper/src/chat/journal.rs"),
    ("chat/keys", "crates/keeper/src/chat/journal.rs"),
    ("chat/turn/", "crates/keeper/src/chat/journal.rs"),
    ("home/manifest", "the pin: src/backup/fixtures/v1.hfb"),
    ("rates/", "crates/keeper/src/rates/record.rs"),
    ("recovery/stopped", "a hint: what cannot be read is told again"),
    ("relay/from/", "crates/keeper/src/relay/records.rs"),
    ("relay/issuer/", "crates/keeper/src/relay/records.rs"),
    ("relay/known", "a hint: what cannot be read is learnt anew"),
    ("relay/lost/", "crates/keeper/src/relay/records.rs"),
    ("relay/restored", "crates/keeper/src/relay/records.rs"),
    ("second/asked/", "crates/keeper/src/approvals/second/deciding.rs"),
    ("share/copied/", "crates/keeper/src/shares/copy_given.rs"),
    ("share/copy/", "crates/keeper/src/shares/copy_held.rs"),
    ("share/link/", "crates/keeper/src/shares/links.rs"),
    ("share/resource/", "crates/keeper/src/shares/resources.rs"),
    ("template/agent", "crates/keeper/src/template/mod.rs"),
    (
        "vault/",
        "what the vault keeps for itself: opening the fixture reads it",
    ),
];

/// Names in the same form that are no records of a vault: of blobs, purposes, models and services.
const NO_RECORDS: [&str; 8] = [
    "home/c/",
    "home/chunk",
    "home/m/",
    "home/r/",
    "letter/v1",
    "main/",
    "service/",
    "warmup/warmup",
];

/// What is asked of the vault, as it was answered when it was written.
const QUESTIONS: [&str; 15] = [
    "secret.list",
    "provider.list",
    "spending.get",
    "route.list",
    "egress.get",
    "approval.list",
    "share.given",
    "activity.list",
    "recovery.get",
    "contact.list",
    "identity.get",
    "post.outbox",
    "vault.policy",
    "share.asked",
    "share.received",
];

#[derive(Serialize, Deserialize)]
struct Released {
    cell: CellId,
    now: i64,
    records: Vec<String>,
    told: Vec<(String, Value)>,
    #[serde(with = "b64")]
    vault: Vec<u8>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

async fn told(channel: &Channel) -> Vec<(String, Value)> {
    let mut told = Vec::new();
    for question in QUESTIONS {
        let params = if question == "spending.get" {
            json!({"month": "2023-11"})
        } else {
            json!({})
        };
        let answer = channel.call(question, params).await;
        told.push((
            question.to_owned(),
            answer.unwrap_or_else(|error| panic!("{question}: {error}")),
        ));
    }
    told
}

async fn call(channel: &Channel, method: &str, params: Value) -> Value {
    let answer = channel.call(method, params).await;
    answer.unwrap_or_else(|error| panic!("{method}: {error}"))
}

async fn pin(channel: &Channel, name: &str, bundle: Value) -> UserId {
    let user = UserId::new();
    call(
        channel,
        "contact.pin",
        json!({"user": user, "name": name, "bundle": bundle}),
    )
    .await;
    user
}

/// Ada's vault, with everything in it that her keeper writes down.
async fn written() -> Released {
    let service = Service::new(|_| {
        let usage = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
        ok(&["Content-Type: application/json"], usage)
    })
    .await;
    let (keeper, _, ada, _events) = TestKeeper::with_vault().await;
    keeper.clock.forward(START);
    // A proof is as old as the clock was.
    let slot = keeper.vault.slots()[0].id;
    ada.prove(slot, &password()).await.unwrap();
    keeper.named.set([service.at.to_string()]);
    keeper.approvals.set_turns(Arc::new(Turns::default()));

    let secret = json!({"name": "Key", "kind": "login", "agent": "use", "username": "ada", "url": "https://example.org",
        "value": "value-0123456789"});
    let secret = call(&ada, "secret.set", secret).await["id"].clone();
    let model = json!({"kind": "openai", "base_url": service.base_url(), "key": "sk-0123456789", "model": "model-1",
        "price": {"input": 1_000_000, "output": 2_000_000}});
    call(&ada, "provider.set", model).await;
    call(&ada, "spending.set", json!({"day": 5_000_000, "month": 50_000_000})).await;
    call(
        &ada,
        "egress.set",
        json!({"mode": "allow_list", "hosts": ["example.org", "*.example.com:8443"]}),
    )
    .await;
    call(
        &ada,
        "vault.set_policy",
        json!({"lock_after_minutes": 60, "rotate_after_days": 90}),
    )
    .await;
    call(&ada, "approval.settings", json!({"ask_before_commands": true})).await;
    let inject = json!({"as": "header", "name": "x-api-key", "prefix": "Key "});
    let route = json!({"name": "calendar", "base_url": service.base_url(), "secret": secret, "inject": inject, "about": "Dates"});
    call(&ada, "route.set", route).await;

    // The agent: a call of the model, a call that goes through, one that is refused, one that is asked for and allowed from now on.
    let body = r#"{"model":"model-1","messages":[]}"#;
    let json = ["Content-Type: application/json"];
    keeper.agent.ask("POST /v1/chat/completions", &json, body).await;
    assert!(keeper.agent.get("/x/calendar/today").await.starts_with("HTTP/1.1 200"));
    keeper.agent.tunnel("elsewhere.example.net:443").await;
    let mut changes = keeper.approvals.changes();
    let allowed = async {
        let shown = loop {
            let waiting = call(&ada, "approval.list", json!({})).await["waiting"].clone();
            if let Some(shown) = waiting.as_array().unwrap().first() {
                break shown.clone();
            }
            changes.changed().await.unwrap();
        };
        let answer = json!({"answer": "always", "per_day": 3, "until": START + 30 * DAY});
        call(
            &ada,
            "approval.decide",
            json!({"id": shown["id"], "hash": shown["hash"], "answer": answer}),
        )
        .await;
    };
    let asked = keeper.agent.ask("POST /x/calendar/new", &json, "{}");
    tokio::join!(asked, allowed);

    // Others: shares of their recovery and of hers, a request, what she shares, what was used and taken back.
    let (bobs, _, bob, _bobs_events) = TestKeeper::with_vault().await;
    let carol = Identity::random();
    let bundle = call(&bob, "identity.get", json!({})).await["bundle"].clone();
    let bob_for_ada = pin(&ada, "Bob", bundle).await;
    let carol_for_ada = pin(&ada, "Carol", json!(b64::encode(carol.public().encode()))).await;
    ada.set_recovery(2, 0, &[bob_for_ada, carol_for_ada]).await.unwrap();
    let bundle = call(&ada, "identity.get", json!({})).await["bundle"].clone();
    let ada_for_bob = pin(&bob, "Ada", bundle).await;
    let carol_for_bob = pin(&bob, "Carol", json!(b64::encode(carol.public().encode()))).await;
    let slot = bob.set_recovery(2, 0, &[ada_for_bob, carol_for_bob]).await.unwrap();
    let letters = call(&bob, "post.outbox", json!({})).await["letters"].clone();
    let letter = letters
        .as_array()
        .unwrap()
        .iter()
        .find(|letter| letter["to"] == json!(ada_for_bob))
        .unwrap();
    call(
        &ada,
        "post.take",
        json!({"from": bob_for_ada, "name": "Bob", "sealed": letter["sealed"]}),
    )
    .await;
    let request = RecoveryRequest {
        cell: bobs.cell.uuid(),
        slot: slot.uuid(),
        key: AgreementSecret::random().public(),
        made: START,
    };
    call(
        &ada,
        "recovery.see",
        json!({"user": bob_for_ada, "request": b64::encode(request.encode())}),
    )
    .await;
    let issue = async |until: i64| {
        let terms = json!({"with": carol_for_ada, "resource": "service/calendar", "scope": ["read"], "until": until});
        call(&ada, "share.issue", terms).await
    };
    let given = issue(START + DAY).await;
    let capability = Capability::parse(&serde_json_canonicalizer::to_vec(&given["capability"]).unwrap()).unwrap();
    let request = SharedRequest {
        service: "calendar".into(),
        method: "GET".into(),
        path: "/today".into(),
        query: String::new(),
        content_type: String::new(),
        body: Vec::new(),
    };
    let presented = Presentation::sign(&carol, vec![capability], request, START)
        .unwrap()
        .encode();
    keeper.shares.answer(&carol.public(), &presented).await.unwrap();
    let gone = issue(START + 2 * DAY).await["share"]["id"].clone();
    call(&ada, "share.revoke", json!({"id": gone})).await;

    // What others share and ask for comes through the relay, which is nowhere here: as their records are written.
    let her_signer = {
        let bundle = call(&ada, "identity.get", json!({})).await["bundle"].clone();
        let bundle = b64::decode(bundle.as_str().unwrap()).unwrap();
        PublicIdentity::decode(&bundle).unwrap().signer()
    };
    let new = NewCapability {
        id: uuid::Uuid::now_v7(),
        holder: her_signer,
        resource: Resource::parse("service/tracker").unwrap(),
        scope: [Scope::Read].into(),
        from: START,
        until: START + DAY,
        constraints: Constraints::default(),
        cached: None,
    };
    let id = new.id;
    let capability = serde_json::to_value(Capability::issue(&carol, new).unwrap()).unwrap();
    let received = json!({"from": b64::encode(carol.public().encode()), "capability": capability, "at": START});
    let asked =
        json!({"id": id, "user": carol_for_ada, "name": "Carol", "words": "May I see your calendar?", "at": START});
    for (kind, record) in [("received", received), ("asked", asked)] {
        let bytes = [vec![1], serde_json::to_vec(&record).unwrap()].concat();
        keeper
            .vault
            .put_record(&format!("share/{kind}/{id}"), &bytes)
            .await
            .unwrap();
    }

    // What is gathered is written before a lock.
    let told = told(&ada).await;
    let cell = keeper.cell;
    keeper
        .vault
        .lock(keeper::vault_service::LockReason::Asked)
        .await
        .unwrap();
    let vault = std::fs::read(keeper.folder().join("vault")).unwrap();
    let (channel, _events) = keeper
        .login(keeper.vault.slots()[0].id, &password(), None)
        .await
        .unwrap();
    channel.unlock().await.unwrap();
    let records = keeper.vault.list_records("").unwrap();
    Released {
        cell,
        now: keeper.clock.now(),
        records,
        told,
        vault,
    }
}

#[tokio::test]
async fn a_vault_of_each_released_version_is_read_as_it_was_told_when_it_was_written() {
    let path = folder().join("vault-records-1.json");
    if std::env::var_os("HOLDFAST_WRITE_VECTORS").is_some() && !path.exists() {
        std::fs::create_dir_all(folder()).unwrap();
        let released = serde_json::to_vec_pretty(&written().await).unwrap();
        std::fs::write(&path, [released, b"\n".to_vec()].concat()).unwrap();
    }
    let released: Released = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let keeper = TestKeeper::released(released.cell, released.now, &released.vault).await;
    let slot = keeper.vault.slots()[0].id;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    for ((question, then), (_, now)) in released.told.iter().zip(told(&channel).await) {
        assert!(holds(&now, then), "{question}: {now:#} instead of {then:#}");
    }
    let shown = call(&channel, "secret.list", json!({})).await;
    let shown = call(&channel, "secret.reveal", json!({"id": shown["secrets"][0]["id"]})).await;
    assert_eq!(shown, json!({"value": "value-0123456789", "username": "ada"}));
    // Each kind is in it, and nothing that has no name here.
    for kind in KINDS {
        assert!(
            released.records.iter().any(|name| name.starts_with(kind)),
            "{kind} is not in the fixture"
        );
    }
    for name in &released.records {
        let known = KINDS.iter().any(|kind| name.starts_with(kind));
        assert!(known || elsewhere(name), "{name} has no kind here");
    }
}

/// Whether all that was told then is told now. More may be.
fn holds(now: &Value, then: &Value) -> bool {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => {
            let is_told = |(name, then): (&String, &Value)| now.get(name).is_some_and(|now| holds(now, then));
            then.iter().all(is_told)
        }
        (Value::Array(now), Value::Array(then)) => {
            now.len() == then.len() && now.iter().zip(then).all(|(now, then)| holds(now, then))
        }
        _ => now == then,
    }
}

fn elsewhere(name: &str) -> bool {
    ELSEWHERE.iter().any(|(kind, _)| name.starts_with(kind))
}

/// Names of records in the source: `const … = "a/b"` and `format!("a/{…}")`.
fn names_in(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in source.split("#[cfg(test)]").next().unwrap().lines() {
        for before in ["&str = \"", "format!(\""] {
            let Some((_, rest)) = line.split_once(before) else {
                continue;
            };
            let name = rest.split(['"', '{']).next().unwrap();
            let plain = name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || b"/-".contains(&byte));
            let family = name.split_once('/').is_some_and(|(family, _)| !family.is_empty());
            if plain && family {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

#[test]
fn every_kind_of_record_that_the_source_names_has_a_fixture_or_says_where_it_is_tried() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut seen = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" && name != "fuzzing.rs" {
                seen.extend(names_in(&std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    for kind in ["secret/", "route/", "share/given/", "spending/limits", "recovery/held/"] {
        assert!(seen.contains(kind), "the source is searched in vain: no {kind}");
    }
    let known = |name: &str| KINDS.contains(&name) || NO_RECORDS.contains(&name) || elsewhere(name);
    seen.retain(|name| !known(name));
    assert!(
        seen.is_empty(),
        "new kinds of records, which need a fixture (this file's first lines): {seen:?}"
    );
}
