//! Stage 3 of 7, redact: finds codes of banks and their branches, and the account behind one. Thread: caller.

use crate::scan::check::bank::is_bic;
use crate::scan::context::Context;
use crate::scan::detect::follow::value_after;
use crate::scan::finding::Findings;
use crate::scan::keywords::Hit;
use crate::scan::kind::Kind;

/// How far behind a sort code the number of the account may stand.
const ACCOUNT_BYTES: usize = 32;

/// `BIC: DEUTDEFFXXX`
pub(super) fn bic(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let start = value_after(context.text, hit.end as usize);
    let rest = context.text.get(start..).unwrap_or_default();
    let length = rest.iter().take(12).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if start > hit.end as usize && is_bic(&rest[..length]) {
        findings.push(start, start + length, Kind::SwiftBic, "bic.keyword");
    }
}

/// `sort code 20-00-00`, and eight digits behind it: no other pair of numbers looks like an account in Britain.
pub(super) fn sort_code(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let text = context.text;
    let start = value_after(text, hit.end as usize);
    let Some(end) = sort_code_end(text, start).filter(|_| start > hit.end as usize) else { return };
    findings.push(start, end, Kind::UkSortCode, "sort-code.keyword");
    let near = text.get(end..text.len().min(end + ACCOUNT_BYTES)).unwrap_or_default();
    let Some(first) = near.iter().position(u8::is_ascii_digit) else { return };
    let digits = text[end + first..].iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
    let glued = context.before(end + first).is_ascii_alphanumeric();
    if digits == 8 && !glued && !context.byte(end + first + digits).is_ascii_alphanumeric() {
        findings.push(end + first, end + first + digits, Kind::BankAccount, "sort-code.account");
    }
}

/// The end of `200000`, `20-00-00` or `20 00 00`.
#[must_use]
pub(super) fn sort_code_end(text: &[u8], start: usize) -> Option<usize> {
    let separator = text.get(start + 2).copied().filter(|byte| matches!(byte, b'-' | b' '));
    let mut at = start;
    for group in 0..3 {
        if group > 0 && separator.is_some() {
            at += usize::from(text.get(at) == separator.as_ref());
        }
        let digits = text.get(at..at + 2)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        at += 2;
    }
    let whole = at - start == 6 + if separator.is_some() { 2 } else { 0 };
    let glued = text.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (whole && !glued).then_some(at)
}
