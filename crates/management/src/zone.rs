//! Time zones, by their IANA names, and what their clocks are read with.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use time::OffsetDateTime;

/// What is said of a name that is none.
pub(crate) const NO_SUCH_ZONE: &str = "There is no such time zone: one is called like `Europe/Berlin`.";

/// The zone of this name.
pub(crate) fn named(name: &str) -> Option<Tz> {
    name.parse().ok()
}

/// A time, to the second, as what knows of zones has it.
pub(crate) fn chrono(at: OffsetDateTime) -> DateTime<Utc> {
    DateTime::from_timestamp(at.unix_timestamp(), 0).unwrap_or_default()
}
