//! Stage 6: several cursors over one log of blocks, with and without batch processors, against a small model.
//!
//! Two cursors answer as native senders do and one as Python's delivery loop; to the log they are the same.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may fail.

use fapilog_native::backlog::Backlog;
use fapilog_native::block::{Block, Codec};
use fapilog_native::ledger::{DropReason, Drops, ExporterCounts, Settlement};
use fapilog_native::wake::Wake;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

const NAMES: [&str; 3] = ["one", "two", "python"];

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
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Unprocessed,
    Processing,
    Ready,
}

#[derive(Debug, Clone)]
struct ModelBlock {
    records: u64,
    protected: bool,
    stage: Stage,
    /// Records undecided, by cursor.
    left: [u64; 3],
    held: [bool; 3],
}

impl ModelBlock {
    fn is_busy(&self) -> bool {
        self.stage == Stage::Processing || self.held.contains(&true)
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
}

fn block(records: u64, protected: bool) -> Block {
    let body = vec![0; 10 * usize::try_from(records).unwrap()];
    let protected_records = u64::from(protected);
    Block { sequence: 0, records, protected_records, raw_bytes: body.len(), codec: Codec::Identity, body }
}

impl World {
    fn new(gated: bool) -> Self {
        Self {
            backlog: Backlog::new(&NAMES, gated, Arc::new(Wake::default())),
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
                    self.blocks.get_mut(&sequence).unwrap().held[cursor] = false;
                }
            }
            Action::DropOldest { protected_too } => self.drop_oldest(protected_too),
            Action::AbandonCursor(cursor) => self.close(cursor),
            Action::Abandon => (0..3).for_each(|cursor| self.close(cursor)),
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
            self.blocks.insert(self.end, ModelBlock { records, protected, stage, left, held: [false; 3] });
            self.end += 1;
        }
        assert_eq!(self.backlog.end(), self.end);
    }

    fn claim_unprocessed(&mut self) {
        let expected = self.blocks.iter_mut().find(|(_, block)| block.stage == Stage::Unprocessed);
        let claimed = self.backlog.claim_unprocessed();
        assert_eq!(claimed.map(|block| block.sequence), expected.as_ref().map(|(sequence, _)| **sequence));
        if let Some((_, block)) = expected {
            block.stage = Stage::Processing;
        }
    }

    fn processed(&mut self, which: usize, kept: u64) {
        let with = self.blocks.iter_mut().filter(|(_, block)| block.stage == Stage::Processing);
        let mut with: Vec<_> = with.collect();
        if with.is_empty() {
            // What the processors do not have, they cannot change.
            self.backlog.processed(self.end, block(1, false));
            return;
        }
        let index = which % with.len();
        let (sequence, model) = with.swap_remove(index);
        let kept = kept.min(model.records);
        self.backlog.processed(*sequence, block(kept, model.protected));
        for cursor in 0..3 {
            if model.left[cursor] > 0 {
                self.dropped[cursor].add(DropReason::Processed, model.records - kept);
                model.left[cursor] = kept;
            }
        }
        model.records = kept;
        model.stage = Stage::Ready;
    }

    /// The oldest block that is ready, undecided and in nobody's hands; never one that processors have not seen.
    fn claim(&mut self, cursor: usize) {
        let claimable =
            |block: &ModelBlock| block.stage == Stage::Ready && !block.held[cursor] && block.left[cursor] > 0;
        let expected = self.blocks.iter_mut().find(|(_, block)| claimable(block));
        let claimed = self.backlog.try_claim(cursor);
        assert_eq!(
            claimed.map(|block| (block.sequence, block.records)),
            expected.as_ref().map(|(sequence, block)| (**sequence, block.records))
        );
        if let Some((_, block)) = expected {
            block.held[cursor] = true;
        }
    }

    fn held(&self, cursor: usize, which: usize) -> Option<u64> {
        let held = self.blocks.iter().filter(|(_, block)| block.held[cursor]);
        let held: Vec<u64> = held.map(|(sequence, _)| *sequence).collect();
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
        let droppable = |block: &ModelBlock| !block.is_busy() && (protected_too || !block.protected);
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
            self.dropped[cursor].add(DropReason::Shutdown, std::mem::take(&mut block.left[cursor]));
            block.held[cursor] = false;
        }
    }

    /// What holds after every action.
    fn check(&self) {
        let counts = self.backlog.counts();
        for (cursor, side) in counts.iter().enumerate() {
            let blocks = || self.blocks.values();
            let expected = ExporterCounts {
                name: NAMES[cursor].to_owned(),
                accepted: 0,
                delivered: self.delivered[cursor],
                rejected: self.rejected[cursor],
                dropped: self.dropped[cursor],
                pending: blocks().map(|block| block.left[cursor]).sum(),
                in_flight: blocks().filter(|block| block.held[cursor]).map(|block| block.left[cursor]).sum(),
            };
            assert_eq!(*side, expected);
            let decided = side.delivered + side.rejected + side.dropped.total();
            assert_eq!(self.pushed, decided + side.pending, "a record vanished or was made up");
        }
        let records: u64 = self.blocks.values().map(|block| block.records).sum();
        assert_eq!((self.backlog.records(), self.backlog.bytes() as u64), (records, 10 * records));
        let now = Instant::now();
        assert_eq!(self.backlog.wait_settled(self.end, now), self.blocks.is_empty());
        let waits = |cursor: usize| {
            self.blocks.values().any(|block| block.stage == Stage::Ready && block.left[cursor] > 0)
        };
        assert_eq!(self.backlog.wait_settled_by(&[0, 1], self.end, now), !waits(0) && !waits(1));
    }

    /// Gives every block its way to the end.
    fn finish(&mut self) {
        while self.blocks.values().any(|block| block.stage != Stage::Ready) {
            self.run(Action::ClaimUnprocessed);
            self.run(Action::Processed { which: 0, kept: u64::MAX });
        }
        for cursor in 0..3 {
            while self.blocks.values().any(|block| block.left[cursor] > 0) {
                self.run(Action::Claim(cursor));
                self.run(Action::Settle { cursor, which: 0, outcome: Outcome::Delivered });
            }
        }
        self.check();
        assert_eq!((self.backlog.bytes(), self.backlog.records()), (0, 0), "memory leaks");
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
