//! Wires the stages, in order, and owns the native threads: one pipeline per provider, nothing shared between two.
//!
//! Life: [`Pipeline::new`] allocates and starts nothing; [`Pipeline::start`] (first record) starts the sealer and the
//! senders; [`Pipeline::shutdown`] drains within its deadline. After a fork the child makes a new pipeline from the
//! same settings and never touches the inherited one: its records belong to the parent.

use crate::backlog::{Backlog, Settlement};
use crate::block::{Block, Codec};
use crate::buffer::{Appended, Buffer};
use crate::clock::Clock;
use crate::decode::RecordView;
use crate::export::http::{HttpTransport, TransportError};
use crate::export::pace::Pace;
use crate::export::sender::{BlockSource, Outcome, Sender, SenderEvent, SenderSettings};
use crate::ledger::{DropReason, Drops, Refusal, Snapshot};
use crate::losses::{self, Losses};
use crate::notices::Notices;
use crate::record::RecordWriter;
use crate::redact::{redact, FrameSettings, Policy, Redacted};
use crate::scopes::{Scope, Scopes};
use crate::seal::Sealer;
use crate::settings::{BufferSettings, OtlpSettings};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// The one buffered exporter so far; Python exporters get further cursors.
const OTLP: usize = 0;
const OTLP_NAME: &str = "otlp";
/// Ample for a compressor and a TLS connection.
const THREAD_STACK_BYTES: usize = 512 * 1024;

/// Everything one pipeline is made from; frozen.
#[derive(Debug)]
pub struct Settings {
    /// Stage 4 and 5.
    pub buffer: BufferSettings,
    /// Stage 6; `None`: no native exporter.
    pub otlp: Option<OtlpSettings>,
    /// Stage 3.
    pub policy: Policy,
    /// Whether records carry `fapilog.sequence`.
    pub sequenced: bool,
    /// `ResourceLogs` fields other than the scopes, encoded by Python's resource.
    pub resource: Vec<u8>,
}

/// Counters of stage 1 and of exporters that run on the caller. Plain adds: the interpreter lock serialises writers.
#[derive(Debug, Default)]
pub struct EmitCounts {
    filtered: AtomicU64,
    console: AtomicU64,
    console_failed: AtomicU64,
}

impl EmitCounts {
    /// Counts a call below the logger's level.
    #[inline]
    pub fn filtered(&self) {
        self.filtered.store(self.filtered.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Counts a record that went to the console, or failed to.
    pub fn console(&self, written: bool) {
        let counter = if written { &self.console } else { &self.console_failed };
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Records written to the console, and records that could not be.
    #[must_use]
    pub fn console_counts(&self) -> (u64, u64) {
        (self.console.load(Ordering::Relaxed), self.console_failed.load(Ordering::Relaxed))
    }
}

/// One isolated path from call to acknowledgement.
pub struct Pipeline {
    settings: Arc<Settings>,
    frame: FrameSettings,
    clock: Clock,
    counts: EmitCounts,
    scopes: Scopes,
    buffer: Buffer,
    backlog: Arc<Backlog>,
    transport: Option<Arc<HttpTransport>>,
    notices: Notices,
    losses: Losses,
    started: AtomicBool,
    closing: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Pipeline {
    /// Builds the stages; starts nothing. Fails when the transport's files or URL are wrong.
    pub fn new(settings: Arc<Settings>) -> Result<Arc<Self>, TransportError> {
        let transport = settings.otlp.as_ref().map(HttpTransport::new).transpose()?.map(Arc::new);
        let exporters: &[&str] = if transport.is_some() { &[OTLP_NAME] } else { &[] };
        let backlog = Arc::new(Backlog::new(exporters));
        let buffer = Buffer::new(settings.buffer.clone(), Arc::clone(&backlog), transport.is_some());
        let frame =
            FrameSettings { record_bytes: settings.buffer.record_bytes, sequenced: settings.sequenced };
        Ok(Arc::new(Self {
            scopes: Scopes::default(),
            frame,
            clock: Clock::default(),
            counts: EmitCounts::default(),
            buffer,
            backlog,
            transport,
            notices: Notices::default(),
            losses: Losses::default(),
            started: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            threads: Mutex::default(),
            settings,
        }))
    }

    /// What the pipeline was made from.
    #[must_use]
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Stage 1's counters.
    #[must_use]
    pub fn emit_counts(&self) -> &EmitCounts {
        &self.counts
    }

    /// The clock that stamps records.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The scopes seen so far.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// True from the beginning of [`Self::shutdown`].
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Stage 4.
    #[must_use]
    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// Faults waiting to be told to the application's `on_error`.
    #[must_use]
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Stage 3: the record in `writer`, without secrets, as a frame.
    #[inline]
    pub fn redact<'a>(&self, writer: &'a mut RecordWriter, meta: crate::record::Meta) -> Redacted<'a> {
        redact(writer, meta, self.frame)
    }

    /// Stage 4: the frame into the buffer.
    #[inline]
    pub fn append(&self, record: &mut Redacted<'_>, scope: u32) -> Appended {
        self.buffer.append(record, scope)
    }

    /// Starts the native threads, once. A thread that cannot start is a notice, not an error.
    pub fn start(self: &Arc<Self>) {
        if self.transport.is_none() || self.started.swap(true, Ordering::AcqRel) {
            return;
        }
        let sealer = Arc::clone(self);
        self.spawn("fapilog-seal", move || sealer.run_sealer());
        let in_flight = self.settings.otlp.as_ref().map_or(1, |otlp| otlp.max_in_flight.max(1));
        let pace = Arc::new(Pace::new());
        for index in 0..in_flight {
            let (pipeline, pace) = (Arc::clone(self), Arc::clone(&pace));
            self.spawn(&format!("fapilog-send-{index}"), move || pipeline.run_sender(&pace));
        }
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) {
        match Builder::new().name(name.to_owned()).stack_size(THREAD_STACK_BYTES).spawn(run) {
            Ok(thread) => self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread),
            Err(error) => {
                self.notices.say("thread-not-started", format!("cannot start thread {name}: {error}"));
            }
        }
    }

    /// Stage 5 until the buffer is closed and empty.
    fn run_sealer(&self) {
        let codec = self.settings.otlp.as_ref().map_or(Codec::Identity, |otlp| otlp.codec);
        let mut sealer = Sealer::new(codec);
        while let Some(chunk) = self.buffer.next_chunk() {
            let block = sealer.seal(&chunk, &self.scopes.prefixes(&self.settings.resource));
            self.buffer.sealed(chunk, block);
        }
        self.backlog.drain();
    }

    /// Stages 6 and 7 until the backlog is stopped.
    fn run_sender(&self, pace: &Pace) {
        if let (Some(transport), Some(otlp)) = (&self.transport, &self.settings.otlp) {
            let settings = SenderSettings::new(otlp, is_protected);
            Sender { transport: transport.as_ref(), source: self, pace, settings: &settings }.run();
        }
    }

    /// Logs a WARN record of our own. False when the buffer did not take it.
    fn log(&self, scope: &Scope, write: &dyn Fn(&mut RecordWriter)) -> bool {
        if self.is_closing() {
            return false;
        }
        let now = self.clock.now_nanos();
        let mut writer = RecordWriter::new();
        writer.begin(now, now, &losses::SEVERITY, None);
        write(&mut writer);
        let mut record = self.redact(&mut writer, losses::META);
        matches!(self.append(&mut record, self.scopes.id(scope)), Appended::Stored(_))
    }

    /// Waits until nothing that was accepted before the call is pending. False at the deadline.
    #[must_use]
    pub fn force_flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let ticket = self.buffer.rotate();
        if !self.started.load(Ordering::Acquire) {
            return ticket == 0;
        }
        self.buffer.wait_sealed(ticket, deadline) && self.backlog.wait_settled(self.backlog.end(), deadline)
    }

    /// Refuses new records; what is there is delivered, and then the threads end by themselves.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.buffer.close();
    }

    /// Refuses new records, drains within `timeout`, then stops the threads. What is left is dropped and counted.
    /// True when nothing was left.
    #[must_use]
    pub fn shutdown(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        self.close();
        let drained = self.force_flush(deadline.saturating_duration_since(Instant::now()));
        self.backlog.stop();
        self.join_until(deadline + Duration::from_millis(50));
        self.buffer.abandon(DropReason::Shutdown);
        self.backlog.abandon(DropReason::Shutdown);
        drained
    }

    /// Joins threads that end in time; one that is still inside a request is left to its own timeout.
    fn join_until(&self, deadline: Instant) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(1));
            }
            if thread.is_finished() {
                // A panicked thread has said so through the panic hook; there is nothing to add here.
                let _ = thread.join();
            }
        }
    }

    /// Every term of the ledger, read at one moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let (buffer, mut exporters) = self.buffer.counts(|| self.backlog.counts());
        let filtered = self.counts.filtered.load(Ordering::Relaxed);
        for exporter in &mut exporters {
            exporter.accepted = buffer.accepted;
            exporter.pending += buffer.pending;
            exporter.dropped.merge(&buffer.dropped);
        }
        let refused: u64 = buffer.refused.iter().sum();
        Snapshot {
            offered: filtered + refused + buffer.accepted,
            filtered,
            refused: buffer.refused,
            accepted: buffer.accepted,
            adopted: 0,
            exporters,
        }
    }

    /// Counts a record that never got past capture.
    pub fn refuse(&self, reason: Refusal) {
        self.buffer.refuse(reason);
    }
}

impl BlockSource for Pipeline {
    fn claim(&self) -> Option<Arc<Block>> {
        self.backlog.claim(OTLP)
    }

    fn settle(&self, sequence: u64, outcome: Outcome) {
        let mut dropped = Drops::default();
        dropped.add(DropReason::Expired, outcome.dropped_max_elapsed);
        let (delivered, rejected) = (outcome.delivered, outcome.rejected);
        self.backlog.settle(OTLP, sequence, Settlement { delivered, rejected, dropped });
        self.buffer.settled();
        if self.buffer.floor() == 0 {
            self.losses.report(&self.snapshot(), |scope, write| self.log(scope, write));
        }
    }

    fn release(&self, sequence: u64) {
        self.backlog.release(OTLP, sequence);
    }

    fn pause(&self, duration: Duration) -> bool {
        self.backlog.pause(duration)
    }

    fn note(&self, event: SenderEvent) {
        self.notices.sender(self.settings.otlp.as_ref().map_or("", |otlp| otlp.endpoint.as_str()), &event);
    }
}

/// Whether shedding must spare an encoded record, as far as its bytes tell: ERROR and above.
fn is_protected(record: &[u8]) -> bool {
    RecordView::parse(record).severity_number >= 17
}
