//! Stage 6 of 7, export: how long to wait before the next attempt. Thread: sender. Pure functions, no clock.
//!
//! Exponential backoff with full jitter: the pause is uniform between zero and a ceiling that doubles, so that
//! many processes that lost the same server do not come back to it in step. A server's `Retry-After` is a floor
//! under that pause, and the ceiling goes on growing from it.

use crate::settings::RetrySettings;
use std::time::Duration;

/// Attempts after which the ceiling no longer doubles; 2^32 times any pause is beyond every maximum.
const MAX_DOUBLINGS: u32 = 32;

/// The pause after failure number `attempt` (the first is 0).
///
/// `after` is the answer's `Retry-After`: the pause is never shorter than it, up to
/// `settings.max_retry_after`. `random` is uniform in 0..1.
#[must_use]
pub fn pause(attempt: u32, after: Option<Duration>, settings: &RetrySettings, random: f64) -> Duration {
    let floor = after.unwrap_or_default().min(settings.max_retry_after);
    let random = if random.is_finite() { random.clamp(0.0, 1.0) } else { 1.0 };
    floor.saturating_add(ceiling(attempt, settings).mul_f64(random))
}

/// The number of the next failure after failure `attempt`, which carried `after`.
///
/// Normally one more; after a `Retry-After`, at least as many as it takes the ceiling to outgrow it.
#[must_use]
pub fn next_attempt(attempt: u32, after: Option<Duration>, settings: &RetrySettings) -> u32 {
    let target = after.unwrap_or_default().min(settings.max_backoff);
    let mut next = attempt.saturating_add(1);
    while next < MAX_DOUBLINGS && ceiling(next, settings) < target {
        next += 1;
    }
    next
}

/// The longest pause that failure number `attempt` can lead to without a `Retry-After`.
fn ceiling(attempt: u32, settings: &RetrySettings) -> Duration {
    let factor = 1u32.checked_shl(attempt.min(MAX_DOUBLINGS)).unwrap_or(u32::MAX);
    settings.initial_backoff.saturating_mul(factor).min(settings.max_backoff)
}
