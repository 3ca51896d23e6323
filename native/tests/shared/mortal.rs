//! A process of the model of durability: buffer, crash ring, backlog and spool, and what it leaves when it dies.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may fail.

use crate::disks::SimDisk;
use crate::rings::{folder, frames, id};
use fapilog_native::backlog::shelf::Shelf;
use fapilog_native::backlog::Backlog;
use fapilog_native::block::{Block, Codec};
use fapilog_native::crash_ring::keep::Keep;
use fapilog_native::ledger::DropReason;
use fapilog_native::ring::{place, Owner, RecoveredChunk, Ring, Settings, Slot};
use fapilog_native::settings::{BufferSettings, Overflow, SpoolingSettings};
use fapilog_native::spool::crypt::Keys;
use fapilog_native::spool::identity::Identity;
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::{Fsync, SpoolSettings};
use fapilog_native::spooling::opening::OPEN_LIMIT;
use fapilog_native::spooling::spooler::Spooler;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub const NAMES: [&str; 2] = ["otlp", "file"];
/// Chunks that a ring holds.
const SLOTS: u32 = 5;

/// Ring files by path.
pub type Images = BTreeMap<PathBuf, Vec<u8>>;

pub fn images(folder: &Path) -> Images {
    let paths = place::rings_in(folder).unwrap();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

pub fn restore(folder: &Path, images: &Images) {
    for path in place::rings_in(folder).unwrap() {
        if !images.contains_key(&path) {
            fs::remove_file(path).unwrap();
        }
    }
    for (path, content) in images {
        // Not cut first: file systems force such a file to the disk when it is closed.
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).unwrap();
        file.write_all_at(content, 0).unwrap();
        file.set_len(content.len() as u64).unwrap();
    }
}

/// A folder of this process and one test: in memory, where no disk is waited for, unless a ring in memory will not do.
pub fn place_of(name: &str, on_disk: bool) -> PathBuf {
    let memory = || place::shared_memory(1 << 20).ok().filter(|_| !on_disk);
    let Some(memory) = memory() else { return folder(&format!("durability-{name}")) };
    // Below a folder of its own: rings tidy up the one in which they are.
    let folder = memory.join(format!("test-durability-{name}-{}", std::process::id())).join("rings");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub fn ids_of(block: &Block) -> Vec<u64> {
    block.body.chunks(8).map(|id| u64::from_le_bytes(id.try_into().unwrap())).collect()
}

pub fn block_of(ids: &[u64]) -> Block {
    let body: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    let (records, raw_bytes) = (ids.len() as u64, body.len());
    Block { sequence: 0, records, protected_records: 0, raw_bytes, codec: Codec::Identity, body }
}

pub fn ids_in(chunk: &RecoveredChunk) -> Vec<u64> {
    frames(chunk).iter().map(|(_, frame)| id(frame)).collect()
}

/// One process: what dies with it.
pub struct Process {
    pub backlog: Backlog,
    pub spooler: Arc<Spooler<SimDisk>>,
    pub ring: Ring,
    pub open: Option<(Slot, Vec<u64>)>,
    pub hands: Vec<(usize, Arc<Block>)>,
    pub pushed: u64,
    pub damaged: u64,
}

impl Process {
    /// `None`: the disk took nothing.
    pub fn start(disk: &Arc<SimDisk>, folder: &Path, boot: u64, fsync: Fsync) -> Option<Self> {
        let process = disk.world().process;
        let identity = Identity { service: "shop".into(), boot, process, started: 1 };
        let settings = Settings {
            directory: folder.to_owned(),
            name: identity.directory(0),
            owner: Owner { boot, process, started: 1 },
            slots: SLOTS,
            slot_bytes: 4096,
            side_bytes: 4096,
            durable: false,
        };
        let spooler =
            Spooler::open_on(Arc::clone(disk), identity, &spooling(fsync), (&NAMES, &buffer()), OPEN_LIMIT);
        let spooler = Arc::new(spooler.ok()?);
        let ring = Ring::create(&settings).unwrap();
        (0..).zip(NAMES).for_each(|(number, name)| ring.define_exporter(number, name).unwrap());
        let shelf = Arc::clone(&spooler) as Arc<dyn Shelf>;
        let backlog = Backlog::new(&NAMES, false, Arc::default()).with_shelf(Some(shelf));
        Some(Self { backlog, spooler, ring, open: None, hands: Vec::new(), pushed: 0, damaged: 0 })
    }

    pub fn seal(&mut self) {
        let Some((slot, ids)) = self.open.take() else { return };
        if ids.is_empty() {
            slot.recycle();
            return;
        }
        self.pushed += ids.len() as u64;
        self.backlog.push_kept(block_of(&ids), Some(Keep::Slot(slot)));
    }

    /// Takes directories of dead processes over; returns the records that were counted as damaged.
    pub fn adopt(&mut self, in_rings: &dyn Fn(&str) -> u64) -> u64 {
        let damaged = |backlog: &Backlog| backlog.counts()[0].dropped.get(DropReason::Damaged);
        let before = damaged(&self.backlog);
        self.spooler.adopt(&self.backlog, in_rings);
        let counted = damaged(&self.backlog) - before;
        self.damaged += counted;
        counted
    }

    pub fn check_ledger(&self) {
        let (adopted, counts) = self.backlog.counts_with_adopted();
        for side in counts {
            let decided = side.delivered + side.rejected + side.dropped.total();
            assert_eq!(self.pushed + side.adopted, decided + side.pending, "{side:?}");
            assert!(side.adopted <= adopted);
            assert_eq!(side.dropped.get(DropReason::Damaged), self.damaged);
            assert_eq!(side.dropped.total(), self.damaged, "nothing makes it drop a record: {side:?}");
        }
    }
}

pub fn buffer() -> BufferSettings {
    BufferSettings {
        limit_bytes: 1 << 20,
        limit_records: u64::MAX,
        block_records: u64::MAX,
        chunk_bytes: 4096,
        record_bytes: 1024,
        schedule_delay: Duration::from_millis(5),
        overflow: Overflow::Wait,
        reserve_bytes: 4096,
        wait_timeout: Duration::from_secs(1),
    }
}

pub fn spooling(fsync: Fsync) -> SpoolingSettings {
    let quota = Quota { max_bytes: 1 << 20, min_free_bytes: 0 };
    SpoolingSettings {
        directory: Path::new("/spool").to_owned(),
        service: "shop".into(),
        store: SpoolSettings { segment_bytes: 300, quota, max_age: None, fsync },
        adopt: Some(Duration::from_secs(5)),
        keys: Arc::new(Keys::none()),
    }
}
