//! The crash ring's file: frames, the side area, and a whole ring.

use super::changes;
use fapilog_native::buffer::chunk::SCOPE_MARK;
use fapilog_native::ring::frames::salvage;
use fapilog_native::ring::{recover, side, Owner, Ring, Settings};
use fapilog_native::wire::put_bytes;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::OnceLock;

const BOOT: u64 = 0x00c0_ffee;

fn frame(id: u8) -> Vec<u8> {
    let mut record = vec![0x09, id, 0, 0, 0, 0, 0, 0, 0, 0x10, 9];
    put_bytes(&mut record, 0x2a, &[0x0a, 2, b'h', b'i']);
    let mut frame = Vec::new();
    put_bytes(&mut frame, 0x12, &record);
    frame
}

fn mark(scope: u8) -> Vec<u8> {
    vec![SCOPE_MARK, scope, 0, 0, 0]
}

/// A chunk: the first byte is the number of records that should be there.
pub fn salvage_chunk(data: &[u8]) {
    let Some((expected, chunk)) = data.split_first() else { return };
    let found = salvage(chunk, u64::from(*expected));
    // A mark is written anew where the scope is not known: five bytes for each stretch of damage, at most.
    assert!(found.bytes.len() as u64 <= chunk.len() as u64 + 5 * (found.damaged_bytes + 1), "{found:?}");
    assert!(found.unknown_scope_records <= found.records);
    let again = salvage(&found.bytes, found.records);
    let (bytes, records, damaged) = (again.bytes, again.records, again.damaged_bytes);
    assert_eq!((bytes, records, damaged), (found.bytes, found.records, 0));
}

pub fn chunks() -> Vec<Vec<u8>> {
    let whole = [vec![3], mark(0), frame(1), frame(2), mark(1), frame(3)].concat();
    let damaged = [vec![3], mark(0), frame(1), vec![0xff; 7], frame(2), frame(3), frame(4)].concat();
    vec![whole.clone(), damaged, whole[..whole.len() - 4].to_vec()]
}

/// The area of scopes and resources.
pub fn read_side(data: &[u8]) {
    let found = side::read(data);
    let kept: usize = found.scopes.values().chain(found.resources.values()).map(Vec::len).sum();
    assert!(kept + found.damaged_bytes as usize <= data.len(), "{found:?}");
}

pub fn sides() -> Vec<Vec<u8>> {
    let entries = [
        side::entry(side::Kind::Resource, 0, b"service"),
        side::entry(side::Kind::Scope, 0, b"orders"),
        side::entry(side::Kind::Scope, 1, b"payments"),
    ];
    let whole = entries.concat();
    vec![[&whole[..], &[0; 32]].concat(), whole[..whole.len() - 3].to_vec(), whole]
}

/// A folder on a disk: in memory, checkpoints would not be looked at.
fn place() -> PathBuf {
    let folder = format!("{}/target/fuzz-{}", env!("CARGO_MANIFEST_DIR"), std::process::id());
    fs::create_dir_all(&folder).unwrap();
    folder.into()
}

/// The file of a process that died with records in two slots and a checkpoint.
fn whole_ring() -> &'static (PathBuf, Vec<u8>) {
    static RING: OnceLock<(PathBuf, Vec<u8>)> = OnceLock::new();
    RING.get_or_init(|| {
        let settings = Settings {
            directory: place(),
            name: "shop-0000000000c0ffee-1-2".to_owned(),
            owner: Owner { boot: BOOT, process: 1, started: 2 },
            slots: 2,
            slot_bytes: 4096,
            side_bytes: 4096,
            durable: true,
        };
        let ring = Ring::create(&settings).unwrap();
        ring.define_resource(b"resource").unwrap();
        ring.define_scope(0, b"scope").unwrap();
        let mut slots = Vec::new();
        for first in [1, 4] {
            let mut slot = ring.take_slot(first).unwrap();
            assert!(slot.stage(&mark(0)));
            for id in 0..3 {
                assert!(slot.append(&frame(id), id == 1));
            }
            slots.push(slot);
        }
        ring.checkpoint().unwrap();
        drop((slots, ring));
        let bytes = fs::read(settings.path()).unwrap();
        fs::remove_file(settings.path()).unwrap();
        let _ = fs::remove_dir(&settings.directory);
        (settings.path(), bytes)
    })
}

/// A ring with changes; the first byte says in which boot it is found and whether the file's header is mended.
pub fn recover_file(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let (path, whole) = whole_ring();
    let mut bytes = whole.clone();
    changes::apply(rest, &mut bytes);
    if first & 2 == 2 && bytes.len() > 64 {
        let checksum = crc32fast::hash(&bytes[12..64]);
        bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
    }
    place();
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(&bytes).unwrap();
    drop(file);
    let boot = BOOT + u64::from(first & 1);
    if let Ok(Some(mut found)) = recover(path, boot) {
        let report = found.report();
        let chunks = found.take_chunks();
        assert_eq!(chunks.iter().map(|chunk| chunk.records).sum::<u64>(), report.records);
        for chunk in chunks {
            assert!(chunk.protected_records <= chunk.records);
            let again = salvage(&chunk.bytes, chunk.records);
            assert_eq!((again.records, again.damaged_bytes), (chunk.records, 0));
        }
        found.remove().unwrap();
    }
    // One of another version stays, one with a damaged header is set aside.
    let _ = fs::remove_dir_all(path.parent().unwrap());
}

pub fn edits() -> Vec<Vec<u8>> {
    let with = |first: u8, change: Vec<u8>| [vec![first], change].concat();
    vec![
        with(0, Vec::new()),
        with(1, Vec::new()),
        with(0, changes::put(0, b"not a ring")),
        with(2, changes::put(28, &[255, 255, 255, 255])),
        with(0, changes::put(4096 + 16, &[255; 8])),
        with(1, changes::put(8192, &[1; 16])),
        with(0, changes::cut(5000)),
    ]
}
