//! Hours in which nobody is woken: what comes up in them is told at their end.

use time::{Duration, OffsetDateTime};

/// Minutes of a day in UTC, from one up to another, over midnight where the end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quiet {
    from: i16,
    to: i16,
}

const MINUTES_OF_DAY: i16 = 24 * 60;

impl Quiet {
    /// `None` if these are no two different minutes of a day.
    pub(crate) fn new(from: i16, to: i16) -> Option<Self> {
        let minute = |at: i16| (0..MINUTES_OF_DAY).contains(&at);
        (minute(from) && minute(to) && from != to).then_some(Self { from, to })
    }

    pub(crate) fn from(self) -> i16 {
        self.from
    }

    pub(crate) fn to(self) -> i16 {
        self.to
    }

    /// The end of the quiet time that `now` is in, if it is in one.
    pub(crate) fn ends(self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let minute = i16::from(now.hour()) * 60 + i16::from(now.minute());
        let since = (minute - self.from).rem_euclid(MINUTES_OF_DAY);
        let length = (self.to - self.from).rem_euclid(MINUTES_OF_DAY);
        let begun = now
            .replace_second(0)
            .and_then(|now| now.replace_nanosecond(0))
            .unwrap_or(now);
        (since < length).then(|| begun + Duration::minutes((length - since).into()))
    }
}

#[cfg(test)]
mod tests {
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
        let night = Quiet::new(22 * 60, 6 * 60 + 30).unwrap();
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
        let noon = Quiet::new(12 * 60, 13 * 60).unwrap();
        assert_eq!(noon.ends(at(12, 59)), Some(at(13, 0) - Duration::seconds(7)));
        assert_eq!(noon.ends(at(13, 0)), None);
        assert!(Quiet::new(5, 5).is_none() && Quiet::new(-1, 5).is_none() && Quiet::new(0, 1440).is_none());
    }
}
