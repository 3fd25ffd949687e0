//! The OpenAPI 3.1 document of the API. It is made from the list of routes, from the types of each handler, and from the sentence
//! at the head of each handler's file; `cargo xtask openapi` writes it to `docs/openapi.json`, which the server serves.

mod document;
mod header;
mod page;
mod refusals;
mod security;
mod shared;
mod sketch;

pub use document::{NotDescribed, document};
pub(crate) use page::page;
pub(crate) use sketch::{InContract, Sketch, silent, sketch, words};

/// The document as it is committed, which a test holds equal to what [`document`] makes.
pub(crate) const COMMITTED: &str = include_str!("../../../../docs/openapi.json");
