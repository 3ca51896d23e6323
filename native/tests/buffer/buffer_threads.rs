//! Stages 4 to 7 with real threads: producers, sealer, senders and a loopback server.

use crate::core::{buffer_settings, Entry};
use crate::sending::numbered_block;
use crate::wiring::{
    check_ledger, impatient, pipeline_to, pipeline_with, server, silent_server, Producer, PATIENCE, REPORT,
};
use fapilog_native::backlog::Backlog;
use fapilog_native::buffer::Appended;
use fapilog_native::ledger::{DropReason, Settlement};
use fapilog_native::pipeline::Pipeline;
use fapilog_native::settings::{BufferSettings, Overflow};
use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

const PRODUCERS: u64 = 4;
const RECORDS: u64 = 3_000;

/// Runs `PRODUCERS` threads that log `RECORDS` each, one in ten protected; returns what was stored.
fn produce(pipeline: &Arc<Pipeline>, timeout: Duration) -> BTreeMap<u64, u64> {
    let threads: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let mut log = Producer::new(pipeline);
            thread::spawn(move || {
                for number in 0..RECORDS {
                    let id = producer * RECORDS + number;
                    let entry = if id % 10 == 0 { Entry::error(id) } else { Entry::info(id) };
                    let size = (id % 7 * 20) as usize;
                    log.log_waiting(Entry { scope: producer as u32, ..entry.sized(size) }, timeout);
                }
                assert!(log.stored.is_sorted(), "the numbers of one thread rise in its order");
                log.stored
            })
        })
        .collect();
    threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn every_sum_adds_up_under_every_policy() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest, Overflow::Wait] {
        let (server, taken) = server(|_| 200);
        let pipeline = pipeline_to(&server, overflow);
        let stored = produce(&pipeline, PATIENCE);
        assert!(pipeline.force_flush(PATIENCE));
        assert!(pipeline.shutdown(PATIENCE));
        let counts = check_ledger(&pipeline.snapshot());
        drop(pipeline);
        server.close();
        let mut arrived = taken.lock().unwrap().clone();
        arrived.sort_unstable();
        assert!(arrived.windows(2).all(|pair| pair[0].0 < pair[1].0), "a record arrived twice");
        assert_eq!(arrived.len() as u64, counts.delivered);
        assert_eq!((counts.pending, counts.rejected), (0, 0));
        let (reports, arrived): (Vec<_>, Vec<_>) = arrived.into_iter().partition(|(_, id)| *id == REPORT);
        // A report may itself be dropped by the records that follow it, so more may have been accepted.
        assert!(counts.accepted >= PRODUCERS * RECORDS + reports.len() as u64);
        if overflow == Overflow::Wait {
            assert_eq!((counts.accepted, counts.dropped.total()), (PRODUCERS * RECORDS, 0));
        }
        assert!(arrived.iter().all(|(sequence, id)| stored.get(sequence) == Some(id)));
    }
}

#[test]
fn a_flush_says_true_only_when_the_server_has_every_record_of_its_caller() {
    let (server, taken) = server(|_| 200);
    let pipeline = pipeline_to(&server, Overflow::Wait);
    let threads: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let (mut log, taken) = (Producer::new(&pipeline), Arc::clone(&taken));
            let pipeline = Arc::clone(&pipeline);
            thread::spawn(move || {
                for round in 0..20 {
                    for number in 0..50 {
                        let id = producer * 10_000 + round * 100 + number;
                        log.log_waiting(Entry::info(id), PATIENCE);
                    }
                    assert!(pipeline.force_flush(PATIENCE));
                    let taken = taken.lock().unwrap();
                    let last = log.stored.len() - 50;
                    assert!(log.stored[last..].iter().all(|record| taken.contains(record)));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(pipeline.shutdown(PATIENCE));
    drop(pipeline);
    server.close();
}

#[test]
fn with_a_dead_server_waiting_ends_in_counted_drops_and_shutdown_in_time() {
    let server = silent_server();
    let pipeline = pipeline_to(&server, Overflow::Wait);
    let mut log = Producer::new(&pipeline);
    let mut dropped = 0;
    // The server takes nothing, so only what fits into memory is stored.
    while dropped < 3 {
        let id = log.stored.len() as u64;
        if log.log_waiting(Entry::info(id).sized(300), Duration::from_millis(50)) == Appended::Dropped {
            dropped += 1;
        }
    }
    assert!(!pipeline.force_flush(Duration::from_millis(20)), "nothing was delivered");
    let start = Instant::now();
    assert!(!pipeline.shutdown(Duration::from_millis(200)));
    assert!(start.elapsed() < Duration::from_secs(2), "shutdown took {:?}", start.elapsed());

    let counts = check_ledger(&pipeline.snapshot());
    assert_eq!((counts.delivered, counts.rejected, counts.pending), (0, 0, 0));
    assert_eq!(counts.dropped.get(DropReason::WaitTimeout), 3);
    // With the record that tells of the three.
    assert_eq!(counts.dropped.get(DropReason::Shutdown), log.stored.len() as u64 + 1);
    drop((pipeline, log));
    server.close();
}

#[test]
fn producers_that_wait_are_woken_by_shutdown_and_their_records_counted() {
    let server = silent_server();
    let pipeline = pipeline_to(&server, Overflow::Wait);
    let full = Arc::new(Barrier::new(PRODUCERS as usize + 1));
    let threads: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let (mut log, full) = (Producer::new(&pipeline), Arc::clone(&full));
            thread::spawn(move || {
                while log.log_waiting(Entry::info(producer).sized(300), Duration::from_millis(50))
                    != Appended::Dropped
                {}
                full.wait();
                // Fails the test by `assert` below when it waits in vain.
                while matches!(log.log_waiting(Entry::info(producer), PATIENCE), Appended::Stored(_)) {}
                // A record of before the shutdown is dropped, one of after it refused.
                assert_eq!(log.log_waiting(Entry::info(producer), PATIENCE), Appended::Refused);
            })
        })
        .collect();
    full.wait();
    let begun = Instant::now();
    assert!(!pipeline.shutdown(Duration::from_millis(100)));
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(check_ledger(&pipeline.snapshot()).pending, 0);
    drop(pipeline);
    server.close();
}

#[test]
fn records_leave_after_the_schedule_delay_without_a_flush() {
    let (server, taken) = server(|_| 200);
    let pipeline = pipeline_to(&server, Overflow::DropOldest);
    let mut log = Producer::new(&pipeline);
    log.log(Entry::info(1));
    let deadline = Instant::now() + PATIENCE;
    while check_ledger(&pipeline.snapshot()).delivered == 0 {
        assert!(Instant::now() < deadline, "the open chunk was never sealed");
        thread::yield_now();
    }
    assert_eq!(*taken.lock().unwrap(), log.stored);
    assert!(pipeline.shutdown(PATIENCE));
    drop((pipeline, log));
    server.close();
}

#[test]
fn flushes_and_a_shutdown_at_once_end_without_a_deadlock() {
    for _ in 0..20 {
        let (server, _) = server(|_| 200);
        let buffer = BufferSettings { schedule_delay: PATIENCE, ..buffer_settings(Overflow::DropOldest) };
        let pipeline = pipeline_with(buffer, Some(impatient(&server.url("/v1/logs"))));
        let start = Arc::new(Barrier::new(4));
        let threads: Vec<_> = (0..3)
            .map(|producer| {
                let (mut log, start) = (Producer::new(&pipeline), Arc::clone(&start));
                let pipeline = Arc::clone(&pipeline);
                thread::spawn(move || {
                    log.log(Entry::info(producer));
                    start.wait();
                    while !matches!(log.log(Entry::info(producer)), Appended::Refused) {
                        let _ = pipeline.force_flush(PATIENCE);
                    }
                })
            })
            .collect();
        start.wait();
        assert!(pipeline.shutdown(PATIENCE));
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(check_ledger(&pipeline.snapshot()).pending, 0);
        drop(pipeline);
        server.close();
    }
}

#[test]
fn a_pause_ends_at_once_when_the_backlog_stops() {
    let backlog = Arc::new(Backlog::new(&["otlp"], false, Arc::default()));
    assert!(backlog.pause(0, Duration::ZERO), "a pause of nothing is over and not stopped");
    let pausing = Arc::clone(&backlog);
    let thread = thread::spawn(move || pausing.pause(0, Duration::from_secs(3_600)));
    // A settled block wakes flushes; it must not end a pause.
    backlog.push(numbered_block(1));
    let block = backlog.claim(0).unwrap();
    backlog.settle(0, block.sequence, Settlement { delivered: 1, ..Settlement::default() });
    assert!(backlog.wait_settled(1, Instant::now()));
    backlog.stop();
    assert!(!thread.join().unwrap());
    assert!(!backlog.pause(0, Duration::MAX), "stopped before it began");
}

#[test]
fn claims_wait_for_a_block_of_their_own_cursor_and_end_at_stop() {
    let backlog = Arc::new(Backlog::new(&["one", "two"], false, Arc::default()));
    let claimers: Vec<_> = [0, 0, 1, 1]
        .into_iter()
        .map(|cursor| {
            let backlog = Arc::clone(&backlog);
            thread::spawn(move || {
                let mut claimed = Vec::new();
                while let Some(block) = backlog.claim(cursor) {
                    // Every second block goes back once, to another waiter.
                    if claimed.len() % 2 == 0 && !claimed.contains(&block.sequence) {
                        claimed.push(block.sequence);
                        backlog.release(cursor, block.sequence);
                        continue;
                    }
                    let settlement = Settlement { delivered: block.records, ..Settlement::default() };
                    backlog.settle(cursor, block.sequence, settlement);
                    claimed.push(block.sequence);
                }
            })
        })
        .collect();
    for _ in 0..200 {
        backlog.push(numbered_block(2));
    }
    assert!(backlog.wait_settled(backlog.end(), Instant::now() + PATIENCE));
    backlog.stop();
    for thread in claimers {
        thread.join().unwrap();
    }
    let delivered: Vec<u64> = backlog.counts().iter().map(|cursor| cursor.delivered).collect();
    assert_eq!((delivered, backlog.bytes(), backlog.records()), (vec![400, 400], 0, 0));
}
