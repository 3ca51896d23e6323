//! Stage 3 of 7, redact: what was hidden, of both passes, in one attribute. Thread: sender, delivery loop; console: caller.

use crate::record::tag;
use crate::redact::rewrite::nested;
use crate::redact::values::REDACTED_KEY;
use crate::wire::{put_bytes, Fields, Value};

/// The attribute names so many places at most, of each pass.
const MAX_NOTES: usize = 16;

/// The places that a record notes; `None`: it has no such attribute, or one that is somebody else's.
pub fn of(record: &[u8]) -> Option<Vec<Vec<u8>>> {
    let list = attributes(record).find_map(|(_, attribute)| value_of(attribute))?;
    let Some((5, Value::Bytes(members))) = Fields::new(list).next() else { return None };
    let text = |field| match field {
        (1, Value::Bytes(member)) => match Fields::new(member).next() {
            Some((1, Value::Bytes(text))) => Some(text.to_vec()),
            _ => None,
        },
        _ => None,
    };
    let notes: Vec<Vec<u8>> = Fields::new(members).map(text).collect::<Option<_>>()?;
    (notes.len() <= MAX_NOTES).then_some(notes)
}

/// The record without the attribute. `None`: it has none.
pub fn without(record: &[u8]) -> Option<Vec<u8>> {
    let (range, _) = attributes(record).find(|(_, attribute)| value_of(attribute).is_some())?;
    Some([&record[..range.start], &record[range.end..]].concat())
}

/// The record with both lists as one.
pub fn joined(record: &[u8], before: &[Vec<u8>]) -> Vec<u8> {
    let mut notes = before.to_vec();
    for note in of(record).unwrap_or_default() {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    let mut out = without(record).unwrap_or_else(|| record.to_vec());
    nested(tag::ATTRIBUTE, &mut out, |out| {
        put_bytes(out, tag::KEY, REDACTED_KEY.as_bytes());
        nested(tag::VALUE, out, |out| {
            nested(tag::ARRAY, out, |out| {
                for note in &notes {
                    nested(tag::KEY, out, |out| put_bytes(out, tag::STRING, note));
                }
            });
        });
    });
    out
}

/// The attributes of a record, with where they stand.
fn attributes(record: &[u8]) -> impl Iterator<Item = (std::ops::Range<usize>, &[u8])> {
    let mut fields = Fields::new(record);
    std::iter::from_fn(move || loop {
        let start = fields.offset();
        if let (6, Value::Bytes(attribute)) = fields.next()? {
            return Some((start..fields.offset(), attribute));
        }
    })
}

/// The value of the attribute, if it is this one.
fn value_of(attribute: &[u8]) -> Option<&[u8]> {
    let mut fields = Fields::new(attribute);
    match (fields.next()?, fields.next()?) {
        ((1, Value::Bytes(key)), (2, Value::Bytes(value))) if key == REDACTED_KEY.as_bytes() => Some(value),
        _ => None,
    }
}
