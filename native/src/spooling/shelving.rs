//! Stage 6 of 7, export: what exporters do with blocks on disk: read and settle. Threads: senders, Python's delivery loop.
//!
//! Neither waits for the spool's mutex: a disk that takes its time over a write holds up only what goes there.

use crate::backlog::entries::Spot;
use crate::backlog::shelf::{Shelf, Unread};
use crate::block::Block;
use crate::spool::disk::Disk;
use crate::spool::{Reader, SpoolError};
use crate::spooling::meter::{Holding, Trouble};
use crate::spooling::pauses::Pauses;
use crate::spooling::spooler::{News, Spooler};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};

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
    pauses: Pauses,
    /// Which of them is our own.
    pub own: Option<u64>,
    /// Keys that are missing, and were said to be.
    pub missing_keys: BTreeSet<u32>,
    /// What is to be said about them.
    pub news: Vec<News>,
    /// What reading met.
    pub trouble: Trouble,
    /// What was held when it could be looked at last.
    pub holding: Holding,
}

impl<D: Disk> Default for Rooms<D> {
    fn default() -> Self {
        let (trouble, holding) = (Trouble::default(), Holding::default());
        let (readers, pauses, missing_keys) = (BTreeMap::new(), Pauses::default(), BTreeSet::new());
        Self { readers, pauses, own: None, missing_keys, news: Vec::new(), trouble, holding }
    }
}

impl<D: Disk> Rooms<D> {
    /// Forgets a spool.
    pub fn leave(&mut self, id: u64) {
        self.readers.remove(&id);
        self.pauses.leave(id);
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
        let reader = {
            let rooms = self.rooms();
            rooms.readers.get(&spot.store).filter(|_| rooms.pauses.may_read(spot)).cloned()
        };
        match reader.ok_or(Unread::Later)?.block(spot.place) {
            Ok(block) => {
                self.rooms().pauses.succeeded(spot);
                Ok(block)
            }
            Err(SpoolError::Corrupt { .. }) => Err(Unread::Lost),
            Err(SpoolError::Unreadable { why, .. }) => {
                let unread = self.rooms().unreadable(spot, why, version);
                if unread == Unread::Foreign {
                    self.note(std::iter::once(Settled { spot, cursor: None }));
                }
                Err(unread)
            }
            Err(error) => {
                let mut rooms = self.rooms();
                rooms.trouble.note(&error);
                Err(rooms.pauses.failed(spot, &error))
            }
        }
    }

    fn next_round(&self) {
        self.rooms().pauses.next_round();
    }

    fn may_read(&self, spot: Spot) -> bool {
        self.rooms().pauses.may_read(spot)
    }

    fn settle(&self, done: &[(Spot, usize)]) {
        if !done.is_empty() {
            let mut rooms = self.rooms();
            for (spot, _) in done {
                rooms.pauses.forget(*spot);
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
