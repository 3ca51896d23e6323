//! Stage 6 of 7, export: a borrowing reader of one encoded `LogRecord`. Thread: any; allocates nothing to read.
//!
//! Every encoder and the console read records through this view. It is tolerant: reading stops at the first
//! malformed byte of a message and keeps what came before, fields of an unexpected wire type are skipped, and
//! no input panics. Where a field occurs twice the last one counts, as protobuf says. Imports `wire` only.
//!
//! In this room: [`mod@request`] reads a whole request of such records.

pub mod request;

use crate::wire::{Fields, Value};
use std::collections::HashSet;

/// Arrays and maps nested deeper than this read as `AnyView::Empty`: the depth that the specification allows. Capture
/// stops at 30 (ADR 0006), so only records of other writers come near it.
pub const MAX_DEPTH: u8 = 64;

/// Field number of `LogRecord.attributes`.
const ATTRIBUTES: u32 = 6;
/// Field number of `ArrayValue.values` and `KeyValueList.values`.
const MEMBERS: u32 = 1;

/// One log record, borrowed from its protobuf bytes.
///
/// Absent fields have protobuf's defaults (0, "", `None`).
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordView<'a> {
    /// When the event occurred, in nanoseconds since the Unix epoch; 0 when unknown.
    pub time_unix_nanos: u64,
    /// When the event was observed, in nanoseconds since the Unix epoch; 0 when unknown.
    pub observed_time_unix_nanos: u64,
    /// 1 to 24, see `SeverityNumber` of the data model; 0 when unspecified.
    pub severity_number: i32,
    /// The severity as the source named it; see `severity_name` for a fallback.
    pub severity_text: &'a str,
    /// `None` when the record has no body.
    pub body: Option<AnyView<'a>>,
    /// In wire order, duplicates included.
    pub attributes: KvListView<'a>,
    /// Attributes that limits removed at the source.
    pub dropped_attributes_count: u32,
    /// The low eight bits are the W3C trace flags.
    pub flags: u32,
    /// `None` when absent, of a wrong length or all zeros.
    pub trace_id: Option<&'a [u8; 16]>,
    /// `None` when absent, of a wrong length or all zeros.
    pub span_id: Option<&'a [u8; 8]>,
    /// Empty when the record is not an event.
    pub event_name: &'a str,
    /// True when reading stopped before the end of the record.
    pub malformed: bool,
}

impl<'a> RecordView<'a> {
    /// Reads `record`: the message itself, without an outer field tag and length.
    #[must_use]
    pub fn parse(record: &'a [u8]) -> Self {
        let mut view = Self::default();
        let mut fields = Fields::new(record);
        let mut start = 0;
        let mut attributes: Option<(usize, usize)> = None;
        while let Some((number, value)) = fields.next() {
            let end = fields.offset();
            if number == ATTRIBUTES {
                attributes = Some((attributes.map_or(start, |(first, _)| first), end));
            } else {
                view.set(number, value);
            }
            start = end;
        }
        let span = attributes.and_then(|(first, end)| record.get(first..end)).unwrap_or_default();
        view.attributes = KvListView::within(span, ATTRIBUTES);
        view.malformed = fields.malformed();
        view
    }

    fn set(&mut self, number: u32, value: Value<'a>) {
        match (number, value) {
            (1, Value::Fixed64(nanos)) => self.time_unix_nanos = nanos,
            (2, Value::Varint(severity)) => self.severity_number = i32::try_from(severity).unwrap_or(0),
            (3, Value::Bytes(text)) => self.severity_text = valid_prefix(text),
            (5, Value::Bytes(body)) => self.body = Some(AnyView::parse(body, 0)),
            (7, Value::Varint(count)) => self.dropped_attributes_count = count as u32,
            (8, Value::Fixed32(flags)) => self.flags = flags,
            (9, Value::Bytes(id)) => self.trace_id = id.try_into().ok().filter(|id| *id != &[0; 16]),
            (10, Value::Bytes(id)) => self.span_id = id.try_into().ok().filter(|id| *id != &[0; 8]),
            (11, Value::Fixed64(nanos)) => self.observed_time_unix_nanos = nanos,
            (12, Value::Bytes(name)) => self.event_name = valid_prefix(name),
            _ => {}
        }
    }

    /// The event's time, or when it was observed if that is unknown; 0 when both are.
    #[must_use]
    pub const fn timestamp_unix_nanos(&self) -> u64 {
        if self.time_unix_nanos == 0 {
            self.observed_time_unix_nanos
        } else {
            self.time_unix_nanos
        }
    }

    /// `severity_text`, or the data model's short name of `severity_number` when that is empty.
    #[must_use]
    pub fn severity_name(&self) -> &'a str {
        if self.severity_text.is_empty() {
            severity_short_name(self.severity_number)
        } else {
            self.severity_text
        }
    }
}

/// The data model's short name of a severity number; `UNSPECIFIED` outside 1 to 24.
#[must_use]
pub fn severity_short_name(number: i32) -> &'static str {
    #[rustfmt::skip]
    const NAMES: [&str; 25] = [
        "UNSPECIFIED",
        "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4",
        "INFO", "INFO2", "INFO3", "INFO4", "WARN", "WARN2", "WARN3", "WARN4",
        "ERROR", "ERROR2", "ERROR3", "ERROR4", "FATAL", "FATAL2", "FATAL3", "FATAL4",
    ];
    usize::try_from(number).ok().and_then(|number| NAMES.get(number)).copied().unwrap_or(NAMES[0])
}

/// One `AnyValue`, borrowed from its protobuf bytes.
#[derive(Debug, Clone, Copy)]
pub enum AnyView<'a> {
    /// No value: null.
    Empty,
    /// A string.
    Str(&'a str),
    /// A truth value.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// A double, NaN and the infinities included.
    Double(f64),
    /// Bytes; also a string field that is not UTF-8, so that nothing of it is lost.
    Bytes(&'a [u8]),
    /// A list of values.
    Array(ArrayView<'a>),
    /// A map, in wire order.
    KvList(KvListView<'a>),
}

impl<'a> AnyView<'a> {
    /// Reads one `AnyValue` message that stands `depth` containers deep.
    fn parse(message: &'a [u8], depth: u8) -> Self {
        // As nearly always: one short text, or one number.
        match message {
            [0x0a, length, text @ ..] if *length < 0x80 && usize::from(*length) == text.len() => {
                return std::str::from_utf8(text).map_or(Self::Bytes(text), Self::Str);
            }
            [0x18, bits] if *bits < 0x80 => return Self::Int(i64::from(*bits)),
            _ => {}
        }
        let mut view = Self::Empty;
        for (number, value) in Fields::new(message) {
            match (number, value) {
                (1, Value::Bytes(text)) => {
                    view = std::str::from_utf8(text).map_or(Self::Bytes(text), Self::Str);
                }
                (2, Value::Varint(truth)) => view = Self::Bool(truth != 0),
                (3, Value::Varint(bits)) => view = Self::Int(i64::from_ne_bytes(bits.to_ne_bytes())),
                (4, Value::Fixed64(bits)) => view = Self::Double(f64::from_bits(bits)),
                (5 | 6, Value::Bytes(_)) if depth >= MAX_DEPTH => view = Self::Empty,
                (5, Value::Bytes(bytes)) => view = Self::Array(ArrayView { bytes, depth: depth + 1 }),
                (6, Value::Bytes(bytes)) => {
                    view = Self::KvList(KvListView { bytes, field: MEMBERS, depth: depth + 1 });
                }
                (7, Value::Bytes(bytes)) => view = Self::Bytes(bytes),
                _ => {}
            }
        }
        view
    }
}

/// The members of an array; iterate it as often as needed.
#[derive(Debug, Clone, Copy, Default)]
pub struct ArrayView<'a> {
    bytes: &'a [u8],
    depth: u8,
}

impl<'a> ArrayView<'a> {
    /// Iterates the values in wire order.
    #[must_use]
    pub fn iter(self) -> Values<'a> {
        Values { fields: Fields::new(self.bytes), depth: self.depth }
    }
}

impl<'a> IntoIterator for ArrayView<'a> {
    type Item = AnyView<'a>;
    type IntoIter = Values<'a>;

    fn into_iter(self) -> Values<'a> {
        self.iter()
    }
}

/// Iterator over the values of an array.
#[derive(Debug, Clone)]
pub struct Values<'a> {
    fields: Fields<'a>,
    depth: u8,
}

impl<'a> Iterator for Values<'a> {
    type Item = AnyView<'a>;

    fn next(&mut self) -> Option<AnyView<'a>> {
        next_message(&mut self.fields, MEMBERS).map(|message| AnyView::parse(message, self.depth))
    }
}

/// The entries of a map or of a record's attributes; iterate it as often as needed.
#[derive(Debug, Clone, Copy, Default)]
pub struct KvListView<'a> {
    bytes: &'a [u8],
    field: u32,
    depth: u8,
}

impl<'a> KvListView<'a> {
    /// The attributes that `message` holds in its field number `field`.
    pub(crate) const fn within(message: &'a [u8], field: u32) -> Self {
        Self { bytes: message, field, depth: 0 }
    }

    /// The message that holds the entries, with whatever else is in it.
    pub(crate) const fn message(self) -> &'a [u8] {
        self.bytes
    }

    /// Iterates the entries in wire order, duplicates included.
    #[must_use]
    pub fn iter(self) -> KeyValues<'a> {
        KeyValues { fields: Fields::new(self.bytes), field: self.field, depth: self.depth }
    }

    /// Iterates the entries in wire order; of a repeated key only the first one.
    ///
    /// For encoders whose format wants unique keys. Allocates only beyond 16 distinct keys, and its time is
    /// linear in the number of entries, so a record full of tiny keys cannot stall a caller.
    #[must_use]
    pub fn unique(self) -> UniqueKeyValues<'a> {
        UniqueKeyValues { entries: self.iter(), few: [""; 16], len: 0, many: HashSet::new(), taken: 0 }
    }

    /// The value of the first entry named `key`.
    #[must_use]
    pub fn get(self, key: &str) -> Option<AnyView<'a>> {
        self.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

impl<'a> IntoIterator for KvListView<'a> {
    type Item = (&'a str, AnyView<'a>);
    type IntoIter = KeyValues<'a>;

    fn into_iter(self) -> KeyValues<'a> {
        self.iter()
    }
}

/// Iterator over the entries of a map.
#[derive(Debug, Clone)]
pub struct KeyValues<'a> {
    fields: Fields<'a>,
    field: u32,
    depth: u8,
}

impl<'a> KeyValues<'a> {
    /// The next entry, with its key as it stands there, be it UTF-8 or not.
    pub(crate) fn next_raw(&mut self) -> Option<(&'a [u8], AnyView<'a>)> {
        let message = next_message(&mut self.fields, self.field)?;
        let mut entry: (&[u8], _) = (&[], AnyView::Empty);
        for field in Fields::new(message) {
            match field {
                (1, Value::Bytes(key)) => entry.0 = key,
                (2, Value::Bytes(value)) => entry.1 = AnyView::parse(value, self.depth),
                _ => {}
            }
        }
        Some(entry)
    }
}

impl<'a> Iterator for KeyValues<'a> {
    type Item = (&'a str, AnyView<'a>);

    fn next(&mut self) -> Option<(&'a str, AnyView<'a>)> {
        self.next_raw().map(|(key, value)| (valid_prefix(key), value))
    }
}

/// Iterator over the entries of a map without repeated keys.
#[derive(Debug, Clone)]
pub struct UniqueKeyValues<'a> {
    entries: KeyValues<'a>,
    few: [&'a str; 16],
    len: usize,
    many: HashSet<&'a str>,
    /// Entries that were looked at.
    taken: usize,
}

impl<'a> UniqueKeyValues<'a> {
    /// The number of the last entry in wire order, from 0.
    pub(crate) const fn number(&self) -> usize {
        self.taken.saturating_sub(1)
    }

    /// True when `key` was not seen before.
    fn remember(&mut self, key: &'a str) -> bool {
        if self.few.iter().take(self.len).any(|seen| *seen == key) {
            return false;
        }
        let Some(free) = self.few.get_mut(self.len) else {
            return self.many.insert(key);
        };
        *free = key;
        self.len += 1;
        true
    }
}

impl<'a> Iterator for UniqueKeyValues<'a> {
    type Item = (&'a str, AnyView<'a>);

    fn next(&mut self) -> Option<(&'a str, AnyView<'a>)> {
        loop {
            let entry = self.entries.next()?;
            self.taken += 1;
            if self.remember(entry.0) {
                return Some(entry);
            }
        }
    }
}

/// The next length-delimited field with this number.
pub(crate) fn next_message<'a>(fields: &mut Fields<'a>, wanted: u32) -> Option<&'a [u8]> {
    fields.find_map(|(number, value)| match value {
        Value::Bytes(message) if number == wanted => Some(message),
        _ => None,
    })
}

/// The text up to the first byte that is not UTF-8.
pub(crate) fn valid_prefix(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_else(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        std::str::from_utf8(valid).unwrap_or_default()
    })
}
