//! Stage 3 of 7, redact: long texts, so that no cut hides a value from the scan. Thread: caller.
//!
//! Capture reads at most [`READ_TEXT_BYTES`] of one text, wherever that ends: in the middle of a card number, say, of
//! which no scan knows the half again. So less is kept than was read, [`KEPT_TEXT_BYTES`], and the end of that lies where
//! no value is ([`bound`]). The configured limit of attributes (OTel: `AttributeValueLengthLimit`) cuts last, when
//! redaction has seen all of a value ([`limit`]).

use crate::record::{tag, uid, RecordWriter};
use crate::redact::actions::seal::SEALED_KEY;
use crate::redact::actions::{MARKER_START, MAX_MARKER_BYTES};
use crate::redact::rewrite::{attribute, rewrite, Text};
use crate::redact::rules::NO_RULE;
use crate::redact::values::memory::with_memory;
use crate::redact::values::{ValuePolicy, MAX_DEPTH, REDACTED_KEY};
use crate::redact::walk::{copy_around, members_of, nested, parts};
use crate::redact::{ends_authority, Policy};
use crate::scan::keys::KeyPlan;
use crate::wire::{messages, Fields, Value};
use memchr::memmem;
use std::ops::Range;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// More than this of one text is never read.
pub const READ_TEXT_BYTES: usize = 256 * 1024;
/// More than this of one text is never kept: what the end of the reading cut in two lies behind it. The longest secret that
/// has a form, a private key of 16,384 bits, takes 13 KiB.
pub const KEPT_TEXT_BYTES: usize = 240 * 1024;
/// No value is longer than this.
const MAX_VALUE_BYTES: usize = READ_TEXT_BYTES - KEPT_TEXT_BYTES;
/// A word as long as this, or longer, is cut where the end is.
const MAX_WORD_BYTES: usize = 4 * 1024;
/// A place that values move in front of each other more often than this is given up: nothing of the text stays.
const MOST_MOVES: usize = 16;

/// Cuts texts of more than [`KEPT_TEXT_BYTES`] in front of the value that stands at the end.
#[inline]
pub fn bound(writer: &mut RecordWriter, policy: &Policy) {
    if writer.len() > KEPT_TEXT_BYTES {
        bound_large(writer, policy);
    }
}

#[cold]
fn bound_large(writer: &mut RecordWriter, policy: &Policy) {
    let mut out = Vec::with_capacity(writer.len());
    rewrite(writer.record(), &mut out, &mut |_, text, out| {
        let long = text.len() > KEPT_TEXT_BYTES;
        out.extend_from_slice(if long { &text[..end_of(text, policy)] } else { text });
    });
    writer.replace(&out);
}

/// Where a long text may end: at a blank, or another sign that no credentials in a URL hold, and inside of no value.
fn end_of(text: &[u8], policy: &Policy) -> usize {
    let policies = policy.values().into_iter().chain(policy.later());
    let mut end = in_front_of_word(text, on_border(text, KEPT_TEXT_BYTES));
    for _ in 0..MOST_MOVES {
        let value = in_front_of_value(text, end, &policies);
        let word = in_front_of_word(text, value);
        // In front of a value the word before may stay, unless it begins as credentials do.
        let next = if text[..word].ends_with(b"/") { word } else { value };
        if next == end {
            return end;
        }
        end = next;
    }
    0
}

fn in_front_of_word(text: &[u8], at: usize) -> usize {
    let word = &text[at.saturating_sub(MAX_WORD_BYTES)..at];
    word.iter().rposition(|byte| ends_authority(*byte)).map_or(at, |sign| at - word.len() + sign + 1)
}

/// A place in a text, or where the values begin that a cut at the place would go through.
///
/// In front of what one policy looks for may stand what another does, so they are asked until nobody moves the place.
pub fn in_front_of_value<'a>(
    text: &[u8],
    at: usize,
    policies: &(impl Iterator<Item = &'a ValuePolicy> + Clone),
) -> usize {
    let mut at = at;
    for _ in 0..MOST_MOVES {
        let next = policies.clone().fold(at, |at, values| in_front_of_one(text, at, values));
        if next == at {
            return at;
        }
        at = next;
    }
    0
}

fn in_front_of_one(text: &[u8], at: usize, values: &ValuePolicy) -> usize {
    let from = on_border(text, at.saturating_sub(MAX_VALUE_BYTES));
    let around = &text[from..text.len().min(at + MAX_VALUE_BYTES)];
    // The end may go through a character, and bytes need be no text.
    let seen = String::from_utf8_lossy(around);
    let spots = catch_unwind(AssertUnwindSafe(|| {
        with_memory(values, |memory| values.spots(&seen, &KeyPlan::NONE, NO_RULE, &mut memory.scratch))
    }));
    // Fail closed: what could not be looked at does not stay.
    let Ok(spots) = spots else { return from };
    let starts = starts_of_valid(around);
    let mut places = spots
        .iter()
        .map(|spot| (from + place(&starts, spot.range.start), from + place(&starts, spot.range.end)));
    places.find(|(start, end)| *start < at && at < *end).map_or(at, |(start, _)| start)
}

/// Where whole characters begin again, in the text that is made of bytes and in the bytes.
fn starts_of_valid(bytes: &[u8]) -> Vec<(usize, usize)> {
    let (mut seen, mut real) = (0, 0);
    let mut starts = vec![(0, 0)];
    for chunk in bytes.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()) {
        seen += chunk.valid().len() + char::REPLACEMENT_CHARACTER.len_utf8();
        real += chunk.valid().len() + chunk.invalid().len();
        starts.push((seen, real));
    }
    starts
}

/// Where a place of the text is in the bytes.
fn place(starts: &[(usize, usize)], at: usize) -> usize {
    let (seen, real) = starts[starts.partition_point(|(seen, _)| *seen <= at) - 1];
    real + at - seen
}

/// Cuts attribute values, at any depth: texts at `length` code points, bytes at `length` bytes.
///
/// A marker is not cut: it stays whole, and the value is that much longer. What fapilog itself writes as a list of texts,
/// and the record's uid, is no value that the limit is about. Nor is a value cut that the policy of a destination looks for.
#[inline]
pub fn limit(writer: &mut RecordWriter, length: usize, policy: &Policy) {
    if writer.len() > length && has_longer(writer.record(), length) {
        limit_some(writer, length, policy);
    }
}

#[cold]
fn limit_some(writer: &mut RecordWriter, length: usize, policy: &Policy) {
    let (record, mut out) = (writer.record(), Vec::with_capacity(writer.len()));
    let mut edit = |kind, text: &[u8], out: &mut Vec<u8>| {
        out.extend_from_slice(&text[..limited(kind, text, length, policy)]);
    };
    copy_around(record, &mut out, |number, inner, out| {
        number == 6
            && !is_exempt(inner)
            && nested(tag::ATTRIBUTE, out, |out| attribute(inner, out, &mut edit))
    });
    writer.replace(&out);
}

/// Whether an attribute may hold something to cut; a code point has a byte at least.
fn has_longer(record: &[u8], length: usize) -> bool {
    messages(record, 6).filter_map(|attribute| parts(attribute).1).any(|value| is_longer(value, length, 0))
}

fn is_longer(value: &[u8], length: usize, depth: usize) -> bool {
    let within = |member| is_longer(member, length, depth + 1);
    depth > MAX_DEPTH
        || Fields::new(value).any(|field| match field {
            (1 | 7, Value::Bytes(text)) => text.len() > length,
            (5, Value::Bytes(members)) => members_of(members).any(within),
            (6, Value::Bytes(entries)) => members_of(entries).filter_map(|entry| parts(entry).1).any(within),
            _ => false,
        })
}

fn is_exempt(attribute: &[u8]) -> bool {
    let key = parts(attribute).0;
    [REDACTED_KEY, SEALED_KEY, uid::KEY].iter().any(|ours| key == ours.as_bytes())
}

/// How much of a text stays.
fn limited(kind: Text, text: &[u8], length: usize, policy: &Policy) -> usize {
    let end = match kind {
        Text::Name => return text.len(),
        Text::Bytes => text.len().min(length),
        Text::String => nth_character(text, length),
    };
    let end = marker_around(text, end).map_or(end, |marker| marker.end);
    if end == text.len() {
        return end;
    }
    let front = in_front_of_value(text, end, &policy.later());
    marker_around(text, front).map_or(front, |marker| marker.start)
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
