//! Keys that change while a pipeline runs: what is encrypted with one that is not there waits, and is lost nowhere.

use crate::places::{self, ids, log, receiver, settings, wait_until, Place};
use crate::wiring::{check_ledger, PATIENCE};
use fapilog_native::pipeline::Pipeline;
use fapilog_native::settings::{Overflow, SpoolingSettings};
use fapilog_native::spool::crypt::Keys;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

fn keys(current: Option<u32>, ids: &[u32]) -> Keys {
    let keys: Vec<(u32, Vec<u8>)> = ids.iter().map(|id| (*id, vec![*id as u8; 32])).collect();
    Keys::new(current, &keys).unwrap()
}

fn pipeline(url: &str, directory: &Path, keys: Keys) -> Arc<Pipeline> {
    let spool = SpoolingSettings { keys: Arc::new(keys), ..settings(directory) };
    places::pipeline(url, Overflow::Wait, spool)
}

#[test]
fn what_another_process_encrypted_waits_for_its_key_and_is_delivered_when_it_comes() {
    let place = Place::new();
    let (away, server, taken) = receiver();
    let url = server.url("/v1/logs");
    let first = pipeline(&url, &place.0, keys(Some(1), &[1]));
    log(&first, 0..40);
    assert!(!first.shutdown(Duration::from_millis(50)));
    away.store(false, Ordering::Relaxed);
    // With another key, the next process cannot read it, says so once, and leaves it.
    let second = pipeline(&url, &place.0, keys(Some(2), &[2]));
    log(&second, 40..41);
    assert!(second.force_flush(PATIENCE));
    second.deliver_adopted(PATIENCE);
    wait_until(|| second.notices().waiting());
    let notices = second.notices().take();
    assert_eq!(notices.iter().map(|notice| notice.code).collect::<Vec<_>>(), ["spool-key-missing"]);
    assert!(notices[0].message.starts_with("40 records in the spool shop-"), "{}", notices[0].message);
    assert!(notices[0].message.contains("not given: 1;"), "{}", notices[0].message);
    assert_eq!((second.snapshot().adopted, ids(&taken)), (0, vec![40]));
    // The key comes while it runs.
    second.spooler().unwrap().set_keys(&keys(Some(2), &[1, 2]));
    wait_until(|| taken.lock().unwrap().len() == 41);
    assert_eq!(ids(&taken), (0..41).collect::<Vec<_>>());
    assert!(second.shutdown(PATIENCE));
    let counts = check_ledger(&second.snapshot());
    assert_eq!((counts.adopted, counts.delivered, counts.pending), (40, 41, 0));
    assert_eq!(place.files(), Vec::<PathBuf>::new());
    drop((first, second));
    server.close();
}

#[test]
fn own_blocks_whose_key_is_taken_away_stay_pending_until_it_is_back() {
    let place = Place::new();
    let (away, server, taken) = receiver();
    let pipeline = pipeline(&server.url("/v1/logs"), &place.0, keys(Some(1), &[1]));
    log(&pipeline, 0..3_000);
    let spooled = check_ledger(&pipeline.snapshot()).spooled;
    assert!(spooled > 0);
    pipeline.spooler().unwrap().set_keys(&keys(Some(2), &[2]));
    away.store(false, Ordering::Relaxed);
    wait_until(|| pipeline.notices().take().iter().any(|notice| notice.code == "spool-key-missing"));
    let counts = check_ledger(&pipeline.snapshot());
    assert!(counts.pending > 0);
    assert_eq!(counts.dropped.total(), 0);
    pipeline.spooler().unwrap().set_keys(&keys(Some(2), &[1, 2]));
    assert!(pipeline.force_flush(PATIENCE));
    let counts = check_ledger(&pipeline.snapshot());
    assert_eq!((counts.delivered, counts.pending, counts.dropped.total()), (3_000, 0, 0));
    assert_eq!(ids(&taken), (0..3_000).collect::<Vec<_>>());
    assert!(pipeline.shutdown(PATIENCE));
    assert_eq!(place.files(), Vec::<PathBuf>::new());
    drop(pipeline);
    server.close();
}
