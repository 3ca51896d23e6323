//! Stage 3 of 7, redact: numbers of persons and companies in America. Thread: caller.

use crate::scan::check::sums::{digits, is_luhn, value, weighted};

/// A social security number of the United States: no checksum, but parts that are never zero.
#[must_use]
pub fn is_ssn(text: &[u8]) -> bool {
    digits::<9>(text).is_some_and(|digits| {
        !matches!(value(&digits[..3]), 0 | 666 | 900..)
            && value(&digits[3..5]) != 0
            && value(&digits[5..]) != 0
            && digits.iter().any(|digit| *digit != digits[0])
            // Printed on samples, and never given again.
            && !matches!(value(&digits), 78_051_120 | 219_099_999 | 123_456_789)
    })
}

/// A taxpayer number of the United States (ITIN, ATIN).
#[must_use]
pub fn is_itin(text: &[u8]) -> bool {
    digits::<9>(text)
        .is_some_and(|digits| digits[0] == 9 && matches!(value(&digits[3..5]), 50..=65 | 70..=88 | 90..=99))
}

/// An employer number of the United States: a prefix that a campus gives.
#[must_use]
pub fn is_ein(text: &[u8]) -> bool {
    digits::<9>(text).is_some_and(|digits| {
        !matches!(
            value(&digits[..2]),
            0 | 7..=9 | 17..=19 | 28 | 29 | 49 | 69 | 70 | 78 | 79 | 89 | 96 | 97
        )
    })
}

/// A social insurance number of Canada.
#[must_use]
pub fn is_ca_sin(text: &[u8]) -> bool {
    text.len() == 9 && !matches!(text[0], b'0' | b'8') && is_luhn(text)
}

/// A number of a person in Brazil (CPF).
#[must_use]
pub fn is_br_cpf(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|digits| {
        let check = |count: usize| {
            let weights = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2];
            (11 - weighted(&digits[..count], &weights[10 - count..]) % 11) % 11 % 10
        };
        digits.iter().any(|digit| *digit != digits[0]) && check(9) == digits[9] && check(10) == digits[10]
    })
}

/// A number of a company in Brazil (CNPJ): digits, since 2026 capitals in all but the last two places too.
#[must_use]
pub fn is_br_cnpj(text: &[u8]) -> bool {
    let Ok(text): Result<&[u8; 14], _> = text.try_into() else { return false };
    let allowed = text[..12].iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
        && text[12..].iter().all(u8::is_ascii_digit);
    if !allowed || text.iter().all(|byte| *byte == text[0]) {
        return false;
    }
    let values = text.map(|byte| u32::from(byte - b'0'));
    let check = |count: usize| {
        let weights = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
        (11 - weighted(&values[..count], &weights[13 - count..]) % 11) % 11 % 10
    };
    check(12) == values[12] && check(13) == values[13]
}
