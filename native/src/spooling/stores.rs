//! Stage 6 of 7, export: one spool, and whose block of the backlog each of its blocks is. Threads: as `spooler`, which locks.

use crate::backlog::Backlog;
use crate::ledger::DropReason;
use crate::spool::disk::Disk;
use crate::spool::{Exporters, Loss, LossReason, Spool};
use std::collections::BTreeMap;

/// One spool: our own, or one that was taken over.
#[derive(Debug)]
pub(crate) struct Store<D: Disk> {
    pub spool: Spool<D>,
    /// The backlog's cursor of each of its exporters; `None`: this pipeline does not have that exporter.
    pub cursors: Vec<Option<usize>>,
    /// By number in the spool: the block's number in the backlog, and the cursors that have not settled it.
    pub held: BTreeMap<u64, (u64, Exporters)>,
    /// With which keys it was opened.
    pub keys_version: u64,
    /// What the spool gave up since that was said last.
    pub dropped: Dropped,
}

/// Records that a limit of the spool cost, for each exporter that had not got them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub for_room: u64,
    pub by_age: u64,
}

impl Dropped {
    fn add(&mut self, loss: &Loss) {
        match loss.reason {
            LossReason::Age => self.by_age += loss.records,
            LossReason::Room => self.for_room += loss.records,
        }
    }

    pub fn take_in(&mut self, other: Self) {
        self.by_age += other.by_age;
        self.for_room += other.for_room;
    }

    /// What to say of it, if anything was dropped.
    pub fn message(self) -> Option<String> {
        let Self { for_room, by_age } = self;
        let room = format!("{for_room} records were dropped to keep within spool.limit_bytes");
        let age = format!("{by_age} records were dropped that nobody took within spool.max_age_seconds");
        match (for_room, by_age) {
            (0, 0) => None,
            (_, 0) => Some(format!("the spool lost the oldest: {room}")),
            (0, _) => Some(format!("the spool lost the oldest: {age}")),
            _ => Some(format!("the spool lost the oldest: {room}, {age}")),
        }
    }
}

impl<D: Disk> Store<D> {
    pub const fn new(spool: Spool<D>, cursors: Vec<Option<usize>>) -> Self {
        Self {
            spool,
            cursors,
            held: BTreeMap::new(),
            keys_version: 0,
            dropped: Dropped { for_room: 0, by_age: 0 },
        }
    }

    /// Notes which cursors are done with which blocks.
    pub fn settle(&mut self, settled: &[(u64, usize)]) {
        let cursors = &self.cursors;
        let exporters = settled.iter().flat_map(|(number, cursor)| {
            let of = (0..cursors.len()).filter(|exporter| cursors[*exporter] == Some(*cursor));
            of.map(|exporter| (exporter, *number))
        });
        // It holds in memory, and the next tick tries to write it again.
        let _ = self.spool.settle_all(&exporters.collect::<Vec<_>>());
        for (number, cursor) in settled {
            self.forget(*number, *cursor);
        }
    }

    /// Cursors that have something to get here.
    pub fn owed(&self) -> Exporters {
        let all = self.cursors.iter().flatten().copied().fold(Exporters::NONE, Exporters::with);
        let mut owed = Exporters::NONE;
        for (_, cursors) in self.held.values() {
            owed = cursors.iter().fold(owed, Exporters::with);
            if owed == all {
                break;
            }
        }
        owed
    }

    fn forget(&mut self, number: u64, cursor: usize) -> Option<u64> {
        let (sequence, owed) = self.held.get_mut(&number)?;
        let sequence = *sequence;
        *owed = owed.without(cursor);
        if owed.is_empty() {
            self.held.remove(&number);
        }
        Some(sequence)
    }

    /// Counts what the spool gave up.
    pub fn tell(&mut self, backlog: &Backlog, losses: &[Loss]) {
        for loss in losses {
            let Some(cursor) = self.cursors.get(loss.exporter).copied().flatten() else { continue };
            let Some(sequence) = self.forget(loss.number, cursor) else { continue };
            let reason = match loss.reason {
                LossReason::Age => DropReason::Expired,
                LossReason::Room => DropReason::OverflowOldest,
            };
            self.dropped.add(loss);
            backlog.lose(cursor, sequence, reason);
        }
    }

    /// Somebody removed the files.
    pub fn tell_all_lost(&mut self, backlog: &Backlog) {
        for (sequence, owed) in std::mem::take(&mut self.held).into_values() {
            owed.iter().for_each(|cursor| backlog.lose(cursor, sequence, DropReason::Damaged));
        }
    }
}
