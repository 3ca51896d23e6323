//! Stage 6 of 7, export: what exporters do with blocks on disk: read and settle. Threads: senders, Python's delivery loop.
//!
//! Neither waits for the spool's mutex: a disk that takes its time over a write holds up only what goes there.

use crate::backlog::entries::Spot;
use crate::backlog::shelf::{Shelf, Unread};
use crate::block::Block;
use crate::clock::monotonic_nanos;
use crate::spool::disk::Disk;
use crate::spool::{Reader, SpoolError};
use crate::spooling::meter::{Holding, Trouble};
use crate::spooling::pauses::Pauses;
use crate::spooling::spooler::{News, Spooler};
use crate::spooling::voice::Voice;
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
    /// Spools of which a block was damaged.
    damaged: BTreeSet<u64>,
    /// What is to be said about both, and about reads in vain.
    pub news: Vec<News>,
    voice: Voice,
    /// What reading met.
    pub trouble: Trouble,
    /// What was held when it could be looked at last.
    pub holding: Holding,
}

impl<D: Disk> Default for Rooms<D> {
    fn default() -> Self {
        let (trouble, holding) = (Trouble::default(), Holding::default());
        let (readers, pauses, missing_keys) = (BTreeMap::new(), Pauses::default(), BTreeSet::new());
        Self {
            readers,
            pauses,
            own: None,
            missing_keys,
            damaged: BTreeSet::new(),
            news: Vec::new(),
            voice: Voice::default(),
            trouble,
            holding,
        }
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

    /// Forgets a spool. Drop what it returns without the lock: closing files asks the disk.
    pub fn leave(&mut self, id: u64) -> Option<Arc<Reader<D>>> {
        self.pauses.leave(id);
        self.damaged.remove(&id);
        self.readers.remove(&id)
    }
}

impl<D: Disk> Spooler<D> {
    pub(crate) fn rooms(&self) -> MutexGuard<'_, Rooms<D>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settled(&self) -> MutexGuard<'_, Vec<Settled>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk did not answer a read: said once in a while.
    fn say_silent(&self) {
        let error = SpoolError::Silent { name: self.settings.directory.display().to_string() };
        let mut rooms = self.rooms();
        rooms.trouble.note(&error);
        if let Some(more) = rooms.voice.failed(error.code(), monotonic_nanos()) {
            let what =
                format!("{error}{more} (what is on it waits there, and what is in memory is delivered)");
            rooms.news.push((error.code(), what));
        }
        drop(rooms);
        self.signal().press();
    }

    fn note(&self, settled: impl Iterator<Item = Settled>) {
        self.settled().extend(settled);
        self.signal().press();
    }
}

impl<D: Disk + 'static> Shelf for Spooler<D> {
    fn read(&self, spot: Spot) -> Result<Block, Unread> {
        let version = self.keys.version();
        // One that is gone has told the backlog so, or is left to the next process.
        let reader = {
            let rooms = self.rooms();
            rooms.readers.get(&spot.store).filter(|_| rooms.pauses.may_read(spot)).cloned()
        };
        let reader = reader.ok_or(Unread::Later)?;
        let Some(read) = self.reading.read(move || reader.block(spot.place)) else {
            self.say_silent();
            return Err(Unread::Later);
        };
        match read {
            Ok(block) => {
                let mut rooms = self.rooms();
                rooms.pauses.succeeded(spot);
                rooms.voice.succeeded();
                drop(rooms);
                Ok(block)
            }
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
