//! Stage 3 of 7, redact: dates, in the orders that people write. Thread: caller.

/// Months by their first letters, in the languages of the vocabulary.
const MONTHS: &str =
    "jan feb mar apr may jun jul aug sep oct nov dec mä mai okt dez fé fev avr jui aoû aou dé ene \
    abr ago dic gen mag giu lug set ott out sty mrt mei maa maj lut kwi cze lip sie wrz paź lis gru";

/// The end of the date that starts at `at`, if one does: `1990-02-03`, `3.2.1990`, `02/03/90`, `19900203`, `3 February 1990`,
/// `Feb 3, 1990`. Its year is between 1900 and 2099.
#[must_use]
pub fn date_end(text: &[u8], at: usize) -> Option<usize> {
    let first = number(text, at);
    match first.digits {
        8 if is_compact(first.value) => Some(first.end),
        4 if is_year(first.value) => with_year_first(text, first.end),
        1 | 2 if (1..=31).contains(&first.value) => with_day_first(text, first.end),
        0 => with_month_first(text, at),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy)]
struct Number {
    value: u32,
    digits: usize,
    end: usize,
}

fn number(text: &[u8], at: usize) -> Number {
    let digits =
        text.get(at..).unwrap_or_default().iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
    let value = text[at.min(text.len())..(at + digits).min(text.len())]
        .iter()
        .fold(0, |value, byte| value * 10 + u32::from(byte - b'0'));
    Number { value, digits, end: at + digits }
}

const fn is_year(value: u32) -> bool {
    value >= 1900 && value <= 2099
}

/// `yyyymmdd`, `ddmmyyyy` or `mmddyyyy`.
fn is_compact(value: u32) -> bool {
    let day_month = |pair: u32| {
        let (high, low) = (pair / 100, pair % 100);
        (1..=31).contains(&high) && (1..=31).contains(&low) && (high <= 12 || low <= 12)
    };
    (is_year(value / 10_000) && day_month(value % 10_000))
        || (is_year(value % 10_000) && day_month(value / 10_000))
}

/// The byte behind one separator of dates.
fn separated(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let byte = *text.get(at)?;
    let space = usize::from(byte == b'.' && text.get(at + 1) == Some(&b' '));
    matches!(byte, b'-' | b'/' | b'.' | b' ').then_some((byte, at + 1 + space))
}

fn with_year_first(text: &[u8], at: usize) -> Option<usize> {
    let (separator, at) = separated(text, at)?;
    let month = number(text, at);
    if !(1..=2).contains(&month.digits) || month.value > 31 || text.get(month.end) != Some(&separator) {
        return None;
    }
    let day = number(text, month.end + 1);
    ((1..=2).contains(&day.digits) && day.value <= 31).then_some(day.end)
}

fn with_day_first(text: &[u8], at: usize) -> Option<usize> {
    let (separator, next) = separated(text, at).or_else(|| ordinal(text, at))?;
    let second = number(text, next);
    if (1..=2).contains(&second.digits) && separator != b' ' {
        let (_, third) = separated(text, second.end)?;
        return year_end(text, third);
    }
    let month = month_end(text, skip_of(text, next))?;
    year_end(text, skip_of(text, month))
}

/// `3rd of`, `1er`
fn ordinal(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let suffix = text.get(at..at + 2)?;
    let known =
        [&b"st"[..], b"nd", b"rd", b"th", b"er"].iter().any(|known| suffix.eq_ignore_ascii_case(known));
    (known && text.get(at + 2) == Some(&b' ')).then_some((b' ', at + 3))
}

/// Steps over `de `, `of `, commas, dashes and spaces.
fn skip_of(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let signs = rest.iter().take(2).take_while(|byte| matches!(byte, b' ' | b',' | b'-' | b'.')).count();
    let word = rest
        .get(signs..signs + 3)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"de ") || word.eq_ignore_ascii_case(b"of "));
    at + signs + if word { 3 } else { 0 }
}

fn with_month_first(text: &[u8], at: usize) -> Option<usize> {
    let day = number(text, skip_of(text, month_end(text, at)?));
    if !(1..=2).contains(&day.digits) {
        return None;
    }
    let behind = ordinal(text, day.end).map_or(day.end, |(_, end)| end - 1);
    year_end(text, skip_of(text, behind))
}

fn month_end(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let letters =
        rest.iter().take(14).take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count();
    let known = letters >= 3
        && MONTHS
            .split(' ')
            .map(str::as_bytes)
            .any(|month| rest[..month.len().min(letters)].eq_ignore_ascii_case(month));
    known.then_some(at + letters)
}

fn year_end(text: &[u8], at: usize) -> Option<usize> {
    let year = number(text, at);
    (year.digits == 2 || (year.digits == 4 && is_year(year.value))).then_some(year.end)
}
