//! Stage 2 of 7, capture: one log record as OTLP bytes in reusable scratch memory. Thread: caller.
//!
//! Before: `python::capture`, which reads Python objects. After: `redact`.
//! The bytes written here are the bytes on the wire: nothing encodes a record again.
//!
//! A record is written in this order, so that a prefix is known before its payload or can be put in front:
//! times, severity, trace context, body, attributes, the rest; then [`crate::redact`] looks at it, and
//! `RecordWriter::frame` appends the sequence attribute and puts `0x12 <length>` before the first byte.
//!
//! In this room: [`fields`] are encoded once and copied, [`encoded_attributes`] too, a group at a time; [`uid`] is `log.record.uid`, [`correlation`] an id of a request, [`own`] the names that are ours.

pub mod correlation;
pub mod encoded_attributes;
pub mod fields;
pub mod own;
pub mod tag;
pub mod uid;

use crate::record::fields::{Key, KeyField, SeverityField, TraceFields};
use crate::wire::{put_bytes, put_varint, varint_len, Appender};

/// Attribute that carries a record's position in its process, so that a gap is visible at the backend.
pub const SEQUENCE_KEY: &str = "fapilog.sequence";
/// Bytes of the padded varint that stage 4 fills in: 49 bits.
pub const SEQUENCE_BYTES: usize = 7;
/// Bytes of the sequence attribute as a whole.
pub const SEQUENCE_ATTRIBUTE_BYTES: usize = 30;
/// The sequence attribute with the number still zero. A padded varint is legal protobuf, of fixed size.
const SEQUENCE_ATTRIBUTE: &[u8; SEQUENCE_ATTRIBUTE_BYTES] =
    b"\x32\x1c\x0a\x10fapilog.sequence\x12\x08\x18\x80\x80\x80\x80\x80\x80\x00";

/// Room before the record for `0x12` and its length (up to 9 varint bytes).
const HEADROOM: usize = 10;
/// A tag and the longest varint.
const PREFIX_BYTES: usize = 11;
/// Texts up to this many bytes take the short way: with a [`crate::record::fields::ShortKey`] their lengths are one byte each.
const SHORT_TEXT: usize = 64;
/// Room for any attribute or body on the short way, blocks that are copied whole included.
const SHORT_ROOM: usize = 256;
/// Scratch memory above this is given back after the record, so that one huge record does not stay resident.
const KEEP_BYTES: usize = 64 * 1024;

/// What later stages decide by, beside the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// OTel severity number, 0 when unspecified.
    pub severity: u8,
    /// Audit, security, ERROR and above: shedding spares it.
    pub protected: bool,
}

/// Position of a length byte that is filled in when its message is complete.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Open(usize);

/// Writes one record after the other into the same memory.
#[derive(Debug, Default)]
pub struct RecordWriter {
    bytes: Vec<u8>,
}

impl RecordWriter {
    /// Memory for records of usual size; grows for larger ones.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: Vec::with_capacity(4096) }
    }

    /// Memory for a few attributes, for those who make a writer each time; grows for more.
    #[must_use]
    pub fn for_attributes() -> Self {
        Self { bytes: Vec::with_capacity(512) }
    }

    /// Starts a record: times, severity and the active span. `time` may be 0 (unknown).
    #[inline]
    pub fn begin(
        &mut self,
        time_unix_nanos: u64,
        observed_time_unix_nanos: u64,
        severity: &SeverityField,
        span: Option<&TraceFields>,
    ) {
        self.bytes.clear();
        let mut head = [0u8; HEADROOM + 18];
        head[HEADROOM] = tag::TIME;
        head[HEADROOM + 1..HEADROOM + 9].copy_from_slice(&time_unix_nanos.to_le_bytes());
        head[HEADROOM + 9] = tag::OBSERVED_TIME;
        head[HEADROOM + 10..].copy_from_slice(&observed_time_unix_nanos.to_le_bytes());
        let mut out = Appender::new(&mut self.bytes, 256);
        out.block(&head, head.len());
        out.block(&severity.bytes, usize::from(severity.length));
        if let Some(span) = span {
            out.block(&span.0, span.0.len());
        }
        out.finish();
    }

    /// Replaces both times' first one after `begin`, for callers that learn it late (`timestamp=`).
    pub fn set_time(&mut self, time_unix_nanos: u64) {
        if let Some(slot) = self.bytes.get_mut(HEADROOM + 1..HEADROOM + 9) {
            slot.copy_from_slice(&time_unix_nanos.to_le_bytes());
        }
    }

    /// Bytes written so far, without headroom.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() - HEADROOM.min(self.bytes.len())
    }

    /// True before `begin`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The span that `begin` wrote, behind times and severity; `None`: there was none.
    #[must_use]
    pub fn span(&self) -> Option<TraceFields> {
        let mut rest = self.record().get(18..)?;
        if let [tag::SEVERITY_NUMBER, _, more @ ..] = rest {
            rest = more;
        }
        if let [tag::SEVERITY_TEXT, length, more @ ..] = rest {
            rest = more.get(usize::from(*length)..)?;
        }
        let fields = rest.first_chunk().filter(|fields| fields[0] == tag::FLAGS)?;
        Some(TraceFields(*fields))
    }

    /// Body as a string.
    #[inline]
    pub fn body_str(&mut self, text: &[u8]) {
        if !(1..=SHORT_TEXT).contains(&text.len()) || self.room() < SHORT_ROOM {
            return self.long_body(text);
        }
        // Every length is one byte, and nothing here is a call.
        let mut out = Appender::new(&mut self.bytes, SHORT_ROOM);
        let length = text.len() as u8;
        out.block(&[tag::BODY, length + 2, tag::STRING, length], 4);
        out.slice(text);
        out.finish();
    }

    #[inline(never)]
    fn long_body(&mut self, text: &[u8]) {
        let mut out = Appender::new(&mut self.bytes, text.len() + 2 * PREFIX_BYTES);
        out.byte(tag::BODY);
        out.varint((1 + varint_len(text.len() as u64) + text.len()) as u64);
        out.byte(tag::STRING);
        out.varint(text.len() as u64);
        out.slice(text);
        out.finish();
    }

    /// Severity text of any length, for what does not fit a [`SeverityField`].
    pub fn severity_text(&mut self, text: &[u8]) {
        put_bytes(&mut self.bytes, tag::SEVERITY_TEXT, text);
    }

    /// Trace context of a record from elsewhere, which may lack any of the three; zero: left out.
    pub fn trace_context(&mut self, trace_id: u128, span_id: u64, flags: u32) {
        if flags > 0 {
            self.bytes.push(tag::FLAGS);
            self.bytes.extend_from_slice(&flags.to_le_bytes());
        }
        if trace_id > 0 {
            put_bytes(&mut self.bytes, tag::TRACE_ID, &trace_id.to_be_bytes());
        }
        if span_id > 0 {
            put_bytes(&mut self.bytes, tag::SPAN_ID, &span_id.to_be_bytes());
        }
    }

    /// Event name.
    pub fn event_name(&mut self, name: &[u8]) {
        if !name.is_empty() {
            put_bytes(&mut self.bytes, tag::EVENT_NAME, name);
        }
    }

    /// Number of attributes that a limit left out.
    pub fn dropped_attributes(&mut self, count: u32) {
        if count > 0 {
            self.bytes.push(tag::DROPPED_ATTRIBUTES);
            put_varint(&mut self.bytes, u64::from(count));
        }
    }

    /// String attribute.
    #[inline]
    pub fn attribute_str(&mut self, key: &(impl Key + ?Sized), text: &[u8]) {
        let length = key.len() + 4 + text.len();
        if !(4..=SHORT_TEXT).contains(&text.len()) || length >= 0x80 || self.room() < SHORT_ROOM {
            return self.long_attribute(key, text);
        }
        // Every length is one byte, and nothing here is a call.
        let mut out = Appender::new(&mut self.bytes, SHORT_ROOM);
        out.block(&[tag::ATTRIBUTE, length as u8], 2);
        key.put(&mut out);
        let short = text.len() as u8;
        out.block(&[tag::VALUE, short + 2, tag::STRING, short], 4);
        out.slice(text);
        out.finish();
    }

    #[inline(never)]
    fn long_attribute(&mut self, key: &(impl Key + ?Sized), text: &[u8]) {
        let inner = 1 + varint_len(text.len() as u64) + text.len();
        let mut out = self.attribute_of(key, 1 + varint_len(inner as u64) + inner);
        out.byte(tag::VALUE);
        out.varint(inner as u64);
        out.byte(tag::STRING);
        out.varint(text.len() as u64);
        out.slice(text);
        out.finish();
    }

    /// Integer attribute.
    #[inline]
    pub fn attribute_int(&mut self, key: &(impl Key + ?Sized), value: i64) {
        let inner = 1 + varint_len(value as u64);
        let mut out = self.attribute_of(key, 2 + inner);
        out.block(&[tag::VALUE, inner as u8, tag::INT], 3);
        out.varint(value as u64);
        out.finish();
    }

    /// Floating-point attribute.
    #[inline]
    pub fn attribute_double(&mut self, key: &(impl Key + ?Sized), value: f64) {
        let mut field = [tag::VALUE, 9, tag::DOUBLE, 0, 0, 0, 0, 0, 0, 0, 0];
        field[3..].copy_from_slice(&value.to_le_bytes());
        let mut out = self.attribute_of(key, field.len());
        out.block(&field, field.len());
        out.finish();
    }

    /// Boolean attribute.
    #[inline]
    pub fn attribute_bool(&mut self, key: &(impl Key + ?Sized), value: bool) {
        let mut out = self.attribute_of(key, 4);
        out.block(&[tag::VALUE, 2, tag::BOOL, u8::from(value)], 4);
        out.finish();
    }

    /// Attribute without a value (`None`): the key is kept.
    pub fn attribute_none(&mut self, key: &(impl Key + ?Sized)) {
        let mut out = self.attribute_of(key, 2);
        out.block(&[tag::VALUE, 0], 2);
        out.finish();
    }

    /// Attributes that were encoded before (`bind`, `bind_context`): whole `KeyValue` fields.
    #[inline]
    pub fn encoded_attributes(&mut self, fields: &[u8]) {
        self.bytes.extend_from_slice(fields);
    }

    /// Opens an attribute whose value's size is not known yet; write one `any_*` value, then `close` it.
    pub fn open_attribute(&mut self, key: &KeyField) -> (Open, Open) {
        let attribute = self.open(tag::ATTRIBUTE);
        self.bytes.extend_from_slice(key.as_slice());
        let value = self.open(tag::VALUE);
        (attribute, value)
    }

    /// Closes what `open_attribute` opened.
    pub fn close_attribute(&mut self, (attribute, value): (Open, Open)) {
        self.close(value);
        self.close(attribute);
    }

    /// Opens the body for one `any_*` value.
    pub fn open_body(&mut self) -> Open {
        self.open(tag::BODY)
    }

    /// Opens a nested message with a one-byte tag.
    pub fn open(&mut self, tag: u8) -> Open {
        self.bytes.extend_from_slice(&[tag, 0]);
        Open(self.bytes.len() - 1)
    }

    /// Fills in the length of what `open` opened; moves the payload when the length needs more than one byte.
    pub fn close(&mut self, open: Open) {
        let length = self.bytes.len() - open.0 - 1;
        if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
            self.bytes[open.0] = short;
            return;
        }
        let mut prefix = [0u8; 10];
        let count = write_varint(&mut prefix, length as u64);
        self.bytes.splice(open.0..=open.0, prefix[..count].iter().copied());
    }

    /// Forgets everything written since `length` (as [`Self::len`] gave it).
    pub fn rewind(&mut self, length: usize) {
        self.bytes.truncate(HEADROOM + length);
    }

    /// String inside an open value.
    pub fn any_str(&mut self, text: &[u8]) {
        put_bytes(&mut self.bytes, tag::STRING, text);
    }

    /// Bytes inside an open value.
    pub fn any_bytes(&mut self, bytes: &[u8]) {
        put_bytes(&mut self.bytes, tag::BYTES, bytes);
    }

    /// Integer inside an open value.
    pub fn any_int(&mut self, value: i64) {
        self.bytes.push(tag::INT);
        put_varint(&mut self.bytes, value as u64);
    }

    /// Floating-point number inside an open value.
    pub fn any_double(&mut self, value: f64) {
        self.bytes.push(tag::DOUBLE);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Boolean inside an open value.
    pub fn any_bool(&mut self, value: bool) {
        self.bytes.extend_from_slice(&[tag::BOOL, u8::from(value)]);
    }

    /// The key of an open `KeyValue`.
    pub fn key(&mut self, key: &[u8]) {
        put_bytes(&mut self.bytes, tag::KEY, key);
    }

    /// The record so far: what stage 3 reads.
    #[must_use]
    pub fn record(&self) -> &[u8] {
        self.bytes.get(HEADROOM..).unwrap_or_default()
    }

    /// Replaces the record, when stage 3 had to write another.
    pub fn replace(&mut self, record: &[u8]) {
        self.bytes.truncate(HEADROOM);
        self.bytes.extend_from_slice(record);
    }

    /// Completes the record as a `ScopeLogs.log_records` field. With `sequenced`, its last bytes are the padded number.
    #[inline]
    pub(crate) fn frame(&mut self, sequenced: bool) -> &mut [u8] {
        if sequenced {
            let mut out = Appender::new(&mut self.bytes, SEQUENCE_ATTRIBUTE.len());
            out.block(SEQUENCE_ATTRIBUTE, SEQUENCE_ATTRIBUTE.len());
            out.finish();
        }
        let length = (self.bytes.len() - HEADROOM) as u64;
        let prefix = 1 + varint_len(length);
        let start = HEADROOM - prefix;
        match self.bytes.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
            // Most records.
            Some(place) if prefix == 3 => *place = [tag::FRAME, length as u8 | 0x80, (length >> 7) as u8],
            _ => {
                self.bytes[start] = tag::FRAME;
                write_varint(&mut self.bytes[start + 1..], length);
            }
        }
        &mut self.bytes[start..]
    }

    /// Gives memory of an unusually large record back.
    #[inline]
    pub fn relax(&mut self) {
        if self.bytes.capacity() > KEEP_BYTES {
            self.bytes = Vec::with_capacity(4096);
        }
    }

    #[inline]
    fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    /// Opens an attribute whose value field, tag and length included, takes `value_bytes`.
    #[inline]
    fn attribute_of(&mut self, key: &(impl Key + ?Sized), value_bytes: usize) -> Appender<'_> {
        let length = key.len() + value_bytes;
        let mut out = Appender::new(&mut self.bytes, length + PREFIX_BYTES + KeyField::SIZE);
        out.byte(tag::ATTRIBUTE);
        out.varint(length as u64);
        key.put(&mut out);
        out
    }
}

/// Writes `number` as the padded varint that `RecordWriter::frame` left at the end of `frame`.
#[inline]
pub fn patch_sequence(frame: &mut [u8], number: u64) {
    let Some(place) = frame.last_chunk_mut::<SEQUENCE_BYTES>() else { return };
    for (index, byte) in place.iter_mut().enumerate() {
        let continues = if index + 1 < SEQUENCE_BYTES { 0x80 } else { 0 };
        *byte = ((number >> (7 * index)) as u8 & 0x7f) | continues;
    }
}

/// Writes a varint at the start of `out` and tells how many bytes it took.
fn write_varint(out: &mut [u8], mut value: u64) -> usize {
    let mut at = 0;
    while value >= 0x80 {
        out[at] = (value as u8) | 0x80;
        value >>= 7;
        at += 1;
    }
    out[at] = value as u8;
    at + 1
}
