//! Stage 3 of 7, redact: finds passwords, cookies, headers and whatever else opens a door. Thread: caller.

use crate::scan::context::Context;
use crate::scan::finding::Findings;
use crate::scan::kind::Kind;
use crate::scan::words::Words;

/// Appends what it finds.
pub fn detect(context: &Context<'_>, findings: &mut Findings<'_>) {
    let _ = (context, findings);
}

/// The kind that the whole value under a key has, if its name says so: `db.password`, `cookie`, `x-api-key`; none of
/// `password_policy`, `token_count`, `auth.method`.
#[must_use]
pub fn whole_value(name: &str, words: Words) -> Option<Kind> {
    let _ = (name, words);
    None
}

/// True of what stands in a secret's place without being one: `***`, `<password>`, `${DB_PASSWORD}`, `[FILTERED]`, `null`.
#[must_use]
pub fn is_placeholder(value: &[u8]) -> bool {
    value.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-'))
}
