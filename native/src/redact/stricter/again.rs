//! Stage 3 of 7, redact: secret keys and markers in what is encoded already. Thread: sender, delivery loop; console: caller.
//!
//! Capture decides about keys before it encodes a value; here the value is there, and goes. Reading comes first: most
//! records are as they may be.

use super::bare::Bare;
use super::sealed;
use crate::record::tag;
use crate::redact::values::MAX_DEPTH;
use crate::redact::walk::{copy_around, nested, whole_parts};
use crate::redact::{KeyDecision, Policy, SECRET_MARKER};
use crate::wire::{each_field, put_bytes, Fields, Value, LENGTH};
use std::collections::HashMap;

/// Names that are remembered; one more, and all are forgotten.
const MAX_KEYS: usize = 4_096;

/// What was decided about keys.
pub type KnownKeys = HashMap<Box<[u8]>, KeyDecision>;

/// One reading of encoded attributes.
pub struct Again<'a> {
    policy: &'a Policy,
    bare: &'a Bare,
    keys: &'a mut KnownKeys,
}

impl<'a> Again<'a> {
    /// With what is known of keys under this policy.
    pub fn new(policy: &'a Policy, bare: &'a Bare, keys: &'a mut KnownKeys) -> Self {
        Self { policy, bare, keys }
    }

    /// Whether something in a record has to go. `None`: it cannot be read.
    pub fn finds_in_record(&mut self, record: &[u8]) -> Option<bool> {
        any(record, |field| match field {
            (5, Value::Bytes(body)) => self.finds_in_value(body, 0),
            (6, Value::Bytes(attribute)) => self.finds_in_attribute(attribute, 0),
            (3 | 12, Value::Bytes(name)) => Some(self.bare.finds(name)),
            _ => Some(false),
        })
    }

    fn finds_in_attribute(&mut self, attribute: &[u8], depth: usize) -> Option<bool> {
        let (key, value) = whole_parts(attribute)?;
        let Some(value) = value else { return Some(self.bare.finds(key)) };
        let inside = self.finds_in_value(value, depth)?;
        let secret = self.hides(key) && !is_hidden(value);
        Some(inside || secret || self.bare.finds(key) || sealed::finds(self.bare, key, value))
    }

    fn finds_in_value(&mut self, value: &[u8], depth: usize) -> Option<bool> {
        if depth > MAX_DEPTH {
            return None;
        }
        any(value, |field| match field {
            (1 | 7, Value::Bytes(text)) => Some(self.bare.finds(text)),
            (5, Value::Bytes(members)) => any(members, |field| match field {
                (1, Value::Bytes(member)) => self.finds_in_value(member, depth + 1),
                _ => Some(false),
            }),
            (6, Value::Bytes(entries)) => any(entries, |field| match field {
                (1, Value::Bytes(entry)) => self.finds_in_attribute(entry, depth + 1),
                _ => Some(false),
            }),
            _ => Some(false),
        })
    }

    fn hides(&mut self, key: &[u8]) -> bool {
        if let Some(known) = self.keys.get(key) {
            return *known == KeyDecision::Hide;
        }
        if self.keys.len() >= MAX_KEYS {
            self.keys.clear();
        }
        let decision = self.policy.decide(&String::from_utf8_lossy(key));
        self.keys.insert(key.into(), decision);
        decision == KeyDecision::Hide
    }

    /// The record without it.
    #[must_use]
    pub fn record(&mut self, record: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(record.len());
        copy_around(record, &mut out, |number, inner, out| match number {
            5 => nested(tag::BODY, out, |out| self.value(inner, 0, out)),
            6 => nested(tag::ATTRIBUTE, out, |out| self.attribute(inner, 0, out)),
            3 => nested(tag::SEVERITY_TEXT, out, |out| self.text(inner, out)),
            12 => nested(tag::EVENT_NAME, out, |out| self.text(inner, out)),
            _ => false,
        });
        out
    }

    /// Attributes in the fields `number` of a message without it; other fields stay.
    #[must_use]
    pub fn attributes(&mut self, message: &[u8], number: u32) -> Vec<u8> {
        let tag = (number << 3 | u32::from(LENGTH)) as u8;
        let mut out = Vec::with_capacity(message.len());
        copy_around(message, &mut out, |found, inner, out| {
            found == number && nested(tag, out, |out| self.attribute(inner, 0, out))
        });
        out
    }

    fn attribute(&mut self, attribute: &[u8], depth: usize, out: &mut Vec<u8>) {
        let Some((key, value)) = whole_parts(attribute) else { return };
        if value.is_some_and(|value| sealed::finds(self.bare, key, value)) {
            return sealed::write(self.bare, key, value.unwrap_or_default(), out);
        }
        nested(tag::KEY, out, |out| self.text(key, out));
        let Some(value) = value else { return };
        if self.hides(key) {
            nested(tag::VALUE, out, |out| put_bytes(out, tag::STRING, SECRET_MARKER.as_bytes()));
        } else {
            nested(tag::VALUE, out, |out| self.value(value, depth, out));
        }
    }

    fn value(&mut self, value: &[u8], depth: usize, out: &mut Vec<u8>) {
        if depth > MAX_DEPTH {
            return;
        }
        copy_around(value, out, |number, inner, out| match number {
            1 => nested(tag::STRING, out, |out| self.text(inner, out)),
            7 => nested(tag::BYTES, out, |out| self.text(inner, out)),
            5 => nested(tag::ARRAY, out, |out| {
                copy_around(inner, out, |number, member, out| {
                    number != 1 || nested(tag::KEY, out, |out| self.value(member, depth + 1, out))
                });
            }),
            6 => nested(tag::KVLIST, out, |out| {
                copy_around(inner, out, |number, entry, out| {
                    number != 1 || nested(tag::KEY, out, |out| self.attribute(entry, depth + 1, out))
                });
            }),
            _ => false,
        });
    }

    fn text(&self, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bare.without_rests(text));
    }
}

/// Whether `finds` finds something in a field, all of which are read. `None`: one of them, or the message, is malformed.
fn any<'a>(message: &'a [u8], mut finds: impl FnMut((u32, Value<'a>)) -> Option<bool>) -> Option<bool> {
    let mut found = false;
    each_field(message, |field| {
        found |= finds(field)?;
        Some(())
    })?;
    Some(found)
}

/// Whether a value is the marker of a secret key already.
fn is_hidden(value: &[u8]) -> bool {
    matches!(Fields::new(value).next(), Some((1, Value::Bytes(text))) if text == SECRET_MARKER.as_bytes())
}
