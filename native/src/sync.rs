//! The locks of stages 4 to 7: std's, or with the feature `shuttle` those of a scheduler that tries orders of threads.
//!
//! `tests/model_check.rs` runs the real code under it ([ADR 0013](../../docs/adr/0013-shuttle-for-thread-orders.md)).

#[cfg(feature = "shuttle")]
pub use shuttle::sync::{
    atomic::{AtomicU64, AtomicU8, AtomicUsize, Ordering},
    Condvar, Mutex, MutexGuard,
};
#[cfg(not(feature = "shuttle"))]
pub use std::sync::{
    atomic::{AtomicU64, AtomicU8, AtomicUsize, Ordering},
    Condvar, Mutex, MutexGuard,
};
