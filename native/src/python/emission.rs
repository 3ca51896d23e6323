//! Stages 2 to 4 of one record, in order: capture, redact, append; then console and taps. Thread: caller.
//!
//! An [`Emission`] is one record on its way. It owns its scratch memory, so a value's method that logs while it is
//! read starts another one and disturbs nothing.

use super::active::Active;
use super::bound::{append_unique, BoundAttributes};
use super::ending::may_call_python;
use super::keys::{KeyKind, Looked};
use super::level::Level;
use super::nested::Nested;
use super::outputs::{after_append, show};
use super::passage::Passage;
use super::processing::process;
use super::text::{borrowed_utf8, owned_utf8};
use super::values::ValueReader;
use super::{helpers, location, trace};
use crate::buffer::Appended;
use crate::fields::{KeyField, TraceFields};
use crate::record::{Meta, RecordWriter};
use crate::redact::SECRET_MARKER;
use pyo3::ffi;
use pyo3::prelude::*;
use std::ptr;

/// One record on its way from the call to the buffer.
pub struct Emission<'a, 'py> {
    pub py: Python<'py>,
    pub active: &'a Active,
    pub writer: RecordWriter,
    pub attributes: usize,
    /// Attributes that a limit left out.
    pub dropped: u32,
    /// Bit set of the attribute keys so far.
    bits: u64,
    pub meta: Meta,
    pub passage: Passage,
    reserved: bool,
    pub interrupt: Option<PyErr>,
}

impl<'a, 'py> Emission<'a, 'py> {
    /// Starts a record with times, severity and the active span.
    ///
    /// # Safety
    /// Attached.
    #[inline]
    pub unsafe fn begin(py: Python<'py>, active: &'a Active, level: &Level) -> Self {
        // SAFETY: attached.
        let span = unsafe { trace::current(py) };
        let now = active.pipeline.clock().now_nanos();
        // SAFETY: attached.
        unsafe { Self::begin_at(py, active, level, (now, now), span.as_ref()) }
    }

    /// Starts a record with given times (occurred, observed) and span.
    ///
    /// # Safety
    /// Attached.
    #[inline]
    pub unsafe fn begin_at(
        py: Python<'py>,
        active: &'a Active,
        level: &Level,
        times: (u64, u64),
        span: Option<&TraceFields>,
    ) -> Self {
        // SAFETY: attached.
        let mut writer = unsafe { active.take_writer() };
        writer.begin(times.0, times.1, &level.field, span);
        let meta = Meta { severity: level.severity, protected: level.protected };
        Self::with(py, active, writer, meta)
    }

    #[inline]
    fn with(py: Python<'py>, active: &'a Active, writer: RecordWriter, meta: Meta) -> Self {
        Self {
            py,
            active,
            writer,
            attributes: 0,
            dropped: 0,
            bits: 0,
            meta,
            passage: Passage::FREE,
            reserved: false,
            interrupt: None,
        }
    }

    /// The body: a string at once, anything else by its kind.
    ///
    /// # Safety
    /// Attached; `value` is live.
    #[inline]
    pub unsafe fn body(&mut self, value: *mut ffi::PyObject) {
        // SAFETY: as the caller's; nothing between borrow and copy runs Python code.
        unsafe {
            if ptr::eq(ffi::Py_TYPE(value), &raw mut ffi::PyUnicode_Type) {
                match borrowed_utf8(value) {
                    Some(text) => self.writer.body_str(text),
                    None => self.writer.body_str(owned_utf8(value).as_bytes()),
                }
                return;
            }
            let value = Bound::from_borrowed_ptr(self.py, value);
            self.read(|reader| reader.body(&value));
        }
    }

    /// One keyword of the call; reserved ones are only noticed, see [`Self::has_reserved`].
    ///
    /// # Safety
    /// Attached; `name` is a live `str`, `value` is live.
    #[inline]
    pub unsafe fn keyword(&mut self, name: *mut ffi::PyObject, value: *mut ffi::PyObject) {
        // SAFETY: as the caller's.
        unsafe { self.attribute::<true>(name, value) }
    }

    /// One attribute of a foreign record, where no name has a meaning of ours.
    ///
    /// # Safety
    /// As [`Self::keyword`].
    #[inline]
    pub unsafe fn extra(&mut self, name: *mut ffi::PyObject, value: *mut ffi::PyObject) {
        // SAFETY: as the caller's.
        unsafe { self.attribute::<false>(name, value) }
    }

    #[inline]
    unsafe fn attribute<const WORDS: bool>(&mut self, name: *mut ffi::PyObject, value: *mut ffi::PyObject) {
        // SAFETY: the plan borrows the key cache only until the first call that could run Python code, for which
        // the key is copied first.
        unsafe {
            let active = self.active;
            let plan = match active.keys.get().look_up(name, &active.pipeline.settings().policy) {
                Looked::Plan(plan) if plan.kind.is_plain(WORDS) => plan,
                Looked::Plan(plan) => return self.special(plan.kind, &plan.key.to_field(), plan.bit, value),
                Looked::Long(field, kind, bit) => return self.special(kind, &field, bit, value),
            };
            if self.attributes >= active.capture().max_attributes {
                self.dropped += 1;
                return;
            }
            self.attributes += 1;
            self.bits |= plan.bit;
            let kind = ffi::Py_TYPE(value);
            if ptr::eq(kind, &raw mut ffi::PyUnicode_Type) {
                if let Some(text) = borrowed_utf8(value) {
                    if text.len() <= active.capture().values.length {
                        return self.writer.attribute_str(&plan.key, text);
                    }
                }
            } else if ptr::eq(kind, &raw mut ffi::PyLong_Type) {
                let mut overflow = 0;
                let number = ffi::PyLong_AsLongLongAndOverflow(value, &raw mut overflow);
                if overflow == 0 {
                    return self.writer.attribute_int(&plan.key, number);
                }
            } else if ptr::eq(kind, &raw mut ffi::PyFloat_Type) {
                return self.writer.attribute_double(&plan.key, ffi::PyFloat_AsDouble(value));
            } else if ptr::eq(kind, &raw mut ffi::PyBool_Type) {
                return self.writer.attribute_bool(&plan.key, ptr::eq(value, ffi::Py_True()));
            } else if ptr::eq(value, ffi::Py_None()) {
                return self.writer.attribute_none(&plan.key);
            }
            // Looked up again: a conversion that failed may have run the collector, and a finaliser that logs.
            let field = match active.keys.get().look_up(name, &active.pipeline.settings().policy) {
                Looked::Plan(plan) => plan.key.to_field(),
                Looked::Long(field, ..) => field,
            };
            self.any(&field, value);
        }
    }

    /// A secret, a reserved or a very long name.
    #[cold]
    unsafe fn special(&mut self, kind: KeyKind, field: &KeyField, bit: u64, value: *mut ffi::PyObject) {
        if matches!(kind, KeyKind::Reserved(_)) {
            self.reserved = true;
            return;
        }
        if self.attributes >= self.active.capture().max_attributes {
            self.dropped += 1;
            return;
        }
        self.attributes += 1;
        self.bits |= bit;
        if kind == KeyKind::Secret {
            self.writer.attribute_str(field, SECRET_MARKER.as_bytes());
        } else {
            // SAFETY: as the caller's.
            unsafe { self.any(field, value) };
        }
    }

    #[cold]
    unsafe fn any(&mut self, field: &KeyField, value: *mut ffi::PyObject) {
        // SAFETY: a live object of the running call.
        let value = unsafe { Bound::from_borrowed_ptr(self.py, value) };
        self.read(|reader| reader.attribute(field, &value));
    }

    /// True when the call used a reserved keyword; then the caller passes all keywords to [`Self::reserved`].
    pub fn has_reserved(&self) -> bool {
        self.reserved
    }

    /// The event name field.
    pub fn event_name(&mut self, name: &str) {
        self.writer.event_name(name.as_bytes());
    }

    /// `str(value)`, or a stand-in when it cannot be had.
    pub fn name_of(&mut self, value: &Bound<'py, PyAny>) -> String {
        let mut name = String::new();
        self.read(|reader| name = reader.name_of(value));
        name
    }

    pub fn has_key(&self, name: &str) -> bool {
        self.bits & super::keys::bit_of(name.as_bytes()) != 0
            && super::bound::has_key(self.writer.record(), name)
    }

    /// An attribute under a name of ours or of a mapping; the first one under a name stays.
    pub fn named(&mut self, name: &str, value: &Bound<'py, PyAny>) {
        if self.has_key(name) {
            return;
        }
        if self.attributes >= self.active.capture().max_attributes {
            self.dropped += 1;
            return;
        }
        self.attributes += 1;
        self.bits |= super::keys::bit_of(name.as_bytes());
        self.read(|reader| reader.named_attribute(name, value));
    }

    /// Reads values that may run Python code. A value whose method logs itself ends here before the stack does.
    pub fn read(&mut self, with: impl FnOnce(&mut ValueReader<'_, 'py>)) {
        let Some(_level) = Nested::enter().filter(|_| may_call_python()) else {
            self.dropped += 1;
            return;
        };
        let policy = &self.active.pipeline.settings().policy;
        let mut reader = ValueReader::new(self.py, &mut self.writer, policy, self.active.capture().values);
        with(&mut reader);
        if let Some(interrupt) = reader.interrupt {
            self.interrupt = Some(interrupt);
        }
    }

    /// Keeps KeyboardInterrupt and SystemExit for the end of the record; every other error ends here.
    pub fn remember(&mut self, error: PyErr) {
        if !error.is_instance_of::<pyo3::exceptions::PyException>(self.py) {
            self.interrupt = Some(error);
        }
    }

    /// Attributes bound to the logger or the context; those of the call win.
    ///
    /// # Safety
    /// Attached.
    #[inline]
    pub unsafe fn bound(&mut self, bound: &BoundAttributes) {
        // SAFETY: copying the encoded bytes runs no Python code.
        if let Some(interrupt) = unsafe { bound.prepare(self.py, self.active) } {
            self.interrupt = Some(interrupt);
        }
        // SAFETY: as above.
        let Some(encoded) = (unsafe { bound.encoded() }) else { return };
        let room = self.active.capture().max_attributes.saturating_sub(self.attributes);
        if encoded.bits & self.bits == 0 && encoded.count <= room {
            self.writer.encoded_attributes(&encoded.bytes);
            self.attributes += encoded.count;
        } else {
            self.unique(&encoded.bytes, room);
        }
        self.bits |= encoded.bits;
    }

    /// The attributes that `bind_context` bound.
    ///
    /// # Safety
    /// Attached.
    #[inline]
    pub unsafe fn bound_context(&mut self) {
        // SAFETY: attached; a new reference or null.
        let value = unsafe { trace::bound() };
        if value.is_null() {
            return;
        }
        // SAFETY: we own the reference.
        let value = unsafe { Bound::from_owned_ptr(self.py, value) };
        if let Ok(bound) = value.cast::<BoundAttributes>() {
            // SAFETY: attached.
            unsafe { self.bound(bound.get()) };
        }
    }

    /// The caller's place in the source, when its severity asks for it.
    ///
    /// # Safety
    /// Attached, called from a native function that Python called.
    #[inline]
    pub unsafe fn location(&mut self) {
        if self.wants_location() {
            let py = self.py;
            // SAFETY: as the caller's.
            self.place(|writer| unsafe { location::write(py, writer) });
        }
    }

    /// Whether records of this severity say where they were made.
    #[inline]
    pub fn wants_location(&self) -> bool {
        self.meta.severity >= self.active.capture().location_severity
    }

    /// The location attributes as `write` writes them; those of the call win.
    pub fn place(&mut self, write: impl FnOnce(&mut RecordWriter)) {
        let room = self.active.capture().max_attributes.saturating_sub(self.attributes);
        if room >= location::ATTRIBUTES && self.bits & location::BITS == 0 {
            write(&mut self.writer);
            self.attributes += location::ATTRIBUTES;
        } else {
            self.unique(&location::fields(write), room);
        }
    }

    /// As `place`, for fewer attributes than usual.
    pub fn place_partly(&mut self, write: impl FnOnce(&mut RecordWriter)) {
        let room = self.active.capture().max_attributes.saturating_sub(self.attributes);
        self.unique(&location::fields(write), room);
    }

    /// Copies encoded attributes whose keys are not there yet, as far as there is room.
    fn unique(&mut self, fields: &[u8], room: usize) {
        let written = append_unique(&mut self.writer, fields, room);
        self.attributes += written.added;
        self.dropped += written.left_out;
    }

    /// Stages 3 and 4, then what runs on the caller after append. Returns what the log call returns. `context`: what
    /// processors find in the record; `None`: the current one.
    ///
    /// # Safety
    /// Attached.
    #[inline]
    pub unsafe fn finish(mut self, scope: u32, context: Option<&Bound<'py, PyAny>>) -> *mut ffi::PyObject {
        let active = self.active;
        // SAFETY: attached.
        let extras = unsafe { active.extras() };
        self.identify(scope);
        if extras.before_append() {
            self.thread();
        }
        if extras.enriches() {
            // SAFETY: attached.
            unsafe { self.enrich() };
        }
        self.weigh();
        if self.dropped > 0 {
            self.note_dropped(scope);
        }
        if extras.before_append() {
            // SAFETY: attached.
            match unsafe { process(self, scope, context) } {
                Some(processed) => self = processed,
                None => return helpers::done(),
            }
        }
        let mut redacted = active.pipeline.redact(&mut self.writer, self.meta);
        let kept = self.passage.goes_on(active, &redacted, scope);
        let appended = if kept { active.pipeline.append(&mut redacted, scope) } else { Appended::Refused };
        // SAFETY: attached.
        let (result, interrupt) = unsafe {
            if appended == Appended::Full || extras.after_append() {
                after_append(self.py, active, redacted, scope, appended)
            } else {
                (helpers::done(), None)
            }
        };
        // SAFETY: attached.
        unsafe { active.put_writer(std::mem::take(&mut self.writer)) };
        let mut interrupt = self.interrupt.or(interrupt);
        if active.pipeline.notices().waiting() {
            interrupt = interrupt.or(helpers::tell_notices(self.py, active));
        }
        if active.pipeline.summaries().waiting() {
            interrupt = interrupt.or(show(self.py, active));
        }
        match interrupt {
            None => result,
            Some(interrupt) => {
                interrupt.restore(self.py);
                // SAFETY: the reference that would have been returned.
                unsafe { ffi::Py_XDECREF(result) };
                ptr::null_mut()
            }
        }
    }
}

/// True for the category whose records shedding spares.
pub fn is_security(category: &Bound<'_, PyAny>) -> bool {
    let plain = category.getattr("value").unwrap_or_else(|_| category.clone());
    plain.eq("security").unwrap_or(false)
}
