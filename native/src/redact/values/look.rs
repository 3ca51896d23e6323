//! Stage 3 of 7, redact: whether a record holds a sensitive value. Thread: caller, for every record.
//!
//! It reads and writes nothing, and ends at the first finding.

use crate::redact::actions::seal::entry::Entry;
use crate::redact::actions::seal::list::entries;
use crate::redact::values::memory::Memory;
use crate::redact::values::{ValuePolicy, LONG_FLOAT, LONG_NUMBER, MAX_DEPTH};
use crate::scan::keys::KeyPlan;
use crate::wire::{Fields, Value};

/// True when `record` holds one, or cannot be read.
pub fn finds(policy: &ValuePolicy, record: &[u8], memory: &mut Memory) -> bool {
    let mut look = Look { policy, memory, path: Vec::new() };
    let mut fields = Fields::new(record);
    let found = fields.by_ref().any(|field| match field {
        (5, Value::Bytes(body)) => look.value(body, &KeyPlan::NONE, 0),
        (6, Value::Bytes(attribute)) => !look.is_sealed(attribute) && look.attribute(attribute, 0),
        (3 | 12, Value::Bytes(name)) => look.text(name, &KeyPlan::NONE),
        _ => false,
    });
    found || fields.malformed()
}

struct Look<'a> {
    policy: &'a ValuePolicy,
    memory: &'a mut Memory,
    /// The names of the attributes around, joined by dots.
    path: Vec<u8>,
}

impl Look<'_> {
    /// True for the attribute with what was sealed before: nothing is found in ciphertext.
    fn is_sealed(&mut self, attribute: &[u8]) -> bool {
        let (key, value) = parts(attribute);
        entries(key, value).is_some_and(|entries| are_clean(self.policy, &entries, self.memory))
    }

    fn attribute(&mut self, attribute: &[u8], depth: usize) -> bool {
        let (key, value) = parts(attribute);
        let before = self.path.len();
        if before > 0 {
            self.path.push(b'.');
        }
        self.path.extend_from_slice(key);
        let known = self.memory.key(self.policy, &self.path);
        let found = known.tells || value.is_some_and(|value| self.value(value, &known.plan, depth));
        self.path.truncate(before);
        found
    }

    fn value(&mut self, value: &[u8], plan: &KeyPlan, depth: usize) -> bool {
        if depth > MAX_DEPTH {
            return true;
        }
        let mut fields = Fields::new(value);
        let found = fields.by_ref().any(|field| match field {
            (1, Value::Bytes(text)) => self.text(text, plan),
            (7, Value::Bytes(bytes)) => self.text(bytes, plan),
            (3 | 4, number) => number_text(number, plan).is_some_and(|text| self.text(text.as_bytes(), plan)),
            (5, Value::Bytes(members)) => self.members(members, plan, depth),
            (6, Value::Bytes(entries)) => Fields::new(entries)
                .any(|field| matches!(field, (1, Value::Bytes(entry)) if self.attribute(entry, depth + 1))),
            _ => false,
        });
        found || fields.malformed()
    }

    fn members(&mut self, members: &[u8], plan: &KeyPlan, depth: usize) -> bool {
        let each = Fields::new(members)
            .any(|field| matches!(field, (1, Value::Bytes(member)) if self.value(member, plan, depth + 1)));
        each || joined(members).is_some_and(|text| self.text(text.as_bytes(), plan))
    }

    fn text(&mut self, text: &[u8], plan: &KeyPlan) -> bool {
        let text = String::from_utf8_lossy(text);
        !self.policy.scanner().scan(&text, plan, &mut self.memory.scratch).is_empty()
    }
}

/// Whether the paths of sealed values hold none themselves.
pub(super) fn are_clean(policy: &ValuePolicy, entries: &[&str], memory: &mut Memory) -> bool {
    entries
        .iter()
        .filter_map(|text| Entry::parse(text))
        .all(|entry| policy.scanner().scan(entry.path, &KeyPlan::NONE, &mut memory.scratch).is_empty())
}

/// Key and value of an attribute.
pub(super) fn parts(attribute: &[u8]) -> (&[u8], Option<&[u8]>) {
    let (mut key, mut value): (&[u8], _) = (&[], None);
    for field in Fields::new(attribute) {
        match field {
            (1, Value::Bytes(bytes)) => key = bytes,
            (2, Value::Bytes(bytes)) => value = Some(bytes),
            _ => {}
        }
    }
    (key, value)
}

/// A number as a text, when it may be an identifier: by its length, or because its key says so.
#[must_use]
pub fn number_text(number: Value<'_>, plan: &KeyPlan) -> Option<String> {
    match number {
        Value::Varint(bits) => {
            let number = bits as i64;
            (plan.speaks() || number.unsigned_abs() >= LONG_NUMBER).then(|| number.to_string())
        }
        Value::Fixed64(bits) => {
            let number = f64::from_bits(bits);
            let long = number.abs() >= LONG_FLOAT && number.fract() == 0.0;
            ((plan.speaks() || long) && number.is_finite()).then(|| number.to_string())
        }
        _ => None,
    }
}

/// The texts of an array as one, so that a number that was split at its blanks is seen. `None`: there are none to join.
pub(super) fn joined(members: &[u8]) -> Option<String> {
    const MAX_BYTES: usize = 256;
    let mut text = String::new();
    let mut count = 0;
    for field in Fields::new(members) {
        let (1, Value::Bytes(member)) = field else { return None };
        let piece = match Fields::new(member).next()? {
            (1, Value::Bytes(piece)) => std::str::from_utf8(piece).ok()?.to_owned(),
            (3, Value::Varint(number)) => (number as i64).to_string(),
            _ => return None,
        };
        if text.len() + piece.len() > MAX_BYTES {
            return None;
        }
        if count > 0 {
            text.push(' ');
        }
        text.push_str(&piece);
        count += 1;
    }
    (count > 1).then_some(text)
}
