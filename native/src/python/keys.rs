//! Stage 2 of 7, capture: what a keyword name means, worked out once per name. Thread: caller.
//!
//! CPython interns keyword names, so one pointer stands for one name. The cache holds a strong reference (the
//! address cannot be used again), the encoded key, and the redaction decision under this pipeline's policy.
//! Names that were not interned (`log.info(**json)`) only churn it: entries hold no heap memory.

use crate::record::key_field;
use crate::redact::{KeyDecision, Policy};
use pyo3::ffi;
use std::ptr;

const SLOTS: usize = 1024;
const INLINE_BYTES: usize = 58;

/// What capture does with the value under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Encode it.
    Plain,
    /// Write the marker; never look at the value.
    Secret,
    /// A keyword with a meaning of its own.
    Reserved(Reserved),
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

/// One name's encoded key and meaning.
#[derive(Clone, Copy)]
pub struct KeyPlan<'a> {
    /// `0x0a <length> key`
    pub field: &'a [u8],
    pub kind: KeyKind,
    /// One bit of a 64-bit set, for "may this name be bound already?".
    pub bit: u64,
}

struct Slot {
    pointer: *mut ffi::PyObject,
    bit: u64,
    kind: KeyKind,
    length: u8,
    field: [u8; INLINE_BYTES],
}

/// Plans by name pointer, direct mapped.
pub struct KeyCache {
    slots: Vec<Slot>,
    /// The last name that did not fit a slot.
    spare: Vec<u8>,
}

impl KeyCache {
    pub fn new() -> Self {
        let empty = || Slot {
            pointer: ptr::null_mut(),
            bit: 0,
            kind: KeyKind::Plain,
            length: 0,
            field: [0; INLINE_BYTES],
        };
        Self { slots: (0..SLOTS).map(|_| empty()).collect(), spare: Vec::new() }
    }

    /// The plan for a keyword name.
    ///
    /// # Safety
    /// Attached; `name` is a live `str`.
    #[inline]
    pub unsafe fn plan(&mut self, name: *mut ffi::PyObject, policy: &Policy) -> KeyPlan<'_> {
        let address = name as usize >> 4;
        let index = (address ^ (address >> 10)) & (SLOTS - 1);
        if self.slots[index].pointer != name {
            // SAFETY: as the caller's.
            if let Some(plan) = unsafe { self.learn(index, name, policy) } {
                let (kind, bit) = plan;
                return KeyPlan { field: &self.spare, kind, bit };
            }
        }
        let slot = &self.slots[index];
        KeyPlan { field: &slot.field[..usize::from(slot.length)], kind: slot.kind, bit: slot.bit }
    }

    /// Fills a slot; a name that cannot be cached goes to `spare` and its meaning is returned.
    #[cold]
    unsafe fn learn(&mut self, index: usize, name: *mut ffi::PyObject, policy: &Policy) -> Option<(KeyKind, u64)> {
        // SAFETY: `name` is a str.
        let text = unsafe { super::text::owned_utf8(name) };
        let field = key_field(text.as_bytes());
        let (kind, bit) = (kind_of(&text, policy), bit_of(text.as_bytes()));
        // SAFETY: type pointers of live objects.
        let exact = unsafe { ffi::Py_TYPE(name) == &raw mut ffi::PyUnicode_Type };
        if !exact || field.len() > INLINE_BYTES {
            self.spare = field;
            return Some((kind, bit));
        }
        let slot = &mut self.slots[index];
        let old = slot.pointer;
        slot.field[..field.len()].copy_from_slice(&field);
        slot.length = field.len() as u8;
        slot.kind = kind;
        slot.bit = bit;
        slot.pointer = name;
        // SAFETY: both are exact str objects: taking and dropping references runs no Python code.
        unsafe {
            ffi::Py_INCREF(name);
            ffi::Py_XDECREF(old);
        }
        None
    }
}

fn kind_of(name: &str, policy: &Policy) -> KeyKind {
    if let Some((_, reserved)) = RESERVED.iter().find(|(known, _)| *known == name) {
        return KeyKind::Reserved(*reserved);
    }
    match policy.decide(name) {
        KeyDecision::Keep => KeyKind::Plain,
        KeyDecision::Hide => KeyKind::Secret,
    }
}

/// A stable bit for a key (FNV-1a, folded).
pub fn bit_of(key: &[u8]) -> u64 {
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    1 << ((hash ^ (hash >> 32)) & 63)
}
