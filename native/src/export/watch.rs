//! Stage 6 of 7, export: shows a test what leaves the process. Threads: senders, delivery loop, spooler, caller (console).
//!
//! Off, it costs one look at a flag per block. On, it keeps copies: of blocks uncompressed, of console lines as they are.
//! Python switches it on for `fapilog.testing.no_leaks`, for the whole process: a test asks about all pipelines.

use super::unpack::unpack;
use crate::block::Block;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most memory that copies take, in bytes; what does not fit is counted.
const LIMIT_BYTES: usize = 64 * 1024 * 1024;

static ON: AtomicBool = AtomicBool::new(false);
static SHOWN: Mutex<Shown> = Mutex::new(Shown { pieces: Vec::new(), bytes: 0, left_out: 0 });

/// What left since it was taken last.
#[derive(Debug, Default)]
pub struct Shown {
    /// The way it took (`http`, `file`, `stream`, `python`, `spool`, `console`), and an uncompressed request or a line.
    pub pieces: Vec<(&'static str, Vec<u8>)>,
    bytes: usize,
    /// Pieces that were not kept: no room, or not readable.
    pub left_out: u64,
}

/// Whether anybody watches.
#[inline]
#[must_use]
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Begins to keep what leaves, or stops and forgets it.
pub fn switch(on: bool) {
    *shown() = Shown::default();
    ON.store(on, Ordering::Relaxed);
}

/// What left since the last call.
#[must_use]
pub fn take() -> Shown {
    std::mem::take(&mut *shown())
}

/// A block leaves on the way `way`; a repeated attempt shows it again.
#[inline]
pub fn block(way: &'static str, block: &Block) {
    if is_on() {
        keep(way, unpack(block).ok());
    }
}

/// A text leaves.
#[inline]
pub fn text(way: &'static str, text: &str) {
    if is_on() {
        keep(way, Some(text.as_bytes().to_vec()));
    }
}

#[cold]
fn keep(way: &'static str, piece: Option<Vec<u8>>) {
    let mut shown = shown();
    match piece {
        Some(piece) if shown.bytes + piece.len() <= LIMIT_BYTES => {
            shown.bytes += piece.len();
            shown.pieces.push((way, piece));
        }
        _ => shown.left_out += 1,
    }
}

fn shown() -> MutexGuard<'static, Shown> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}
