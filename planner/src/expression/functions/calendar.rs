//! Days of the calendar that we have now, for any year.

/// The days of all months before, in a year without a leap day.
const DAYS_BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

fn is_leap(year: i128) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// How many days a month has.
pub(super) fn days_of(year: i128, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Counts days from the start of 1970.
pub(super) fn days_from(year: i128, month: i64, day: i64) -> i128 {
    let before = year - 1;
    let leap_days = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    let of_months = DAYS_BEFORE[usize::try_from(month - 1).unwrap_or(0).min(11)];
    let is_after_leap_day = month > 2 && is_leap(year);
    before * 365 + leap_days + i128::from(of_months + i64::from(is_after_leap_day) + day - 1) - 719_162
}

/// The year, month and day of a day counted from the start of 1970.
pub(super) fn date_of(days: i128) -> (i128, i64, i64) {
    // 400 years have 146097 days; the guess may be a year off.
    let mut year = (days * 400).div_euclid(146_097) + 1970;
    while days_from(year, 1, 1) > days {
        year -= 1;
    }
    while days_from(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut month = 12;
    while days_from(year, month, 1) > days {
        month -= 1;
    }
    let day = days - days_from(year, month, 1) + 1;
    (year, month, i64::try_from(day).unwrap_or(1))
}

/// Counts the days of the week from Monday.
pub(super) fn weekday(days: i128) -> i64 {
    i64::try_from((days + 3).rem_euclid(7)).unwrap_or(0)
}

/// The year that a day's week belongs to, and the number of the week in it (ISO 8601).
pub(super) fn week(days: i128) -> (i128, i128) {
    // A week belongs to the year of its Thursday.
    let thursday = days - i128::from(weekday(days)) + 3;
    let (year, _, _) = date_of(thursday);
    (year, (thursday - days_from(year, 1, 1)) / 7 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_counted_from_1970_both_ways() {
        for (year, month, day, days) in
            [(1970, 1, 1, 0), (2000, 2, 29, 11_016), (2020, 3, 1, 18_322), (1, 1, 1, -719_162), (0, 12, 31, -719_163)]
        {
            assert_eq!(days_from(year, month, day), days);
            assert_eq!(date_of(days), (year, month, day));
        }
        assert_eq!((weekday(0), weekday(18_322)), (3, 6));
        assert_eq!(week(days_from(2021, 1, 3)), (2020, 53));
        assert_eq!(week(days_from(2019, 12, 30)), (2020, 1));
    }
}
