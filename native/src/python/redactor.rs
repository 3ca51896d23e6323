//! Stage 3 of 7, redact: texts and attributes of Python without secrets, for spans, metrics and whoever asks. Thread: any.
//!
//! What is given is captured as a record, passes the stage as records do, and is compared: what stayed as it was comes
//! back as the object that it was, everything else as the stage left it. So there is one implementation.
//!
//! Fail closed: what cannot be read or scanned does not come back. Nothing here raises, but a `KeyboardInterrupt` or
//! `SystemExit` of a user's method, which goes on to the application.

use super::decoded::{any, Arrays};
use super::gil::GilCell;
use super::keys::{KeyCache, KeyKind};
use super::settings::policy;
use super::text::text_of;
use super::values::{unprintable_name, ValueReader, MAX_DEPTH, MAX_NESTED_BYTES};
use crate::decode::{AnyView, RecordView};
use crate::record::fields::{KeyField, SeverityField};
use crate::record::RecordWriter;
use crate::redact::lengths::{self, KEPT_TEXT_BYTES};
use crate::redact::values::{Pass, DROPPED_KEYS_KEY, REDACTED_KEY, UNSCANNED_MARKER};
use crate::redact::{clean_parts, KeyDecision, Policy, SECRET_MARKER};
use crate::wire::messages;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use std::collections::HashMap;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// Working memory that is kept; more threads at once make their own.
const KEPT_WORK: usize = 8;

/// Key and value.
type Item<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

/// Hides in single values what stage 3 hides in records.
#[pyclass(frozen, module = "fapilog._native")]
pub struct Redactor {
    policy: Policy,
    keys: GilCell<KeyCache>,
    work: GilCell<Vec<Work>>,
}

/// Working memory of one call.
#[derive(Default)]
struct Work {
    writer: RecordWriter,
    /// The record before the stage.
    before: Vec<u8>,
    /// Whether each attribute, unless it is changed, may come back as the object that it was.
    keeps: Vec<bool>,
}

#[pymethods]
impl Redactor {
    #[new]
    fn new(settings: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self {
            policy: policy(settings)?,
            keys: GilCell::new(KeyCache::new()),
            work: GilCell::new(Vec::new()),
        })
    }

    /// `text` as the stage leaves it, the same object if nothing is hidden.
    #[pyo3(signature = (text, key=""))]
    fn text<'py>(&self, text: &Bound<'py, PyString>, key: &str) -> Bound<'py, PyString> {
        let py = text.py();
        let marker = || PyString::new(py, UNSCANNED_MARKER);
        self.with_work(|work| {
            let whole = whole_text(text)?;
            let cleaned = self.clean_text(work, &whole, key)?;
            Some(if cleaned == whole { text.clone() } else { PyString::new(py, cleaned) })
        })
        .unwrap_or_else(marker)
    }

    /// Any value as the stage leaves a body, the same object if nothing is hidden and nobody can change it.
    fn value<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = value.py();
        let mut interrupt = None;
        let left = self.with_work(|work| {
            work.writer.begin(0, 0, &SeverityField::NONE, None);
            let mut reader = ValueReader::new(py, &mut work.writer, &self.policy, MAX_DEPTH);
            reader.body(value);
            interrupt = reader.interrupt.take();
            let whole = is_plain(value) && work.writer.len() <= MAX_NESTED_BYTES;
            self.clean(work, Pass::Text);
            if whole && work.writer.record() == work.before {
                return Some(value.clone());
            }
            let body = RecordView::parse(work.writer.record()).body;
            body.map_or_else(|| Ok(py.None().into_bound(py)), |body| any(py, &body, Arrays::Lists)).ok()
        });
        match (interrupt, left) {
            (Some(error), _) => Err(error),
            (None, left) => Ok(left.unwrap_or_else(|| PyString::new(py, UNSCANNED_MARKER).into_any())),
        }
    }

    /// What the stage leaves of `attributes`; `None`: all of them, as they are.
    ///
    /// With `notes`, the attribute `fapilog.redacted` is among them when something was hidden in a value.
    #[pyo3(signature = (attributes, notes=false))]
    fn attributes<'py>(
        &self,
        attributes: &Bound<'py, PyAny>,
        notes: bool,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let py = attributes.py();
        let Ok(items) = items_of(attributes) else { return unscanned(py).map(Some) };
        let mut interrupt = None;
        let cleaned = self.with_work(|work| {
            interrupt = self.write(work, &items);
            read(work, &items, notes).ok()
        });
        match (interrupt, cleaned) {
            (Some(error), _) => Err(error),
            (None, Some(cleaned)) => Ok(cleaned),
            (None, None) => unscanned(py).map(Some),
        }
    }
}

impl Redactor {
    /// Runs `work` with memory of this call alone; `None` when it has nothing, or panics.
    fn with_work<T>(&self, work: impl FnOnce(&mut Work) -> Option<T>) -> Option<T> {
        // SAFETY: attached, as callers are; the borrow ends with the statement.
        let mut memory = unsafe { self.work.get().pop() }.unwrap_or_default();
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut memory))).ok().flatten();
        memory.writer.relax();
        // SAFETY: as above.
        let kept = unsafe { self.work.get() };
        if kept.len() < KEPT_WORK {
            kept.push(memory);
        }
        done
    }

    /// The text that stands in place of `text`; `None`: the stage left nothing.
    fn clean_text<'a>(&self, work: &'a mut Work, text: &str, key: &str) -> Option<&'a str> {
        let writer = &mut work.writer;
        writer.begin(0, 0, &SeverityField::NONE, None);
        if key.is_empty() {
            writer.body_str(text.as_bytes());
        } else if self.policy.decide(key) == KeyDecision::Hide {
            return Some(SECRET_MARKER);
        } else {
            writer.attribute_str(&KeyField::new(key.as_bytes()), text.as_bytes());
        }
        clean_parts(writer, &self.policy, Pass::Text);
        let view = RecordView::parse(writer.record());
        let left =
            if key.is_empty() { view.body } else { view.attributes.iter().next().map(|(_, value)| value) };
        match left {
            Some(AnyView::Str(left)) => Some(left),
            // An empty text may be written as none.
            None | Some(AnyView::Empty) if text.is_empty() => Some(""),
            _ => None,
        }
    }

    /// Captures the items as attributes of a record. Returns what must reach the application.
    fn write(&self, work: &mut Work, items: &[Item<'_>]) -> Option<PyErr> {
        work.writer.begin(0, 0, &SeverityField::NONE, None);
        work.keeps.clear();
        let mut interrupt = None;
        for (key, value) in items {
            let name = key_text(key);
            let field = KeyField::new(name.as_bytes());
            if self.is_secret(key, &name) {
                work.writer.attribute_str(&field, SECRET_MARKER.as_bytes());
                work.keeps.push(false);
                continue;
            }
            let mut reader = ValueReader::new(value.py(), &mut work.writer, &self.policy, MAX_DEPTH);
            reader.attribute(&field, value);
            interrupt = reader.interrupt.take().or(interrupt);
            // Members beyond this were left out.
            work.keeps.push(is_plain(value) && work.writer.len() <= MAX_NESTED_BYTES);
        }
        self.clean(work, Pass::Attributes);
        interrupt
    }

    /// Lets the record pass the stage, and keeps it as it was.
    fn clean(&self, work: &mut Work, pass: Pass) {
        work.before.clear();
        work.before.extend_from_slice(work.writer.record());
        lengths::bound(&mut work.writer, &self.policy);
        clean_parts(&mut work.writer, &self.policy, pass);
    }

    fn is_secret(&self, key: &Bound<'_, PyAny>, name: &str) -> bool {
        if !key.is_exact_instance_of::<PyString>() {
            return self.policy.decide(name) == KeyDecision::Hide;
        }
        // SAFETY: attached; the key is a live str; looking it up runs no Python code.
        let kind = unsafe { self.keys.get().kind(key.as_ptr(), &self.policy) };
        kind == KeyKind::Secret
    }
}

/// What is left of the items.
fn read<'py>(work: &Work, items: &[Item<'py>], notes: bool) -> PyResult<Option<Bound<'py, PyDict>>> {
    let Some((first, _)) = items.first() else { return Ok(None) };
    let after = work.writer.record();
    if after == work.before && work.keeps.iter().all(|keeps| *keeps) {
        return Ok(None);
    }
    let py = first.py();
    // Nobody wrote one: it says that the stage failed.
    if RecordView::parse(after).body.is_some() {
        return unscanned(py).map(Some);
    }
    let dict = PyDict::new(py);
    let given = Given::of(&work.before);
    for (raw, (key, value)) in raw_attributes(after).zip(RecordView::parse(after).attributes) {
        let same = given.same(raw);
        let known = same.or_else(|| given.named(key));
        if [REDACTED_KEY, DROPPED_KEYS_KEY].contains(&key) && !notes && known.is_none() {
            continue;
        }
        if dict.contains(key)? {
            continue;
        }
        if let Some(index) = same.filter(|index| work.keeps[*index]) {
            dict.set_item(key, &items[index].1)?;
        } else {
            let arrays = known.map_or(Arrays::Tuples, |index| arrays_of(&items[index].1));
            dict.set_item(key, any(py, &value, arrays)?)?;
        }
    }
    Ok(Some(dict))
}

/// Where the attributes were before the stage.
struct Given<'a> {
    /// By all of an attribute's bytes.
    raw: HashMap<&'a [u8], usize>,
    by_name: HashMap<&'a str, usize>,
}

impl<'a> Given<'a> {
    fn of(record: &'a [u8]) -> Self {
        let names = RecordView::parse(record).attributes.iter().map(|(name, _)| name).enumerate();
        Self {
            raw: raw_attributes(record).enumerate().map(|(index, raw)| (raw, index)).collect(),
            by_name: names.map(|(index, name)| (name, index)).collect(),
        }
    }

    /// The item that is an attribute which was not changed.
    fn same(&self, raw: &[u8]) -> Option<usize> {
        self.raw.get(raw).copied()
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

/// The attributes of a record as they are encoded.
fn raw_attributes(record: &[u8]) -> impl Iterator<Item = &[u8]> {
    messages(record, 6)
}

/// The items of any mapping, which may change while they are read.
fn items_of<'py>(attributes: &Bound<'py, PyAny>) -> PyResult<Vec<Item<'py>>> {
    if let Ok(dict) = attributes.cast::<PyDict>() {
        return Ok(dict.copy()?.iter().collect());
    }
    attributes.call_method0("items")?.try_iter()?.map(|item| item?.extract()).collect()
}

fn key_text(key: &Bound<'_, PyAny>) -> String {
    text_of(key).unwrap_or_else(|_| unprintable_name(key))
}

/// All of a text as UTF-8, whatever its length: lone surrogates become backslash escapes. `None`: there is no memory.
fn whole_text(text: &Bound<'_, PyString>) -> Option<String> {
    if let Ok(text) = text.to_str() {
        return Some(text.to_owned());
    }
    let bytes = text.call_method1("encode", ("utf-8", "backslashreplace")).ok()?;
    Some(String::from_utf8_lossy(bytes.cast::<PyBytes>().ok()?.as_bytes()).into_owned())
}

/// True for a value that was read whole, that nobody can change later, and that is what its text says it is.
fn is_plain(value: &Bound<'_, PyAny>) -> bool {
    // A character has up to four bytes.
    const CHARACTERS: usize = KEPT_TEXT_BYTES / 4;
    if let Ok(text) = value.cast_exact::<PyString>() {
        return text.len().is_ok_and(|length| length <= CHARACTERS);
    }
    if let Ok(bytes) = value.cast_exact::<PyBytes>() {
        return bytes.as_bytes().len() <= KEPT_TEXT_BYTES;
    }
    if let Ok(members) = value.cast_exact::<PyTuple>() {
        return members.iter().all(|member| !member.is_exact_instance_of::<PyTuple>() && is_plain(&member));
    }
    if value.is_exact_instance_of::<PyInt>() {
        return value.extract::<i64>().is_ok();
    }
    value.is_none() || value.is_exact_instance_of::<PyBool>() || value.is_exact_instance_of::<PyFloat>()
}

/// What arrays inside of a value are.
fn arrays_of(value: &Bound<'_, PyAny>) -> Arrays {
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyDict>() {
        Arrays::Lists
    } else {
        Arrays::Tuples
    }
}

/// Instead of attributes that could not be read or scanned.
fn unscanned(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item(REDACTED_KEY, UNSCANNED_MARKER)?;
    Ok(dict)
}
