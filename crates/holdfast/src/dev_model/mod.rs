//! A model provider that answers by script: for tests, for the bench, and for trying Holdfast without a key (`up --demo`).
//!
//! It speaks the two protocols that real providers speak, streaming and not: OpenAI chat completions
//! (`POST /v1/chat/completions`, `GET /v1/models`) and Anthropic messages (`POST /v1/messages`). It checks the key and the
//! model name, and refuses in the words and shapes of the real ones. `POST /v1/tools` is a server of tools (MCP), to be connected as a service.
//!
//! What it answers is decided by directives in the person's words; they are carried out in the order in which they stand:
//!
//! | directive | what happens |
//! |---|---|
//! | `[[say: text]]` | says this |
//! | `[[slow: 20 chunks every 100ms]]` | says 20 numbered words, one each 100 ms |
//! | `[[long: 500 words]]` | says 500 words at once |
//! | `[[wait: 500ms]]` | is silent for so long |
//! | `[[hold: name]]` | is silent until `POST /_control/release/name` |
//! | `[[tool: exec {"command":"ls"}]]` | calls the tool, and goes on with what follows when the result is there |
//! | `[[call: name {"a":1}]]` | calls one of the functions that the message offers, those that stand together at once, and goes on as above |
//! | `[[cut]]` | breaks the connection |
//! | `[[fail: 500 message]]` | refuses the request with this status |
//!
//! Without one it gives a friendly fixed answer that repeats the person's words. The newest message of a person that holds
//! a directive counts, back to the last finished answer: what OpenClaw adds after it is passed over.
//!
//! `GET /_control/requests` tells a test what was asked for (never the key itself), `GET /_control/system` what the last request with
//! tools said before anybody spoke, `GET /_control/held/{name}` answers as
//! soon as a request waits at that hold, `DELETE /_control/requests` forgets. `POST /_control/down/503` has it refuse every call with that
//! status until `DELETE /_control/down`, and with `?protocol=openai` or `anthropic` those of one protocol. Nothing is written to the log.

mod anthropic;
mod command;
mod control;
mod conversation;
mod directive;
mod openai;
mod script;
mod streaming;
mod tools;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

pub use command::{Args, run};
use control::Control;

/// Largest request that is read, in bytes.
const REQUEST_BYTES: usize = 32 * 1024 * 1024;

/// The model that it has unless told otherwise.
pub const MODEL: &str = "scripted";

/// How it behaves.
#[derive(Clone)]
pub struct Options {
    /// The one key that it takes; any key will do where there is none.
    pub key: Option<String>,
    /// The models that it knows.
    pub models: Vec<String>,
    /// Time between two words of an answer without a directive.
    pub pace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key: None,
            models: vec![MODEL.to_owned()],
            pace: Duration::ZERO,
        }
    }
}

struct State {
    options: Options,
    control: Control,
}

type Shared = Arc<State>;

/// Serves until the listener fails or the task is dropped.
pub async fn serve(listener: tokio::net::TcpListener, options: Options) -> std::io::Result<()> {
    axum::serve(listener, router(options)).await
}

/// The provider as a service, for those who bring their own listener.
pub fn router(options: Options) -> Router {
    let state = Arc::new(State {
        options,
        control: Control::default(),
    });
    Router::new()
        .route("/v1/models", get(openai::models))
        .route("/v1/chat/completions", post(openai::chat_completions))
        .route("/v1/messages", post(anthropic::messages))
        .route("/v1/tools", post(tools::answer))
        .merge(control::routes())
        .layer(DefaultBodyLimit::max(REQUEST_BYTES))
        .with_state(state)
}

#[cfg(test)]
mod tests;
