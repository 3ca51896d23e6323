//! Damage of every kind to the files of a dead process: nothing panics, every other block is there, every loss is told.
//!
//! Length reason: one list of what can happen to the files.

use crate::disks::{Faults, SimDisk};
use fapilog_native::block::{Block, Codec};
use fapilog_native::spool::crypt::Keys;
use fapilog_native::spool::disk::{Disk, How};
use fapilog_native::spool::format::{BlockHeader, SegmentHeader};
use fapilog_native::spool::identity::Identity;
use fapilog_native::spool::positions::{Position, Positions, SLOT_BYTES};
use fapilog_native::spool::positions_file::PositionsFile;
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::recovery::{scan, Damage, Scan, Source};
use fapilog_native::spool::{Exporters, Fsync, Place, Root, Spool, SpoolError, SpoolSettings};
use proptest::collection::vec;
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

const NAMES: [&str; 2] = ["otlp", "file"];
const SEGMENT: &str = "shop-0000000000000007-100-1/seg-0000000000.fspl";
const POSITIONS: &str = "shop-0000000000000007-100-1/positions";
const DIRECTORY: &str = "shop-0000000000000007-100-1";

fn settings(segment_bytes: u64) -> SpoolSettings {
    let quota = Quota { max_bytes: u64::MAX, min_free_bytes: 0 };
    SpoolSettings { segment_bytes, quota, max_age: None, fsync: Fsync::Never }
}

fn root(disk: &SimDisk) -> Root<SimDisk> {
    let process = disk.world().process;
    let identity = Identity { service: "shop".into(), boot: 7, process, started: 1 };
    Root::open(Arc::new(disk.clone()), Path::new("/spool"), identity).unwrap()
}

fn block(id: u64) -> Block {
    let body = vec![id as u8; 20 + id as usize * 7];
    Block {
        sequence: 100 + id,
        records: id + 1,
        protected_records: 1,
        raw_bytes: 500,
        codec: Codec::Gzip,
        body,
    }
}

/// A process that wrote `count` blocks, and died.
fn dead(count: u64, segment_bytes: u64) -> SimDisk {
    let disk = SimDisk::new();
    let mut spool = root(&disk).create(&NAMES, settings(segment_bytes), Arc::new(Keys::none()), 1).unwrap();
    for id in 0..count {
        spool.append(&block(id), Exporters::first(2), 10 + id).unwrap();
    }
    drop(spool);
    disk.restart();
    disk
}

fn adopt(disk: &SimDisk) -> Spool<SimDisk> {
    let adopted = root(disk).adopt(DIRECTORY, &NAMES, settings(1 << 20), Arc::new(Keys::none()));
    adopted.unwrap().unwrap()
}

/// Ids of the blocks that can be read; the others are settled.
fn salvage(spool: &mut Spool<SimDisk>) -> Vec<u64> {
    let places: Vec<Place> = spool.held().map(|(place, _)| place).collect();
    let mut found = Vec::new();
    for place in places {
        match spool.read(place) {
            Ok(read) => {
                let id = read.sequence - 100;
                assert_eq!(read, block(id));
                found.push(id);
            }
            Err(SpoolError::Corrupt { number, records }) => {
                assert_eq!(records, number + 1);
                let before = (0..2).map(|exporter| spool.pending_records(exporter)).sum::<u64>();
                spool.settle_all(&[(0, number), (1, number)]).unwrap();
                let after = (0..2).map(|exporter| spool.pending_records(exporter)).sum::<u64>();
                assert_eq!(before - after, 2 * records);
            }
            Err(error) => panic!("{error}"),
        }
    }
    found
}

#[test]
fn whatever_byte_of_a_segment_changes_every_other_block_is_there() {
    let whole = dead(5, 1 << 20).content(SEGMENT);
    for at in 0..whole.len() {
        let disk = dead(5, 1 << 20);
        disk.alter(SEGMENT, |bytes| bytes[at] ^= 0x41);
        let mut spool = adopt(&disk);
        let report = spool.report().clone();
        let found = salvage(&mut spool);
        assert!(found.len() >= 4, "byte {at}: {found:?}");
        let told =
            spool.report().damage.corrupt_bytes + spool.report().damage.torn_bytes > 0 || found.len() == 5;
        assert!(told || report.is_intact(), "byte {at}");
    }
}

#[test]
fn whatever_byte_of_the_positions_changes_every_block_is_there() {
    for at in 0..3 * SLOT_BYTES {
        let disk = dead(2, 1 << 20);
        disk.alter(POSITIONS, |bytes| bytes[at] ^= 0x41);
        assert_eq!(salvage(&mut adopt(&disk)), [0, 1]);
    }
}

#[test]
fn however_short_a_segment_is_cut_every_whole_block_is_there() {
    let whole = dead(4, 1 << 20).content(SEGMENT);
    let ends: Vec<usize> = scan(whole.as_slice(), None)
        .found
        .iter()
        .map(|found| found.header.end(found.offset) as usize)
        .collect();
    for length in 0..whole.len() {
        let disk = dead(4, 1 << 20);
        disk.alter(SEGMENT, |bytes| bytes.truncate(length));
        let mut spool = adopt(&disk);
        let whole_blocks = ends.iter().filter(|end| **end <= length).count() as u64;
        assert_eq!(salvage(&mut spool), (0..whole_blocks).collect::<Vec<_>>(), "cut at {length}");
        assert!(spool.report().is_intact(), "cut at {length}: the end of a killed process is no alarm");
        assert_eq!(spool.occupancy().bytes, disk.bytes_in(DIRECTORY), "cut at {length}");
    }
}

#[test]
fn a_torn_end_is_cut_off_and_its_records_are_told() {
    let disk = dead(2, 1 << 20);
    let length = disk.content(SEGMENT).len();
    disk.alter(SEGMENT, |bytes| bytes.truncate(length - 8));
    let spool = adopt(&disk);
    let expected = Damage { torn_bytes: 4 + 64 + 32 - 8, torn_records: 2, ..Damage::default() };
    assert_eq!(spool.report().damage, expected);
    assert_eq!(disk.content(SEGMENT).len() as u64, spool.occupancy().bytes - 3 * SLOT_BYTES as u64);
    assert_eq!((spool.report().blocks, spool.report().records), (1, 1));
}

#[test]
fn zeros_at_the_end_are_cut_off() {
    let disk = dead(2, 1 << 20);
    let before = disk.content(SEGMENT);
    disk.alter(SEGMENT, |bytes| bytes.extend_from_slice(&[0; 5_000]));
    let mut spool = adopt(&disk);
    assert_eq!(salvage(&mut spool), [0, 1]);
    assert!(before.len() - disk.content(SEGMENT).len() < 8);
}

#[test]
fn a_missing_segment_is_counted_once_and_nobody_waits_for_it() {
    let disk = dead(9, 300);
    let segments = disk.files().iter().filter(|(path, _)| path.contains("/seg-")).count();
    assert!(segments > 4);
    disk.remove(&SEGMENT.replace("0000.fspl", "0001.fspl"));
    let mut spool = adopt(&disk);
    assert_eq!(spool.report().missing_segments, 1);
    let lost = spool.report().lost_blocks;
    assert!(lost > 0);
    assert_eq!(salvage(&mut spool).len() as u64, 9 - lost);
    // It is told once.
    drop(spool);
    disk.restart();
    assert!(adopt(&disk).report().is_intact());
}

#[test]
fn a_missing_segment_that_was_settled_is_normal() {
    let disk = SimDisk::new();
    let mut spool = root(&disk).create(&NAMES, settings(300), Arc::new(Keys::none()), 1).unwrap();
    for id in 0..9 {
        spool.append(&block(id), Exporters::first(1), 10).unwrap();
    }
    let middle: Vec<u64> =
        spool.held().filter(|(place, _)| place.segment == 1).map(|(place, _)| place.number).collect();
    for number in &middle {
        spool.settle(0, *number).unwrap();
    }
    drop(spool);
    disk.restart();
    assert!(!disk.files().iter().any(|(path, _)| path.contains("/seg-0000000001")));
    let spool = adopt(&disk);
    assert!(spool.report().is_intact(), "{:?}", spool.report());
    assert_eq!(spool.report().blocks, 9 - middle.len() as u64);
}

#[test]
fn a_copy_of_a_segment_is_counted_as_damage_and_delivered_once() {
    let disk = dead(2, 1 << 20);
    let content = disk.content(SEGMENT);
    put(&disk, "seg-0000000001.fspl", &content);
    let mut spool = adopt(&disk);
    assert_eq!((spool.report().blocks, spool.report().damage.corrupt_places), (2, 2));
    assert!(!spool.report().is_intact());
    assert_eq!(salvage(&mut spool), [0, 1]);
    assert_eq!(spool.occupancy().bytes, disk.bytes_in(DIRECTORY), "what nobody needs is unlinked");
}

fn put(disk: &SimDisk, name: &str, content: &[u8]) {
    let dir = disk.open_dir(&disk.open_root(Path::new("/")).unwrap(), DIRECTORY).unwrap();
    let file = disk.open(&dir, name, How::CreateNew).unwrap();
    disk.write_at(&file, 0, content).unwrap();
}

#[test]
fn a_file_number_from_nowhere_costs_no_time() {
    let disk = dead(1, 1 << 20);
    let content = disk.content(SEGMENT);
    let adopted = adopt(&disk);
    drop(adopted);
    disk.restart();
    put(&disk, "seg-4294967295.fspl", &content);
    let before = disk.world().operations;
    let spool = adopt(&disk);
    assert!(disk.world().operations - before < 100);
    assert_eq!(spool.report().missing_segments, u64::from(u32::MAX) - 1);
}

#[test]
fn a_file_without_any_block_is_set_aside_once() {
    let disk = dead(3, 1 << 20);
    disk.alter(SEGMENT, |bytes| bytes.iter_mut().for_each(|byte| *byte ^= 0x55));
    let spool = adopt(&disk);
    assert_eq!(spool.report().renamed, ["seg-0000000000.fspl"]);
    drop(spool);
    disk.restart();
    let spool = adopt(&disk);
    assert!(spool.report().is_intact(), "{:?}", spool.report());
    assert_eq!(spool.occupancy().bytes, disk.bytes_in(DIRECTORY));
    assert!(disk.files().iter().any(|(path, _)| path.contains(".fspl.corrupt")));
    // It goes when it is too old, and then the directory does.
    let mut spool = spool;
    drop_aside(&mut spool);
    assert!(spool.close(20).unwrap());
    assert!(disk.directories().is_empty());
}

fn drop_aside(spool: &mut Spool<SimDisk>) {
    assert!(spool.drop_oldest().is_empty());
    assert_eq!(spool.occupancy().bytes, 3 * SLOT_BYTES as u64);
}

#[test]
fn a_file_that_the_disk_cannot_read_is_set_aside_and_the_others_are_read() {
    let disk = dead(9, 300);
    let count = dead(9, 300);
    let before = count.world().operations;
    drop(adopt(&count));
    let steps = count.world().operations - before;
    let mut aside = 0;
    for step in 0..steps {
        let disk = dead(9, 300);
        // One operation fails, each in its turn.
        let own = Arc::new(disk.clone());
        let identity = Identity { service: "shop".into(), boot: 7, process: 101, started: 1 };
        let root = Root::open(own, Path::new("/spool"), identity).unwrap();
        disk.world().faults = Faults { failing: 1, failing_after: step as u32, ..Faults::default() };
        let adopted = root.adopt(DIRECTORY, &NAMES, settings(1 << 20), Arc::new(Keys::none()));
        disk.world().faults = Faults::default();
        let Ok(Some(mut spool)) = adopted else { continue };
        let found = salvage(&mut spool).len() as u64;
        let report = spool.report();
        aside += report.renamed.len();
        assert!(found == 9 || !report.is_intact(), "operation {step}: {report:?}");
        assert!(found >= 5, "operation {step}: {found}");
    }
    assert!(aside > 0);
    drop(disk);
}

#[test]
fn a_file_of_another_version_is_left_alone() {
    let disk = dead(2, 1 << 20);
    disk.alter(SEGMENT, |bytes| {
        bytes[8] = 9;
        let length = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
        let checksum = fapilog_native::spool::format::checksum(&bytes[8..length]);
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
    });
    let before = disk.content(SEGMENT);
    let spool = adopt(&disk);
    assert_eq!((spool.report().other_versions, spool.report().blocks), (1, 0));
    assert!(!spool.close(20).unwrap());
    assert_eq!(disk.content(SEGMENT), before);
}

#[test]
fn without_positions_the_segments_say_who_the_exporters_were() {
    let disk = dead(2, 1 << 20);
    disk.remove(POSITIONS);
    let root = root(&disk);
    let spool =
        root.adopt(DIRECTORY, &["other"], settings(1 << 20), Arc::new(Keys::none())).unwrap().unwrap();
    assert_eq!(spool.exporters().collect::<Vec<_>>(), NAMES);
    assert!(spool.report().positions_lost);
    assert_eq!(spool.pending_records(1), 3);
}

#[test]
fn without_any_name_the_exporters_of_the_adopter_get_all() {
    let disk = dead(2, 1 << 20);
    disk.remove(POSITIONS);
    disk.alter(SEGMENT, |bytes| bytes[0] ^= 1);
    for names in [["new", "newer"], ["new", "newest"]] {
        // The second adopter stands where the first one stood.
        let spool =
            root(&disk).adopt(DIRECTORY, &names, settings(1 << 20), Arc::new(Keys::none())).unwrap().unwrap();
        let mut exporters: Vec<&str> = spool.exporters().collect();
        exporters.truncate(2);
        assert_eq!(exporters, ["new", "newer"]);
        assert_eq!((spool.pending_records(0), spool.pending_records(1)), (3, 3));
        drop(spool);
        disk.restart();
    }
}

#[test]
fn a_block_inside_of_a_payload_is_no_block() {
    // Somebody logs the bytes of a spool, and the header before them is damaged.
    let header = |salt, number, payload: &[u8]| BlockHeader {
        number,
        sequence: 0,
        written_nanos: 1,
        raw_bytes: 1,
        payload_bytes: payload.len() as u32,
        records: 1,
        protected_records: 0,
        payload_checksum: fapilog_native::spool::format::checksum(payload),
        exporters: Exporters::first(1),
        codec: 0,
        flags: 0,
        key_id: 0,
        salt,
    };
    let segment = SegmentHeader {
        instance: *b"secret-16-bytes.",
        boot: 0,
        segment: 0,
        first_number: 0,
        created_nanos: 0,
        exporters: vec!["otlp".into()],
    };
    let logged = header(0x1234_5678, 7, b"").encode();
    let mut bytes = segment.encode();
    let damaged = bytes.len();
    bytes.extend_from_slice(&header(segment.salt(), 0, &logged).encode());
    bytes.extend_from_slice(&logged);
    bytes.extend_from_slice(&header(segment.salt(), 1, b"").encode());
    bytes[damaged + 20] ^= 1;
    let found = scan(bytes.as_slice(), None);
    assert_eq!(found.found.iter().map(|found| found.header.number).collect::<Vec<_>>(), [1]);
    assert_eq!((found.damage.corrupt_bytes, found.damage.corrupt_places), (128, 1));
}

#[test]
fn blocks_that_changed_places_are_noticed() {
    let body = |value: u8| Block { body: vec![value; 80], ..block(0) };
    let disk = SimDisk::new();
    let mut spool = root(&disk).create(&NAMES, settings(1 << 20), Arc::new(Keys::none()), 1).unwrap();
    let places = [1, 2].map(|value| spool.append(&body(value), Exporters::first(1), 1).unwrap());
    disk.alter(SEGMENT, |bytes| {
        let (one, two) = bytes[places[0].offset as usize..].split_at_mut(144);
        one.swap_with_slice(two);
    });
    for place in places {
        assert!(matches!(spool.read(place), Err(SpoolError::Corrupt { .. })));
    }
}

/// Bytes of which some pages cannot be read.
struct Failing {
    bytes: Vec<u8>,
    pages: std::ops::Range<usize>,
    reads: std::cell::Cell<u32>,
}

impl Source for Failing {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.reads.set(self.reads.get() + 1);
        let start = offset as usize;
        let end = (start + buffer.len()).min(self.bytes.len());
        if start < self.pages.end * 4096 && end > self.pages.start * 4096 {
            return Err(std::io::Error::from_raw_os_error(libc::EIO));
        }
        self.bytes.as_slice().read(offset, buffer)
    }
}

#[test]
fn what_the_disk_cannot_read_is_passed_over_and_a_dead_disk_is_given_up() {
    let disk = SimDisk::new();
    let mut spool = root(&disk).create(&NAMES, settings(1 << 20), Arc::new(Keys::none()), 1).unwrap();
    for id in 0..200 {
        spool.append(&block(id), Exporters::first(1), 1).unwrap();
    }
    let bytes = disk.content(SEGMENT);
    let all = bytes.len() / 4096 + 1;
    let source = |pages| Failing { bytes: bytes.clone(), pages, reads: 0.into() };
    let found = scan(&source(2..4), None);
    assert!((1..20).contains(&found.damage.read_errors), "{:?}", found.damage);
    let numbers: Vec<u64> = found.found.iter().map(|found| found.header.number).collect();
    assert_eq!((numbers.first(), numbers.last()), (Some(&0), Some(&199)));
    assert!(numbers.len() > 150, "{}", numbers.len());
    let dead = source(0..all);
    let found = scan(&dead, None);
    assert!(found.found.is_empty());
    assert!(all > 30 && dead.reads.get() < 30, "{} reads", dead.reads.get());
}

#[test]
fn a_length_beyond_the_end_is_torn_only_at_the_end() {
    let disk = dead(3, 1 << 20);
    let mut bytes = disk.content(SEGMENT);
    let found = scan(bytes.as_slice(), None).found;
    let (middle, last) = (found[1], found[2]);
    let longer = BlockHeader { payload_bytes: 1 << 20, ..middle.header }.encode();
    bytes[middle.offset as usize..][..64].copy_from_slice(&longer);
    let found = scan(bytes.as_slice(), None);
    assert_eq!(found.found.iter().map(|found| found.offset).collect::<Vec<_>>()[1..], [last.offset]);
    assert_eq!((found.damage.torn_records, found.damage.torn_bytes, found.damage.corrupt_places), (0, 0, 1));
}

#[test]
fn positions_survive_torn_writes_and_a_loss_of_power() {
    let disk = SimDisk::new();
    let dir = disk.create_dir(&disk.open_root(Path::new("/")).unwrap(), "d").unwrap();
    let at = |low| Positions {
        exporters: vec![Position { name: "otlp".into(), low, ..Position::default() }],
        ..Positions::default()
    };
    let mut file = PositionsFile::create(&disk, &dir, &at(1)).unwrap();
    let read = || PositionsFile::peek(&disk, &dir).unwrap();
    for low in 2..9 {
        file.write(&disk, &at(low)).unwrap();
        assert_eq!(read(), Some(at(low)));
        // The slot just written may be torn by the end of the process: the one before it counts.
        let whole = disk.content("d/positions");
        let newest = (0..3)
            .max_by_key(|slot| Positions::parse(&whole[slot * SLOT_BYTES..]).map(|found| found.0))
            .unwrap();
        disk.alter("d/positions", |bytes| bytes[newest * SLOT_BYTES + 50] ^= 1);
        assert_eq!(read(), Some(at(low - 1)));
        disk.alter("d/positions", |bytes| bytes.clone_from(&whole));
        // Both that were not forced to the disk may be torn by a loss of power.
        if low == 5 {
            file.sync(&disk).unwrap();
        }
        let synced = if low < 5 { 1 } else { 5 };
        let slots: Vec<Option<Positions>> =
            (0..3).map(|slot| Positions::parse(&whole[slot * SLOT_BYTES..]).map(|found| found.1)).collect();
        assert!(slots.contains(&Some(at(synced))), "the forced slot was written over at {low}");
    }
}

#[test]
fn a_failed_write_of_positions_leaves_no_twin() {
    let disk = SimDisk::new();
    let dir = disk.create_dir(&disk.open_root(Path::new("/")).unwrap(), "d").unwrap();
    let at = |low| Positions {
        exporters: vec![Position { name: "otlp".into(), low, ..Position::default() }],
        ..Positions::default()
    };
    for tries in 0..50 {
        let mut file = PositionsFile::create(&disk, &dir, &at(1)).unwrap();
        file.write(&disk, &at(2)).unwrap();
        // It may be written as a whole and fail all the same; how much of it is, changes from try to try.
        disk.world().faults.failing = 1;
        assert!(file.write(&disk, &at(3)).is_err());
        file.sync(&disk).unwrap();
        file.write(&disk, &at(4 + tries)).unwrap();
        assert_eq!(PositionsFile::peek(&disk, &dir).unwrap(), Some(at(4 + tries)));
    }
}

fn valid(scan: &Scan, length: u64) -> bool {
    let mut end = 0;
    scan.found.windows(2).all(|pair| pair[0].header.number < pair[1].header.number)
        && scan.found.iter().all(|found| {
            let fits = found.offset >= end && found.offset % 8 == 0;
            end = found.header.end(found.offset);
            fits && end <= length
        })
        && scan.end <= length
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_looked_through_without_harm(bytes in vec(any::<u8>(), 0..3000), salt in any::<Option<u32>>()) {
        let found = scan(bytes.as_slice(), salt);
        prop_assert!(valid(&found, bytes.len() as u64));
    }

    #[test]
    fn any_mutilation_of_a_segment_is_survived(
        cuts in vec((0..4u8, any::<usize>(), any::<usize>(), any::<u8>()), 1..8),
    ) {
        let disk = dead(6, 1 << 20);
        let mut length = 0;
        disk.alter(SEGMENT, |bytes| {
            for (kind, one, two, value) in cuts {
                if bytes.is_empty() {
                    break;
                }
                let (one, two) = (one % bytes.len(), two % bytes.len());
                let range = one.min(two)..one.max(two);
                match kind {
                    0 => bytes[one] = value,
                    1 => bytes[range].fill(value),
                    2 => drop(bytes.drain(range)),
                    _ => {
                        let copy = bytes[range].to_vec();
                        bytes.splice(one..one, copy);
                    }
                }
            }
            length = bytes.len();
        });
        let found = scan(disk.content(SEGMENT).as_slice(), None);
        prop_assert!(valid(&found, length as u64));
        let before = disk.world().operations;
        let mut spool = adopt(&disk);
        let found = salvage(&mut spool);
        prop_assert!(disk.world().operations - before < 1_000);
        prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", found);
        prop_assert_eq!(spool.occupancy().bytes, disk.bytes_in(DIRECTORY));
    }
}
