//! Alerts: rules over audit events, told by mail. An alert is kept in the transaction that does what it tells of, and sent by a
//! task that tries again; more of the same is one alert.

mod quiet;
mod sending;
mod trigger;

pub(crate) use quiet::Quiet;
pub(crate) use sending::AlertSending;
pub(crate) use trigger::{Happened, Trigger, raise};
