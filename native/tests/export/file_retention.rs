//! How long the file exporter keeps complete files, with a clock that is set: no test waits for a year.

use crate::sending::{block_of, request};
use fapilog_native::block::Codec;
use fapilog_native::encode::Form;
use fapilog_native::export::file::{FileSettings, FileTransport, Fsync};
use fapilog_native::export::http::answer::Answer;
use fapilog_native::export::http::Transport;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 86_400;
/// 2026-11-21T12:00:00Z.
const NOON: u64 = 1_795_262_400;
/// Days since `NOON`.
static DAYS: AtomicU64 = AtomicU64::new(0);

fn clock() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOON + DAYS.load(Ordering::Relaxed) * DAY)
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("file_retention");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_complete_file_is_there_for_its_time_and_gone_with_the_first_record_behind_it() {
    let folder = folder();
    let settings = FileSettings {
        path: folder.join("app.jsonl"),
        form: Form::OtlpJson,
        max_bytes: None,
        max_age: None,
        compress_rotated: false,
        keep_files: None,
        keep_age: Some(Duration::from_secs(365 * DAY)),
        fsync: Fsync::Never,
    };
    let old = "app-2026-11-21T11-59-59.000.jsonl";
    fs::write(folder.join(old), "old\n").unwrap();
    let transport = FileTransport::with_clock(settings, clock).unwrap();
    let send = |day: u64| {
        DAYS.store(day, Ordering::Relaxed);
        let block = block_of(&request(&[("scope".into(), vec![("x".into(), 9)])]), Codec::Gzip);
        assert_eq!(transport.send(&block).answer, Answer::Delivered { rejected_records: 0, warning: None });
        names(&folder)
    };
    assert_eq!(send(0), [old, "app.jsonl"]);
    assert_eq!(send(330), [old, "app.jsonl"]);
    assert_eq!(send(364), [old, "app.jsonl"]);
    // No new file starts here: the hour that passed is what makes it look.
    assert_eq!(send(365), ["app.jsonl"]);
}
