//! Stage 3 of 7, redact: numbers of persons in the north of Europe and the Baltic states. Thread: caller.

use crate::scan::check::days::{is_day, is_short_day};
use crate::scan::check::sums::{digits, is_luhn_of, value, weighted};

/// A number of a Swede, with two or four digits for the year; 60 on the day for those who only visit.
#[must_use]
pub fn is_se_pnr(text: &[u8]) -> bool {
    let ten = match text.len() {
        12 if matches!(&text[..2], b"18" | b"19" | b"20") => &text[2..],
        10 => text,
        _ => return false,
    };
    digits::<10>(ten).is_some_and(|digits| {
        let day = value(&digits[4..6]);
        is_short_day(value(&digits[..2]), value(&digits[2..4]), if day > 60 { day - 60 } else { day })
            && is_luhn_of(&digits)
    })
}

/// A number of a Norwegian: 40 on the day for those who only visit, on the month for those of a hospital.
#[must_use]
pub fn is_no_fnr(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|digits| {
        let less = |value: u32| if value > 40 { value - 40 } else { value };
        let first = (11 - weighted(&digits[..9], &[3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11) % 11;
        let second = (11 - weighted(&digits[..10], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
        is_short_day(value(&digits[4..6]), less(value(&digits[2..4])), less(value(&digits[..2])))
            && (first, second) == (digits[9], digits[10])
    })
}

/// A number of a Dane: a day and four digits. Numbers since 2007 have no checksum.
#[must_use]
pub fn is_dk_cpr(text: &[u8]) -> bool {
    digits::<10>(text)
        .is_some_and(|digits| is_short_day(value(&digits[4..6]), value(&digits[2..4]), value(&digits[..2])))
}

/// A number of a Finn, with the sign of its century: `131052-308T`.
#[must_use]
pub fn is_fi_hetu(text: &[u8]) -> bool {
    let Ok(text): Result<&[u8; 11], _> = text.try_into() else { return false };
    let (day, sign, individual, check) = (&text[..6], text[6], &text[7..10], text[10]);
    let century = match sign {
        b'+' => 1800,
        b'-' | b'U'..=b'Y' => 1900,
        b'A'..=b'F' => 2000,
        _ => return false,
    };
    let (Some(day), Some(individual)) = (digits::<6>(day), digits::<3>(individual)) else { return false };
    let number = value(&day) * 1000 + value(&individual);
    is_day(century + value(&day[4..]), value(&day[2..4]), value(&day[..2]))
        && value(&individual) >= 2
        && b"0123456789ABCDEFHJKLMNPRSTUVWXY"[number as usize % 31] == check
}

/// A number of an Estonian: sex and century, day, and a sum with two sets of weights.
#[must_use]
pub fn is_ee_ik(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|digits| {
        (1..=8).contains(&digits[0])
            && is_short_day(value(&digits[1..3]), value(&digits[3..5]), value(&digits[5..7]))
            && baltic_sum(&digits) == digits[10]
    })
}

/// A sum with a second set of weights, for when the first has no digit.
fn baltic_sum(digits: &[u32; 11]) -> u32 {
    match weighted(&digits[..10], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11 {
        10 => weighted(&digits[..10], &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
        sum => sum,
    }
}

/// A number of a Lithuanian: as in Estonia, or with a 9 in front and no day.
#[must_use]
pub fn is_lt_ak(text: &[u8]) -> bool {
    is_ee_ik(text)
        || digits::<11>(text).is_some_and(|digits| digits[0] == 9 && baltic_sum(&digits) == digits[10])
}

/// A number of a Latvian: a day and a sum, since 2017 neither but `32`.
#[must_use]
pub fn is_lv_pk(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|digits| {
        let sum = weighted(&digits[..10], &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]);
        let dated = is_short_day(value(&digits[4..6]), value(&digits[2..4]), value(&digits[..2]));
        value(&digits[..2]) == 32 || (dated && digits[6] <= 2 && (1 + sum) % 11 % 10 == digits[10])
    })
}
