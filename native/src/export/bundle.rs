//! Stage 6 of 7, export: which blocks travel in one request, and what became of each. Thread: sender.
//!
//! A request is a run of whole blocks, or a part of one. Blocks are put together by decompressing and compressing again, not
//! by putting compressed bytes one behind the other, although both gzip and zstd allow that: a receiver that reads the
//! first member only would take the request and lose the rest without a word.

use super::sender::Outcome;
use super::split::split;
use super::unpack::unpack;
use crate::block::Block;
use crate::seal::reseal::seal_request;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Blocks in one request at most.
pub const MOST_BLOCKS: usize = 64;

/// What one request carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Load {
    /// Whole blocks, by their place among those that were claimed together.
    Blocks(Range<usize>),
    /// A part of the block at this place, as the transport sends it.
    Part(usize, Block),
}

impl Load {
    /// The places of the blocks that it carries records of.
    #[must_use]
    pub const fn places(&self) -> Range<usize> {
        match self {
            Self::Blocks(places) => places.start..places.end,
            Self::Part(place, _) => *place..*place + 1,
        }
    }

    /// Size before compression, in bytes.
    #[must_use]
    pub fn raw_bytes(&self, claimed: &[Arc<Block>]) -> usize {
        match self {
            Self::Blocks(places) => claimed[places.clone()].iter().map(|block| block.raw_bytes).sum(),
            Self::Part(_, block) => block.raw_bytes,
        }
    }

    /// The same records in two loads, in order: `request` is this load as it is sent. `None`: it is a single record.
    #[must_use]
    pub fn halves(&self, request: &Block, is_protected: fn(&[u8]) -> bool) -> Option<[Self; 2]> {
        let places = self.places();
        if places.len() > 1 {
            return self.block_halves();
        }
        let (first, second) = split(request, is_protected)?;
        Some([Self::Part(places.start, first), Self::Part(places.start, second)])
    }

    /// The same blocks in two loads, in order. `None`: it is one block, or a part of one.
    #[must_use]
    pub fn block_halves(&self) -> Option<[Self; 2]> {
        match self {
            Self::Blocks(places) if places.len() > 1 => {
                let middle = places.start + places.len() / 2;
                Some([Self::Blocks(places.start..middle), Self::Blocks(middle..places.end)])
            }
            _ => None,
        }
    }
}

/// One request of several blocks, in order. `None` when a body is damaged: each goes alone.
#[must_use]
pub fn together(blocks: &[Arc<Block>]) -> Option<Block> {
    let first = blocks.first()?;
    let mut raw = Vec::with_capacity(blocks.iter().map(|block| block.raw_bytes).sum());
    for block in blocks {
        // Two messages one behind the other are one message with the repeated fields of both.
        raw.extend_from_slice(&unpack(block).ok()?);
    }
    let records = blocks.iter().map(|block| block.records).sum();
    let protected = blocks.iter().map(|block| block.protected_records).sum();
    Some(Block { sequence: first.sequence, ..seal_request(&raw, (records, protected), first.codec) })
}

/// What became of one block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    /// By number.
    pub outcome: Outcome,
    /// Its rejected records by the kind of failure.
    pub rejected: Vec<(Cow<'static, str>, u64)>,
}

/// What becomes of blocks that were claimed together.
#[derive(Debug)]
pub struct Shares<'a> {
    claimed: &'a [Arc<Block>],
    each: Vec<Share>,
    /// So many from the first on were handed out.
    taken: usize,
}

impl<'a> Shares<'a> {
    /// Nothing is decided.
    #[must_use]
    pub fn new(claimed: &'a [Arc<Block>]) -> Self {
        Self { claimed, each: vec![Share::default(); claimed.len()], taken: 0 }
    }

    /// Gives each block its share of what became of a request with `load`; `error` is why records of it were rejected. Of
    /// several blocks, the first have those that a partial success leaves out: no answer says which they were.
    #[allow(clippy::ptr_arg)] // A `&str` would be copied for each block.
    pub fn add(&mut self, load: &Load, outcome: Outcome, error: &Cow<'static, str>) {
        let mut left = outcome;
        for place in load.places() {
            let records = match load {
                Load::Blocks(_) => self.claimed[place].records,
                Load::Part(_, block) => block.records,
            };
            let rejected = left.rejected.min(records);
            let dropped_max_elapsed = left.dropped_max_elapsed.min(records - rejected);
            let delivered = left.delivered.min(records - rejected - dropped_max_elapsed);
            left.rejected -= rejected;
            left.dropped_max_elapsed -= dropped_max_elapsed;
            left.delivered -= delivered;
            let share = &mut self.each[place];
            share.outcome.rejected += rejected;
            share.outcome.dropped_max_elapsed += dropped_max_elapsed;
            share.outcome.delivered += delivered;
            if rejected > 0 {
                share.rejected.push((error.clone(), rejected));
            }
        }
    }

    /// Blocks that are decided as a whole, each once, in order: loads are.
    pub fn take_decided(&mut self) -> Vec<(&'a Arc<Block>, Share)> {
        let mut decided = Vec::new();
        while let (Some(block), Some(share)) = (self.claimed.get(self.taken), self.each.get_mut(self.taken)) {
            if share.outcome.total() < block.records {
                break;
            }
            decided.push((block, std::mem::take(share)));
            self.taken += 1;
        }
        decided
    }

    /// The blocks of which a part is not decided.
    #[must_use]
    pub fn undecided(&self) -> &'a [Arc<Block>] {
        self.claimed.get(self.taken..).unwrap_or_default()
    }
}
