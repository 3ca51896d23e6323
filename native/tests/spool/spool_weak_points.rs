//! Stage 6: what the spool's wiring promises where it is weakest: a disk that does not answer, a full quota, blocks that
//! batch processors have not seen, directories that somebody damaged.

use crate::disks::{Faults, SimDisk};
use crate::processes::{block, id, spooling, Process, MIN_FREE};
use fapilog_native::block::Block;
use fapilog_native::ledger::{DropReason, ExporterCounts, Settlement};
use fapilog_native::settings::Overflow;
use fapilog_native::spool::crypt::Keys;
use fapilog_native::spooling::opening::OPEN_LIMIT;
use fapilog_native::spooling::spooler::Spilled;
use fapilog_native::spooling::voice::{Voice, QUIET};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

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
fn what_the_quota_costs_is_said_once_in_a_while() {
    let disk = Arc::new(SimDisk::new());
    let process = Process::start(&disk, 1, false, Overflow::DropOldest, 20_000);
    (0..200).for_each(|id| process.backlog.push(block(id)));
    process.spill_all(true);
    let lost = process.counts().dropped.get(DropReason::OverflowOldest);
    assert!(lost > 0);
    let message =
        format!("the spool lost the oldest: {lost} records were dropped to keep within spool.limit_bytes");
    assert_eq!(process.spooler.look_after(&process.backlog), Some(("spool-dropping", message)));
    (200..400).for_each(|id| process.backlog.push(block(id)));
    process.spill_all(true);
    assert_eq!(process.spooler.look_after(&process.backlog), None, "within a minute");
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
    assert!(second.spooler.adopt(&second.backlog, &|_| 0).is_empty());
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
    assert!(second.spooler.adopt(&second.backlog, &|_| 0).is_empty());
    assert_eq!(second.deliver_all(), [0]);
}

#[test]
fn a_disk_that_fails_and_works_in_turns_is_said_once() {
    let disk = Arc::new(SimDisk::new());
    let process = Process::start(&disk, 1, false, Overflow::Wait, 1 << 20);
    for round in 0..3 {
        process.backlog.push(block(0));
        process.backlog.push(block(1));
        disk.world().faults = Faults { read_only: true, ..Faults::default() };
        let said = (0..5)
            .filter(|_| matches!(process.spooler.spill(&process.backlog, true), Spilled::Failed(Some(_))));
        assert_eq!(said.count(), usize::from(round == 0));
        disk.world().faults = Faults::default();
        let spilled = process.spooler.spill(&process.backlog, true);
        assert!(matches!(spilled, Spilled::Done { recovered } if recovered == (round == 0)), "{spilled:?}");
        process.spill_all(true);
    }
}

#[test]
fn reads_that_the_system_refuses_lose_nothing_however_long_that_lasts() {
    let disk = Arc::new(SimDisk::new());
    let process = Process::start(&disk, 1, false, Overflow::Wait, 1 << 20);
    (0..10).for_each(|id| process.backlog.push(block(id)));
    process.spill_all(true);
    disk.world().faults.failing = u32::MAX;
    let before = disk.world().operations;
    for _ in 0..100 {
        assert!(process.backlog.try_claim(0).is_none());
        process.backlog.retry_reads();
    }
    let tries = disk.world().operations - before;
    assert!((3..=12).contains(&tries), "the disk is left alone for pauses that double: {tries} tries");
    assert_eq!((process.counts().pending, process.counts().dropped.total()), (20, 0));
    disk.world().faults = Faults::default();
    assert_eq!(process.deliver_all(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_place_that_cannot_be_read_holds_up_only_itself() {
    let disk = Arc::new(SimDisk::new());
    let process = Process::start(&disk, 1, false, Overflow::Wait, 1 << 20);
    (0..3).for_each(|id| process.backlog.push(block(id)));
    process.spill_all(true);
    // The file opens, and its first read fails.
    disk.world().faults = Faults { failing_after: 1, failing: 1, ..Faults::default() };
    assert_eq!(process.deliver_all(), [1, 2, 0]);
}

#[test]
fn a_block_whose_key_is_gone_is_counted_when_it_becomes_too_old() {
    let disk = Arc::new(SimDisk::new());
    let keys = |id: u32| Keys::new(Some(id), &[(id, vec![7; 32])]).unwrap();
    let mut settings = spooling(1 << 20);
    settings.store.max_age = Some(Duration::ZERO);
    let process = Process::open(&disk, 1, (false, Overflow::Wait), &settings, OPEN_LIMIT).unwrap();
    process.spooler.set_keys(&keys(1));
    (0..3).for_each(|id| process.backlog.push(block(id)));
    process.spill_all(true);
    process.spooler.set_keys(&keys(2));
    assert!(process.backlog.try_claim(0).is_none());
    assert_eq!(process.counts().pending, 6);
    process.spooler.look_around(&process.backlog);
    let counts = process.counts();
    assert_eq!((counts.pending, counts.dropped.get(DropReason::Expired)), (0, 6));
}

#[test]
fn a_spool_at_its_quota_says_so_once_however_often_a_block_fits() {
    let disk = Arc::new(SimDisk::new());
    let process = Process::start(&disk, 1, false, Overflow::Wait, 20_000);
    let (mut full, mut again, mut failures) = (0, 0, 0);
    for _ in 0..5 {
        (0..200).for_each(|id| process.backlog.push(block(id)));
        loop {
            match process.spooler.spill(&process.backlog, true) {
                Spilled::Done { recovered } => again += usize::from(recovered),
                Spilled::Failed(news) => {
                    failures += 1;
                    full += news.iter().filter(|(code, _)| *code == "spool-full").count();
                    break;
                }
                Spilled::Nothing => break,
            }
        }
        process.deliver_all();
    }
    assert_eq!((full, again, failures), (1, 1, 5));
}

#[test]
fn the_same_trouble_is_said_again_after_a_while_with_how_often_it_came() {
    let (mut voice, quiet) = (Voice::default(), QUIET.as_nanos() as u64);
    assert_eq!(voice.failed("spool-full", 0), Some(String::new()));
    assert_eq!(voice.failed("spool-full", 1), None);
    assert!(voice.succeeded() && !voice.succeeded());
    assert_eq!(voice.failed("spool-full", 2), None);
    // Another trouble is not the same.
    assert_eq!(voice.failed("spool-io", 3), Some(String::new()));
    assert!(voice.succeeded());
    assert_eq!(voice.failed("spool-full", 4), None);
    // It lasts, and is said as soon as it may be; what came and went before is in the count.
    let said = voice.failed("spool-full", quiet).unwrap();
    assert_eq!(said, "; it came and went 2 times since this was said last");
    assert_eq!(voice.failed("spool-full", quiet * 3), None, "it is the same failure");
    assert!(voice.succeeded());
}

/// What the page on outages says about a disk that others fill.
#[test]
fn a_file_system_that_others_fill_costs_nothing_that_is_on_disk_and_what_is_in_memory_by_the_policy() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest, Overflow::Wait] {
        let disk = Arc::new(SimDisk::new());
        let process = Process::start(&disk, 1, false, overflow, 1 << 20);
        (0..5).for_each(|id| process.backlog.push(block(id)));
        (0..2).for_each(|_| drop(process.spooler.spill(&process.backlog, true)));
        disk.world().faults.free = Some(MIN_FREE);
        let Spilled::Failed(Some((code, what))) = process.spooler.spill(&process.backlog, true) else {
            panic!("there is no room")
        };
        assert_eq!(code, "spool-no-space", "{what}");
        assert_eq!((process.counts().spooled, process.counts().dropped.total()), (4, 0));
        // What the buffer does for room, under `drop_oldest`: it takes from memory.
        assert!(process.backlog.drop_oldest(true));
        assert_eq!(process.counts().dropped.get(DropReason::OverflowOldest), 2);
        assert_eq!(process.counts().spooled, 4);
        // The end: what finds no room on disk is counted, what is there stays.
        process.spill_all(true);
        process.spooler.close();
        process.backlog.abandon(DropReason::Shutdown);
        let counts = process.counts();
        assert_eq!((counts.dropped.get(DropReason::Shutdown), counts.pending, counts.spooled), (4, 4, 4));
        drop(process);
        let next = Process::start(&disk, 2, false, overflow, 1 << 20);
        assert!(next.spooler.adopt(&next.backlog, &|_| 0).is_empty());
        assert_eq!(next.deliver_all(), [0, 1], "full or not, what is on disk is delivered");
    }
}

#[test]
fn files_without_errors_make_room_before_those_with_them() {
    let protected = |id| Block { protected_records: 1, ..block(id) };
    let disk = Arc::new(SimDisk::new());
    let process = Process::start(&disk, 1, false, Overflow::DropOldest, 20_000);
    (0..20).for_each(|id| process.backlog.push(protected(id)));
    (20..200).for_each(|id| process.backlog.push(block(id)));
    process.spill_all(true);
    let ids = process.deliver_all();
    assert_eq!(ids[..20], (0..20).collect::<Vec<_>>());
    let gap = ids.windows(2).find(|pair| pair[1] > pair[0] + 1).map(|pair| pair[0]);
    assert!(gap >= Some(19) && ids.last() == Some(&199), "{ids:?}");
    // Where every file has some, the oldest goes.
    (0..200).for_each(|id| process.backlog.push(protected(id)));
    process.spill_all(true);
    let ids = process.deliver_all();
    assert!(ids[0] > 0 && ids.last() == Some(&199), "{ids:?}");
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
                    process.spooler.adopt(&process.backlog, &|_| 0);
                    memory.clear();
                    pushed = 0;
                }
            }
            let counts = process.counts();
            let decided = counts.delivered + counts.rejected + counts.dropped.total();
            assert_eq!(pushed + counts.adopted, decided + counts.pending);
        }
        disk.world().faults = Faults::default();
        process.spooler.adopt(&process.backlog, &|_| 0);
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
        second.spooler.adopt(&second.backlog, &|_| 0);
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

#[test]
fn callers_who_make_room_and_exporters_who_settle_use_no_disk() {
    let disk = Arc::new(SimDisk::new());
    let process = Process::start(&disk, 1, false, Overflow::DropOldest, 1 << 20);
    (0..10).for_each(|id| process.backlog.push(block(id)));
    process.spill_all(true);
    let held = process.backlog.try_claim(0).unwrap();
    (10..20).for_each(|id| process.backlog.push(block(id)));
    let before = disk.world().operations;
    while process.backlog.drop_oldest(true) {}
    process.backlog.settle(0, held.sequence, Settlement { delivered: 2, ..Settlement::default() });
    process.backlog.lose(0, 1, DropReason::Expired);
    process.backlog.drop_lagging();
    process.backlog.push(block(20));
    assert_eq!(disk.world().operations, before);
    // The spool's own thread writes it down.
    process.spooler.look_after(&process.backlog);
    assert!(disk.world().operations > before);
    let counts = process.counts();
    assert_eq!((counts.delivered, counts.pending, counts.dropped.total()), (2, 18, 22));
}
