//! A pipeline with a spool: what goes to the disk when, what comes back, and what a failing disk costs.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may fail.

mod core;
mod sending;
mod serving;
mod wiring;

use crate::core::{buffer_settings, Entry};
use fapilog_native::buffer::Appended;
use fapilog_native::ledger::DropReason;
use fapilog_native::pipeline::Pipeline;
use fapilog_native::settings::{BufferSettings, ExporterKind, Overflow, SpoolingSettings};
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::{Fsync, SpoolSettings};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wiring::{check_ledger, exporter, impatient, server, spooling_pipeline, Producer, PATIENCE};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A directory of one test, removed at its end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let name =
            format!("fapilog-spooling-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    /// Names of all files below it.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                found.push(path);
            }
        }
        found
    }

    fn segments(&self) -> Vec<PathBuf> {
        let is_segment = |path: &PathBuf| path.to_string_lossy().contains("seg-");
        self.files().into_iter().filter(is_segment).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn settings(directory: &Path) -> SpoolingSettings {
    let quota = Quota { max_bytes: 1 << 30, min_free_bytes: 0 };
    let store = SpoolSettings { segment_bytes: 1 << 16, quota, max_age: None, fsync: Fsync::Never };
    SpoolingSettings {
        directory: directory.to_owned(),
        service: "shop".into(),
        store,
        adopt: Some(Duration::from_secs(5)),
        keys: Arc::default(),
    }
}

fn pipeline(url: &str, overflow: Overflow, spool: SpoolingSettings) -> Arc<Pipeline> {
    let otlp = exporter("otlp", ExporterKind::OtlpHttp(Box::new(impatient(url))));
    let small = BufferSettings { schedule_delay: Duration::from_millis(5), ..buffer_settings(overflow) };
    spooling_pipeline(small, vec![otlp], spool)
}

fn wait_until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !what() {
        assert!(Instant::now() < deadline, "it never happens");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn log_patiently(pipeline: &Arc<Pipeline>, ids: std::ops::Range<u64>) {
    let mut log = Producer::new(pipeline);
    for id in ids {
        assert!(matches!(log.log_waiting(Entry::info(id), PATIENCE), Appended::Stored(_)));
    }
}

/// Nothing more goes to the disk for now.
fn is_calm(pipeline: &Pipeline) -> bool {
    let (bytes, records) = (pipeline.backlog().bytes(), pipeline.backlog().records());
    pipeline.spooler().is_some_and(|spooler| !spooler.is_pressed(bytes, records))
}

#[test]
fn what_memory_does_not_hold_waits_on_disk_and_arrives_once_when_the_server_is_back() {
    let place = Place::new();
    let away = Arc::new(AtomicBool::new(true));
    let (server, taken) = {
        let away = Arc::clone(&away);
        server(move |_| if away.load(Ordering::Relaxed) { 503 } else { 200 })
    };
    let pipeline = pipeline(&server.url("/v1/logs"), Overflow::Wait, settings(&place.0));
    log_patiently(&pipeline, 0..3_000);
    let counts = check_ledger(&pipeline.snapshot());
    assert_eq!(counts.pending, 3_000);
    assert!(counts.spooled > 0 && !place.segments().is_empty());
    away.store(false, Ordering::Relaxed);
    assert!(pipeline.force_flush(PATIENCE));
    assert_eq!(check_ledger(&pipeline.snapshot()).delivered, 3_000);
    assert!(pipeline.shutdown(PATIENCE));
    let mut ids: Vec<u64> = taken.lock().unwrap().iter().map(|(_, id)| *id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..3_000).collect::<Vec<_>>());
    assert_eq!(place.files(), Vec::<PathBuf>::new());
    drop(pipeline);
    server.close();
}

#[test]
fn what_is_left_at_shutdown_is_delivered_by_the_next_pipeline() {
    let place = Place::new();
    let away = Arc::new(AtomicBool::new(true));
    let (server, taken) = {
        let away = Arc::clone(&away);
        server(move |_| if away.load(Ordering::Relaxed) { 503 } else { 200 })
    };
    let first = pipeline(&server.url("/v1/logs"), Overflow::Wait, settings(&place.0));
    log_patiently(&first, 0..40);
    assert!(!first.shutdown(Duration::from_millis(50)));
    let counts = check_ledger(&first.snapshot());
    assert_eq!((counts.pending, counts.spooled, counts.dropped.total()), (40, 40, 0));
    away.store(false, Ordering::Relaxed);
    let second = pipeline(&server.url("/v1/logs"), Overflow::Wait, settings(&place.0));
    log_patiently(&second, 40..41);
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
fn damaged_blocks_are_counted_and_the_others_arrive() {
    let place = Place::new();
    let away = Arc::new(AtomicBool::new(true));
    let (server, taken) = {
        let away = Arc::clone(&away);
        server(move |_| if away.load(Ordering::Relaxed) { 503 } else { 200 })
    };
    let pipeline = pipeline(&server.url("/v1/logs"), Overflow::Wait, settings(&place.0));
    log_patiently(&pipeline, 0..3_000);
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
    let away = Arc::new(AtomicBool::new(true));
    let (server, _) = {
        let away = Arc::clone(&away);
        server(move |_| if away.load(Ordering::Relaxed) { 503 } else { 200 })
    };
    let pipeline = pipeline(&server.url("/v1/logs"), Overflow::Wait, settings(&place.0));
    log_patiently(&pipeline, 0..3_000);
    wait_until(|| !place.segments().is_empty() && is_calm(&pipeline));
    for entry in fs::read_dir(&place.0).unwrap() {
        fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    let lost = || pipeline.snapshot().exporters[0].dropped.get(DropReason::Damaged);
    wait_until(|| lost() > 0);
    log_patiently(&pipeline, 3_000..4_000);
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
    let away = Arc::new(AtomicBool::new(true));
    let (server, taken) = {
        let away = Arc::clone(&away);
        server(move |_| if away.load(Ordering::Relaxed) { 503 } else { 200 })
    };
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
