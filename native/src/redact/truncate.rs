//! Stage 3 of 7, redact: the last step, which fits one record into its cap. Thread: caller.
//!
//! It runs behind redaction: a cut through a card number would hide it from the scan. One record may so never
//! cost a batch (architecture, decision 15): long texts are cut first, then the last attributes are left out. Names
//! are never cut: half a key is another key.

use crate::record::encoded_attributes::has_key;
use crate::record::tag;
use crate::redact::lengths::{in_front_of_value, marker_around};
use crate::redact::rewrite::{append_attribute_bool, rewrite, Text};
use crate::redact::Policy;
use crate::wire::{put_varint, Fields, Value};

/// Attribute that marks a record which lost something to the cap.
pub const TRUNCATED_KEY: &str = "fapilog.truncated";
/// Room for the mark, the dropped count and the sequence attribute.
const RESERVE_BYTES: usize = 80;
/// Texts are not cut below this for the sake of more attributes: a message of eight letters tells nothing.
const SHORTEST_TEXT_BYTES: usize = 128;

/// Returns a record of at most `limit_bytes`, marked, when `record` is larger; `None` when it fits.
#[must_use]
pub fn fit(record: &[u8], limit_bytes: usize, policy: &Policy) -> Option<Vec<u8>> {
    if record.len() + RESERVE_BYTES <= limit_bytes {
        return None;
    }
    let room = limit_bytes.saturating_sub(RESERVE_BYTES);
    let mut text_bytes = room / 2;
    let mut out = Vec::new();
    loop {
        out.clear();
        rewrite(record, &mut out, &mut |kind, text, out| {
            out.extend_from_slice(cut(kind, text, text_bytes, policy));
        });
        if out.len() <= room || text_bytes <= SHORTEST_TEXT_BYTES {
            break;
        }
        text_bytes = (text_bytes / 4).max(SHORTEST_TEXT_BYTES);
    }
    if out.len() > room {
        out = what_fits(&out, room);
    }
    // It was cut before, if a processor saw it then, and made it larger again.
    if !has_key(&out, TRUNCATED_KEY.as_bytes()) {
        append_attribute_bool(&mut out, TRUNCATED_KEY, true);
    }
    Some(out)
}

/// The longest prefix of at most `limit` bytes that splits neither a character, nor a marker, nor a value that a destination hides.
fn cut<'a>(kind: Text, text: &'a [u8], limit: usize, policy: &Policy) -> &'a [u8] {
    if kind == Text::Name || text.len() <= limit {
        return text;
    }
    let mut end = marker_around(text, limit).map_or(limit, |marker| marker.start);
    while kind == Text::String && end > 0 && text[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    &text[..in_front_of_value(text, end, &policy.later())]
}

/// Keeps the fields that fit: the small ones that say what the record is, then its body, then attributes in order.
/// Attributes that do not fit are counted in `dropped_attributes_count`.
fn what_fits(record: &[u8], room: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(room + RESERVE_BYTES);
    let mut dropped = 0u64;
    for turn in 0..3 {
        let mut fields = Fields::new(record);
        loop {
            let start = fields.offset();
            let Some((number, value)) = fields.next() else { break };
            let raw = &record[start..fields.offset()];
            match (number, value) {
                (7, Value::Varint(count)) if turn == 0 => dropped = dropped.saturating_add(count),
                (7, _) => {}
                _ if turn_of(number) != turn => {}
                _ if out.len() + raw.len() <= room => out.extend_from_slice(raw),
                (6, _) => dropped = dropped.saturating_add(1),
                _ => {}
            }
        }
    }
    if dropped > 0 {
        out.push(tag::DROPPED_ATTRIBUTES);
        put_varint(&mut out, dropped.min(u64::from(u32::MAX)));
    }
    out
}

const fn turn_of(field: u32) -> u8 {
    match field {
        6 => 2,
        5 => 1,
        _ => 0,
    }
}
