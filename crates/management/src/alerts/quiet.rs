//! Hours in which nobody is woken: what comes up in them is told at their end.

use chrono::Timelike as _;
use chrono_tz::Tz;
use time::{Duration, OffsetDateTime};

use crate::zone::chrono;

/// Minutes of a day as the clocks of a zone show them, from one up to another, over midnight where the end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quiet {
    from: i16,
    to: i16,
    zone: Tz,
}

const MINUTES_OF_DAY: i16 = 24 * 60;

impl Quiet {
    /// `None` if these are no two different minutes of a day.
    pub(crate) fn new(from: i16, to: i16, zone: Tz) -> Option<Self> {
        let minute = |at: i16| (0..MINUTES_OF_DAY).contains(&at);
        (minute(from) && minute(to) && from != to).then_some(Self { from, to, zone })
    }

    pub(crate) fn from(self) -> i16 {
        self.from
    }

    pub(crate) fn to(self) -> i16 {
        self.to
    }

    /// By its IANA name.
    pub(crate) fn zone(self) -> &'static str {
        self.zone.name()
    }

    /// The end of the quiet time that `now` is in, if it is in one: the first minute that the clock does not show within it, whatever the
    /// clock leaps over or shows twice.
    pub(crate) fn ends(self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        if !self.holds(now) {
            return None;
        }
        let begun = now
            .replace_second(0)
            .and_then(|now| now.replace_nanosecond(0))
            .unwrap_or(now);
        // They are shorter than a day, and no clock is set by as much as another.
        let mut later = (1..=2 * i64::from(MINUTES_OF_DAY)).map(|minutes| begun + Duration::minutes(minutes));
        later.find(|at| !self.holds(*at))
    }

    fn holds(self, at: OffsetDateTime) -> bool {
        let shown = chrono(at).with_timezone(&self.zone);
        let minutes = |of: i64| of.rem_euclid(MINUTES_OF_DAY.into());
        let minute = i64::from(shown.hour() * 60 + shown.minute());
        minutes(minute - i64::from(self.from)) < minutes(i64::from(self.to - self.from))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn at(hour: i64, minute: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH
            + Duration::days(20_000)
            + Duration::hours(hour)
            + Duration::minutes(minute)
            + Duration::seconds(7)
    }

    #[test]
    fn quiet_hours_end_at_their_end_also_over_midnight() {
        let night = Quiet::new(22 * 60, 6 * 60 + 30, Tz::UTC).unwrap();
        for (hour, minute, end) in [
            (22, 0, Some((30, 30))),
            (23, 59, Some((30, 30))),
            (3, 0, Some((6, 30))),
            (6, 30, None),
            (12, 0, None),
            (21, 59, None),
        ] {
            let end = end.map(|(hour, minute)| at(hour, minute) - Duration::seconds(7));
            assert_eq!(night.ends(at(hour, minute)), end, "{hour}:{minute}");
        }
        let noon = Quiet::new(12 * 60, 13 * 60, Tz::UTC).unwrap();
        assert_eq!(noon.ends(at(12, 59)), Some(at(13, 0) - Duration::seconds(7)));
        assert_eq!(noon.ends(at(13, 0)), None);
        assert!(Quiet::new(5, 5, Tz::UTC).is_none() && Quiet::new(-1, 5, Tz::UTC).is_none());
        assert!(Quiet::new(0, 1440, Tz::UTC).is_none());
    }

    #[test]
    fn quiet_hours_stay_where_the_clock_shows_them_when_clocks_are_set() {
        // Berlin's clocks leap on 29 March 2026 at 01:00 UTC, from 02:00 to 03:00, and go back on 25 October at 01:00 UTC, from 03:00 to 02:00.
        let night = Quiet::new(22 * 60, 6 * 60, Tz::Europe__Berlin).unwrap();
        for (now, end) in [
            // 22:00 as it is shown in winter and in summer, and a minute before.
            (datetime!(2026-01-15 21:00 UTC), Some(datetime!(2026-01-16 05:00 UTC))),
            (datetime!(2026-01-15 20:59 UTC), None),
            (datetime!(2026-07-15 20:00 UTC), Some(datetime!(2026-07-16 04:00 UTC))),
            (datetime!(2026-07-15 19:59 UTC), None),
            // 06:00 as it is shown, in the nights of the change.
            (datetime!(2026-03-28 21:30 UTC), Some(datetime!(2026-03-29 04:00 UTC))),
            (datetime!(2026-03-29 04:00 UTC), None),
            (datetime!(2026-10-24 20:30 UTC), Some(datetime!(2026-10-25 05:00 UTC))),
        ] {
            assert_eq!(night.ends(now), end, "{now}");
        }
        // An end that the clock leaps over is the leap; one that it shows twice is the first time, and the hour between is quiet again.
        let short = Quiet::new(60, 2 * 60 + 30, Tz::Europe__Berlin).unwrap();
        for (now, end) in [
            (datetime!(2026-03-29 00:30 UTC), Some(datetime!(2026-03-29 01:00 UTC))),
            (datetime!(2026-10-24 23:30 UTC), Some(datetime!(2026-10-25 00:30 UTC))),
            (datetime!(2026-10-25 00:45 UTC), None),
            (datetime!(2026-10-25 01:15 UTC), Some(datetime!(2026-10-25 01:30 UTC))),
        ] {
            assert_eq!(short.ends(now), end, "{now}");
        }
    }
}
