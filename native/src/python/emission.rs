//! Stage 2 of 7, capture: one record on its way from the call to its bytes. Thread: caller.
//!
//! An [`Emission`] is one record on its way. It owns its scratch memory, so a value's method that logs while it is
//! read starts another one and disturbs nothing.

use super::active::Active;
use super::bound::BoundAttributes;
use super::ending::may_call_python;
use super::keys::{KeyKind, KeyPlan, Looked};
use super::level::Level;
use super::nested::Nested;
use super::passage::Passage;
use super::text::{borrowed_utf8, owned_utf8, with_utf8};
use super::values::ValueReader;
use super::{location, trace};
use crate::record::encoded_attributes::{has_key, EncodedAttributes};
use crate::record::fields::{KeyBits, KeyField, TraceFields};
use crate::record::own::is_note;
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
    /// The attribute keys so far.
    keys: KeyBits,
    pub meta: Meta,
    pub passage: Passage,
    reserved: bool,
    /// Whether it passed redaction before, so that notes are those of redaction.
    pub again: bool,
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
    #[inline(always)]
    #[allow(clippy::inline_always)] // What it makes is moved twice otherwise.
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

    /// A record of which nothing but this is known.
    #[inline]
    pub fn with(py: Python<'py>, active: &'a Active, writer: RecordWriter, meta: Meta) -> Self {
        Self {
            py,
            active,
            writer,
            attributes: 0,
            dropped: 0,
            keys: KeyBits::NONE,
            meta,
            passage: Passage::FREE,
            reserved: false,
            again: false,
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
                if let Some(text) = borrowed_utf8(value) {
                    return self.writer.body_str(text);
                }
            }
            self.other_body(value);
        }
    }

    /// A body that is no short string.
    #[cold]
    #[inline(never)]
    unsafe fn other_body(&mut self, value: *mut ffi::PyObject) {
        // SAFETY: as the caller's.
        unsafe {
            if ptr::eq(ffi::Py_TYPE(value), &raw mut ffi::PyUnicode_Type) {
                return self.writer.body_str(owned_utf8(value).as_bytes());
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
        // the key is looked up again and copied.
        unsafe {
            let active = self.active;
            let plan = match active.keys.get().known(name) {
                Some(plan) if plan.kind.is_plain(WORDS) => plan,
                _ => match self.special::<WORDS>(name, value) {
                    Some(plan) => plan,
                    None => return,
                },
            };
            if self.attributes >= active.capture().max_attributes {
                self.dropped += 1;
                return;
            }
            self.attributes += 1;
            self.keys = self.keys.with(plan.bits);
            let kind = ffi::Py_TYPE(value);
            if ptr::eq(kind, &raw mut ffi::PyUnicode_Type) {
                if let Some(text) = borrowed_utf8(value) {
                    return self.writer.attribute_str(&plan.key, text);
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
            self.other(name, value);
        }
    }

    /// A value that is not plain. Its key is looked up again: a conversion that failed may have run the collector, and
    /// a finaliser that logs.
    #[cold]
    #[inline(never)]
    unsafe fn other(&mut self, name: *mut ffi::PyObject, value: *mut ffi::PyObject) {
        // SAFETY: as the caller's; the key is copied before the value is looked at.
        unsafe {
            let policy = &self.active.pipeline.settings().policy;
            let field = match self.active.keys.get().look_up(name, policy) {
                Looked::Plan(plan) => plan.key.to_field(),
                Looked::Long(field, ..) => field,
            };
            self.any(&field, value);
        }
    }

    /// A secret, a reserved or a very long name. Returns the plan of one that is plain, and was met for the first time.
    ///
    /// # Safety
    /// As [`Self::keyword`]; the plan as [`super::keys::KeyCache::look_up`] says.
    #[cold]
    #[inline(never)]
    unsafe fn special<const WORDS: bool>(
        &mut self,
        name: *mut ffi::PyObject,
        value: *mut ffi::PyObject,
    ) -> Option<&'a KeyPlan> {
        let active = self.active;
        // SAFETY: as the caller's; what is needed of the cache is copied before a value is read.
        let (field, kind, bits) =
            match unsafe { active.keys.get().look_up(name, &active.pipeline.settings().policy) } {
                Looked::Plan(plan) if plan.kind.is_plain(WORDS) => return Some(plan),
                Looked::Plan(plan) => (plan.key.to_field(), plan.kind, plan.bits),
                Looked::Long(field, kind, bits) => (field, kind, bits),
            };
        if WORDS && matches!(kind, KeyKind::Reserved(_)) {
            self.reserved = true;
            return None;
        }
        if kind == KeyKind::Category {
            // SAFETY: a live object of the running call.
            self.meta.protected |= is_security(&unsafe { Bound::from_borrowed_ptr(self.py, value) });
        }
        let forged = kind == KeyKind::Note && !self.again;
        if forged || self.attributes >= active.capture().max_attributes {
            self.dropped += 1;
            return None;
        }
        self.attributes += 1;
        self.keys = self.keys.with(bits);
        if kind == KeyKind::Secret {
            self.writer.attribute_str(&field, SECRET_MARKER.as_bytes());
        } else {
            // SAFETY: as the caller's.
            unsafe { self.any(&field, value) };
        }
        None
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
        !self.keys.is_disjoint(KeyBits::of(name.as_bytes())) && has_key(self.writer.record(), name.as_bytes())
    }

    /// As [`Self::has_key`], for a name that the cache may know.
    ///
    /// # Safety
    /// Attached; `name` is a live `str`.
    pub unsafe fn has_name(&self, name: *mut ffi::PyObject) -> bool {
        // SAFETY: as the caller's; the cache is let go of at once.
        unsafe {
            let bits = match self.active.keys.get().look_up(name, &self.active.pipeline.settings().policy) {
                Looked::Plan(plan) => plan.bits,
                Looked::Long(_, _, bits) => bits,
            };
            !self.keys.is_disjoint(bits) && with_utf8(name, |name| has_key(self.writer.record(), name))
        }
    }

    /// An attribute under a name of ours or of a mapping; the first one under a name stays.
    pub fn named(&mut self, name: &str, value: &Bound<'py, PyAny>) {
        if self.has_key(name) {
            return;
        }
        let forged = is_note(name) && !self.again;
        if forged || self.attributes >= self.active.capture().max_attributes {
            self.dropped += 1;
            return;
        }
        self.attributes += 1;
        self.keys = self.keys.with(KeyBits::of(name.as_bytes()));
        self.read(|reader| reader.named_attribute(name, value));
    }

    /// Reads values that may run Python code. A value whose method logs itself ends here before the stack does.
    pub fn read(&mut self, with: impl FnOnce(&mut ValueReader<'_, 'py>)) {
        let Some(_level) = Nested::enter().filter(|_| may_call_python()) else {
            self.dropped += 1;
            return;
        };
        let policy = &self.active.pipeline.settings().policy;
        let mut reader = ValueReader::new(self.py, &mut self.writer, policy, self.active.capture().max_depth);
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
        self.encoded(encoded);
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
        if room >= location::ATTRIBUTES && self.keys.is_disjoint(location::BITS) {
            write(&mut self.writer);
            self.attributes += location::ATTRIBUTES;
        } else {
            self.encoded(&EncodedAttributes::new(location::fields(write)));
        }
    }

    /// As `place`, for fewer attributes than usual.
    pub fn place_partly(&mut self, write: impl FnOnce(&mut RecordWriter)) {
        self.encoded(&EncodedAttributes::new(location::fields(write)));
    }

    /// Encoded attributes whose keys are not there yet, as far as there is room.
    #[inline]
    fn encoded(&mut self, attributes: &EncodedAttributes) {
        let room = self.active.capture().max_attributes.saturating_sub(self.attributes);
        let written = attributes.append(&mut self.writer, self.keys, room);
        self.attributes += written.added;
        self.dropped += written.left_out;
        self.keys = self.keys.with(attributes.keys());
    }
}

/// True for the category whose records shedding spares.
pub fn is_security(category: &Bound<'_, PyAny>) -> bool {
    let plain = category.getattr("value").unwrap_or_else(|_| category.clone());
    plain.eq("security").unwrap_or(false)
}
