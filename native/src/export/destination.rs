//! Stage 6 of 7, export: what an exporter with a redaction policy of its own gets of a block. Threads: sender, delivery loop.
//!
//! One place for all: whoever claims a block gets it from here, native senders and Python's delivery loop, whether it comes
//! from memory, the spool or a crash ring. So what is sent, merged, split, written, diverted to a fallback that has a policy or
//! kept as refused has passed it. The block in the backlog stays as it is, for the others.
//!
//! Fail closed: what the policy cannot be applied to is dropped for this exporter and counted, never sent.

use super::exporters::{is_protected, Exporter};
use super::unpack::unpack;
use crate::block::{Block, Codec};
use crate::ledger::{DropReason, Drops, Settlement};
use crate::pipeline::Pipeline;
use crate::redact::stricter::request::Rewritten;
use crate::redact::stricter::Stricter;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// An exporter's own policy.
#[derive(Debug)]
pub struct Destination {
    stricter: Stricter,
    /// Whether somebody heard that it could not be applied.
    told: AtomicBool,
}

impl Destination {
    /// With this policy.
    #[must_use]
    pub const fn new(stricter: Stricter) -> Self {
        Self { stricter, told: AtomicBool::new(false) }
    }

    /// The request of `block` under the policy, and the request as it was. `None`: it cannot be read.
    fn rewrite(&self, block: &Block) -> Option<(Rewritten, Vec<u8>)> {
        let raw = unpack(block).ok()?;
        // A fault of ours costs records of one exporter, not the thread.
        let rewritten = catch_unwind(AssertUnwindSafe(|| self.stricter.request(&raw, is_protected)));
        Some((rewritten.ok()??, raw))
    }
}

impl Pipeline {
    /// The next block for `cursor`, as it may have it; waits for one. `None`: there comes no more.
    pub fn claim(&self, cursor: usize) -> Option<Arc<Block>> {
        self.claimed(cursor, || self.backlog().claim(cursor))
    }

    /// As [`Self::claim`], without waiting for a block.
    pub fn try_claim(&self, cursor: usize) -> Option<Arc<Block>> {
        self.claimed(cursor, || self.backlog().try_claim(cursor))
    }

    fn claimed(&self, cursor: usize, claim: impl Fn() -> Option<Arc<Block>>) -> Option<Arc<Block>> {
        let exporter = self.exporters().get(cursor)?;
        let Some(destination) = &exporter.destination else { return claim() };
        loop {
            let block = claim()?;
            if let Some(block) = self.for_destination(cursor, exporter, destination, block) {
                return Some(block);
            }
        }
    }

    /// A claimed block as the destination may have it; `None` when nothing is left of it, and all of it is settled.
    fn for_destination(
        &self,
        cursor: usize,
        exporter: &Exporter,
        destination: &Destination,
        block: Arc<Block>,
    ) -> Option<Arc<Block>> {
        let Some((rewritten, raw)) = destination.rewrite(&block) else {
            self.say_unredacted(exporter, destination);
            self.withhold(cursor, block.sequence, 0, u64::MAX);
            return None;
        };
        if rewritten.unreadable > 0 {
            self.say_unredacted(exporter, destination);
        }
        self.withhold(cursor, block.sequence, rewritten.records, rewritten.unreadable);
        if rewritten.records == 0 {
            return None;
        }
        if rewritten.raw == raw {
            return Some(block);
        }
        let Rewritten { raw, records, protected_records, .. } = rewritten;
        let (sequence, raw_bytes) = (block.sequence, raw.len());
        // Transports compress as they want it, after blocks were put together.
        let codec = Codec::Identity;
        Some(Arc::new(Block { sequence, records, protected_records, raw_bytes, codec, body: raw }))
    }

    /// Settles what is not among the `records` that are left. Of a block that comes again this was done before.
    fn withhold(&self, cursor: usize, sequence: u64, records: u64, unreadable: u64) {
        let gone = self.backlog().undecided(cursor, sequence).saturating_sub(records);
        if gone == 0 {
            return;
        }
        let mut dropped = Drops::default();
        dropped.add(DropReason::Unredacted, gone.min(unreadable));
        dropped.add(DropReason::Withheld, gone.saturating_sub(unreadable));
        self.settle(cursor, sequence, Settlement { dropped, ..Settlement::default() });
    }

    fn say_unredacted(&self, exporter: &Exporter, destination: &Destination) {
        if !destination.told.swap(true, Ordering::AcqRel) {
            let name = &exporter.name;
            let message = format!(
                "records could not be read to redact them for the exporter {name}: it does not get them, and its \
                 ledger counts them as unredacted"
            );
            self.notices().say("unredacted", message);
        }
    }
}
