//! Limits that the operator chooses, within bounds: each has a name in the configuration, and what is out of bounds is refused by it.

use std::time::Duration;

use crate::limits;

/// A setting that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfBounds {
    #[error("`{name}` is {value}; it has to be between {least} and {most}")]
    Outside {
        name: &'static str,
        /// As they are written in the configuration.
        value: String,
        least: String,
        most: String,
    },
    #[error("`sign_in.session_idle` ({}) is longer than `sign_in.session_life` ({})", span(.idle), span(.life))]
    IdleBeyondLife { idle: Duration, life: Duration },
}

/// As it is written in the configuration.
fn span(time: &Duration) -> String {
    let seconds = time.as_secs();
    for (unit, name) in [(86_400, "d"), (3_600, "h"), (60, "m")] {
        if seconds >= unit && seconds.is_multiple_of(unit) {
            return format!("{}{name}", seconds / unit);
        }
    }
    format!("{seconds}s")
}

fn within<T: PartialOrd>(
    name: &'static str,
    value: T,
    (least, most): (T, T),
    written: impl Fn(&T) -> String,
) -> Result<(), OutOfBounds> {
    match (&least..=&most).contains(&&value) {
        true => Ok(()),
        false => Err(OutOfBounds::Outside {
            name,
            value: written(&value),
            least: written(&least),
            most: written(&most),
        }),
    }
}

fn number(name: &'static str, value: i64, bounds: (i64, i64)) -> Result<(), OutOfBounds> {
    within(name, value, bounds, i64::to_string)
}

fn time(name: &'static str, value: Duration, bounds: (Duration, Duration)) -> Result<(), OutOfBounds> {
    within(name, value, bounds, span)
}

/// How long people stay signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimes {
    pub(crate) idle: Duration,
    pub(crate) life: Duration,
    pub(crate) per_person: i64,
}

impl Default for SessionTimes {
    fn default() -> Self {
        Self {
            idle: limits::SESSION_IDLE,
            life: limits::SESSION_LIFE,
            per_person: limits::SESSIONS_PER_USER,
        }
    }
}

impl SessionTimes {
    /// A session ends when it was not used for `idle`, or `life` after signing in; a person has `per_person` at a time.
    ///
    /// # Errors
    /// [`OutOfBounds`] names the setting.
    pub fn new(idle: Duration, life: Duration, per_person: u32) -> Result<Self, OutOfBounds> {
        let per_person = i64::from(per_person);
        time("sign_in.session_idle", idle, limits::SESSION_IDLE_CHOSEN)?;
        time("sign_in.session_life", life, limits::SESSION_LIFE_CHOSEN)?;
        number("sign_in.sessions_per_person", per_person, limits::SESSIONS_CHOSEN)?;
        if idle > life {
            return Err(OutOfBounds::IdleBeyondLife { idle, life });
        }
        Ok(Self { idle, life, per_person })
    }
}

/// How many requests are taken a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    pub(crate) per_person: u32,
    pub(crate) per_key: u32,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            per_person: limits::REQUESTS_PER_PERSON,
            per_key: limits::REQUESTS_PER_KEY,
        }
    }
}

impl RequestLimits {
    /// Of a person, with all their sessions, and of one API key.
    ///
    /// # Errors
    /// [`OutOfBounds`] names the setting.
    pub fn new(per_person: u32, per_key: u32) -> Result<Self, OutOfBounds> {
        number("limits.requests_per_person", per_person.into(), limits::REQUESTS_CHOSEN)?;
        number("limits.requests_per_key", per_key.into(), limits::REQUESTS_CHOSEN)?;
        Ok(Self { per_person, per_key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_out_of_bounds_is_refused_by_its_name() {
        let defaults = SessionTimes::default();
        assert_eq!(SessionTimes::new(defaults.idle, defaults.life, 5), Ok(defaults));
        let refused = |idle, life, most| SessionTimes::new(idle, life, most).unwrap_err().to_string();
        assert_eq!(
            refused(Duration::ZERO, defaults.life, 5),
            "`sign_in.session_idle` is 0s; it has to be between 1m and 1d"
        );
        assert_eq!(
            refused(MINUTE, MINUTE * 60 * 24 * 91, 5),
            "`sign_in.session_life` is 91d; it has to be between 10m and 90d"
        );
        assert_eq!(
            refused(MINUTE, defaults.life, 0),
            "`sign_in.sessions_per_person` is 0; it has to be between 1 and 100"
        );
        assert_eq!(
            refused(MINUTE * 90, MINUTE * 60, 5),
            "`sign_in.session_idle` (90m) is longer than `sign_in.session_life` (1h)"
        );
        let refused = RequestLimits::new(600, 29).unwrap_err().to_string();
        assert_eq!(
            refused,
            "`limits.requests_per_key` is 29; it has to be between 30 and 1000000"
        );
        assert!(RequestLimits::new(0, 600).is_err() && RequestLimits::new(30, 1_000_000).is_ok());
    }
}
