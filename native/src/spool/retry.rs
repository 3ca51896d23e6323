//! Stage 6 of 7, export: when to try the disk again after an error. Threads: as the spool. Pure; time comes in.
//!
//! While the disk fails, the application goes on in memory. The disk is tried again after pauses that double, with
//! jitter, so that many processes on one disk do not come back in step. A run of failures is worth one notice at its
//! beginning and one at its end.

use std::time::Duration;

/// Doublings after which a pause no longer grows.
const MAX_DOUBLINGS: u32 = 20;

/// The state of one disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
    since_nanos: u64,
    until_nanos: u64,
}

/// A run of failures that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// How often the disk failed.
    pub failures: u32,
    /// How long it took.
    pub lasted: Duration,
}

impl Backoff {
    /// A disk that works. The pause after the first failure is at most `first`; later ones double up to `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0, since_nanos: 0, until_nanos: 0 }
    }

    /// Whether the disk may be used at `now_nanos`, of a clock that does not go back.
    #[must_use]
    pub const fn may_try(&self, now_nanos: u64) -> bool {
        self.failures == 0 || now_nanos >= self.until_nanos
    }

    /// Notes a failure. True when it is the first of its run, which is worth a notice.
    ///
    /// `random` is uniform in 0..1; the pause lies between half of its ceiling and the ceiling.
    pub fn failed(&mut self, now_nanos: u64, random: f64) -> bool {
        let random = if random.is_finite() { random.clamp(0.0, 1.0) } else { 1.0 };
        let doubled = self.first.saturating_mul(1 << self.failures.min(MAX_DOUBLINGS)).min(self.longest);
        let pause = doubled.mul_f64(random.mul_add(0.5, 0.5));
        let is_first = self.failures == 0;
        if is_first {
            self.since_nanos = now_nanos;
        }
        self.failures = self.failures.saturating_add(1);
        self.until_nanos = now_nanos.saturating_add(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX));
        is_first
    }

    /// Notes a success; what it ended, if the disk failed before.
    pub fn succeeded(&mut self, now_nanos: u64) -> Option<Recovered> {
        let failures = std::mem::take(&mut self.failures);
        let lasted = Duration::from_nanos(now_nanos.saturating_sub(self.since_nanos));
        (failures > 0).then_some(Recovered { failures, lasted })
    }
}
