//! What the tests of the crash ring share: folders, settings, records with an id, and reading the ids back.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)] // Not every test uses everything; a test may fail.

use fapilog_native::buffer::chunk::SCOPE_MARK;
use fapilog_native::ring::{recover, Owner, Recovered, RecoveredChunk, Ring, Settings, Slot};
use fapilog_native::wire::{get_varint, put_bytes, Fields, Value};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub const BOOT: u64 = 0x00c0_ffee;
pub const MARK: usize = 5;

/// A folder of this test alone, empty, on a disk.
pub fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ring").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub fn settings(directory: &Path) -> Settings {
    Settings {
        directory: directory.to_owned(),
        name: "shop-0000000000c0ffee-1-2".to_owned(),
        owner: Owner { boot: BOOT, process: 1, started: 2 },
        slots: 3,
        slot_bytes: 4096,
        side_bytes: 4096,
        durable: false,
    }
}

/// A frame of a record that says its id in its time, with a text of any length.
pub fn frame(id: u64, text: &str) -> Vec<u8> {
    let mut body = Vec::new();
    put_bytes(&mut body, 0x0a, text.as_bytes());
    let mut attribute = vec![0x0a, 1, b'k', 0x12, 2, 0x18];
    attribute.push((id % 100) as u8);
    let mut record = vec![0x09];
    record.extend_from_slice(&id.to_le_bytes());
    record.extend_from_slice(&[0x10, 9]);
    put_bytes(&mut record, 0x2a, &body);
    put_bytes(&mut record, 0x32, &attribute);
    let mut frame = Vec::new();
    put_bytes(&mut frame, 0x12, &record);
    frame
}

pub fn mark(scope: u32) -> Vec<u8> {
    let mut mark = vec![SCOPE_MARK];
    mark.extend_from_slice(&scope.to_le_bytes());
    mark
}

/// A slot with a scope's mark staged.
pub fn open_slot(ring: &Ring, first: u64, scope: u32) -> Option<Slot> {
    let mut slot = ring.take_slot(first)?;
    assert!(slot.stage(&mark(scope)));
    Some(slot)
}

/// Scopes and frames in a chunk, in order.
pub fn frames(chunk: &RecoveredChunk) -> Vec<(u32, Vec<u8>)> {
    let (bytes, mut at, mut scope, mut found) = (&chunk.bytes, 0, None, Vec::new());
    while at < bytes.len() {
        if bytes[at] == SCOPE_MARK {
            scope = Some(u32::from_le_bytes(bytes[at + 1..at + MARK].try_into().unwrap()));
            at += MARK;
            continue;
        }
        let start = at;
        at += 1;
        let length = get_varint(bytes, &mut at).unwrap();
        at += length as usize;
        found.push((scope.unwrap(), bytes[start..at].to_vec()));
    }
    assert_eq!(found.len() as u64, chunk.records);
    found
}

/// The id that [`frame`] put in.
pub fn id(frame: &[u8]) -> u64 {
    let mut at = 1;
    get_varint(frame, &mut at).unwrap();
    match Fields::new(&frame[at..]).next() {
        Some((1, Value::Fixed64(id))) => id,
        other => panic!("{other:?} is not the time"),
    }
}

pub fn ids(found: &mut Recovered) -> Vec<u64> {
    let chunks = found.take_chunks();
    chunks.iter().flat_map(frames).map(|(_, frame)| id(&frame)).collect()
}

/// Recovers what nobody holds. Another test that starts a process holds all our locks for a moment, between fork and exec.
pub fn recover_soon(path: &Path, boot: u64) -> Recovered {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = recover(path, boot).unwrap() {
            return found;
        }
        assert!(Instant::now() < deadline, "the lock outlives its holders, or {} is gone", path.display());
        std::thread::yield_now();
    }
}
