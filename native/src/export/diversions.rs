//! Stage 6 of 7, export: when an exporter's blocks go to its fallback, and who hears of it. Threads: senders, Python's
//! delivery loop, sealer, who ends.
//!
//! Three causes: the exporter has taken nothing for too long; blocks fill half of the buffer; the end. With a spool the
//! first is none, because blocks wait on disk; the others then mean that the disk takes nothing. How a block is handed
//! over is in [`crate::backlog::roles`].

use crate::backlog::roles::Role;
use crate::export::exporters::Exporter;
use crate::ledger::notices::print;
use crate::ledger::{DropReason, ExporterCounts};
use crate::pipeline::Pipeline;
use crate::spooling::end::Then;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Part of the buffer that blocks may fill before the oldest are handed over: shedding begins at three quarters.
const MEMORY_SHARE: usize = 2;
/// Blocks take less than this part again: it is over.
const CALM_SHARE: usize = 4;
/// Part of the time of an end that is kept for the fallback, and the longest such time.
const END_SHARE: u32 = 4;
const LONGEST_END: Duration = Duration::from_secs(2);

/// Where an exporter's blocks go when it does not take them.
#[derive(Debug)]
pub struct Diversion {
    /// The other exporter, for people.
    to: String,
    /// How long attempts may fail before that.
    after: Duration,
    /// Whether it has taken nothing for too long. Changed with the backlog's switch under this lock: two senders may disagree.
    down: Mutex<bool>,
    told: AtomicBool,
    /// Records that had been handed over before this time.
    before: AtomicU64,
}

impl Diversion {
    /// To the exporter called `to`, when nothing was taken for so long.
    #[must_use]
    pub fn new(to: &str, after: Duration) -> Self {
        let (down, told) = (Mutex::new(false), AtomicBool::new(false));
        Self { to: to.to_owned(), after, down, told, before: AtomicU64::new(0) }
    }

    fn down(&self) -> MutexGuard<'_, bool> {
        self.down.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipeline {
    /// Attempts of `cursor` have failed for so long, with none between them that succeeded.
    pub fn failing(&self, cursor: usize, for_so_long: Duration) {
        let Some(diversion) = self.diversion(cursor).filter(|_| self.spooler().is_none()) else { return };
        if for_so_long < diversion.after {
            return;
        }
        let mut down = diversion.down();
        if std::mem::replace(&mut *down, true) {
            return;
        }
        let why = format!("has taken nothing for {} s", for_so_long.as_secs());
        self.say_diverted(cursor, &why, self.diverted(cursor));
        self.backlog().divert(cursor, true);
    }

    /// `cursor` has an answer.
    pub fn answered(&self, cursor: usize) {
        let Some(diversion) = self.diversion(cursor) else { return };
        let mut down = diversion.down();
        if std::mem::take(&mut *down) {
            self.backlog().divert(cursor, false);
        }
    }

    /// Hands the oldest blocks over while blocks take too much memory; after a block was added.
    pub(crate) fn relieve(&self) {
        if self.diversions().next().is_none() {
            return;
        }
        let limits = &self.settings().buffer;
        let over = self.backlog().bytes().saturating_sub(limits.limit_bytes / MEMORY_SHARE);
        let is_full = self.backlog().records() > limits.limit_records / MEMORY_SHARE as u64;
        if over == 0 && !is_full {
            return;
        }
        for (cursor, _) in self.diversions() {
            let before = self.diverted(cursor);
            if self.backlog().relieve(cursor, over.clamp(1, limits.chunk_bytes)) > 0 {
                self.say_diverted(cursor, "is behind, and blocks fill half of the buffer", before);
            }
        }
    }

    /// Says that it is over, when it is; after a block was settled.
    pub(crate) fn calm_down(&self, cursor: usize) {
        let Some(diversion) = self.diversion(cursor) else { return };
        let is_calm = || self.backlog().bytes() <= self.settings().buffer.limit_bytes / CALM_SHARE;
        let goes_on = !diversion.told.load(Ordering::Acquire) || *diversion.down();
        if !goes_on && is_calm() && diversion.told.swap(false, Ordering::AcqRel) {
            let records = self.diverted(cursor) - diversion.before.load(Ordering::Acquire);
            let (shown, to) = (self.shown(cursor), &diversion.to);
            print(&format!("{shown} takes its records again; {records} of them went to the exporter {to}."));
        }
    }

    /// What is left of an end's time for exporters before their fallbacks get the rest.
    pub(crate) fn without_end_share(&self, timeout: Duration) -> Duration {
        if self.diversions().next().is_none() {
            return timeout;
        }
        timeout.saturating_sub((timeout / END_SHARE).min(LONGEST_END))
    }

    /// Hands everything over that exporters with a fallback have not decided, and waits for that; what the disk takes stays
    /// there.
    pub fn hand_over_rest(&self, deadline: Instant) {
        if self.diversions().next().is_none() || !self.is_started() {
            return;
        }
        self.spool_rest(deadline.saturating_duration_since(Instant::now()), Then::Stay);
        let before: Vec<(usize, u64)> =
            self.diversions().map(|(cursor, _)| (cursor, self.diverted(cursor))).collect();
        if !self.backlog().hand_all_over() {
            return;
        }
        for (cursor, records) in before {
            if self.diverted(cursor) > records {
                self.say_diverted(cursor, "did not take all records before the end", records);
            }
        }
        let _ =
            self.backlog().wait_settled_by(&self.cursors_of(Role::Fallback), self.backlog().end(), deadline);
        self.flush_transports();
    }

    /// As [`Self::force_flush`] when Python is gone: waits for the native exporters only; what they did not take goes to
    /// the spool. Returns the records that are pending in memory then.
    #[must_use]
    pub fn last_flush(&self, timeout: Duration) -> u64 {
        let deadline = Instant::now() + timeout;
        self.send_held();
        let ticket = self.buffer().rotate();
        let (_, ticket) = self.buffer().take_in(ticket, deadline);
        if self.is_started() && self.buffer().wait_sealed(ticket, deadline) {
            let mut native = self.cursors_of(Role::Required);
            native.retain(|cursor| self.exporters()[*cursor].native.is_some());
            let until = deadline.min(Instant::now() + self.without_end_share(timeout));
            if self.backlog().wait_settled_by(&native, self.backlog().end(), until) {
                self.flush_transports();
            }
            self.hand_over_rest(deadline);
        }
        self.backlog().give_up_best_effort();
        self.spool_rest(deadline.saturating_duration_since(Instant::now()), Then::Stay);
        self.end_ring(false);
        self.snapshot().exporters.iter().map(ExporterCounts::unsafe_records).max().unwrap_or(0)
    }

    fn diversion(&self, cursor: usize) -> Option<&Diversion> {
        self.exporters().get(cursor)?.diversion.as_ref()
    }

    fn diversions(&self) -> impl Iterator<Item = (usize, &Diversion)> {
        let exporters = self.exporters().iter().enumerate();
        exporters.filter_map(|(cursor, exporter)| Some((cursor, exporter.diversion.as_ref()?)))
    }

    fn diverted(&self, cursor: usize) -> u64 {
        self.backlog().dropped().get(cursor).map_or(0, |drops| drops.get(DropReason::Diverted))
    }

    fn say_diverted(&self, cursor: usize, why: &str, before: u64) {
        let Some(diversion) = self.diversion(cursor) else { return };
        if diversion.told.swap(true, Ordering::AcqRel) {
            return;
        }
        diversion.before.store(before, Ordering::Release);
        let (shown, to) = (self.shown(cursor), &diversion.to);
        let message = format!("{shown} {why}; its records go to the exporter {to} until it takes them again");
        self.notices().say("fallback-in-use", message);
    }

    fn shown(&self, cursor: usize) -> String {
        let named = |exporter: &Exporter| match &exporter.native {
            Some(native) => native.target.shown.clone(),
            None => format!("the exporter {}", exporter.name),
        };
        self.exporters().get(cursor).map(named).unwrap_or_default()
    }
}
