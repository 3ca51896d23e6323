//! The spool: its format and store on simulated disks, and pipelines that keep blocks in it.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may fail.

#[path = "../shared/core.rs"]
mod core;
#[path = "../shared/disks.rs"]
mod disks;
#[path = "../shared/places.rs"]
mod places;
#[path = "../shared/processes.rs"]
mod processes;
#[path = "../shared/sending.rs"]
mod sending;
#[path = "../shared/serving.rs"]
mod serving;
#[path = "../shared/wiring.rs"]
mod wiring;

mod spool_adopting;
mod spool_crypt;
mod spool_format;
mod spool_hanging;
mod spool_keys;
mod spool_model;
mod spool_names;
mod spool_recovery;
mod spool_root;
mod spool_rounds;
mod spool_store;
mod spool_survey;
mod spool_weak_points;
mod spooling;
