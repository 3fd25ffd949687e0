//! When a job is due. A time that a clock shows twice, where it is set back, counts once; one that it leaps over counts at the leap; where
//! the hour is not named (`*`), what counts is the time that passes.

use chrono::{DateTime, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use protocol::limits::JOB_EVERY_MINUTES;
use protocol::template::{Job, TemplateError};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::limits;
use crate::zone::{self, chrono};

/// The times of a job, as they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Timing {
    Cron { cron: String, zone: String },
    Every { minutes: u32 },
}

/// Whether the times of a template's jobs mean something: what its check leaves open. Takes long where times are far apart.
pub(super) fn check(schedule: &[Job], now: OffsetDateTime) -> Result<(), TemplateError> {
    schedule.iter().try_for_each(|job| {
        let Some(cron) = &job.cron else { return Ok(()) };
        let zone = zone_of(job)?;
        let parsed = parse(cron).map_err(|reason| wrong("schedule.cron", format!("`{cron}`: {reason}")))?;
        let never = || wrong("schedule.cron", format!("`{cron}` never comes."));
        following_cron(&parsed, cron, zone, chrono(now)).ok_or_else(never)?;
        match closest(&parsed, now).num_minutes() {
            minutes if minutes < i64::from(JOB_EVERY_MINUTES.0) => Err(wrong(
                "schedule.cron",
                format!(
                    "`{cron}` comes twice within {minutes} minutes; {} is the least between two runs (JOB_EVERY_MINUTES).",
                    JOB_EVERY_MINUTES.0
                ),
            )),
            _ => Ok(()),
        }
    })
}

fn wrong(field: &'static str, reason: String) -> TemplateError {
    TemplateError { field, reason }
}

fn zone_of(job: &Job) -> Result<Tz, TemplateError> {
    let name = job.time_zone.as_deref().unwrap_or("UTC");
    zone::named(name).ok_or_else(|| wrong("schedule.time_zone", zone::NO_SUCH_ZONE.to_owned()))
}

fn parse(cron: &str) -> Result<Cron, String> {
    if cron.split_ascii_whitespace().count() != 5 {
        return Err("it has five fields: minute, hour, day of the month, month, day of the week.".to_owned());
    }
    // The parser takes it for a field that names nothing, and so for an expression that never comes, which takes seconds to see.
    let mut parts = cron.split_ascii_whitespace().flat_map(|field| field.split(','));
    if parts.any(|part| part.trim_start_matches('+').is_empty()) {
        return Err("what stands between its commas is a time, and not empty.".to_owned());
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    parser.parse(cron).map_err(|error| error.to_string())
}

/// The shortest time between two of its times, as a clock shows them that is never set.
fn closest(cron: &Cron, now: OffsetDateTime) -> TimeDelta {
    let (mut at, mut least) = (chrono(now), TimeDelta::MAX);
    let (end, mut before) = (at + TimeDelta::days(limits::SCHEDULE_DAYS_TRIED), None);
    for _ in 0..limits::SCHEDULE_TIMES_TRIED {
        let Some(next) = cron.find_next_occurrence(&at, false).ok().filter(|next| *next < end) else {
            break;
        };
        if let Some(before) = before.replace(next) {
            least = least.min(next - before);
        }
        at = next;
    }
    least
}

impl Timing {
    /// Of a job whose template was checked.
    pub(crate) fn of(job: &Job) -> Self {
        match (&job.cron, job.every_minutes) {
            (Some(cron), _) => Self::Cron {
                cron: cron.clone(),
                zone: job.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            },
            (None, minutes) => Self::Every {
                minutes: minutes.unwrap_or(JOB_EVERY_MINUTES.1),
            },
        }
    }

    /// The first time after `now`. `last` is a time that it was due, or the one at which it was given. None where it does not come any more,
    /// or its time zone is not known any more.
    pub(crate) fn following(&self, last: OffsetDateTime, now: OffsetDateTime) -> Option<OffsetDateTime> {
        match self {
            Self::Cron { cron, zone } => {
                let next = following_cron(&parse(cron).ok()?, cron, zone::named(zone)?, chrono(now))?;
                OffsetDateTime::from_unix_timestamp(next.timestamp()).ok()
            }
            Self::Every { minutes } => {
                let every = time::Duration::minutes(i64::from(*minutes));
                let passed = (now - last).whole_seconds().max(0) / every.whole_seconds().max(1);
                last.checked_add(every.checked_mul(i32::try_from(passed).ok()?.checked_add(1)?)?)
            }
        }
    }
}

/// The first of its times after another, by the clocks of a zone. Between two changes of these clocks, they go as any others.
fn following_cron(cron: &Cron, text: &str, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let names_hours = text
        .split_ascii_whitespace()
        .nth(1)
        .is_some_and(|hours| !hours.contains('*'));
    let mut from = after;
    loop {
        let offset = offset(zone, from);
        let shown = cron.find_next_occurrence(&(from + offset), false).ok()?;
        let at = shown - offset;
        let Some(change) = change(zone, from, at) else {
            let again = names_hours && is_second_time(zone, at, shown.naive_utc());
            if !again {
                return Some(at);
            }
            from = at;
            continue;
        };
        // The clock leaps over it.
        if names_hours && shown < change + self::offset(zone, change) {
            return Some(change);
        }
        // What the clock shows at the change itself may be one of the times.
        from = change - TimeDelta::seconds(1);
        let new = self::offset(zone, change);
        let shown = cron.find_next_occurrence(&(from + new), false).ok()?;
        if shown - new == change && !(names_hours && is_second_time(zone, change, shown.naive_utc())) {
            return Some(change);
        }
        from = change;
    }
}

fn offset(zone: Tz, at: DateTime<Utc>) -> TimeDelta {
    let seconds = at.with_timezone(&zone).offset().fix().local_minus_utc();
    TimeDelta::seconds(i64::from(seconds))
}

fn is_second_time(zone: Tz, at: DateTime<Utc>, shown: NaiveDateTime) -> bool {
    zone.from_local_datetime(&shown)
        .earliest()
        .is_some_and(|first| first < at)
}

/// The first moment after one and not after another at which the clocks of a zone are set.
fn change(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let before = offset(zone, from);
    let (mut low, mut high) = (from, from);
    while offset(zone, high) == before {
        if high >= to {
            return None;
        }
        low = high;
        high = (high + TimeDelta::days(1)).min(to);
    }
    while high - low > TimeDelta::seconds(1) {
        let middle = low + (high - low) / 2;
        let middle = DateTime::from_timestamp(middle.timestamp(), 0)?;
        match offset(zone, middle) == before {
            true => low = middle,
            false => high = middle,
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn berlin(cron: &str) -> Timing {
        Timing::Cron {
            cron: cron.to_owned(),
            zone: "Europe/Berlin".to_owned(),
        }
    }

    /// The times from one on, as the clock of UTC shows them.
    fn times(timing: &Timing, from: OffsetDateTime, count: usize) -> Vec<String> {
        let next = |at: &OffsetDateTime| timing.following(*at, *at);
        let all = std::iter::successors(timing.following(from, from), next);
        let shown = all
            .take(count)
            .map(|at| format!("{} {:02}:{:02}", at.date(), at.hour(), at.minute()));
        shown.collect()
    }

    #[test]
    fn a_time_of_the_day_stays_where_the_clock_shows_it_when_clocks_are_set() {
        // Berlin's clocks leap on 29 March 2026 at 01:00 UTC, and go back on 25 October at 01:00 UTC.
        assert_eq!(
            times(&berlin("0 9 * * *"), datetime!(2026-03-27 12:00 UTC), 3),
            ["2026-03-28 08:00", "2026-03-29 07:00", "2026-03-30 07:00"]
        );
        assert_eq!(
            times(&berlin("0 9 * * 1-5"), datetime!(2026-10-22 12:00 UTC), 3),
            ["2026-10-23 07:00", "2026-10-26 08:00", "2026-10-27 08:00"]
        );
    }

    #[test]
    fn a_time_that_the_clock_leaps_over_counts_once_at_the_leap() {
        assert_eq!(
            times(&berlin("30 2 * * *"), datetime!(2026-03-28 00:00 UTC), 3),
            ["2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"]
        );
        assert_eq!(
            times(&berlin("*/15 2 * * *"), datetime!(2026-03-28 12:00 UTC), 2),
            ["2026-03-29 01:00", "2026-03-30 00:00"]
        );
    }

    #[test]
    fn a_time_that_the_clock_shows_twice_counts_once() {
        assert_eq!(
            times(&berlin("30 2 * * *"), datetime!(2026-10-24 12:00 UTC), 2),
            ["2026-10-25 00:30", "2026-10-26 01:30"]
        );
        assert_eq!(
            times(&berlin("0 2,3 * * *"), datetime!(2026-10-24 12:00 UTC), 3),
            ["2026-10-25 00:00", "2026-10-25 02:00", "2026-10-26 01:00"]
        );
    }

    #[test]
    fn where_no_hour_is_named_it_comes_as_time_passes() {
        assert_eq!(
            times(&berlin("0 * * * *"), datetime!(2026-10-24 23:30 UTC), 4),
            [
                "2026-10-25 00:00",
                "2026-10-25 01:00",
                "2026-10-25 02:00",
                "2026-10-25 03:00"
            ]
        );
        assert_eq!(
            times(&berlin("0 * * * *"), datetime!(2026-03-29 00:30 UTC), 2),
            ["2026-03-29 01:00", "2026-03-29 02:00"]
        );
        assert_eq!(
            times(&berlin("30 * * * *"), datetime!(2026-10-25 00:10 UTC), 3),
            ["2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 02:30"]
        );
    }

    #[test]
    fn what_was_missed_is_one_time_and_the_next_is_after_now() {
        let hourly = Timing::Every { minutes: 60 };
        let given = datetime!(2026-01-01 00:10 UTC);
        assert_eq!(hourly.following(given, given), Some(datetime!(2026-01-01 01:10 UTC)));
        let late = datetime!(2026-01-09 07:30 UTC);
        assert_eq!(hourly.following(given, late), Some(datetime!(2026-01-09 08:10 UTC)));
        assert_eq!(
            hourly.following(given, datetime!(2026-01-01 01:10 UTC)),
            Some(datetime!(2026-01-01 02:10 UTC))
        );
        assert_eq!(
            berlin("0 9 * * *").following(given, late),
            Some(datetime!(2026-01-09 08:00 UTC))
        );
    }

    fn refused(cron: &str, zone: Option<&str>) -> Option<(&'static str, String)> {
        let job = Job {
            name: "x".to_owned(),
            cron: Some(cron.to_owned()),
            time_zone: zone.map(str::to_owned),
            every_minutes: None,
            message: "x".to_owned(),
        };
        let error = check(&[job], datetime!(2026-11-01 00:00 UTC)).err()?;
        Some((error.field, error.reason))
    }

    #[test]
    fn what_never_comes_comes_too_often_or_means_nothing_is_refused_by_name() {
        for good in [
            "0 9 * * 1-5",
            "*/15 * * * *",
            "0 0 29 2 *",
            "0 9 L * *",
            "0 9 * * MON",
            "7 */2 1,15 * *",
            "0 9 * * +1,2",
        ] {
            assert_eq!(refused(good, Some("America/New_York")), None, "{good}");
        }
        for (cron, words) in [
            ("0 0 30 2 *", "never comes"),
            ("0 0 31 4,6 *", "never comes"),
            ("* * * * *", "JOB_EVERY_MINUTES"),
            ("*/14 * * * *", "JOB_EVERY_MINUTES"),
            ("0,5 9 1 1 *", "within 5 minutes"),
            ("0,59 0,23 1,2 1 *", "within 1 minutes"),
            ("61 * * * *", "61 * * * *"),
            ("0 9 * *", "five fields"),
            ("0 0 9 * * *", "five fields"),
            ("@daily", "five fields"),
            ("", "five fields"),
            (", * * * *", "not empty"),
            ("0 9, * * *", "not empty"),
            ("0 9 1,,15 * *", "not empty"),
            ("0 9 * * ,1", "not empty"),
            ("0 9 * * +", "not empty"),
            ("every day at nine o'clock", "every"),
        ] {
            let (field, reason) = refused(cron, None).unwrap_or_else(|| panic!("{cron} is taken"));
            assert!(field == "schedule.cron" && reason.contains(words), "{cron}: {reason}");
        }
        for zone in ["Mars/Olympus", "", "europe/berlin/x", "+02:00"] {
            let (field, _) = refused("0 9 * * *", Some(zone)).unwrap();
            assert_eq!(field, "schedule.time_zone", "{zone}");
        }
    }

    #[test]
    fn what_is_stored_reads_back() {
        for (timing, text) in [
            (berlin("0 9 * * *"), r#"{"cron":"0 9 * * *","zone":"Europe/Berlin"}"#),
            (Timing::Every { minutes: 30 }, r#"{"minutes":30}"#),
        ] {
            assert_eq!(serde_json::to_string(&timing).unwrap(), text);
            assert_eq!(serde_json::from_str::<Timing>(text).unwrap(), timing);
        }
    }
}
