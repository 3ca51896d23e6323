//! Stage 6: rings of dead processes in a pipeline: who settles or drops their blocks waits for no disk, and in an outage they
//! move to the spool.
#![cfg(target_os = "linux")]

use crate::core::buffer_settings;
use crate::places::{settings, Place};
use crate::rings;
use crate::sending::numbered_block;
use crate::wiring::{exporter, spooling_pipeline};
use fapilog_native::block::Codec;
use fapilog_native::crash_ring::remains::{take_apart, Remains};
use fapilog_native::ledger::{DropReason, Settlement};
use fapilog_native::pipeline::Pipeline;
use fapilog_native::ring::{trim, Owner, Ring, Settings};
use fapilog_native::settings::{BufferSettings, ExporterKind, Overflow, SpoolingSettings};
use fapilog_native::spool::identity::Identity;
use fapilog_native::spooling::spooler::Spilled;
use fapilog_native::spooling::Rounds;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A ring as a killed process leaves it, with this many slots of one record.
fn left(place: &Path, records: u64) -> PathBuf {
    fs::create_dir_all(place).unwrap();
    let boot = Identity::of_this_process("shop").boot;
    let owner = Owner { boot, process: 1, started: 2 };
    let asked = Settings { owner, slots: 8, ..rings::settings(place) };
    let ring = Ring::create(&asked).unwrap();
    for (number, name) in [(0, "otlp"), (1, "file")] {
        ring.define_exporter(number, name).unwrap();
    }
    let slots = (0..records).map(|id| {
        let mut slot = rings::open_slot(&ring, id, 1).unwrap();
        // No codec makes much less of it.
        let text: String = std::iter::repeat_with(fastrand::alphanumeric).take(1000).collect();
        assert!(slot.append(&rings::frame(id, &text), false));
        slot
    });
    drop(slots.collect::<Vec<_>>());
    asked.path()
}

/// A pipeline whose threads never start, and which took over what is there.
fn taken_over(place: &Path) -> Arc<Pipeline> {
    taken_over_by(settings(place))
}

fn taken_over_by(spool: SpoolingSettings) -> Arc<Pipeline> {
    let made = pipeline_with(spool, 1 << 20);
    made.look_for_left(made.spooler().unwrap(), &mut Remains::new(&made));
    made
}

fn pipeline_with(spool: SpoolingSettings, limit_bytes: usize) -> Arc<Pipeline> {
    let python = |name| exporter(name, ExporterKind::Python { codec: Codec::Gzip });
    let buffer = BufferSettings { limit_bytes, ..buffer_settings(Overflow::DropOldest) };
    let exporters = vec![python("otlp"), python("file")];
    spooling_pipeline(buffer, exporters, spool)
}

/// Descriptors of files below `place`.
fn open(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir("/proc/self/fd").unwrap();
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.starts_with(place)).collect()
}

/// Delivers all that there is.
fn deliver(pipeline: &Pipeline) {
    for cursor in 0..2 {
        while let Some(block) = pipeline.backlog().try_claim(cursor) {
            let delivered = Settlement { delivered: block.records, ..Settlement::default() };
            pipeline.backlog().settle(cursor, block.sequence, delivered);
        }
    }
}

#[test]
fn who_settles_or_drops_records_of_a_dead_ring_writes_to_no_file() {
    let place = Place::new();
    let ring = left(&place.0, 3);
    let pipeline = taken_over(&place.0);
    let (backlog, spooler) = (pipeline.backlog(), pipeline.spooler().unwrap());
    let before = fs::read(&ring).unwrap();
    let block = backlog.try_claim(0).unwrap();
    backlog.settle(0, block.sequence, Settlement { delivered: 1, ..Settlement::default() });
    assert!(fs::read(&ring).unwrap() == before, "who delivers wrote");
    spooler.chores().run();
    let noted = fs::read(&ring).unwrap();
    assert!(noted != before, "it is not noted who has the records");
    while backlog.drop_oldest(true) {}
    assert!(fs::read(&ring).unwrap() == noted, "who made room wrote");
    assert!(pipeline.go_round(spooler, &mut Rounds::default()));
    assert!(!ring.exists());
    let counts = backlog.counts();
    let lost = counts.iter().map(|side| side.dropped.get(DropReason::OverflowOldest));
    assert_eq!(lost.collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn in_an_outage_what_a_dead_ring_holds_moves_to_the_spool_and_the_ring_goes() {
    let place = Place::new();
    let ring = left(&place.0, 3);
    let pipeline = taken_over(&place.0);
    let spooler = pipeline.spooler().unwrap();
    let on_disk = || pipeline.backlog().counts().iter().map(|side| side.spooled).collect::<Vec<_>>();
    assert!(pipeline.go_round(spooler, &mut Rounds::default()));
    assert_eq!((on_disk(), ring.exists()), (vec![0, 0], true), "who answers soon costs no disk");
    assert!(pipeline.go_round(spooler, &mut Rounds::due()));
    assert_eq!((on_disk(), ring.exists()), (vec![3, 3], false));
    let delivered = std::iter::from_fn(|| {
        let block = pipeline.backlog().try_claim(0)?;
        pipeline.backlog().settle(0, block.sequence, Settlement { delivered: 1, ..Settlement::default() });
        Some(block.records)
    });
    assert_eq!(delivered.sum::<u64>(), 3);
}

#[test]
fn at_the_quota_a_dead_ring_stays_and_nothing_older_is_given_up_for_it() {
    let place = Place::new();
    let ring = left(&place.0, 8);
    let mut asked = settings(&place.0);
    (asked.store.quota.max_bytes, asked.store.segment_bytes) = (12 << 10, 1 << 11);
    let pipeline = taken_over_by(asked);
    let (backlog, spooler) = (pipeline.backlog(), pipeline.spooler().unwrap());
    let safe = || backlog.counts().iter().map(|side| side.spooled + side.kept).collect::<Vec<_>>();
    let lost = || backlog.counts().iter().map(|side| side.dropped.total()).sum::<u64>();
    for _ in 0..2 {
        assert!(pipeline.go_round(spooler, &mut Rounds::due()));
    }
    assert!((1..8).contains(&backlog.counts()[0].spooled), "{:?}", backlog.counts());
    // Nor at the end, or because blocks take too much memory.
    assert!(matches!(spooler.spill(backlog, true), Spilled::Nothing));
    assert_eq!((safe(), lost(), ring.exists()), (vec![8, 8], 0, true));
    backlog.push(numbered_block(1));
    assert!(matches!(spooler.spill(backlog, true), Spilled::Done { .. }));
    assert!(lost() > 0, "for a block that is nowhere else there is room");
}

#[test]
fn a_ring_whose_process_died_is_trimmed_to_what_is_in_it_and_a_living_one_is_left_alone() {
    let place = Place::new();
    fs::create_dir_all(&place.0).unwrap();
    let large = |name: &str| {
        let slot_bytes = 1 << 20;
        let asked = Settings { name: name.to_owned(), slot_bytes, ..rings::settings(&place.0) };
        let ring = Ring::create(&asked).unwrap();
        let mut slot = rings::open_slot(&ring, 0, 1).unwrap();
        assert!(slot.append(&rings::frame(7, "x"), false));
        (asked.path(), ring, slot)
    };
    let taken = |path: &Path| fs::metadata(path).unwrap().blocks() * 512;
    let (dead, ring, slot) = large("dead");
    drop((ring, slot));
    let (living, _ring, _slot) = large("living");
    let before = (taken(&dead), taken(&living));
    assert!(before.0 > 3 << 20 && before.1 > 3 << 20, "{before:?}");
    for path in [&dead, &living, &place.0.join("gone")] {
        trim(path).unwrap();
    }
    assert_eq!((taken(&dead) < 1 << 16, taken(&living)), (true, before.1));
    assert_eq!(rings::ids(&mut rings::recover_soon(&dead, rings::BOOT)), [7]);
}

#[test]
fn after_the_end_a_dead_ring_for_which_the_spool_had_no_room_is_free_for_others() {
    let place = Place::new();
    let ring = left(&place.0, 3);
    let mut asked = settings(&place.0);
    asked.store.quota.max_bytes = 1;
    let pipeline = taken_over_by(asked);
    assert_eq!(pipeline.backlog().rings().into_iter().collect::<Vec<_>>(), [Some(ring.clone())]);
    let _ = pipeline.shutdown(std::time::Duration::ZERO);
    assert_eq!(open(&place.0), Vec::<PathBuf>::new());
    let counts = pipeline.backlog().counts();
    let sides: Vec<_> = counts.iter().map(|side| (side.pending, side.kept, side.dropped.total())).collect();
    assert_eq!(sides, [(3, 3, 0), (3, 3, 0)]);
    let boot = Identity::of_this_process("shop").boot;
    assert_eq!(rings::ids(&mut rings::recover_soon(&ring, boot)), [0, 1, 2]);
}

#[test]
fn a_dead_ring_for_which_memory_has_no_room_waits_for_the_next_look() {
    let place = Place::new();
    let ring = left(&place.0, 8);
    let pipeline = pipeline_with(settings(&place.0), 1 << 12);
    let (spooler, mut rings) = (pipeline.spooler().unwrap(), Remains::new(&pipeline));
    pipeline.look_for_left(spooler, &mut rings);
    let adopted = || pipeline.backlog().counts()[0].adopted;
    assert!((1..8).contains(&adopted()), "{}", adopted());
    assert!(!spooler.signal().has_looked());
    for _ in 0..8 {
        deliver(&pipeline);
        pipeline.look_for_left(spooler, &mut rings);
    }
    deliver(&pipeline);
    spooler.chores().run();
    assert_eq!((adopted(), ring.exists(), spooler.signal().has_looked()), (8, false, true));
}

#[test]
fn the_thread_of_the_spool_ends_behind_the_last_note_in_a_dead_ring() {
    let place = Place::new();
    fs::create_dir_all(&place.0).unwrap();
    let pipeline = taken_over(&place.0);
    let ring = left(&place.0, 1);
    let spooler = pipeline.spooler().unwrap();
    let found = rings::recover_soon(&ring, Identity::of_this_process("shop").boot);
    // As who delivers it has it, when the backlog knows of it no more.
    let parts = take_apart(found, &["otlp", "file"], spooler.chores());
    pipeline.backlog().drain();
    assert!(pipeline.go_round(spooler, &mut Rounds::default()), "a part is out");
    for (_, part) in parts {
        part.let_go();
    }
    assert!(!pipeline.go_round(spooler, &mut Rounds::default()));
    assert!(!ring.exists());
}

#[test]
fn after_the_end_no_descriptor_of_ring_or_spool_stays_open() {
    let place = Place::new();
    drop(left(&place.0, 1));
    let pipeline = taken_over(&place.0);
    let _ = pipeline.shutdown(std::time::Duration::ZERO);
    let open = || open(&place.0);
    assert_eq!(open(), Vec::<PathBuf>::new());
    for records in [0, 1] {
        let asked = Settings { name: format!("own-{records}"), ..rings::settings(&place.0) };
        let ring = Ring::create(&asked).unwrap();
        let mut slot = rings::open_slot(&ring, 0, 1).unwrap();
        assert!(slot.append(&rings::frame(0, "x"), false));
        if records == 0 {
            slot.recycle();
        } else {
            drop(slot);
        }
        assert_eq!(ring.remove_if_empty().unwrap(), records == 0);
        ring.leave();
        assert_eq!(open(), Vec::<PathBuf>::new());
        ring.define_scope(1, b"late").unwrap();
        ring.checkpoint().unwrap();
        if records == 1 {
            assert_eq!(rings::ids(&mut rings::recover_soon(&asked.path(), rings::BOOT)), [0]);
        }
    }
}
