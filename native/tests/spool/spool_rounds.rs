//! The spool's thread while blocks come faster than the disk takes them: what else it has to do is done all the same.

use crate::places::{self, settings, Place};
use fapilog_native::block::{Block, Codec};
use fapilog_native::ledger::DropReason;
use fapilog_native::pipeline::Pipeline;
use fapilog_native::settings::Overflow;
use fapilog_native::spool::Fsync;
use fapilog_native::spooling::Rounds;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A round that takes this long has no end: blocks come no longer, so that the test can say so.
const ENDLESS: Duration = Duration::from_secs(10);

fn block() -> Block {
    let body = vec![b'x'; 1 << 10];
    Block { sequence: 0, records: 1, protected_records: 0, raw_bytes: 1 << 10, codec: Codec::Identity, body }
}

/// Keeps blocks at many times what may be in memory. True: until it was told to stop.
fn strain(pipeline: &Pipeline, stop: &AtomicBool) -> bool {
    let begun = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        while pipeline.backlog().bytes() < 1 << 25 {
            pipeline.backlog().push(block());
        }
        if begun.elapsed() > ENDLESS {
            return false;
        }
    }
    true
}

#[test]
fn what_is_forced_to_the_disk_at_an_interval_is_due_so_early_that_a_look_comes_within_it() {
    for millis in [20, 500, 1_000, 60_000] {
        let place = Place::new();
        let asked = Duration::from_millis(millis);
        let mut spool = settings(&place.0);
        spool.store.fsync = Fsync::Every(asked);
        let pipeline = places::pipeline("http://127.0.0.1:9/v1/logs", Overflow::Wait, spool);
        let spooler = pipeline.spooler().unwrap();
        let Fsync::Every(due) = spooler.settings().store.fsync else { panic!("not at an interval") };
        assert!(due + spooler.interval() <= asked, "{due:?} {:?} {asked:?}", spooler.interval());
    }
}

#[test]
fn a_round_ends_and_sees_that_the_directory_is_gone_while_blocks_come_faster_than_the_disk_takes_them() {
    let place = Place::new();
    let mut spool = settings(&place.0);
    spool.store.fsync = Fsync::Every(Duration::from_millis(20));
    spool.store.quota.max_bytes = 1 << 20;
    // Nobody logs: its own threads do not run.
    let pipeline = places::pipeline("http://127.0.0.1:9/v1/logs", Overflow::DropOldest, spool);
    let spooler = pipeline.spooler().unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let strain = scope.spawn(|| strain(&pipeline, &stop));
        while pipeline.backlog().bytes() < 1 << 24 {
            thread::yield_now();
        }
        let mut rounds = Rounds::default();
        assert!(pipeline.go_round(spooler, &mut rounds));
        let on_disk = pipeline.snapshot().exporters[0].spooled;
        for entry in fs::read_dir(&place.0).unwrap() {
            fs::remove_dir_all(entry.unwrap().path()).unwrap();
        }
        assert!(pipeline.go_round(spooler, &mut rounds));
        stop.store(true, Ordering::Relaxed);
        assert!(strain.join().unwrap(), "a round took as long as blocks came");
        assert!(on_disk > 0);
    });
    let codes: Vec<&str> = pipeline.notices().take().into_iter().map(|notice| notice.code).collect();
    assert!(codes.contains(&"spool-gone"), "{codes:?}");
    assert!(pipeline.snapshot().exporters[0].dropped.get(DropReason::Damaged) > 0);
}
