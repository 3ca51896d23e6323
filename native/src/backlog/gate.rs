//! Stage 6 of 7, export: blocks that batch processors have to see before any exporter does. Threads: as `backlog`, which locks.
//!
//! A block may reach them from the disk: it was taken over from a process that ended before they saw it. What they made of
//! it is then in memory, and the original stays on disk until every exporter is done: who takes it over from us shows it to
//! his processors again.

use crate::backlog::cursors::Cursors;
use crate::backlog::entries::{Body, Claimed, Mark, Stage};
use crate::block::Block;
use crate::ledger::DropReason;
use std::sync::Arc;

impl Cursors {
    /// The oldest block that waits for the batch processors, our own first; from the disk only if `disk_too`.
    pub fn claim_unprocessed(&mut self, disk_too: bool) -> Option<Claimed> {
        let next = *self.unprocessed.first()?;
        let entry = self.entries.get_mut(&next.1)?;
        let claimed = match &entry.body {
            Body::Memory(block) => Claimed::Block(Arc::clone(block)),
            Body::Disk(spot) if disk_too => Claimed::Spooled(next.1, *spot),
            Body::Disk(_) => return None,
        };
        entry.stage = Stage::Processing;
        self.unprocessed.remove(&next);
        Some(claimed)
    }

    /// Whether one on disk waits for them.
    #[must_use]
    pub fn has_unprocessed_on_disk(&self) -> bool {
        // Those that were taken over are the last.
        let last = self.unprocessed.last().and_then(|(_, sequence)| self.entries.get(sequence));
        last.is_some_and(|entry| entry.memory().is_none())
    }

    /// Notes what was read from the disk for the batch processors.
    pub fn lend(&mut self, sequence: u64, block: &Arc<Block>) {
        let entry = self.entries.get_mut(&sequence).filter(|entry| entry.stage == Stage::Processing);
        if let Some(entry) = entry {
            entry.lent = Some(Arc::clone(block));
        }
    }

    /// Takes a block back from the batch processors, which did nothing to it.
    pub fn unprocessed(&mut self, sequence: u64) {
        let entry = self.entries.get_mut(&sequence).filter(|entry| entry.stage == Stage::Processing);
        if let Some(entry) = entry {
            (entry.stage, entry.lent) = (Stage::Unprocessed, None);
            self.unprocessed.insert((entry.adopted, sequence));
            self.refresh(sequence);
        }
    }

    /// The block `sequence`, if the batch processors have it.
    #[must_use]
    pub fn processing(&self, sequence: u64) -> Option<Arc<Block>> {
        let entry = self.entries.get(&sequence).filter(|entry| entry.stage == Stage::Processing)?;
        entry.lent.as_ref().or(entry.memory()).cloned()
    }

    /// Puts what the batch processors made of a block in its place and lets the cursors see it. Records that it has
    /// no longer are dropped as processed. Ignored when they do not have it, or it was left to the next process.
    pub fn processed(&mut self, sequence: u64, block: Block) {
        let Some(before) = self.processing(sequence) else { return };
        if self.entries.get(&sequence).is_none_or(|entry| self.is_over(entry)) {
            return;
        }
        let Some(entry) = self.entries.get_mut(&sequence) else { return };
        match entry.body {
            Body::Memory(_) => {
                self.bytes -= before.held_bytes();
                self.records -= before.records;
            }
            Body::Disk(spot) => entry.original = Some(spot),
        }
        self.bytes += block.held_bytes();
        self.records += block.records;
        self.in_memory.insert(sequence);
        let gone = before.records.saturating_sub(block.records);
        entry.body = Body::Memory(Arc::new(Block { sequence, ..block }));
        (entry.stage, entry.lent) = (Stage::Ready, None);
        let pending = entry.sides.iter().enumerate().filter(|(_, side)| side.mark == Mark::Pending);
        for cursor in pending.map(|(cursor, _)| cursor).collect::<Vec<_>>() {
            self.lessen(cursor, sequence, gone);
        }
        self.offer(sequence);
        self.refresh(sequence);
    }

    /// Counts records that the batch processors took out.
    fn lessen(&mut self, cursor: usize, sequence: u64, gone: u64) {
        let Some(entry) = self.entries.get_mut(&sequence) else { return };
        let side = &mut entry.sides[cursor];
        let gone = gone.min(side.left);
        side.left -= gone;
        let is_done = side.left == 0;
        self.places[cursor].dropped.add(DropReason::Processed, gone);
        if is_done {
            self.settle_side(cursor, sequence);
        }
    }
}
