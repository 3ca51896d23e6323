//! Stage 2 of 7, capture: what a record of `logging` holds. Thread: caller.
//!
//! A `LogRecord` is its `__dict__`: some twenty names that `LogRecord.__init__` puts there in one order, then what
//! `extra` added. The known names are interned strings, told apart by pointer, and expected in that order; everything
//! else is an attribute. Nothing here runs Python code, so the dict cannot change while it is read.

use super::gil::GilCell;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::ptr;

/// What capture uses of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Part {
    Name,
    Message,
    Arguments,
    Level,
    Exception,
    ExceptionText,
    Stack,
    Created,
    ThreadName,
    // From here on not held.
    /// Put there by structlog for its own formatter.
    Structlog,
    LevelName,
    Path,
    Line,
    Function,
    Thread,
    /// Known, and of no use.
    Ignored,
}

/// The first parts, which are held.
const HELD: usize = Part::Structlog as usize;
/// Attributes that most records do not exceed.
const FEW: usize = 8;

/// Name and value of an attribute.
pub type Pair<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// In the order of `LogRecord.__init__`, then what others add. uvicorn repeats its message with escape sequences in
/// `color_message`; `otel…` are what OpenTelemetry's instrumentation of `logging` adds for formatters: a record has
/// its span anyway.
const KNOWN: [(&str, Part); 30] = [
    ("name", Part::Name),
    ("msg", Part::Message),
    ("args", Part::Arguments),
    ("levelname", Part::LevelName),
    ("levelno", Part::Level),
    ("pathname", Part::Path),
    ("filename", Part::Ignored),
    ("module", Part::Ignored),
    ("exc_info", Part::Exception),
    ("exc_text", Part::ExceptionText),
    ("stack_info", Part::Stack),
    ("lineno", Part::Line),
    ("funcName", Part::Function),
    ("created", Part::Created),
    ("msecs", Part::Ignored),
    ("relativeCreated", Part::Ignored),
    ("thread", Part::Thread),
    ("threadName", Part::ThreadName),
    ("processName", Part::Ignored),
    ("process", Part::Ignored),
    ("taskName", Part::Ignored),
    ("message", Part::Ignored),
    ("asctime", Part::Ignored),
    ("getMessage", Part::Ignored),
    ("color_message", Part::Ignored),
    ("otelTraceID", Part::Ignored),
    ("otelSpanID", Part::Ignored),
    ("otelTraceSampled", Part::Ignored),
    ("otelServiceName", Part::Ignored),
    ("_logger", Part::Structlog),
];
/// A power of two, more than twice the known names.
const SLOTS: usize = 64;

/// The known names by pointer.
struct Names {
    in_order: [*mut ffi::PyObject; KNOWN.len()],
    /// Open addressing; the pointer and its index in [`KNOWN`].
    by_pointer: [(*mut ffi::PyObject, u8); SLOTS],
}

static NAMES: GilCell<Option<Box<Names>>> = GilCell::new(None);

impl Names {
    fn new(py: Python<'_>) -> Self {
        // Interned strings that live as long as the process.
        let in_order = KNOWN.map(|(name, _)| PyString::intern(py, name).into_ptr());
        let mut by_pointer: [(*mut ffi::PyObject, u8); SLOTS] = [(ptr::null_mut(), 0); SLOTS];
        for (index, pointer) in in_order.iter().enumerate() {
            let mut slot = slot_of(*pointer);
            while !by_pointer[slot].0.is_null() {
                slot = (slot + 1) % SLOTS;
            }
            by_pointer[slot] = (*pointer, index as u8);
        }
        Self { in_order, by_pointer }
    }

    /// The index in [`KNOWN`] of a name; `expected` is asked first.
    #[inline]
    fn find(&self, name: *mut ffi::PyObject, expected: usize) -> Option<usize> {
        if self.in_order.get(expected).is_some_and(|known| ptr::eq(*known, name)) {
            return Some(expected);
        }
        let mut slot = slot_of(name);
        loop {
            let (known, index) = self.by_pointer[slot];
            if ptr::eq(known, name) {
                return Some(usize::from(index));
            }
            if known.is_null() {
                return None;
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

fn slot_of(pointer: *mut ffi::PyObject) -> usize {
    let address = pointer as usize >> 4;
    (address ^ (address >> 6)) % SLOTS
}

/// The part of a name in whatever string object: somebody may have built the record from parsed JSON, say.
pub fn part_named(name: &str) -> Option<Part> {
    KNOWN.iter().find(|(known, _)| *known == name).map(|(_, part)| *part)
}

/// One record's parts and attributes. What is read of every record is held, because its values' methods may change the
/// record meanwhile; the rest is asked for in the dict when a record needs it.
pub struct Parts<'py> {
    dict: Bound<'py, PyAny>,
    held: [Option<Bound<'py, PyAny>>; HELD],
    /// One bit for each part that the record has, even if it is Python's `None`.
    present: u32,
    /// Attributes, the first ones without an allocation.
    few: [Option<Pair<'py>>; FEW],
    more: Vec<Pair<'py>>,
    count: usize,
}

impl<'py> Parts<'py> {
    /// The parts of `record`, not read yet; `None` when it is no object with a plain `__dict__`.
    ///
    /// # Safety
    /// Attached; `record` is live.
    #[inline]
    pub unsafe fn of(py: Python<'py>, record: *mut ffi::PyObject) -> Option<Self> {
        // SAFETY: attached; a new reference that we own, or null with an error set.
        let dict = unsafe {
            let dict = ffi::PyObject_GenericGetDict(record, ptr::null_mut());
            if dict.is_null() {
                ffi::PyErr_Clear();
                return None;
            }
            Bound::from_owned_ptr(py, dict)
        };
        let (held, few) = ([const { None }; HELD], [const { None }; FEW]);
        Some(Self { dict, held, present: 0, few, more: Vec::new(), count: 0 })
    }

    /// Reads the record.
    pub fn read(&mut self) {
        let py = self.dict.py();
        // SAFETY: attached, as the bound dict proves. Interning and reading run no Python code; keys and values are
        // borrowed from the dict until they are held.
        unsafe {
            let names = NAMES.get().get_or_insert_with(|| Box::new(Names::new(py)));
            let (mut at, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
            let mut expected = 0;
            while ffi::PyDict_Next(self.dict.as_ptr(), &raw mut at, &raw mut key, &raw mut value) != 0 {
                let Some(index) = names.find(key, expected) else {
                    self.add((Bound::from_borrowed_ptr(py, key), Bound::from_borrowed_ptr(py, value)));
                    continue;
                };
                expected = index + 1;
                let part = KNOWN[index].1 as usize;
                self.present |= 1 << part;
                if let Some(place) = self.held.get_mut(part).filter(|_| value != ffi::Py_None()) {
                    *place = Some(Bound::from_borrowed_ptr(py, value));
                }
            }
        }
    }

    #[inline]
    fn add(&mut self, pair: Pair<'py>) {
        match self.few.get_mut(self.count) {
            Some(place) => *place = Some(pair),
            None => self.more.push(pair),
        }
        self.count += 1;
    }

    /// Attributes in their order.
    pub fn extras(&self) -> impl Iterator<Item = &Pair<'py>> {
        self.few.iter().flatten().chain(&self.more)
    }

    /// A part that is held; `None` also when the record holds Python's `None`.
    #[inline]
    pub fn get(&self, part: Part) -> Option<&Bound<'py, PyAny>> {
        self.held.get(part as usize)?.as_ref()
    }

    /// A part that is not held, as the record has it now.
    #[cold]
    pub fn ask(&self, part: Part) -> Option<Bound<'py, PyAny>> {
        let (name, _) = KNOWN.iter().find(|(_, known)| *known == part)?;
        self.dict.get_item(*name).ok().filter(|value| !value.is_none())
    }

    /// Whether the record has a part, even if it is Python's `None`.
    #[inline]
    pub fn has(&self, part: Part) -> bool {
        self.present & (1 << part as usize) != 0
    }
}
