//! Stage 6 of 7, export: blocks go from memory to the own spool. Threads: spooler, who ends.

use crate::backlog::entries::{Seen, Spill, Spot, Which};
use crate::backlog::Backlog;
use crate::clock::monotonic_nanos;
use crate::export::watch;
use crate::spool::disk::Disk;
use crate::spool::{Fsync, SpoolError};
use crate::spooling::spooler::{Inner, News, Spooler};
use crate::spooling::stores::Store;
use std::sync::atomic::Ordering;
use std::sync::Arc;

/// What came of moving one block.
#[derive(Debug)]
pub enum Spilled {
    /// It is on disk.
    Done {
        /// The disk had failed before, and that was said.
        recovered: bool,
    },
    /// There is none to move, or the disk is left alone for a while.
    Nothing,
    /// It stays in memory; with what to say, at the beginning of a run of failures.
    Failed(Option<News>),
}

impl<D: Disk> Spooler<D> {
    /// Writes the oldest block of `backlog` to the disk. `rest`: at the end, whatever failed before.
    pub fn spill(&self, backlog: &Backlog, rest: bool) -> Spilled {
        self.spill_one(backlog, if rest { Which::Rest } else { Which::Oldest })
    }

    /// Writes a block to the disk that a crash ring of a dead process holds, so that the ring can go: of a service that
    /// dies again and again, records count toward the quota, and memory for files is free. Where the quota has no room for it, the
    /// ring stays: nothing that is safe is given up for what is safe.
    pub fn spill_left(&self, backlog: &Backlog) -> Spilled {
        self.spill_one(backlog, Which::Left)
    }

    fn spill_one(&self, backlog: &Backlog, which: Which) -> Spilled {
        let mut inner = self.lock();
        if inner.closed
            || self.gave_up.load(Ordering::Relaxed)
            || (which != Which::Rest && !inner.backoff.may_try(monotonic_nanos()))
        {
            return Spilled::Nothing;
        }
        loop {
            let Some(spill) = backlog.begin_spill(which) else { return Spilled::Nothing };
            watch::block("spool", &spill.block);
            match self.append(&mut inner, backlog, &spill) {
                Err(SpoolError::Quota { .. }) if spill.is_left => backlog.stays(spill.block.sequence),
                appended => return note_appended(&mut inner, backlog, &spill, appended),
            }
            if which == Which::Left {
                return Spilled::Nothing;
            }
        }
    }

    fn append(&self, inner: &mut Inner<D>, backlog: &Backlog, spill: &Spill) -> Result<Spot, SpoolError> {
        let now = self.clock.now_nanos();
        let own = match inner.own {
            Some(own) => own,
            None => self.create(inner, now)?,
        };
        loop {
            let Some(store) = inner.stores.get_mut(&own) else { return Err(SpoolError::Adopted) };
            // It must not be less safe than where it was.
            let usual = self.settings.store.fsync;
            store.spool.set_fsync(if spill.was_forced { Fsync::Always } else { usual });
            let written = match spill.seen {
                Seen::Processed => store.spool.append(&spill.block, spill.owed, now),
                Seen::Unprocessed => store.spool.append_unprocessed(&spill.block, spill.owed, now),
            };
            store.spool.set_fsync(usual);
            match written {
                Ok(place) => return Ok(Spot { store: own, place }),
                Err(SpoolError::Quota { .. })
                    if self.makes_room && !spill.is_left && self.free_oldest(inner, backlog, own) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn create(&self, inner: &mut Inner<D>, now: u64) -> Result<u64, SpoolError> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let settings = self.settings.store.clone();
        let root = self.opening.root_or_open()?;
        let mut spool = root.create(&names, settings, Arc::clone(&self.keys), now)?;
        spool.set_others_bytes(root.others_bytes(&[spool.name()]));
        let cursors = (0..names.len()).map(Some).collect();
        let id = self.hold(inner, Store::new(spool, cursors));
        inner.own = Some(id);
        self.rooms().own = Some(id);
        Ok(id)
    }

    /// Gives up the oldest file on disk in which nothing is protected: of those that were taken over, which are older than
    /// ours, and then of ours. If each holds something, the oldest one; never one with audit records of our own.
    /// False when that frees nothing.
    fn free_oldest(&self, inner: &mut Inner<D>, backlog: &Backlog, own: u64) -> bool {
        let mut ids: Vec<u64> = inner.stores.keys().copied().filter(|id| *id != own).collect();
        ids.push(own);
        let mut free = |id: &u64, protected_too: bool| {
            let Some(store) = inner.stores.get_mut(id) else { return false };
            let before = store.spool.occupancy().bytes;
            let known = &store.held;
            let is_audited = |number| known.get(&number).is_some_and(|(block, _)| backlog.is_audited(*block));
            let losses = store.spool.drop_oldest_but(&|number, held| {
                (!protected_too && held.protected_records > 0) || is_audited(number)
            });
            store.tell(backlog, &losses);
            store.spool.occupancy().bytes < before
        };
        let freed = ids.iter().any(|id| free(id, false)) || ids.iter().any(|id| free(id, true));
        self.weigh_others(inner);
        freed
    }
}

/// Notes what became of a block that was to be written.
fn note_appended<D: Disk>(
    inner: &mut Inner<D>,
    backlog: &Backlog,
    spill: &Spill,
    appended: Result<Spot, SpoolError>,
) -> Spilled {
    let (sequence, owed) = (spill.block.sequence, spill.owed);
    match appended {
        Ok(spot) => {
            if let Some(store) = inner.stores.get_mut(&spot.store) {
                store.held.insert(spot.place.number, (sequence, owed));
                let owing = backlog.spilled(sequence, spot);
                let gone = owed.iter().filter(|cursor| !owing.contains(*cursor));
                store.settle(&gone.map(|cursor| (spot.place.number, cursor)).collect::<Vec<_>>());
            }
            inner.backoff.succeeded(monotonic_nanos());
            Spilled::Done { recovered: inner.writing.succeeded() }
        }
        Err(error) => {
            backlog.not_spilled(sequence);
            inner.trouble.note(&error);
            let now = monotonic_nanos();
            inner.backoff.failed(now, fastrand::f64());
            let more = inner.writing.failed(error.code(), now);
            Spilled::Failed(more.map(|more| (error.code(), format!("{error}{more}"))))
        }
    }
}
