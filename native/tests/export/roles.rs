//! Stage 6: whom blocks wait for: required and best-effort exporters, and fallbacks.

use fapilog_native::backlog::cursors::Cursors;
use fapilog_native::backlog::entries::{Claimed, Spill, Spot, Which};
use fapilog_native::backlog::roles::{Duty, Role};
use fapilog_native::backlog::Backlog;
use fapilog_native::block::{Block, Codec};
use fapilog_native::ledger::{DropReason, Drops, ExporterCounts, Settlement};
use fapilog_native::spool::{Exporters, Place};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const REQUIRED: Duty = Duty { role: Role::Required, fallback: None };
const BEST_EFFORT: Duty = Duty { role: Role::BestEffort, fallback: None };
const FALLBACK: Duty = Duty { role: Role::Fallback, fallback: None };

const fn with_fallback(cursor: usize) -> Duty {
    Duty { role: Role::Required, fallback: Some(cursor) }
}

fn block(records: u64) -> Block {
    let body = vec![0; 10 * usize::try_from(records).unwrap()];
    let raw_bytes = body.len();
    Block { sequence: 0, records, protected_records: 0, raw_bytes, codec: Codec::Identity, body }
}

/// Memory of so many blocks with so many records together.
const fn held(blocks: usize, records: usize) -> usize {
    blocks * Block::PLACE_BYTES + 10 * records
}

fn cursors(duties: &[Duty], lag_limit: usize) -> Cursors {
    let names = ["one", "two", "three"];
    Cursors::new(&names[..duties.len()], false).with_duties(duties, lag_limit)
}

fn delivered(records: u64) -> Settlement {
    Settlement { delivered: records, ..Settlement::default() }
}

fn claimed(cursors: &mut Cursors, cursor: usize) -> Option<u64> {
    cursors.claim(cursor).map(|claimed| match claimed {
        Claimed::Block(block) => block.sequence,
        Claimed::Spooled(sequence, _) => sequence,
    })
}

fn deliver(cursors: &mut Cursors, cursor: usize, records: u64) {
    let sequence = claimed(cursors, cursor).unwrap();
    cursors.settle(cursor, sequence, delivered(records));
}

fn spot(number: u64) -> Spot {
    Spot { store: 0, place: Place { number, segment: 0, offset: 0 } }
}

fn dropped(counts: &ExporterCounts) -> Vec<(&'static str, u64)> {
    counts.dropped.iter().filter(|(_, records)| *records > 0).collect()
}

#[test]
fn a_block_is_settled_when_required_exporters_have_it_and_a_best_effort_one_may_still_claim_it() {
    let mut log = cursors(&[REQUIRED, BEST_EFFORT], held(2, 10));
    log.push(block(5), None);
    deliver(&mut log, 0, 5);
    assert!(log.is_settled(1) && log.is_all_settled());
    assert_eq!((log.bytes(), log.records()), (held(1, 5), 5));
    deliver(&mut log, 1, 5);
    assert_eq!((log.bytes(), log.records()), (0, 0));
    assert_eq!(log.counts().iter().map(|side| side.delivered).collect::<Vec<_>>(), [5, 5]);
}

#[test]
fn a_best_effort_exporter_that_is_behind_holds_its_share_of_memory_and_loses_the_oldest() {
    let mut log = cursors(&[REQUIRED, BEST_EFFORT], held(2, 10));
    for _ in 0..50 {
        log.push(block(5), None);
        deliver(&mut log, 0, 5);
        assert!(log.bytes() <= held(2, 10), "{}", log.bytes());
    }
    let counts = log.counts();
    assert_eq!((counts[0].delivered, dropped(&counts[0])), (250, vec![]));
    assert_eq!((counts[1].pending, dropped(&counts[1])), (10, vec![("best_effort", 240)]));
    assert_eq!(claimed(&mut log, 1), Some(48), "the newest are left");
}

#[test]
fn room_is_made_at_the_expense_of_best_effort_exporters_first() {
    let mut log = cursors(&[REQUIRED, BEST_EFFORT], held(9, 90));
    log.push(block(5), None);
    log.push(block(5), None);
    deliver(&mut log, 0, 5);
    assert!(log.drop_lagging());
    assert!(!log.drop_lagging(), "a block that a required exporter waits for does not lag");
    let counts = log.counts();
    assert_eq!((counts[0].pending, counts[1].pending), (5, 5));
    assert_eq!(dropped(&counts[1]), [("best_effort", 5)]);
}

#[test]
fn a_block_that_a_best_effort_exporter_works_on_is_left_to_it() {
    let mut log = cursors(&[REQUIRED, BEST_EFFORT], 0);
    log.push(block(5), None);
    let sequence = claimed(&mut log, 1).unwrap();
    deliver(&mut log, 0, 5);
    assert_eq!(log.bytes(), held(1, 5));
    log.settle(1, sequence, delivered(5));
    assert_eq!((log.bytes(), log.counts()[1].delivered), (0, 5));
}

#[test]
fn nothing_is_written_to_the_disk_for_a_best_effort_exporter() {
    let mut log = cursors(&[REQUIRED, BEST_EFFORT], held(2, 10));
    log.push(block(5), None);
    let (spilling, owed) = log.begin_spill(Which::Oldest).map(|spill| (spill.block, spill.owed)).unwrap();
    assert_eq!(owed, Exporters::NONE.with(0));
    assert_eq!(log.spilled(spilling.sequence, spot(0)), Exporters::NONE.with(0));
    let counts = log.counts();
    assert_eq!((counts[0].spooled, counts[0].pending), (5, 5));
    assert_eq!((counts[1].pending, dropped(&counts[1])), (0, vec![("best_effort", 5)]));

    let mut all = cursors(&[BEST_EFFORT], held(2, 10));
    all.push(block(5), None);
    assert!(all.begin_spill(Which::Oldest).is_none());
}

#[test]
fn a_block_that_went_to_the_disk_does_not_come_back_for_a_best_effort_exporter() {
    let mut log = cursors(&[REQUIRED, BEST_EFFORT], held(2, 10));
    log.push(block(5), None);
    let sequence = claimed(&mut log, 1).unwrap();
    let spilling = log.begin_spill(Which::Oldest).unwrap().block;
    log.spilled(spilling.sequence, spot(0));
    assert!(log.release(1, sequence));
    assert_eq!(claimed(&mut log, 1), None);
    assert_eq!(dropped(&log.counts()[1]), [("best_effort", 5)]);
    deliver(&mut log, 0, 5);
    assert!(log.is_all_settled());
}

#[test]
fn with_best_effort_exporters_alone_nobody_waits_and_memory_stays_small() {
    let mut log = cursors(&[BEST_EFFORT, BEST_EFFORT], held(2, 10));
    for _ in 0..9 {
        log.push(block(4), None);
    }
    assert!(log.is_settled(9));
    assert_eq!((log.bytes(), log.counts()[0].pending), (held(2, 8), 8));
}

#[test]
fn a_flush_does_not_wait_for_a_best_effort_exporter() {
    let backlog = Backlog::new(&["one", "two"], false, std::sync::Arc::default())
        .with_duties(&[REQUIRED, BEST_EFFORT], held(2, 10));
    backlog.push(block(5));
    let taken = backlog.try_claim(0).unwrap();
    backlog.settle(0, taken.sequence, delivered(5));
    assert!(backlog.wait_settled(backlog.end(), Instant::now() + Duration::from_secs(10)));
    backlog.give_up_best_effort();
    assert_eq!((backlog.bytes(), dropped(&backlog.counts()[1])), (0, vec![("best_effort", 5)]));
}

#[test]
fn a_fallback_gets_nothing_until_something_is_handed_over() {
    let mut log = cursors(&[with_fallback(1), FALLBACK], 0);
    log.push(block(5), None);
    assert_eq!(claimed(&mut log, 1), None);
    deliver(&mut log, 0, 5);
    assert!(log.is_all_settled());
    assert_eq!((log.bytes(), log.counts()[1].handed_over), (0, Some(0)));
}

#[test]
fn while_an_exporter_is_down_its_fallback_gets_its_blocks_in_order_and_one_stays_for_a_test() {
    let mut log = cursors(&[with_fallback(1), FALLBACK], 0);
    for _ in 0..3 {
        log.push(block(5), None);
    }
    assert_eq!(claimed(&mut log, 0), Some(0));
    log.divert(0, true);
    log.push(block(5), None);
    for expected in 1..4 {
        let sequence = claimed(&mut log, 1).unwrap();
        assert_eq!(sequence, expected);
        log.settle(1, sequence, delivered(5));
    }
    log.settle(0, 0, delivered(5));
    log.divert(0, false);
    log.push(block(5), None);
    deliver(&mut log, 0, 5);
    let counts = log.counts();
    assert_eq!((counts[0].delivered, dropped(&counts[0])), (10, vec![("diverted", 15)]));
    assert_eq!((counts[1].handed_over, counts[1].delivered, counts[1].pending), (Some(15), 15, 0));
    assert_eq!(log.bytes(), 0);
}

#[test]
fn an_exporter_that_is_down_and_works_on_nothing_keeps_the_next_block() {
    let mut log = cursors(&[with_fallback(1), FALLBACK], 0);
    log.divert(0, true);
    log.push(block(5), None);
    log.push(block(5), None);
    assert_eq!((claimed(&mut log, 0), claimed(&mut log, 1)), (Some(0), Some(1)));
    assert!(log.release(0, 0));
    log.push(block(5), None);
    assert_eq!((claimed(&mut log, 0), claimed(&mut log, 1)), (Some(0), Some(2)));
}

#[test]
fn two_exporters_that_hand_the_same_block_over_deliver_it_once() {
    let mut log = cursors(&[with_fallback(2), with_fallback(2), FALLBACK], 0);
    log.push(block(5), None);
    assert!(log.hand_all_over());
    deliver(&mut log, 2, 5);
    let counts = log.counts();
    assert_eq!(counts[2].handed_over, Some(5));
    assert_eq!([dropped(&counts[0]), dropped(&counts[1])], [[("diverted", 5)], [("diverted", 5)]]);
    assert_eq!(log.bytes(), 0);
}

#[test]
fn what_is_handed_over_at_the_end_includes_blocks_that_the_exporter_has_and_counts_once() {
    let mut log = cursors(&[with_fallback(1), FALLBACK], 0);
    log.push(block(5), None);
    assert_eq!(claimed(&mut log, 0), Some(0));
    assert!(log.hand_all_over());
    log.settle(0, 0, delivered(5));
    assert!(!log.release(0, 0));
    deliver(&mut log, 1, 5);
    let counts = log.counts();
    assert_eq!((counts[0].delivered, dropped(&counts[0])), (0, vec![("diverted", 5)]));
}

#[test]
fn records_that_are_too_old_go_to_the_fallback() {
    let mut log = cursors(&[with_fallback(1), FALLBACK], 0);
    log.push(block(5), None);
    let sequence = claimed(&mut log, 0).unwrap();
    let mut drops = Drops::default();
    drops.add(DropReason::Expired, 5);
    log.settle(0, sequence, Settlement { dropped: drops, ..Settlement::default() });
    deliver(&mut log, 1, 5);
    assert_eq!(dropped(&log.counts()[0]), [("diverted", 5)]);
}

#[test]
fn without_room_the_oldest_blocks_go_to_the_fallback_and_when_it_is_stuck_too_they_are_lost_for_both() {
    let mut log = cursors(&[with_fallback(1), FALLBACK], 0);
    for _ in 0..4 {
        log.push(block(5), None);
    }
    assert_eq!(log.relieve(0, held(2, 6)), 10);
    assert!(log.drop_oldest(false));
    let counts = log.counts();
    assert_eq!(dropped(&counts[1]), [("overflow_oldest", 5)]);
    assert_eq!((counts[0].pending, counts[1].pending), (10, 5));
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Push(u64),
    Claim(usize),
    Settle { cursor: usize, delivered: bool },
    Release(usize),
    Divert(bool),
    Relieve,
    HandAllOver,
    DropLagging,
    DropOldest,
    Spill,
    Close(usize),
    GiveUp,
}

fn action() -> impl Strategy<Value = Action> {
    let cursor = || 0..4usize;
    prop_oneof![
        40 => (1..9u64).prop_map(Action::Push),
        40 => cursor().prop_map(Action::Claim),
        30 => (cursor(), any::<bool>()).prop_map(|(cursor, delivered)| Action::Settle { cursor, delivered }),
        10 => cursor().prop_map(Action::Release),
        5 => any::<bool>().prop_map(Action::Divert),
        5 => Just(Action::Relieve),
        2 => Just(Action::HandAllOver),
        5 => Just(Action::DropLagging),
        5 => Just(Action::DropOldest),
        8 => Just(Action::Spill),
        1 => cursor().prop_map(Action::Close),
        1 => Just(Action::GiveUp),
    ]
}

const LAG_LIMIT: usize = held(4, 20);

/// One required exporter, one with a fallback, one best-effort one, and the fallback.
struct World {
    log: Cursors,
    held: [BTreeSet<u64>; 4],
    records: BTreeMap<u64, u64>,
    pushed: u64,
    /// Blocks that each exporter was given to deliver.
    given: [BTreeSet<u64>; 4],
    on_disk: BTreeSet<u64>,
}

impl World {
    fn new() -> Self {
        let duties = [REQUIRED, with_fallback(3), BEST_EFFORT, FALLBACK];
        let log = Cursors::new(&["one", "two", "three", "four"], false).with_duties(&duties, LAG_LIMIT);
        let none = || std::array::from_fn(|_| BTreeSet::new());
        Self {
            log,
            held: none(),
            given: none(),
            records: BTreeMap::new(),
            pushed: 0,
            on_disk: BTreeSet::new(),
        }
    }

    fn run(&mut self, action: Action) {
        match action {
            Action::Push(records) => {
                let end = self.log.end();
                self.log.push(block(records), None);
                self.records.insert(end, records);
                self.pushed += records;
            }
            Action::Claim(cursor) => {
                if let Some(sequence) = claimed(&mut self.log, cursor) {
                    self.held[cursor].insert(sequence);
                    self.given[cursor].insert(sequence);
                    assert!(cursor != 2 || !self.on_disk.contains(&sequence), "best effort read the disk");
                }
            }
            Action::Settle { cursor, delivered } => {
                let Some(sequence) = self.held[cursor].pop_first() else { return };
                let records = self.records[&sequence];
                let mut settlement = Settlement { delivered: records, ..Settlement::default() };
                if !delivered {
                    settlement = Settlement::default();
                    settlement.dropped.add(DropReason::Expired, records);
                }
                self.log.settle(cursor, sequence, settlement);
            }
            Action::Release(cursor) => {
                if let Some(sequence) = self.held[cursor].pop_first() {
                    self.log.release(cursor, sequence);
                }
            }
            Action::Divert(on) => self.log.divert(1, on),
            Action::Relieve => drop(self.log.relieve(1, held(2, 3))),
            Action::HandAllOver => drop(self.log.hand_all_over()),
            Action::DropLagging => drop(self.log.drop_lagging()),
            Action::DropOldest => drop(self.log.drop_oldest(true)),
            Action::Spill => {
                if let Some(Spill { block, owed, .. }) = self.log.begin_spill(Which::Oldest) {
                    assert!(!owed.contains(2), "the disk is not for best effort");
                    self.log.spilled(block.sequence, spot(block.sequence));
                    self.on_disk.insert(block.sequence);
                }
            }
            Action::Close(cursor) => self.log.close(cursor, DropReason::Shutdown),
            Action::GiveUp => self.log.give_up_best_effort(),
        }
    }

    fn check(&self) {
        let counts = self.log.counts();
        for (cursor, side) in counts.iter().enumerate() {
            let accepted = side.handed_over.unwrap_or(self.pushed);
            let decided = side.delivered + side.rejected + side.dropped.total();
            assert_eq!(accepted, decided + side.pending, "the ledger of {cursor}: {side:?}");
            assert!(side.spooled <= side.pending);
        }
        // What only the best-effort exporter waits for is its share, and what it works on.
        if counts.iter().enumerate().all(|(cursor, side)| cursor == 2 || side.pending == 0) {
            let records: u64 = self.held[2].iter().map(|sequence| self.records[sequence]).sum();
            let worked_on = held(self.held[2].len(), usize::try_from(records).unwrap());
            assert!(self.log.bytes() <= LAG_LIMIT + worked_on);
            assert!(self.log.is_all_settled());
        }
        assert_eq!(counts[2].spooled, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_exporters_ledger_adds_up(actions in vec(action(), 1..200)) {
        let mut world = World::new();
        for action in actions {
            world.run(action);
            world.check();
        }
        // Everything that is left can be decided, by the exporters alone.
        world.log.divert(1, false);
        for cursor in [0, 1, 2, 3] {
            for sequence in std::mem::take(&mut world.held[cursor]) {
                world.log.settle(cursor, sequence, delivered(world.records[&sequence]));
            }
            while let Some(sequence) = claimed(&mut world.log, cursor) {
                world.log.settle(cursor, sequence, delivered(world.records[&sequence]));
            }
            world.check();
        }
        assert!(world.log.is_all_settled());
        assert_eq!(world.log.bytes(), 0);
    }
}
