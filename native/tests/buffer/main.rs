//! Stages 1 and 4 to 6 in memory: processors, buffer, sealer, backlog, flight recorder.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may fail.

#[path = "../shared/core.rs"]
mod core;
#[path = "../shared/records.rs"]
mod records;
#[path = "../shared/sending.rs"]
mod sending;
#[path = "../shared/serving.rs"]
mod serving;
#[path = "../shared/wiring.rs"]
mod wiring;

mod backlog_model;
mod buffer_model;
mod buffer_threads;
mod dedupe;
mod flight_store;
mod process;
mod recency;
mod rules;
mod seal;
