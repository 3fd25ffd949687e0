//! The counts of one caller and one service: `rates/<who>/<service>`, in which `<who>` is `agent`, `at-<user>` for the agent at what somebody
//! shares, or `<user>`.

use protocol::Millis;
use serde::{Deserialize, Serialize};

use crate::limits;

pub(super) const PREFIX: &str = "rates/";
pub(super) const HOUR: Millis = 60 * 60 * 1000;
pub(super) const DAY: Millis = 24 * HOUR;

/// Calls that read, and those that change something.
pub(super) type Both = [u32; 2];

/// What was counted on one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Day {
    /// Days since the epoch.
    pub day: i64,
    /// The most in one hour.
    pub busiest: Both,
    pub calls: Both,
}

/// Calls are refused until the owner lets them go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pause {
    pub at: Millis,
    /// It was calls that change something.
    pub changes: bool,
    /// As many calls there were in the hour, and so many are usual in a busy one: zero while that is not known.
    pub calls: u32,
    pub usual: u32,
}

/// What is kept of one caller and one service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// How the owner calls them; empty for the agent at services of its owner.
    pub(super) name: String,
    /// Hours since the epoch, and the calls in this one, or since the owner let them go on.
    hour: i64,
    calls: Both,
    /// The days with calls, the newest last.
    pub(super) days: Vec<Day>,
    /// What the owner's word has raised the learned ceiling to, and on which day: of calls that read, and of the others where nothing else
    /// is said of those.
    raised: Both,
    raised_on: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changes_raised_on: Option<i64>,
    pub(super) pause: Option<Pause>,
    /// When there was a pause.
    pub(super) paused: Vec<Millis>,
}

/// What became of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Room,
    Paused,
    /// It is the one that passed the ceiling.
    PausesNow(Pause),
}

fn floor(kind: usize) -> u32 {
    [limits::RATE_READS_FLOOR, limits::RATE_CHANGES_FLOOR][kind]
}

fn most(kind: usize) -> u32 {
    [limits::RATE_READS, limits::RATE_CHANGES][kind]
}

fn days(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Kept {
    /// What a busy hour is: the one in the middle of the busiest hours of the days before this one. Zero while there are too few days.
    fn usual(&self, kind: usize, today: i64) -> u32 {
        let since = today - days(limits::RATE_DAYS);
        let mut hours: Vec<u32> = self
            .days
            .iter()
            .filter(|day| (since..today).contains(&day.day) && day.busiest[kind] > 0)
            .map(|day| day.busiest[kind])
            .collect();
        if hours.len() < limits::RATE_DAYS_KNOWN {
            return 0;
        }
        hours.sort_unstable();
        hours[(hours.len() - 1) / 2]
    }

    fn raised_on(&self, kind: usize) -> i64 {
        self.changes_raised_on.filter(|_| kind == 1).unwrap_or(self.raised_on)
    }

    /// The most calls that an hour may have today.
    fn ceiling(&self, kind: usize, today: i64) -> u32 {
        let raised = match today - self.raised_on(kind) < days(limits::RATE_DAYS) {
            true => self.raised[kind],
            false => 0,
        };
        let learned = self.usual(kind, today).saturating_mul(limits::RATE_TIMES);
        learned.max(raised).max(floor(kind)).min(most(kind))
    }

    /// One more call, if there is room for it. A clock that goes back does not begin another hour.
    pub fn count(&mut self, changes: bool, now: Millis) -> Counted {
        if self.pause.is_some() {
            return Counted::Paused;
        }
        let (hour, today, kind) = (now.div_euclid(HOUR), now.div_euclid(DAY), usize::from(changes));
        if hour > self.hour {
            self.hour = hour;
            self.calls = Both::default();
        }
        if self.calls[kind] >= self.ceiling(kind, today) {
            let pause = Pause {
                at: now,
                changes,
                calls: self.calls[kind],
                usual: self.usual(kind, today),
            };
            self.pause = Some(pause.clone());
            self.paused.retain(|at| now - at < DAY * days(limits::RATE_DAYS));
            self.paused.push(now);
            return Counted::PausesNow(pause);
        }
        self.calls[kind] += 1;
        if self.days.last().is_none_or(|last| last.day < today) {
            self.days.retain(|day| today - day.day <= days(limits::RATE_DAYS));
            self.days.push(Day {
                day: today,
                busiest: Both::default(),
                calls: Both::default(),
            });
        }
        if let Some(last) = self.days.last_mut() {
            last.calls[kind] += 1;
            last.busiest[kind] = last.busiest[kind].max(self.calls[kind]);
        }
        Counted::Room
    }

    /// The owner ends the pause: the hour begins anew, and if it is to `raise`, for a while twice as much of this kind is learned to be fine.
    pub fn resume(&mut self, raise: bool, now: Millis) -> bool {
        let Some(pause) = self.pause.take() else { return false };
        self.calls = Both::default();
        if raise {
            let (today, kind) = (now.div_euclid(DAY), usize::from(pause.changes));
            let [reads, changes] = [0, 1].map(|each| if each == kind { today } else { self.raised_on(each) });
            self.raised[kind] = pause.calls.saturating_mul(2);
            (self.raised_on, self.changes_raised_on) = (reads, Some(changes));
        }
        true
    }

    /// Nothing of it matters any more.
    pub fn is_old(&self, now: Millis) -> bool {
        let today = now.div_euclid(DAY);
        self.pause.is_none()
            && self
                .days
                .last()
                .is_none_or(|last| today - last.day > days(limits::RATE_DAYS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versioned;

    /// So many calls that read, in one hour; how many there was room for.
    fn reads(kept: &mut Kept, many: u32, now: Millis) -> u32 {
        let made = (0..many).filter(|_| kept.count(false, now) == Counted::Room).count();
        u32::try_from(made).unwrap()
    }

    #[test]
    fn few_calls_are_never_too_many_and_a_ceiling_holds_for_everybody() {
        let (mut kept, mut now) = (Kept::default(), 20_000 * DAY);
        // Nothing is known yet: the floor.
        assert_eq!(reads(&mut kept.clone(), 9999, now), limits::RATE_READS_FLOOR);
        // One a day for weeks does not make two a day strange.
        for _ in 0..20 {
            assert_eq!(reads(&mut kept, 1, now), 1);
            now += DAY;
        }
        assert_eq!(reads(&mut kept.clone(), 9999, now), limits::RATE_READS_FLOOR);
        // However much is usual: the fixed ceiling.
        for day in &mut kept.days {
            day.busiest[0] = 1_000_000;
        }
        assert_eq!(reads(&mut kept, 9_999_999, now), limits::RATE_READS);
        // Calls that change something are counted by themselves, with a lower floor.
        let mut other = Kept::default();
        let made = (0..9999).filter(|_| other.count(true, now) == Counted::Room).count();
        assert_eq!(made, usize::try_from(limits::RATE_CHANGES_FLOOR).unwrap());
    }

    #[test]
    fn the_ceiling_follows_the_day_in_the_middle_and_not_the_busiest_one() {
        let (mut kept, mut now) = (Kept::default(), 20_000 * DAY);
        for many in [100, 100, 199, 199] {
            assert_eq!(reads(&mut kept, many, now), many);
            now += DAY;
        }
        assert_eq!(reads(&mut kept.clone(), 9999, now), 100 * limits::RATE_TIMES);
        // What is done today teaches nothing today, in whatever hours.
        for hour in 0..10 {
            assert_eq!(reads(&mut kept, 400, now + hour * HOUR), 400);
        }
        assert_eq!(
            reads(&mut kept.clone(), 9999, now + 10 * HOUR),
            100 * limits::RATE_TIMES
        );
        // What is long ago is forgotten.
        now += DAY * (days(limits::RATE_DAYS) + 1);
        assert_eq!(reads(&mut kept, 9999, now), limits::RATE_READS_FLOOR);
        assert_eq!(kept.days.len(), 1);
    }

    #[test]
    fn what_is_paused_stays_so_in_the_next_hour_until_the_owner_lets_it_go_on() {
        let (mut kept, now) = (Kept::default(), 20_000 * DAY);
        let floor = limits::RATE_READS_FLOOR;
        assert_eq!(reads(&mut kept, floor, now), floor);
        assert_eq!(
            kept.count(false, now),
            Counted::PausesNow(Pause {
                at: now,
                changes: false,
                calls: floor,
                usual: 0
            })
        );
        for later in [now, now + HOUR, now + 100 * DAY] {
            assert_eq!(kept.count(false, later), Counted::Paused);
            assert_eq!(kept.count(true, later), Counted::Paused);
        }
        assert!(!kept.is_old(now + 100 * DAY));
        assert!(kept.resume(true, now) && !kept.resume(true, now));
        // The owner's word counts: twice as many, and no more than the fixed ceiling in the end.
        assert_eq!(reads(&mut kept, 9999, now), 2 * floor);
        for _ in 0..9 {
            kept.resume(true, now);
            reads(&mut kept, 999_999, now);
        }
        kept.resume(true, now);
        assert_eq!(reads(&mut kept, 999_999, now), limits::RATE_READS);
        assert_eq!(kept.paused.len(), 12);
    }

    /// So many calls that change something, as [`reads`].
    fn changes(kept: &mut Kept, many: u32, now: Millis) -> u32 {
        let made = (0..many).filter(|_| kept.count(true, now) == Counted::Room).count();
        u32::try_from(made).unwrap()
    }

    #[test]
    fn what_is_raised_for_one_kind_of_calls_is_raised_no_longer_by_what_is_raised_for_the_other() {
        let (first, then) = (20_000 * DAY, (20_000 + days(limits::RATE_DAYS) - 1) * DAY);
        let (few, most) = ([limits::RATE_READS_FLOOR, limits::RATE_CHANGES_FLOOR], 9999);
        let mut readings_first = Kept::default();
        assert_eq!(reads(&mut readings_first, most, first), few[0]);
        readings_first.resume(true, first);
        assert_eq!(changes(&mut readings_first, most, then), few[1]);
        readings_first.resume(true, then);
        assert_eq!(reads(&mut readings_first.clone(), most, then), 2 * few[0]);
        assert_eq!(reads(&mut readings_first.clone(), most, then + DAY), few[0]);
        assert_eq!(changes(&mut readings_first, most, then + DAY), 2 * few[1]);

        let mut changes_first = Kept::default();
        assert_eq!(changes(&mut changes_first, most, first), few[1]);
        changes_first.resume(true, first);
        assert_eq!(reads(&mut changes_first, most, then), few[0]);
        changes_first.resume(true, then);
        assert_eq!(changes(&mut changes_first.clone(), most, then), 2 * few[1]);
        assert_eq!(changes(&mut changes_first.clone(), most, then + DAY), few[1]);
        assert_eq!(reads(&mut changes_first, most, then + DAY), 2 * few[0]);
    }

    #[test]
    fn a_pause_that_ends_because_nothing_is_shared_any_more_raises_nothing() {
        let (mut kept, now) = (Kept::default(), 20_000 * DAY);
        reads(&mut kept, 9999, now);
        assert!(kept.resume(false, now));
        assert_eq!(reads(&mut kept, 9999, now), limits::RATE_READS_FLOOR);
    }

    #[test]
    fn a_clock_that_goes_back_gives_no_other_hour() {
        let (mut kept, now) = (Kept::default(), 20_000 * DAY);
        let floor = limits::RATE_READS_FLOOR;
        assert_eq!(reads(&mut kept, floor, now), floor);
        assert!(matches!(kept.count(false, now - HOUR), Counted::PausesNow(_)));
    }

    #[test]
    fn records_of_the_first_version_are_read_as_they_were_written() {
        let written = r#"{"name":"Bob","hour":480002,"calls":[7,1],"days":[{"day":20000,"busiest":[7,1],"calls":[9,1]}],"raised":[400,0],"raised_on":19999,"pause":{"at":1728007200000,"changes":false,"calls":200,"usual":20},"paused":[1728007200000]}"#;
        let bytes = [&[1], written.as_bytes()].concat();
        let kept: Kept = versioned::decode(&bytes).unwrap();
        assert_eq!(
            (kept.calls, kept.raised, kept.pause.as_ref().unwrap().usual),
            ([7, 1], [400, 0], 20)
        );
        assert_eq!(versioned::encode(&kept), bytes);
        assert_eq!(versioned::decode::<Kept>(&[&[2], written.as_bytes()].concat()), None);
    }
}
