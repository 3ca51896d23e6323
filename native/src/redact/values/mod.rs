//! Stage 3 of 7, redact: a record without the sensitive values that the scanner finds. Thread: caller.
//!
//! [`look`] reads a record and tells whether anything is inside; most records end there. [`write`] writes the others
//! anew. Both go the same way: the body, each attribute at any depth under the name of its path, names of attributes,
//! the event name; texts, bytes, and numbers that are long enough to be one.
//!
//! Fail closed: a fault of the scanner costs the record's body and attributes, never lets them through.

pub mod look;
pub mod memory;
pub mod write;

use crate::record::tag;
use crate::record::RecordWriter;
use crate::redact::actions::Action;
use crate::redact::rewrite::nested;
use crate::redact::values::memory::{with_memory, Memory};
use crate::scan::kind::Kind;
use crate::scan::{Scanner, Settings};
use crate::wire::put_bytes;
use crate::wire::{Fields, Value};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};

/// Attribute that says what was hidden: `["body:pan", "user.email:email"]`, never what it was.
pub const REDACTED_KEY: &str = "fapilog.redacted";
/// The attribute names so many places at most.
const MAX_NOTES: usize = 16;
/// Nesting that is followed; capture stops at 30.
pub(crate) const MAX_DEPTH: usize = 80;
/// Integers below this are no identifier without a word that says so: the shortest card number has 12 digits.
const LONG_NUMBER: u64 = 100_000_000_000;
/// [`LONG_NUMBER`] among floating-point numbers.
const LONG_FLOAT: f64 = 1e11;
/// Stands where a fault of ours kept a text from being scanned.
pub const UNSCANNED_MARKER: &str = "[REDACTED:unscanned]";

static GENERATIONS: AtomicU64 = AtomicU64::new(1);

/// Which values are hidden and how; compiled once.
#[derive(Debug, Clone)]
pub struct ValuePolicy {
    scanner: Scanner,
    actions: Vec<Action>,
    /// Plans of keys that a thread remembers belong to one policy.
    generation: u64,
}

impl ValuePolicy {
    /// A policy that hides what `settings` look for: each kind as `actions` say, and by [`Action::Remove`] else.
    #[must_use]
    pub fn new(settings: Settings, actions: impl IntoIterator<Item = (Kind, Action)>) -> Self {
        let mut table = vec![Action::Remove; Kind::ALL.len()];
        for (kind, action) in actions {
            table[kind as usize] = action;
        }
        let generation = GENERATIONS.fetch_add(1, Ordering::Relaxed);
        Self { scanner: Scanner::new(settings), actions: table, generation }
    }

    /// What scans.
    #[must_use]
    pub fn scanner(&self) -> &Scanner {
        &self.scanner
    }

    /// What to do with a kind.
    #[must_use]
    pub fn action(&self, kind: Kind) -> &Action {
        &self.actions[kind as usize]
    }

    /// Hides what is found in the record of `writer`.
    pub fn hide(&self, writer: &mut RecordWriter) {
        let hidden = catch_unwind(AssertUnwindSafe(|| {
            with_memory(self, |memory| self.without_values(writer.record(), memory))
        }));
        match hidden {
            Ok(None) => {}
            Ok(Some(record)) => writer.replace(&record),
            Err(_) => writer.replace(&unscanned(writer.record())),
        }
    }

    /// A text of its own without them.
    #[must_use]
    pub fn without_values_in(&self, text: &str) -> String {
        let text = with_memory(self, |memory| write::text(self, text.as_bytes(), memory));
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Attributes of a scope or a resource without them: `KeyValue` fields of the number `field`; other fields stay.
    #[must_use]
    pub fn without_values_of(&self, attributes: &[u8], field: u32) -> Vec<u8> {
        with_memory(self, |memory| write::attributes(self, attributes, field, memory))
    }

    /// The record without them; `None` when there are none.
    #[must_use]
    pub fn without_values(&self, record: &[u8], memory: &mut Memory) -> Option<Vec<u8>> {
        look::finds(self, record, memory).then(|| write::write(self, record, memory))
    }
}

/// What is left of a record that could not be scanned: when, how severe, in which trace.
fn unscanned(record: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    let mut fields = Fields::new(record);
    loop {
        let start = fields.offset();
        let Some((number, value)) = fields.next() else { break };
        // A severity text comes from a level's name, which anybody may choose.
        if matches!(number, 1 | 2 | 8..=11) && !matches!((number, value), (2, Value::Bytes(_))) {
            out.extend_from_slice(&record[start..fields.offset()]);
        }
    }
    nested(tag::BODY, &mut out, |out| put_bytes(out, tag::STRING, UNSCANNED_MARKER.as_bytes()));
    out
}
