use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::{Request, Response};

use super::provider::{Counter, KEY, Provider, post, whole};
use crate::vault_service::ModelKind;

#[tokio::test]
async fn promise_04_the_provider_gets_the_key_and_nothing_else_of_the_agents_headers() {
    let provider = Provider::saying(200, "{}").await;
    let counter = Counter::for_provider(ModelKind::OpenAi, &provider, "/v1");
    assert_eq!(
        counter.call(post("/v1/chat/completions?a=b")).await,
        (200, "{}".to_owned())
    );
    let asked = provider.asked().pop().unwrap();
    assert_eq!(asked.line, "POST /v1/chat/completions?a=b");
    assert_eq!(asked.headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(asked.headers["content-length"], "15");
    assert_eq!(asked.body, "{\"stream\":true}");
    let mut names: Vec<_> = asked.headers.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    let expected = [
        "accept",
        "accept-encoding",
        "anthropic-version",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn promise_04_an_anthropic_provider_gets_the_key_in_its_own_header() {
    let provider = Provider::saying(200, "{}").await;
    let counter = Counter::for_provider(ModelKind::Anthropic, &provider, "");
    assert_eq!(counter.call(post("/v1/messages")).await.0, 200);
    let asked = provider.asked().pop().unwrap();
    assert_eq!(asked.line, "POST /v1/messages");
    assert_eq!(asked.headers["x-api-key"], KEY);
    assert_eq!(asked.headers["anthropic-version"], "2023-06-01");
    assert!(!asked.headers.contains_key("authorization"));
}

#[tokio::test]
async fn an_answer_streams_as_it_is_made() {
    let (sender, parts) = futures::channel::mpsc::unbounded::<&'static str>();
    let parts = Arc::new(Mutex::new(Some(parts)));
    let provider = Provider::start(move |_| {
        let parts = parts.lock().unwrap().take().unwrap();
        Box::pin(async move {
            let body = StreamBody::new(parts.map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))));
            Response::builder()
                .header("content-type", "text/event-stream")
                .header("set-cookie", "tracked=1")
                .header("x-ratelimit-remaining-tokens", "7")
                .body(BodyExt::boxed(body))
                .unwrap()
        })
    })
    .await;
    let counter = Counter::for_provider(ModelKind::OpenAi, &provider, "/v1");
    sender.unbounded_send("data: one\n\n").unwrap();
    let response = counter.send(post("/v1/chat/completions")).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-ratelimit-remaining-tokens"], "7");
    assert!(!response.headers().contains_key("set-cookie"));
    let mut body = response.into_body();
    // The second part is not made before the first has been read.
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "data: one\n\n"
    );
    sender.unbounded_send("data: two\n\n").unwrap();
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "data: two\n\n"
    );
    drop(sender);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn promise_04_a_redirect_is_not_followed_with_the_key() {
    for kind in [301, 302, 303, 307, 308] {
        let elsewhere = Provider::saying(200, "{}").await;
        let to = format!("http://{}/v1/chat/completions", elsewhere.at);
        let provider = Provider::start(move |_| {
            let to = to.clone();
            Box::pin(async move {
                let mut response = whole(kind, "");
                response.headers_mut().insert("location", to.parse().unwrap());
                response
            })
        })
        .await;
        let named = [provider.at.to_string(), elsewhere.at.to_string()];
        let counter = Counter::open(ModelKind::OpenAi, &format!("http://{}/v1", provider.at), &named);
        let (status, text) = counter.call(post("/v1/chat/completions")).await;
        assert_eq!(status, 502, "{kind}");
        assert!(text.contains("redirect"), "{kind} {text}");
        assert!(elsewhere.asked().is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn promise_04_a_provider_that_repeats_the_key_does_not_tell_it_to_the_agent() {
    let provider = Provider::start(|asked| {
        Box::pin(async move {
            let key = asked.headers["authorization"].to_str().unwrap().to_owned();
            let mut response = whole(500, format!("no such thing: {key}!"));
            let value = format!("echo {key}").parse().unwrap();
            response.headers_mut().insert("x-request-id", value);
            response
        })
    })
    .await;
    let counter = Counter::for_provider(ModelKind::OpenAi, &provider, "/v1");
    let response = counter.send(post("/v1/chat/completions")).await;
    assert!(!format!("{:?}", response.headers()).contains(KEY));
    let text = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text, "no such thing: Bearer [key removed]!");
}

#[tokio::test]
async fn promise_04_only_inference_can_be_asked_for() {
    let provider = Provider::saying(200, "{}").await;
    let counter = Counter::for_provider(ModelKind::OpenAi, &provider, "/v1");
    for path in [
        "/v1/files",
        "/v1/chat/completions/../../admin",
        "/v1/chat/completions/%2e%2e",
        "/",
    ] {
        let (status, text) = counter.call(post(path)).await;
        assert_eq!(status, 404, "{path} {text}");
    }
    // A proxy's request line, with another host in it, goes where the settings say.
    let absolute = Request::post("http://169.254.169.254/v1/chat/completions")
        .header("host", "169.254.169.254")
        .body(Full::new(Bytes::from_static(b"{}")))
        .unwrap();
    assert_eq!(counter.call(absolute).await.0, 200);
    assert_eq!(provider.asked().len(), 1);
    assert_eq!(provider.asked()[0].headers["host"], provider.at.to_string());
}

#[tokio::test]
async fn promise_04_private_addresses_are_refused_unless_the_operator_named_them() {
    let provider = Provider::saying(200, "{}").await;
    let port = provider.at.port();
    for base in [
        format!("http://127.0.0.1:{port}/v1"),
        format!("https://127.0.0.1:{port}/v1"),
        format!("https://localhost:{port}/v1"),
        format!("https://[::1]:{port}/v1"),
        format!("https://[::ffff:127.0.0.1]:{port}/v1"),
        format!("https://2130706433:{port}/v1"),
        "https://169.254.169.254/v1".to_owned(),
        "https://10.0.0.1/v1".to_owned(),
    ] {
        let counter = Counter::open(ModelKind::OpenAi, &base, &[]);
        let (status, text) = counter.call(post("/v1/chat/completions")).await;
        assert_eq!(status, 400, "{base} {text}");
        assert!(
            text.contains("address_refused") && text.contains("private_model_addresses"),
            "{base} {text}"
        );
    }
    assert!(provider.asked().is_empty());
    let plain = Counter::open(ModelKind::OpenAi, "http://models.example/v1", &[]);
    let (status, text) = plain.call(post("/v1/chat/completions")).await;
    assert_eq!(status, 400);
    assert!(text.contains("https://"), "{text}");
}

#[tokio::test]
async fn a_locked_vault_answers_nothing() {
    let provider = Provider::saying(200, "{}").await;
    let counter = Counter::for_provider(ModelKind::OpenAi, &provider, "/v1");
    *counter.settings.1.lock().unwrap() = true;
    let (status, text) = counter.call(post("/v1/chat/completions")).await;
    assert_eq!(status, 503);
    assert!(text.contains("vault_locked"), "{text}");
    assert!(provider.asked().is_empty());
}

#[tokio::test]
async fn a_refused_credential_is_the_keepers_business_and_the_words_are_the_providers() {
    let provider = Provider::saying(401, "{\"error\":{\"message\":\"bad key\"}}").await;
    let counter = Counter::for_provider(ModelKind::OpenAi, &provider, "/v1");
    let (status, text) = counter.call(post("/v1/chat/completions")).await;
    assert_eq!((status, text.as_str()), (400, "{\"error\":{\"message\":\"bad key\"}}"));
}

#[tokio::test]
async fn promise_11_a_request_beyond_the_limit_is_refused_by_name() {
    let provider = Provider::saying(200, "{}").await;
    let counter = Counter::for_provider(ModelKind::OpenAi, &provider, "/v1");
    let length = usize::try_from(crate::limits::MODEL_REQUEST_BYTES).unwrap() + 1;
    let large = Request::post("/v1/chat/completions")
        .body(Full::new(Bytes::from(vec![b' '; length])))
        .unwrap();
    let (status, text) = counter.call(large).await;
    assert_eq!(status, 413);
    assert!(text.contains("MODEL_REQUEST_BYTES"), "{text}");
}
