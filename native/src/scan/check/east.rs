//! Stage 3 of 7, redact: numbers of persons in the east of Europe. Thread: caller.

use crate::scan::check::days::{is_day, is_short_day};
use crate::scan::check::sums::{digits, is_mod_11_10, long_value, value, weighted};

/// A number of a Pole; the month holds the century.
#[must_use]
pub fn is_pl_pesel(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|digits| {
        let (month, century) = (value(&digits[2..4]) % 20, value(&digits[2..4]) / 20);
        let year = [1900, 2000, 2100, 2200, 1800][century as usize % 5] + value(&digits[..2]);
        is_day(year, month, value(&digits[4..6]))
            && (10 - weighted(&digits[..10], &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10 == digits[10]
    })
}

/// A number of a Czech or a Slovak: 50 in the month for women, 20 for the years in which numbers ran out. Nine digits until 1953.
#[must_use]
pub fn is_cz_rc(text: &[u8]) -> bool {
    let day = |digits: &[u32]| {
        let month = value(&digits[2..4]) % 50;
        let month = if month > 20 { month - 20 } else { month };
        is_short_day(value(&digits[..2]), month, value(&digits[4..6]))
    };
    digits::<9>(text)
        .is_some_and(|digits| value(&digits[..2]) < 54 && day(&digits) && value(&digits[6..]) != 0)
        || digits::<10>(text)
            .is_some_and(|digits| day(&digits) && long_value(&digits[..9]) % 11 % 10 == u64::from(digits[9]))
}

/// A number of a Romanian: sex and century, day, county.
#[must_use]
pub fn is_ro_cnp(text: &[u8]) -> bool {
    digits::<13>(text).is_some_and(|digits| {
        let rest = weighted(&digits[..12], &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
        digits[0] != 0
            && is_short_day(value(&digits[1..3]), value(&digits[3..5]), value(&digits[5..7]))
            && matches!(value(&digits[7..9]), 1..=52 | 70 | 80..=83)
            && (if rest == 10 { 1 } else { rest }) == digits[12]
    })
}

/// A number of a Bulgarian; the month holds the century.
#[must_use]
pub fn is_bg_egn(text: &[u8]) -> bool {
    digits::<10>(text).is_some_and(|digits| {
        let (year, month) = match value(&digits[2..4]) {
            month @ 41.. => (2000, month - 40),
            month @ 21..=40 => (1800, month - 20),
            month => (1900, month),
        };
        is_day(year + value(&digits[..2]), month, value(&digits[4..6]))
            && weighted(&digits[..9], &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10 == digits[9]
    })
}

/// A number of a Croat.
#[must_use]
pub fn is_hr_oib(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|digits| is_mod_11_10(&digits))
}

/// A health insurance number of Hungary.
#[must_use]
pub fn is_hu_taj(text: &[u8]) -> bool {
    digits::<9>(text).is_some_and(|digits| {
        value(&digits) != 0 && weighted(&digits[..8], &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == digits[8]
    })
}

/// A number of a taxpayer of Hungary.
#[must_use]
pub fn is_hu_tax_id(text: &[u8]) -> bool {
    digits::<10>(text).is_some_and(|digits| {
        digits[0] == 8 && weighted(&digits[..9], &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 == digits[9]
    })
}

/// A number of the republics of former Yugoslavia (EMŠO, JMBG).
#[must_use]
pub fn is_si_emso(text: &[u8]) -> bool {
    digits::<13>(text).is_some_and(|digits| {
        let year = value(&digits[4..7]) + if digits[4] == 0 { 2000 } else { 1000 };
        is_day(year, value(&digits[2..4]), value(&digits[..2]))
            && (11 - weighted(&digits[..12], &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11 % 10
                == digits[12]
    })
}
