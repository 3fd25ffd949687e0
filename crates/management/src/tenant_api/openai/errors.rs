//! Errors below `/v1` in the shape that OpenAI's clients read: `{"error": {"message", "type", "param", "code"}}`.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The longest problem that we write.
const PROBLEM_BYTES: usize = 64 * 1024;

/// Says problems again as OpenAI would.
pub(crate) async fn wrap(request: Request, next: Next) -> Response {
    let theirs = request.uri().path().starts_with("/v1/");
    let answer = next.run(request).await;
    let is_problem = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/problem+json");
    if !theirs || !is_problem {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    let problem = to_bytes(body, PROBLEM_BYTES).await.unwrap_or_default();
    let problem: Value = serde_json::from_slice(&problem).unwrap_or_default();
    // What is wrong with a request is a 400 there.
    if head.status == StatusCode::UNPROCESSABLE_ENTITY {
        head.status = StatusCode::BAD_REQUEST;
    }
    let code = match problem["code"].as_str() {
        Some("key_needed") => Some("invalid_api_key"),
        code => code,
    };
    let detail = problem["detail"].as_str().unwrap_or_default();
    let body = error(head.status, detail, problem["field"].as_str(), code);
    head.headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(serde_json::to_vec(&body).unwrap_or_default()))
}

/// An error as OpenAI's clients read it.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!({"error": {
    "message": "The model `gpt` does not exist. This tenant has `gpt-5`, also called `openclaw`.",
    "type": "invalid_request_error", "param": null, "code": "model_not_found",
}})))]
pub(crate) struct OpenAiError {
    error: ErrorBody,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OpenAiErrorBody)]
pub(crate) struct ErrorBody {
    /// For people: what is wrong and what to do.
    message: String,
    r#type: &'static str,
    /// What in the body is not right.
    param: Option<String>,
    /// For programs, as in a problem. It never changes its meaning.
    code: Option<String>,
}

/// An error, also as an event of a stream.
pub(super) fn error(status: StatusCode, message: &str, param: Option<&str>, code: Option<&str>) -> OpenAiError {
    let kind = match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        402 => "insufficient_quota",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    OpenAiError {
        error: ErrorBody {
            message: message.to_owned(),
            r#type: kind,
            param: param.map(str::to_owned),
            code: code.map(str::to_owned),
        },
    }
}
