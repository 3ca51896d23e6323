//! A process as the spool's wiring sees it: its log of blocks, and its spools on a simulated disk.
#![allow(clippy::unwrap_used, dead_code)] // A test may fail, and none uses all of it.

use crate::disks::SimDisk;
use fapilog_native::backlog::shelf::Shelf;
use fapilog_native::backlog::Backlog;
use fapilog_native::block::{Block, Codec};
use fapilog_native::export::wake::Wake;
use fapilog_native::ledger::{ExporterCounts, Settlement};
use fapilog_native::settings::{BufferSettings, Overflow, SpoolingSettings};
use fapilog_native::spool::crypt::Keys;
use fapilog_native::spool::identity::Identity;
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::{Fsync, SpoolError, SpoolSettings};
use fapilog_native::spooling::opening::OPEN_LIMIT;
use fapilog_native::spooling::spooler::{Spilled, Spooler};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What the file system must keep free.
pub const MIN_FREE: u64 = 1 << 20;

/// More than the longest pause of a spool that could not be read.
const ROUNDS: usize = 20;
const BODY_BYTES: usize = 100;

/// Two records.
pub fn block(id: u64) -> Block {
    let mut body = vec![b'x'; BODY_BYTES];
    body[..8].copy_from_slice(&id.to_le_bytes());
    Block {
        sequence: 0,
        records: 2,
        protected_records: 0,
        raw_bytes: BODY_BYTES,
        codec: Codec::Identity,
        body,
    }
}

pub fn id(block: &Block) -> u64 {
    u64::from_le_bytes(block.body[..8].try_into().unwrap())
}

pub fn buffer(overflow: Overflow) -> BufferSettings {
    BufferSettings {
        limit_bytes: 1 << 20,
        limit_records: u64::MAX,
        block_records: u64::MAX,
        chunk_bytes: 1 << 12,
        record_bytes: 1 << 10,
        schedule_delay: Duration::from_millis(5),
        overflow,
        reserve_bytes: 1 << 12,
        wait_timeout: Duration::from_secs(1),
    }
}

pub fn spooling(max_bytes: u64) -> SpoolingSettings {
    let quota = Quota { max_bytes, min_free_bytes: MIN_FREE };
    let store = SpoolSettings { segment_bytes: 1 << 20, quota, max_age: None, fsync: Fsync::Never };
    let directory = Path::new("/spool").to_owned();
    SpoolingSettings {
        directory,
        service: "shop".into(),
        store,
        adopt: Some(Duration::from_secs(5)),
        keys: Arc::new(Keys::none()),
    }
}

/// One process: its log of blocks, and its spools on a simulated disk.
pub struct Process {
    pub backlog: Backlog,
    pub spooler: Arc<Spooler<SimDisk>>,
}

impl Process {
    pub fn start(disk: &Arc<SimDisk>, number: u32, gated: bool, overflow: Overflow, max_bytes: u64) -> Self {
        Self::open(disk, number, (gated, overflow), &spooling(max_bytes), OPEN_LIMIT).unwrap()
    }

    /// One that waits for the disk at most `limit` when it starts.
    pub fn open(
        disk: &Arc<SimDisk>,
        number: u32,
        (gated, overflow): (bool, Overflow),
        settings: &SpoolingSettings,
        limit: Duration,
    ) -> Result<Self, SpoolError> {
        disk.world().process = number;
        let identity =
            Identity { service: "shop".into(), boot: 7, process: number, started: u64::from(number) };
        let for_whom: (&[&str], &BufferSettings) = (&["otlp"], &buffer(overflow));
        let spooler = Spooler::open_on(Arc::clone(disk), identity, settings, for_whom, limit)?;
        let spooler = Arc::new(spooler);
        let shelf = Arc::clone(&spooler) as Arc<dyn Shelf>;
        let backlog = Backlog::new(&["otlp"], gated, Arc::new(Wake::default())).with_shelf(Some(shelf));
        Ok(Self { backlog, spooler })
    }

    pub fn spill_all(&self, rest: bool) {
        while matches!(self.spooler.spill(&self.backlog, rest), Spilled::Done { .. }) {}
    }

    pub fn deliver_all(&self) -> Vec<u64> {
        let mut ids = Vec::new();
        for _ in 0..ROUNDS {
            while let Some(block) = self.backlog.try_claim(0) {
                ids.push(id(&block));
                let delivered = Settlement { delivered: block.records, ..Settlement::default() };
                self.backlog.settle(0, block.sequence, delivered);
            }
            self.backlog.retry_reads();
        }
        self.spooler.look_after(&self.backlog);
        ids
    }

    pub fn counts(&self) -> ExporterCounts {
        self.backlog.counts().remove(0)
    }
}
