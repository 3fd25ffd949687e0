//! The model of the warm-up turn: one word, in both providers' streaming forms. It knows nothing and costs nothing.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

const OPENAI: &str = concat!(
    r#"data: {"id":"w","object":"chat.completion.chunk","created":1,"model":"warmup","choices":[{"index":0,"delta":{"role":"assistant","content":"Ready."},"finish_reason":null}]}"#,
    "\n\n",
    r#"data: {"id":"w","object":"chat.completion.chunk","created":1,"model":"warmup","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    "\n\ndata: [DONE]\n\n",
);
const ANTHROPIC: &str = concat!(
    "event: message_start\n",
    r#"data: {"type":"message_start","message":{"id":"w","type":"message","role":"assistant","model":"warmup","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}"#,
    "\n\nevent: content_block_start\n",
    r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    "\n\nevent: content_block_delta\n",
    r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Ready."}}"#,
    "\n\nevent: content_block_stop\n",
    r#"data: {"type":"content_block_stop","index":0}"#,
    "\n\nevent: message_delta\n",
    r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":1}}"#,
    "\n\nevent: message_stop\n",
    r#"data: {"type":"message_stop"}"#,
    "\n\n",
);

/// Answers on `127.0.0.1:port` until the handle is dropped.
pub async fn listen(port: u16) -> std::io::Result<AbortOnDropHandle<()>> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service_fn(answer)),
                );
            } else {
                tokio::task::yield_now().await;
            }
        }
    })))
}

async fn answer(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // The request is read to its end, unread: an answer before that resets the connection.
    while let Some(Ok(_)) = request.body_mut().frame().await {}
    let text = if request.uri().path().ends_with("/messages") {
        ANTHROPIC
    } else {
        OPENAI
    };
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/event-stream"),
    );
    Ok(response)
}
