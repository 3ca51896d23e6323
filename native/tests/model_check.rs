//! Append, seal, claim and settle under a scheduler that tries orders of threads (shuttle): no wake is lost, no record is, and
//! the counts add up at every look.
//!
//! No wait ever times out here, so a wake that is lost is a deadlock, which fails the test and prints the schedule that leads
//! to it. Runs with the feature `shuttle` only; `MODEL_CHECK_RUNS` is the number of orders (`make model-check`).
#![allow(clippy::unwrap_used, clippy::panic)] // A test may fail.

#[path = "shared/core.rs"]
mod core;

use crate::core::{buffer_settings, Entry};
use fapilog_native::backlog::Backlog;
use fapilog_native::block::{Block, Codec};
use fapilog_native::buffer::chunk::Chunk;
use fapilog_native::buffer::waiting::Fate;
use fapilog_native::buffer::{Appended, Buffer};
use fapilog_native::export::wake::Wake;
use fapilog_native::ledger::{DropReason, Refusal, Settlement};
use fapilog_native::record::RecordWriter;
use fapilog_native::redact::{redact, FrameSettings, Policy};
use fapilog_native::settings::{BufferSettings, Overflow};
use shuttle::rand::{thread_rng, Rng};
use shuttle::thread::{self, JoinHandle};
use std::sync::Arc;
use std::time::{Duration, Instant};

const RUNS: usize = 300;
const FOREVER: Duration = Duration::from_secs(86_400);
const CALLERS: u64 = 2;
const RECORDS: u64 = 3;
const EXPORTERS: [&str; 2] = ["otlp", "webhook"];

/// Runs `scene` under orders chosen at random, and under orders with few switches, which find other things.
fn check(scene: fn()) {
    let runs = std::env::var("MODEL_CHECK_RUNS").map_or(RUNS, |runs| runs.parse().unwrap());
    shuttle::check_random(scene, runs);
    shuttle::check_pct(scene, runs, 3);
}

/// What one pipeline has of stages 4 to 7.
#[derive(Clone)]
struct Stages {
    buffer: Arc<Buffer>,
    backlog: Arc<Backlog>,
    wake: Arc<Wake>,
}

impl Stages {
    /// With room for `chunks` chunks of one record of `RECORD_BYTES` each, or of as many small ones as fit.
    fn new(overflow: Overflow, chunks: usize) -> Self {
        let wake = Arc::new(Wake::default());
        let backlog = Arc::new(Backlog::new(&EXPORTERS, false, Arc::clone(&wake)));
        let limit_bytes = 1024 * chunks;
        let settings = BufferSettings { limit_bytes, schedule_delay: FOREVER, ..buffer_settings(overflow) };
        let buffer = Arc::new(Buffer::new(settings, Arc::clone(&backlog), true));
        Self { buffer, backlog, wake }
    }

    fn spawn<T: Send + 'static>(&self, run: impl FnOnce(&Self) -> T + Send + 'static) -> JoinHandle<T> {
        let stages = self.clone();
        thread::spawn(move || run(&stages))
    }

    /// Stage 5: chunks become blocks until there is nothing more.
    fn seal(&self) {
        while let Some(chunk) = self.buffer.next_chunk(&|| None) {
            let block = block_of(&chunk);
            self.buffer.sealed(chunk, Some(block));
        }
        self.backlog.drain();
    }

    /// Stages 6 and 7 of one exporter: now and then a block is given back first, or settled in two parts.
    fn export(&self, cursor: usize) {
        while let Some(block) = self.backlog.claim(cursor) {
            self.deliver(cursor, &block);
        }
    }

    fn deliver(&self, cursor: usize, block: &Block) {
        let delivered = |delivered| Settlement { delivered, ..Settlement::default() };
        match thread_rng().gen_range(0..4) {
            0 => return self.backlog.release(cursor, block.sequence),
            1 if block.records > 1 => {
                self.backlog.settle(cursor, block.sequence, delivered(1));
                self.backlog.settle(cursor, block.sequence, delivered(block.records - 1));
            }
            _ => self.backlog.settle(cursor, block.sequence, delivered(block.records)),
        }
        self.buffer.settled();
    }

    /// What a flush does: everything accepted before is sealed, and then settled by every exporter.
    fn flush(&self) {
        let deadline = Instant::now() + FOREVER;
        let ticket = self.buffer.rotate();
        assert!(self.buffer.wait_sealed(ticket, deadline));
        assert!(self.backlog.wait_settled(self.backlog.end(), deadline));
    }

    /// The second equation of the ledger, at one moment; answers what was accepted.
    fn look(&self) -> u64 {
        let (buffer, exporters) = self.buffer.counts(|| self.backlog.counts());
        for side in exporters {
            let behind = side.delivered + side.rejected + side.dropped.total() + side.pending;
            let sum = behind + buffer.pending + buffer.dropped.total();
            assert_eq!(buffer.accepted, sum, "{buffer:?} {side:?}");
        }
        buffer.accepted
    }

    /// Everything is decided; answers what the exporters delivered and what was lost.
    fn end(&self) -> (Vec<u64>, Vec<u64>) {
        self.look();
        let (buffer, exporters) = self.buffer.counts(|| self.backlog.counts());
        assert_eq!(buffer.pending, 0);
        assert!(exporters.iter().all(|side| side.pending + side.in_flight == 0), "{exporters:?}");
        let lost = exporters.iter().map(|side| side.dropped.total() + buffer.dropped.total());
        (exporters.iter().map(|side| side.delivered).collect(), lost.collect())
    }
}

fn block_of(chunk: &Chunk) -> Block {
    Block {
        sequence: 0,
        records: chunk.records,
        protected_records: chunk.protected_records,
        raw_bytes: 1,
        codec: Codec::Identity,
        body: vec![0; 700],
    }
}

/// Logs `RECORDS` records of `size` bytes and answers how many were stored; under `wait` it waits for room, however long.
fn log(stages: &Stages, size: usize) -> u64 {
    let mut writer = RecordWriter::new();
    let (mut stored, mut last) = (0, None);
    for id in 0..RECORDS {
        let meta = Entry::info(id).sized(size).write(&mut writer);
        let settings = FrameSettings { record_bytes: 512, sequenced: true };
        let mut record = redact(&mut writer, meta, &Policy::default(), settings);
        let sequence = match stages.buffer.append(&mut record, 0) {
            Appended::Full => {
                let turn = stages.buffer.park(&record, 0, Instant::now() + FOREVER);
                match stages.buffer.wait_for(&turn, FOREVER) {
                    Fate::Stored(sequence) => Some(sequence),
                    Fate::Waiting | Fate::Lost => None,
                }
            }
            Appended::Stored(sequence) => Some(sequence),
            Appended::Dropped | Appended::Refused => None,
        };
        if sequence.is_some() {
            assert!(last < sequence, "the numbers of one caller rise");
            last = sequence;
            stored += 1;
        }
    }
    stored
}

fn callers(stages: &Stages, size: usize) -> Vec<JoinHandle<u64>> {
    (0..CALLERS).map(|_| stages.spawn(move |stages| log(stages, size))).collect()
}

fn servers(stages: &Stages) -> Vec<JoinHandle<()>> {
    let exporters = (0..EXPORTERS.len()).map(|cursor| stages.spawn(move |stages| stages.export(cursor)));
    std::iter::once(stages.spawn(Stages::seal)).chain(exporters).collect()
}

fn join<T>(threads: Vec<JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn what_is_accepted_reaches_every_exporter_and_a_flush_ends() {
    check(|| {
        let stages = Stages::new(Overflow::DropOldest, 64);
        let (servers, callers) = (servers(&stages), callers(&stages, 100));
        let looking = stages.spawn(|stages| (0..3).for_each(|_| _ = stages.look()));
        let flushing = stages.spawn(Stages::flush);
        let stored: u64 = join(callers).iter().sum();
        stages.flush();
        assert_eq!(stages.end(), (vec![CALLERS * RECORDS; 2], vec![0; 2]));
        flushing.join().unwrap();
        looking.join().unwrap();
        stages.buffer.close();
        join(servers);
        assert_eq!(stored, CALLERS * RECORDS);
    });
}

#[test]
fn what_one_sender_gives_back_another_one_of_the_same_exporter_gets() {
    check(|| {
        let stages = Stages::new(Overflow::DropOldest, 64);
        let (servers, callers) = (servers(&stages), callers(&stages, 100));
        // A second sender of the first exporter, which ends with what it had undelivered.
        let giving = stages.spawn(|stages| {
            if let Some(block) = stages.backlog.claim(0) {
                stages.backlog.release(0, block.sequence);
            }
        });
        join(callers);
        stages.flush();
        stages.buffer.close();
        join(servers);
        giving.join().unwrap();
        assert_eq!(stages.end(), (vec![CALLERS * RECORDS; 2], vec![0; 2]));
    });
}

#[test]
fn a_caller_that_waits_for_room_is_woken_and_loses_nothing() {
    check(|| {
        // Two records of 400 bytes fill a chunk, and the blocks of one exporter's backlog the rest.
        let stages = Stages::new(Overflow::Wait, 3);
        let (servers, callers) = (servers(&stages), callers(&stages, 400));
        assert_eq!(join(callers).iter().sum::<u64>(), CALLERS * RECORDS);
        stages.buffer.close();
        join(servers);
        assert_eq!(stages.end(), (vec![CALLERS * RECORDS; 2], vec![0; 2]));
    });
}

#[test]
fn what_overflows_is_counted_whatever_is_under_way() {
    check(|| {
        let stages = Stages::new(Overflow::DropOldest, 3);
        let (servers, callers) = (servers(&stages), callers(&stages, 400));
        let looking = stages.spawn(|stages| (0..3).for_each(|_| _ = stages.look()));
        join(callers);
        looking.join().unwrap();
        stages.buffer.close();
        join(servers);
        let accepted = stages.look();
        let (delivered, lost) = stages.end();
        assert_eq!(accepted, CALLERS * RECORDS);
        for (delivered, lost) in delivered.into_iter().zip(lost) {
            assert_eq!(delivered + lost, accepted);
        }
    });
}

#[test]
fn a_close_among_calls_refuses_what_comes_later_and_delivers_the_rest() {
    check(|| {
        let stages = Stages::new(Overflow::Wait, 3);
        let (servers, callers) = (servers(&stages), callers(&stages, 400));
        stages.buffer.close();
        let stored: u64 = join(callers).iter().sum();
        join(servers);
        assert_eq!(stages.end(), (vec![stored; 2], vec![0; 2]));
        let (counts, ()) = stages.buffer.counts(|| ());
        assert_eq!(counts.refused[Refusal::ShutDown as usize], CALLERS * RECORDS - stored);
    });
}

#[test]
fn a_flush_learns_that_all_is_sealed_though_nobody_delivers() {
    check(|| {
        let stages = Stages::new(Overflow::DropOldest, 64);
        let sealing = stages.spawn(Stages::seal);
        let flushing = stages.spawn(|stages| {
            assert!(stages.buffer.wait_sealed(stages.buffer.rotate(), Instant::now() + FOREVER));
        });
        join(callers(&stages, 100));
        assert!(stages.buffer.wait_sealed(stages.buffer.rotate(), Instant::now() + FOREVER));
        let (counts, ()) = stages.buffer.counts(|| ());
        assert_eq!((counts.pending, stages.backlog.records()), (0, CALLERS * RECORDS));
        flushing.join().unwrap();
        stages.buffer.close();
        sealing.join().unwrap();
        stages.look();
    });
}

#[test]
fn a_stop_ends_every_wait() {
    check(|| {
        let stages = Stages::new(Overflow::DropOldest, 64);
        // Nobody serves the second exporter: what is pushed before the waits begin is never settled.
        let sealing = stages.spawn(Stages::seal);
        let native = stages.spawn(|stages| stages.export(0));
        join(callers(&stages, 100));
        assert!(stages.buffer.wait_sealed(stages.buffer.rotate(), Instant::now() + FOREVER));
        let pausing = stages.spawn(|stages| assert!(!stages.backlog.pause(0, FOREVER)));
        let waiting = stages.spawn(|stages| {
            assert!(!stages.backlog.wait_settled(stages.backlog.end(), Instant::now() + FOREVER));
        });
        stages.buffer.close();
        stages.backlog.stop();
        join(vec![sealing, native, pausing, waiting]);
        stages.buffer.abandon(DropReason::Shutdown);
        stages.backlog.abandon(DropReason::Shutdown);
        stages.look();
    });
}

#[test]
fn the_delivery_loop_sees_every_block_by_the_wake_alone() {
    check(|| {
        let stages = Stages::new(Overflow::DropOldest, 64);
        stages.wake.fd().unwrap();
        let sealing = stages.spawn(Stages::seal);
        let native = stages.spawn(|stages| stages.export(0));
        // As in Python: it looks for work only when the descriptor says so.
        let polling = stages.spawn(|stages| {
            let mut left = CALLERS * RECORDS;
            while left > 0 {
                if !stages.wake.clear() {
                    thread::yield_now();
                    continue;
                }
                while let Some(block) = stages.backlog.try_claim(1) {
                    let before = stages.backlog.counts()[1].delivered;
                    stages.deliver(1, &block);
                    left -= stages.backlog.counts()[1].delivered - before;
                }
            }
        });
        join(callers(&stages, 100));
        stages.flush();
        polling.join().unwrap();
        stages.buffer.close();
        sealing.join().unwrap();
        native.join().unwrap();
        assert_eq!(stages.end().0, vec![CALLERS * RECORDS; 2]);
    });
}
