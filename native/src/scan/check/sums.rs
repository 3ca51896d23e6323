//! Stage 3 of 7, redact: the sums that many numbers share. Thread: caller.

/// The values of exactly `N` ASCII digits.
#[must_use]
pub fn digits<const N: usize>(text: &[u8]) -> Option<[u32; N]> {
    let text: &[u8; N] = text.try_into().ok()?;
    text.iter().all(u8::is_ascii_digit).then(|| text.map(|byte| u32::from(byte - b'0')))
}

/// The number that some digits are.
#[must_use]
pub fn value(digits: &[u32]) -> u32 {
    digits.iter().fold(0u32, |value, digit| value.wrapping_mul(10).wrapping_add(*digit))
}

/// The same for up to 19 digits.
#[must_use]
pub fn long_value(digits: &[u32]) -> u64 {
    digits.iter().fold(0u64, |value, digit| value.wrapping_mul(10).wrapping_add(u64::from(*digit)))
}

/// Sum of the digits, each times its weight.
#[must_use]
pub fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// Luhn's sum over ASCII digits is a multiple of ten.
#[must_use]
pub fn is_luhn(digits: &[u8]) -> bool {
    let values = digits.iter().rev().map(|byte| u32::from(byte.wrapping_sub(b'0')));
    luhn_sum(values).is_some_and(|sum| sum % 10 == 0)
}

/// The same over values; the last one is the check digit.
#[must_use]
pub fn is_luhn_of(digits: &[u32]) -> bool {
    luhn_sum(digits.iter().rev().copied()).is_some_and(|sum| sum % 10 == 0)
}

fn luhn_sum(from_the_end: impl Iterator<Item = u32>) -> Option<u32> {
    from_the_end.enumerate().try_fold(0, |sum, (place, digit)| match (digit, place % 2) {
        (10.., _) => None,
        (_, 0) => Some(sum + digit),
        (5.., _) => Some(sum + digit * 2 - 9),
        _ => Some(sum + digit * 2),
    })
}

/// ISO 7064, mod 11,10; the last one is the check digit.
#[must_use]
pub fn is_mod_11_10(digits: &[u32]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let rest = body.iter().fold(10, |rest, digit| {
        let sum = (rest + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - rest) % 10 == *check
}

/// Verhoeff's check over the digits; the last one is the check digit.
#[must_use]
pub fn is_verhoeff(digits: impl DoubleEndedIterator<Item = u32>) -> bool {
    let rest = digits.rev().enumerate().fold(0, |rest: usize, (place, digit)| {
        let turned = (0..place % 8).fold(digit as usize % 10, |digit, _| VERHOEFF_TURN[digit]);
        dihedral(rest, turned)
    });
    rest == 0
}

const VERHOEFF_TURN: [usize; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

/// Product in the group of the symmetries of a pentagon.
const fn dihedral(left: usize, right: usize) -> usize {
    match (left < 5, right < 5) {
        (true, true) => (left + right) % 5,
        (true, false) => (left + right) % 5 + 5,
        (false, true) => (left + 5 - right) % 5 + 5,
        (false, false) => (left + 5 - right) % 5,
    }
}
