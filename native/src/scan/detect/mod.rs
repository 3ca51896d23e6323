//! Stage 3 of 7, redact: the detectors, from anchors to findings. Thread: caller.
//!
//! Each takes the [`Context`] and appends to [`Findings`]. Each is linear in the text: it walks anchors or keywords, and
//! from one of them no further than a bound.

pub mod credentials;
pub mod vendors;

use crate::scan::context::Context;
use crate::scan::finding::Findings;

/// Runs every detector.
pub(super) fn all(context: &Context<'_>, findings: &mut Findings<'_>) {
    vendors::detect(context, findings);
    credentials::detect(context, findings);
}
