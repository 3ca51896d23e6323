//! Stage 6: what the spool's wiring promises where it is weakest: a disk that does not answer, a full quota, blocks that
//! batch processors have not seen, directories that somebody damaged.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may fail.

mod disks;

use disks::{Faults, SimDisk};
use fapilog_native::backlog::shelf::Shelf;
use fapilog_native::backlog::Backlog;
use fapilog_native::block::{Block, Codec};
use fapilog_native::export::wake::Wake;
use fapilog_native::ledger::{DropReason, ExporterCounts, Settlement};
use fapilog_native::settings::{BufferSettings, Overflow, SpoolingSettings};
use fapilog_native::spool::crypt::Keys;
use fapilog_native::spool::identity::Identity;
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::{Fsync, SpoolSettings};
use fapilog_native::spooling::spooler::{Spilled, Spooler};
use proptest::collection::vec;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const BODY_BYTES: usize = 100;

fn block(id: u64) -> Block {
    let mut body = vec![b'x'; BODY_BYTES];
    body[..8].copy_from_slice(&id.to_le_bytes());
    Block {
        sequence: 0,
        records: 2,
        protected_records: 0,
        raw_bytes: BODY_BYTES,
        codec: Codec::Identity,
        body,
    }
}

fn id(block: &Block) -> u64 {
    u64::from_le_bytes(block.body[..8].try_into().unwrap())
}

fn buffer(overflow: Overflow) -> BufferSettings {
    BufferSettings {
        limit_bytes: 1 << 20,
        limit_records: u64::MAX,
        block_records: u64::MAX,
        chunk_bytes: 1 << 12,
        record_bytes: 1 << 10,
        schedule_delay: Duration::from_millis(5),
        overflow,
        reserve_bytes: 1 << 12,
        wait_timeout: Duration::from_secs(1),
    }
}

fn spooling(max_bytes: u64) -> SpoolingSettings {
    let quota = Quota { max_bytes, min_free_bytes: 0 };
    let store = SpoolSettings { segment_bytes: 1 << 20, quota, max_age: None, fsync: Fsync::Never };
    let directory = Path::new("/spool").to_owned();
    SpoolingSettings {
        directory,
        service: "shop".into(),
        store,
        adopt: Some(Duration::from_secs(5)),
        keys: Arc::new(Keys::none()),
    }
}

/// One process: its log of blocks, and its spools on a simulated disk.
struct Process {
    backlog: Backlog,
    spooler: Arc<Spooler<SimDisk>>,
}

impl Process {
    fn start(disk: &Arc<SimDisk>, number: u32, gated: bool, overflow: Overflow, max_bytes: u64) -> Self {
        disk.world().process = number;
        let identity =
            Identity { service: "shop".into(), boot: 7, process: number, started: u64::from(number) };
        let spooler =
            Spooler::open_on(Arc::clone(disk), identity, &spooling(max_bytes), &["otlp"], &buffer(overflow));
        let spooler = Arc::new(spooler.unwrap());
        let shelf = Arc::clone(&spooler) as Arc<dyn Shelf>;
        let backlog = Backlog::new(&["otlp"], gated, Arc::new(Wake::default())).with_shelf(Some(shelf));
        Self { backlog, spooler }
    }

    fn spill_all(&self, rest: bool) {
        while matches!(self.spooler.spill(&self.backlog, rest), Spilled::Done { .. }) {}
    }

    fn deliver_all(&self) -> Vec<u64> {
        let mut ids = Vec::new();
        for _ in 0..4 {
            while let Some(block) = self.backlog.try_claim(0) {
                ids.push(id(&block));
                let delivered = Settlement { delivered: block.records, ..Settlement::default() };
                self.backlog.settle(0, block.sequence, delivered);
            }
            // What could not be read for now counts as lost after some tries.
            self.backlog.retry_reads();
        }
        self.spooler.look_after(&self.backlog);
        ids
    }

    fn counts(&self) -> ExporterCounts {
        self.backlog.counts().remove(0)
    }
}

#[test]
fn a_full_quota_costs_our_own_oldest_blocks_under_drop_oldest_and_nothing_under_wait() {
    for (overflow, is_dropping) in [(Overflow::DropOldest, true), (Overflow::Wait, false)] {
        let disk = Arc::new(SimDisk::new());
        let process = Process::start(&disk, 1, false, overflow, 20_000);
        (0..200).for_each(|id| process.backlog.push(block(id)));
        process.spill_all(true);
        let counts = process.counts();
        let lost = counts.dropped.get(DropReason::OverflowOldest);
        assert_eq!((lost > 0, counts.dropped.total()), (is_dropping, lost));
        assert_eq!(counts.pending + lost, 400);
        assert_eq!(process.backlog.bytes() == 0, is_dropping, "what is newer takes the place");
        let ids = process.deliver_all();
        assert_eq!(ids, (lost / 2..200).collect::<Vec<_>>(), "the newest are there, in order");
        assert_eq!(process.counts().delivered + lost, 400);
        process.spooler.close();
    }
}

#[test]
fn audit_records_on_disk_do_not_make_room() {
    let disk = Arc::new(SimDisk::new());
    let process = Process::start(&disk, 1, false, Overflow::DropOldest, 20_000);
    process.backlog.push_audited(block(0), None);
    (1..200).for_each(|id| process.backlog.push(block(id)));
    process.spill_all(true);
    let ids = process.deliver_all();
    assert_eq!(ids.first(), Some(&0));
    assert!(process.counts().dropped.get(DropReason::OverflowOldest) > 0);
}

#[test]
fn what_an_exporter_has_in_hands_when_its_file_makes_room_is_delivered_or_counted_once() {
    for delivers in [true, false] {
        let disk = Arc::new(SimDisk::new());
        let process = Process::start(&disk, 1, false, Overflow::DropOldest, 20_000);
        process.backlog.push(block(0));
        let held = process.backlog.try_claim(0).unwrap();
        (1..200).for_each(|id| process.backlog.push(block(id)));
        process.spill_all(true);
        let before = process.counts();
        assert_eq!((before.in_flight, before.pending - before.spooled), (2, 2), "only the exporter has it");
        if delivers {
            process.backlog.settle(0, held.sequence, Settlement { delivered: 2, ..Settlement::default() });
        } else {
            process.backlog.release(0, held.sequence);
        }
        let after = process.counts();
        let lost = |counts: &ExporterCounts| counts.dropped.get(DropReason::OverflowOldest);
        assert_eq!(after.delivered, if delivers { 2 } else { 0 });
        assert_eq!(lost(&after) - lost(&before), if delivers { 0 } else { 2 });
        assert_eq!(after.delivered + after.pending + lost(&after), 400);
    }
}

#[test]
fn what_processors_have_not_seen_is_shown_to_those_of_the_next_process() {
    let disk = Arc::new(SimDisk::new());
    let first = Process::start(&disk, 1, true, Overflow::Wait, 1 << 20);
    (0..3).for_each(|id| first.backlog.push(block(id)));
    let seen = first.backlog.claim_unprocessed().unwrap();
    first.backlog.processed(seen.sequence, block(100));
    // One is with the processors, one waits for them.
    let with_them = first.backlog.claim_unprocessed().unwrap();
    first.spill_all(false);
    assert_eq!(first.counts().spooled, 2, "under pressure, only what they have seen");
    first.spill_all(true);
    assert_eq!((first.counts().spooled, first.backlog.bytes()), (6, 0));
    first.spooler.close();
    first.backlog.abandon(DropReason::Shutdown);
    first.backlog.processed(with_them.sequence, block(999));
    assert_eq!((first.counts().pending, first.counts().dropped.total()), (6, 0), "left as it is");

    let second = Process::start(&disk, 2, true, Overflow::Wait, 1 << 20);
    assert!(second.spooler.adopt(&second.backlog).is_empty());
    assert_eq!(second.deliver_all(), [100]);
    for expected in [1, 2] {
        let block = second.backlog.claim_unprocessed().unwrap();
        assert_eq!(id(&block), expected);
        second.backlog.processed(block.sequence, self::block(100 + expected));
    }
    assert_eq!(second.deliver_all(), [101, 102]);
    assert_eq!((second.counts().delivered, second.counts().pending), (6, 0));
    second.spooler.close();
    assert_eq!(disk.files(), []);
}

#[test]
fn without_processors_the_next_process_delivers_what_they_have_not_seen_as_it_is() {
    let disk = Arc::new(SimDisk::new());
    let first = Process::start(&disk, 1, true, Overflow::Wait, 1 << 20);
    first.backlog.push(block(0));
    first.spill_all(true);
    first.spooler.close();
    let second = Process::start(&disk, 2, false, Overflow::Wait, 1 << 20);
    assert!(second.spooler.adopt(&second.backlog).is_empty());
    assert_eq!(second.deliver_all(), [0]);
}

#[test]
fn a_run_of_failures_is_said_once_and_the_next_one_again() {
    let disk = Arc::new(SimDisk::new());
    let process = Process::start(&disk, 1, false, Overflow::Wait, 1 << 20);
    for _ in 0..3 {
        process.backlog.push(block(0));
        process.backlog.push(block(1));
        disk.world().faults = Faults { read_only: true, ..Faults::default() };
        let said = (0..5)
            .filter(|_| matches!(process.spooler.spill(&process.backlog, true), Spilled::Failed(Some(_))));
        assert_eq!(said.count(), 1);
        disk.world().faults = Faults::default();
        assert!(matches!(process.spooler.spill(&process.backlog, true), Spilled::Done { recovered: true }));
        process.spill_all(true);
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Push,
    Spill,
    Deliver,
    Tick,
    Fail(u32),
    Full(bool),
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Push),
        4 => Just(Step::Spill),
        3 => Just(Step::Deliver),
        2 => Just(Step::Tick),
        1 => (1..4u32).prop_map(Step::Fail),
        1 => any::<bool>().prop_map(Step::Full),
        1 => Just(Step::Kill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// The log and the spool together, over a disk that fails and processes that are killed.
    #[test]
    fn what_was_on_disk_arrives_whoever_delivers_it_and_every_ledger_adds_up(steps in vec(step(), 0..80)) {
        let disk = Arc::new(SimDisk::new());
        let mut number = 1;
        let mut process = Process::start(&disk, number, false, Overflow::Wait, 1 << 20);
        let (mut next, mut pushed) = (0, 0);
        let (mut arrived, mut lost) = (Vec::new(), 0);
        let mut safe: Vec<u64> = Vec::new();
        let mut memory: Vec<u64> = Vec::new();
        for step in steps {
            match step {
                Step::Push => {
                    process.backlog.push(block(next));
                    memory.push(next);
                    next += 1;
                    pushed += 2;
                }
                Step::Spill => {
                    if let Spilled::Done { .. } = process.spooler.spill(&process.backlog, true) {
                        safe.push(memory.remove(0));
                    }
                }
                Step::Deliver => if let Some(block) = process.backlog.try_claim(0) {
                    arrived.push(id(&block));
                    memory.retain(|known| *known != id(&block));
                    let delivered = Settlement { delivered: block.records, ..Settlement::default() };
                    process.backlog.settle(0, block.sequence, delivered);
                } else {
                    process.backlog.retry_reads();
                },
                Step::Tick => drop(process.spooler.look_after(&process.backlog)),
                Step::Fail(failing) => disk.world().faults.failing = failing,
                Step::Full(full) => disk.world().faults.capacity = full.then_some(0),
                Step::Kill => {
                    disk.world().faults = Faults::default();
                    number += 1;
                    lost += process.counts().dropped.total();
                    let next = Process::start(&disk, number, false, Overflow::Wait, 1 << 20);
                    drop(std::mem::replace(&mut process, next));
                    process.spooler.adopt(&process.backlog);
                    memory.clear();
                    pushed = 0;
                }
            }
            let counts = process.counts();
            let decided = counts.delivered + counts.rejected + counts.dropped.total();
            assert_eq!(pushed + counts.adopted, decided + counts.pending);
        }
        disk.world().faults = Faults::default();
        process.spooler.adopt(&process.backlog);
        arrived.extend(process.deliver_all());
        lost += process.counts().dropped.total();
        if lost == 0 {
            safe.retain(|id| !arrived.contains(id));
            assert_eq!(safe, Vec::<u64>::new(), "it was on disk");
        }
        assert_eq!(process.counts().pending, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Any byte of any file of an ended process, changed, or anything cut off behind it.
    #[test]
    fn a_damaged_directory_is_salvaged_the_rest_is_counted_and_nothing_hangs(
        file in any::<prop::sample::Index>(), byte in any::<prop::sample::Index>(), flip in 1..=255u8, cut in any::<bool>(),
    ) {
        let disk = Arc::new(SimDisk::new());
        let first = Process::start(&disk, 1, false, Overflow::Wait, 20_000);
        (0..60).for_each(|id| first.backlog.push(block(id)));
        first.spill_all(true);
        drop(first);
        let files = disk.files();
        let (path, length) = &files[file.index(files.len())];
        if *length > 0 {
            let at = byte.index(usize::try_from(*length).unwrap());
            disk.alter(path, |bytes| if cut { bytes.truncate(at) } else { bytes[at] ^= flip });
        }
        let second = Process::start(&disk, 2, false, Overflow::Wait, 20_000);
        second.spooler.adopt(&second.backlog);
        let ids = second.deliver_all();
        let counts = second.counts();
        let mut once = ids.clone();
        once.dedup();
        assert_eq!((&once, counts.pending), (&ids, 0), "each once, in order");
        assert!(ids.iter().all(|id| *id < 60));
        assert_eq!(counts.adopted, counts.delivered + counts.dropped.get(DropReason::Damaged));
        assert!(counts.adopted <= 120);
        // One file of several: most of it is there.
        assert!(ids.len() >= 60 - 60 / 4, "{} of 60", ids.len());
    }
}
