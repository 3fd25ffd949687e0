//! Routes: HTTPS services that the agent calls through its keeper, which adds a secret on the way out. The agent names the route
//! and never sees the secret: it goes to the route's base URL alone, and is taken out of what the service answers.

mod body;
mod error;
mod fetch;
mod inject;
mod location;
mod methods;
mod path;
mod route;
mod store;
mod through;
mod tool_server;
mod tools;

pub use error::RouteError;
pub use fetch::{Fetch, Fetched, NotFetched, Stands};
pub use inject::Inject;
pub use route::Route;
pub use store::Routes;
pub use tools::DESCRIBE;

/// Whether a request of this method may change something.
pub(crate) fn changes(method: &str) -> bool {
    !matches!(method, "GET" | "HEAD")
}

/// Whether a request of this method deletes something. However it is written: not every service looks at that.
fn deletes(method: &str) -> bool {
    method.eq_ignore_ascii_case("DELETE")
}

/// Where routes begin on the agent's side: `/x/<route>/…`.
pub(super) const PREFIX: &str = "/x/";
