//! Stage 3 of 7, redact: which numbers behind a `+` can be dialled. Thread: caller.

/// The codes of two digits; those that begin with 1 or 7 have one digit, all others three (ITU-T E.164, annex).
const TWO: &[u8] =
    b"20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 \
    81 82 84 86 90 91 92 93 94 95 98";
/// How codes of three digits begin.
const THREE: &[u8] = b"21 22 23 24 25 26 29 35 37 38 42 50 59 67 68 69 80 85 87 88 96 97 99";

/// True of a code that is given out, with as many digits in all as its numbers have.
#[must_use]
pub fn is_dialled(first: u8, second: u8, digits: usize) -> bool {
    let within = |codes: &[u8]| codes.chunks(3).any(|code| code.starts_with(&[first, second]));
    match first {
        b'1' | b'7' => digits == 11,
        _ if within(TWO) => (9..=15).contains(&digits),
        _ => within(THREE) && (8..=15).contains(&digits),
    }
}
