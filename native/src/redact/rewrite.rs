//! Stage 3 of 7, redact: copies a record while editing its texts. Thread: caller, off the hot path.
//!
//! Used by `redact` (hide credentials), `lengths` and `truncate` (cut long values). Lengths of enclosing messages are
//! written anew, so an edit may change a text's size. What cannot be parsed is left out: fail closed.

use crate::record::tag;
use crate::wire::{put_bytes, put_varint, varint_len, Fields, Value};

/// Nesting that is followed; capture stops at 30 (ADR 0006).
const MAX_DEPTH: usize = 80;

/// A piece of text inside a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// The event name, or a key at any depth.
    Name,
    /// A string value in the body or an attribute, at any depth.
    String,
    /// A bytes value.
    Bytes,
}

/// Copies `record` into `out`; `edit` appends what shall stand in place of each text.
pub fn rewrite(record: &[u8], out: &mut Vec<u8>, edit: &mut impl FnMut(Text, &[u8], &mut Vec<u8>)) {
    each_field(record, out, &mut |number, inner, out| match number {
        5 => nested(tag::BODY, out, |out| any_value(inner, out, edit, 0)),
        6 => nested(tag::ATTRIBUTE, out, |out| key_value(inner, out, edit, 0)),
        12 => nested(tag::EVENT_NAME, out, |out| edit(Text::Name, inner, out)),
        _ => false,
    });
}

/// Copies an attribute in the same way.
pub fn attribute(attribute: &[u8], out: &mut Vec<u8>, edit: &mut impl FnMut(Text, &[u8], &mut Vec<u8>)) {
    key_value(attribute, out, edit, 0);
}

/// Copies the fields of one message; `replace` answers true when it wrote a length-delimited field itself.
fn each_field(message: &[u8], out: &mut Vec<u8>, replace: &mut impl FnMut(u32, &[u8], &mut Vec<u8>) -> bool) {
    let mut fields = Fields::new(message);
    loop {
        let start = fields.offset();
        let Some((number, value)) = fields.next() else { return };
        let replaced = matches!(value, Value::Bytes(inner) if replace(number, inner, out));
        if !replaced {
            out.extend_from_slice(&message[start..fields.offset()]);
        }
    }
}

fn key_value(
    message: &[u8],
    out: &mut Vec<u8>,
    edit: &mut impl FnMut(Text, &[u8], &mut Vec<u8>),
    depth: usize,
) {
    each_field(message, out, &mut |number, inner, out| match number {
        1 => nested(tag::KEY, out, |out| edit(Text::Name, inner, out)),
        2 => nested(tag::VALUE, out, |out| any_value(inner, out, edit, depth)),
        _ => false,
    });
}

fn any_value(
    message: &[u8],
    out: &mut Vec<u8>,
    edit: &mut impl FnMut(Text, &[u8], &mut Vec<u8>),
    depth: usize,
) {
    if depth > MAX_DEPTH {
        return;
    }
    each_field(message, out, &mut |number, inner, out| match number {
        1 => nested(tag::STRING, out, |out| edit(Text::String, inner, out)),
        7 => nested(tag::BYTES, out, |out| edit(Text::Bytes, inner, out)),
        5 => nested(tag::ARRAY, out, |out| array(inner, out, edit, depth + 1)),
        6 => nested(tag::KVLIST, out, |out| kvlist(inner, out, edit, depth + 1)),
        _ => false,
    });
}

fn array(message: &[u8], out: &mut Vec<u8>, edit: &mut impl FnMut(Text, &[u8], &mut Vec<u8>), depth: usize) {
    each_field(message, out, &mut |number, inner, out| {
        number == 1 && nested(tag::KEY, out, |out| any_value(inner, out, edit, depth))
    });
}

fn kvlist(message: &[u8], out: &mut Vec<u8>, edit: &mut impl FnMut(Text, &[u8], &mut Vec<u8>), depth: usize) {
    each_field(message, out, &mut |number, inner, out| {
        number == 1 && nested(tag::KEY, out, |out| key_value(inner, out, edit, depth))
    });
}

/// Writes `tag`, the length and the payload that `fill` appends. Always true, for use as an answer of `replace`.
pub(crate) fn nested(tag: u8, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) -> bool {
    let start = out.len();
    fill(out);
    let length = (out.len() - start) as u64;
    let mut prefix = Vec::with_capacity(1 + varint_len(length));
    prefix.push(tag);
    put_varint(&mut prefix, length);
    out.splice(start..start, prefix);
    true
}

/// Appends one boolean attribute to a record.
pub fn append_attribute_bool(out: &mut Vec<u8>, key: &str, value: bool) {
    nested(tag::ATTRIBUTE, out, |out| {
        put_bytes(out, tag::KEY, key.as_bytes());
        out.extend_from_slice(&[tag::VALUE, 2, tag::BOOL, u8::from(value)]);
    });
}
