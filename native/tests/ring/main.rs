//! The crash ring, and what it, buffer and spool keep together when processes die.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may fail.

#[path = "../shared/core.rs"]
mod core;
#[path = "../shared/disks.rs"]
mod disks;
#[path = "../shared/mortal.rs"]
mod mortal;
#[path = "../shared/places.rs"]
mod places;
#[path = "../shared/rings.rs"]
mod rings;
#[path = "../shared/sending.rs"]
mod sending;
#[path = "../shared/serving.rs"]
mod serving;
#[path = "../shared/wiring.rs"]
mod wiring;

mod durability_cost;
mod durability_model;
mod ring_cost;
mod ring_damage;
mod ring_left;
mod ring_model;
mod ring_torn;
