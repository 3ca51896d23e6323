//! Stage 6 of 7, export: nanoseconds since the Unix epoch as UTC text. Thread: any.
//!
//! UTC everywhere: lines of two machines compare, and no time zone database is read on the caller's thread.

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_DAY: u64 = 86_400;

/// Appends `12:34:56.789Z`; milliseconds are cut, not rounded.
pub(super) fn push_clock(out: &mut String, unix_nanos: u64) {
    push_time_of_day(out, unix_nanos);
    push_digits(out, unix_nanos % NANOS_PER_SECOND / 1_000_000, 3);
    out.push('Z');
}

/// Appends RFC 3339 with nanoseconds: `2026-11-21T12:34:56.789012345Z`.
pub(crate) fn push_rfc3339(out: &mut String, unix_nanos: u64) {
    let (year, month, day) = civil_from_days(unix_nanos / NANOS_PER_SECOND / SECONDS_PER_DAY);
    push_digits(out, year, 4);
    out.push('-');
    push_digits(out, month, 2);
    out.push('-');
    push_digits(out, day, 2);
    out.push('T');
    push_time_of_day(out, unix_nanos);
    push_digits(out, unix_nanos % NANOS_PER_SECOND, 9);
    out.push('Z');
}

/// Appends `12:34:56.`
fn push_time_of_day(out: &mut String, unix_nanos: u64) {
    let seconds = unix_nanos / NANOS_PER_SECOND % SECONDS_PER_DAY;
    push_digits(out, seconds / 3600, 2);
    out.push(':');
    push_digits(out, seconds / 60 % 60, 2);
    out.push(':');
    push_digits(out, seconds % 60, 2);
    out.push('.');
}

/// Appends the low `width` decimal digits of `value`, with leading zeros.
pub(crate) fn push_digits(out: &mut String, mut value: u64, width: usize) {
    let mut digits = [b'0'; 9];
    for digit in digits.iter_mut().take(width).rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.push_str(std::str::from_utf8(&digits[..width]).unwrap_or_default());
}

/// Year, month and day of the proleptic Gregorian calendar, `days` after 1970-01-01.
///
/// Counts from 0000-03-01 in eras of 400 years (146,097 days): years that start in March have their leap day
/// at the end, so a month's first day is a linear function of the month.
const fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + (month <= 2) as u64;
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_the_range_follows_the_calendar() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..=u64::MAX / NANOS_PER_SECOND / SECONDS_PER_DAY {
            assert_eq!(civil_from_days(days), (year, month, day));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!(year, 2554);
    }

    #[test]
    fn the_ends_of_the_range_are_written_in_full() {
        let text = |write: fn(&mut String, u64), nanos| {
            let mut out = String::new();
            write(&mut out, nanos);
            out
        };
        assert_eq!(text(push_rfc3339, 0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(text(push_rfc3339, u64::MAX), "2554-07-21T23:34:33.709551615Z");
        assert_eq!(text(push_clock, u64::MAX), "23:34:33.709Z");
    }
}
