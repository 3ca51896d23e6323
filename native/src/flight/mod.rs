//! Stage 4 of 7, append: the flight recorder keeps records below the level per trace, until the trace fails. Thread: caller.
//!
//! Before: `redact`, which every kept record has passed. After: nothing, or stages 3 and 4 again, as a record that is
//! exported. What a trace kept goes on when it logs an error, fails, is slow, or somebody asks; its later records go on
//! at once. The end of the trace throws the rest away. Without the setting there is no recorder, and no call knows of it.

pub mod store;

use crate::clock::monotonic_nanos;
use crate::pipeline::Pipeline;
use crate::redact::Redacted;
use crate::rules::Levels;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::{Counts, Limits, Store, Taken};

/// Attribute of a record that was below the level: why it was exported.
pub const REASON_KEY: &str = "fapilog.flight_recorder";
/// Attribute of a record that was kept first: the sequence number that the next exported record got at the time.
pub const BEFORE_KEY: &str = "fapilog.before_sequence";
/// Attribute of the first record of a trace that was kept: how many older ones the limits had pushed out.
pub const EVICTED_KEY: &str = "fapilog.flight_recorder_evicted";

/// Severity from which a record of a trace lets the others out: ERROR.
pub const ERROR: u8 = 17;
/// No severity reaches it: nothing is recorded.
pub const NEVER: u8 = u8::MAX;

/// Marks the id of a scope whose record is to be kept.
const KEPT: u32 = 1 << 31;
/// Marks the id of a scope whose record goes on at once, because its trace failed before.
const LATE: u32 = 1 << 30;

/// What stage 1 decided about a record below the level. It travels in the scope's id, which has room, so that a call
/// without a recorder carries nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Not below the level: the recorder has nothing to do with it.
    Ordinary,
    /// To be kept.
    Kept,
    /// To be exported at once.
    Late,
}

impl Fate {
    /// The scope's id with the fate in it.
    #[must_use]
    pub const fn mark(self, scope: u32) -> u32 {
        match self {
            Self::Ordinary => scope,
            Self::Kept => scope | KEPT,
            Self::Late => scope | LATE,
        }
    }

    /// The fate, and the id without it.
    #[must_use]
    pub const fn of(marked: u32) -> (Self, u32) {
        let fate = match (marked & KEPT, marked & LATE) {
            (0, 0) => Self::Ordinary,
            (0, _) => Self::Late,
            _ => Self::Kept,
        };
        (fate, marked & !(KEPT | LATE))
    }
}

/// Why a trace's records are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// It logged a record of ERROR or above.
    Error,
    /// Its local root span ended with an error.
    Failed,
    /// Its local root span took longer than the limit.
    Slow,
    /// Somebody asked for it.
    Asked,
}

impl Trigger {
    /// The value of [`REASON_KEY`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Failed => "failed",
            Self::Slow => "slow",
            Self::Asked => "asked",
        }
    }

    /// The trigger of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Error, Self::Failed, Self::Slow, Self::Asked].into_iter().find(|each| each.name() == name)
    }
}

/// What the recorder keeps, and how much of it.
#[derive(Debug, Clone)]
pub struct FlightSettings {
    /// Severities from which records are kept, by scope.
    pub levels: Levels,
    /// How much is kept.
    pub limits: Limits,
}

impl Pipeline {
    /// Stage 4: what is kept of records below the level; `None`: the flight recorder is off.
    #[inline]
    #[must_use]
    pub fn recorder(&self) -> Option<&FlightRecorder> {
        self.recorder.as_ref()
    }

    /// Keeps a record below the level for its trace. True: the trace has failed meanwhile, and what it kept should go on.
    #[must_use]
    pub fn record(&self, trace: u128, record: &Redacted<'_>, scope: u32) -> bool {
        let before = self.buffer().next_sequence();
        self.recorder().is_some_and(|recorder| recorder.keep(trace, record, scope, before, monotonic_nanos()))
    }
}

/// The recorder of one pipeline.
#[derive(Debug)]
pub struct FlightRecorder {
    levels: Levels,
    store: Mutex<Store>,
    /// Traces that failed and have not ended: mostly none, and then nobody looks for one.
    triggered: AtomicUsize,
    closed: AtomicBool,
}

impl FlightRecorder {
    /// An empty recorder.
    #[must_use]
    pub fn new(settings: &FlightSettings) -> Self {
        Self {
            levels: settings.levels.clone(),
            store: Mutex::new(Store::new(settings.limits)),
            triggered: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// The severity from which records of a scope are kept.
    #[must_use]
    pub fn floor(&self, scope: &str) -> u8 {
        self.levels.threshold(scope)
    }

    /// Keeps a record of a trace. True: the trace has failed meanwhile, and what it kept should go on.
    pub fn keep(&self, trace: u128, record: &Redacted<'_>, scope: u32, before: u64, now_nanos: u64) -> bool {
        if self.closed.load(Ordering::Acquire) {
            return false;
        }
        let mut store = self.lock();
        store.keep(trace, record.without_number(), (record.meta(), scope, before), now_nanos);
        let triggered = store.trigger(trace).is_some();
        self.note(&store);
        triggered
    }

    /// Why the records of a trace go on at once; `None`: they are kept.
    #[must_use]
    pub fn trigger(&self, trace: u128) -> Option<Trigger> {
        if self.triggered.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.lock().trigger(trace)
    }

    /// Takes what a trace kept, oldest first; from now on its records go on at once. `None`: it kept nothing.
    pub fn take(&self, trace: u128, trigger: Trigger, now_nanos: u64) -> Option<Taken> {
        if self.closed.load(Ordering::Acquire) {
            return None;
        }
        let mut store = self.lock();
        let taken = store.take(trace, trigger, now_nanos);
        self.note(&store);
        taken
    }

    /// A local root span of a trace began.
    pub fn begin(&self, trace: u128, now_nanos: u64) {
        if !self.closed.load(Ordering::Acquire) {
            let mut store = self.lock();
            store.begin(trace, now_nanos);
            self.note(&store);
        }
    }

    /// A local root span of a trace ended; with the last one, what the trace kept is thrown away.
    pub fn end(&self, trace: u128) {
        let mut store = self.lock();
        store.end(trace);
        self.note(&store);
    }

    /// What is kept now, and what became of everything else.
    #[must_use]
    pub fn counts(&self, now_nanos: u64) -> Counts {
        let mut store = self.lock();
        store.expire(now_nanos);
        self.note(&store);
        store.counts()
    }

    /// Throws away what is kept, and keeps nothing more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let mut store = self.lock();
        store.clear();
        self.note(&store);
    }

    fn note(&self, store: &Store) {
        self.triggered.store(store.triggered(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
