//! A pipeline with a spool in a directory of its own, and a receiver that can be away.
#![allow(clippy::unwrap_used, dead_code)] // A test may fail, and none uses all of it.

use crate::core::{buffer_settings, Entry};
use crate::serving::Server;
use crate::wiring::{exporter, impatient, server, spooling_pipeline, Producer, Taken, PATIENCE};
use fapilog_native::buffer::Appended;
use fapilog_native::pipeline::Pipeline;
use fapilog_native::settings::{BufferSettings, ExporterKind, Overflow, SpoolingSettings};
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::{Fsync, SpoolSettings};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A directory of one test, removed at its end.
pub struct Place(pub PathBuf);

impl Place {
    pub fn new() -> Self {
        let name =
            format!("fapilog-spooling-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    /// Names of all files below it.
    pub fn files(&self) -> Vec<PathBuf> {
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

    pub fn segments(&self) -> Vec<PathBuf> {
        let is_segment = |path: &PathBuf| path.to_string_lossy().contains("seg-");
        self.files().into_iter().filter(is_segment).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn settings(directory: &Path) -> SpoolingSettings {
    let quota = Quota { max_bytes: 1 << 30, min_free_bytes: 0 };
    let store = SpoolSettings { segment_bytes: 1 << 16, quota, max_age: None, fsync: Fsync::Never };
    let (directory, service) = (directory.to_owned(), "shop".into());
    SpoolingSettings { directory, service, store, adopt: Some(Duration::from_secs(5)), keys: Arc::default() }
}

pub fn pipeline(url: &str, overflow: Overflow, spool: SpoolingSettings) -> Arc<Pipeline> {
    let otlp = exporter("otlp", ExporterKind::OtlpHttp(Box::new(impatient(url))));
    let small = BufferSettings { schedule_delay: Duration::from_millis(5), ..buffer_settings(overflow) };
    spooling_pipeline(small, vec![otlp], spool)
}

/// A receiver that is away while the switch is on, as it is at first.
pub fn receiver() -> (Arc<AtomicBool>, Server, Taken) {
    let away = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&away);
    let (server, taken) = server(move |_| if asked.load(Ordering::Relaxed) { 503 } else { 200 });
    (away, server, taken)
}

/// Ids of what arrived, in order.
pub fn ids(taken: &Taken) -> Vec<u64> {
    let mut ids: Vec<u64> = taken.lock().unwrap().iter().map(|(_, id)| *id).collect();
    ids.sort_unstable();
    ids
}

pub fn wait_until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !what() {
        assert!(Instant::now() < deadline, "it never happens");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Logs, and waits for room.
pub fn log(pipeline: &Arc<Pipeline>, ids: std::ops::Range<u64>) {
    let mut log = Producer::new(pipeline);
    for id in ids {
        assert!(matches!(log.log_waiting(Entry::info(id), PATIENCE), Appended::Stored(_)));
    }
}
