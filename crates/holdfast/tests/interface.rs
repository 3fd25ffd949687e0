//! `holdfast interface verify` against servers that serve the interface as it is, and ones that change something in it.

use std::net::SocketAddr;
use std::process::{Command, Output};

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use holdfast::http::{assets, security_headers};

/// A server of the interface on a free port; `lie` may answer in its place, or change what it answers.
async fn serving<F>(lie: F) -> SocketAddr
where
    F: Fn(&str, Response) -> Response + Clone + Send + Sync + 'static,
{
    let app = Router::new()
        .fallback(assets::serve)
        .layer(middleware::from_fn(|request, next| {
            security_headers::add(false, request, next)
        }))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let lie = lie.clone();
            async move {
                let path = request.uri().path().to_owned();
                lie(&path, next.run(request).await)
            }
        }));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a free port can be had");
    let address = listener.local_addr().expect("it was just bound");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn verify(server: SocketAddr) -> (Option<i32>, String) {
    let output: Output = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_holdfast"))
            .args(["interface", "verify", &format!("http://{server}")])
            .env("XDG_STATE_HOME", std::env::temp_dir())
            .output()
            .expect("the binary was just built")
    })
    .await
    .expect("running a program does not panic");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test]
async fn the_same_interface_is_found_to_be_the_same() {
    let (code, said) = verify(serving(|_, answer| answer).await).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("serves the interface of this binary"), "{said}");
}

#[tokio::test]
async fn a_changed_script_is_named() {
    let changed = serving(|path, answer| match path {
        "/theme.js" => "fetch('https://evil.example')".into_response(),
        _ => answer,
    });
    let (code, said) = verify(changed.await).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("/theme.js is another file"), "{said}");
}

#[tokio::test]
async fn a_page_that_is_changed_on_one_path_only_is_named() {
    let changed = serving(|path, answer| match path {
        "/unlock" => "<script src=\"/evil.js\"></script>".into_response(),
        _ => answer,
    });
    let (code, said) = verify(changed.await).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("/unlock is another file"), "{said}");
}

#[tokio::test]
async fn a_loosened_policy_is_named() {
    let loosened = serving(|_, mut answer| {
        let policy = HeaderValue::from_static("script-src * 'unsafe-inline'");
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        answer
    });
    let (code, said) = verify(loosened.await).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("another content security policy"), "{said}");
}
