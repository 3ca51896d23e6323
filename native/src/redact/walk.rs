//! Stage 3 of 7, redact: what all who read and write encoded records share. Thread: any, as the caller's.
//!
//! What is edited, and what happens to bytes that are no message, is each caller's own.

use crate::record::tag;
use crate::wire::{messages, put_bytes, put_varint, varint_len, Fields, Value};

/// Copies the fields of a message; `replace` answers true for one that it wrote itself, or that is to go.
pub fn copy<'a>(
    message: &'a [u8],
    out: &mut Vec<u8>,
    mut replace: impl FnMut((u32, Value<'a>), &mut Vec<u8>) -> bool,
) {
    let (mut fields, mut start) = (Fields::new(message), 0);
    while let Some(field) = fields.next() {
        let end = fields.offset();
        if !replace(field, out) {
            out.extend_from_slice(&message[start..end]);
        }
        start = end;
    }
}

/// The same; `replace` is asked about fields with a length only.
pub fn copy_around(
    message: &[u8],
    out: &mut Vec<u8>,
    mut replace: impl FnMut(u32, &[u8], &mut Vec<u8>) -> bool,
) {
    copy(message, out, |(number, value), out| match value {
        Value::Bytes(inner) => replace(number, inner, out),
        _ => false,
    });
}

/// The members of an array or a map.
pub fn members_of(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    messages(list, 1)
}

/// Key and value of an attribute.
pub fn parts(attribute: &[u8]) -> (&[u8], Option<&[u8]>) {
    parts_of(&mut Fields::new(attribute))
}

/// Key and value of an attribute; `None` when it is malformed.
pub fn whole_parts(attribute: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let mut fields = Fields::new(attribute);
    let parts = parts_of(&mut fields);
    (!fields.malformed()).then_some(parts)
}

#[inline]
fn parts_of<'a>(attribute: &mut Fields<'a>) -> (&'a [u8], Option<&'a [u8]>) {
    let (mut key, mut value): (&[u8], _) = (&[], None);
    for field in attribute {
        match field {
            (1, Value::Bytes(bytes)) => key = bytes,
            (2, Value::Bytes(bytes)) => value = Some(bytes),
            _ => {}
        }
    }
    (key, value)
}

/// Writes `tag`, the length and the payload that `fill` appends. Always true, for use as an answer of `replace`.
pub fn nested(tag: u8, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) -> bool {
    let start = out.len();
    fill(out);
    let length = (out.len() - start) as u64;
    let mut prefix = Vec::with_capacity(1 + varint_len(length));
    prefix.push(tag);
    put_varint(&mut prefix, length);
    out.splice(start..start, prefix);
    true
}

/// Writes key and value of an attribute that is a list of texts.
pub fn put_texts(key: &[u8], texts: &[String], out: &mut Vec<u8>) {
    put_bytes(out, tag::KEY, key);
    nested(tag::VALUE, out, |out| {
        nested(tag::ARRAY, out, |out| {
            for text in texts {
                nested(tag::KEY, out, |out| put_bytes(out, tag::STRING, text.as_bytes()));
            }
        });
    });
}
