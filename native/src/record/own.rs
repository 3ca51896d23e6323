//! Stage 2 of 7, capture: the names of attributes that fapilog itself gives records. Thread: any.
//!
//! Rules about names, and what leaves out all that nobody allowed, pass over these, and over no other name that looks
//! like them: `fapilog.user.ssn`, `FAPILOG.sequence` and `fapilog.tag.x` are the user's. What somebody writes under such a
//! name is looked at for sensitive values as any other value is.

/// What only stage 3 writes: whoever logs cannot, see [`is_note`].
const NOTES: [&str; 4] = ["fapilog.dropped_keys", "fapilog.redacted", "fapilog.sealed", "fapilog.truncated"];

/// What other stages and the package for `FastAPI` write: numbers, flags and words of their own. What quotes others, such as
/// `fapilog.http.detail` and bodies, is not here.
const OTHERS: [&str; 34] = [
    "fapilog.application.phase",
    "fapilog.application.seconds",
    "fapilog.asyncio.blocked_seconds",
    "fapilog.before_sequence",
    "fapilog.compliance.category",
    "fapilog.compliance.clause",
    "fapilog.compliance.demand",
    "fapilog.compliance.field",
    "fapilog.compliance.profile",
    "fapilog.compliance.records",
    "fapilog.correlation_id",
    "fapilog.dedupe.count",
    "fapilog.event.category",
    "fapilog.event.severity",
    "fapilog.flight_recorder",
    "fapilog.flight_recorder_evicted",
    "fapilog.http.cause",
    "fapilog.http.client_disconnected",
    "fapilog.http.requests_under_way.count",
    "fapilog.http.server.request.duration",
    "fapilog.http.slow",
    "fapilog.lost.not_awaited",
    "fapilog.lost.overflow_newest",
    "fapilog.lost.overflow_oldest",
    "fapilog.lost.shed",
    "fapilog.lost.wait_timeout",
    "fapilog.sampling.weight",
    "fapilog.sequence",
    "fapilog.suppressed",
    "fapilog.validation.error_count",
    "fapilog.warning.category",
    "fapilog.websocket.close_code",
    "fapilog.websocket.received_messages",
    "fapilog.websocket.sent_messages",
];

/// Whether fapilog gives records an attribute of exactly this name.
#[must_use]
pub fn is_ours(name: &str) -> bool {
    OTHERS.contains(&name) || is_note(name)
}

/// Whether an attribute of this name says what redaction did.
#[inline]
#[must_use]
pub fn is_note(name: &str) -> bool {
    name.starts_with("fapilog.") && NOTES.contains(&name)
}
