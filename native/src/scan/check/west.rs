//! Stage 3 of 7, redact: numbers of persons in the west of Europe. Thread: caller.

use crate::scan::check::days::{is_day, is_short_day};
use crate::scan::check::sums::{digits, is_luhn_of, is_mod_11_10, is_verhoeff, long_value, value, weighted};

/// A tax number of a person in Germany: of the first ten digits, one stands twice or three times.
#[must_use]
pub fn is_de_steuer_id(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|digits| {
        let mut times = [0u32; 10];
        for digit in &digits[..10] {
            times[*digit as usize] += 1;
        }
        let repeated = times.iter().filter(|times| **times > 1).count();
        digits[0] != 0 && repeated == 1 && times.iter().all(|times| *times <= 3) && is_mod_11_10(&digits)
    })
}

/// A pension number of Germany: area, day, letter of the name at birth, serial, sum of the digits of products.
#[must_use]
pub fn is_de_svnr(text: &[u8]) -> bool {
    let Ok(text): Result<&[u8; 12], _> = text.try_into() else { return false };
    let (Some(head), letter, Some(tail)) = (digits::<8>(&text[..8]), text[8], digits::<3>(&text[9..])) else {
        return false;
    };
    if !letter.is_ascii_uppercase() {
        return false;
    }
    let place = u32::from(letter - b'A') + 1;
    let number = head.iter().copied().chain([place / 10, place % 10]).chain(tail);
    let sum: u32 = number
        .zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
        .map(|(digit, weight)| digit * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    let (day, month) = (value(&head[2..4]), value(&head[4..6]));
    let day = if day > 50 { day - 50 } else { day };
    value(&head[..2]) > 1 && is_short_day(value(&head[6..8]), month, day) && sum % 10 == tail[2]
}

/// A social security number of France, with its key or without; `2A` and `2B` are Corsica.
#[must_use]
pub fn is_fr_nir(text: &[u8]) -> bool {
    if !matches!(text.len(), 13 | 15) {
        return false;
    }
    let mut plain = [b'0'; 15];
    plain[..text.len()].copy_from_slice(text);
    let less = match &text[5..7] {
        b"2A" => 1_000_000,
        b"2B" => 2_000_000,
        _ => 0,
    };
    if less > 0 {
        plain[6] = b'0';
    }
    digits::<15>(&plain).is_some_and(|digits| {
        let number = long_value(&digits[..13]) - less;
        matches!(digits[0], 1..=4 | 7 | 8)
            && matches!(value(&digits[3..5]), 1..=12 | 20..=42 | 50..=99)
            && value(&digits[5..7]) > 0
            && (text.len() == 13 || 97 - number % 97 == u64::from(value(&digits[13..])))
    })
}

/// A number of a Dutch citizen; eight digits have lost their zero.
#[must_use]
pub fn is_nl_bsn(text: &[u8]) -> bool {
    let mut whole = [b'0'; 9];
    match text.len() {
        9 => whole.copy_from_slice(text),
        8 => whole[1..].copy_from_slice(text),
        _ => return false,
    }
    digits::<9>(&whole).is_some_and(|digits| {
        let sum = weighted(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]);
        value(&digits) > 0 && (sum + 11 - digits[8]) % 11 == 0
    })
}

/// A number of a Belgian; who was born since 2000 has a 2 in front for the sum. Months above 20 are those of registers.
#[must_use]
pub fn is_be_nrn(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|digits| {
        let (number, key) = (long_value(&digits[..9]), u64::from(value(&digits[9..])));
        let sum = [number, number + 2_000_000_000].iter().any(|number| 97 - number % 97 == key);
        number > 0 && value(&digits[2..4]) % 20 <= 12 && value(&digits[4..6]) <= 31 && sum
    })
}

/// A social insurance number of Austria: serial, check digit, day; a 13th month where days ran out.
#[must_use]
pub fn is_at_svnr(text: &[u8]) -> bool {
    digits::<10>(text).is_some_and(|digits| {
        let (day, month) = (value(&digits[4..6]), value(&digits[6..8]));
        digits[0] != 0
            && (is_short_day(value(&digits[8..]), month, day) || (matches!(month, 13..=15) && day <= 31))
            && weighted(&digits, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 == digits[3]
    })
}

/// A number of a person in Ireland: seven digits, a check letter, since 2013 one letter more.
#[must_use]
pub fn is_ie_pps(text: &[u8]) -> bool {
    let (Some(number), Some(letters)) = (text.get(..7).and_then(digits::<7>), text.get(7..)) else {
        return false;
    };
    let (check, more) = match letters {
        [check] | [check, b'W' | b'T' | b'X'] => (check, 0),
        [check, more @ (b'A' | b'B' | b'H')] => (check, u32::from(more - b'A') + 1),
        _ => return false,
    };
    let sum = weighted(&number, &[8, 7, 6, 5, 4, 3, 2]) + more * 9;
    b"WABCDEFGHIJKLMNOPQRSTUV"[sum as usize % 23] == *check
}

/// A number of a person in Luxembourg: day, serial, Luhn's digit and Verhoeff's.
#[must_use]
pub fn is_lu_id(text: &[u8]) -> bool {
    digits::<13>(text).is_some_and(|digits| {
        let verhoeff = digits[..11].iter().chain(&digits[12..]).copied();
        is_day(value(&digits[..4]), value(&digits[4..6]), value(&digits[6..8]))
            && is_luhn_of(&digits[..12])
            && is_verhoeff(verhoeff)
    })
}

/// A national insurance number of the United Kingdom.
#[must_use]
pub fn is_uk_nino(text: &[u8]) -> bool {
    let Ok([first, second, number @ .., last]): Result<&[u8; 9], _> = text.try_into() else { return false };
    let letter = |byte: &u8| byte.is_ascii_uppercase() && !b"DFIQUV".contains(byte);
    letter(first)
        && letter(second)
        && *second != b'O'
        && !matches!(&[*first, *second], b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ")
        && number.iter().all(u8::is_ascii_digit)
        && matches!(last, b'A'..=b'D')
}

/// A number of a taxpayer of the United Kingdom.
#[must_use]
pub fn is_uk_utr(text: &[u8]) -> bool {
    digits::<10>(text).is_some_and(|digits| {
        let sum = weighted(&digits[1..], &[6, 7, 8, 9, 10, 5, 4, 3, 2]);
        [2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1][sum as usize % 11] == digits[0]
    })
}

/// A number of a person in Switzerland: 756, and the check digit of bar codes.
#[must_use]
pub fn is_ch_ahv(text: &[u8]) -> bool {
    digits::<13>(text).is_some_and(|digits| {
        digits[..3] == [7, 5, 6] && weighted(&digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 == 0
    })
}
