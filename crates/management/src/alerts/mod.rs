//! Alerts: rules over audit events. An alert is kept in the transaction that chains the event it tells of, and becomes a delivery when it
//! is due; more of the same is one alert.

mod quiet;
mod trigger;

pub(crate) use quiet::Quiet;
pub(crate) use trigger::{Trigger, Who, raise};
