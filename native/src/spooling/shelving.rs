//! Stage 6 of 7, export: what exporters do with blocks on disk: read and settle. Threads: senders, Python's delivery loop.
//!
//! Neither waits for the spool's mutex: a disk that takes its time over a write holds up only what goes there.

use crate::backlog::entries::Spot;
use crate::backlog::shelf::{Shelf, Unread};
use crate::block::Block;
use crate::spool::disk::Disk;
use crate::spool::{Reader, SpoolError};
use crate::spooling::meter::{Holding, Trouble};
use crate::spooling::spooler::{News, Spooler};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};

/// How often a block is read in vain before it counts as lost.
const READ_TRIES: u32 = 3;

/// A block on disk that somebody is done with.
#[derive(Debug)]
pub(crate) struct Settled {
    pub spot: Spot,
    /// `None`: it is nobody's here.
    pub cursor: Option<usize>,
}

/// What reading needs of each spool.
#[derive(Debug)]
pub(crate) struct Rooms<D: Disk> {
    pub readers: BTreeMap<u64, Arc<Reader<D>>>,
    tries: BTreeMap<(u64, u64), u32>,
    /// Which of them is our own.
    pub own: Option<u64>,
    /// Keys that are missing, and were said to be.
    pub missing_keys: BTreeSet<u32>,
    /// Spools of which a block was damaged.
    damaged: BTreeSet<u64>,
    /// What is to be said about both.
    pub news: Vec<News>,
    /// What reading met.
    pub trouble: Trouble,
    /// What was held when it could be looked at last.
    pub holding: Holding,
}

impl<D: Disk> Default for Rooms<D> {
    fn default() -> Self {
        let (trouble, holding) = (Trouble::default(), Holding::default());
        let (readers, tries, missing_keys) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let damaged = BTreeSet::new();
        Self { readers, tries, own: None, missing_keys, damaged, news: Vec::new(), trouble, holding }
    }
}

impl<D: Disk> Rooms<D> {
    /// A block whose bytes are not those that were written. Said and counted once for each spool, whose other blocks may be next.
    fn damaged(&mut self, store: u64, error: &SpoolError) {
        if self.damaged.insert(store) {
            self.trouble.damaged += 1;
            self.news.push((
                error.code(),
                format!("{error} (the ledger counts this and further ones as damaged)"),
            ));
        }
    }

    /// Forgets a spool.
    pub fn leave(&mut self, id: u64) {
        self.readers.remove(&id);
        self.damaged.remove(&id);
        self.tries.retain(|(store, _), _| *store != id);
    }
}

impl<D: Disk> Spooler<D> {
    pub(crate) fn rooms(&self) -> MutexGuard<'_, Rooms<D>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settled(&self) -> MutexGuard<'_, Vec<Settled>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, settled: impl Iterator<Item = Settled>) {
        self.settled().extend(settled);
        self.signal().press();
    }
}

impl<D: Disk> Shelf for Spooler<D> {
    fn read(&self, spot: Spot) -> Result<Block, Unread> {
        let version = self.keys.version();
        // One that is gone has told the backlog so, or is left to the next process.
        let reader = self.rooms().readers.get(&spot.store).cloned().ok_or(Unread::Later)?;
        match reader.block(spot.place) {
            Ok(block) => Ok(block),
            Err(error @ SpoolError::Corrupt { .. }) => {
                self.rooms().damaged(spot.store, &error);
                Err(Unread::Lost)
            }
            Err(SpoolError::Unreadable { why, .. }) => {
                let unread = self.rooms().unreadable(spot, why, version);
                if unread == Unread::Foreign {
                    self.note(std::iter::once(Settled { spot, cursor: None }));
                }
                Err(unread)
            }
            // A file that is missing may have been unlinked just now, which the backlog hears in a moment.
            Err(error) => {
                let mut rooms = self.rooms();
                rooms.trouble.note(&error);
                let tries = rooms.tries.entry((spot.store, spot.place.number)).or_default();
                *tries += 1;
                Err(if *tries < READ_TRIES { Unread::Later } else { Unread::Lost })
            }
        }
    }

    fn settle(&self, done: &[(Spot, usize)]) {
        if !done.is_empty() {
            let mut rooms = self.rooms();
            for (spot, _) in done {
                rooms.tries.remove(&(spot.store, spot.place.number));
            }
            drop(rooms);
            self.note(done.iter().map(|(spot, cursor)| Settled { spot: *spot, cursor: Some(*cursor) }));
        }
    }

    fn has_room(&self, bytes: usize, records: u64) -> bool {
        !self.is_pressed(bytes, records)
    }

    fn may_bring(&self) -> bool {
        !self.signal().has_looked()
    }

    fn pushed(&self, bytes: usize, records: u64) {
        if self.is_pressed(bytes, records) {
            self.signal().press();
        }
    }
}
