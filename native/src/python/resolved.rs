//! Stage 1 of 7, emit: what a logger knows of its pipeline. Thread: caller.

use super::active::Active;
use super::flight::Gate;
use std::sync::Arc;
use std::time::Instant;

/// A threshold that no severity reaches.
pub const CLOSER: u8 = u8::MAX;

/// What a logger looked up under one generation.
pub struct Resolved {
    pub generation: u64,
    /// The severity floor; [`CLOSER`]: more than a comparison decides, see `Logger::look_closer`.
    pub threshold: u8,
    /// The severity below which a comparison decides all there is to decide and there is a pipeline; else 0, which filters
    /// nothing. With a flight recorder it is lower than the threshold.
    pub plain: u8,
    pub scope: u32,
    pub active: Option<Arc<Active>>,
    /// What decides where a comparison does not.
    pub gate: Gate,
    /// When a time box ends, and the rules have to be looked up again.
    pub until: Option<Instant>,
}

impl Resolved {
    /// Nothing was looked up yet.
    pub const NOTHING: Self = Self {
        generation: 0,
        threshold: 0,
        plain: 0,
        scope: 0,
        active: None,
        gate: Gate::UNKNOWN,
        until: None,
    };
}
