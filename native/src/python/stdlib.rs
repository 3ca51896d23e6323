//! Stage 1 of 7, emit: records of `logging`, as the bridge's handler takes them. Thread: caller.
//!
//! `RecordHandler` is the native half of `fapilog.bridges.stdlib.FapilogHandler`. Its `handle` and `emit` are raw
//! fastcall methods, and take no lock: append is what orders records. `stdlib_hook` offers
//! records to it without any handler of `logging`.

use super::active::Call;
use super::ending::may_call_python;
use super::gil::GilCell;
use super::handle::PipelineHandle;
use super::helpers::interrupt_of;
use super::level_methods::{install_methods, slice_of};
use super::logger::Logger;
use super::record_parts::{Part, Parts};
use super::stdlib_capture::Plain;
use super::stdlib_once::{address_of, first_time, may_be_taken};
use super::text::borrowed_utf8;
use super::trace;
use crate::ledger::Refusal;
use crate::scopes::Scope;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use std::collections::HashMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;

/// Loggers found by the address of their name, direct mapped.
const SLOTS: usize = 64;
/// Names remembered before all are forgotten: a program may make loggers without end.
const MAX_NAMES: usize = 4_096;
/// What delivers records must not make new ones: these, and what is below them.
const OURS: [&str; 3] = ["fapilog", "opentelemetry.exporter", "opentelemetry.sdk"];
/// Libraries that deliver, for us and for everybody else; and `asyncio`, whose record may be one of `fapilog.hooks` already.
const DOUBTFUL: [&str; 8] =
    ["opentelemetry", "urllib3", "requests", "grpc", "httpx", "httpcore", "h2", "asyncio"];
/// The logger of `logging.captureWarnings`.
const WARNINGS: &str = "py.warnings";
/// Names of threads that do nothing but deliver: ours, and those of the stock SDK.
const THREADS: [&str; 3] = ["fapilog-", "OtelBatch", "OtelPeriodic"];

/// Whose records a logger makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Application,
    Doubtful,
    Ours,
    /// `logging` itself, for `warnings`: the record's place is inside the library, and the careful path knows better.
    Warnings,
}

impl Source {
    fn of(name: &str) -> Self {
        let below = |known: &&str| {
            name.strip_prefix(*known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        match (OURS.iter().any(below), DOUBTFUL.iter().any(below)) {
            (true, _) => Self::Ours,
            (_, true) => Self::Doubtful,
            _ if name == WARNINGS => Self::Warnings,
            _ => Self::Application,
        }
    }
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Taken, filtered or dropped, as the pipeline decided. Its level, where it was looked at.
    Decided(Option<i64>),
    /// Left alone: what delivers records made it.
    Ignored,
    /// Not for native code.
    Odd,
}

/// A logger and whose it is, under the address of its name.
struct Slot {
    name: Py<PyString>,
    logger: Py<Logger>,
    source: Source,
}

#[derive(Default)]
struct State {
    handle: Option<Py<PipelineHandle>>,
    slots: Vec<Option<Slot>>,
    names: HashMap<String, Py<Logger>>,
}

/// The native half of the bridge's handler; `connect` gives it its pipeline.
#[pyclass(frozen, subclass, module = "fapilog._native", name = "RecordHandler")]
pub struct RecordHandler {
    state: GilCell<State>,
}

#[pymethods]
impl RecordHandler {
    /// The arguments are the subclass's business.
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(_arguments: &Bound<'_, PyTuple>, _keywords: Option<&Bound<'_, PyDict>>) -> Self {
        Self { state: GilCell::new(State::default()) }
    }

    /// Sends records to the pipeline of `handle` from now on.
    fn connect(&self, handle: Py<PipelineHandle>) {
        let slots = std::iter::repeat_with(|| None).take(SLOTS).collect();
        let fresh = State { handle: Some(handle), slots, names: HashMap::new() };
        // SAFETY: attached (called from Python); the old state is dropped after the cell is written.
        drop(unsafe { self.state.replace(fresh) });
    }

    /// The severity below which the pipeline keeps no record of a logger now, and who chose it: 0 nobody, 1 the level
    /// or a rule for all, 2 a level or a rule for this name. `None`: there is no pipeline.
    fn floor(&self, py: Python<'_>, name: &str) -> Option<(u8, u8)> {
        // SAFETY: attached; cloned before anything runs.
        let handle = unsafe { self.state.get().handle.as_ref().map(|handle| handle.clone_ref(py)) };
        let active = handle?.get().pipeline(py)?.get().active();
        let (severity, chosen) = active.rules_now().floor(name);
        Some((severity, chosen as u8))
    }

    /// The severity from which the flight recorder keeps records of a logger. `None`: there is no recorder.
    fn records_from(&self, py: Python<'_>, name: &str) -> Option<u8> {
        // SAFETY: attached; cloned before anything runs.
        let handle = unsafe { self.state.get().handle.as_ref().map(|handle| handle.clone_ref(py)) };
        let active = handle?.get().pipeline(py)?.get().active();
        active.pipeline.recorder().map(|recorder| recorder.floor(name))
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 passes it so.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: the collector runs attached.
        let state = unsafe { self.state.get() };
        visit.call(&state.handle)?;
        state.slots.iter().flatten().try_for_each(|slot| visit.call(&slot.logger))?;
        state.names.values().try_for_each(|logger| visit.call(logger))
    }
}

impl RecordHandler {
    /// The logger that bears a name. `None`: no text, or not connected.
    fn logger(&self, name: &Bound<'_, PyAny>) -> Option<(Py<Logger>, Source)> {
        let address = name.as_ptr() as usize >> 4;
        let index = (address ^ (address >> 6)) % SLOTS;
        // SAFETY: attached; the borrow ends before Python code may run.
        match unsafe { self.state.get().slots.get(index)? } {
            Some(slot) if ptr::eq(slot.name.as_ptr(), name.as_ptr()) => {
                Some((slot.logger.clone_ref(name.py()), slot.source))
            }
            _ => self.learn(index, name),
        }
    }

    #[cold]
    fn learn(&self, index: usize, name: &Bound<'_, PyAny>) -> Option<(Py<Logger>, Source)> {
        let py = name.py();
        let name = name.cast_exact::<PyString>().ok()?;
        let text = name.to_str().ok()?;
        // SAFETY: attached, for every borrow below; none lasts while Python code may run.
        let (handle, known) = unsafe {
            let state = self.state.get();
            (state.handle.as_ref()?.clone_ref(py), state.names.get(text).map(|logger| logger.clone_ref(py)))
        };
        let logger = if let Some(logger) = known {
            logger
        } else {
            let scope = Scope { name: text.to_owned(), ..Scope::default() };
            Py::new(py, Logger::with(handle, scope, None)).ok()?
        };
        let source = Source::of(text);
        let slot = Slot { name: name.clone().unbind(), logger: logger.clone_ref(py), source };
        // SAFETY: as above; what was there is dropped after the cell is written.
        unsafe {
            let state = self.state.get();
            let full = state.names.len() >= MAX_NAMES;
            let forgotten = if full { std::mem::take(&mut state.names) } else { HashMap::new() };
            let replaced = state.names.insert(text.to_owned(), logger.clone_ref(py));
            let old = state.slots.get_mut(index).and_then(|place| place.replace(slot));
            drop((forgotten, replaced, old));
        }
        Some((logger, source))
    }

    /// The address of the pipeline, or of the handle that has none yet: what tells pipelines apart.
    fn pipeline(&self, py: Python<'_>) -> usize {
        // SAFETY: attached; cloned before anything runs.
        let handle = unsafe { self.state.get().handle.as_ref().map(|handle| handle.bind(py).clone()) };
        handle.map_or(0, |handle| address_of(&handle))
    }

    /// Counts a record that is not read.
    pub fn refuse(&self, py: Python<'_>) {
        // SAFETY: attached; cloned before anything runs.
        let handle = unsafe { self.state.get().handle.as_ref().map(|handle| handle.clone_ref(py)) };
        if let Some(pipeline) = handle.and_then(|handle| handle.get().pipeline(py)) {
            pipeline.get().active().pipeline.refuse(Refusal::CaptureFailed);
        }
    }

    /// Whether the pipeline shows its records on a console.
    pub fn has_console(&self, py: Python<'_>) -> bool {
        // SAFETY: attached; cloned before anything runs.
        let handle = unsafe { self.state.get().handle.as_ref().map(|handle| handle.clone_ref(py)) };
        let active =
            handle.and_then(|handle| handle.get().pipeline(py)).map(|pipeline| pipeline.get().active());
        // SAFETY: attached.
        active.is_some_and(|active| unsafe { active.outputs() }.console.is_some())
    }

    /// Stages 1 to 4 of one record, whose level is at least `floor`.
    fn take(slf: &Bound<'_, Self>, record: &Bound<'_, PyAny>, floor: i64) -> PyResult<Fate> {
        let py = slf.py();
        // SAFETY: attached, as `py` proves, for every call below.
        unsafe {
            let _call = Call::begin();
            let Some(mut parts) = Parts::of(py, record.as_ptr()) else { return Ok(Fate::Odd) };
            parts.read();
            let found = parts.get(Part::Name).and_then(|name| slf.get().logger(name));
            let source = found.as_ref().map(|(_, source)| *source);
            if ignores(slf, source, record, parts.get(Part::ThreadName))? {
                return Ok(Fate::Ignored);
            }
            // Bound: a raw method is no place where PyO3 lets go of a `Py` at once.
            let found = found.map(|(logger, _)| logger.into_bound(py));
            let (Some(logger), Some(plain)) = (found, Plain::of(record, &parts)) else {
                return Ok(Fate::Odd);
            };
            if source == Some(Source::Warnings) {
                return Ok(Fate::Odd);
            }
            let decided = Ok(Fate::Decided(Some(plain.level)));
            if plain.level < floor {
                return decided;
            }
            let severity = plain.severity();
            let protected = || severity >= 17 || plain.is_security();
            let Some((active, scope)) = logger.get().admit(py, severity, protected, || trace::current(py))
            else {
                return decided;
            };
            drop(Bound::from_owned_ptr_or_err(py, plain.emit(record, active, scope))?);
            decided
        }
    }

    /// Takes a record the first time, on the native path or the careful one. `goes_on`: other handlers get it, too.
    fn take_once(
        slf: &Bound<'_, Self>,
        record: &Bound<'_, PyAny>,
        floor: Option<i64>,
        goes_on: bool,
    ) -> PyResult<Fate> {
        let pipeline = || slf.get().pipeline(slf.py());
        if !first_time(record, goes_on, pipeline) {
            return Ok(Fate::Decided(None));
        }
        if may_be_taken(pipeline) && yes(ask(slf, "_was_taken", (record,))?) {
            return Ok(Fate::Decided(None));
        }
        // A formatter wants the whole record in its hands.
        let fate = if floor.is_none() && has_formatter(slf) {
            Fate::Odd
        } else {
            Self::take(slf, record, floor.unwrap_or(i64::MIN))?
        };
        if !matches!(fate, Fate::Odd) {
            return Ok(fate);
        }
        ask(slf, "_take_carefully", (record, floor)).map(|_| Fate::Decided(None))
    }

    /// Takes a record that the hook offers, if level and filters let it pass.
    pub fn offer(slf: &Bound<'_, Self>, record: &Bound<'_, PyAny>, goes_on: bool) -> PyResult<Fate> {
        let floor = slf.getattr(intern!(slf.py(), "level")).and_then(|level| level.extract::<i64>());
        let Some(record) = Self::filtered(slf, record)? else { return Ok(Fate::Decided(None)) };
        Self::take_once(slf, &record, Some(floor.unwrap_or(i64::MIN)), goes_on)
    }

    /// The record, or what the filters made of it; `None`: refused.
    fn filtered<'py>(
        slf: &Bound<'py, Self>,
        record: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let filters = slf.getattr(intern!(slf.py(), "filters"));
        if filters.is_ok_and(|filters| filters.cast_exact::<PyList>().is_ok_and(PyListMethods::is_empty)) {
            return Ok(Some(record.clone()));
        }
        let passed = ask(slf, "_passes", (record,))?.filter(|passed| !passed.is_none());
        Ok(passed)
    }
}

fn has_formatter(handler: &Bound<'_, RecordHandler>) -> bool {
    handler.getattr(intern!(handler.py(), "formatter")).is_ok_and(|formatter| !formatter.is_none())
}

/// Whether what delivers records made this one, or somebody else recorded it.
fn ignores(
    handler: &Bound<'_, RecordHandler>,
    source: Option<Source>,
    record: &Bound<'_, PyAny>,
    thread: Option<&Bound<'_, PyAny>>,
) -> PyResult<bool> {
    let name = thread.filter(|name| name.is_exact_instance_of::<PyString>());
    // SAFETY: attached, as the bound objects prove; a live str.
    let name = name.and_then(|name| unsafe { borrowed_utf8(name.as_ptr()) }).unwrap_or_default();
    match source {
        Some(Source::Ours) => Ok(true),
        _ if THREADS.iter().any(|known| name.starts_with(known.as_bytes()))
            || is_delivering(handler.py()) =>
        {
            Ok(true)
        }
        Some(Source::Doubtful) => Ok(yes(ask(handler, "_ignores", (record,))?)),
        _ => Ok(false),
    }
}

/// `ContextVar.get` of the mark of what runs on behalf of an exporter; nothing until there is such code.
static DELIVERING: GilCell<Option<Py<PyAny>>> = GilCell::new(None);

/// Lets bridges look for the mark of `fapilog.diagnostics.mark_delivering` from now on.
#[pyfunction]
pub fn watch_delivering(marked: Py<PyAny>) {
    // SAFETY: attached (called from Python); the old one is dropped after the cell is written.
    drop(unsafe { DELIVERING.replace(Some(marked)) });
}

fn is_delivering(py: Python<'_>) -> bool {
    // SAFETY: attached; cloned before the call.
    let marked = unsafe { DELIVERING.get().as_ref().map(|marked| marked.bind(py).clone()) };
    marked.is_some_and(|marked| marked.call0().is_ok_and(|marked| marked.is_truthy().unwrap_or(false)))
}

fn yes(answer: Option<Bound<'_, PyAny>>) -> bool {
    answer.is_some_and(|answer| answer.is_truthy().unwrap_or(false))
}

/// Calls a method of the Python half. Its errors end here; an interrupt does not.
#[cold]
fn ask<'py, A>(
    handler: &Bound<'py, RecordHandler>,
    method: &str,
    arguments: A,
) -> PyResult<Option<Bound<'py, PyAny>>>
where
    A: pyo3::call::PyCallArgs<'py>,
{
    if !may_call_python() {
        return Ok(None);
    }
    match handler.call_method1(method, arguments) {
        Ok(answer) => Ok(Some(answer)),
        Err(error) => interrupt_of::<()>(handler.py(), Err(error)).map_or(Ok(None), Err),
    }
}

/// `handle(record)`, and `emit(record)`, which asks no filter.
unsafe extern "C" fn record_method<const FILTERS: bool>(
    slf: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let run = || -> PyResult<Py<PyAny>> {
        // SAFETY: called by the interpreter on an instance of RecordHandler (the method descriptor checked its type),
        // attached.
        let (handler, arguments) = unsafe {
            let handler = Bound::from_borrowed_ptr(Python::assume_attached(), slf);
            (handler.cast_into_unchecked::<RecordHandler>(), slice_of(arguments, count, names))
        };
        let py = handler.py();
        let [record] = arguments else {
            return Err(PyTypeError::new_err("takes one argument, a record"));
        };
        // SAFETY: an argument of the running call.
        let record = unsafe { Bound::from_borrowed_ptr(py, *record) };
        if !FILTERS {
            RecordHandler::take_once(&handler, &record, None, true)?;
            return Ok(py.None());
        }
        let Some(record) = RecordHandler::filtered(&handler, &record)? else {
            return Ok(PyBool::new(py, false).to_owned().into_any().unbind());
        };
        RecordHandler::take_once(&handler, &record, None, true)?;
        Ok(PyBool::new(py, true).to_owned().into_any().unbind())
    };
    // A panic is a defect of ours; it must not cross into the application.
    let answer = catch_unwind(AssertUnwindSafe(run));
    // SAFETY: attached.
    let py = unsafe { Python::assume_attached() };
    match answer {
        Ok(Ok(answer)) => answer.into_ptr(),
        Ok(Err(error)) => {
            error.restore(py);
            ptr::null_mut()
        }
        Err(_) => py.None().into_ptr(),
    }
}

/// A raw method that takes a record.
macro_rules! method {
    ($name:literal, $function:expr) => {
        ffi::PyMethodDef {
            ml_name: concat!($name, "\0").as_ptr().cast(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: $function },
            ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
            ml_doc: concat!($name, "($self, record)\n--\n\n\0").as_ptr().cast(),
        }
    };
}

pub(super) use method;

/// Puts the fastcall methods on the class.
pub fn install(py: Python<'_>) -> PyResult<()> {
    let methods = [method!("handle", record_method::<true>), method!("emit", record_method::<false>)];
    install_methods(&py.get_type::<RecordHandler>(), methods.into())
}
