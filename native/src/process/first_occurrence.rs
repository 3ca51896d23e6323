//! Stage 1 of 7, emit: only the first record of each template, per interval or for good. Thread: caller.

use super::lru::LruTable;
use crate::ledger::Refusal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Settings of first occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstOccurrenceSettings {
    /// How long one record stands for all of its template; `None`: as long as the process lives.
    pub interval: Option<Duration>,
    /// Templates remembered; the least recently used is forgotten, and new when it comes back.
    pub max_templates: usize,
}

#[derive(Debug, Default)]
struct Seen {
    /// Until when, in nanoseconds, others of this template are refused; 0: never seen.
    until: u64,
    /// What they stand for.
    refused: f64,
}

/// The templates seen by one pipeline.
#[derive(Debug)]
pub struct FirstOccurrence {
    interval_nanos: u64,
    seen: Mutex<LruTable<Seen>>,
}

impl FirstOccurrence {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(settings: FirstOccurrenceSettings) -> Self {
        let nanos = settings.interval.map(|interval| u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX));
        Self {
            interval_nanos: nanos.unwrap_or(u64::MAX),
            seen: Mutex::new(LruTable::new(settings.max_templates)),
        }
    }

    /// How many records the first of an interval stands for with those refused in the one before, or that it is not
    /// the first.
    #[inline]
    pub fn admit(&self, template: u64, now_nanos: u64, weight: f64) -> Result<f64, Refusal> {
        let mut table = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = table.entry(template, Seen::default);
        if now_nanos < seen.until {
            seen.refused += weight;
            return Err(Refusal::Repeated);
        }
        seen.until = now_nanos.saturating_add(self.interval_nanos);
        Ok(weight + std::mem::take(&mut seen.refused))
    }
}
