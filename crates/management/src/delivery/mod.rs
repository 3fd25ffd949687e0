//! What leaves for somebody else's address: alerts by mail and to destinations, audit events as they happen, what webhooks of the
//! tenant API are told, and that something waits, to people's devices. Everything waits in one queue in the database, is tried again
//! until it is taken or given up, and survives a restart; so it may arrive twice, with the same id.

mod destination;
mod form;
mod hook;
mod key;
mod notice;
mod push;
mod push_key;
mod sending;
mod syslog;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use destination::{Kind, NewDestination, Wrong};
pub(crate) use hook::{NewHook, NoHook};
pub use key::DestinationKey;
pub(crate) use notice::{Notice, What};
pub(crate) use push::Push;
pub use push_key::PushKey;

use crate::clock::Clock;
use crate::config::Config;
use crate::custody::Custody;
use crate::database::Database;
use crate::mail::Mailer;
use crate::outside::{OutsideClient, Unreachable};

/// Sends what waits, and tests.
pub(crate) struct Delivery {
    database: Database,
    clock: Arc<dyn Clock>,
    mailer: Arc<dyn Mailer>,
    pub(crate) outside: OutsideClient,
    pub(crate) key: DestinationKey,
    /// Web Push, where the operator has not turned it off.
    pub(crate) push: Option<Push>,
    /// Keeps how webhooks of the tenant API are reached, where it is turned on.
    custody: Option<Arc<Custody>>,
    /// Where the events are.
    page: String,
    /// This installation, as syslog calls whoever speaks.
    host: String,
}

/// Why something was not taken, in a sentence for those who manage the organisation: no secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error("it answered {status}{}", hint(*.status))]
    Refused { status: u16, come_back: Option<Duration> },
    #[error("where its push service takes messages cannot be read: was keys/push.key replaced? Turn it on again there")]
    OtherPushKey,
    #[error("its address and key cannot be read: was keys/destinations.key replaced? Remove it and add it again")]
    Sealed,
    #[error("its address and secret cannot be opened: if that stays so, remove it and add it again")]
    Unopened,
    #[error("the tenant API is turned off")]
    TurnedOff,
    #[error("the address cannot be written to")]
    Mailbox,
    #[error("{0}")]
    Mail(String),
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("{0} takes no audit events")]
    NoStream(&'static str),
}

fn hint(status: u16) -> &'static str {
    match status {
        300..=399 => ": it sends elsewhere, which is not followed. Enter the address that it sends to",
        401 | 403 => ": it does not let us in. Look whether the address and the key were copied whole",
        404 | 410 => ": there is nothing at this address any more",
        429 => ": it has had too much for the moment",
        500.. => ": it has trouble of its own",
        _ => "",
    }
}

impl NotTaken {
    /// When the other side wants to be asked again.
    fn come_back(&self) -> Option<Duration> {
        match self {
            Self::Refused { come_back, .. } => *come_back,
            _ => None,
        }
    }

    /// Of a device: it is not there any more, or was never to be reached with this installation's key.
    fn is_gone(&self) -> bool {
        matches!(self, Self::Refused { status: 404 | 410, .. } | Self::OtherPushKey)
    }

    /// There is no use in trying again.
    fn is_final(&self) -> bool {
        matches!(self, Self::Refused { status: 410, .. } | Self::NoStream(_))
    }
}

impl Delivery {
    pub(crate) fn new(
        config: &Config,
        database: Database,
        clock: Arc<dyn Clock>,
        mailer: Arc<dyn Mailer>,
        key: DestinationKey,
        push_key: PushKey,
        custody: Option<Arc<Custody>>,
    ) -> Self {
        Self {
            database,
            clock,
            mailer,
            outside: OutsideClient::new(&config.private_alert_addresses, "`private_addresses` of `[alerts]`"),
            key,
            push: config.push.then(|| Push::new(config, push_key)),
            custody,
            page: config.public_url.page("audit"),
            host: config.public_url.host().to_owned(),
        }
    }
}
