//! Several model providers, and what they cost, met by the agent.

use std::net::SocketAddr;
use std::time::Duration;

use client::{Channel, Events};
use keeper::vault_service::LockReason;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::mpsc;

use super::agent_side::{Service, ok};
use super::bench::{TestKeeper, password, refused};

const KEYS: [&str; 2] = ["sk-first-canary-01234", "sk-second-canary-5678"];
const CALL: &str = r#"{"model":"one","messages":[],"max_tokens":1000}"#;

/// Answers with this status, and says what it used.
async fn provider(status: u16) -> Service {
    Service::new(move |_| {
        let body = r#"{"choices":[],"usage":{"prompt_tokens":1000000,"completion_tokens":100000}}"#;
        ok(&[], body).replacen("200 OK", &format!("{status} Word"), 1)
    })
    .await
}

/// A dollar for a million tokens read, ten for a million written.
fn price() -> Value {
    json!({"input": 1_000_000, "output": 10_000_000})
}

async fn add(channel: &Channel, service: &Service, at: usize) -> Value {
    let model = if at == 0 { "one" } else { "two" };
    let params = json!({
        "kind": "openai", "base_url": format!("{}/v1", service.base_url()), "key": KEYS[at],
        "model": model, "price": price(),
    });
    channel.call("provider.set", params).await.unwrap()["id"].clone()
}

async fn call(keeper: &TestKeeper, body: &str) -> String {
    keeper
        .agent
        .ask("POST /v1/chat/completions", &["Content-Type: application/json"], body)
        .await
}

/// Two providers, the first of which refuses with this status, an address where nobody is, and a keeper that may reach all three.
async fn two(broken: Option<u16>) -> ([Service; 2], SocketAddr, (TestKeeper, Channel, Events)) {
    let services = [provider(broken.unwrap_or(200)).await, provider(200).await];
    let (keeper, _slot, channel, events) = TestKeeper::with_vault().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let reached = services.each_ref().map(|service| service.at.to_string());
    keeper.named.set(reached.into_iter().chain([nobody.to_string()]));
    (services, nobody, (keeper, channel, events))
}

async fn overview(channel: &Channel) -> Value {
    channel.call("spending.get", json!({})).await.unwrap()
}

#[tokio::test]
async fn the_next_provider_answers_with_its_own_key_and_model_when_one_is_down() {
    for broken in [Some(429), Some(500), Some(503), None] {
        let ([first, second], nobody, (keeper, channel, _events)) = two(broken).await;
        let first_id = add(&channel, &first, 0).await;
        add(&channel, &second, 1).await;
        if broken.is_none() {
            let gone = json!({"id": first_id, "kind": "openai", "base_url": format!("http://{nobody}/v1"), "key": KEYS[0], "model": "one"});
            channel.call("provider.set", gone).await.unwrap();
        }
        for _ in 0..2 {
            let answer = call(&keeper, CALL).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{broken:?} {answer}");
        }
        // The one that failed rests: it is not asked the second time.
        assert_eq!(
            (first.heard().len(), second.heard().len()),
            (usize::from(broken.is_some()), 2)
        );
        let heard = &second.heard()[0];
        assert!(
            heard.contains(&format!("authorization: Bearer {}", KEYS[1])) && !heard.contains(KEYS[0]),
            "{heard}"
        );
        assert!(
            heard.contains(r#""model":"two""#) && heard.contains(r#""max_tokens":1000"#),
            "{heard}"
        );
        // A model by a name of its own is asked of the first alone.
        let answer = call(&keeper, r#"{"model":"embedding","input":"x"}"#).await;
        assert_eq!(
            second.heard().len(),
            2 + usize::from(answer.starts_with("HTTP/1.1 200")),
            "{answer}"
        );
    }
}

/// One of the other protocol, with a price.
async fn add_anthropic(channel: &Channel, service: &Service, at: usize) -> Value {
    let params = json!({
        "kind": "anthropic", "base_url": service.base_url(), "key": KEYS[at], "model": "claude", "price": price(),
    });
    channel.call("provider.set", params).await.unwrap()["id"].clone()
}

async fn call_at(keeper: &TestKeeper, path: &str, body: &str) -> String {
    let line = format!("POST {path}");
    keeper.agent.ask(&line, &["Content-Type: application/json"], body).await
}

/// What the agent is told when nobody of a protocol answers: it goes on by itself, at once.
fn goes_on(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 429")
        && answer.contains("retry-after: 61")
        && answer.contains("x-should-retry: false")
        && answer.contains("rate_limit_error")
}

#[tokio::test]
async fn where_another_protocol_is_next_the_agent_is_told_to_go_on_and_each_call_is_its_own_providers() {
    let claude = CALL.replace("one", "claude");
    for broken in [Some(429), Some(500), Some(503), None] {
        let ([first, second], nobody, (keeper, channel, _events)) = two(broken).await;
        let first_id = add_anthropic(&channel, &first, 0).await;
        add(&channel, &second, 1).await;
        if broken.is_none() {
            let gone = json!({"id": first_id, "kind": "anthropic", "base_url": format!("http://{nobody}"), "key": KEYS[0], "model": "claude", "price": price()});
            channel.call("provider.set", gone).await.unwrap();
        }
        let limits = json!({"day": 3_000_000, "month": null});
        channel.call("spending.set", limits).await.unwrap();
        for _ in 0..2 {
            // Each turn begins with the first one of the order.
            let answer = call_at(&keeper, "/v1/messages", &claude).await;
            assert!(goes_on(&answer), "{broken:?} {answer}");
        }
        let answer = call_at(&keeper, "/then/1/v1/chat/completions", &CALL.replace("one", "two")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{broken:?} {answer}");
        let heard = second.heard();
        assert!(
            heard.len() == 1 && heard[0].contains(KEYS[1]) && !heard[0].contains(KEYS[0]),
            "{heard:?}"
        );
        assert_eq!(first.heard().len(), if broken.is_some() { 2 } else { 0 });

        // What it cost is the second's, the failures are the first's, and the limit is of both.
        let book = overview(&channel).await;
        assert_eq!(book["spent"]["day"], 2_000_000);
        let rows = book["usage"].as_array().unwrap();
        let of = |model: &str| rows.iter().find(|row| row["model"] == model).unwrap();
        assert_eq!(
            (&of("two")["calls"], &of("two")["cost"]),
            (&json!(1), &json!(2_000_000))
        );
        assert_eq!(
            (&of("claude")["calls"], &of("claude")["failed"], &of("claude")["cost"]),
            (&json!(2), &json!(2), &json!(0))
        );
        let dear = CALL.replace("one", "two").replace("1000", "200000");
        for path in ["/then/1/v1/chat/completions", "/v1/messages"] {
            let body = match path {
                "/v1/messages" => dear.replace("two", "claude"),
                _ => dear.clone(),
            };
            let answer = call_at(&keeper, path, &body).await;
            assert!(
                answer.starts_with("HTTP/1.1 400") && answer.contains("spending_limit"),
                "{path} {answer}"
            );
        }
    }
}

#[tokio::test]
async fn each_protocol_is_asked_where_it_stands_in_the_order_and_the_last_one_says_what_is_wrong() {
    let (first, second, third) = (provider(503).await, provider(503).await, provider(503).await);
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    keeper
        .named
        .set([&first, &second, &third].map(|service| service.at.to_string()));
    add(&channel, &first, 0).await;
    add_anthropic(&channel, &second, 1).await;
    add(&channel, &third, 1).await;
    assert!(goes_on(&call(&keeper, CALL).await));
    assert_eq!((first.heard().len(), third.heard().len()), (1, 0));
    let claude = CALL.replace("one", "claude");
    assert!(goes_on(&call_at(&keeper, "/then/1/v1/messages", &claude).await));
    let last = call_at(&keeper, "/then/2/v1/chat/completions", &CALL.replace("one", "two")).await;
    assert!(last.starts_with("HTTP/1.1 503") && !goes_on(&last), "{last}");
    assert_eq!(
        (first.heard().len(), second.heard().len(), third.heard().len()),
        (1, 1, 1)
    );
    // What is no step of the order, or speaks another protocol than the step, is nobody's.
    for path in [
        "/then/3/v1/chat/completions",
        "/then/0/v1/chat/completions",
        "/then/01/v1/messages",
        "/then/1/v1/chat/completions",
        "/then/1/v1/files",
        "/then/1/then/2/v1/chat/completions",
    ] {
        let answer = call_at(&keeper, path, CALL).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path} {answer}");
    }
}

#[tokio::test]
async fn a_refused_key_or_call_is_told_to_its_owner_and_sends_the_agent_to_nobody_else() {
    for (status, told) in [(400, "400"), (401, "400"), (403, "400"), (404, "404")] {
        let (first, second) = (provider(status).await, provider(200).await);
        let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
        keeper.named.set([first.at.to_string(), second.at.to_string()]);
        add(&channel, &first, 0).await;
        add_anthropic(&channel, &second, 1).await;
        let answer = call(&keeper, CALL).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {told}")), "{status} {answer}");
        // A model that the agent calls by a name of its own is that one's alone.
        let own = call(&keeper, r#"{"model":"embedding","input":"x"}"#).await;
        assert!(!goes_on(&own), "{own}");
    }
}

#[tokio::test]
async fn a_refusal_that_is_the_calls_own_fault_goes_to_nobody_else() {
    let (first, second) = (provider(400).await, provider(200).await);
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    keeper.named.set([first.at.to_string(), second.at.to_string()]);
    add(&channel, &first, 0).await;
    add(&channel, &second, 1).await;
    assert!(call(&keeper, CALL).await.starts_with("HTTP/1.1 400"));
    for body in ["", "{", "[]", r#"{"model":"one","model":"dear"}"#, r#"{"model":7}"#] {
        assert!(call(&keeper, body).await.starts_with("HTTP/1.1 400"), "{body}");
    }
    assert_eq!((first.heard().len(), second.heard().len()), (1, 0));
}

#[tokio::test]
async fn promise_04_a_limit_refuses_before_the_call_and_what_was_used_is_kept() {
    let service = provider(200).await;
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    keeper.named.set([service.at.to_string()]);
    let id = add(&channel, &service, 0).await;
    channel
        .call("spending.set", json!({"day": 3_000_000, "month": null}))
        .await
        .unwrap();
    // A dollar read, a dollar written.
    assert!(call(&keeper, CALL).await.starts_with("HTTP/1.1 200"));
    let book = overview(&channel).await;
    assert_eq!(book["spent"], json!({"day": 2_000_000, "month": 2_000_000}));
    let row = &book["usage"][0];
    assert_eq!(
        (
            &row["provider"],
            &row["model"],
            &row["calls"],
            &row["input"],
            &row["output"],
            &row["cost"],
            &row["estimated"]
        ),
        (
            &json!("127.0.0.1"),
            &json!("one"),
            &json!(1),
            &json!(1_000_000),
            &json!(100_000),
            &json!(2_000_000),
            &json!(0)
        )
    );
    // It could cost more than is left: two dollars.
    let dear = CALL.replace("1000", "200000");
    let answer = call(&keeper, &dear).await;
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("spending_limit") && answer.contains("$3.00"),
        "{answer}"
    );
    assert!(call(&keeper, CALL).await.starts_with("HTTP/1.1 200"));
    let answer = call(&keeper, CALL).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(service.heard().len(), 2);
    let told = channel
        .call("activity.list", json!({"class": "refused"}))
        .await
        .unwrap();
    assert_eq!(
        (&told["entries"][0]["what"], &told["entries"][0]["count"]),
        (&json!("model_refused"), &json!(2))
    );

    // After a lock and a sudden end it is known, and the limit holds.
    keeper.vault.lock(LockReason::Idle).await.unwrap();
    let keeper = keeper.restarted().await;
    keeper.named.set([service.at.to_string()]);
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    assert_eq!(overview(&channel).await["spent"]["day"], 4_000_000);
    assert!(call(&keeper, CALL).await.starts_with("HTTP/1.1 400"));
    // A model whose price is not known is not asked while there is a limit, and neither is one by another name.
    channel
        .call("spending.set", json!({"day": 100_000_000, "month": 100_000_000}))
        .await
        .unwrap();
    assert!(call(&keeper, CALL).await.starts_with("HTTP/1.1 200"));
    for body in [CALL.replace("one", "dear"), r#"{"messages":[]}"#.to_owned()] {
        let answer = call(&keeper, &body).await;
        assert!(
            answer.contains("price_missing") || body.starts_with(r#"{"messages"#),
            "{answer}"
        );
    }
    let unpriced = json!({"id": id, "kind": "openai", "base_url": format!("{}/v1", service.base_url()), "model": "one", "price": null});
    channel.call("provider.set", unpriced).await.unwrap();
    let answer = call(&keeper, CALL).await;
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("price_missing"),
        "{answer}"
    );
}

/// A provider that takes a call, says this, and then closes the connection or leaves it open. Tells of each call that it took.
async fn half(said: String, stays: bool) -> (SocketAddr, mpsc::UnboundedReceiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (took, taken) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            while !heard.ends_with(b"}") {
                assert_ne!(stream.read_buf(&mut heard).await.unwrap(), 0);
            }
            stream.write_all(said.as_bytes()).await.unwrap();
            let _nobody_asks = took.send(());
            if stays {
                open.push(stream);
            }
        }
    });
    (at, taken)
}

/// From now on this is the only provider.
async fn only(keeper: &TestKeeper, channel: &Channel, kind: &str, at: SocketAddr, model: &str) {
    keeper.named.set([at.to_string()]);
    let below = if kind == "openai" { "/v1" } else { "" };
    let one = json!({"kind": kind, "base_url": format!("http://{at}{below}"), "key": KEYS[0], "model": model, "price": price()});
    let all = json!({"providers": [one]});
    channel.call("provider.replace", all).await.unwrap();
}

/// Begins a call; whoever drops it breaks it off.
async fn begin(keeper: &TestKeeper, path: &str, body: &str) -> UnixStream {
    let mut stream = keeper.agent.begin().await;
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1:18790\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    stream
}

/// What is counted of a model, as soon as something is.
async fn row_of(channel: &Channel, model: &str) -> Value {
    for _ in 0..200 {
        let book = overview(channel).await;
        let rows = book["usage"].as_array().unwrap();
        if let Some(row) = rows.iter().find(|row| row["model"] == model) {
            return row.clone();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing is counted of {model}");
}

/// About what this call reads, in tokens.
fn input_of(body: &str) -> u64 {
    u64::try_from(body.len()).unwrap() / 4
}

#[tokio::test]
async fn promise_04_a_call_whose_usage_is_not_told_by_its_end_counts_what_was_set_aside() {
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let stream = |parts: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n{parts}");
    let of_length = |body: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100000\r\n\r\n{body}")
    };
    let start = |output: u64| {
        format!(
            "data: {{\"type\":\"message_start\",\"message\":{{\"usage\":{{\"input_tokens\":500,\"output_tokens\":{output}}}}}}}\n\n"
        )
    };
    let text = "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"Hello\"}}\n\n".repeat(20);
    let running = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":500,\"completion_tokens\":7}}\n\n".repeat(20);
    let begun = of_length(&"{\"choices\":[".repeat(50));
    // What the provider says, whether it leaves the connection open, what the agent waits for; what was answered, and is counted.
    for (model, kind, said, stays, words, answered, input, output) in [
        ("silent", "openai", String::new(), true, "", 0, None, 1000),
        (
            "text",
            "anthropic",
            stream(&(start(1) + &text)),
            true,
            "Hello",
            1,
            Some(500),
            1000,
        ),
        (
            "longer",
            "anthropic",
            stream(&(start(5000) + &text)),
            true,
            "Hello",
            1,
            Some(500),
            5000,
        ),
        ("running", "openai", stream(&running), true, "usage", 1, Some(500), 1000),
        ("begun", "openai", begun, true, "choices", 1, None, 1000),
        (
            "gone",
            "openai",
            of_length(&running),
            false,
            "\r\n0\r\n\r\n",
            1,
            Some(500),
            1000,
        ),
        ("untold", "openai", stream(&text), false, "\r\n0\r\n\r\n", 1, None, 1000),
    ] {
        let (at, mut taken) = half(said, stays).await;
        only(&keeper, &channel, kind, at, model).await;
        let body = CALL.replace("one", model);
        let path = if kind == "openai" {
            "/v1/chat/completions"
        } else {
            "/v1/messages"
        };
        let mut call = begin(&keeper, path, &body).await;
        taken.recv().await.unwrap();
        let mut heard = Vec::new();
        let has_come = |heard: &[u8]| String::from_utf8_lossy(heard).contains(words);
        while !has_come(&heard) && call.read_buf(&mut heard).await.unwrap() > 0 {}
        assert_eq!(has_come(&heard), model != "gone", "{model}");
        drop(call);
        let row = row_of(&channel, model).await;
        let input = input.unwrap_or_else(|| input_of(&body));
        let counted =
            ["calls", "failed", "input", "output", "cost", "estimated"].map(|field| row[field].as_u64().unwrap());
        assert_eq!(
            counted,
            [1, 1 - answered, input, output, input + 10 * output, 1],
            "{model}"
        );
    }
}

#[tokio::test]
async fn what_reaches_nobody_or_is_refused_costs_nothing_and_neither_does_counting_tokens() {
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let refusals = [302, 400, 401, 402, 404, 429, 500, 503];
    for status in refusals {
        let service = provider(status).await;
        only(&keeper, &channel, "openai", service.at, "one").await;
        let answer = call(&keeper, CALL).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{status} {answer}");
        assert_eq!(service.heard().len(), 1);
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    only(&keeper, &channel, "openai", nobody, "one").await;
    assert!(call(&keeper, CALL).await.contains("provider_unreachable"));
    let row = row_of(&channel, "one").await;
    let counted = ["calls", "failed", "input", "output", "cost", "estimated"].map(|field| row[field].as_u64().unwrap());
    let calls = u64::try_from(refusals.len()).unwrap() + 1;
    assert_eq!(counted, [calls, calls, 0, 0, 0, 0]);

    let counts = Service::new(|_| ok(&[], r#"{"input_tokens":5}"#)).await;
    only(&keeper, &channel, "anthropic", counts.at, "claude").await;
    let answer = call_at(
        &keeper,
        "/v1/messages/count_tokens",
        r#"{"model":"claude","messages":[]}"#,
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(overview(&channel).await["usage"].as_array().unwrap().len(), 1);

    // Nothing of all that is set aside any more.
    let most = input_of(CALL) + 10_000;
    channel
        .call("spending.set", json!({"day": most, "month": null}))
        .await
        .unwrap();
    let service = provider(200).await;
    only(&keeper, &channel, "openai", service.at, "one").await;
    assert!(call(&keeper, CALL).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn promise_04_a_limit_counts_all_the_answers_that_a_call_asks_for_and_nothing_is_done_in_the_background() {
    let service = Service::new(|_| ok(&[], r#"{"usage":{"prompt_tokens":1,"completion_tokens":1}}"#)).await;
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    only(&keeper, &channel, "openai", service.at, "one").await;
    // Three and a half answers.
    channel
        .call("spending.set", json!({"day": 35_000, "month": null}))
        .await
        .unwrap();
    let with = |more: &str| CALL.replace('}', &format!(",{more}}}"));
    let (chat, completions, responses) = ("/v1/chat/completions", "/v1/completions", "/v1/responses");
    for (path, body, code) in [
        (chat, with(r#""n":4"#), "spending_limit"),
        (completions, with(r#""best_of":4"#), "spending_limit"),
        (completions, with(r#""prompt":["a","b","c","d"]"#), "spending_limit"),
        (completions, with(r#""prompt":[[1],[2]],"n":2"#), "spending_limit"),
        // No maximum that counts there.
        (chat, r#"{"model":"one","messages":[]}"#.to_owned(), "spending_limit"),
        (
            chat,
            r#"{"model":"one","max_output_tokens":1}"#.to_owned(),
            "spending_limit",
        ),
        (
            responses,
            r#"{"model":"one","max_tokens":1}"#.to_owned(),
            "spending_limit",
        ),
        (chat, with(r#""n":129"#), "CHOICES"),
        (chat, with(r#""n":18446744073709551615"#), "too_many_choices"),
        (responses, with(r#""background":true"#), "background_refused"),
        (
            responses,
            with(r#""background":true,"stream":true"#),
            "ask without `background`",
        ),
    ] {
        let answer = call_at(&keeper, path, &body).await;
        assert!(
            answer.starts_with("HTTP/1.1 400") && answer.contains(code),
            "{body} {answer}"
        );
    }
    assert!(service.heard().is_empty());
    for (path, body) in [
        (chat, with(r#""n":3"#)),
        (completions, with(r#""prompt":[1,2,3,4,5]"#)),
        (responses, with(r#""max_output_tokens":1000,"background":false"#)),
        ("/v1/embeddings", r#"{"model":"one","input":"x"}"#.to_owned()),
    ] {
        let answer = call_at(&keeper, path, &body).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{body} {answer}");
    }
}

#[tokio::test]
async fn promise_04_a_call_that_a_lock_interrupts_counts_once() {
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let (at, mut taken) = half(String::new(), true).await;
    only(&keeper, &channel, "openai", at, "one").await;
    let most = input_of(CALL) + 10_000;
    let under_way = begin(&keeper, "/v1/chat/completions", CALL).await;
    taken.recv().await.unwrap();
    keeper.vault.lock(LockReason::Asked).await.unwrap();
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    assert_eq!(overview(&channel).await["spent"]["day"], most);

    // That it ends now gives nothing back, of its own or of another's.
    let other = begin(&keeper, "/v1/chat/completions", CALL).await;
    taken.recv().await.unwrap();
    channel
        .call("spending.set", json!({"day": 3 * most - 1, "month": null}))
        .await
        .unwrap();
    drop(under_way);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(overview(&channel).await["spent"]["day"], most);
    let answer = call(&keeper, CALL).await;
    assert!(answer.contains("spending_limit"), "{answer}");
    drop(other);

    let keeper = keeper.restarted().await;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    let spent = overview(&channel).await["spent"]["day"].as_u64().unwrap();
    assert!(spent >= most, "{spent}");
}

#[tokio::test]
async fn usage_is_told_by_day_and_model_also_of_a_month_that_has_just_ended() {
    const DAY: i64 = 86_400_000;
    let service = provider(200).await;
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    keeper.named.set([service.at.to_string()]);
    add(&channel, &service, 0).await;
    let other = CALL.replace("one", "other");
    let mut day = 1;
    for (on, body) in [(30, CALL), (31, CALL), (31, &other), (31, CALL), (32, &other)] {
        keeper.clock.forward((on - day) * DAY);
        day = on;
        assert!(call(&keeper, body).await.starts_with("HTTP/1.1 200"));
    }
    let rows = |book: &Value| -> Vec<Value> {
        let rows = book["usage"].as_array().unwrap().iter();
        rows.map(|row| json!([row["day"], row["model"], row["calls"], row["cost"]]))
            .collect()
    };
    let now = overview(&channel).await;
    assert_eq!(now["month"], "1970-02");
    assert_eq!(now["spent"], json!({"day": 0, "month": 0}));
    assert_eq!(rows(&now), [json!(["1970-02-01", "other", 1, 0])]);
    let ended = channel.call("spending.get", json!({"month": "1970-01"})).await.unwrap();
    assert_eq!(ended["month"], "1970-01");
    assert_eq!(
        rows(&ended),
        [
            json!(["1970-01-31", "one", 2, 4_000_000]),
            json!(["1970-01-31", "other", 1, 0]),
            json!(["1970-01-30", "one", 1, 2_000_000]),
        ]
    );
    let none = channel.call("spending.get", json!({"month": "1969-12"})).await.unwrap();
    assert_eq!(none["usage"], json!([]));
}

#[tokio::test]
async fn all_providers_are_replaced_at_once_and_a_key_that_is_not_said_is_that_of_the_same_address_alone() {
    let (first, second) = (provider(200).await, provider(200).await);
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let ids = [add(&channel, &first, 0).await, add(&channel, &second, 1).await];
    let at = |service: &Service| format!("{}/v1", service.base_url());
    let one = |base_url: String, model: &str| json!({"kind": "openai", "base_url": base_url, "model": model});
    let elsewhere = "https://elsewhere.example/v1".to_owned();
    let replace = async |all: Value| channel.call("provider.replace", json!({"providers": all})).await;

    let before = channel.call("provider.list", json!({})).await.unwrap();
    let refusal = refused(replace(json!([one(at(&second), "two"), one(elsewhere.clone(), "one")])).await);
    assert_eq!(refusal.code(), Some("model_invalid"));
    assert_eq!(channel.call("provider.list", json!({})).await.unwrap(), before);

    let mut new = one(elsewhere.clone(), "new");
    new["key"] = json!("sk-new");
    let all = json!([
        one(at(&second), "two"),
        one(at(&first), "other"),
        one(at(&first), "one"),
        new,
        one(elsewhere, "newer")
    ]);
    let now = replace(all).await.unwrap();
    let told = |at: usize, field: &str| now["providers"][at][field].clone();
    let models: Vec<Value> = (0..5).map(|at| told(at, "model")).collect();
    assert_eq!(models, ["two", "other", "one", "new", "newer"]);
    // The same address and model is the same provider, with its price.
    assert_eq!((told(0, "id"), told(0, "price")), (ids[1].clone(), price()));
    assert_eq!((told(2, "id"), told(2, "price")), (ids[0].clone(), price()));
    assert_eq!(told(1, "price"), Value::Null, "it is another model");
    use secrecy::ExposeSecret as _;
    let models = keeper.vault.models().unwrap();
    let keys: Vec<&str> = models.iter().map(|model| model.key.expose_secret()).collect();
    assert_eq!(keys, [KEYS[1], KEYS[0], KEYS[0], "sk-new", "sk-new"]);
    let different: std::collections::HashSet<_> = models.iter().map(|model| model.id).collect();
    assert_eq!(different.len(), 5);
}

#[tokio::test]
async fn providers_are_listed_in_order_without_their_keys() {
    let (first, second) = (provider(200).await, provider(200).await);
    let (keeper, slot, channel, _events) = TestKeeper::with_vault().await;
    let ids = [add(&channel, &first, 0).await, add(&channel, &second, 1).await];
    let listed = channel.call("provider.list", json!({})).await.unwrap();
    assert!(!listed.to_string().contains("canary"));
    assert_eq!(
        listed["providers"][0],
        json!({"id": ids[0], "kind": "openai", "base_url": format!("{}/v1", first.base_url()), "model": "one", "price": price()})
    );
    channel.call("provider.order", json!({"ids": [ids[1]]})).await.unwrap();
    let model = channel.call("model.get", json!({})).await.unwrap();
    assert_eq!(model["model"], "two");
    // A key goes to no other address.
    let elsewhere = json!({"id": ids[0], "kind": "openai", "base_url": "https://elsewhere.example/v1", "model": "one"});
    assert_eq!(
        refused(channel.call("provider.set", elsewhere).await).code(),
        Some("model_invalid")
    );
    channel.call("provider.delete", json!({"id": ids[1]})).await.unwrap();
    let gone = channel.call("provider.delete", json!({"id": ids[1]})).await;
    assert_eq!(refused(gone).code(), Some("unknown_provider"));

    let keeper = keeper.restarted().await;
    let (channel, _events) = keeper.login(slot, &password(), None).await.unwrap();
    channel.unlock().await.unwrap();
    let left = channel.call("provider.list", json!({})).await.unwrap();
    assert_eq!(left["providers"].as_array().unwrap().len(), 1);
    use secrecy::ExposeSecret as _;
    assert_eq!(keeper.vault.model().unwrap().unwrap().key.expose_secret(), KEYS[0]);
}
