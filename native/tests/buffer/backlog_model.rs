//! Stage 6: several cursors over one log of blocks, with and without batch processors, in memory and on a disk that may
//! fail, against a small model.
//!
//! Two cursors answer as native senders do and one as Python's delivery loop; to the log they are the same.
//! Length reason: one state machine.

use fapilog_native::backlog::entries::{Seen, Spot, Which};
use fapilog_native::backlog::shelf::{Shelf, Unread};
use fapilog_native::backlog::Backlog;
use fapilog_native::block::{Block, Codec};
use fapilog_native::export::wake::Wake;
use fapilog_native::ledger::{DropReason, Drops, ExporterCounts, Settlement};
use fapilog_native::spool::{Exporters, Place};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

const NAMES: [&str; 3] = ["one", "two", "python"];

/// Memory of so many blocks with so many records together.
fn held(blocks: usize, records: u64) -> usize {
    blocks * Block::PLACE_BYTES + 10 * usize::try_from(records).unwrap()
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Push { records: u64, protected: bool },
    ClaimUnprocessed,
    Processed { which: usize, kept: u64 },
    Claim(usize),
    Settle { cursor: usize, which: usize, outcome: Outcome },
    SettleUnclaimed { cursor: usize, sequence: u64 },
    Release { cursor: usize, which: usize },
    DropOldest { protected_too: bool },
    AbandonCursor(usize),
    Abandon,
    BeginSpill { rest: bool },
    EndSpill { which: usize, written: bool },
    Adopt { records: u64, owed: u16, seen: Seen },
    Unprocessed { which: usize },
    Room(bool),
    Lose { cursor: usize, which: usize },
    FailNextRead(Unread),
    RetryReads,
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Delivered,
    Rejected,
    Dropped(DropReason),
    /// One record, the rest stays undecided.
    Part,
    /// More than the block holds.
    TooMany,
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![Just(Seen::Processed), Just(Seen::Unprocessed)]
}

fn action() -> impl Strategy<Value = Action> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Delivered),
        1 => Just(Outcome::Rejected),
        1 => prop::sample::select(DropReason::ALL.to_vec()).prop_map(Outcome::Dropped),
        1 => Just(Outcome::Part),
        1 => Just(Outcome::TooMany),
    ];
    let cursor = || 0..NAMES.len();
    prop_oneof![
        60 => (1..9u64, prop::bool::weighted(0.2)).prop_map(|(records, protected)| Action::Push { records, protected }),
        50 => Just(Action::ClaimUnprocessed),
        50 => (0..4usize, 0..9u64).prop_map(|(which, kept)| Action::Processed { which, kept }),
        90 => cursor().prop_map(Action::Claim),
        90 => (cursor(), 0..4usize, outcome)
            .prop_map(|(cursor, which, outcome)| Action::Settle { cursor, which, outcome }),
        10 => (cursor(), 0..20u64).prop_map(|(cursor, sequence)| Action::SettleUnclaimed { cursor, sequence }),
        20 => (cursor(), 0..4usize).prop_map(|(cursor, which)| Action::Release { cursor, which }),
        20 => any::<bool>().prop_map(|protected_too| Action::DropOldest { protected_too }),
        1 => cursor().prop_map(Action::AbandonCursor),
        1 => Just(Action::Abandon),
        40 => prop::bool::weighted(0.3).prop_map(|rest| Action::BeginSpill { rest }),
        40 => (0..4usize, prop::bool::weighted(0.8)).prop_map(|(which, written)| Action::EndSpill { which, written }),
        15 => (1..9u64, 1..8u16, seen()).prop_map(|(records, owed, seen)| Action::Adopt { records, owed, seen }),
        10 => (0..4usize).prop_map(|which| Action::Unprocessed { which }),
        10 => prop::bool::weighted(0.7).prop_map(Action::Room),
        10 => (cursor(), 0..4usize).prop_map(|(cursor, which)| Action::Lose { cursor, which }),
        10 => prop::sample::select(vec![Unread::Later, Unread::Lost, Unread::Foreign, Unread::Locked(0)]).prop_map(Action::FailNextRead),
        10 => Just(Action::RetryReads),
    ]
}

/// A disk that keeps blocks by numbers of its own, and fails when told.
#[derive(Debug, Default)]
struct FakeShelf {
    records: Mutex<BTreeMap<u64, u64>>,
    /// Who has not settled a block.
    owed: Mutex<BTreeMap<u64, Exporters>>,
    fail: Mutex<Option<Unread>>,
    full: AtomicBool,
}

impl FakeShelf {
    fn keep(&self, number: u64, records: u64, owed: Exporters) {
        self.records.lock().unwrap().insert(number, records);
        self.owed.lock().unwrap().insert(number, owed);
    }
}

impl Shelf for FakeShelf {
    fn read(&self, spot: Spot) -> Result<Block, Unread> {
        if let Some(fault) = self.fail.lock().unwrap().take() {
            return Err(fault);
        }
        // The number in the file is that of another process.
        Ok(Block { sequence: 999, ..block(self.records.lock().unwrap()[&spot.place.number], false) })
    }

    fn settle(&self, done: &[(Spot, usize)]) {
        let mut all = self.owed.lock().unwrap();
        for (spot, cursor) in done {
            let owed = all.get_mut(&spot.place.number).unwrap();
            assert!(owed.contains(*cursor), "settled twice");
            *owed = owed.without(*cursor);
        }
    }

    fn has_room(&self, _: usize, _: u64) -> bool {
        !self.full.load(Ordering::Relaxed)
    }

    fn may_bring(&self) -> bool {
        false
    }

    fn pushed(&self, _: usize, _: u64) {}
}

const fn spot(number: u64) -> Spot {
    Spot { store: 0, place: Place { number, segment: 0, offset: 0 } }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Unprocessed,
    Processing,
    Ready,
}

#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools)] // A model says each fact by itself.
struct ModelBlock {
    records: u64,
    protected: bool,
    stage: Stage,
    /// Records undecided, by cursor.
    left: [u64; 3],
    held: [bool; 3],
    /// On disk for another process: nobody here claims it.
    given_up: [bool; 3],
    /// Lost on disk while an exporter had it in hands.
    doomed: [Option<DropReason>; 3],
    /// Being written, as processors have seen it or not.
    spilling: Option<Seen>,
    /// Where its bytes lie, if they are not in memory.
    on_disk: Option<u64>,
    /// Where it lies as it was before the processors.
    original: Option<u64>,
    adopted: bool,
}

impl ModelBlock {
    fn new(records: u64, stage: Stage, left: [u64; 3]) -> Self {
        let no = [false; 3];
        let (spilling, on_disk, original, doomed) = (None, None, None, [None; 3]);
        let (held, given_up, protected, adopted) = (no, no, false, false);
        Self { records, protected, stage, left, held, given_up, doomed, spilling, on_disk, original, adopted }
    }

    fn is_in_hands(&self) -> bool {
        self.stage == Stage::Processing || self.held.contains(&true)
    }

    fn is_undecided(&self) -> bool {
        (0..3).any(|cursor| self.left[cursor] > 0 && !self.given_up[cursor])
    }

    fn is_safe(&self) -> bool {
        self.on_disk.is_some() || self.original.is_some()
    }

    fn waits_for(&self, cursor: usize) -> bool {
        self.stage == Stage::Ready && self.left[cursor] > 0 && !self.given_up[cursor]
    }
}

/// The log beside what must be true of it.
struct World {
    backlog: Backlog,
    gated: bool,
    blocks: BTreeMap<u64, ModelBlock>,
    end: u64,
    pushed: u64,
    closed: [Option<DropReason>; 3],
    delivered: [u64; 3],
    rejected: [u64; 3],
    dropped: [Drops; 3],
    adopted: [u64; 3],
    shelf: Arc<FakeShelf>,
    /// Being written, some of them settled meanwhile.
    writing: Vec<(u64, u64, Exporters)>,
    resting: Vec<(Option<usize>, u64)>,
    next_spot: u64,
}

fn block(records: u64, protected: bool) -> Block {
    let body = vec![0; 10 * usize::try_from(records).unwrap()];
    let protected_records = u64::from(protected);
    Block { sequence: 0, records, protected_records, raw_bytes: body.len(), codec: Codec::Identity, body }
}

impl World {
    fn new(gated: bool) -> Self {
        let shelf = Arc::new(FakeShelf::default());
        let backlog = Backlog::new(&NAMES, gated, Arc::new(Wake::default()));
        Self {
            backlog: backlog.with_shelf(Some(Arc::clone(&shelf) as Arc<dyn Shelf>)),
            shelf,
            adopted: [0; 3],
            writing: Vec::new(),
            resting: Vec::new(),
            next_spot: 0,
            gated,
            blocks: BTreeMap::new(),
            end: 0,
            pushed: 0,
            closed: [None; 3],
            delivered: [0; 3],
            rejected: [0; 3],
            dropped: [Drops::default(); 3],
        }
    }

    fn run(&mut self, action: Action) {
        match action {
            Action::Push { records, protected } => self.push(records, protected),
            Action::ClaimUnprocessed => self.claim_unprocessed(),
            Action::Processed { which, kept } => self.processed(which, kept),
            Action::Claim(cursor) => self.claim(cursor),
            Action::Settle { cursor, which, outcome } => self.settle(cursor, which, outcome),
            Action::SettleUnclaimed { cursor, sequence } => {
                if !self.blocks.get(&sequence).is_some_and(|block| block.held[cursor]) {
                    self.backlog.settle(
                        cursor,
                        sequence,
                        Settlement { delivered: 1, ..Settlement::default() },
                    );
                    self.backlog.release(cursor, sequence);
                }
            }
            Action::Release { cursor, which } => {
                if let Some(sequence) = self.held(cursor, which) {
                    self.backlog.release(cursor, sequence);
                    self.released(cursor, sequence);
                }
            }
            Action::DropOldest { protected_too } => self.drop_oldest(protected_too),
            Action::AbandonCursor(cursor) => self.close(cursor),
            Action::Abandon => (0..3).for_each(|cursor| self.close(cursor)),
            Action::BeginSpill { rest } => self.begin_spill(rest),
            Action::EndSpill { which, written } => self.end_spill(which, written),
            Action::Adopt { records, owed, seen } => self.adopt(records, Exporters::from_bits(owed), seen),
            Action::Unprocessed { which } => self.unprocessed(which),
            Action::Room(room) => self.shelf.full.store(!room, Ordering::Relaxed),
            Action::Lose { cursor, which } => self.lose(cursor, which),
            Action::FailNextRead(fault) => *self.shelf.fail.lock().unwrap() = Some(fault),
            Action::RetryReads => {
                self.backlog.retry_reads();
                // The keys that were tried before say nothing new; others do.
                self.backlog.retry_locked(0);
                self.backlog.retry_locked(1);
                for (cursor, sequence) in std::mem::take(&mut self.resting) {
                    match (cursor, self.blocks.get_mut(&sequence)) {
                        (Some(cursor), Some(_)) => self.released(cursor, sequence),
                        (None, Some(block)) => block.stage = Stage::Unprocessed,
                        (_, None) => {}
                    }
                }
            }
        }
        self.blocks.retain(|_, block| block.left.iter().any(|left| *left > 0));
    }

    fn push(&mut self, records: u64, protected: bool) {
        self.backlog.push(block(records, protected));
        self.pushed += records;
        let mut left = [records; 3];
        for (left, (closed, dropped)) in left.iter_mut().zip(self.closed.iter().zip(&mut self.dropped)) {
            if let Some(reason) = closed {
                dropped.add(*reason, std::mem::take(left));
            }
        }
        if left != [0; 3] {
            let stage = if self.gated { Stage::Unprocessed } else { Stage::Ready };
            self.blocks.insert(self.end, ModelBlock { protected, ..ModelBlock::new(records, stage, left) });
            self.end += 1;
        }
        assert_eq!(self.backlog.end(), self.end);
    }

    fn released(&mut self, cursor: usize, sequence: u64) {
        let Some(block) = self.blocks.get_mut(&sequence).filter(|block| block.held[cursor]) else { return };
        block.held[cursor] = false;
        if let Some(reason) = block.doomed[cursor].take() {
            self.dropped[cursor].add(reason, std::mem::take(&mut block.left[cursor]));
        }
    }

    fn claim_unprocessed(&mut self) {
        let mut fault = *self.shelf.fail.lock().unwrap();
        let has_room = !self.shelf.full.load(Ordering::Relaxed);
        let claimed = self.backlog.claim_unprocessed();
        loop {
            let waits = |block: &ModelBlock| block.stage == Stage::Unprocessed && block.is_undecided();
            let waiting = self.blocks.iter().filter(|(_, block)| waits(block));
            let next =
                waiting.min_by_key(|(sequence, block)| (block.adopted, **sequence)).map(|found| *found.0);
            let next = next.filter(|sequence| has_room || self.blocks[sequence].on_disk.is_none());
            let Some(sequence) = next else {
                assert!(claimed.is_none());
                return;
            };
            let block = self.blocks.get_mut(&sequence).unwrap();
            block.stage = Stage::Processing;
            match fault.take_if(|_| block.on_disk.is_some()) {
                None => {
                    let found = claimed.map(|block| (block.sequence, block.records));
                    assert_eq!(found, Some((sequence, block.records)));
                    return;
                }
                Some(Unread::Later | Unread::Locked(_)) => self.resting.push((None, sequence)),
                Some(Unread::Foreign) if block.adopted => self.disown(sequence),
                Some(Unread::Lost | Unread::Foreign) => {
                    for cursor in 0..3 {
                        let left = std::mem::take(&mut block.left[cursor]);
                        self.dropped[cursor].add(DropReason::Damaged, left);
                    }
                }
            }
            self.blocks.retain(|_, block| block.left.iter().any(|left| *left > 0));
        }
    }

    fn disown(&mut self, sequence: u64) {
        let block = self.blocks.remove(&sequence).unwrap();
        for (adopted, left) in self.adopted.iter_mut().zip(block.left) {
            *adopted -= left;
        }
    }

    /// A block that the processors have, whether or not it can be read.
    fn with_processors(&self, which: usize) -> Option<u64> {
        let resting = |sequence: u64| self.resting.contains(&(None, sequence));
        let has = |block: &ModelBlock| block.stage == Stage::Processing && block.is_undecided();
        let with = self.blocks.iter().filter(|(_, block)| has(block));
        let with: Vec<u64> =
            with.map(|(sequence, _)| *sequence).filter(|sequence| !resting(*sequence)).collect();
        with.get(which % with.len().max(1)).copied()
    }

    fn unprocessed(&mut self, which: usize) {
        let Some(sequence) = self.with_processors(which) else { return };
        self.backlog.unprocessed(sequence);
        self.blocks.get_mut(&sequence).unwrap().stage = Stage::Unprocessed;
    }

    fn processed(&mut self, which: usize, kept: u64) {
        let Some(sequence) = self.with_processors(which) else {
            // What the processors do not have, they cannot change.
            self.backlog.processed(self.end, block(1, false));
            return;
        };
        let model = self.blocks.get_mut(&sequence).unwrap();
        let kept = kept.min(model.records);
        self.backlog.processed(sequence, block(kept, model.protected));
        for cursor in 0..3 {
            if model.left[cursor] > 0 && !model.given_up[cursor] {
                self.dropped[cursor].add(DropReason::Processed, model.records - kept);
                model.left[cursor] = kept;
            }
        }
        if let Some(number) = model.on_disk.take() {
            model.original = Some(number);
        }
        model.records = kept;
        model.stage = Stage::Ready;
    }

    /// The oldest block that is ready, undecided and in nobody's hands, our own first; never one that processors have not
    /// seen, nor one that cannot be read.
    fn claim(&mut self, cursor: usize) {
        let mut fault = *self.shelf.fail.lock().unwrap();
        let claimed = self.backlog.try_claim(cursor);
        loop {
            let claimable = |block: &ModelBlock| block.waits_for(cursor) && !block.held[cursor];
            let found = self.blocks.iter().filter(|(_, block)| claimable(block));
            let sequence =
                found.min_by_key(|(sequence, block)| (block.adopted, **sequence)).map(|found| *found.0);
            let Some(sequence) = sequence else {
                assert!(claimed.is_none());
                return;
            };
            let block = self.blocks.get_mut(&sequence).unwrap();
            block.held[cursor] = true;
            let Some(fault) = fault.take_if(|_| block.on_disk.is_some()) else {
                assert_eq!(
                    claimed.map(|block| (block.sequence, block.records)),
                    Some((sequence, block.records))
                );
                return;
            };
            match fault {
                Unread::Later | Unread::Locked(_) => self.resting.push((Some(cursor), sequence)),
                Unread::Foreign if block.adopted => self.disown(sequence),
                Unread::Lost | Unread::Foreign => {
                    let left = std::mem::take(&mut block.left[cursor]);
                    self.dropped[cursor].add(DropReason::Damaged, left);
                    block.held[cursor] = false;
                }
            }
        }
    }

    fn begin_spill(&mut self, rest: bool) {
        let fits = |block: &ModelBlock| {
            let is_free = block.on_disk.is_none() && block.spilling.is_none();
            (rest || block.stage == Stage::Ready) && is_free && block.is_undecided()
        };
        let seen = |stage| if stage == Stage::Ready { Seen::Processed } else { Seen::Unprocessed };
        let expected = self.blocks.iter_mut().find(|(_, block)| fits(block));
        let begun = self.backlog.begin_spill(if rest { Which::Rest } else { Which::Oldest });
        let owing =
            |left: [u64; 3]| (0..3).filter(|cursor| left[*cursor] > 0).fold(Exporters::NONE, Exporters::with);
        assert_eq!(
            begun.map(|spill| (spill.block.sequence, spill.owed, spill.seen)),
            expected.as_ref().map(|(sequence, block)| (**sequence, owing(block.left), seen(block.stage)))
        );
        if let Some((sequence, block)) = expected {
            block.spilling = Some(seen(block.stage));
            self.writing.push((*sequence, block.records, owing(block.left)));
        }
    }

    fn end_spill(&mut self, which: usize, written: bool) {
        if self.writing.is_empty() {
            return;
        }
        let (sequence, records, owed) = self.writing.swap_remove(which % self.writing.len());
        let seen = self.blocks.get_mut(&sequence).and_then(|block| block.spilling.take());
        if !written {
            self.backlog.not_spilled(sequence);
            return;
        }
        let number = self.next_spot();
        self.shelf.keep(number, records, owed);
        let still = self.backlog.spilled(sequence, spot(number));
        for cursor in owed.iter().filter(|cursor| !still.contains(*cursor)) {
            self.shelf.settle(&[(spot(number), cursor)]);
        }
        let Some(block) = self.blocks.get_mut(&sequence) else { return };
        if seen == Some(Seen::Unprocessed) && block.stage == Stage::Ready {
            block.original = Some(number);
        } else {
            (block.on_disk, block.original) = (Some(number), None);
        }
    }

    fn next_spot(&mut self) -> u64 {
        self.next_spot += 1;
        self.next_spot
    }

    fn adopt(&mut self, records: u64, owed: Exporters, seen: Seen) {
        let number = self.next_spot();
        let sequence = self.backlog.adopt(records, spot(number), owed, seen);
        let is_open = |cursor: usize| self.closed[cursor].is_none();
        assert_eq!(sequence, owed.iter().any(is_open).then_some(self.end));
        let Some(sequence) = sequence else { return };
        let left = [0, 1, 2].map(|cursor| if owed.contains(cursor) { records } else { 0 });
        let given_up = [0, 1, 2].map(|cursor| !is_open(cursor));
        self.adopted.iter_mut().zip(left).for_each(|(adopted, left)| *adopted += left);
        let block = ModelBlock::new(records, self.first_stage(seen), left);
        self.blocks.insert(sequence, ModelBlock { given_up, on_disk: Some(number), adopted: true, ..block });
        self.shelf.keep(number, records, owed);
        self.end += 1;
    }

    fn first_stage(&self, seen: Seen) -> Stage {
        if self.gated && seen == Seen::Unprocessed {
            Stage::Unprocessed
        } else {
            Stage::Ready
        }
    }

    fn lose(&mut self, cursor: usize, which: usize) {
        let spooled = self.blocks.iter().filter(|(_, block)| block.is_safe());
        let spooled: Vec<u64> = spooled.map(|(sequence, _)| *sequence).collect();
        let Some(sequence) = spooled.get(which % spooled.len().max(1)) else { return };
        self.backlog.lose(cursor, *sequence, DropReason::Expired);
        let block = self.blocks.get_mut(sequence).unwrap();
        if block.on_disk.is_none() {
            // What the processors made of it is in memory.
            block.original = None;
        } else if block.held[cursor] && !self.resting.contains(&(Some(cursor), *sequence)) {
            block.doomed[cursor] = Some(DropReason::Expired);
        } else {
            self.resting.retain(|resting| *resting != (Some(cursor), *sequence));
            block.held[cursor] = false;
            self.dropped[cursor].add(DropReason::Expired, std::mem::take(&mut block.left[cursor]));
        }
    }

    fn held(&self, cursor: usize, which: usize) -> Option<u64> {
        // What could not be read was never handed out.
        let resting = |sequence: u64| self.resting.contains(&(Some(cursor), sequence));
        let held = self.blocks.iter().filter(|(_, block)| block.held[cursor] && !block.given_up[cursor]);
        let held: Vec<u64> = held.map(|(sequence, _)| *sequence).filter(|held| !resting(*held)).collect();
        (!held.is_empty()).then(|| held[which % held.len()])
    }

    fn settle(&mut self, cursor: usize, which: usize, outcome: Outcome) {
        let Some(sequence) = self.held(cursor, which) else { return };
        let model = self.blocks.get_mut(&sequence).unwrap();
        let left = model.left[cursor];
        let mut settlement = Settlement::default();
        let decided = match outcome {
            Outcome::Delivered | Outcome::Rejected | Outcome::Dropped(_) => left,
            Outcome::Part => 1,
            Outcome::TooMany => left + 3,
        };
        match outcome {
            Outcome::Rejected => settlement.rejected = decided,
            Outcome::Dropped(reason) => settlement.dropped.add(reason, decided),
            _ => settlement.delivered = decided,
        }
        self.backlog.settle(cursor, sequence, settlement);
        let believed = decided.min(left);
        match outcome {
            Outcome::Rejected => self.rejected[cursor] += believed,
            Outcome::Dropped(reason) => self.dropped[cursor].add(reason, believed),
            _ => self.delivered[cursor] += believed,
        }
        model.left[cursor] -= believed;
        model.held[cursor] = model.left[cursor] > 0;
    }

    fn drop_oldest(&mut self, protected_too: bool) {
        let droppable = |block: &ModelBlock| {
            let is_free = block.on_disk.is_none() && block.spilling.is_none() && !block.is_in_hands();
            is_free && (protected_too || !block.protected)
        };
        let oldest = self.blocks.iter().find(|(_, block)| droppable(block)).map(|(sequence, _)| *sequence);
        assert_eq!(self.backlog.drop_oldest(protected_too), oldest.is_some());
        if let Some(gone) = oldest.and_then(|sequence| self.blocks.remove(&sequence)) {
            for cursor in 0..3 {
                self.dropped[cursor].add(DropReason::OverflowOldest, gone.left[cursor]);
            }
        }
    }

    fn close(&mut self, cursor: usize) {
        self.backlog.abandon_cursor(cursor, DropReason::Shutdown);
        self.closed[cursor] = Some(DropReason::Shutdown);
        for block in self.blocks.values_mut() {
            block.held[cursor] = false;
            let doomed = block.doomed[cursor].take();
            if block.is_safe() && doomed.is_none() {
                block.given_up[cursor] |= block.left[cursor] > 0;
            } else {
                let reason = doomed.unwrap_or(DropReason::Shutdown);
                self.dropped[cursor].add(reason, std::mem::take(&mut block.left[cursor]));
            }
        }
    }

    /// What holds after every action.
    fn check(&self) {
        let counts = self.backlog.counts();
        for (cursor, side) in counts.iter().enumerate() {
            let blocks = || self.blocks.values();
            let expected = ExporterCounts {
                handed_over: None,
                kept: 0,
                name: NAMES[cursor].to_owned(),
                accepted: 0,
                adopted: self.adopted[cursor],
                delivered: self.delivered[cursor],
                rejected: self.rejected[cursor],
                dropped: self.dropped[cursor],
                pending: blocks().map(|block| block.left[cursor]).sum(),
                in_flight: blocks().filter(|block| block.held[cursor]).map(|block| block.left[cursor]).sum(),
                spooled: blocks()
                    .filter(|block| block.is_safe() && block.doomed[cursor].is_none())
                    .map(|block| block.left[cursor])
                    .sum(),
            };
            assert_eq!(*side, expected);
            let decided = side.delivered + side.rejected + side.dropped.total();
            assert_eq!(
                self.pushed + side.adopted,
                decided + side.pending,
                "a record vanished or was made up"
            );
        }
        let (blocks, records) = self.in_memory();
        assert_eq!((self.backlog.records(), self.backlog.bytes()), (records, held(blocks, records)));
        let now = Instant::now();
        let undecided = || self.blocks.values().filter(|block| block.is_undecided());
        assert_eq!(self.backlog.wait_settled(self.end, now), undecided().all(|block| block.adopted));
        assert_eq!(self.backlog.wait_all_settled(now), undecided().next().is_none());
        let waits =
            |cursor: usize| self.blocks.values().any(|block| !block.adopted && block.waits_for(cursor));
        assert_eq!(self.backlog.wait_settled_by(&[0, 1], self.end, now), !waits(0) && !waits(1));
    }

    /// Gives every block its way to the end.
    fn finish(&mut self) {
        *self.shelf.fail.lock().unwrap() = None;
        self.run(Action::RetryReads);
        while !self.writing.is_empty() {
            self.run(Action::EndSpill { which: 0, written: true });
        }
        self.run(Action::Room(true));
        while self.blocks.values().any(|block| block.stage != Stage::Ready && block.is_undecided()) {
            self.run(Action::ClaimUnprocessed);
            self.run(Action::Processed { which: 0, kept: u64::MAX });
        }
        for cursor in 0..3 {
            while self.blocks.values().any(|block| block.waits_for(cursor)) {
                self.run(Action::Claim(cursor));
                self.run(Action::Settle { cursor, which: 0, outcome: Outcome::Delivered });
            }
        }
        self.check();
        let (blocks, left) = self.in_memory();
        assert_eq!(
            (self.backlog.bytes(), self.backlog.records()),
            (held(blocks, left), left),
            "memory leaks"
        );
    }

    /// Blocks in memory and the records in them.
    fn in_memory(&self) -> (usize, u64) {
        let blocks = || self.blocks.values().filter(|block| block.on_disk.is_none());
        (blocks().count(), blocks().map(|block| block.records).sum())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_record_is_decided_once_at_every_cursor_whatever_happens(
        gated in any::<bool>(), actions in vec(action(), 0..300),
    ) {
        let mut world = World::new(gated);
        for action in actions {
            world.run(action);
            world.check();
        }
        world.finish();
    }
}

#[test]
fn a_claim_waits_for_the_processors_and_ends_when_they_leave_nothing() {
    let backlog = Arc::new(Backlog::new(&["otlp"], true, Arc::default()));
    backlog.push(block(2, false));
    backlog.drain();
    let waiting = {
        let backlog = Arc::clone(&backlog);
        std::thread::spawn(move || backlog.claim(0).map(|block| block.records))
    };
    let claimed = backlog.claim_unprocessed().unwrap();
    backlog.processed(claimed.sequence, block(0, false));
    assert_eq!(waiting.join().unwrap(), None);
    assert_eq!(backlog.counts()[0].dropped.get(DropReason::Processed), 2);
}
