//! What every answer carries, and what an address that nobody serves answers.

use reqwest::StatusCode;
use system_tests::Installation;

#[tokio::test]
async fn the_page_is_served_with_a_strict_policy_and_unknown_paths_are_not_found() {
    let installation = Installation::start().await;
    let get = async |path: &str| {
        let url = format!("{}{path}", installation.url());
        system_tests::http().get(url).send().await.unwrap()
    };
    let page = get("/").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers()["cache-control"], "no-store");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("require-trusted-types-for 'script'"), "{policy}");
    assert!(!policy.contains("unsafe-inline"), "{policy}");

    let text = page.text().await.unwrap();
    let script = text.split("src=\"").nth(1).unwrap().split('"').next().unwrap();
    for path in ["/", "/chat/deep/link", script] {
        let answer = get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert!(answer.headers().contains_key("content-security-policy"), "{path}");
        assert!(answer.headers().contains_key("x-request-id"), "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
    }
    for path in [
        "/assets/gone.js",
        "/api/v1/gone",
        "/api/gone",
        "/.env",
        "/v1/models",
        "/api/v1/tenants",
    ] {
        let answer = get(path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(answer.headers().contains_key("content-security-policy"), "{path}");
    }
}
