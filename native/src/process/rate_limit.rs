//! Stage 1 of 7, emit: at most so many records of one template per second. Thread: caller.
//!
//! A token bucket for each scope and template. A bucket is one number, the time at which it will be full again: each
//! record moves that by the time one token takes, and passes if a token was there. It needs no timer and no fractions.

use super::lru::LruTable;
use crate::ledger::Refusal;
use std::sync::{Mutex, PoisonError};

/// Settings of the rate limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimitSettings {
    /// Tokens that a bucket gains per second.
    pub records_per_second: f64,
    /// Tokens that a full bucket holds.
    pub burst: u64,
    /// Buckets kept; the least recently used leaves, and is full when it comes back.
    pub max_templates: usize,
}

#[derive(Debug, Default)]
struct Bucket {
    /// When the bucket is full again, in nanoseconds.
    full_at: u64,
    /// What the records refused since the last one that passed stand for.
    refused: f64,
}

/// The buckets of one pipeline.
#[derive(Debug)]
pub struct RateLimit {
    /// Time in which a bucket gains one token, in nanoseconds.
    token_nanos: u64,
    /// How far in the future `full_at` may lie for a token to be there.
    reach_nanos: u64,
    buckets: Mutex<LruTable<Bucket>>,
}

impl RateLimit {
    /// Buckets that are all full.
    #[must_use]
    pub fn new(settings: RateLimitSettings) -> Self {
        // Never 0: a rate beyond one record per nanosecond is no limit.
        let token_nanos = (1e9 / settings.records_per_second).clamp(1.0, 1e18) as u64;
        Self {
            token_nanos,
            reach_nanos: token_nanos.saturating_mul(settings.burst.max(1) - 1),
            buckets: Mutex::new(LruTable::new(settings.max_templates)),
        }
    }

    /// How many records a record of this weight stands for with those refused before it, or that there is no token.
    #[inline]
    pub fn admit(&self, template: u64, now_nanos: u64, weight: f64) -> Result<f64, Refusal> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(template, Bucket::default);
        let full_at = bucket.full_at.max(now_nanos);
        if full_at - now_nanos > self.reach_nanos {
            bucket.refused += weight;
            return Err(Refusal::RateLimited);
        }
        bucket.full_at = full_at.saturating_add(self.token_nanos);
        Ok(weight + std::mem::take(&mut bucket.refused))
    }
}
