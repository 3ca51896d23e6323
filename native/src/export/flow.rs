//! Stage 6 of 7, export: how many requests at once, how far apart and how large: from what came of the last ones. Thread: any.
//!
//! A state machine without clock, thread or lock; [`super::pace`] and Python's delivery loop ask it. It starts as fast as
//! its bounds allow and yields to a receiver that says so (429, `Retry-After`), takes too long, or finds a request too large:
//!
//! | what happened | requests at once | gap between them | size of a request |
//! |---|---|---|---|
//! | throttled | halved, 1 at least | doubled, if something was taken since the last time; no longer than the pause it asked for | |
//! | unavailable (503) | the second time in a row: halved, 1 at least | | |
//! | no answer in time | halved, 1 at least | | halved |
//! | too large | | | halved, and not tried again for ten minutes |
//! | taken | one more after four rounds | an eighth less; near the last bad gap 1/64 | doubled, if it took a quarter of the timeout at most |
//! | 30 s without trouble | all | none | |
//!
//! Requests that began before a cut say nothing about what it was for. A 503 now and then is one bad server behind a
//! balancer: fewer requests would only lose more, and backoff is enough.

// Requests at once are few, or so many that there is no bound: a double holds both.
#![allow(clippy::cast_precision_loss)]

use std::time::{Duration, Instant};

/// The first gap; shorter ones than half of it are none.
const FIRST_GAP: Duration = Duration::from_millis(20);
/// The longest gap: slower than this is what `Retry-After` and backoff are for.
pub const LARGEST_GAP: Duration = Duration::from_secs(5);
/// Without trouble for so long, the receiver is presumed to be as good as new.
pub const RECOVERY: Duration = Duration::from_secs(30);
/// A size that was refused is not tried again before.
const REFUSAL_MEMORY: Duration = Duration::from_secs(600);
/// No request is made smaller than this, in bytes before compression.
pub const SMALLEST_REQUEST_BYTES: usize = 64 * 1024;
/// Rounds of good answers until one more request goes out at once.
const ROUNDS: f64 = 4.0;
/// A request that takes longer is worth to be filled: putting blocks together costs about 5 ms per MiB.
const SLOW: Duration = Duration::from_millis(50);
/// Stands for an attempt without a timeout.
const USUAL_TIMEOUT: Duration = Duration::from_secs(10);

/// What the end of one attempt says about the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The request was taken.
    Taken,
    /// It wants fewer requests, and perhaps a pause of this length.
    Throttled(Option<Duration>),
    /// It takes nothing just now, whatever the rate.
    Unavailable,
    /// It did not answer in time.
    TimedOut,
    /// It takes smaller requests.
    TooLarge,
    /// Nothing: nobody was there, or the answer is about the records.
    Nothing,
}

/// What a flow stays within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Requests at once at most; at least 1.
    pub in_flight: usize,
    /// Largest request, in bytes before compression.
    pub request_bytes: usize,
    /// Time for one attempt; `None`: no limit.
    pub timeout: Option<Duration>,
}

/// How one exporter sends now.
#[derive(Debug, Clone)]
pub struct Flow {
    bounds: Bounds,
    /// Whether anything changes at all.
    adapts: bool,
    limit: f64,
    gap: Duration,
    /// The gap at which the receiver last complained.
    bad_gap: Duration,
    request_bytes: usize,
    refused: Option<(usize, Instant)>,
    /// Smoothed time of a request.
    took: Duration,
    not_before: Option<Instant>,
    /// The last time at which less was wanted; `None`: nothing is cut.
    trouble: Option<Instant>,
    /// Nothing was taken since the receiver last refused a request: the pauses that it asks for, and backoff, are enough.
    complained: bool,
    cuts: u32,
}

impl Flow {
    /// As fast as `bounds` allow.
    #[must_use]
    pub const fn new(bounds: Bounds) -> Self {
        Self::starting(bounds, true)
    }

    /// Always as fast as `bounds` allow.
    #[must_use]
    pub const fn fixed(bounds: Bounds) -> Self {
        Self::starting(bounds, false)
    }

    const fn starting(bounds: Bounds, adapts: bool) -> Self {
        let in_flight = if bounds.in_flight == 0 { 1 } else { bounds.in_flight };
        Self {
            adapts,
            limit: in_flight as f64,
            gap: Duration::ZERO,
            bad_gap: Duration::ZERO,
            request_bytes: bounds.request_bytes,
            refused: None,
            took: Duration::ZERO,
            not_before: None,
            trouble: None,
            complained: false,
            cuts: 0,
            bounds: Bounds { in_flight, ..bounds },
        }
    }

    /// Requests at once, now.
    #[must_use]
    pub const fn limit(&self) -> usize {
        // From 1 to `bounds.in_flight`, whatever happened.
        self.limit as usize
    }

    /// Time from the start of a request to the start of the next.
    #[must_use]
    pub const fn gap(&self) -> Duration {
        self.gap
    }

    /// Largest request to put blocks together for, now; in bytes before compression.
    #[must_use]
    pub const fn request_bytes(&self) -> usize {
        self.request_bytes
    }

    /// Size above which a request is split before it is sent; no limit while nothing is cut. A little more than
    /// [`Self::request_bytes`], so that headers do not split a block in two.
    #[must_use]
    pub const fn split_above(&self) -> usize {
        if self.request_bytes >= self.bounds.request_bytes {
            usize::MAX
        } else {
            self.request_bytes.saturating_add(self.request_bytes / 16)
        }
    }

    /// Number of the times that less was wanted: a request keeps it from its start to its end.
    #[must_use]
    pub const fn cuts(&self) -> u32 {
        self.cuts
    }

    /// Whether a request costs so much that waiting blocks should share one.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.adapts && (self.took >= SLOW || !self.gap.is_zero() || self.limit() < self.bounds.in_flight)
    }

    /// How long no request may begin yet.
    #[must_use]
    pub fn wait(&self, now: Instant) -> Duration {
        self.not_before.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// A request begins: the next one has to keep the distance.
    pub fn begin(&mut self, now: Instant) {
        self.recover(now);
        self.not_before = if self.gap.is_zero() { None } else { now.checked_add(self.gap) };
    }

    /// How a request of `bytes` ended that began at cut number `cuts`, after `took`.
    pub fn learn(&mut self, heard: Heard, cuts: u32, took: Duration, bytes: usize, now: Instant) {
        match heard {
            Heard::Taken => self.taken(cuts, took, bytes, now),
            Heard::Throttled(pause) => self.throttled(cuts, pause, now),
            Heard::Unavailable => self.unavailable(cuts, now),
            Heard::TimedOut => self.timed_out(cuts, bytes, now),
            Heard::TooLarge => self.too_large(bytes, now),
            Heard::Nothing => {}
        }
    }

    /// A request of `bytes` that began at cut number `cuts` was taken after `took`.
    pub fn taken(&mut self, cuts: u32, took: Duration, bytes: usize, now: Instant) {
        self.recover(now);
        self.took = if self.took.is_zero() { took } else { (self.took * 7 + took) / 8 };
        if !self.adapts || cuts != self.cuts {
            return;
        }
        self.complained = false;
        self.limit = (self.limit + 1.0 / (ROUNDS * self.limit)).min(self.bounds.in_flight as f64);
        let near = self.gap < self.bad_gap * 5 / 4;
        self.gap -= self.gap / if near { 64 } else { 8 };
        if self.gap < FIRST_GAP / 2 {
            self.gap = Duration::ZERO;
        }
        let timeout = self.bounds.timeout.unwrap_or(USUAL_TIMEOUT);
        if took <= timeout / 4 && bytes >= self.request_bytes / 2 {
            self.request_bytes = self.request_bytes.saturating_mul(2).min(self.ceiling(now));
        }
    }

    /// The receiver wants fewer requests, and asked for `pause` if it said so.
    pub fn throttled(&mut self, cuts: u32, pause: Option<Duration>, now: Instant) {
        if !self.cut(cuts, now) || std::mem::replace(&mut self.complained, true) {
            return;
        }
        self.bad_gap = self.gap;
        self.gap = (self.gap * 2).clamp(FIRST_GAP, LARGEST_GAP).min(pause.unwrap_or(LARGEST_GAP));
        self.not_before = self.not_before.max(now.checked_add(self.gap));
    }

    /// The receiver took nothing and did not say why.
    pub fn unavailable(&mut self, cuts: u32, now: Instant) {
        if std::mem::replace(&mut self.complained, true) {
            self.cut(cuts, now);
        }
    }

    /// A request of `bytes` was not answered in time.
    pub fn timed_out(&mut self, cuts: u32, bytes: usize, now: Instant) {
        if self.cut(cuts, now) {
            self.shrink(bytes);
        }
    }

    /// A request of `bytes` was refused for its size.
    pub fn too_large(&mut self, bytes: usize, now: Instant) {
        if self.adapts {
            let known = self.refused.filter(|(_, until)| now < *until).map_or(usize::MAX, |(size, _)| size);
            self.refused = now.checked_add(REFUSAL_MEMORY).map(|until| (bytes.min(known), until));
            self.shrink(bytes);
        }
    }

    /// Halves what may be at once. False when that was done since the request began.
    fn cut(&mut self, cuts: u32, now: Instant) -> bool {
        if !self.adapts || cuts != self.cuts {
            return false;
        }
        self.cuts = self.cuts.wrapping_add(1);
        self.limit = (self.limit / 2.0).max(1.0);
        self.trouble = Some(now);
        true
    }

    fn shrink(&mut self, bytes: usize) {
        let smallest = SMALLEST_REQUEST_BYTES.min(self.bounds.request_bytes);
        self.request_bytes = (bytes / 2).clamp(smallest, self.request_bytes.max(smallest));
    }

    /// What `request_bytes` may grow to.
    fn ceiling(&self, now: Instant) -> usize {
        let refused = self.refused.filter(|(_, until)| now < *until);
        refused.map_or(self.bounds.request_bytes, |(bytes, _)| {
            (bytes - bytes / 8).clamp(self.request_bytes, self.bounds.request_bytes)
        })
    }

    /// Forgets trouble that is long ago.
    pub fn recover(&mut self, now: Instant) {
        if self.trouble.is_some_and(|last| now.saturating_duration_since(last) >= RECOVERY) {
            self.trouble = None;
            self.limit = self.bounds.in_flight as f64;
            self.gap = Duration::ZERO;
            self.bad_gap = Duration::ZERO;
        }
    }
}
