//! Stages 4 to 7: buffer and backlog against a small model, one random action after another.
//!
//! The model knows which records were accepted and where each of them lies; nothing may vanish between the two.
//! Length reason: the model, its actions and what must hold after each belong together.

use crate::core::{buffer_settings, id_of, sequence_of, Entry, Store, RECORD_BYTES};
use fapilog_native::block::{Block, Codec};
use fapilog_native::buffer::chunk::Chunk;
use fapilog_native::buffer::waiting::Fate;
use fapilog_native::buffer::Appended;
use fapilog_native::ledger::{DropReason, Drops, ExporterCounts, Refusal, Settlement, REFUSALS};
use fapilog_native::record::Meta;
use fapilog_native::seal::{Prefixes, Sealer};
use fapilog_native::settings::{BufferSettings, Overflow};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use prost::Message;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Fill in percent from which on each floor holds.
const FLOORS: [(usize, u8); 4] = [(95, 17), (90, 13), (75, 9), (0, 0)];

fn floor_at(percent: usize) -> u8 {
    FLOORS.iter().find(|(from, _)| percent >= *from).map_or(0, |(_, floor)| *floor)
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Append { severity: u8, protected: bool, size: usize, scope: u32 },
    Shed,
    GiveUp,
    Rotate,
    TakeChunk,
    SealChunk,
    Claim(usize),
    Settle { cursor: usize, which: usize, outcome: Outcome },
    Release { cursor: usize, which: usize },
    Close,
    Abandon,
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Delivered,
    Rejected,
    Expired,
    /// One record delivered, the rest undecided.
    Part,
    /// More than the block holds: the ledger must not believe it.
    TooMany,
}

fn action() -> impl Strategy<Value = Action> {
    let outcome = prop::sample::select(vec![
        Outcome::Delivered,
        Outcome::Delivered,
        Outcome::Rejected,
        Outcome::Expired,
        Outcome::Part,
        Outcome::TooMany,
    ]);
    let append = (1..25u8, prop::bool::weighted(0.2), prop_oneof![0..20usize, 100..400usize], 0..3u32);
    prop_oneof![
        400 => append.prop_map(|(severity, protected, size, scope)| Action::Append { severity, protected, size, scope }),
        6 => Just(Action::Shed),
        6 => Just(Action::GiveUp),
        20 => Just(Action::Rotate),
        60 => Just(Action::TakeChunk),
        60 => Just(Action::SealChunk),
        40 => (0..2usize).prop_map(Action::Claim),
        40 => (0..2usize, 0..8usize, outcome)
            .prop_map(|(cursor, which, outcome)| Action::Settle { cursor, which, outcome }),
        10 => (0..2usize, 0..8usize).prop_map(|(cursor, which)| Action::Release { cursor, which }),
        1 => Just(Action::Close),
        1 => Just(Action::Abandon),
    ]
}

fn settings() -> impl Strategy<Value = BufferSettings> {
    let overflow = prop::sample::select(vec![Overflow::DropOldest, Overflow::DropNewest, Overflow::Wait]);
    let limit_records = prop_oneof![Just(u64::MAX), 4..60u64];
    let block_records = prop_oneof![Just(u64::MAX), 1..9u64];
    (overflow, 2 * 1024..12 * 1024usize, limit_records, block_records).prop_map(
        |(overflow, limit_bytes, limit_records, block_records)| BufferSettings {
            limit_bytes,
            limit_records,
            block_records,
            schedule_delay: Duration::ZERO,
            ..buffer_settings(overflow)
        },
    )
}

struct NoPrefixes;

impl Prefixes for NoPrefixes {
    fn resource(&self) -> &[u8] {
        &[]
    }

    fn scope(&self, _: u32) -> Vec<u8> {
        Vec::new()
    }
}

/// Sequence number and id of every record, by scope and in order.
fn contents(block: &Block) -> Vec<Vec<(u64, u64)>> {
    let request = ExportLogsServiceRequest::decode(block.body.as_slice()).unwrap();
    let scopes = request.resource_logs.into_iter().flat_map(|logs| logs.scope_logs);
    let record = |record: &_| (u64::try_from(sequence_of(record)).unwrap(), id_of(record));
    scopes.map(|scope| scope.log_records.iter().map(record).collect()).collect()
}

fn is_audit(entry: Entry) -> bool {
    Meta { severity: entry.severity, protected: entry.protected }.is_audit()
}

/// The system under test beside what must be true of it.
struct World {
    store: Store,
    settings: BufferSettings,
    chunk_bytes: usize,
    sealer: Sealer,
    taken: Vec<Chunk>,
    claimed: [Vec<Arc<Block>>; 2],
    /// Sequence number and entry of every record that the buffer stored.
    stored: BTreeMap<u64, Entry>,
    accepted: u64,
    /// Audit and security records that the buffer stored.
    audit: u64,
    next_sequence: u64,
    refused: [u64; REFUSALS.len()],
    /// Records decided of each block that a cursor settled in part.
    decided: [BTreeMap<u64, u64>; 2],
    /// The newest record in a block: of the others, and of audit records.
    last_sealed: [Option<u64>; 2],
    closed: bool,
    abandoned: bool,
}

impl World {
    fn new(settings: BufferSettings) -> Self {
        let smallest = RECORD_BYTES + 5 + 64;
        Self {
            store: Store::new(settings.clone(), &["one", "two"]),
            chunk_bytes: (settings.limit_bytes / 8).clamp(smallest, settings.chunk_bytes),
            settings,
            sealer: Sealer::new(Codec::Identity),
            taken: Vec::new(),
            claimed: [Vec::new(), Vec::new()],
            stored: BTreeMap::new(),
            accepted: 0,
            audit: 0,
            next_sequence: 0,
            refused: [0; REFUSALS.len()],
            decided: [BTreeMap::new(), BTreeMap::new()],
            last_sealed: [None; 2],
            closed: false,
            abandoned: false,
        }
    }

    fn run(&mut self, action: Action, id: u64) {
        match action {
            Action::Append { severity, protected, size, scope } => {
                self.append(Entry { id, severity, protected, size, scope });
            }
            Action::Shed => {
                self.store.buffer.shed();
                self.refused[Refusal::Shed as usize] += 1;
                self.next_sequence += 1;
            }
            Action::GiveUp => self.give_up(),
            Action::Rotate => {
                self.store.buffer.rotate();
            }
            // Without a chunk or a close, the sealer would wait.
            Action::TakeChunk if self.taken.is_empty() => self.take_chunk(),
            Action::SealChunk => self.seal_chunk(),
            Action::Claim(cursor) => self.claim(cursor),
            Action::Settle { cursor, which, outcome } => self.settle(cursor, which, outcome),
            Action::Release { cursor, which } => {
                if let Some(block) = self.pick(cursor, which) {
                    self.store.backlog.release(cursor, block.sequence);
                }
            }
            Action::Close => {
                self.store.buffer.close();
                self.closed = true;
            }
            Action::Abandon => self.abandon(),
            Action::TakeChunk => {}
        }
    }

    fn append(&mut self, entry: Entry) {
        match self.store.append(entry) {
            Appended::Stored(sequence) => {
                assert_eq!(sequence, self.next_sequence);
                self.stored.insert(sequence, entry);
                self.audit += u64::from(is_audit(entry));
                self.accepted += 1;
                self.next_sequence += 1;
            }
            Appended::Dropped => {
                assert_ne!(self.settings.overflow, Overflow::Wait);
                self.accepted += 1;
                self.next_sequence += 1;
            }
            Appended::Refused => {
                assert!(self.closed);
                self.refused[Refusal::ShutDown as usize] += 1;
            }
            Appended::Full => assert!(self.settings.overflow == Overflow::Wait || is_audit(entry)),
        }
    }

    fn give_up(&mut self) {
        self.store.buffer.give_up(DropReason::WaitTimeout);
        self.accepted += 1;
        self.next_sequence += 1;
    }

    fn take_chunk(&mut self) {
        // With a delay of zero the open chunk is handed over at once; with nothing to do it would poll for ever.
        if self.pending_in_buffer() > 0 {
            self.taken.extend(self.store.buffer.next_chunk(&|| None));
        }
    }

    fn seal_chunk(&mut self) {
        let Some(chunk) = self.taken.pop() else { return };
        let records = chunk.records;
        let block = self.sealer.seal(&chunk, &NoPrefixes).unwrap();
        assert_eq!((block.records, block.protected_records), (records, chunk.protected_records));
        self.check_order(&block);
        self.store.buffer.sealed(chunk, Some(block));
    }

    /// Blocks follow each other in call order; within a block every scope keeps it.
    fn check_order(&mut self, block: &Block) {
        let scopes = contents(block);
        for scope in &scopes {
            assert!(scope.is_sorted(), "out of order: {scope:?}");
            for (sequence, id) in scope {
                assert_eq!(self.stored[sequence].id, *id);
            }
        }
        let mut all: Vec<u64> = scopes.iter().flatten().map(|(sequence, _)| *sequence).collect();
        all.sort_unstable();
        assert_eq!(all.len() as u64, block.records);
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "twice: {all:?}");
        let protected = all.iter().filter(|sequence| self.stored[sequence].protected).count();
        assert_eq!(block.protected_records, protected as u64);
        let audit = all.iter().filter(|sequence| is_audit(self.stored[sequence])).count();
        assert!(audit == 0 || audit == all.len(), "audit records share a block with others");
        let last = &mut self.last_sealed[usize::from(audit > 0)];
        assert!(*last < all.first().copied(), "a block overtook another");
        *last = all.last().copied();
    }

    /// Blocks that `cursor` could claim: pending and not already in its hands.
    fn claim(&mut self, cursor: usize) {
        let counts = &self.store.backlog.counts()[cursor];
        let held: u64 = self.claimed[cursor].iter().map(|block| self.undecided(cursor, block)).sum();
        if counts.pending > held {
            let block = self.store.backlog.claim(cursor).unwrap();
            assert!(self.claimed[cursor].iter().all(|held| held.sequence != block.sequence), "claimed twice");
            self.claimed[cursor].push(block);
        }
    }

    /// Records of a held block that are not decided yet.
    fn undecided(&self, cursor: usize, block: &Block) -> u64 {
        if self.abandoned {
            return 0;
        }
        block.records - self.decided[cursor].get(&block.sequence).unwrap_or(&0)
    }

    fn pick(&mut self, cursor: usize, which: usize) -> Option<Arc<Block>> {
        let held = &mut self.claimed[cursor];
        (!held.is_empty()).then(|| held.remove(which % held.len()))
    }

    fn settle(&mut self, cursor: usize, which: usize, outcome: Outcome) {
        let Some(block) = self.pick(cursor, which) else { return };
        let left = self.undecided(cursor, &block);
        let before = self.store.backlog.counts().swap_remove(cursor);
        let mut settlement = Settlement::default();
        match outcome {
            Outcome::Delivered => settlement.delivered = left,
            Outcome::Rejected => settlement.rejected = left,
            Outcome::Expired => settlement.dropped.add(DropReason::Expired, left),
            Outcome::Part => settlement.delivered = 1.min(left),
            Outcome::TooMany => settlement.rejected = left + 3,
        }
        self.store.backlog.settle(cursor, block.sequence, settlement);
        self.store.buffer.settled();
        let after = self.store.backlog.counts().swap_remove(cursor);
        let decided = before.pending - after.pending;
        assert_eq!(decided, settlement.total().min(left), "{outcome:?}");
        if matches!(outcome, Outcome::Part) && decided < left {
            *self.decided[cursor].entry(block.sequence).or_default() += decided;
            self.claimed[cursor].push(block);
        }
    }

    fn abandon(&mut self) {
        self.store.buffer.close();
        self.store.buffer.abandon(DropReason::Shutdown);
        self.store.backlog.abandon(DropReason::Shutdown);
        (self.closed, self.abandoned) = (true, true);
    }

    fn pending_in_buffer(&self) -> u64 {
        self.store.buffer.counts(|| ()).0.pending
    }

    /// What holds after every action.
    fn check(&self) {
        let (buffer, exporters) = self.store.buffer.counts(|| self.store.backlog.counts());
        assert_eq!((buffer.accepted, buffer.refused), (self.accepted, self.refused));
        for ExporterCounts { delivered, rejected, dropped, pending, .. } in &exporters {
            let decided = delivered + rejected + dropped.total() + buffer.dropped.total();
            assert_eq!(self.accepted, decided + pending + buffer.pending, "a record vanished or was made up");
        }
        if self.settings.overflow == Overflow::Wait {
            let overflow =
                |drops: &Drops| drops.get(DropReason::OverflowOldest) + drops.get(DropReason::OverflowNewest);
            assert!(
                overflow(&buffer.dropped) == 0 && exporters.iter().all(|each| overflow(&each.dropped) == 0)
            );
        }
        self.check_limits();
    }

    fn check_limits(&self) {
        let used = self.store.buffer.used();
        // A block has more than the bytes of its chunk: its place, and request, resource and scope headers.
        let headers = (32 + Block::PLACE_BYTES) * (1 + self.store.backlog.end() as usize);
        let reserve = self.settings.reserve_bytes.max(self.chunk_bytes);
        assert!(
            used <= self.settings.limit_bytes + reserve + headers,
            "{used} of {}",
            self.settings.limit_bytes
        );
        if self.settings.limit_records != u64::MAX && self.audit == 0 {
            let queued = self.pending_in_buffer() + self.store.backlog.records();
            assert!(queued <= self.settings.limit_records, "{queued} of {}", self.settings.limit_records);
        }
        if !self.abandoned {
            // The floor is set before an open chunk has its first record, so it may be two chunks behind.
            let floor = self.store.buffer.floor();
            let queued = self.pending_in_buffer() + self.store.backlog.records();
            let records = queued.saturating_mul(100) / self.settings.limit_records;
            let by_records = self.shed_at(usize::try_from(records).unwrap());
            assert!(floor <= self.floor_at(used).max(by_records), "{floor} at {used}, {queued} records");
            assert!(
                floor >= self.floor_at(used.saturating_sub(2 * (self.chunk_bytes + Block::PLACE_BYTES))),
                "{floor} at {used}"
            );
        }
    }

    /// The floor that this fill asks for; `wait` loses nothing, so it has none.
    fn floor_at(&self, used: usize) -> u8 {
        self.shed_at(used * 100 / self.settings.limit_bytes)
    }

    fn shed_at(&self, percent: usize) -> u8 {
        let shedding = self.settings.overflow != Overflow::Wait && !self.closed;
        if shedding {
            floor_at(percent)
        } else {
            0
        }
    }

    /// Delivers everything that is left and counts it.
    fn finish(&mut self) {
        self.store.buffer.close();
        self.closed = true;
        loop {
            self.seal_chunk();
            match self.store.buffer.next_chunk(&|| None) {
                Some(chunk) => self.taken.push(chunk),
                None => break,
            }
        }
        for cursor in 0..2 {
            for block in std::mem::take(&mut self.claimed[cursor]) {
                self.store.backlog.release(cursor, block.sequence);
            }
            while self.store.backlog.counts()[cursor].pending > 0 {
                let block = self.store.backlog.claim(cursor).unwrap();
                let settlement = Settlement { delivered: block.records, ..Settlement::default() };
                self.store.backlog.settle(cursor, block.sequence, settlement);
            }
        }
        self.store.buffer.settled();
        self.check();
        assert!(self.store.backlog.wait_settled(self.store.backlog.end(), Instant::now()));
        assert_eq!((self.store.backlog.bytes(), self.store.backlog.records()), (0, 0), "memory leaks");
        assert_eq!((self.pending_in_buffer(), self.store.buffer.used()), (0, 0));
        assert!(self.store.buffer.wait_sealed(self.store.buffer.rotate(), Instant::now()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_record_vanishes_and_no_limit_breaks_whatever_happens(
        settings in settings(), actions in vec(action(), 0..400),
    ) {
        let mut world = World::new(settings);
        for (action, id) in actions.into_iter().zip(0..) {
            world.run(action, id);
            world.check();
        }
        world.finish();
    }

    #[test]
    fn the_floor_follows_the_fill_and_never_falls_while_it_grows(
        limit_bytes in 8 * 1024..64 * 1024usize, sizes in vec(0..400usize, 50..400),
    ) {
        let settings = BufferSettings { limit_bytes, ..buffer_settings(Overflow::DropNewest) };
        let mut store = Store::new(settings, &["otlp"]);
        let (mut floor, mut used) = (0, 0);
        for (size, id) in sizes.into_iter().zip(0..) {
            store.append(Entry::info(id).sized(size));
            prop_assert!(store.buffer.used() >= used);
            prop_assert!(store.buffer.floor() >= floor, "the floor fell while the buffer filled");
            (floor, used) = (store.buffer.floor(), store.buffer.used());
            let percent = used * 100 / limit_bytes;
            prop_assert!(floor <= floor_at(percent), "{floor} at {percent} %");
        }
    }
}

proptest! {
    #[test]
    fn the_oldest_unprotected_record_makes_room_and_a_protected_one_only_for_want_of_it(
        kinds in vec(any::<bool>(), 1..12), sealed in 0..12usize, newcomers in 1..12u64,
    ) {
        let limit_records = kinds.len() as u64;
        let limits = BufferSettings { limit_records, block_records: 1, ..buffer_settings(Overflow::DropOldest) };
        let mut store = Store::new(BufferSettings { limit_bytes: 1 << 20, ..limits }, &["otlp"]);
        let mut expected: Vec<(u64, bool)> = (0..).zip(kinds).collect();
        for (id, protected) in &expected {
            store.append(if *protected { Entry::error(*id) } else { Entry::info(*id) });
        }
        store.buffer.rotate();
        let mut sealer = Sealer::new(Codec::Identity);
        for _ in 0..sealed.min(expected.len()) {
            let chunk = store.buffer.next_chunk(&|| None).unwrap();
            let block = sealer.seal(&chunk, &NoPrefixes);
            store.buffer.sealed(chunk, block);
        }
        for id in 100..100 + newcomers {
            prop_assert!(matches!(store.append(Entry::error(id)), Appended::Stored(_)));
            expected.remove(expected.iter().position(|(_, protected)| !protected).unwrap_or(0));
            expected.push((id, true));
        }
        let mut kept = Vec::new();
        while store.backlog.counts()[0].pending > kept.len() as u64 {
            kept.push(contents(&store.backlog.claim(0).unwrap()).concat()[0].1);
        }
        kept.extend(ids(&store));
        prop_assert_eq!(kept, expected.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    }
}

/// Size of a record that leaves a chunk of 1 KiB no room for another.
const CHUNK_FILLING: usize = 840;

/// A full buffer: every chunk holds records of one kind, oldest first.
fn full_of(kinds: &[bool], overflow: Overflow) -> Store {
    let chunk_bytes = buffer_settings(overflow).chunk_bytes;
    let limit_bytes = kinds.len() * (chunk_bytes + Block::PLACE_BYTES);
    let settings =
        BufferSettings { limit_bytes, block_records: 1, record_bytes: 955, ..buffer_settings(overflow) };
    let mut store = Store::new(settings, &["otlp"]);
    for (protected, id) in kinds.iter().zip(0..) {
        let entry = if *protected { Entry::error(id) } else { Entry::info(id) };
        assert!(matches!(store.append(entry.sized(CHUNK_FILLING)), Appended::Stored(_)));
    }
    store.buffer.rotate();
    store
}

fn ids(store: &Store) -> Vec<u64> {
    store.buffer.close();
    let mut sealer = Sealer::new(Codec::Identity);
    let chunks = std::iter::from_fn(|| store.buffer.next_chunk(&|| None));
    chunks.map(|chunk| contents(&sealer.seal(&chunk, &NoPrefixes).unwrap()).concat()[0].1).collect()
}

#[test]
fn the_oldest_unprotected_records_make_room_first() {
    let mut store = full_of(&[true, false, true, false], Overflow::DropOldest);
    assert_eq!(store.append(Entry::error(10).sized(CHUNK_FILLING)), Appended::Stored(4));
    assert_eq!(store.append(Entry::error(11).sized(CHUNK_FILLING)), Appended::Stored(5));
    assert_eq!(store.append(Entry::error(12).sized(CHUNK_FILLING)), Appended::Stored(6));
    assert_eq!(ids(&store), [2, 10, 11, 12]);
}

#[test]
fn under_drop_newest_a_protected_record_still_displaces_an_unprotected_one() {
    let mut store = full_of(&[false, true, false], Overflow::DropNewest);
    assert_eq!(store.append(Entry::info(10).sized(CHUNK_FILLING)), Appended::Dropped);
    assert_eq!(store.append(Entry::error(11).sized(CHUNK_FILLING)), Appended::Stored(4));
    assert_eq!(ids(&store), [1, 2, 11]);
}

#[test]
fn under_drop_newest_the_first_of_many_errors_stay() {
    let mut store = full_of(&[true, true, true], Overflow::DropNewest);
    assert_eq!(store.append(Entry::error(10).sized(CHUNK_FILLING)), Appended::Dropped);
    assert_eq!(ids(&store), [0, 1, 2]);
}

#[test]
fn under_wait_nothing_is_dropped_and_who_waits_is_stored_by_whoever_makes_room() {
    let mut store = full_of(&[false, true], Overflow::Wait);
    let deadline = Instant::now() + Duration::from_secs(3_600);
    let turn = store.append_or_park(Entry::error(10).sized(CHUNK_FILLING), deadline).unwrap_err();
    let behind = store.append_or_park(Entry::info(11).sized(CHUNK_FILLING), deadline).unwrap_err();
    assert_eq!(store.buffer.counts(|| ()).0.pending, 4, "who waits is pending");
    let chunk = store.buffer.next_chunk(&|| None).unwrap();
    assert_eq!((turn.fate(), behind.fate()), (Fate::Waiting, Fate::Waiting));
    store.buffer.sealed(chunk, None);
    assert_eq!((turn.fate(), behind.fate()), (Fate::Stored(2), Fate::Waiting));
    let chunk = store.buffer.next_chunk(&|| None).unwrap();
    store.buffer.sealed(chunk, None);
    assert_eq!(store.buffer.wait_for(&behind, Duration::ZERO), Fate::Stored(3));
}

#[test]
fn an_unprotected_record_does_not_displace_a_protected_one() {
    let mut store = full_of(&[true, true, true], Overflow::DropOldest);
    assert_eq!(store.append(Entry::info(10).sized(CHUNK_FILLING)), Appended::Dropped);
    assert_eq!(ids(&store), [0, 1, 2]);
}

#[test]
fn a_flush_waits_for_the_older_chunk_when_a_younger_one_was_dropped() {
    let mut store = full_of(&[true, false], Overflow::DropOldest);
    let chunk = store.buffer.next_chunk(&|| None).unwrap();
    // Ticket 1 names the chunk that the sealer holds; room is made by dropping the other one.
    assert_eq!(store.append(Entry::error(10).sized(CHUNK_FILLING)), Appended::Stored(2));
    assert!(!store.buffer.wait_sealed(1, Instant::now()), "the chunk is not sealed yet");
    store.buffer.sealed(chunk, None);
    assert!(store.buffer.wait_sealed(1, Instant::now()));
}

#[test]
fn a_block_that_a_late_sealer_pushes_after_the_end_is_counted_as_dropped() {
    let mut store = full_of(&[false, false], Overflow::DropOldest);
    let chunk = store.buffer.next_chunk(&|| None).unwrap();
    store.buffer.close();
    store.buffer.abandon(DropReason::Shutdown);
    store.backlog.abandon(DropReason::Shutdown);
    let block = Sealer::new(Codec::Identity).seal(&chunk, &NoPrefixes);
    store.buffer.sealed(chunk, block);
    let (buffer, exporters) = store.buffer.counts(|| store.backlog.counts());
    let dropped = buffer.dropped.get(DropReason::Shutdown) + exporters[0].dropped.get(DropReason::Shutdown);
    assert_eq!((dropped, buffer.pending, exporters[0].pending, store.backlog.bytes()), (2, 0, 0, 0));
    assert_eq!(store.append(Entry::info(10).sized(CHUNK_FILLING)), Appended::Refused);
}
