//! Stage 3 of 7, redact: behind it, equal records within a window become one with a count. Threads: caller, sealer.
//!
//! The first record goes on at once and opens a window. Its repeats are held back: the last one stays here, redacted
//! and framed; those before it are counted as refused. When the window ends the last one goes on with their number.
//! Nobody has to log for that: the sealer comes by.

use super::hash::Hashed;
use crate::redact::{Parked, Redacted};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Attribute of the record that stands for held back repeats: how many, itself included.
pub const COUNT_KEY: &str = "fapilog.dedupe.count";
/// Memory of held records, outside of the buffer's limit; beyond it windows end early.
const HELD_BYTES: usize = 4 * 1024 * 1024;

/// Settings of dedupe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DedupeSettings {
    /// How long a record's repeats are held back.
    pub window: Duration,
    /// Windows open at a time; beyond them the oldest ends early.
    pub max_windows: usize,
    /// Whether attributes count when records are compared.
    pub attributes: bool,
}

/// The last repeat of a record, on its way with the number of repeats.
#[derive(Debug)]
pub struct Summary {
    /// The record, without the number.
    pub last: Parked,
    /// Its scope.
    pub scope: u32,
    /// Repeats that it stands for, itself included.
    pub repeats: u64,
}

impl Summary {
    /// The record with the number.
    #[must_use]
    pub fn counted(&self) -> Parked {
        self.last.with_count(COUNT_KEY, self.repeats)
    }
}

/// What dedupe decided about a record.
#[derive(Debug)]
pub struct Answer {
    /// What happens to the record.
    pub verdict: Verdict,
    /// Of windows that had to end for it: the caller sends them on.
    pub ended: Vec<Summary>,
}

/// What happens to one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the first of its window and goes on.
    First,
    /// It is the first repeat of its window and is held back.
    Held,
    /// It is held back in place of the repeat before it, which is refused for good.
    HeldInstead,
}

#[derive(Debug)]
struct Window {
    /// In nanoseconds.
    ends_at: u64,
    repeats: u64,
    last: Option<(Parked, u32)>,
}

impl Window {
    fn summary(&mut self) -> Option<Summary> {
        let (last, scope) = self.last.take()?;
        Some(Summary { last, scope, repeats: std::mem::take(&mut self.repeats) })
    }
}

#[derive(Debug, Default)]
struct State {
    windows: HashMap<u64, Window, BuildHasherDefault<Hashed>>,
    /// Keys and ends in the order of the ends. A window that ended otherwise leaves its entry here, which no longer fits.
    order: VecDeque<(u64, u64)>,
    held_bytes: usize,
}

/// The open windows of one pipeline.
#[derive(Debug)]
pub struct Dedupe {
    settings: DedupeSettings,
    window_nanos: u64,
    state: Mutex<State>,
}

impl Dedupe {
    /// No window is open.
    #[must_use]
    pub fn new(settings: DedupeSettings) -> Self {
        let window_nanos = u64::try_from(settings.window.as_nanos()).unwrap_or(u64::MAX);
        Self { settings, window_nanos, state: Mutex::default() }
    }

    /// Whether attributes count when records are compared.
    #[must_use]
    pub fn compares_attributes(&self) -> bool {
        self.settings.attributes
    }

    /// How long a window is open.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.settings.window
    }

    /// Decides about a record, by the hash of what makes it equal to others.
    pub fn admit(&self, key: u64, record: &Redacted<'_>, scope: u32, now_nanos: u64) -> Answer {
        let mut guard = self.lock();
        let state = &mut *guard;
        let Some(window) = state.windows.get_mut(&key) else {
            let mut ended = Vec::new();
            if state.windows.len() >= self.settings.max_windows.max(1) {
                state.end_oldest(&mut ended);
            }
            state.open(key, now_nanos.saturating_add(self.window_nanos));
            return Answer { verdict: Verdict::First, ended };
        };
        if now_nanos >= window.ends_at {
            let ended = state.end(key).into_iter().collect();
            state.open(key, now_nanos.saturating_add(self.window_nanos));
            return Answer { verdict: Verdict::First, ended };
        }
        window.repeats += 1;
        let verdict = if let Some((last, last_scope)) = &mut window.last {
            state.held_bytes -= last.bytes();
            last.replace(record);
            *last_scope = scope;
            Verdict::HeldInstead
        } else {
            window.last = Some((record.park(), scope));
            Verdict::Held
        };
        state.held_bytes += record.frame().len();
        Answer { verdict, ended: state.make_room() }
    }

    /// The summaries of the windows that have ended; those without a repeat end silently.
    pub fn take_ended(&self, now_nanos: u64) -> Vec<Summary> {
        let mut state = self.lock();
        let mut ended = Vec::new();
        while let Some((key, ends_at)) = state.order.front().copied().filter(|(_, ends)| *ends <= now_nanos) {
            state.order.pop_front();
            if state.is_open(key, ends_at) {
                ended.extend(state.end(key));
            }
        }
        ended
    }

    /// What every window holds back now. The windows stay open.
    pub fn take_held(&self) -> Vec<Summary> {
        let mut state = self.lock();
        state.held_bytes = 0;
        let State { windows, order, .. } = &mut *state;
        order
            .iter()
            .filter_map(|(key, ends)| windows.get_mut(key).filter(|w| w.ends_at == *ends)?.summary())
            .collect()
    }

    /// When the next window ends, in nanoseconds.
    #[must_use]
    pub fn next_end(&self) -> Option<u64> {
        self.lock().order.front().map(|(_, ends_at)| *ends_at)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn open(&mut self, key: u64, ends_at: u64) {
        self.windows.insert(key, Window { ends_at, repeats: 0, last: None });
        self.order.push_back((key, ends_at));
    }

    fn is_open(&self, key: u64, ends_at: u64) -> bool {
        self.windows.get(&key).is_some_and(|window| window.ends_at == ends_at)
    }

    fn end(&mut self, key: u64) -> Option<Summary> {
        let summary = self.windows.remove(&key)?.summary()?;
        self.held_bytes -= summary.last.bytes();
        Some(summary)
    }

    /// Ends the oldest window. False when none is open.
    fn end_oldest(&mut self, ended: &mut Vec<Summary>) -> bool {
        while let Some((key, ends_at)) = self.order.pop_front() {
            if self.is_open(key, ends_at) {
                ended.extend(self.end(key));
                return true;
            }
        }
        false
    }

    /// Ends the oldest windows until what is held takes no more memory than it may.
    fn make_room(&mut self) -> Vec<Summary> {
        let mut ended = Vec::new();
        while self.held_bytes > HELD_BYTES && self.end_oldest(&mut ended) {}
        ended
    }
}
