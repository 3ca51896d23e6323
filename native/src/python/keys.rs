//! Stage 2 of 7, capture: what a keyword name means, worked out once per name. Thread: caller.
//!
//! CPython interns keyword names, so one pointer stands for one name. The cache holds a strong reference (the
//! address cannot be used again), the encoded key, and the redaction decision under this pipeline's policy.
//! Names that were not interned (`log.info(**json)`) only churn it: entries hold no heap memory.

use super::record_parts::{part_named, Part};
use crate::record::fields::{KeyBits, KeyField, ShortKey};
use crate::record::own::is_note;
use crate::redact::{KeyDecision, Policy};
use pyo3::ffi;
use std::ptr;

const SLOTS: usize = 1024;

/// What capture does with the value under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Encode it.
    Plain,
    /// Write the marker; never look at the value.
    Secret,
    /// Encode it; it may name the category that shedding spares.
    Category,
    /// What only redaction may say: leave it out.
    Note,
    /// A keyword with a meaning of its own.
    Reserved(Reserved),
}

/// The attribute that a record's category is exported as.
pub const CATEGORY: &str = "fapilog.event.category";

impl KeyKind {
    /// Whether the value is written as it is. Without `words` no name is reserved: a foreign record is not a call of ours.
    #[inline]
    pub fn is_plain(self, words: bool) -> bool {
        self == Self::Plain || !words && matches!(self, Self::Reserved(_))
    }
}

/// Keywords that are not attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    ExcInfo,
    EventName,
    Category,
    Severity,
    Tags,
    Timestamp,
}

const RESERVED: [(&str, Reserved); 6] = [
    ("exc_info", Reserved::ExcInfo),
    ("event_name", Reserved::EventName),
    ("category", Reserved::Category),
    ("severity", Reserved::Severity),
    ("tags", Reserved::Tags),
    ("timestamp", Reserved::Timestamp),
];

/// What a name means among the attributes of a foreign record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Attribute,
    /// The record's event name.
    EventName,
    /// The same under the name that the semantic conventions gave up.
    OldEventName,
    /// What every record of `logging` has.
    Known(Part),
}

/// `extra` keys of `logging`, as OpenTelemetry's own handler reads them.
const ROLES: [(&str, Role); 2] = [("otel.event.name", Role::EventName), ("event.name", Role::OldEventName)];

/// One name's encoded key and meaning.
#[derive(Clone, Copy)]
pub struct KeyPlan {
    pub key: ShortKey,
    pub kind: KeyKind,
    pub role: Role,
    /// For "may this name be bound already?".
    pub bits: KeyBits,
}

impl KeyPlan {
    const EMPTY: Self =
        Self { key: ShortKey::EMPTY, kind: KeyKind::Plain, role: Role::Attribute, bits: KeyBits::NONE };
}

/// What the cache knows of a name.
pub enum Looked<'a> {
    Plan(&'a KeyPlan),
    /// Too long for a slot; worked out anew each time.
    Long(KeyField, KeyKind, KeyBits),
}

struct Slot {
    pointer: *mut ffi::PyObject,
    plan: KeyPlan,
}

/// Plans by name pointer: each name has two slots, because one record may have two names that share their first.
pub struct KeyCache {
    slots: Box<[Slot; SLOTS]>,
}

impl KeyCache {
    // Once per pipeline; a `vec!` of slots that cannot be cloned would need a loop and a conversion.
    #[allow(clippy::large_stack_arrays)]
    pub fn new() -> Self {
        Self { slots: Box::new([const { Slot { pointer: ptr::null_mut(), plan: KeyPlan::EMPTY } }; SLOTS]) }
    }

    /// The plan for a keyword name that was looked up before. The borrow ends before Python code may run.
    #[inline]
    pub fn known(&self, name: *mut ffi::PyObject) -> Option<&KeyPlan> {
        let index = slot_of(name);
        let (first, second) = (&self.slots[index], &self.slots[beside(index)]);
        if ptr::eq(first.pointer, name) {
            return Some(&first.plan);
        }
        ptr::eq(second.pointer, name).then_some(&second.plan)
    }

    /// The plan for a keyword name. The borrow ends before Python code may run.
    ///
    /// # Safety
    /// Attached; `name` is a live `str`.
    #[inline]
    pub unsafe fn look_up(&mut self, name: *mut ffi::PyObject, policy: &Policy) -> Looked<'_> {
        let mut index = slot_of(name);
        if self.slots[index].pointer != name {
            if self.slots[beside(index)].pointer == name {
                index = beside(index);
            // SAFETY: as the caller's.
            } else if let Some(long) = unsafe { self.learn(index, name, policy) } {
                return long;
            }
        }
        Looked::Plan(&self.slots[index].plan)
    }

    /// What a name means, without its key.
    ///
    /// # Safety
    /// As [`Self::look_up`].
    pub unsafe fn kind(&mut self, name: *mut ffi::PyObject, policy: &Policy) -> KeyKind {
        // SAFETY: as the caller's.
        match unsafe { self.look_up(name, policy) } {
            Looked::Plan(plan) => plan.kind,
            Looked::Long(_, kind, _) => kind,
        }
    }

    /// What a name means in a foreign record.
    ///
    /// # Safety
    /// As [`Self::look_up`].
    pub unsafe fn role(&mut self, name: *mut ffi::PyObject, policy: &Policy) -> Role {
        // SAFETY: as the caller's.
        match unsafe { self.look_up(name, policy) } {
            Looked::Plan(plan) => plan.role,
            Looked::Long(..) => Role::Attribute,
        }
    }

    /// Fills a slot, whose name moves to the one beside it, or works a name out that cannot be cached.
    #[cold]
    unsafe fn learn(
        &mut self,
        index: usize,
        name: *mut ffi::PyObject,
        policy: &Policy,
    ) -> Option<Looked<'static>> {
        // SAFETY: `name` is a str.
        let text = unsafe { super::text::owned_utf8(name) };
        let field = KeyField::new(text.as_bytes());
        let (kind, bits) = (kind_of(&text, policy), KeyBits::of(text.as_bytes()));
        // SAFETY: type pointers of live objects.
        let exact = unsafe { ffi::Py_TYPE(name) == &raw mut ffi::PyUnicode_Type };
        let Some(key) = ShortKey::new(&field).filter(|_| exact) else {
            return Some(Looked::Long(field, kind, bits));
        };
        let learnt = Slot { pointer: name, plan: KeyPlan { key, kind, role: role_of(&text), bits } };
        let before = std::mem::replace(&mut self.slots[index], learnt);
        let old = std::mem::replace(&mut self.slots[beside(index)], before).pointer;
        // SAFETY: both are exact str objects: taking and dropping references runs no Python code.
        unsafe {
            ffi::Py_INCREF(name);
            ffi::Py_XDECREF(old);
        }
        None
    }
}

#[inline]
fn slot_of(name: *mut ffi::PyObject) -> usize {
    let address = name as usize >> 4;
    (address ^ (address >> 10)) & (SLOTS - 1)
}

/// The other slot of a name.
#[inline]
const fn beside(index: usize) -> usize {
    index ^ 1
}

fn kind_of(name: &str, policy: &Policy) -> KeyKind {
    if let Some((_, reserved)) = RESERVED.iter().find(|(known, _)| *known == name) {
        return KeyKind::Reserved(*reserved);
    }
    if name == CATEGORY {
        return KeyKind::Category;
    }
    if is_note(name) {
        return KeyKind::Note;
    }
    match policy.decide(name) {
        KeyDecision::Keep => KeyKind::Plain,
        KeyDecision::Hide => KeyKind::Secret,
    }
}

fn role_of(name: &str) -> Role {
    let event_name = ROLES.iter().find(|(known, _)| *known == name).map(|(_, role)| *role);
    event_name.or_else(|| part_named(name).map(Role::Known)).unwrap_or(Role::Attribute)
}
