//! The spool's files: a segment, its positions, and the directory of a dead process.

use super::changes;
use super::disks::SimDisk;
use fapilog_native::block::{Block, Codec};
use fapilog_native::spool::crypt::Keys;
use fapilog_native::spool::format::{checksum, BLOCK_HEADER_BYTES, BLOCK_MAGIC};
use fapilog_native::spool::identity::Identity;
use fapilog_native::spool::positions::{Positions, SLOT_BYTES};
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::recovery::scan;
use fapilog_native::spool::{Exporters, Fsync, Place, Root, SpoolSettings};
use std::path::Path;
use std::sync::{Arc, OnceLock};

const NAMES: [&str; 2] = ["otlp", "file"];
const DIRECTORY: &str = "shop-0000000000000007-100-1";
const SEGMENT: &str = "shop-0000000000000007-100-1/seg-0000000000.fspl";
const POSITIONS: &str = "shop-0000000000000007-100-1/positions";
const CHECKED_FROM: usize = 8;

fn settings() -> SpoolSettings {
    let quota = Quota { max_bytes: u64::MAX, min_free_bytes: 0 };
    SpoolSettings { segment_bytes: 700, quota, max_age: None, fsync: Fsync::Never }
}

fn root(disk: &SimDisk) -> Root<SimDisk> {
    let process = disk.world().process;
    let identity = Identity { service: "shop".into(), boot: 7, process, started: 1 };
    Root::open(Arc::new(disk.clone()), Path::new("/spool"), identity).unwrap()
}

/// What a process left that died with five blocks in two segments, one of them settled by one exporter.
fn dead() -> &'static SimDisk {
    static DEAD: OnceLock<SimDisk> = OnceLock::new();
    DEAD.get_or_init(|| {
        let disk = SimDisk::new();
        let mut spool = root(&disk).create(&NAMES, settings(), Arc::new(Keys::none()), 1).unwrap();
        for id in 0..5_u8 {
            let body = vec![id; 40 + usize::from(id) * 30];
            let (records, codec) = (u64::from(id) + 1, Codec::Gzip);
            let block =
                Block { sequence: u64::from(id), records, protected_records: 1, raw_bytes: 500, codec, body };
            spool.append(&block, Exporters::first(2), u64::from(id) + 2).unwrap();
        }
        spool.settle(0, 1).unwrap();
        drop(spool);
        disk.restart();
        disk
    })
}

/// Makes checksums right again where a header starts, so that what lies behind them is read too.
fn mend(bytes: &mut [u8], at: usize, length: usize) {
    let Some(part) = bytes.get_mut(at..at + length) else { return };
    let sum = checksum(&part[CHECKED_FROM..]);
    part[4..CHECKED_FROM].copy_from_slice(&sum.to_le_bytes());
}

fn mend_blocks(bytes: &mut [u8]) {
    for at in (0..bytes.len()).step_by(8) {
        if bytes[at..].starts_with(&BLOCK_MAGIC) {
            mend(bytes, at, BLOCK_HEADER_BYTES);
        }
    }
}

/// A segment: the first bit says whether checksums are mended.
pub fn scan_segment(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let mut bytes = rest.to_vec();
    if first & 1 == 1 {
        let header = bytes.get(12..16).map_or(0, |word| u32::from_le_bytes(word.try_into().unwrap()));
        mend(&mut bytes, 0, (header as usize).clamp(16, 4096));
        mend_blocks(&mut bytes);
    }
    let found = scan(bytes.as_slice(), None);
    assert!(found.end <= bytes.len() as u64);
    let mut end = 0;
    for one in &found.found {
        assert!(one.offset >= end, "blocks that overlap: {found:?}");
        end = one.header.end(one.offset);
        assert!(end <= bytes.len() as u64, "a block beyond the end: {found:?}");
    }
    let blocks: u64 = found.found.iter().map(|one| one.header.end(one.offset) - one.offset).sum();
    assert!(blocks + found.damage.corrupt_bytes + found.damage.torn_bytes <= bytes.len() as u64, "{found:?}");
    // What was said to be whole is whole alone, too.
    let again = scan(&bytes[..found.end as usize], found.salt);
    assert_eq!(again.found, found.found);
}

pub fn segments() -> Vec<Vec<u8>> {
    let segment = dead().content(SEGMENT);
    let with = |first: u8, bytes: &[u8]| [&[first], bytes].concat();
    vec![
        with(1, &segment),
        with(0, &segment),
        with(1, &segment[..segment.len() - 20]),
        with(1, &segment[64..]),
    ]
}

/// A slot of positions, with its checksum mended.
pub fn read_positions(data: &[u8]) {
    let mut slot = data.to_vec();
    slot.resize(SLOT_BYTES, 0);
    mend(&mut slot, 0, SLOT_BYTES);
    let Some((generation, positions)) = Positions::parse(&slot) else { return };
    let written = positions.encode(generation);
    let (again, read) = Positions::parse(&written).unwrap();
    assert_eq!(again, generation);
    assert_eq!((read.instance, read.first_segment), (positions.instance, positions.first_segment));
    // There may be more runs than are kept: then something is delivered twice, and nothing is taken for settled that was not.
    for (before, after) in positions.exporters.iter().zip(&read.exporters) {
        assert!(after.low <= before.low);
        for (start, end) in after.above.iter() {
            assert!(before.is_settled(start) && before.is_settled(end - 1), "{before:?} {after:?}");
        }
    }
}

pub fn positions() -> Vec<Vec<u8>> {
    let file = dead().content(POSITIONS);
    file.chunks(SLOT_BYTES).map(|slot| slot[..256.min(slot.len())].to_vec()).collect()
}

/// The directory of a dead process with changes: bits of the first byte say where they go, and whether checksums are mended.
pub fn reopen(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let disk = dead().deep_copy();
    let path = if first & 1 == 0 { SEGMENT } else { POSITIONS };
    disk.alter(path, |bytes| {
        changes::apply(rest, bytes);
        if first & 2 == 0 {
            return;
        }
        if path == SEGMENT {
            mend_blocks(bytes);
        } else {
            for at in (0..bytes.len()).step_by(SLOT_BYTES) {
                mend(bytes, at, SLOT_BYTES);
            }
        }
    });
    let adopted = root(&disk).adopt(DIRECTORY, &NAMES, settings(), Arc::new(Keys::none()));
    let Ok(Some(mut spool)) = adopted else { return };
    // A damaged name is one of an exporter that nobody here has: it may owe something too.
    let places: Vec<(Place, Exporters)> = spool.held().map(|(place, held)| (place, held.owed)).collect();
    for (place, owed) in &places {
        let _ = spool.read(*place);
        owed.iter().for_each(|exporter| spool.settle(exporter, place.number).unwrap());
    }
    assert_eq!(spool.held().count(), 0, "{places:?}");
    let _ = spool.close(9);
}

pub fn edits() -> Vec<Vec<u8>> {
    let with = |first: u8, change: Vec<u8>| [vec![first], change].concat();
    vec![
        with(0, Vec::new()),
        with(2, changes::put(80, &[7; 8])),
        with(0, changes::put(180, b"torn")),
        with(0, changes::cut(150)),
        with(3, changes::put(16, &[255; 8])),
        with(3, changes::put(60, &[9; 40])),
        with(1, changes::cut(0)),
    ]
}
