//! What the caller's stages need of one pipeline: the core, the key cache, scratch memory, console and taps. Thread: caller.

use super::ending::may_call_python;
use super::enrich::Enrichers;
use super::gil::GilCell;
use super::helpers;
use super::keys::KeyCache;
use super::readable::RecordBuilder;
use super::reborn::Changes;
use crate::console::ConsoleSettings;
use crate::pipeline::Pipeline;
use crate::record::uid::Uids;
use crate::record::RecordWriter;
use crate::redact::stricter::Stricter;
use crate::rules::Rules;
use crate::settings::Settings;
use pyo3::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

/// Counts every change that a logger must notice: a pipeline attached or shut, a level changed, a fork.
pub static GENERATION: AtomicU64 = AtomicU64::new(1);
/// Counts forks, in the child.
pub static FORKS: AtomicU64 = AtomicU64::new(0);
static NEXT_ID: AtomicU64 = AtomicU64::new(1);
/// Scratch memory kept per pipeline; more than one is in use only when a value's method logs.
const KEEP_WRITERS: usize = 4;

/// Settings of capture.
#[derive(Debug, Clone)]
pub struct CaptureSettings {
    /// Attributes of one record at most (OTel: `AttributeCountLimit`).
    pub max_attributes: usize,
    /// How deep a value may nest (OTel: `AttributeValueDepthLimit`).
    pub max_depth: usize,
    /// Severity from which the caller's location is recorded; above 24: never.
    pub location_severity: u8,
    /// Which records of which scope are kept.
    pub rules: Rules,
    /// Whether a bridge writes the level's name as its library knows it, instead of the data model's short name.
    pub source_level_names: bool,
    /// Whether records say which thread they come from.
    pub threads: bool,
    /// Whether records carry `log.record.uid`.
    pub uids: bool,
}

/// The console.
pub struct Console {
    pub settings: ConsoleSettings,
    /// `write(text)`.
    pub write: Py<PyAny>,
    /// A policy of its own.
    pub stricter: Option<Stricter>,
}

impl Console {
    /// The same console once more.
    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        Self { settings: self.settings, write: self.write.clone_ref(py), stricter: self.stricter.clone() }
    }
}

/// Exporters that run on the caller, after append.
pub struct Outputs {
    /// Lines for people.
    pub console: Option<Console>,
    /// `tap(record: bytes, scope: str)`, for capture in tests.
    pub taps: Vec<Py<PyAny>>,
    /// What runs before append, on the record without secrets.
    pub processors: Option<Processors>,
    /// What adds attributes to every record.
    pub enrichers: Enrichers,
}

/// The log record processors of a provider (`fapilog/otel/processors.py`).
pub struct Processors {
    /// `process(record, scope, context) -> None | answer`, see the stub.
    pub process: Py<PyAny>,
    /// `make_scope(name, version, schema_url, attributes)`: asked once per scope.
    pub make_scope: Py<PyAny>,
    /// Makes the records that `process` gets.
    pub records: Py<RecordBuilder>,
}

impl Processors {
    /// The same callables once more.
    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            process: self.process.clone_ref(py),
            make_scope: self.make_scope.clone_ref(py),
            records: self.records.clone_ref(py),
        }
    }
}

/// What of [`Outputs`] there is, in one byte that every call reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extras(u8);

impl Extras {
    fn of(outputs: &Outputs, capture: &CaptureSettings, records: bool) -> Self {
        let after = outputs.console.is_some() || !outputs.taps.is_empty();
        let before = outputs.processors.is_some() || capture.threads;
        let enriches = outputs.enrichers.any();
        Self(
            u8::from(after)
                | u8::from(before) << 1
                | u8::from(enriches) << 2
                | u8::from(records) << 3
                | u8::from(capture.uids) << 4,
        )
    }

    /// Whether anything runs on the caller after append.
    #[inline]
    pub const fn after_append(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether anything is done to records before append.
    #[inline]
    pub const fn before(self) -> bool {
        self.0 & 0b1_1110 != 0
    }

    /// Whether there is a flight recorder.
    #[inline]
    pub const fn records(self) -> bool {
        self.0 & 8 != 0
    }

    /// Whether enrichers add attributes.
    #[inline]
    pub const fn enriches(self) -> bool {
        self.0 & 4 != 0
    }

    /// Whether anything runs on the caller before append: processors, or what names the thread.
    #[inline]
    pub const fn before_append(self) -> bool {
        self.0 & 2 != 0
    }
}

/// One pipeline as callers use it.
pub struct Active {
    /// Distinguishes pipelines for caches that outlive one.
    pub id: u64,
    pub pipeline: Arc<Pipeline>,
    capture: GilCell<CaptureSettings>,
    pub keys: GilCell<KeyCache>,
    writers: GilCell<Vec<RecordWriter>>,
    outputs: GilCell<Arc<Outputs>>,
    extras: GilCell<Extras>,
    /// What `make_scope` made, by the id of the scope.
    pub scopes: GilCell<HashMap<u32, Py<PyAny>>>,
    pub changes: GilCell<Changes>,
    /// Called with the first record of a process.
    /// Drawn anew in a forked child.
    pub uids: Option<Uids>,
    pub on_start: Option<Arc<Py<PyAny>>>,
    this: Weak<Self>,
    /// [`FORKS`] when this was made: a difference means that a parent owns it.
    pub forks: u64,
}

impl Active {
    /// Builds a pipeline; starts nothing.
    pub fn new(
        settings: Arc<Settings>,
        capture: CaptureSettings,
        outputs: Arc<Outputs>,
        on_start: Option<Arc<Py<PyAny>>>,
    ) -> Result<Arc<Self>, crate::export::http::TransportError> {
        Ok(Self::around(Pipeline::new(settings)?, capture, outputs, on_start))
    }

    /// What Python needs around a pipeline.
    pub fn around(
        pipeline: Arc<Pipeline>,
        capture: CaptureSettings,
        outputs: Arc<Outputs>,
        on_start: Option<Arc<Py<PyAny>>>,
    ) -> Arc<Self> {
        let extras = Extras::of(&outputs, &capture, pipeline.recorder().is_some());
        pipeline.summaries().watch(extras.after_append());
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            pipeline,
            extras: GilCell::new(extras),
            uids: capture.uids.then(Uids::draw),
            capture: GilCell::new(capture),
            keys: GilCell::new(KeyCache::new()),
            writers: GilCell::new(Vec::with_capacity(KEEP_WRITERS)),
            scopes: GilCell::new(HashMap::new()),
            outputs: GilCell::new(outputs),
            changes: GilCell::default(),
            on_start,
            forks: FORKS.load(Ordering::Acquire),
        })
    }

    /// True in a forked child of the process that made this.
    pub fn is_inherited(&self) -> bool {
        self.forks != FORKS.load(Ordering::Acquire)
    }

    /// Starts the native threads; the first time also tells Python. What that call raises is a notice, never the
    /// log call's.
    pub fn start(&self, py: Python<'_>) {
        if !self.pipeline.start() {
            return;
        }
        if let Some(on_start) = self.on_start.as_ref().filter(|_| may_call_python()) {
            helpers::call_isolated(py, on_start, self.pipeline.notices());
        }
    }

    /// A reference that keeps this alive, for what outlives a call.
    pub fn strong(&self) -> Option<Arc<Self>> {
        self.this.upgrade()
    }

    /// Settings of capture; the borrow ends before Python code may run.
    #[inline]
    pub fn capture(&self) -> &CaptureSettings {
        // SAFETY: attached, as every user of an `Active` is; `set_capture` runs only from Python calls.
        unsafe { self.capture.get() }
    }

    /// Changes the settings of capture.
    ///
    /// # Safety
    /// Attached.
    pub unsafe fn set_capture(&self, capture: CaptureSettings) {
        // SAFETY: attached; the settings hold no Python object.
        unsafe { drop(self.capture.replace(capture)) };
    }

    /// Changes levels or rules, and lets every logger look them up again.
    ///
    /// # Safety
    /// Attached.
    pub unsafe fn change_rules(&self, change: impl FnOnce(&mut Rules)) {
        let mut capture = self.capture().clone();
        change(&mut capture.rules);
        // SAFETY: as the caller's.
        unsafe { self.set_capture(capture) };
        GENERATION.fetch_add(1, Ordering::AcqRel);
    }

    /// Levels and rules as they are now: time boxes that are over have ended.
    pub fn rules_now(&self) -> Rules {
        let mut rules = self.capture().rules.clone();
        rules.expire(Instant::now());
        rules
    }

    /// Scratch memory for one record.
    ///
    /// # Safety
    /// Attached.
    #[inline]
    pub unsafe fn take_writer(&self) -> RecordWriter {
        // SAFETY: attached; popping runs no Python code.
        unsafe { self.writers.get().pop() }.unwrap_or_else(RecordWriter::new)
    }

    /// Gives scratch memory back.
    ///
    /// # Safety
    /// Attached.
    #[inline(always)]
    #[allow(clippy::inline_always)] // Moving the memory through a call costs more than the rest of it.
    pub unsafe fn put_writer(&self, mut writer: RecordWriter) {
        writer.relax();
        // SAFETY: attached; pushing runs no Python code.
        let writers = unsafe { self.writers.get() };
        if writers.len() < KEEP_WRITERS {
            writers.push(writer);
        }
    }

    /// What runs on the caller before and after append.
    ///
    /// # Safety
    /// Attached.
    #[inline]
    pub unsafe fn extras(&self) -> Extras {
        // SAFETY: attached; copied out.
        unsafe { *self.extras.get() }
    }

    /// Console, taps and processors as they are now.
    ///
    /// # Safety
    /// Attached.
    pub unsafe fn outputs(&self) -> Arc<Outputs> {
        // SAFETY: attached; cloning an Arc runs no Python code.
        unsafe { Arc::clone(self.outputs.get()) }
    }

    /// Changes console, taps and processors.
    ///
    /// # Safety
    /// Attached.
    pub unsafe fn set_outputs(&self, outputs: Outputs) {
        // SAFETY: attached; the old value is dropped after the cell is written.
        unsafe {
            let records = self.pipeline.recorder().is_some();
            *self.extras.get() = Extras::of(&outputs, self.capture(), records);
            self.pipeline.summaries().watch(self.extras().after_append());
            drop(self.outputs.replace(Arc::new(outputs)));
        }
    }
}

impl Drop for Active {
    /// Nobody can log here any more: the native threads deliver what is left and end.
    fn drop(&mut self) {
        // An inherited one belongs to the parent; its locks may be held for ever.
        if !self.is_inherited() {
            self.pipeline.close();
            self.pipeline.orphan();
        }
    }
}

/// Pipelines that loggers have replaced, kept until no call can be using them.
static RETIRED: GilCell<Vec<Arc<Active>>> = GilCell::new(Vec::new());
/// Log calls under way, on all threads: more than one when a value's method logs or lets another thread run.
static CALLS: GilCell<usize> = GilCell::new(0);

/// Marks a log call under way, so that the pipeline it borrowed stays. Counting calls in plain memory is cheaper than
/// counting references with two atomic operations per call.
pub struct Call;

impl Call {
    /// # Safety
    /// Attached, until the value is dropped.
    #[inline]
    pub unsafe fn begin() -> Self {
        // SAFETY: attached.
        unsafe { *CALLS.get() += 1 };
        Self
    }
}

impl Drop for Call {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: attached, by the contract of `begin`.
        unsafe { *CALLS.get() = CALLS.get().saturating_sub(1) };
    }
}

/// In a forked child: calls of other threads are not under way here. Whatever one of this thread borrows is inherited
/// and never freed.
pub fn forget_calls() {
    // SAFETY: only the forking thread exists; it holds the interpreter lock.
    unsafe { *CALLS.get() = 0 };
}

/// Lets go of a replaced pipeline as soon as no call but the asking one is under way.
///
/// # Safety
/// Attached, inside a [`Call`] that has not borrowed a pipeline yet.
pub unsafe fn retire(active: Option<Arc<Active>>) {
    // SAFETY: attached; the list is taken out before anything is dropped.
    unsafe {
        RETIRED.get().extend(active);
        if *CALLS.get() <= 1 {
            drop(std::mem::take(RETIRED.get()));
        }
    }
}
