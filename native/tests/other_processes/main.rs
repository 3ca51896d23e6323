//! Tests that start processes, fork and kill. They have a program of their own: between fork and exec a child holds every
//! lock of its parent, and only these tests wait for that to pass.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may fail.

#[path = "../shared/rings.rs"]
mod rings;

mod ring_kill;
mod ring_store;
mod spool_disk;
