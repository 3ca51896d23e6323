//! Stage 3 of 7, redact: finds tokens that have the shape of one vendor. Thread: caller.

use crate::scan::context::Context;
use crate::scan::finding::Findings;

/// Appends what it finds.
pub fn detect(context: &Context<'_>, findings: &mut Findings<'_>) {
    let _ = (context, findings);
}
