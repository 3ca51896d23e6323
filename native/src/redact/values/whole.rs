//! Stage 3 of 7, redact: a record of which nothing but its frame may stay. Thread: caller, rarely.

use crate::record::tag;
use crate::redact::values::write::put_notes;
use crate::redact::walk::{copy, nested, parts};
use crate::wire::{put_bytes, Fields, Value};

/// Attribute of a record's category.
const CATEGORY: &[u8] = b"fapilog.event.category";
/// The category of security records.
const SECURITY: &[u8] = b"security";

/// What is left of a record without its content: when, how severe, in which trace; `marker` for its body.
#[must_use]
pub fn emptied(record: &[u8], marker: &str, note: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    copy(record, &mut out, |field, _| {
        // A severity text comes from a level's name, which anybody may choose.
        let times = matches!(field.0, 1 | 2 | 8..=11) && !matches!(field, (2, Value::Bytes(_)));
        !times && !is_security(field)
    });
    nested(tag::BODY, &mut out, |out| put_bytes(out, tag::STRING, marker.as_bytes()));
    if let Some(note) = note {
        put_notes(&[note.to_owned()], &mut out);
    }
    out
}

/// True for records that nobody drops in silence: those of `audit()` and `security()`, by their severities (INFO2,
/// WARN2), and of the category `security`.
#[must_use]
pub fn is_spared(record: &[u8]) -> bool {
    Fields::new(record).any(|field| matches!(field, (2, Value::Varint(10 | 14))) || is_security(field))
}

fn is_security(field: (u32, Value<'_>)) -> bool {
    let (6, Value::Bytes(attribute)) = field else { return false };
    let (key, value) = parts(attribute);
    key == CATEGORY
        && Fields::new(value.unwrap_or_default()).any(|field| matches!(field, (1, Value::Bytes(SECURITY))))
}
