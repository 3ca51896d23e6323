//! Stage 3 of 7, redact: card numbers. Thread: caller.

use crate::scan::check::sums::is_luhn;

/// A card number: issuer, length and Luhn's sum.
#[must_use]
pub fn is_pan(digits: &[u8]) -> bool {
    (12..=19).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && is_issued(leading(digits), digits.len())
        && is_luhn(digits)
        && digits.iter().any(|digit| *digit != digits[0])
}

/// The first four digits.
fn leading(digits: &[u8]) -> u32 {
    digits.iter().take(4).fold(0, |value, digit| value * 10 + u32::from(digit - b'0'))
}

/// True when an issuer with these first four digits has numbers of this length.
const fn is_issued(four: u32, length: usize) -> bool {
    match four {
        // Visa
        4000..=4999 => matches!(length, 13 | 16 | 19),
        // Mastercard
        5100..=5599 | 2221..=2720 => length == 16,
        // American Express
        3400..=3499 | 3700..=3799 => length == 15,
        // Diners Club
        3600..=3699 | 3800..=3999 | 3000..=3059 => length >= 14,
        // JCB, UnionPay, Discover
        3528..=3589 | 6200..=6299 | 8100..=8199 | 6011 | 6440..=6599 => length >= 16,
        // Maestro
        5000..=5099 | 5600..=5899 | 6000..=6999 => true,
        _ => false,
    }
}

/// True of the ranges of Maestro that belong to nobody else: so wide that a word must speak for the number.
#[must_use]
pub fn is_maestro(digits: &[u8]) -> bool {
    digits.len() >= 12
        && match leading(digits) {
            5000..=5099 | 5600..=5899 => true,
            6011 | 6200..=6299 | 6440..=6599 => false,
            four => four / 1000 == 6,
        }
}
