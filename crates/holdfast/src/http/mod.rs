//! What the binary itself answers over HTTP: the interface, health, the headers of every answer, and who may connect.

pub mod assets;
pub mod connections;
pub mod health;
pub mod security_headers;
