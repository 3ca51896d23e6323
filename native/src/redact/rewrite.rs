//! Stage 3 of 7, redact: copies a record while editing its texts. Thread: caller, off the hot path.
//!
//! Used by `redact` (hide credentials), `lengths` and `truncate` (cut long values). Lengths of enclosing messages are
//! written anew, so an edit may change a text's size. What cannot be parsed is left out: fail closed.

use crate::record::tag;
use crate::redact::walk::{copy_around, nested};
use crate::wire::put_bytes;

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
    copy_around(record, out, |number, inner, out| match number {
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

fn key_value(
    message: &[u8],
    out: &mut Vec<u8>,
    edit: &mut impl FnMut(Text, &[u8], &mut Vec<u8>),
    depth: usize,
) {
    copy_around(message, out, |number, inner, out| match number {
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
    copy_around(message, out, |number, inner, out| match number {
        1 => nested(tag::STRING, out, |out| edit(Text::String, inner, out)),
        7 => nested(tag::BYTES, out, |out| edit(Text::Bytes, inner, out)),
        5 => nested(tag::ARRAY, out, |out| {
            each(inner, out, |member, out| any_value(member, out, edit, depth + 1));
        }),
        6 => nested(tag::KVLIST, out, |out| {
            each(inner, out, |entry, out| key_value(entry, out, edit, depth + 1));
        }),
        _ => false,
    });
}

/// Copies an array or a map, whose members `write` writes.
fn each(list: &[u8], out: &mut Vec<u8>, mut write: impl FnMut(&[u8], &mut Vec<u8>)) {
    copy_around(list, out, |number, member, out| {
        number == 1 && nested(tag::KEY, out, |out| write(member, out))
    });
}

/// Appends one boolean attribute to a record.
pub fn append_attribute_bool(out: &mut Vec<u8>, key: &str, value: bool) {
    nested(tag::ATTRIBUTE, out, |out| {
        put_bytes(out, tag::KEY, key.as_bytes());
        out.extend_from_slice(&[tag::VALUE, 2, tag::BOOL, u8::from(value)]);
    });
}
