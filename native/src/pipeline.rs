//! Wires the stages, in order, and owns the native threads: one pipeline per provider, nothing shared between two.
//!
//! Life: [`Pipeline::new`] allocates and starts nothing; [`Pipeline::start`] (first record) starts the sealer and the
//! senders; [`Pipeline::shutdown`] drains within its deadline. After a fork the child makes a new pipeline from the
//! same settings and never touches the inherited one: its records belong to the parent.

use crate::backlog::shelf::Shelf;
use crate::backlog::Backlog;
use crate::block::Codec;
use crate::buffer::{Appended, Buffer};
use crate::clock::Clock;
use crate::crash_ring::syncing::{check_places, open_ring};
use crate::crash_ring::CrashRing;
use crate::export::claims::NativeSource;
use crate::export::duties::{duties, LAG_SHARE};
use crate::export::exporters::{self, seal_codec, Exporter};
use crate::export::http::TransportError;
use crate::export::sender::Sender;
use crate::export::wake::Wake;
use crate::flight::FlightRecorder;
use crate::ledger::losses::{Losses, Lost};
use crate::ledger::{emit_counts::EmitCounts, meters::SealMeter, notices::Notices};
use crate::ledger::{DropReason, Refusal, Snapshot};
use crate::process::summaries::Summaries;
use crate::process::Processors;
use crate::record::{Meta, RecordWriter};
use crate::redact::{redact, FrameSettings, Redacted};
use crate::scopes::Scopes;
use crate::seal::{looks::Looks, Sealer};
use crate::settings::Settings;
use crate::spooling::{end::Then, open_spool, spooler::Spooler};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Ample for a compressor and a TLS connection.
const THREAD_STACK_BYTES: usize = 512 * 1024;

/// One isolated path from call to acknowledgement.
pub struct Pipeline {
    settings: Arc<Settings>,
    frame: FrameSettings,
    clock: Clock,
    counts: EmitCounts,
    scopes: Scopes,
    buffer: Buffer,
    backlog: Arc<Backlog>,
    spooler: Option<Arc<Spooler>>,
    pub(crate) ring: Option<Arc<CrashRing>>,
    /// In the order of the backlog's cursors.
    exporters: Vec<Exporter>,
    pub(crate) resource: RwLock<Arc<Vec<u8>>>,
    wake: Arc<Wake>,
    notices: Notices,
    losses: Losses,
    sealing: SealMeter,
    pub(crate) looks: Looks,
    processors: Option<Processors>,
    summaries: Summaries,
    pub(crate) recorder: Option<FlightRecorder>,
    started: AtomicBool,
    closing: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Pipeline {
    /// Builds the stages; starts nothing. Fails when a transport's files or URL are wrong, or the spool cannot be used.
    pub fn new(settings: Arc<Settings>) -> Result<Arc<Self>, TransportError> {
        let exporters = exporters::build(&settings)?;
        let names: Vec<&str> = exporters.iter().map(|exporter| exporter.name.as_str()).collect();
        let wake = Arc::new(Wake::default());
        let spooler = open_spool(&settings, &names)?;
        let shelf = spooler.clone().map(|spooler| spooler as Arc<dyn Shelf>);
        let backlog = Backlog::new(&names, settings.batch_processors, Arc::clone(&wake)).with_shelf(shelf);
        let backlog =
            backlog.with_duties(&duties(&settings.exporters), settings.buffer.limit_bytes / LAG_SHARE);
        let backlog = Arc::new(backlog);
        let ring = open_ring(&settings, &names, spooler.as_deref())?;
        if names.is_empty() {
            check_places(&settings)?;
        }
        let buffer = Buffer::new(settings.buffer.clone(), Arc::clone(&backlog), !exporters.is_empty())
            .with_ring(ring.clone());
        let frame =
            FrameSettings { record_bytes: settings.buffer.record_bytes, sequenced: settings.sequenced };
        Ok(Arc::new(Self {
            scopes: Scopes::with_ring(ring.clone()),
            frame,
            clock: Clock::default(),
            counts: EmitCounts::default(),
            buffer,
            backlog,
            spooler,
            ring,
            exporters,
            resource: RwLock::new(Arc::new(settings.safe_resource())),
            wake,
            notices: Notices::default(),
            losses: Losses::default(),
            sealing: SealMeter::default(),
            looks: Looks::new(&settings),
            processors: Processors::of(&settings),
            summaries: Summaries::default(),
            recorder: settings.recorder.as_ref().map(FlightRecorder::new),
            started: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            threads: Mutex::default(),
            settings,
        }))
    }

    /// Stage 3: the record in `writer`, without secrets, as a frame.
    #[inline]
    pub fn redact<'a>(&self, writer: &'a mut RecordWriter, meta: Meta) -> Redacted<'a> {
        redact(writer, meta, &self.settings.policy, self.frame)
    }

    /// Stage 3 without the frame, for processors: the record in `writer` loses its secrets. True: it goes no further.
    pub fn clean(&self, writer: &mut RecordWriter) -> bool {
        crate::redact::clean(writer, &self.settings.policy, self.frame)
    }

    /// Stage 4: the frame into the buffer.
    #[inline]
    pub fn append(&self, record: &mut Redacted<'_>, scope: u32) -> Appended {
        self.buffer.append(record, scope)
    }

    /// Whether a caller has something to tell that happened elsewhere: a notice, or a record for the console.
    #[inline]
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.notices.waiting() || self.summaries.waiting()
    }

    /// Starts the native threads. True the first time. A thread that cannot start is a notice, not an error.
    pub fn start(self: &Arc<Self>) -> bool {
        if self.started.swap(true, Ordering::AcqRel) {
            return false;
        }
        if self.exporters.is_empty() && !self.holds_windows() {
            return true;
        }
        let sealer = Arc::clone(self);
        self.spawn("fapilog-seal", move || sealer.run_sealer());
        let native = self.exporters.iter().enumerate();
        let threads = native.flat_map(|(cursor, exporter)| {
            let threads = exporter.native.as_ref().map_or(0, |native| native.threads);
            (0..threads).map(move |_| cursor)
        });
        for (index, cursor) in threads.enumerate() {
            let pipeline = Arc::clone(self);
            self.spawn(&format!("fapilog-send-{index}"), move || pipeline.run_sender(cursor));
        }
        if let Some(spooler) = &self.spooler {
            self.start_spool(spooler);
        }
        true
    }

    pub(crate) fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) {
        match Builder::new().name(name.to_owned()).stack_size(THREAD_STACK_BYTES).spawn(run) {
            Ok(thread) => self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread),
            Err(error) => {
                self.notices.say("thread-not-started", format!("cannot start thread {name}: {error}"));
            }
        }
    }

    /// Stage 5 until the buffer is closed and empty. What batch processors will read is compressed behind them.
    fn run_sealer(&self) {
        let mut sealer = Sealer::new(if self.is_gated() { Codec::Identity } else { self.codec() });
        while let Some(chunk) = self.buffer.next_chunk(&|| self.end_windows()) {
            self.looks.chunk(&chunk);
            let resource = self.resource();
            let block =
                self.sealing.time(chunk.records, || sealer.seal(&chunk, &self.scopes.prefixes(&resource)));
            self.buffer.sealed(chunk, block);
            self.relieve();
        }
        self.backlog.drain();
    }

    /// Stages 6 and 7 of one exporter until the backlog is stopped.
    fn run_sender(&self, cursor: usize) {
        let Some(exporter) = self.exporters.get(cursor).and_then(|exporter| exporter.native.as_ref()) else {
            return;
        };
        let source = NativeSource { pipeline: self, cursor, exporter };
        let sender = Sender {
            transport: exporter.transport.as_ref(),
            source: &source,
            pace: &exporter.pace,
            settings: &exporter.settings,
            meter: &exporter.meter,
        };
        sender.run();
    }

    /// Waits until nothing that was accepted before the call is pending at any exporter. False at the deadline.
    #[must_use]
    pub fn force_flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        if self.send_held() {
            return self.flush_sent(timeout, deadline);
        }
        // What dedupe holds back found no room. Behind this there is some.
        let settled = self.flush_sent(timeout, deadline);
        self.send_held() && self.flush_sent(timeout, deadline) && settled
    }

    fn flush_sent(&self, timeout: Duration, deadline: Instant) -> bool {
        let ticket = self.buffer.rotate();
        if !self.started.load(Ordering::Acquire) {
            return ticket == 0;
        }
        self.wake.wake();
        let end = || self.backlog.end();
        let (admitted, ticket) = self.buffer.take_in(ticket, deadline);
        let settled = admitted
            && self.buffer.wait_sealed(ticket, deadline)
            && self.backlog.wait_settled(end(), deadline);
        if settled {
            self.indulge(end(), timeout, deadline);
        }
        self.flush_transports() && settled
    }

    /// After the records have left: what is to be forced to a disk, is.
    pub(crate) fn flush_transports(&self) -> bool {
        let natives = self.exporters.iter().filter_map(|exporter| exporter.native.as_ref());
        let mut done = true;
        for native in natives {
            done &= native.transport.flush();
        }
        done
    }

    /// Refuses new records; what is there is delivered, and then the threads end by themselves.
    pub fn close(&self) {
        self.send_held();
        // Pressure may end behind this, and nothing is logged then any more. No record makes room for it.
        if self.buffer.has_room_for_audit() {
            self.report_losses();
        }
        // In this order: who sees it closing does without processors, because append refuses the record.
        self.buffer.close();
        self.closing.store(true, Ordering::Release);
        if let Some(recorder) = &self.recorder {
            recorder.close();
        }
        self.wake.wake();
    }

    /// Refuses new records, drains within `timeout`, then stops the threads. What is left goes to the spool and stays
    /// pending; without one it is dropped and counted. True when nothing of our own was left.
    #[must_use]
    pub fn shutdown(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        self.close();
        let drained = self.force_flush(self.without_end_share(timeout));
        if drained {
            self.deliver_adopted(deadline.saturating_duration_since(Instant::now()));
        } else {
            self.hand_over_rest(deadline);
        }
        self.buffer.give_up_waiting(DropReason::Shutdown);
        self.backlog.stop();
        self.wake.wake();
        if let Some(spooler) = &self.spooler {
            spooler.signal().stop();
        }
        self.join_until(self.patience(drained, deadline) + Duration::from_millis(50));
        self.give_up_summaries(DropReason::Shutdown);
        self.buffer.abandon(DropReason::Shutdown);
        self.spool_rest(deadline.saturating_duration_since(Instant::now()), Then::Close);
        self.backlog.abandon(DropReason::Shutdown);
        self.end_ring(true);
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
        let (buffer, (adopted, mut exporters)) = self.buffer.counts(|| self.backlog.counts_with_adopted());
        let filtered = self.counts.filtered_count();
        for exporter in &mut exporters {
            if let Some(handed_over) = exporter.handed_over {
                exporter.accepted = handed_over;
                continue;
            }
            exporter.accepted = buffer.accepted;
            exporter.pending += buffer.pending;
            exporter.kept += buffer.kept;
            exporter.dropped.merge(&buffer.dropped);
        }
        let refused: u64 = buffer.refused.iter().sum();
        Snapshot {
            offered: filtered + refused + buffer.accepted,
            filtered,
            refused: buffer.refused,
            accepted: buffer.accepted,
            adopted,
            exporters,
        }
    }

    /// What was lost so far, for the reports.
    #[must_use]
    pub fn lost(&self) -> Lost {
        let (buffer, mut dropped) = self.buffer.counts(|| self.backlog.dropped());
        for drops in &mut dropped {
            drops.merge(&buffer.dropped);
        }
        Lost { shed: buffer.refused[Refusal::Shed as usize], dropped }
    }

    /// Counts a record that never got past capture.
    pub fn refuse(&self, reason: Refusal) {
        self.buffer.refuse(reason);
    }
}

/// What the pipeline is made of, for the modules that serve one stage of it.
impl Pipeline {
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

    /// Stage 1: the built-in processors; `None`: all are off.
    #[inline]
    #[must_use]
    pub fn processors(&self) -> Option<&Processors> {
        self.processors.as_ref()
    }

    /// Stage 4: what dedupe held back, on its way.
    #[must_use]
    pub fn summaries(&self) -> &Summaries {
        &self.summaries
    }

    /// The scopes seen so far.
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Stage 4.
    #[must_use]
    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// What the sealer did.
    #[must_use]
    pub fn sealing(&self) -> &SealMeter {
        &self.sealing
    }

    /// Stage 6: blocks, and where each exporter stands.
    #[must_use]
    pub fn backlog(&self) -> &Arc<Backlog> {
        &self.backlog
    }

    /// Stage 6: the spools; `None`: blocks are in memory only.
    #[must_use]
    pub fn spooler(&self) -> Option<&Arc<Spooler>> {
        self.spooler.as_ref()
    }

    /// Stage 6: who delivers, in the order of the backlog's cursors.
    #[must_use]
    pub fn exporters(&self) -> &[Exporter] {
        &self.exporters
    }

    /// How blocks are compressed while they wait.
    #[must_use]
    pub fn codec(&self) -> Codec {
        seal_codec(&self.settings.exporters)
    }

    /// Whether blocks wait for batch processors.
    #[must_use]
    pub fn is_gated(&self) -> bool {
        self.settings.batch_processors
    }

    /// What Python's delivery loop polls.
    #[must_use]
    pub fn wake(&self) -> &Wake {
        &self.wake
    }

    /// Stage 7: reports of what was lost.
    #[must_use]
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Faults waiting to be told to the application's `on_error`.
    #[must_use]
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// True from the first record on.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// True from the beginning of [`Self::shutdown`].
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}
