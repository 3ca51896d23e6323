//! Stage 6 of 7, export: when the senders of one exporter may send, shared by all of them. Thread: sender.
//!
//! The endpoint, not a block, is what fails: its backoff is one for all threads, a `Retry-After` pauses all of
//! them, and while it is failing only one thread at a time probes it. The first answer lets all go on. How many may
//! send while it works, how far apart and how much, [`Flow`] learns from its answers.

use super::flow::{Bounds, Flow, Heard};
use super::retry;
use crate::settings::RetrySettings;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a thread looks again while another one probes, or while as many send as may.
const POLL: Duration = Duration::from_millis(100);
/// People hear of the same kind of trouble at most this often.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// The shared state of an exporter's senders.
#[derive(Debug)]
pub struct Pace {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    flow: Flow,
    /// Senders that hold blocks, and those of them that are inside an attempt.
    holding: usize,
    attempting: usize,
    /// Failed attempts since the last answer; 0 while the endpoint works.
    failures: u32,
    /// Number of the next failure for the backoff; runs ahead of `failures` after a `Retry-After`.
    backoff: u32,
    /// When the first of these failed.
    failing_since: Option<Instant>,
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
    /// What the flow had been told by then.
    cuts: u32,
    began: Instant,
}

/// Whether a thread may send now.
#[derive(Debug)]
pub enum Permit {
    /// Yes.
    Go(Ticket),
    /// No; ask again after this time.
    Wait(Duration),
}

impl Default for Pace {
    fn default() -> Self {
        Self::new()
    }
}

// Tickets are taken by value so that each is handed back once.
#[allow(clippy::needless_pass_by_value)]
impl Pace {
    /// An endpoint that is presumed to work, and to take what there is as fast as it comes.
    #[must_use]
    pub fn new() -> Self {
        Self::following(Flow::fixed(Bounds {
            in_flight: usize::MAX,
            request_bytes: usize::MAX,
            timeout: None,
        }))
    }

    /// An endpoint that is presumed to work, and decides how fast.
    #[must_use]
    pub fn following(flow: Flow) -> Self {
        let state = State {
            failing_since: None,
            flow,
            holding: 0,
            attempting: 0,
            failures: 0,
            backoff: 0,
            not_before: None,
            probing: false,
            announced: false,
            unreachable: Gate::default(),
            rejected: Gate::default(),
            partial: Gate::default(),
        };
        Self { state: Mutex::new(state) }
    }

    /// How requests are sent now.
    #[must_use]
    pub fn flow(&self) -> Flow {
        self.lock().flow.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time for which taking another block makes no sense; `None` when a sender may go on.
    #[must_use]
    pub fn closed_for(&self, now: Instant) -> Option<Duration> {
        let mut state = self.lock();
        state.flow.recover(now);
        let holding = state.holding;
        state.wait(now, holding)
    }

    /// A sender took a block. Answers how many bytes of waiting blocks should go with it, its own included: none unless
    /// requests are slow and no other sender may take them.
    pub fn hold(&self) -> usize {
        let mut state = self.lock();
        state.holding += 1;
        let alone = state.holding >= state.flow.limit();
        if alone && state.flow.is_slow() {
            state.flow.request_bytes()
        } else {
            0
        }
    }

    /// The sender is done with what it took.
    pub fn let_go(&self) {
        let mut state = self.lock();
        state.holding = state.holding.saturating_sub(1);
    }

    /// Size above which a request is split before it is sent.
    #[must_use]
    pub fn split_above(&self) -> usize {
        self.lock().flow.split_above()
    }

    /// Asks for one attempt.
    pub fn enter(&self, now: Instant) -> Permit {
        let mut state = self.lock();
        let attempting = state.attempting;
        if let Some(wait) = state.wait(now, attempting) {
            return Permit::Wait(wait);
        }
        let probe = state.failures > 0;
        state.probing = probe;
        state.attempting += 1;
        state.flow.begin(now);
        Permit::Go(Ticket { failures: state.failures, probe, cuts: state.flow.cuts(), began: now })
    }

    /// What the attempt with a request of `bytes` says about the receiver; before the ticket goes back.
    pub fn learn(&self, ticket: &Ticket, heard: Heard, bytes: usize, now: Instant) {
        let took = now.saturating_duration_since(ticket.began);
        self.lock().flow.learn(heard, ticket.cuts, took, bytes, now);
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
        state.failing_since = None;
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
        state.failing_since.get_or_insert(now);
        // A run that was too close to the last one to be told is told once it outlasts the interval.
        if state.announced || state.unreachable.pass(now, 0).is_none() {
            return false;
        }
        state.announced = true;
        true
    }

    /// For how long attempts have failed; zero while the endpoint works.
    #[must_use]
    pub fn failing_for(&self, now: Instant) -> Duration {
        self.lock().failing_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
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
    /// Time for which nothing more may begin while `busy` senders are at it; `None`: it may.
    fn wait(&self, now: Instant, busy: usize) -> Option<Duration> {
        let throttled = self.not_before.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let wait = throttled.max(self.flow.wait(now));
        let taken = self.probing || busy >= self.flow.limit();
        Some(wait).filter(|wait| !wait.is_zero()).or_else(|| taken.then_some(POLL))
    }

    fn give_back(&mut self, ticket: &Ticket) {
        self.attempting = self.attempting.saturating_sub(1);
        if ticket.probe {
            self.probing = false;
        }
    }
}
