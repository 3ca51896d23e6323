//! Stage 3 of 7, redact: days of birth inside of numbers. Thread: caller.

/// True of a day of the calendar.
#[must_use]
pub const fn is_day(year: u32, month: u32, day: u32) -> bool {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    day >= 1 && day <= last
}

/// True of a day in some century; `year` has two digits.
#[must_use]
pub const fn is_short_day(year: u32, month: u32, day: u32) -> bool {
    // 2000 was a leap year, as is every fourth year that two digits may mean.
    is_day(2000 + year % 100, month, day)
}
