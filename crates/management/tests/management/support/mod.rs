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

use std::time::Duration;

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

/// Waits until it is so, for 20 s at the most.
pub async fn comes(what: &str, is_so: impl Fn() -> bool) {
    comes_within(Duration::from_secs(20), what, is_so).await;
}

/// The same, for so long at the most.
pub async fn comes_within(most: Duration, what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let came = tokio::time::timeout(most, wait).await;
    came.unwrap_or_else(|_| panic!("{what}: it did not come"));
}
