//! Stage 3 of 7, redact: numbers of persons in the south of Europe. Thread: caller.

use crate::scan::check::days::is_short_day;
use crate::scan::check::sums::{digits, is_luhn_of, value, weighted};

const SPANISH: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// A number of a Spaniard: eight digits and the letter of their remainder.
#[must_use]
pub fn is_es_dni(text: &[u8]) -> bool {
    text.split_last().is_some_and(|(letter, number)| {
        digits::<8>(number).is_some_and(|digits| SPANISH[value(&digits) as usize % 23] == *letter)
    })
}

/// A number of a foreigner in Spain: X, Y or Z for the first digit.
#[must_use]
pub fn is_es_nie(text: &[u8]) -> bool {
    let Ok(mut text): Result<[u8; 9], _> = text.try_into() else { return false };
    let Some(first) = b"XYZ".iter().position(|letter| *letter == text[0]) else { return false };
    text[0] = b'0' + first as u8;
    is_es_dni(&text)
}

/// A number of a taxpayer of Portugal.
#[must_use]
pub fn is_pt_nif(text: &[u8]) -> bool {
    digits::<9>(text).is_some_and(|digits| {
        digits[0] != 0 && (11 - weighted(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11 % 10 == digits[8]
    })
}

/// A social security number of Greece.
#[must_use]
pub fn is_gr_amka(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|digits| {
        is_short_day(value(&digits[4..6]), value(&digits[2..4]), value(&digits[..2])) && is_luhn_of(&digits)
    })
}

/// Values of the symbols in odd places; digits count as the first ten letters.
const ODD: [u32; 26] =
    [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/// A fiscal code of Italy; digits may be letters where two persons would have the same code.
#[must_use]
pub fn is_it_cf(text: &[u8]) -> bool {
    let shaped = text.len() == 16
        && text.iter().zip(b"AAAAAANNMNNANNNA").all(|(byte, class)| match class {
            b'A' => byte.is_ascii_uppercase(),
            b'M' => b"ABCDEHLMPRST".contains(byte),
            _ => byte.is_ascii_digit() || (b'L'..=b'V').contains(byte) && *byte != b'O',
        });
    shaped && {
        let sum: u32 = text[..15]
            .iter()
            .enumerate()
            .map(|(place, byte)| {
                let value = if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' };
                if place % 2 == 0 {
                    ODD[usize::from(value)]
                } else {
                    u32::from(value)
                }
            })
            .sum();
        u32::from(text[15] - b'A') == sum % 26
    }
}
