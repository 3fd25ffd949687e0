use serde_json::{Value, json};

use super::*;

async fn start(options: Options) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, options));
    format!("http://{address}")
}

fn keyed() -> Options {
    Options {
        key: Some("sk-right".into()),
        ..Options::default()
    }
}

/// One request on a connection of its own; a test client needs no more.
async fn request(
    base: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> (u16, String) {
    use http_body_util::BodyExt as _;
    let address = base.strip_prefix("http://").unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut request = axum::http::Request::builder()
        .method(method)
        .uri(path)
        .header("host", address);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = axum::body::Body::from(body.map(Value::to_string).unwrap_or_default());
    let response = sender.send_request(request.body(body).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let mut text = String::new();
    let mut body = response.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        text.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap_or_default()));
    }
    (status, text)
}

async fn openai(base: &str, key: &str, model: &str, text: &str, stream: bool) -> (u16, String) {
    let body = json!({"model": model, "stream": stream, "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": text}]});
    let bearer = format!("Bearer {key}");
    request(
        base,
        "POST",
        "/v1/chat/completions",
        &[("authorization", &bearer)],
        Some(&body),
    )
    .await
}

async fn anthropic(base: &str, key: &str, model: &str, text: &str, stream: bool) -> (u16, String) {
    let body = json!({"model": model, "stream": stream, "max_tokens": 100, "messages": [{"role": "user", "content": [{"type": "text", "text": text}]}]});
    let headers = [("x-api-key", key), ("anthropic-version", "2023-06-01")];
    request(base, "POST", "/v1/messages", &headers, Some(&body)).await
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn a_wrong_key_and_an_unknown_model_are_refused_in_the_shape_of_each_protocol() {
    let base = start(keyed()).await;
    let (status, body) = openai(&base, "sk-wrong", MODEL, "hi", false).await;
    assert_eq!(
        (status, &json_of(&body)["error"]["code"]),
        (401, &json!("invalid_api_key"))
    );
    assert!(!body.contains("sk-wrong"));
    let (status, body) = openai(&base, "sk-right", "gpt-0", "hi", false).await;
    assert_eq!(
        (status, &json_of(&body)["error"]["code"]),
        (404, &json!("model_not_found"))
    );
    let (status, body) = anthropic(&base, "sk-wrong", MODEL, "hi", false).await;
    assert_eq!(
        (status, &json_of(&body)["error"]["type"]),
        (401, &json!("authentication_error"))
    );
    let (status, body) = anthropic(&base, "sk-right", "claude-0", "hi", false).await;
    assert_eq!(
        (status, &json_of(&body)["error"]["type"]),
        (404, &json!("not_found_error"))
    );
}

#[tokio::test]
async fn both_protocols_answer_whole_and_streaming() {
    let base = start(keyed()).await;
    let (_, body) = openai(&base, "sk-right", MODEL, "[[say: ahoy]]", false).await;
    assert_eq!(json_of(&body)["choices"][0]["message"]["content"], "ahoy");
    let (_, body) = openai(&base, "sk-right", MODEL, "[[say: ahoy]]", true).await;
    assert!(
        body.contains(r#""delta":{"content":"ahoy"}"#) && body.trim_end().ends_with("data: [DONE]"),
        "{body}"
    );
    let (_, body) = anthropic(&base, "sk-right", MODEL, "[[say: ahoy]]", false).await;
    assert_eq!(json_of(&body)["content"][0]["text"], "ahoy");
    let (_, body) = anthropic(&base, "sk-right", MODEL, "[[say: ahoy]]", true).await;
    let order = [
        "message_start",
        "content_block_start",
        "text_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    let places: Vec<usize> = order.iter().map(|name| body.find(name).unwrap()).collect();
    assert!(places.is_sorted(), "{body}");
}

#[tokio::test]
async fn without_a_directive_the_words_come_back_with_a_code_block() {
    let base = start(Options::default()).await;
    let (_, body) = openai(&base, "any", MODEL, "Good morning", false).await;
    let text = json_of(&body)["choices"][0]["message"]["content"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(text.contains("> Good morning") && text.contains("```"), "{text}");
}

#[tokio::test]
async fn a_tool_call_has_the_shape_of_each_protocol() {
    let base = start(keyed()).await;
    let text = r#"[[tool: exec {"command":"ls"}]]"#;
    let (_, body) = openai(&base, "sk-right", MODEL, text, false).await;
    let choice = &json_of(&body)["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(
        choice["message"]["tool_calls"][0]["function"]["arguments"],
        r#"{"command":"ls"}"#
    );
    let (_, body) = anthropic(&base, "sk-right", MODEL, text, false).await;
    let body = json_of(&body);
    assert_eq!(
        (&body["stop_reason"], &body["content"][0]["input"]["command"]),
        (&json!("tool_use"), &json!("ls"))
    );
}

#[tokio::test]
async fn an_answer_waits_at_a_hold_until_it_is_released() {
    let base = start(keyed()).await;
    let asked = tokio::spawn({
        let base = base.clone();
        async move {
            openai(
                &base,
                "sk-right",
                MODEL,
                "[[say: before]] [[hold: door]] [[say: after]]",
                true,
            )
            .await
        }
    });
    assert_eq!(request(&base, "GET", "/_control/held/door", &[], None).await.0, 204);
    assert!(!asked.is_finished());
    request(&base, "POST", "/_control/release/door", &[], None).await;
    assert!(asked.await.unwrap().1.contains("after"));
}

#[tokio::test]
async fn it_fails_and_breaks_off_when_told_to() {
    let base = start(keyed()).await;
    let (status, body) = openai(&base, "sk-right", MODEL, "[[fail: 503 out of order]]", true).await;
    assert_eq!(
        (status, &json_of(&body)["error"]["message"]),
        (503, &json!("out of order"))
    );
    let (_, body) = openai(&base, "sk-right", MODEL, "[[say: half]] [[cut]]", true).await;
    assert!(body.contains("half") && !body.contains("[DONE]"), "{body}");
}

#[tokio::test]
async fn requests_are_remembered_without_their_key() {
    let base = start(keyed()).await;
    openai(&base, "sk-wrong", MODEL, "first", false).await;
    openai(&base, "sk-right", MODEL, "second", false).await;
    let (_, log) = request(&base, "GET", "/_control/requests", &[], None).await;
    let log = json_of(&log);
    let seen: Vec<_> = log["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["key"].clone(), r["asked"].clone()))
        .collect();
    assert_eq!(
        seen,
        [(json!("wrong"), json!("first")), (json!("right"), json!("second"))]
    );
    assert!(!log.to_string().contains("sk-"));
    assert!(
        log["requests"][0]["headers"]
            .as_array()
            .unwrap()
            .contains(&json!("authorization"))
    );
}

#[tokio::test]
async fn what_agents_are_told_and_offered_is_remembered_for_both_protocols() {
    let base = start(Options::default()).await;
    let said = json!({"role": "user", "content": "Hi"});
    let tool = json!({"name": "exec", "description": "d"});
    let of_openai = json!({
        "model": MODEL, "messages": [{"role": "system", "content": "You write."}, said], "tools": [{"type": "function", "function": tool}],
    });
    let of_anthropic = json!({
        "model": MODEL, "max_tokens": 9, "system": [{"type": "text", "text": "You edit."}], "messages": [said], "tools": [tool],
    });
    for (path, body, system) in [
        ("/v1/chat/completions", of_openai, "You write."),
        ("/v1/messages", of_anthropic, "You edit."),
    ] {
        let headers = [
            ("authorization", "Bearer k"),
            ("x-api-key", "k"),
            ("anthropic-version", "2023-06-01"),
        ];
        assert_eq!(request(&base, "POST", path, &headers, Some(&body)).await.0, 200);
        let (_, told) = request(&base, "GET", "/_control/system", &[], None).await;
        assert_eq!(told, system);
    }
    let (_, log) = request(&base, "GET", "/_control/requests", &[], None).await;
    for seen in json_of(&log)["requests"].as_array().unwrap() {
        assert_eq!(seen["tools"], json!(["exec"]));
    }
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused() {
    let base = start(Options::default()).await;
    let headers = [
        ("authorization", "Bearer x"),
        ("anthropic-version", "2023-06-01"),
        ("x-api-key", "x"),
    ];
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let (status, _) = request(&base, "POST", path, &headers, Some(&json!({"model": 1}))).await;
        assert_eq!(status, 400, "{path}");
    }
}

#[tokio::test]
async fn a_model_that_is_told_to_be_down_refuses_both_protocols_until_it_is_up_again() {
    let base = start(Options::default()).await;
    assert_eq!(request(&base, "POST", "/_control/down/200", &[], None).await.0, 400);
    assert_eq!(request(&base, "POST", "/_control/down/503", &[], None).await.0, 204);
    let (status, text) = openai(&base, "k", MODEL, "[[say: hello]]", false).await;
    assert_eq!(status, 503);
    assert!(text.contains("told to be down"), "{text}");
    let (status, text) = anthropic(&base, "k", MODEL, "[[say: hello]]", true).await;
    assert_eq!((status, json_of(&text)["type"].as_str()), (503, Some("error")));
    assert_eq!(request(&base, "DELETE", "/_control/down", &[], None).await.0, 204);
    assert_eq!(openai(&base, "k", MODEL, "[[say: hello]]", false).await.0, 200);
    let one = request(&base, "POST", "/_control/down/503?protocol=openai", &[], None).await;
    assert_eq!(one.0, 204);
    assert_eq!(openai(&base, "k", MODEL, "[[say: hello]]", false).await.0, 503);
    assert_eq!(anthropic(&base, "k", MODEL, "[[say: hello]]", true).await.0, 200);
}

#[tokio::test]
async fn it_is_a_server_of_tools_as_well() {
    let base = start(keyed()).await;
    let ask = async |key: &str, message: Value| {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        request(&base, "POST", "/v1/tools", &headers, Some(&message)).await
    };
    let list = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list"});
    assert_eq!(ask("sk-wrong", list.clone()).await.0, 401);
    let (status, listed) = ask("sk-right", list).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((status, &listed["id"]), (200, &json!(7)));
    assert_eq!(listed["result"]["tools"][0]["name"], "search_notes");
    let call = |name: &str| json!({"jsonrpc": "2.0", "id": 8, "method": "tools/call", "params": {"name": name, "arguments": {"words": "rivers"}}});
    assert!(
        ask("sk-right", call("add_note"))
            .await
            .1
            .contains("It is written: rivers")
    );
    assert!(ask("sk-right", call("odd name")).await.1.contains("-32602"));
    let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(ask("sk-right", told).await, (202, String::new()));
}
