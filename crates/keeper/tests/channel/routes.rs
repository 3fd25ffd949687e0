//! Services behind routes, called by a hostile agent.

use client::Channel;
use keeper::limits;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::agent_side::{AgentSide, Service, ok};
use super::bench::{TestKeeper, refused};

const SECRET: &str = "sec/ret+canary-0123456789";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const OTHER: &str = "other-canary-9876543210";

async fn secret(channel: &Channel, agent: &str, value: &str) -> Value {
    let params = json!({"name": "Canary", "kind": "login", "agent": agent, "username": "anna", "value": value});
    channel.call("secret.set", params).await.unwrap()["id"].clone()
}

/// A keeper whose agent may call `service` as `svc`.
async fn with_route(service: &Service, inject: Value) -> (TestKeeper, Channel, Value) {
    let (keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    keeper.named.set([service.at.to_string()]);
    let id = secret(&channel, "use", SECRET).await;
    let route = json!({"name": "svc", "base_url": format!("{}/v1", service.base_url()), "secret": id, "inject": inject, "ask": false});
    channel.call("route.set", route).await.unwrap();
    (keeper, channel, id)
}

fn in_header() -> Value {
    json!({"as": "header", "name": "X-Api-Key", "prefix": ""})
}

fn no_secret(text: &str) {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(SECRET);
    let escaped = "sec%2Fret%2Bcanary-0123456789";
    for canary in [SECRET, OTHER, &encoded[..20], escaped, "sec\\/ret"] {
        assert!(!text.contains(canary), "{canary} in {text}");
    }
}

async fn noted(channel: &Channel, class: &str) -> Vec<Value> {
    let told = channel.call("activity.list", json!({"class": class})).await.unwrap();
    told["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn promise_04_a_secret_goes_out_to_its_service_and_does_not_come_back() {
    for (inject, sent) in [
        (in_header(), "\r\nx-api-key: sec/ret+canary-0123456789\r\n"),
        (
            json!({"as": "header", "name": "authorization", "prefix": "Bearer "}),
            "\r\nauthorization: Bearer sec/ret+canary-0123456789\r\n",
        ),
        (
            json!({"as": "query", "name": "key"}),
            "&key=sec%2Fret%2Bcanary-0123456789 HTTP/1.1",
        ),
        (
            json!({"as": "basic"}),
            "\r\nauthorization: Basic YW5uYTpzZWMvcmV0K2NhbmFyeS0wMTIzNDU2Nzg5\r\n",
        ),
    ] {
        let service = Service::new(|request| {
            let header = format!("X-Echo: {}", request.replace("\r\n", " "));
            ok(
                &[&header, "Set-Cookie: a=b", "X-Fine: yes"],
                &format!("{request} sec\\/ret+canary-0123456789"),
            )
        })
        .await;
        let (keeper, channel, id) = with_route(&service, inject).await;
        let answer = keeper
            .agent
            .ask(
                "POST /x/svc/items?a=1&key=mine",
                &["X-Api-Key: mine", "Authorization: mine", "Cookie: c=d", "X-Mine: 1"],
                "{}",
            )
            .await;
        let heard = &service.heard()[0];
        assert!(heard.starts_with("POST /v1/items?a=1"), "{heard}");
        assert!(heard.contains(sent), "{sent} in {heard}");
        assert!(
            heard.contains("\r\nx-mine: 1\r\n") && heard.ends_with("\r\n\r\n{}"),
            "{heard}"
        );
        assert!(
            !heard.contains("c=d") && !heard.contains("authorization: mine") && heard.matches("canary").count() <= 1,
            "{heard}"
        );
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains("x-fine: yes"),
            "{answer}"
        );
        assert!(answer.contains("[key removed]"), "{answer}");
        assert!(
            !answer.contains("YW5uYTpzZWMv") && !answer.contains("set-cookie"),
            "{answer}"
        );
        no_secret(&answer);

        let uses = noted(&channel, "agent").await;
        assert_eq!(
            (&uses[0]["what"], &uses[0]["secret"], &uses[0]["to"]),
            (&json!("secret_used"), &id, &json!("127.0.0.1"))
        );
        let listed = channel.call("secret.list", json!({})).await.unwrap();
        assert_eq!(listed["secrets"][0]["last_use"]["to"], "127.0.0.1");
    }
}

#[tokio::test]
async fn promise_07_no_parameter_makes_a_service_take_a_call_for_another_one() {
    let service = Service::echo().await;
    let (keeper, channel, id) = with_route(&service, in_header()).await;
    let ask = async |line: &str| keeper.agent.ask(line, &[], "").await;
    for line in [
        "GET /x/svc/a?b=1&%5Fmethod=DELETE",
        "POST /x/svc/a?X-HTTP-Method-Override=PUT",
    ] {
        let answer = ask(line).await;
        assert!(
            answer.starts_with("HTTP/1.1 405") && answer.contains("method_refused"),
            "{answer}"
        );
    }
    // The route is one path of its host.
    let elsewhere = ask("GET /x/svc/a?rest_route=/wp/v2/users").await;
    assert!(
        elsewhere.starts_with("HTTP/1.1 400") && elsewhere.contains("path_refused"),
        "{elsewhere}"
    );
    assert!(service.heard().is_empty());
    let route = json!({"name": "svc", "base_url": service.base_url(), "secret": id, "inject": in_header()});
    channel.call("route.set", route).await.unwrap();
    let answer = ask("GET /x/svc/?rest_route=/wp/v2/users").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // What its owner would be asked about, and what a rule of theirs would let through without a look.
    for (kind, body) in [
        ("Content-Type: application/json", r#"{"_method":"DELETE"}"#),
        ("Content-Encoding: gzip", "packed"),
    ] {
        let answer = keeper.agent.ask("POST /x/svc/a", &[kind], body).await;
        assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    }
    assert_eq!(service.heard().len(), 1);
}

/// What somebody sends as a form of as many bytes as are looked through.
fn largest_form() -> String {
    format!(
        "POST /x/svc/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{FORM}\r\nContent-Length: {}\r\n\r\n",
        limits::ROUTE_READ_BYTES
    )
}

#[tokio::test]
async fn promise_07_no_body_deletes_at_a_service_that_is_not_asked_about() {
    let service = Service::echo().await;
    let (keeper, _channel, _id) = with_route(&service, in_header()).await;
    let parts = "--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nDELETE\r\n--x--\r\n";
    for (line, headers, body) in [
        ("POST /x/svc/a", &[FORM][..], "a=1&_method=DELETE"),
        ("post /x/svc/a", &[FORM], "_method=DELETE"),
        (
            "POST /x/svc/a",
            &["Content-Type: multipart/form-data; boundary=x"],
            parts,
        ),
        (
            "POST /x/svc/a",
            &["Content-Type: application/json"],
            r#"{"a":1,"_method":"DELETE"}"#,
        ),
        ("POST /x/svc/a", &[], "_method=DELETE"),
        ("POST /x/svc/a", &["Content-Type: text/plain", FORM], "_method=DELETE"),
        // What cannot be read.
        ("POST /x/svc/a", &["Content-Type: application/json"], "{"),
        ("POST /x/svc/a", &[FORM, "Content-Encoding: gzip"], "packed"),
        (
            "POST /x/svc/a",
            &["Content-Type: application/x-www-form-urlencoded; charset=utf-16"],
            "a=1",
        ),
    ] {
        let answer = keeper.agent.ask(line, headers, body).await;
        assert!(
            answer.starts_with("HTTP/1.1 405") && answer.contains("method_refused"),
            "{headers:?} {body} {answer}"
        );
    }
    let chunks = format!(
        "{}\r\nTransfer-Encoding: chunked\r\n\r\n",
        largest_form().split("\r\nContent-Length").next().unwrap()
    );
    let answer = keeper
        .agent
        .raw(format!("{chunks}5\r\n_meth\r\n9\r\nod=DELETE\r\n0\r\n\r\n"))
        .await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");

    // More than is looked through: said before it is sent, or found out.
    let more = limits::ROUTE_READ_BYTES as usize + 1;
    let length = format!("Content-Length: {more}");
    let said = keeper.agent.ask("POST /x/svc/a", &[FORM, &length], "").await;
    let found = keeper
        .agent
        .raw(format!("{chunks}{more:x}\r\n{}\r\n0\r\n\r\n", "a".repeat(more)))
        .await;
    for answer in [said, found] {
        assert!(
            answer.starts_with("HTTP/1.1 413") && answer.contains("ROUTE_READ_BYTES"),
            "{answer}"
        );
    }
    assert!(service.heard().is_empty());

    // Everything else goes as it came, and what no framework reads is not read.
    let fits = "a".repeat(100_000);
    for (line, headers, body) in [
        ("POST /x/svc/a", &[FORM][..], fits.as_str()),
        (
            "POST /x/svc/a",
            &["Content-Type: application/json"],
            r#"{"a":{"_method":"DELETE"}}"#,
        ),
        (
            "POST /x/svc/a",
            &["Content-Type: application/octet-stream"],
            "_method=DELETE",
        ),
        ("PUT /x/svc/a", &[FORM], "_method=DELETE"),
    ] {
        let answer = keeper.agent.ask(line, headers, body).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{headers:?} {answer}");
        assert!(
            service.heard().last().unwrap().ends_with(&format!("\r\n\r\n{body}")),
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn promise_07_forms_are_held_up_to_a_limit_and_not_sent_where_the_secret_was_taken_back_meanwhile() {
    let service = Service::echo().await;
    let (keeper, channel, id) = with_route(&service, in_header()).await;
    let mut held = Vec::new();
    for _ in 0..limits::ROUTE_HELD_BYTES / limits::ROUTE_READ_BYTES as usize {
        let mut form = keeper.agent.begin().await;
        form.write_all(largest_form().as_bytes()).await.unwrap();
        held.push(form);
    }
    // Until all of them are there, there is room.
    let small = async || keeper.agent.ask("POST /x/svc/a", &[FORM], "a=1").await;
    let mut answer = small().await;
    while answer.starts_with("HTTP/1.1 200") {
        answer = small().await;
    }
    assert!(
        answer.starts_with("HTTP/1.1 429") && answer.contains("ROUTE_HELD_BYTES"),
        "{answer}"
    );

    let with = |agent: &str| json!({"id": id, "name": "Canary", "kind": "login", "agent": agent});
    channel.call("secret.set", with("nothing")).await.unwrap();
    let whole = "a".repeat(limits::ROUTE_READ_BYTES as usize);
    let answer = AgentSide::end(held.pop().unwrap(), whole).await;
    assert!(
        answer.starts_with("HTTP/1.1 403") && answer.contains("not_allowed"),
        "{answer}"
    );
    assert!(service.heard().iter().all(|heard| heard.ends_with("\r\n\r\na=1")));

    channel.call("secret.set", with("use")).await.unwrap();
    assert!(small().await.starts_with("HTTP/1.1 200"), "there is room again");
}

#[tokio::test]
async fn promise_04_headers_that_pass_as_others_are_not_sent() {
    let service = Service::echo().await;
    let (keeper, _channel, _id) = with_route(&service, in_header()).await;
    let tricks = [
        "X_Api_Key: mine",
        "x-API-key: mine",
        "Connection: x-api-key, x-hop",
        "X-Hop: mine",
        "Host: collector.example",
        "X-Forwarded-Host: collector.example",
        "X_Forwarded_For: mine",
        "Forwarded: host=collector.example",
        "Range: bytes=0-3",
        "Accept-Encoding: gzip",
        "Expect: 100-continue",
        "Upgrade: websocket",
        "TE: trailers",
        "Proxy-Authorization: Basic mine",
        "X-HTTP-Method-Override: DELETE",
        "X-Original-URL: /admin",
    ];
    let answer = keeper.agent.ask("GET /x/svc/a", &tricks, "").await;
    no_secret(&answer);
    let heard = service.heard();
    assert_eq!(heard.len(), 1, "{answer}");
    let names: Vec<_> = heard[0]
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": ").map(|(name, _)| name.to_ascii_lowercase()))
        .collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        ["accept", "accept-encoding", "host", "user-agent", "x-api-key"],
        "{}",
        heard[0]
    );
    assert!(
        heard[0].contains(&format!("\r\nhost: {}\r\n", service.at)),
        "{}",
        heard[0]
    );

    // A line break in a header ends the request before it begins.
    for bad in ["X-A: b\rX-Api-Key: mine", "X-A: b\0", " X-A: b", "X-A : b", "X-Ä: b"] {
        let answer = keeper.agent.ask("GET /x/svc/a", &[bad], "").await;
        assert!(
            answer.starts_with("HTTP/1.1 400") || answer.is_empty(),
            "{bad:?} {answer}"
        );
    }
    assert_eq!(service.heard().len(), 1);
}

#[tokio::test]
async fn promise_04_only_the_paths_of_a_route_can_be_asked_for() {
    let service = Service::echo().await;
    let (keeper, channel, _id) = with_route(&service, in_header()).await;
    let host = service.at;
    for (line, status) in [
        (format!("GET http://{host}/x/svc/a"), "400"),
        ("GET http://169.254.169.254/x/svc/a".to_owned(), "400"),
        ("GET /x/svc/../../admin".to_owned(), "400"),
        ("GET /x/svc/%2e%2e/admin".to_owned(), "400"),
        ("GET /x/svc/%252e%252e/admin".to_owned(), "400"),
        ("GET /x/svc/..;/admin".to_owned(), "400"),
        ("GET /x/svc/a%5c..%5c..%5cadmin".to_owned(), "400"),
        ("GET /x/svc/a%0d%0aHost:%20b".to_owned(), "400"),
        ("GET /x/other/a".to_owned(), "404"),
        ("GET /x/../svc/a".to_owned(), "404"),
        ("GET /x/SVC/a".to_owned(), "404"),
        ("GET /x/".to_owned(), "404"),
        ("GET /x/svc@collector.example/a".to_owned(), "404"),
        // No route: it is for the model, and there is none.
        (format!("CONNECT {host}"), "503"),
        ("TRACE /x/svc/a".to_owned(), "405"),
    ] {
        let answer = keeper.agent.ask(&line, &[], "").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{line} {answer}");
        no_secret(&answer);
    }
    assert!(service.heard().is_empty());
    assert!(noted(&channel, "agent").await.is_empty());
    let refusals = noted(&channel, "refused").await;
    assert!(
        refusals
            .iter()
            .any(|entry| entry["to"] == "svc" && entry["why"].as_str().unwrap().contains("path"))
    );

    // Two slashes and an at sign name no other host.
    for path in ["/x/svc//collector.example/a", "/x/svc/@collector.example", "/x/svc"] {
        let answer = keeper.agent.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path} {answer}");
    }
    let lines: Vec<_> = service
        .heard()
        .iter()
        .map(|heard| heard.lines().next().unwrap().to_owned())
        .collect();
    assert_eq!(
        lines,
        [
            "GET /v1//collector.example/a HTTP/1.1",
            "GET /v1/@collector.example HTTP/1.1",
            "GET /v1 HTTP/1.1"
        ]
    );
}

#[tokio::test]
async fn promise_04_a_redirect_takes_no_secret_to_a_collector() {
    let collector = Service::echo().await;
    for status in [301, 302, 303, 307, 308] {
        let to = format!("{}/?stolen=1", collector.base_url());
        let service = Service::new(move |request| {
            let back = request
                .contains("/back")
                .then(|| "/v1/items?key=sec%2Fret%2Bcanary-0123456789&b=1".to_owned());
            let leak = request.contains("/leak").then(|| format!("{to}&c={SECRET}"));
            let to = back.or(leak).unwrap_or_else(|| to.clone());
            format!("HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        })
        .await;
        let (keeper, _channel, _id) = with_route(&service, json!({"as": "query", "name": "key"})).await;
        keeper.named.set([service.at.to_string(), collector.at.to_string()]);
        let answer = keeper.agent.get("/x/svc/items").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(
            answer.contains(&format!("location: {}/?stolen=1\r\n", collector.base_url())),
            "{answer}"
        );
        let answer = keeper.agent.get("/x/svc/back").await;
        assert!(answer.contains("location: /x/svc/items?b=1\r\n"), "{answer}");
        no_secret(&answer);
        let answer = keeper.agent.get("/x/svc/leak").await;
        assert!(!answer.contains("location:"), "{answer}");
        no_secret(&answer);
    }
    assert!(collector.heard().is_empty());
}

#[tokio::test]
async fn promise_04_no_request_can_be_hidden_inside_another() {
    let service = Service::echo().await;
    let (keeper, _channel, _id) = with_route(&service, in_header()).await;
    let hidden = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = hidden.len();
    let head = "POST /x/svc/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
    for request in [
        format!("{head}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{hidden}\r\n0\r\n\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("{head}Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("{head}Content-Length: +{length}\r\n\r\n{hidden}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{hidden}\r\n0\r\n\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\nX-Api-Key: mine\r\n\r\n{hidden}"),
        format!("{head}Content-Length: {length}\r\n\r\n{hidden}"),
    ] {
        let before = service.heard().len();
        let answer = keeper.agent.raw(&request).await;
        no_secret(&answer);
        for heard in service.heard().iter().skip(before) {
            // What arrives is one request to the path that was asked for, framed by the keeper; the rest is its body.
            assert!(heard.starts_with("POST /v1/a HTTP/1.1\r\n"), "{request:?} {heard}");
            let (head, _body) = heard.split_once("\r\n\r\n").unwrap();
            let head = head.to_ascii_lowercase();
            assert_eq!(
                head.matches("content-length:").count() + head.matches("transfer-encoding:").count(),
                1,
                "{heard}"
            );
            assert!(!heard.contains("mine"), "{heard}");
        }
        assert!(service.heard().len() <= before + 1, "{request:?}");
    }
    assert!(!service.heard().iter().any(|heard| heard.starts_with("GET")));
}

#[tokio::test]
async fn promise_04_a_secret_that_the_agent_may_not_use_stays_where_it_is() {
    let service = Service::echo().await;
    let (keeper, channel, id) = with_route(&service, in_header()).await;
    let kept = secret(&channel, "nothing", OTHER).await;
    let route = json!({"name": "kept", "base_url": service.base_url(), "secret": kept, "inject": in_header()});
    channel.call("route.set", route).await.unwrap();
    let answer = keeper.agent.get("/x/kept/a").await;
    assert!(
        answer.starts_with("HTTP/1.1 403") && answer.contains("not_allowed"),
        "{answer}"
    );
    no_secret(&answer);
    assert!(service.heard().is_empty());
    assert_eq!(noted(&channel, "refused").await[0]["to"], "kept");

    // Reading only: nothing else leaves.
    let route =
        json!({"name": "svc", "base_url": service.base_url(), "secret": id, "inject": in_header(), "read_only": true});
    channel.call("route.set", route).await.unwrap();
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"] {
        let answer = keeper.agent.ask(&format!("{method} /x/svc/a"), &[], "").await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{method} {answer}");
    }
    assert!(service.heard().is_empty());
    assert!(keeper.agent.get("/x/svc/a").await.starts_with("HTTP/1.1 200"));

    // Taken back, deleted, locked: at once.
    let taken = json!({"id": id, "name": "Canary", "kind": "login", "agent": "nothing"});
    channel.call("secret.set", taken).await.unwrap();
    assert!(keeper.agent.get("/x/svc/a").await.starts_with("HTTP/1.1 403"));
    channel.call("secret.delete", json!({"id": id})).await.unwrap();
    assert!(keeper.agent.get("/x/svc/a").await.starts_with("HTTP/1.1 503"));
    keeper
        .vault
        .lock(keeper::vault_service::LockReason::Idle)
        .await
        .unwrap();
    let answer = keeper.agent.get("/x/svc/a").await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("vault_locked"),
        "{answer}"
    );
    assert!(answer.contains("and stop: https://holdfast.example/\""), "{answer}");
    assert_eq!(service.heard().len(), 1);
}

#[tokio::test]
async fn promise_04_an_answer_in_which_the_secret_could_not_be_found_is_refused() {
    let service = Service::new(|_| ok(&["Content-Encoding: gzip"], "sec/ret+canary-0123456789")).await;
    let (keeper, _channel, _id) = with_route(&service, in_header()).await;
    let answer = keeper.agent.get("/x/svc/a").await;
    assert!(
        answer.starts_with("HTTP/1.1 502") && answer.contains("answer_encoded"),
        "{answer}"
    );
    no_secret(&answer);
}

#[tokio::test]
async fn promise_04_a_route_leads_to_no_address_that_is_not_public() {
    let service = Service::echo().await;
    let (keeper, channel, id) = with_route(&service, in_header()).await;
    keeper.named.set([]);
    let port = service.at.port();
    for base_url in [
        format!("https://127.0.0.1:{port}"),
        format!("https://[::1]:{port}"),
        format!("https://[::ffff:127.0.0.1]:{port}"),
        format!("https://2130706433:{port}"),
        "https://169.254.169.254/latest".to_owned(),
        "https://10.0.0.1".to_owned(),
        "https://[fd00:ec2::254]".to_owned(),
        "https://[64:ff9b::a9fe:a9fe]".to_owned(),
    ] {
        let route = json!({"name": "svc", "base_url": base_url, "secret": id, "inject": in_header()});
        assert_eq!(
            refused(channel.call("route.set", route).await).code(),
            Some("address_refused"),
            "{base_url}"
        );
    }
    // The route that was allowed is not any more: the operator took the address back.
    let answer = keeper.agent.get("/x/svc/a").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    // A public name that leads here when it is asked for: checked at each connection, after the name was resolved.
    let route = json!({"name": "svc", "base_url": format!("https://rebound.example:{port}"), "secret": id, "inject": in_header()});
    channel.call("route.set", route).await.unwrap();
    let answer = keeper.agent.get("/x/svc/a").await;
    assert!(
        answer.starts_with("HTTP/1.1 403") && answer.contains("address_refused"),
        "{answer}"
    );
    assert!(service.heard().is_empty());
}

#[tokio::test]
async fn promise_11_a_route_that_is_none_is_refused() {
    let (_keeper, _slot, channel, _events) = TestKeeper::with_vault().await;
    let id = secret(&channel, "use", SECRET).await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut route = json!({"name": "svc", "base_url": "https://api.example", "secret": id, "inject": in_header()});
        change(&mut route);
        route
    };
    for (route, code) in [
        (with(&|route| route["name"] = json!("Svc")), "route_invalid"),
        (with(&|route| route["name"] = json!("../a")), "route_invalid"),
        (with(&|route| route["name"] = json!("")), "route_invalid"),
        (
            with(&|route| route["base_url"] = json!("http://api.example")),
            "url_refused",
        ),
        (
            with(&|route| route["base_url"] = json!("https://a:b@api.example")),
            "route_invalid",
        ),
        (
            with(&|route| route["base_url"] = json!("https://api.example/?a=b")),
            "route_invalid",
        ),
        (
            with(&|route| route["base_url"] = json!("file:///etc/passwd")),
            "route_invalid",
        ),
        (
            with(&|route| route["inject"] = json!({"as": "header", "name": "Host"})),
            "route_invalid",
        ),
        (
            with(&|route| route["inject"] = json!({"as": "header", "name": "a b"})),
            "route_invalid",
        ),
        (
            with(&|route| route["inject"] = json!({"as": "header", "name": "a", "prefix": "x\r\ny: "})),
            "route_invalid",
        ),
        (
            with(&|route| route["inject"] = json!({"as": "query", "name": "a&b"})),
            "route_invalid",
        ),
        (with(&|route| route["inject"] = json!({"as": "body"})), "malformed"),
        (
            with(&|route| route["secret"] = json!("0198a2c4-0000-7000-8000-000000000001")),
            "unknown_secret",
        ),
        (json!({}), "malformed"),
    ] {
        let outcome = channel.call("route.set", route.clone()).await;
        assert_eq!(refused(outcome).code(), Some(code), "{route}");
    }
    assert_eq!(
        channel.call("route.list", json!({})).await.unwrap(),
        json!({"routes": []})
    );
}
