//! Stage 6 of 7, export: when the senders of one exporter may send, shared by all of them. Thread: sender.
//!
//! The endpoint, not a block, is what fails: its backoff is one for all threads, a `Retry-After` pauses all of
//! them, and while it is failing only one thread at a time probes it. The first answer lets all go on.

use super::retry;
use crate::settings::RetrySettings;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a thread looks again while another one probes.
const PROBE_POLL: Duration = Duration::from_millis(100);
/// People hear of the same kind of trouble at most this often.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// The shared state of an exporter's senders.
#[derive(Debug, Default)]
pub struct Pace {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Failed attempts since the last answer; 0 while the endpoint works.
    failures: u32,
    /// Number of the next failure for the backoff; runs ahead of `failures` after a `Retry-After`.
    backoff: u32,
    not_before: Option<Instant>,
    probing: bool,
    /// This run of failures was told to people, so its end will be.
    announced: bool,
    unreachable: Gate,
    rejected: Gate,
    partial: Gate,
}

/// Lets one note through per interval and adds up what it held back.
#[derive(Debug, Default)]
struct Gate {
    last: Option<Instant>,
    held_records: u64,
}

impl Gate {
    fn pass(&mut self, now: Instant, records: u64) -> Option<u64> {
        self.held_records = self.held_records.saturating_add(records);
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < NOTE_EVERY) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_records))
    }
}

/// Permission for one attempt; goes back through `answered` or `failed`.
#[derive(Debug)]
#[must_use]
pub struct Ticket {
    /// Failures known when the attempt began: later ones make its own result old news.
    failures: u32,
    probe: bool,
}

/// Whether a thread may send now.
#[derive(Debug)]
pub enum Permit {
    /// Yes.
    Go(Ticket),
    /// No; ask again after this time.
    Wait(Duration),
}

// Tickets are taken by value so that each is handed back once.
#[allow(clippy::needless_pass_by_value)]
impl Pace {
    /// An endpoint that is presumed to work.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time for which taking another block makes no sense; `None` when a sender may go on.
    #[must_use]
    pub fn closed_for(&self, now: Instant) -> Option<Duration> {
        self.lock().wait(now)
    }

    /// Asks for one attempt.
    pub fn enter(&self, now: Instant) -> Permit {
        let mut state = self.lock();
        if let Some(wait) = state.wait(now) {
            return Permit::Wait(wait);
        }
        let probe = state.failures > 0;
        state.probing = probe;
        Permit::Go(Ticket { failures: state.failures, probe })
    }

    /// The endpoint answered. Returns the failed attempts before, when people know of them.
    pub fn answered(&self, ticket: Ticket) -> Option<u32> {
        let mut state = self.lock();
        state.give_back(&ticket);
        // An attempt from before the last failure says nothing about now, and must not lift a throttle.
        if ticket.failures != state.failures {
            return None;
        }
        let failures = std::mem::take(&mut state.failures);
        state.backoff = 0;
        state.not_before = None;
        std::mem::take(&mut state.announced).then_some(failures)
    }

    /// The endpoint did not take the request. True when people should hear of it.
    pub fn failed(
        &self,
        ticket: Ticket,
        after: Option<Duration>,
        now: Instant,
        settings: &RetrySettings,
        random: f64,
    ) -> bool {
        let mut state = self.lock();
        state.give_back(&ticket);
        let old_news = ticket.failures != state.failures;
        if old_news && after.is_none() {
            return false;
        }
        let pause = retry::pause(state.backoff, after, settings, random);
        state.not_before = state.not_before.max(now.checked_add(pause));
        if old_news {
            return false;
        }
        state.backoff = retry::next_attempt(state.backoff, after, settings);
        state.failures = state.failures.saturating_add(1);
        // A run that was too close to the last one to be told is told once it outlasts the interval.
        if state.announced || state.unreachable.pass(now, 0).is_none() {
            return false;
        }
        state.announced = true;
        true
    }

    /// Records that a server refused: how many to report now, if any.
    pub(super) fn note_rejected(&self, now: Instant, records: u64) -> Option<u64> {
        self.lock().rejected.pass(now, records)
    }

    /// As `note_rejected`, for partial successes (whose count may be zero: a warning).
    pub(super) fn note_partial(&self, now: Instant, records: u64) -> Option<u64> {
        self.lock().partial.pass(now, records)
    }
}

impl State {
    fn wait(&self, now: Instant) -> Option<Duration> {
        let throttled = self.not_before.map(|until| until.saturating_duration_since(now));
        throttled.filter(|wait| !wait.is_zero()).or_else(|| self.probing.then_some(PROBE_POLL))
    }

    fn give_back(&mut self, ticket: &Ticket) {
        if ticket.probe {
            self.probing = false;
        }
    }
}
