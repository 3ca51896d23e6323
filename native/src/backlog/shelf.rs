//! Stage 6 of 7, export: what the backlog asks of whoever keeps blocks on disk. Threads: senders, Python's delivery loop.

use crate::backlog::entries::Spot;
use crate::block::Block;
use std::fmt::Debug;

/// Why a block was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// The disk failed; it may work later.
    Later,
    /// Its bytes are not there any more.
    Lost,
    /// It is intact, and for another process to read.
    Foreign,
    /// It is our own, and its key is not among those of this version; it may come.
    Locked(u64),
}

/// Where blocks lie that are not in memory. Called without the backlog's lock.
pub trait Shelf: Debug + Send + Sync {
    /// Reads a block.
    fn read(&self, spot: Spot) -> Result<Block, Unread>;

    /// Blocks that could not be read are to be tried again: those that [`Self::may_read`].
    fn next_round(&self) {}

    /// Whether reading a block may go better than it went last.
    fn may_read(&self, _: Spot) -> bool {
        true
    }

    /// Each cursor is done with a block. Must not wait for the disk: who delivers calls it.
    fn settle(&self, done: &[(Spot, usize)]);

    /// Whether blocks in memory may become more.
    fn has_room(&self, bytes: usize, records: u64) -> bool;

    /// True while blocks of other processes may still come at the start.
    fn may_bring(&self) -> bool;

    /// Tells how much blocks in memory take, when one was added. Must not wait: callers may.
    fn pushed(&self, bytes: usize, records: u64);
}
