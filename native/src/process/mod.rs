//! Stage 1 of 7, emit: the built-in processors, which decide how much is logged. Thread: caller.
//!
//! A call that passed the gate meets them in this order, as early as what they look at is known:
//!
//! | processor | looks at | refuses as |
//! |---|---|---|
//! | [`sampling`] | severity, span | `sampled` |
//! | [`first_occurrence`] | scope, template | `repeated` |
//! | [`rate_limit`] | scope, template | `rate_limited` |
//! | [`dedupe`] | the redacted record; behind stage 3 | `deduplicated` |
//!
//! The template is the message as the call gives it, before anything is formatted into it. A kept record carries how
//! many it stands for ([`WEIGHT_KEY`]). Time and randomness come from outside, so that tests decide about both.

pub mod dedupe;
pub mod first_occurrence;
pub mod hash;
pub mod lru;
pub mod rate_limit;
pub mod sampling;
pub mod summaries;

use crate::ledger::Refusal;
use crate::record::fields::TraceFields;
use crate::settings::Settings;
use dedupe::{Dedupe, DedupeSettings};
use first_occurrence::{FirstOccurrence, FirstOccurrenceSettings};
use hash::{random_number, HashKey};
use rate_limit::{RateLimit, RateLimitSettings};
use sampling::{Sampler, SamplingSettings};

/// Attribute of a record that stands for others too: for how many, itself included.
pub const WEIGHT_KEY: &str = "fapilog.sampling.weight";

/// Settings of all processors; `None`: that one is off.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessSettings {
    /// Which share of the records is kept.
    pub sampling: Option<SamplingSettings>,
    /// One record of each template per interval.
    pub first_occurrence: Option<FirstOccurrenceSettings>,
    /// So many records of one template per second.
    pub rate_limit: Option<RateLimitSettings>,
    /// Equal records become one.
    pub dedupe: Option<DedupeSettings>,
}

/// What is known of a call before its record is captured.
#[derive(Debug, Clone, Copy)]
pub struct CallFacts<'a> {
    /// OTel severity number, 0 when unspecified.
    pub severity: u8,
    /// The span that the record belongs to.
    pub span: Option<&'a TraceFields>,
    /// Hash of scope and template, from [`Processors::template`].
    pub template: u64,
}

/// The processors of one pipeline.
#[derive(Debug)]
pub struct Processors {
    key: HashKey,
    sampler: Option<Sampler>,
    first_occurrence: Option<FirstOccurrence>,
    rate_limit: Option<RateLimit>,
    dedupe: Option<Dedupe>,
}

impl Processors {
    /// The processors that are on, with new keys and seeds; `None`: all are off.
    #[must_use]
    pub fn new(settings: &ProcessSettings) -> Option<Self> {
        (*settings != ProcessSettings::default()).then(|| Self {
            key: HashKey::random(),
            sampler: settings.sampling.map(|sampling| Sampler::new(sampling, random_number())),
            first_occurrence: settings.first_occurrence.map(FirstOccurrence::new),
            rate_limit: settings.rate_limit.map(RateLimit::new),
            dedupe: settings.dedupe.map(Dedupe::new),
        })
    }

    /// As [`Self::new`]; with a flight recorder there are some that do nothing, because calls have to be looked at.
    #[must_use]
    pub fn of(settings: &Settings) -> Option<Self> {
        let idle = || Self {
            key: HashKey::random(),
            sampler: None,
            first_occurrence: None,
            rate_limit: None,
            dedupe: None,
        };
        Self::new(&settings.process).or_else(|| settings.recorder.is_some().then(idle))
    }

    /// True when none of them is on.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.sampler.is_none() && self.dedupe.is_none() && !self.looks_at_templates()
    }

    /// The hash that stands for a template of a scope.
    #[inline]
    #[must_use]
    pub fn template(&self, scope: u32, text: &[u8]) -> u64 {
        self.key.hash(u64::from(scope), text)
    }

    /// The hash of a template that has several parts.
    #[inline]
    #[must_use]
    pub fn further(&self, template: u64, part: &[u8]) -> u64 {
        self.key.hash(template, part)
    }

    /// True when templates count: without, nobody needs to hash them.
    #[inline]
    #[must_use]
    pub fn looks_at_templates(&self) -> bool {
        self.first_occurrence.is_some() || self.rate_limit.is_some()
    }

    /// How many records the record of this call stands for, or why it is refused. `now` is asked only if time counts.
    #[inline]
    pub fn admit(&self, call: &CallFacts<'_>, now: impl FnOnce() -> u64) -> Result<f64, Refusal> {
        let mut weight = match &self.sampler {
            Some(sampler) => sampler.admit(call.severity, call.span)?,
            None => 1.0,
        };
        if self.looks_at_templates() {
            let now = now();
            if let Some(first) = &self.first_occurrence {
                weight = first.admit(call.template, now, weight)?;
            }
            if let Some(limit) = &self.rate_limit {
                weight = limit.admit(call.template, now, weight)?;
            }
        }
        Ok(weight)
    }

    /// Dedupe, when it is on.
    #[inline]
    #[must_use]
    pub fn dedupe(&self) -> Option<&Dedupe> {
        self.dedupe.as_ref()
    }

    /// The hash of what makes a record equal to others, from its body and attributes as they were encoded.
    #[inline]
    #[must_use]
    pub fn identity(&self, scope: u32, severity: u8, content: &[u8]) -> u64 {
        self.key.hash(u64::from(scope) << 8 | u64::from(severity), content)
    }
}
