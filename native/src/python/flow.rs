//! Stage 6 of 7, export: how often an exporter in Python is called, by the state machine of native ones. Thread: delivery loop.

use crate::export::flow::{Bounds, Flow as Machine};
use pyo3::prelude::*;
use std::time::{Duration, Instant};

/// Calls at once, and the gap between them. Times are seconds of the caller's clock.
#[pyclass(module = "fapilog._native")]
pub struct Flow {
    machine: Machine,
    origin: Instant,
}

impl Flow {
    fn at(&self, now: f64) -> Instant {
        let since = Duration::try_from_secs_f64(now.max(0.0)).unwrap_or_default();
        self.origin.checked_add(since).unwrap_or(self.origin)
    }
}

#[pymethods]
impl Flow {
    #[new]
    #[pyo3(signature = (max_in_flight, *, adapts = true))]
    fn new(max_in_flight: usize, adapts: bool) -> Self {
        let bounds = Bounds { in_flight: max_in_flight, request_bytes: usize::MAX, timeout: None };
        let machine = if adapts { Machine::new(bounds) } else { Machine::fixed(bounds) };
        Self { machine, origin: Instant::now() }
    }

    fn limit(&self) -> usize {
        self.machine.limit()
    }

    fn gap(&self) -> f64 {
        self.machine.gap().as_secs_f64()
    }

    fn wait(&self, now: f64) -> f64 {
        self.machine.wait(self.at(now)).as_secs_f64()
    }

    fn begin(&mut self, now: f64) -> u32 {
        self.machine.begin(self.at(now));
        self.machine.cuts()
    }

    fn taken(&mut self, ticket: u32, seconds: f64, now: f64) {
        let took = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
        self.machine.taken(ticket, took, 0, self.at(now));
    }

    fn throttled(&mut self, ticket: u32, pause: f64, now: f64) {
        // "At once" names no pause.
        let pause = Duration::try_from_secs_f64(pause.max(0.0)).ok().filter(|pause| !pause.is_zero());
        self.machine.throttled(ticket, pause, self.at(now));
    }

    fn timed_out(&mut self, ticket: u32, now: f64) {
        self.machine.timed_out(ticket, 0, self.at(now));
    }
}
