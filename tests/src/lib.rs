//! What whole-system tests stand on: a real server with data of its own, people who use it over HTTP, the containers of their
//! cells, and a search through everything that was written.
//!
//! Binaries and images are made by `cargo xtask test`. What a test starts, it stops, by process id and by the labels of its
//! own installation.

mod asked;
pub mod canary;
mod channel;
mod command_line;
pub mod contacts;
pub mod docker;
mod installation;
mod liar;
pub mod memory;
pub mod model;
mod outbox;
mod person;
mod process;
mod program;
mod refusal;
mod relay;
pub mod shared;
#[path = "../../crates/management/src/mail/smtp/tests/sink.rs"]
pub mod sink;
pub mod trace;

pub use channel::{CELL_START, NewVault, Session, TURN, Turn, secret};
pub use command_line::{CommandLine, Ended};
pub use installation::{Installation, Settings, binary};
pub use liar::{Deed, Liar, Lie};
pub use outbox::link_in;
pub use person::{Answer, Person, http};
pub use process::{Still, end, kill_now, now, wait_until};
pub use program::{Program, model_of};
pub use refusal::{Refusal, refused};
pub use relay::RelayAlone;
