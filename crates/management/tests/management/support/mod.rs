//! What every test starts from.

mod agents;
mod authenticator;
mod browser;
mod cells;
mod clock;
mod developer;
mod mails;
mod postgres;
pub mod provider;
mod receiver;
mod tampering;
pub mod template;
mod vault;
mod world;

pub use agents::{Agents, HASH};
pub use authenticator::Authenticator;
pub use browser::{Answer, Browser};
pub use cells::Cells;
pub use clock::TestClock;
pub use developer::{Developer, Told};
pub use mails::token;
pub use postgres::TestDatabase;
pub use postgres::open_folder;
pub use receiver::{Got, Receiver};
pub use tampering::{rehash, rehash_operators};
pub use vault::{TestVault, user_id};
pub use world::{MASTER_KEY, OPERATOR, OPERATOR_TOKEN, Pushes, World};
