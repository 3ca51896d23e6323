//! What durability `process` costs a record on the caller's path, beside `memory`, in one run.
//! Run it with `--release --test ring -- --ignored --nocapture durability_cost`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_precision_loss)] // A test may fail; a measurement is rounded.

use crate::core::{buffer_settings, Entry};
use fapilog_native::backlog::Backlog;
use fapilog_native::buffer::{Appended, Buffer};
use fapilog_native::crash_ring::keep::Keep;
use fapilog_native::crash_ring::CrashRing;
use fapilog_native::record::RecordWriter;
use fapilog_native::redact::{redact, FrameSettings, Policy};
use fapilog_native::settings::{BufferSettings, Overflow, RingSettings, SpoolingSettings};
use fapilog_native::spool::crypt::Keys;
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::{Fsync, SpoolSettings};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 40;
const RECORDS: u64 = 4_000;

fn settings() -> BufferSettings {
    BufferSettings { limit_bytes: 64 << 20, chunk_bytes: 1 << 20, ..buffer_settings(Overflow::DropOldest) }
}

fn ring(sync_interval: Option<Duration>) -> Arc<CrashRing> {
    let directory = std::env::temp_dir().join(format!("fapilog-cost-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let quota = Quota { max_bytes: 1 << 30, min_free_bytes: 0 };
    let store = SpoolSettings { segment_bytes: 1 << 20, quota, max_age: None, fsync: Fsync::Never };
    let spool = SpoolingSettings {
        directory,
        service: "cost".to_owned(),
        store,
        adopt: None,
        keys: Arc::new(Keys::none()),
    };
    let asked = RingSettings { directory: None, limit_bytes: 16 << 20, sync_interval };
    Arc::new(CrashRing::open(&asked, &spool, &settings(), &["otlp"]).unwrap())
}

/// The best round's nanoseconds for a record of about 200 bytes, from encoding to stored.
fn nanos(ring: Option<Arc<CrashRing>>) -> f64 {
    let backlog = Arc::new(Backlog::new(&["otlp"], false, Arc::default()));
    let buffer = Buffer::new(settings(), backlog, true).with_ring(ring);
    let mut writer = RecordWriter::new();
    let frame = FrameSettings { record_bytes: 512, sequenced: true };
    let mut best = f64::INFINITY;
    for round in 0..ROUNDS {
        let began = Instant::now();
        for id in 0..RECORDS {
            let meta = Entry::info(id).sized(150).write(&mut writer);
            let mut record = redact(&mut writer, meta, &Policy::default(), frame);
            assert!(matches!(buffer.append(&mut record, 0), Appended::Stored(_)));
        }
        if round > 4 {
            best = best.min(began.elapsed().as_nanos() as f64 / RECORDS as f64);
        }
        buffer.rotate();
        while buffer.counts(|| ()).0.pending > 0 {
            let Some(mut chunk) = buffer.next_chunk(&|| None) else { break };
            if let Some(slot) = chunk.slot.take() {
                Keep::Slot(slot).let_go();
            }
            buffer.sealed(chunk, None);
        }
    }
    best
}

#[test]
#[ignore = "a measurement; it asserts nothing but that it ran"]
fn a_record_costs_a_few_nanoseconds_more_at_level_process() {
    for _ in 0..3 {
        let (memory, process) = (nanos(None), nanos(Some(ring(None))));
        println!("memory {memory:.1} ns, process {process:.1} ns, {:.1} ns more", process - memory);
    }
}
