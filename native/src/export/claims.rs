//! Stages 6 and 7 of 7: how an exporter takes blocks and answers for them. Threads: senders, and Python's delivery loop.
//!
//! Native senders come through [`NativeSource`] and wait; the delivery loop calls the pipeline's methods, which never do.

use crate::block::Block;
use crate::clock::monotonic_nanos;
use crate::export::dead_letters::Refused;
use crate::export::exporters::{is_protected, NativeExporter};
use crate::export::http::TransportError;
use crate::export::sender::{BlockSource, Outcome, Refusal, SenderEvent};
use crate::ledger::losses;
use crate::ledger::{DropReason, Drops, Settlement};
use crate::pipeline::Pipeline;
use crate::record::RecordWriter;
use crate::scopes::Scope;
use crate::seal::reseal::{count, recode, seal_request};
use crate::spooling::end::Then;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One cursor of the backlog as its sender threads see it.
pub struct NativeSource<'a> {
    /// Whose backlog.
    pub pipeline: &'a Pipeline,
    /// Which cursor.
    pub cursor: usize,
    /// Whose cursor.
    pub exporter: &'a NativeExporter,
}

impl BlockSource for NativeSource<'_> {
    fn claim(&self) -> Option<Arc<Block>> {
        self.pipeline.claim(self.cursor)
    }

    fn claim_besides(&self) -> Option<Arc<Block>> {
        self.pipeline.try_claim(self.cursor)
    }

    fn settle(&self, sequence: u64, outcome: Outcome) {
        let mut dropped = Drops::default();
        dropped.add(DropReason::Expired, outcome.dropped_max_elapsed);
        let (delivered, rejected) = (outcome.delivered, outcome.rejected);
        self.pipeline.settle(self.cursor, sequence, Settlement { delivered, rejected, dropped });
    }

    fn release(&self, sequence: u64) {
        self.pipeline.backlog().release(self.cursor, sequence);
    }

    fn pause(&self, duration: Duration) -> bool {
        self.pipeline.backlog().pause(self.cursor, duration)
    }

    fn note(&self, event: SenderEvent) {
        self.pipeline.notices().sender(&self.exporter.target, &event);
    }

    fn headers_refused(&self) {
        self.pipeline.wake().wake();
    }

    fn refused(&self, request: &Block, refusal: &Refusal<'_>) {
        self.pipeline.keep_refused(self.cursor, request, refusal);
    }

    fn failing(&self, for_so_long: Duration) {
        self.pipeline.failing(self.cursor, for_so_long);
    }

    fn answered(&self) {
        self.pipeline.answered(self.cursor);
    }
}

/// Why a replacement was not taken; the block is still with the processors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplacementError {
    /// The bytes are not an `ExportLogsServiceRequest`.
    Malformed,
    /// The ledger could not account for records that nobody logged.
    MoreRecords {
        /// Records in the replacement.
        found: u64,
        /// Records in the block.
        at_most: u64,
    },
}

impl std::fmt::Display for ReplacementError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed => formatter.write_str("the replacement is not an ExportLogsServiceRequest"),
            Self::MoreRecords { found, at_most } => write!(
                formatter,
                "the replacement holds {found} records and the block {at_most}; batch processors cannot add records"
            ),
        }
    }
}

impl std::error::Error for ReplacementError {}

impl Pipeline {
    /// Records what became of a claimed block, or of a part of it; memory may become free.
    pub fn settle(&self, cursor: usize, sequence: u64, settlement: Settlement) {
        self.backlog().settle(cursor, sequence, settlement);
        self.buffer().settled();
        self.calm_down(cursor);
        if self.buffer().floor() == 0 {
            self.report_losses();
        }
    }

    /// Logs what was lost since this was said last, if anything was, and which fields records lack.
    pub(crate) fn report_losses(&self) {
        self.losses().report(&self.lost(), |scope, write| self.log(scope, write));
        let scope = Scope { name: losses::SCOPE.to_owned(), ..Scope::default() };
        self.looks.fields.report(Duration::from_nanos(monotonic_nanos()), |write| self.log(&scope, write));
    }

    /// Takes back what the batch processors made of the block `sequence`: the uncompressed request that stands in its
    /// place, or `None` for the block as it is. Ignored when they do not have it.
    pub fn processed(&self, sequence: u64, request: Option<&[u8]>) -> Result<(), ReplacementError> {
        let Some(before) = self.backlog().processing(sequence) else { return Ok(()) };
        let after = match request {
            None => recode(&before, self.codec()),
            Some(request) => {
                let counts = count(request, is_protected).ok_or(ReplacementError::Malformed)?;
                let (found, at_most) = (counts.0, before.records);
                if found > at_most {
                    return Err(ReplacementError::MoreRecords { found, at_most });
                }
                seal_request(request, counts, self.codec())
            }
        };
        self.backlog().processed(sequence, after);
        self.buffer().settled();
        Ok(())
    }

    /// Takes a block back that the batch processors had and could not finish. With a spool it waits for the next process
    /// as they got it, without one it passes on as it is. Ignored when they do not have it.
    pub fn unprocessed(&self, sequence: u64) {
        if self.spooler().is_some() {
            self.backlog().unprocessed(sequence);
        } else {
            // Unchanged it cannot be refused.
            let _ = self.processed(sequence, None);
        }
    }

    /// Keeps a request that `cursor`'s receiver refused, where a file for that is set.
    pub fn keep_refused(&self, cursor: usize, request: &Block, refusal: &Refusal<'_>) {
        let Some(exporter) = self.exporters().get(cursor) else { return };
        let Some(dead_letters) = &exporter.dead_letters else { return };
        let refused = Refused {
            exporter: &exporter.name,
            status: refusal.status,
            error: refusal.error,
            cause: refusal.cause,
            rejected: refusal.rejected,
            time_unix_nanos: self.clock().now_nanos(),
        };
        if let Some(message) = dead_letters.keep(request, &refused) {
            self.notices().say("dead-letters-lost", message);
        }
    }

    /// Replaces an exporter's request headers, from its next attempt on.
    pub fn set_headers(&self, name: &str, headers: &[(String, String)]) -> Result<(), TransportError> {
        let exporter = self.exporters().iter().find(|exporter| exporter.name == name);
        match exporter.and_then(|exporter| exporter.native.as_ref()) {
            Some(native) => native.transport.set_headers(headers),
            None => Err(TransportError::new(format!(
                "exporter {name:?} is not a native one of this pipeline; name one that is"
            ))),
        }
    }

    /// Drops what only Python could have delivered, and says so: nobody can call us any more.
    pub fn orphan(&self) {
        // A native one that waits for headers waits for Python.
        let sends = |native: &NativeExporter| {
            native.transport.is_ready(Instant::now()) && !native.transport.headers_refused()
        };
        let gone =
            |cursor: &usize| self.is_gated() || !self.exporters()[*cursor].native.as_ref().is_some_and(sends);
        let cursors: Vec<usize> = (0..self.exporters().len()).filter(gone).collect();
        if !cursors.is_empty() {
            self.spool_rest(Duration::ZERO, Then::Stay);
        }
        let counts = self.snapshot().exporters;
        let lost = cursors.iter().map(|cursor| counts[*cursor].unsafe_records()).max().unwrap_or(0);
        for cursor in cursors {
            self.backlog().abandon_cursor(cursor, DropReason::Shutdown);
        }
        self.buffer().settled();
        if lost > 0 {
            let message = format!(
                "{lost} records were not delivered: their provider went away without shutdown(). Call it first."
            );
            self.notices().say("records-lost", message);
        }
    }

    /// Logs a WARN record of our own. False when the buffer did not take it.
    fn log(&self, scope: &Scope, write: &dyn Fn(&mut RecordWriter)) -> bool {
        if self.is_closing() {
            return false;
        }
        let now = self.clock().now_nanos();
        let mut writer = RecordWriter::new();
        writer.begin(now, now, &losses::SEVERITY, None);
        write(&mut writer);
        let mut record = self.redact(&mut writer, losses::META);
        if record.is_dropped() {
            self.refuse(crate::ledger::Refusal::Redacted);
            return false;
        }
        matches!(self.append(&mut record, self.scopes().id(scope)), crate::buffer::Appended::Stored(_))
    }
}
