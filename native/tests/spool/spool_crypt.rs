//! Encrypted blocks: read with their keys only, kept without them, bound to their headers.

use crate::disks::SimDisk;
use fapilog_native::block::{Block, Codec};
use fapilog_native::spool::crypt::Keys;
use fapilog_native::spool::error::Unreadable;
use fapilog_native::spool::identity::Identity;
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::{Exporters, Fsync, Root, SpoolError, SpoolSettings};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

fn settings() -> SpoolSettings {
    let quota = Quota { max_bytes: u64::MAX, min_free_bytes: 0 };
    SpoolSettings { segment_bytes: 1 << 20, quota, max_age: None, fsync: Fsync::Never }
}

fn root(disk: &SimDisk) -> Root<SimDisk> {
    Root::open(Arc::new(disk.clone()), Path::new("/spool"), identity(disk)).unwrap()
}

fn identity(disk: &SimDisk) -> Identity {
    Identity { service: "shop".into(), boot: 7, process: disk.world().process, started: 1 }
}

fn block(id: u64, size: usize) -> Block {
    let body = vec![id as u8; size];
    Block { sequence: id, records: 10, protected_records: 1, raw_bytes: 4 * size, codec: Codec::Zstd, body }
}

fn keys(current: Option<u32>, ids: &[u32]) -> Arc<Keys> {
    let keys: Vec<(u32, Vec<u8>)> = ids.iter().map(|id| (*id, vec![*id as u8; 32])).collect();
    Arc::new(Keys::new(current, &keys).unwrap())
}

#[test]
fn encrypted_blocks_are_read_with_their_keys_only_and_wait_for_them() {
    let disk = SimDisk::new();
    for key in [1, 2] {
        let root = root(&disk);
        let mut spool = root.create(&["otlp"], settings(), keys(Some(key), &[1, 2]), SECOND).unwrap();
        let secret = Block { body: b"a secret of many bytes".to_vec(), ..block(0, 0) };
        let places = [(); 2].map(|()| spool.append(&secret, Exporters::first(1), SECOND).unwrap());
        assert_eq!(places.map(|place| spool.read(place).unwrap()), [secret.clone(), secret]);
        drop(spool);
        disk.restart();
    }
    let all: Vec<u8> = disk.files().iter().flat_map(|(path, _)| disk.content(path)).collect();
    assert!(!all.windows(8).any(|window| window == b"a secret"));
    let root = root(&disk);
    let names = root.siblings().unwrap();
    let adopt = |name: &str, keys| root.adopt(name, &[], settings(), keys).unwrap().unwrap();
    // Rotation: the new key encrypts, the old one still reads.
    let rotated = adopt(&names[0], keys(Some(2), &[1, 2]));
    let place = rotated.held().next().unwrap().0;
    assert_eq!(rotated.read(place).unwrap().body, b"a secret of many bytes");
    drop(rotated);
    // Without it: the blocks wait.
    let blind = adopt(&names[0], keys(None, &[2]));
    assert_eq!((blind.report().blocks, blind.report().unreadable_records), (2, 20));
    assert!(blind.held().all(|(_, held)| !held.readable));
    let error = blind.read(place).unwrap_err();
    assert!(matches!(error, SpoolError::Unreadable { why: Unreadable::UnknownKey(1), .. }), "{error}");
    assert!(!blind.close(SECOND).unwrap());
    // Until they are too old; then every record is answered for.
    let max_age = Some(Duration::from_secs(60));
    let copy = disk.deep_copy();
    let aged = Root::open(Arc::new(copy.clone()), Path::new("/spool"), identity(&copy)).unwrap();
    let aged = aged.adopt(&names[0], &[], SpoolSettings { max_age, ..settings() }, keys(None, &[2]));
    let mut aged = aged.unwrap().unwrap();
    assert_eq!(aged.expire(61 * SECOND), []);
    assert_eq!(aged.expire(62 * SECOND).iter().map(|loss| loss.records).sum::<u64>(), 20);
    assert!(aged.close(62 * SECOND).unwrap());
    // With another key under the same id: as well.
    let wrong = Arc::new(Keys::new(None, &[(1, vec![9; 32])]).unwrap());
    let error = adopt(&names[0], wrong).read(place).unwrap_err();
    assert!(matches!(error, SpoolError::Unreadable { why: Unreadable::WrongKey(1), .. }), "{error}");
}

#[test]
fn no_nonce_and_no_ciphertext_comes_twice() {
    let disk = SimDisk::new();
    let mut nonces = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let mut spool = root(&disk).create(&["otlp"], settings(), keys(Some(1), &[1]), SECOND).unwrap();
        let name = spool.name().to_owned();
        let places = [(); 20].map(|()| spool.append(&block(0, 50), Exporters::first(1), SECOND).unwrap());
        let content = disk.content(&format!("{name}/seg-0000000000.fspl"));
        for place in places {
            let start = usize::try_from(place.offset).unwrap() + 64;
            assert!(nonces.insert(content[start..start + 12].to_vec()));
        }
        drop(spool);
        disk.restart();
    }
    assert_eq!(nonces.len(), 60);
}

#[test]
fn a_changed_header_does_not_pass_the_key_even_with_fresh_checksums() {
    let disk = SimDisk::new();
    let mut spool = root(&disk).create(&["otlp"], settings(), keys(Some(1), &[1]), SECOND).unwrap();
    let place = spool.append(&block(0, 50), Exporters::first(1), SECOND).unwrap();
    let path = format!("{}/seg-0000000000.fspl", spool.name());
    disk.alter(&path, |bytes| {
        let start = usize::try_from(place.offset).unwrap();
        let header = &mut bytes[start..start + 64];
        header[40] ^= 1; // How many records are inside.
        let checksum = fapilog_native::spool::format::checksum(&header[8..]);
        header[4..8].copy_from_slice(&checksum.to_le_bytes());
    });
    assert!(matches!(spool.read(place), Err(SpoolError::Unreadable { why: Unreadable::WrongKey(1), .. })));
}

#[test]
fn keys_that_cannot_be_used_are_refused() {
    let refused = |current, keys: &[(u32, Vec<u8>)]| Keys::new(current, keys).unwrap_err().to_string();
    assert_eq!(refused(None, &[(1, vec![0; 16])]), "spool key 1 has 16 bytes; give 32 random ones");
    assert_eq!(
        refused(None, &[(1, vec![0; 32]), (1, vec![1; 32])]),
        "spool key 1 is given twice; give each key its own id"
    );
    assert_eq!(
        refused(Some(2), &[(1, vec![0; 32])]),
        "the current spool key 2 is not among the keys; add it"
    );
    let shown = format!("{:?}", Keys::new(Some(1), &[(1, vec![77; 32])]).unwrap());
    assert!(!shown.contains("77"), "{shown}");
}
