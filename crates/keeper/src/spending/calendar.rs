//! Days and months in UTC: one meaning for every device, whatever its clock says.

use protocol::Millis;

const DAY_MS: Millis = 86_400_000;

/// A day as `(year, month, day)`.
pub(super) fn date(at: Millis) -> (i64, u32, u32) {
    // Howard Hinnant, chrono-Compatible Low-Level Date Algorithms, civil_from_days.
    let days = at.div_euclid(DAY_MS) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
}

/// `2026-11`.
pub(super) fn month(at: Millis) -> String {
    let (year, month, _) = date(at);
    format!("{year:04}-{month:02}")
}

/// `22`.
pub(super) fn day(at: Millis) -> String {
    format!("{:02}", date(at).2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (at, told) in [
            (0, "1970-01-01"),
            (951_782_399_999, "2000-02-28"),
            (951_782_400_000, "2000-02-29"),
            (1_709_164_800_000, "2024-02-29"),
            (1_798_761_599_999, "2026-12-31"),
            (1_798_761_600_000, "2027-01-01"),
            (4_107_542_400_000, "2100-03-01"),
            (-1, "1969-12-31"),
        ] {
            assert_eq!(format!("{}-{}", month(at), day(at)), told);
        }
    }
}
