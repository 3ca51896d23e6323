//! Stage 3 of 7, redact: long texts, so that no cut hides a value from the scan. Thread: caller.
//!
//! Capture reads at most [`READ_TEXT_BYTES`] of one text, wherever that ends: in the middle of a card number, say, of
//! which no scan knows the half again. So less is kept than was read, [`KEPT_TEXT_BYTES`], and the end of that lies where
//! no value is ([`bound`]). The configured limit of attributes (OTel: `AttributeValueLengthLimit`) cuts last, when
//! redaction has seen all of a value ([`limit`]).

use crate::record::{tag, uid, RecordWriter};
use crate::redact::actions::seal::SEALED_KEY;
use crate::redact::actions::{MARKER_START, MAX_MARKER_BYTES};
use crate::redact::ends_authority;
use crate::redact::rewrite::{attribute, nested, rewrite, Text};
use crate::redact::rules::NO_RULE;
use crate::redact::values::look::parts;
use crate::redact::values::memory::{with_memory, Memory};
use crate::redact::values::whole::emptied;
use crate::redact::values::{ValuePolicy, MAX_DEPTH, REDACTED_KEY, UNSCANNED_MARKER};
use crate::scan::keys::KeyPlan;
use crate::wire::{Fields, Value};
use memchr::memmem;
use std::ops::Range;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// More than this of one text is never read.
pub const READ_TEXT_BYTES: usize = 256 * 1024;
/// More than this of one text is never kept: what the end of the reading cut in two lies behind it. The longest secret that
/// has a form, a private key of 16,384 bits, takes 13 KiB.
pub const KEPT_TEXT_BYTES: usize = 240 * 1024;
/// A word as long as this, or longer, is cut where the end is.
const MAX_WORD_BYTES: usize = 4 * 1024;

/// Cuts texts of more than [`KEPT_TEXT_BYTES`] in front of the value that stands at the end.
#[inline]
pub fn bound(writer: &mut RecordWriter, values: Option<&ValuePolicy>) {
    if writer.len() > KEPT_TEXT_BYTES {
        bound_large(writer, values);
    }
}

#[cold]
fn bound_large(writer: &mut RecordWriter, values: Option<&ValuePolicy>) {
    let bounded = catch_unwind(AssertUnwindSafe(|| match values {
        Some(values) => with_memory(values, |memory| bounded(writer.record(), Some((values, memory)))),
        None => bounded(writer.record(), None),
    }));
    match bounded {
        Ok(record) => writer.replace(&record),
        // Fail closed, as redaction itself does.
        Err(_) => writer.replace(&emptied(writer.record(), UNSCANNED_MARKER, None)),
    }
}

fn bounded(record: &[u8], mut values: Option<(&ValuePolicy, &mut Memory)>) -> Vec<u8> {
    let mut out = Vec::with_capacity(record.len());
    rewrite(record, &mut out, &mut |_, text, out| {
        let end = if text.len() > KEPT_TEXT_BYTES { end_of(text, &mut values) } else { text.len() };
        out.extend_from_slice(&text[..end]);
    });
    out
}

/// Where a long text may end: at a blank, or another sign that no credentials in a URL hold, and inside of no value.
fn end_of(text: &[u8], values: &mut Option<(&ValuePolicy, &mut Memory)>) -> usize {
    let mut end = on_border(text, KEPT_TEXT_BYTES);
    if let Some((values, memory)) = values {
        // What was cut off may have been the rest of a character.
        let text = text.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let spots = values.spots(text, &KeyPlan::NONE, NO_RULE, &mut memory.scratch);
        let at_end = spots.iter().find(|spot| spot.range.start < end && end < spot.range.end);
        end = at_end.map_or(end, |spot| spot.range.start);
    }
    let word = &text[end.saturating_sub(MAX_WORD_BYTES)..end];
    word.iter().rposition(|byte| ends_authority(*byte)).map_or(end, |at| end - word.len() + at + 1)
}

/// Cuts attribute values, at any depth: texts at `length` code points, bytes at `length` bytes.
///
/// A marker is not cut: it stays whole, and the value is that much longer. What fapilog itself writes as a list of texts,
/// and the record's uid, is no value that the limit is about.
#[inline]
pub fn limit(writer: &mut RecordWriter, length: usize) {
    if writer.len() > length && has_longer(writer.record(), length) {
        limit_some(writer, length);
    }
}

#[cold]
fn limit_some(writer: &mut RecordWriter, length: usize) {
    let (record, mut out) = (writer.record(), Vec::with_capacity(writer.len()));
    let mut fields = Fields::new(record);
    loop {
        let start = fields.offset();
        let Some(field) = fields.next() else { break };
        match field {
            (6, Value::Bytes(inner)) if !is_exempt(inner) => {
                nested(tag::ATTRIBUTE, &mut out, |out| {
                    attribute(inner, out, &mut |kind, text, out| {
                        out.extend_from_slice(&text[..limited(kind, text, length)]);
                    });
                });
            }
            _ => out.extend_from_slice(&record[start..fields.offset()]),
        }
    }
    writer.replace(&out);
}

/// Whether an attribute may hold something to cut; a code point has a byte at least.
fn has_longer(record: &[u8], length: usize) -> bool {
    Fields::new(record).any(|field| {
        matches!(field, (6, Value::Bytes(inner)) if parts(inner).1.is_some_and(|value| is_longer(value, length, 0)))
    })
}

fn is_longer(value: &[u8], length: usize, depth: usize) -> bool {
    let member = |field| match field {
        (1, Value::Bytes(member)) => is_longer(member, length, depth + 1),
        _ => false,
    };
    let entry = |field| match field {
        (1, Value::Bytes(entry)) => parts(entry).1.is_some_and(|value| is_longer(value, length, depth + 1)),
        _ => false,
    };
    depth > MAX_DEPTH
        || Fields::new(value).any(|field| match field {
            (1 | 7, Value::Bytes(text)) => text.len() > length,
            (5, Value::Bytes(members)) => Fields::new(members).any(member),
            (6, Value::Bytes(entries)) => Fields::new(entries).any(entry),
            _ => false,
        })
}

fn is_exempt(attribute: &[u8]) -> bool {
    let key = parts(attribute).0;
    [REDACTED_KEY, SEALED_KEY, uid::KEY].iter().any(|ours| key == ours.as_bytes())
}

/// How much of a text stays.
fn limited(kind: Text, text: &[u8], length: usize) -> usize {
    let end = match kind {
        Text::Name => return text.len(),
        Text::Bytes => text.len().min(length),
        Text::String => nth_character(text, length),
    };
    marker_around(text, end).map_or(end, |marker| marker.end)
}

/// Where the character with this index begins, or the text's end.
fn nth_character(text: &[u8], index: usize) -> usize {
    if text.len() <= index {
        return text.len();
    }
    let starts = text.iter().enumerate().filter(|(_, byte)| **byte & 0xc0 != 0x80);
    starts.map(|(at, _)| at).nth(index).unwrap_or(text.len())
}

/// The marker that a cut at `at` would go through.
#[must_use]
pub fn marker_around(text: &[u8], at: usize) -> Option<Range<usize>> {
    let from = at.saturating_sub(MAX_MARKER_BYTES);
    let before = &text[from..text.len().min(at + MARKER_START.len() - 1)];
    let start = from + memmem::rfind(before, MARKER_START.as_bytes())?;
    let marker = &text[start..text.len().min(start + MAX_MARKER_BYTES)];
    let end = start + memchr::memchr(b']', marker)? + 1;
    (start < at && at < end).then_some(start..end)
}

/// The last border of a character up to `at`.
fn on_border(text: &[u8], at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|end| text.get(*end).is_none_or(|byte| byte & 0xc0 != 0x80))
        .unwrap_or(0)
}
