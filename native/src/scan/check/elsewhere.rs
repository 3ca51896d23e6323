//! Stage 3 of 7, redact: numbers of persons in India and Australia. Thread: caller.

use crate::scan::check::sums::{digits, is_verhoeff, weighted};

/// A number of a resident of India.
#[must_use]
pub fn is_in_aadhaar(text: &[u8]) -> bool {
    digits::<12>(text).is_some_and(|digits| {
        digits[0] >= 2 && digits.iter().any(|digit| *digit != digits[0]) && is_verhoeff(digits.into_iter())
    })
}

/// A number of a taxpayer of India: five letters, of which the fourth is the kind of holder, four digits, a letter.
#[must_use]
pub fn is_in_pan(text: &[u8]) -> bool {
    text.len() == 10
        && text.iter().enumerate().all(|(place, byte)| match place {
            3 => b"ABCFGHJLPTK".contains(byte),
            5..=8 => byte.is_ascii_digit(),
            _ => byte.is_ascii_uppercase(),
        })
        && &text[5..9] != b"0000"
}

/// A tax file number of Australia.
#[must_use]
pub fn is_au_tfn(text: &[u8]) -> bool {
    let nine = digits::<9>(text).is_some_and(|digits| {
        digits.iter().any(|digit| *digit != 0) && weighted(&digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 == 0
    });
    nine || digits::<8>(text)
        .is_some_and(|digits| digits[0] != 0 && weighted(&digits, &[10, 7, 8, 4, 6, 3, 5, 1]) % 11 == 0)
}

/// A Medicare number of Australia, with or without the place of the person on the card.
#[must_use]
pub fn is_au_medicare(text: &[u8]) -> bool {
    let ten = if text.len() == 11 { &text[..10] } else { text };
    text.iter().all(u8::is_ascii_digit)
        && digits::<10>(ten).is_some_and(|digits| {
            (2..=6).contains(&digits[0])
                && weighted(&digits[..8], &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == digits[8]
                && digits[9] != 0
        })
}
