//! Stage 7 of 7, settle: what sealing and sending cost, for self-observability. Threads: sealer and senders write, any reads.
//!
//! Two clock reads per block and per request, none on the caller's path. Finished operations wait here for somebody who
//! asks for them; when nobody does, the newest are kept and the others counted.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Operations kept of one exporter when nobody asks.
const KEEP: usize = 1024;

/// One request, with all its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// From the first attempt to the decision.
    pub duration: Duration,
    /// Status of the last answer; 0 when there was none.
    pub status: u16,
    /// Empty: the request was taken. Else a status code or a word of `export::http`.
    pub error: Cow<'static, str>,
    /// Records in the request.
    pub records: u64,
}

#[derive(Debug, Default)]
struct Finished {
    operations: VecDeque<Operation>,
    left_out: u64,
}

/// What one exporter's senders did.
#[derive(Debug, Default)]
pub struct SendMeter {
    nanos: AtomicU64,
    finished: Mutex<Finished>,
    rejected: Mutex<BTreeMap<Cow<'static, str>, u64>>,
}

impl SendMeter {
    /// Runs one attempt and adds its time.
    pub fn time<T>(&self, attempt: impl FnOnce() -> T) -> T {
        timed(&self.nanos, attempt)
    }

    /// Nanoseconds inside attempts, of all threads together.
    #[must_use]
    pub fn nanos(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed)
    }

    /// Remembers a finished operation.
    pub fn finished(&self, operation: Operation) {
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        if finished.operations.len() == KEEP {
            finished.operations.pop_front();
            finished.left_out += 1;
        }
        finished.operations.push_back(operation);
    }

    /// Counts records that were refused for good, or that no request could hold, by the kind of failure; `rejected`
    /// for those that a partial success leaves out.
    pub fn rejected(&self, error: Cow<'static, str>, records: u64) {
        *self.rejected.lock().unwrap_or_else(PoisonError::into_inner).entry(error).or_default() += records;
    }

    /// The counts of [`Self::rejected`] since the start.
    #[must_use]
    pub fn rejections(&self) -> BTreeMap<Cow<'static, str>, u64> {
        self.rejected.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The operations finished since the last call, oldest first, and how many older ones are not among them.
    pub fn take(&self) -> (Vec<Operation>, u64) {
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = std::mem::take(&mut finished.left_out);
        (finished.operations.drain(..).collect(), left_out)
    }
}

/// What the sealer did.
#[derive(Debug, Default)]
pub struct SealMeter {
    nanos: AtomicU64,
    records: AtomicU64,
}

impl SealMeter {
    /// Seals one chunk and adds its time and `records`.
    pub fn time<T>(&self, records: u64, seal: impl FnOnce() -> T) -> T {
        self.records.fetch_add(records, Ordering::Relaxed);
        timed(&self.nanos, seal)
    }

    /// Nanoseconds spent sealing, and records sealed.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        (self.nanos.load(Ordering::Relaxed), self.records.load(Ordering::Relaxed))
    }
}

fn timed<T>(nanos: &AtomicU64, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    nanos.fetch_add(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    result
}
