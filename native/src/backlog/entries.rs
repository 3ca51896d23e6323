//! Stage 6 of 7, export: one block of the log: where its bytes and its exporters are. Threads: as `backlog`, which locks.

use crate::block::Block;
use crate::crash_ring::keep::Keep;
use crate::ledger::DropReason;
use crate::spool::{Exporters, Place};
use std::sync::Arc;

/// Where a block before any cursor may see it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Unprocessed,
    Processing,
    Ready,
}

impl Stage {
    /// How a block that is here is to be written to the disk.
    pub const fn seen(self) -> Seen {
        match self {
            Self::Ready => Seen::Processed,
            Self::Unprocessed | Self::Processing => Seen::Unprocessed,
        }
    }
}

/// Where one exporter stands with one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Pending,
    InFlight,
    Settled,
    /// On disk, for whoever takes the spool over: nobody here delivers it any more.
    Left,
    /// For a fallback that nothing was handed over to.
    Idle,
}

impl Mark {
    /// True when the exporter has nothing to do with the block any more, or not yet.
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Settled | Self::Idle)
    }
}

/// One exporter's side of one block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side {
    pub mark: Mark,
    /// Records not decided yet; a split block is settled in parts.
    pub left: u64,
    /// Why they are lost unless the exporter that has them in its hands delivers them: nothing else holds them any more.
    pub doomed: Option<DropReason>,
}

impl Side {
    /// One that somebody else decides, or nobody has to.
    pub const fn of(mark: Mark, left: u64) -> Self {
        Self { mark, left, doomed: None }
    }
}

/// Where a block lies in one of the spools that this process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Which spool.
    pub store: u64,
    /// Where in it.
    pub place: Place,
}

/// What a cursor gets to deliver.
#[derive(Debug, Clone)]
pub enum Claimed {
    /// The block itself.
    Block(Arc<Block>),
    /// Its sequence number, and where it has to be read.
    Spooled(u64, Spot),
}

/// Where the bytes are.
#[derive(Debug)]
pub(crate) enum Body {
    Memory(Arc<Block>),
    Disk(Spot),
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub body: Body,
    pub stage: Stage,
    pub sides: Vec<Side>,
    /// Taken over from another process.
    pub adopted: bool,
    /// Being written to the disk, still in memory: as the batch processors left it, or as they have not seen it.
    pub spilling: Option<Seen>,
    /// What the batch processors have of a block on disk.
    pub lent: Option<Arc<Block>>,
    /// Where it lies on disk as it was before the batch processors saw it, when what they made of it is in memory.
    pub original: Option<Spot>,
    /// Audit and security records, which are not dropped to make room.
    pub audited: bool,
    /// The spool has no room for it, and the ring of the dead process in which it is keeps it.
    pub stays: bool,
    /// What keeps the records for the next process while they are in memory.
    pub keep: Option<Keep>,
}

/// Whether batch processors have seen a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// They have, or there were none.
    Processed,
    /// They have to, where there are some.
    Unprocessed,
}

/// Which blocks are to be written to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The oldest ones that batch processors have seen.
    Oldest,
    /// Of those, what crash rings of dead processes hold.
    Left,
    /// All, at the end.
    Rest,
}

/// A block to be written to the disk.
#[derive(Debug)]
pub struct Spill {
    /// The block.
    pub block: Arc<Block>,
    /// Who has not settled it.
    pub owed: Exporters,
    /// Whether batch processors have seen it.
    pub seen: Seen,
    /// Whether a dead process's ring holds it,
    pub is_left: bool,
    /// and a loss of power takes nothing of it there.
    pub was_forced: bool,
}

impl Entry {
    /// One that nobody works on.
    pub fn new(body: Body, stage: Stage, sides: Vec<Side>, adopted: bool) -> Self {
        Self {
            body,
            stage,
            sides,
            adopted,
            spilling: None,
            lent: None,
            original: None,
            audited: false,
            stays: false,
            keep: None,
        }
    }

    pub fn is_settled(&self) -> bool {
        self.sides.iter().all(|side| side.mark.is_done())
    }

    /// True while a processor or an exporter has it, or it is being written, so that nobody may drop it.
    pub fn is_busy(&self) -> bool {
        let in_hands = || self.sides.iter().any(|side| side.mark == Mark::InFlight);
        self.spilling.is_some() || self.stage == Stage::Processing || in_hands()
    }

    /// True when it is in memory and the next process finds it all the same.
    pub fn is_kept(&self) -> bool {
        self.memory().is_some() && self.keep.is_some()
    }

    /// True when a dead process's ring holds it.
    pub fn is_left(&self) -> bool {
        self.keep.as_ref().is_some_and(Keep::is_left)
    }

    pub fn memory(&self) -> Option<&Arc<Block>> {
        match &self.body {
            Body::Memory(block) => Some(block),
            Body::Disk(_) => None,
        }
    }

    pub fn spot(&self) -> Option<Spot> {
        match self.body {
            Body::Memory(_) => None,
            Body::Disk(spot) => Some(spot),
        }
    }

    /// Everywhere where it lies on disk.
    pub fn spots(&self) -> impl Iterator<Item = Spot> {
        self.spot().into_iter().chain(self.original)
    }

    /// True when the end of this process does not take it.
    pub fn is_on_disk(&self) -> bool {
        self.spots().next().is_some()
    }
}
