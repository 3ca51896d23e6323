//! Fork and exit, natively: the child starts clean, and records from `__del__` at teardown still leave.
//!
//! `pthread_atfork` only counts and closes the spool's descriptors: no lock is waited for, because the child never touches
//! other inherited state. The C `atexit` handler runs after the interpreter is gone; native threads still live then, and
//! deliver what is left.

use super::active::{forget_calls, FORKS, GENERATION};
use crate::ledger::notices::print;
use crate::pipeline::Pipeline;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, Weak};
use std::time::{Duration, Instant};

/// Time for records that were logged after Python's own atexit flush.
const LAST_GRACE: Duration = Duration::from_secs(1);

struct Registered {
    forks: u64,
    pipeline: Weak<Pipeline>,
}

static PIPELINES: Mutex<Vec<Registered>> = Mutex::new(Vec::new());
/// Set when Python's atexit flush gave up: then nobody waits a second time.
static GAVE_UP: AtomicU64 = AtomicU64::new(0);
static HANDLERS: Once = Once::new();

/// Remembers a pipeline for the end of the process; installs the handlers with the first one.
pub fn register(pipeline: &Arc<Pipeline>) {
    HANDLERS.call_once(|| {
        // SAFETY: both handlers are plain functions that stay loaded: extension modules are never unloaded.
        unsafe {
            libc::pthread_atfork(None, None, Some(after_fork_in_child));
            libc::atexit(at_exit);
        }
    });
    // The parent's lock may have been held during a fork; only this thread exists in the child, and a `try_lock`
    // that fails there means exactly that. Then the exit handler does without this pipeline.
    if let Ok(mut pipelines) = PIPELINES.try_lock() {
        pipelines.retain(|known| known.pipeline.strong_count() > 0);
        pipelines
            .push(Registered { forks: FORKS.load(Ordering::Acquire), pipeline: Arc::downgrade(pipeline) });
    }
}

/// Tells the exit handler that Python's flush ran out of time.
#[pyfunction]
pub fn give_up_at_exit() {
    GAVE_UP.store(1, Ordering::Release);
}

/// Removes the files of crash rings in which nothing is: a signal ends the process next, and no exit handler runs.
#[pyfunction]
pub fn end_rings() {
    let Ok(pipelines) = PIPELINES.try_lock() else { return };
    let forks = FORKS.load(Ordering::Acquire);
    let ours = pipelines.iter().filter(|known| known.forks == forks);
    ours.filter_map(|known| known.pipeline.upgrade()).for_each(|pipeline| pipeline.end_ring(false));
}

extern "C" fn after_fork_in_child() {
    forget_calls();
    leave_spools();
    crate::redact::actions::seal::data_key::after_fork_in_child();
    FORKS.fetch_add(1, Ordering::AcqRel);
    GENERATION.fetch_add(1, Ordering::AcqRel);
}

/// A child that keeps the parent's descriptors makes its spool look alive when it is dead, logging or not.
fn leave_spools() {
    crate::spooling::forked_locks::leave_to_parent();
    let Ok(pipelines) = PIPELINES.try_lock() else { return };
    for pipeline in pipelines.iter().filter_map(|known| known.pipeline.upgrade()) {
        if let Some(spooler) = pipeline.spooler() {
            spooler.leave_to_parent();
        }
        if let Some(ring) = pipeline.ring() {
            ring.leave_to_parent();
        }
        // It is the parent's: nothing of it may be dropped here.
        std::mem::forget(pipeline);
    }
}

extern "C" fn at_exit() {
    let forks = FORKS.load(Ordering::Acquire);
    let Ok(pipelines) = PIPELINES.try_lock() else { return };
    let ours = pipelines.iter().filter(|known| known.forks == forks);
    let deadline =
        Instant::now() + if GAVE_UP.load(Ordering::Acquire) == 0 { LAST_GRACE } else { Duration::ZERO };
    let mut lost = 0;
    for pipeline in ours.filter_map(|known| known.pipeline.upgrade()) {
        // What waits for a Python exporter is lost without a spool: nobody runs one any more.
        lost += pipeline.last_flush(deadline.saturating_duration_since(Instant::now()));
        // The allocator and the threads outlive this handler; dropping would join them.
        std::mem::forget(pipeline);
    }
    drop(pipelines);
    if lost > 0 {
        print(&format!("{lost} records were not delivered before the process ended."));
    }
}
