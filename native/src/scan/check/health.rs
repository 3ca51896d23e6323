//! Stage 3 of 7, redact: numbers of health care. Thread: caller.

use crate::scan::check::sums::{digits, is_luhn, weighted};

/// A provider number of the United States.
#[must_use]
pub fn is_npi(text: &[u8]) -> bool {
    let mut whole = *b"808400000000000";
    text.len() == 10 && matches!(text[0], b'1' | b'2') && {
        whole[5..].copy_from_slice(text);
        is_luhn(&whole)
    }
}

/// A prescriber number of the United States: two letters (or a letter and 9), seven digits.
#[must_use]
pub fn is_dea(text: &[u8]) -> bool {
    let Some((kind, rest)) = text.split_first() else { return false };
    let Some((name, number)) = rest.split_first() else { return false };
    let registrant = b"ABCDEFGHJKLMPRSTUX".contains(kind) && (name.is_ascii_uppercase() || *name == b'9');
    registrant
        && digits::<7>(number).is_some_and(|digits| weighted(&digits, &[1, 2, 1, 2, 1, 2]) % 10 == digits[6])
}

/// A Medicare number of the United States: each place has its class, letters without S, L, O, I, B, Z.
#[must_use]
pub fn is_mbi(text: &[u8]) -> bool {
    let letter = |byte: u8| byte.is_ascii_uppercase() && !b"SLOIBZ".contains(&byte);
    text.len() == 11
        && text.iter().zip(b"CAENAENAANN").all(|(byte, class)| match class {
            b'C' => matches!(byte, b'1'..=b'9'),
            b'A' => letter(*byte),
            b'E' => letter(*byte) || byte.is_ascii_digit(),
            _ => byte.is_ascii_digit(),
        })
}

/// A number of the National Health Service.
#[must_use]
pub fn is_nhs(text: &[u8]) -> bool {
    digits::<10>(text).is_some_and(|digits| {
        let rest = weighted(&digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        digits.iter().any(|digit| *digit != digits[0]) && (11 - rest) % 11 == digits[9]
    })
}
