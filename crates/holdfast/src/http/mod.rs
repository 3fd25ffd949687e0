//! What the binary itself answers over HTTP: the interface, health, and the headers of every answer.

pub mod assets;
pub mod health;
pub mod security_headers;
