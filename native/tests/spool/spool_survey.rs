//! Stage 6: what people see of a directory without changing it, and how they remove one.

use crate::disks::SimDisk;
use fapilog_native::block::{Block, Codec};
use fapilog_native::spool::crypt::Keys;
use fapilog_native::spool::disk::{Disk, How};
use fapilog_native::spool::identity::Identity;
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::survey::{directories, purge, survey, Survey};
use fapilog_native::spool::{Exporters, Fsync, Root, Spool, SpoolSettings};
use proptest::collection::vec;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

const NAMES: [&str; 2] = ["otlp", "file"];
const DIRECTORY: &str = "shop-0000000000000007-100-1";
const BLOCKS: u64 = 9;

fn at() -> &'static Path {
    Path::new("/spool")
}

fn settings() -> SpoolSettings {
    let quota = Quota { max_bytes: u64::MAX, min_free_bytes: 0 };
    SpoolSettings { segment_bytes: 300, quota, max_age: None, fsync: Fsync::Never }
}

fn root(disk: &SimDisk) -> Root<SimDisk> {
    let process = disk.world().process;
    let identity = Identity { service: "shop".into(), boot: 7, process, started: 1 };
    Root::open(Arc::new(disk.clone()), at(), identity).unwrap()
}

/// A process that wrote blocks of 1, 2, 3... records.
fn alive() -> (SimDisk, Spool<SimDisk>) {
    let disk = SimDisk::new();
    let mut spool = root(&disk).create(&NAMES, settings(), Arc::new(Keys::none()), 1).unwrap();
    for id in 0..BLOCKS {
        let body = vec![id as u8; 20 + id as usize * 7];
        let (records, codec) = (id + 1, Codec::Gzip);
        let block = Block { sequence: id, records, protected_records: 0, raw_bytes: 500, codec, body };
        spool.append(&block, Exporters::first(2), 10 + id).unwrap();
    }
    (disk, spool)
}

fn dead() -> SimDisk {
    let (disk, spool) = alive();
    drop(spool);
    disk.restart();
    disk
}

fn segments(disk: &SimDisk) -> Vec<String> {
    disk.files().into_iter().map(|(path, _)| path).filter(|path| path.contains("/seg-")).collect()
}

fn look(disk: &SimDisk) -> Survey {
    survey(disk, at(), DIRECTORY, true).unwrap()
}

#[test]
fn what_waits_is_counted_for_whom_and_nothing_is_changed() {
    let (disk, mut spool) = alive();
    assert!(look(&disk).is_alive);
    spool.settle(0, 0).unwrap();
    drop(spool);
    disk.restart();
    let before = disk.deep_copy();
    let found = look(&disk);
    let all: u64 = (1..=BLOCKS).sum();
    let expected = Survey {
        bytes: disk.bytes_in(DIRECTORY),
        blocks: BLOCKS,
        records: all,
        owed: [("file".to_owned(), all), ("otlp".to_owned(), all - 1)].into(),
        written_nanos: Some((10, 9 + BLOCKS)),
        ..Survey::default()
    };
    assert_eq!(found, expected);
    assert_eq!(directories(&disk, at()).unwrap(), [DIRECTORY]);
    assert_eq!(disk.files(), before.files());
    assert!(disk.files().iter().all(|(path, _)| disk.content(path) == before.content(path)));
}

#[test]
fn a_missing_file_is_reported_with_the_blocks_that_were_in_it_at_most() {
    let disk = dead();
    let there = segments(&disk);
    assert!(there.len() > 4);
    let whole = look(&disk);
    disk.remove(&there[1]);
    let found = look(&disk);
    assert_eq!((found.missing_segments, found.lost_blocks), (1, whole.blocks - found.blocks));
    assert!(found.lost_blocks > 0);
    // A file that is done with is no loss.
    let disk = dead();
    let mut spool =
        root(&disk).adopt(DIRECTORY, &NAMES, settings(), Arc::new(Keys::none())).unwrap().unwrap();
    let second: Vec<u64> =
        spool.held().filter(|(place, _)| place.segment == 1).map(|(place, _)| place.number).collect();
    for number in second {
        (0..2).for_each(|exporter| spool.settle(exporter, number).unwrap());
    }
    drop(spool);
    assert_eq!(segments(&disk).len(), there.len() - 1);
    let found = look(&disk);
    assert_eq!((found.missing_segments, found.lost_blocks), (0, 0));
}

#[test]
fn damage_is_told_by_kind() {
    let disk = dead();
    let there = segments(&disk);
    // The last byte of a file is one of its last payload, or padding behind it: take one well inside.
    disk.alter(&there[0], |bytes| {
        let block = bytes.windows(4).position(|window| window == b"FSPB").unwrap();
        bytes[block + 64] ^= 0xff;
    });
    disk.alter(&there[1], |bytes| bytes.truncate(bytes.len() - 9));
    let found = look(&disk);
    assert_eq!((found.damaged_blocks, found.damaged_records), (1, 1));
    assert!(found.damage.torn_bytes > 0 && found.damage.torn_records > 0);
    assert_eq!(survey(&disk, at(), DIRECTORY, false).unwrap().damaged_blocks, 0, "not looked at");
    disk.remove(&format!("{DIRECTORY}/positions"));
    assert!(look(&disk).positions_lost);
}

#[test]
fn what_is_no_directory_of_a_spool_is_refused() {
    let disk = dead();
    for name in ["", "..", "shop", "../shop-0000000000000007-100-1", "shop-0000000000000007-101-1"] {
        assert!(survey(&disk, at(), name, false).is_err(), "{name}");
        assert!(purge(&disk, at(), name).is_err(), "{name}");
    }
    assert_eq!(disk.directories(), [DIRECTORY]);
}

#[test]
fn purge_removes_what_is_ours_and_never_what_a_process_holds() {
    let (disk, spool) = alive();
    let before = disk.files();
    assert!(!purge(&disk, at(), DIRECTORY).unwrap());
    assert_eq!(disk.files(), before);
    drop(spool);
    disk.restart();
    let dir = disk.open_dir(&disk.open_root(at()).unwrap(), DIRECTORY).unwrap();
    disk.open(&dir, "seg-0000000009.fspl.corrupt", How::CreateNew).unwrap();
    disk.open(&dir, "notes.txt", How::CreateNew).unwrap();
    // Somebody's file stays, and so does the directory.
    assert!(purge(&disk, at(), DIRECTORY).is_err());
    assert_eq!(disk.files(), [(format!("{DIRECTORY}/notes.txt"), 0)]);
    disk.remove(&format!("{DIRECTORY}/notes.txt"));
    assert!(purge(&disk, at(), DIRECTORY).unwrap());
    assert_eq!(disk.directories(), Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Whoever takes the directory over finds what was reported.
    #[test]
    fn a_look_and_a_recovery_agree_whatever_files_are_gone(gone in vec(any::<bool>(), 9)) {
        let disk = dead();
        for (path, _) in segments(&disk).iter().zip(gone).filter(|(_, gone)| *gone) {
            disk.remove(path);
        }
        let found = look(&disk);
        let spool = root(&disk).adopt(DIRECTORY, &NAMES, settings(), Arc::new(Keys::none())).unwrap().unwrap();
        let report = spool.report();
        prop_assert_eq!(
            (found.missing_segments, found.lost_blocks, found.blocks, found.records),
            (report.missing_segments, report.lost_blocks, report.blocks, report.records)
        );
    }
}
