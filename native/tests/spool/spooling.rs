//! A pipeline with a spool: what goes to the disk when, what comes back, and what a failing disk costs.

use crate::core::{buffer_settings, Entry};
use crate::places::{self, ids, log, pipeline, receiver, settings, wait_until, Place};
use crate::wiring::{self, check_ledger, exporter, impatient, Producer, PATIENCE};
use fapilog_native::buffer::Appended;
use fapilog_native::ledger::DropReason;
use fapilog_native::pipeline::Pipeline;
use fapilog_native::settings::{ExporterKind, Overflow};
use fapilog_native::spooling::end::Then;
use fapilog_native::spooling::Rounds;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Nothing more goes to the disk for now.
fn is_calm(pipeline: &Pipeline) -> bool {
    let (bytes, records) = (pipeline.backlog().bytes(), pipeline.backlog().records());
    pipeline.spooler().is_some_and(|spooler| !spooler.is_pressed(bytes, records))
}

#[test]
fn what_memory_does_not_hold_waits_on_disk_and_arrives_once_when_the_server_is_back() {
    let place = Place::new();
    let (away, server, taken) = receiver();
    let pipeline = pipeline(&server.url("/v1/logs"), Overflow::Wait, settings(&place.0));
    log(&pipeline, 0..3_000);
    let counts = check_ledger(&pipeline.snapshot());
    assert_eq!(counts.pending, 3_000);
    assert!(counts.spooled > 0 && !place.segments().is_empty());
    away.store(false, Ordering::Relaxed);
    assert!(pipeline.force_flush(PATIENCE));
    assert_eq!(check_ledger(&pipeline.snapshot()).delivered, 3_000);
    assert!(pipeline.shutdown(PATIENCE));
    assert_eq!(ids(&taken), (0..3_000).collect::<Vec<_>>());
    assert_eq!(place.files(), Vec::<PathBuf>::new());
    drop(pipeline);
    server.close();
}

#[test]
fn what_is_left_at_shutdown_is_delivered_by_the_next_pipeline() {
    let place = Place::new();
    let (away, server, taken) = receiver();
    let first = pipeline(&server.url("/v1/logs"), Overflow::Wait, settings(&place.0));
    log(&first, 0..40);
    assert!(!first.shutdown(Duration::from_millis(50)));
    let counts = check_ledger(&first.snapshot());
    assert_eq!((counts.pending, counts.spooled, counts.dropped.total()), (40, 40, 0));
    away.store(false, Ordering::Relaxed);
    let second = pipeline(&server.url("/v1/logs"), Overflow::Wait, settings(&place.0));
    log(&second, 40..41);
    assert!(second.shutdown(PATIENCE));
    let snapshot = second.snapshot();
    let counts = check_ledger(&snapshot);
    assert_eq!((snapshot.adopted, counts.adopted, counts.delivered, counts.pending), (40, 40, 41, 0));
    assert_eq!(taken.lock().unwrap().len(), 41);
    assert_eq!(place.files(), Vec::<PathBuf>::new());
    drop((first, second));
    server.close();
}

#[test]
fn a_spool_thread_that_wakes_between_the_two_stops_of_a_shutdown_keeps_the_spool_open() {
    let place = Place::new();
    let pipeline = pipeline("http://127.0.0.1:9/v1/logs", Overflow::Wait, settings(&place.0));
    let mut log = Producer::new(&pipeline);
    assert!(matches!(log.log(Entry::info(1)), Appended::Stored(_)));
    let (_, ticket) = pipeline.buffer().take_in(pipeline.buffer().rotate(), Instant::now() + PATIENCE);
    assert!(pipeline.buffer().wait_sealed(ticket, Instant::now() + PATIENCE));
    let spooler = pipeline.spooler().unwrap();
    spooler.signal().looked();
    pipeline.close();
    // As `shutdown` does, which stops the spool's threads only then.
    pipeline.backlog().stop();
    assert!(pipeline.go_round(spooler, &mut Rounds::default()));
    pipeline.spool_rest(PATIENCE, Then::Close);
    let counts = check_ledger(&pipeline.snapshot());
    assert_eq!((counts.pending, counts.spooled, counts.dropped.total()), (1, 1, 0));
}

#[test]
fn damaged_blocks_are_counted_and_the_others_arrive() {
    let place = Place::new();
    let (away, server, taken) = receiver();
    let pipeline = pipeline(&server.url("/v1/logs"), Overflow::Wait, settings(&place.0));
    log(&pipeline, 0..3_000);
    wait_until(|| !place.segments().is_empty() && is_calm(&pipeline));
    let segment = place.segments().into_iter().min().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&segment, bytes).unwrap();
    away.store(false, Ordering::Relaxed);
    assert!(pipeline.force_flush(PATIENCE));
    let counts = check_ledger(&pipeline.snapshot());
    let damaged = counts.dropped.get(DropReason::Damaged);
    assert!(damaged > 0 && damaged < 1_000, "{damaged}");
    assert_eq!((counts.delivered, counts.pending), (3_000 - damaged, 0));
    assert_eq!(taken.lock().unwrap().len() as u64, counts.delivered);
    assert!(pipeline.shutdown(PATIENCE));
    drop(pipeline);
    server.close();
}

#[test]
fn a_directory_that_disappears_costs_what_was_in_it_and_no_more() {
    let place = Place::new();
    let (away, server, _) = receiver();
    let pipeline = pipeline(&server.url("/v1/logs"), Overflow::Wait, settings(&place.0));
    log(&pipeline, 0..3_000);
    wait_until(|| !place.segments().is_empty() && is_calm(&pipeline));
    for entry in fs::read_dir(&place.0).unwrap() {
        fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    let lost = || pipeline.snapshot().exporters[0].dropped.get(DropReason::Damaged);
    wait_until(|| lost() > 0);
    log(&pipeline, 3_000..4_000);
    away.store(false, Ordering::Relaxed);
    assert!(pipeline.force_flush(PATIENCE));
    let counts = check_ledger(&pipeline.snapshot());
    assert_eq!((counts.delivered + lost(), counts.pending), (4_000, 0));
    let codes: Vec<&str> = pipeline.notices().take().into_iter().map(|notice| notice.code).collect();
    assert!(codes.contains(&"spool-gone"), "{codes:?}");
    assert!(pipeline.shutdown(PATIENCE));
    drop(pipeline);
    server.close();
}

#[test]
fn a_full_spool_is_said_once_and_memory_goes_on() {
    let place = Place::new();
    let (away, server, taken) = receiver();
    let mut small = settings(&place.0);
    small.store.quota.max_bytes = 24_000;
    let pipeline = pipeline(&server.url("/v1/logs"), Overflow::Wait, small);
    let mut log = Producer::new(&pipeline);
    for id in 0..3_000 {
        log.log_waiting(Entry::info(id), Duration::from_millis(1));
    }
    assert!(pipeline.snapshot().exporters[0].spooled > 0);
    check_ledger(&pipeline.snapshot());
    away.store(false, Ordering::Relaxed);
    // The record that tells what was lost may come after the first flush.
    wait_until(|| pipeline.force_flush(PATIENCE) && pipeline.snapshot().exporters[0].pending == 0);
    let counts = check_ledger(&pipeline.snapshot());
    assert!(taken.lock().unwrap().len() as u64 >= counts.delivered);
    let notices = pipeline.notices().take();
    assert_eq!(notices.iter().filter(|notice| notice.code == "spool-full").count(), 1);
    assert!(pipeline.shutdown(PATIENCE));
    drop(log);
    drop(pipeline);
    server.close();
}

#[test]
fn a_place_that_cannot_be_used_is_an_error_that_names_it() {
    let place = Place::new();
    fs::create_dir(&place.0).unwrap();
    let file = place.0.join("file");
    fs::write(&file, "in the way").unwrap();
    let otlp = exporter("otlp", ExporterKind::OtlpHttp(Box::new(impatient("http://127.0.0.1:9/v1/logs"))));
    let made = wiring::try_pipeline(
        buffer_settings(Overflow::Wait),
        vec![otlp],
        Some(settings(&file.join("spool"))),
    );
    let error = made.err().map(|error| error.to_string()).unwrap();
    assert!(
        error.starts_with(&format!("the spool directory {} cannot be used: ", file.join("spool").display())),
        "{error}"
    );
}

#[test]
fn without_free_space_memory_takes_what_it_can_and_the_policy_counts_the_rest() {
    let policies = [
        (Overflow::DropOldest, DropReason::OverflowOldest),
        (Overflow::DropNewest, DropReason::OverflowNewest),
        (Overflow::Wait, DropReason::WaitTimeout),
    ];
    for (overflow, reason) in policies {
        let place = Place::new();
        let (away, server, _) = receiver();
        let url = server.url("/v1/logs");
        let first = pipeline(&url, Overflow::Wait, settings(&place.0));
        log(&first, 0..40);
        assert!(!first.shutdown(Duration::from_millis(50)));
        let mut full = settings(&place.0);
        full.store.quota.min_free_bytes = u64::MAX;
        let second = pipeline(&url, overflow, full);
        let mut log = Producer::new(&second);
        for id in 0..3_000 {
            let error = Entry { protected: false, ..Entry::error(id) };
            log.log_waiting(error, Duration::from_millis(u64::from(id < 100)));
        }
        wait_until(|| second.snapshot().adopted == 40);
        assert!(check_ledger(&second.snapshot()).dropped.get(reason) > 0, "{overflow:?}");
        // The end: nothing more fits on the disk, and what is there stays.
        assert!(!second.shutdown(Duration::from_millis(50)));
        let counts = check_ledger(&second.snapshot());
        assert_eq!((counts.pending, counts.spooled), (40, 40), "{overflow:?}");
        assert!(counts.dropped.get(DropReason::Shutdown) > 0, "{overflow:?}");
        let codes: Vec<&str> = second.notices().take().into_iter().map(|notice| notice.code).collect();
        assert!(codes.contains(&"spool-no-space"), "{codes:?}");
        away.store(false, Ordering::Relaxed);
        let third = pipeline(&url, overflow, settings(&place.0));
        places::log(&third, 0..1);
        assert!(third.shutdown(PATIENCE));
        assert_eq!(third.snapshot().adopted, 40);
        assert_eq!(place.files(), Vec::<PathBuf>::new(), "what was on disk is delivered");
        drop(third);
        drop((log, first, second));
        server.close();
    }
}
