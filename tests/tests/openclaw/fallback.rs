//! Two providers that speak different protocols: what the real OpenClaw does when the first is down. The keeper's own broker stands before
//! them, as it does in a cell.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::sync::Arc;

use holdfast::dev_model;
use keeper::broker::{Broker, BrokerParts, ModelSource};
use keeper::egress::NamedAddresses;
use keeper::gateway::{Block, EntryKind, Gateway, RunEventKind};
use keeper::unlock_link::UnlockLink;
use keeper::vault_service::{ModelKind, ModelSettings, VaultError};
use protocol::ProviderId;
use secrecy::SecretString;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::cell::{Cell, said, turn};

const SESSION: &str = "agent:main:fallback";

/// A scripted provider on this machine.
struct Provider {
    at: String,
    http: &'static reqwest::Client,
}

impl Provider {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("an address").to_string();
        tokio::spawn(dev_model::serve(listener, dev_model::Options::default()));
        Self {
            at,
            http: system_tests::http(),
        }
    }

    /// The settings of a person who connected it.
    fn settings(&self, kind: ModelKind) -> ModelSettings {
        let path = if kind == ModelKind::OpenAi { "/v1" } else { "" };
        ModelSettings {
            id: ProviderId::new(),
            kind,
            base_url: format!("http://{}{path}", self.at),
            key: SecretString::from("sk-test"),
            model: dev_model::MODEL.to_owned(),
            price: None,
        }
    }

    async fn goes_down(&self, status: u16) {
        let url = format!("http://{}/_control/down/{status}", self.at);
        assert!(self.http.post(url).send().await.unwrap().status().is_success());
    }

    async fn comes_up(&self) {
        let url = format!("http://{}/_control/down", self.at);
        assert!(self.http.delete(url).send().await.unwrap().status().is_success());
    }

    /// The protocols and statuses of the calls since the last look.
    async fn asked(&self) -> Vec<(String, u64)> {
        let url = format!("http://{}/_control/requests", self.at);
        let told: Value = self.http.get(&url).send().await.unwrap().json().await.unwrap();
        self.http.delete(&url).send().await.unwrap();
        let requests = told["requests"].as_array().unwrap().iter();
        requests
            .map(|one| {
                (
                    one["protocol"].as_str().unwrap().to_owned(),
                    one["status"].as_u64().unwrap(),
                )
            })
            .collect()
    }
}

/// A vault with these settings.
struct Order(Vec<ModelSettings>);

impl ModelSource for Order {
    fn settings(&self) -> Result<Vec<ModelSettings>, VaultError> {
        Ok(self.0.clone())
    }
}

/// A cell that runs for this order.
async fn started(order: Vec<ModelSettings>, named: &[&Provider]) -> (Cell, Gateway) {
    let broker = Broker::new(BrokerParts {
        source: Arc::new(Order(order)),
        named: NamedAddresses::new(named.iter().map(|provider| provider.at.clone())),
        routes: None,
        tools: None,
        spending: None,
        unlock: UnlockLink::default(),
    });
    let models = broker.models().unwrap();
    let cell = Cell::asking(|listener| {
        tokio::spawn(async move {
            broker.serve(listener).await;
        })
    })
    .await;
    let gateway = cell.start_with(&models).await;
    (cell, gateway)
}

fn last(events: &[RunEventKind]) -> &RunEventKind {
    events.last().expect("an end")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_of_another_protocol_answers_when_the_first_is_down() {
    let (first, second) = (Provider::new().await, Provider::new().await);
    let order = vec![first.settings(ModelKind::Anthropic), second.settings(ModelKind::OpenAi)];
    let (_cell, gateway) = started(order, &[&first, &second]).await;

    let events = turn(&gateway, SESSION, "up", "[[say: From the first.]]").await;
    assert_eq!(said(&events), "From the first.");
    assert_eq!(
        (first.asked().await.len(), second.asked().await.len()),
        (1, 0),
        "the first one is asked while it answers"
    );

    for status in [500, 429, 503, 529] {
        first.goes_down(status).await;
        let run = format!("down-{status}");
        let words = r#"[[tool: exec {"command":"echo seen-$((40+2))"}]] [[slow: 3 chunks every 20ms]]"#;
        let events = turn(&gateway, SESSION, &run, words).await;
        assert!(
            matches!(last(&events), RunEventKind::Final { .. }),
            "{status}: {events:?}"
        );
        assert!(
            events.iter().any(
                |event| matches!(event, RunEventKind::ToolResult { output, is_error: false, .. } if output.contains("seen-42"))
            ),
            "{status}: {events:?}"
        );
        let deltas = events
            .iter()
            .filter(|event| matches!(event, RunEventKind::Text { .. }))
            .count();
        assert!(deltas > 1, "{status}: it streams: {events:?}");
        assert!(!said(&events).contains("Model Fallback"), "{events:?}");
        // One try with the first, which is where each turn begins; the rest of the turn is the second's.
        assert_eq!(
            first.asked().await,
            [("anthropic".to_owned(), u64::from(status))],
            "{status}"
        );
        let seconds = second.asked().await;
        assert_eq!(
            seconds,
            [("openai".to_owned(), 200), ("openai".to_owned(), 200)],
            "{status}"
        );
    }

    // It is back: the next turn is its own again, and the conversation is whole.
    first.comes_up().await;
    let events = turn(&gateway, SESSION, "back", "[[say: The first is back.]]").await;
    assert_eq!(said(&events), "The first is back.");
    assert_eq!((first.asked().await.len(), second.asked().await.len()), (1, 0));
    let history = gateway.history(SESSION).await.unwrap();
    let texts: Vec<String> = history
        .entries
        .iter()
        .filter_map(|entry| match &entry.kind {
            EntryKind::Assistant { blocks, .. } => Some(blocks),
            _ => None,
        })
        .flatten()
        .filter_map(|block| match block {
            Block::Text(text) => Some(text.clone()),
            _ => None,
        })
        .collect();
    assert!(
        texts.first().is_some_and(|text| text == "From the first.")
            && texts.last().is_some_and(|text| text == "The first is back.")
            && !texts.concat().contains("Model Fallback"),
        "{texts:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_counts_as_down_and_without_a_second_the_turn_fails() {
    let (nobody, second) = (Provider::new().await, Provider::new().await);
    // Taken and given up, so that nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    let mut lost = nobody.settings(ModelKind::OpenAi);
    lost.base_url = format!("http://{gone}/v1");
    let named = Provider {
        at: gone.to_string(),
        http: system_tests::http(),
    };
    let order = vec![lost, second.settings(ModelKind::Anthropic)];
    let (_cell, gateway) = started(order, &[&named, &second]).await;
    let events = turn(&gateway, SESSION, "refused", "[[say: From the second.]]").await;
    assert_eq!(said(&events), "From the second.");
    assert_eq!(second.asked().await, [("anthropic".to_owned(), 200)]);

    // Both are down: the turn ends with what the last one said, and nothing is made up.
    second.goes_down(400).await;
    let events = turn(&gateway, SESSION, "both", "[[say: Nobody.]]").await;
    assert!(matches!(last(&events), RunEventKind::Error { .. }), "{events:?}");
}

/// OpenClaw guesses from the words of a refusal that a key is wrong or not paid for, and would ask with it again after ten minutes only.
#[tokio::test(flavor = "multi_thread")]
async fn who_mends_a_key_an_account_or_a_limit_is_answered_at_once() {
    for kind in [ModelKind::OpenAi, ModelKind::Anthropic] {
        let provider = Provider::new().await;
        let (_cell, gateway) = started(vec![provider.settings(kind)], &[&provider]).await;
        let refusals = [
            "401 Incorrect API key provided.",
            "402 Your credit balance is too low.",
            "400 You have reached your spending limit.",
            "403 This api key has been revoked.",
        ];
        for (number, words) in refusals.into_iter().enumerate() {
            let refused = format!("[[fail: {words}]]");
            let events = turn(&gateway, SESSION, &format!("refused-{number}"), &refused).await;
            assert!(matches!(events.last(), Some(RunEventKind::Error { .. })), "{events:?}");
            let events = turn(&gateway, SESSION, &format!("mended-{number}"), "[[say: Here I am.]]").await;
            assert_eq!(said(&events), "Here I am.", "{kind:?} after {words}: {events:?}");
        }
    }
}
