//! Stage 1 of 7, emit: which records a sample keeps, the same ones of a trace everywhere. Thread: caller.
//!
//! OpenTelemetry's consistent probability sampling: the least significant 56 bits of the trace id are its randomness;
//! a trace is kept where they reach the threshold. So every service with the same ratio keeps the same traces, one with a
//! smaller ratio a part of them, and a record is kept together with the others of its trace.

use crate::ledger::Refusal;
use crate::record::fields::TraceFields;
use std::sync::atomic::{AtomicU64, Ordering};

/// 2^56: how many values randomness has.
const RANGE: u64 = 1 << 56;

/// What decides about a record inside of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InSpan {
    /// The ratio, by the trace id.
    TraceId,
    /// The span's sampled flag: records of sampled spans are kept, and only those.
    SampledFlag,
}

/// What decides about a record outside of any span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutsideSpan {
    /// The ratio, by a random number.
    Ratio,
    /// Nothing: it is kept.
    Keep,
}

/// Settings of sampling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplingSettings {
    /// Share of the traces that is kept, 0 to 1.
    pub ratio: f64,
    /// Severity from which on every record is kept; above 24: none is for its severity.
    pub keep_severity: u8,
    /// Inside of spans.
    pub in_span: InSpan,
    /// Outside of spans.
    pub outside_span: OutsideSpan,
}

/// The sampler of one pipeline.
#[derive(Debug)]
pub struct Sampler {
    settings: SamplingSettings,
    threshold: u64,
    weight: f64,
    random: AtomicU64,
}

impl Sampler {
    /// A sampler whose random numbers follow from `seed`.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a weight needs no 56 bits
    pub fn new(settings: SamplingSettings, seed: u64) -> Self {
        let threshold = threshold(settings.ratio);
        // What is kept with a share of 0 does not stand for others.
        let weight = if threshold < RANGE { RANGE as f64 / (RANGE - threshold) as f64 } else { 1.0 };
        Self { settings, threshold, weight, random: AtomicU64::new(seed) }
    }

    /// How many records this one stands for, or that it is not kept.
    #[inline]
    pub fn admit(&self, severity: u8, span: Option<&TraceFields>) -> Result<f64, Refusal> {
        if severity >= self.settings.keep_severity {
            return Ok(1.0);
        }
        let randomness = match (span, self.settings.in_span, self.settings.outside_span) {
            (Some(span), InSpan::SampledFlag, _) => {
                return if span.is_sampled() { Ok(1.0) } else { Err(Refusal::Sampled) };
            }
            (Some(span), InSpan::TraceId, _) => randomness(span),
            (None, _, OutsideSpan::Keep) => return Ok(1.0),
            (None, _, OutsideSpan::Ratio) => self.next_random() >> 8,
        };
        if randomness >= self.threshold {
            Ok(self.weight)
        } else {
            Err(Refusal::Sampled)
        }
    }

    /// The next number of the `SplitMix64` sequence: equally distributed, and no lock.
    fn next_random(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut number = self.random.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }
}

/// Randomness below this is not kept (OTel: the rejection threshold of a probability).
#[must_use]
#[allow(clippy::cast_precision_loss)] // a power of two is exact
pub fn threshold(ratio: f64) -> u64 {
    RANGE - (ratio.clamp(0.0, 1.0) * RANGE as f64).round() as u64
}

/// The least significant 56 bits of the trace id.
fn randomness(span: &TraceFields) -> u64 {
    let id = span.trace_id();
    id[id.len() - 7..].iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}
