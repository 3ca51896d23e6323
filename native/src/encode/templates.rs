//! Stage 6 of 7, export: documents of records that are alike but for their values. Thread: as `encode`.
//!
//! Records of one call have the same attributes, so their documents have the same text between the values. The first such
//! document is written by its encoder, which notes where it put which value ([`Spots`]). Of the others the text between is
//! copied and the values are written: no key is escaped, sorted or compared with the others of its object again. What is
//! written is the same, byte for byte.

use crate::console::escape::push_hex;
use crate::console::json_value::{push_int, push_string};
use crate::decode::{valid_prefix, AnyView, RecordView};
use crate::encode::timestamp::TimeForm;
use crate::record::uid;

/// Templates of one scope. Who logs records of more kinds gets the later ones without.
const MOST_TEMPLATES: usize = 64;
/// Records with more attributes have no template.
const MOST_ATTRIBUTES: usize = 128;

/// A value that a document takes from its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// The attribute of this number, in wire order.
    Attribute(usize),
    Body,
    /// The `_id` of an action line.
    Id,
    Time,
    Observed,
    SeverityText,
    SeverityNumber,
    TraceId,
    SpanId,
    EventName,
    DroppedCount,
}

/// Slots of fields that a record may have or not.
const FIELDS: [Slot; 8] = [
    Slot::Time,
    Slot::Observed,
    Slot::SeverityText,
    Slot::SeverityNumber,
    Slot::TraceId,
    Slot::SpanId,
    Slot::EventName,
    Slot::DroppedCount,
];

impl Slot {
    /// Whether `record` has the field: it is not protobuf's default.
    pub(super) const fn is_set(self, record: &RecordView<'_>) -> bool {
        match self {
            Self::Time => record.timestamp_unix_nanos() != 0,
            Self::Observed => record.observed_time_unix_nanos != 0,
            Self::SeverityText => !record.severity_text.is_empty(),
            Self::SeverityNumber => record.severity_number != 0,
            Self::TraceId => record.trace_id.is_some(),
            Self::SpanId => record.span_id.is_some(),
            Self::EventName => !record.event_name.is_empty(),
            Self::DroppedCount => record.dropped_attributes_count != 0,
            Self::Attribute(_) | Self::Body | Self::Id => true,
        }
    }

    /// Appends a field of `record` as JSON; of other slots nothing.
    pub(super) fn push_field(self, out: &mut String, record: &RecordView<'_>, time: TimeForm) {
        match self {
            Self::Time => time.push(out, record.timestamp_unix_nanos()),
            Self::Observed => time.push(out, record.observed_time_unix_nanos),
            Self::SeverityText => push_string(out, record.severity_text),
            Self::SeverityNumber => push_int(out, record.severity_number),
            Self::TraceId => push_id(out, record.trace_id.map_or(&[], <[u8; 16]>::as_slice)),
            Self::SpanId => push_id(out, record.span_id.map_or(&[], <[u8; 8]>::as_slice)),
            Self::EventName => push_string(out, record.event_name),
            Self::DroppedCount => push_int(out, record.dropped_attributes_count),
            Self::Attribute(_) | Self::Body | Self::Id => {}
        }
    }
}

fn push_id(out: &mut String, id: &[u8]) {
    out.push('"');
    push_hex(out, id);
    out.push('"');
}

/// Where the values of a document stand, in order, while it is written.
#[derive(Debug, Default)]
pub(super) struct Spots {
    noted: Vec<(Slot, usize, usize)>,
    is_noting: bool,
}

impl Spots {
    /// Notes that the text from `start` to before `end` is the value of `slot`.
    pub(super) fn note(&mut self, slot: Slot, start: usize, end: usize) {
        if self.is_noting {
            self.noted.push((slot, start, end));
        }
    }

    /// Lets `write` append the value of `slot`.
    pub(super) fn value(&mut self, out: &mut String, slot: Slot, write: impl FnOnce(&mut String)) {
        let start = out.len();
        write(out);
        self.note(slot, start, out.len());
    }

    /// Appends a field of the record.
    pub(super) fn field(&mut self, out: &mut String, slot: Slot, record: &RecordView<'_>, time: TimeForm) {
        self.value(out, slot, |out| slot.push_field(out, record, time));
    }
}

/// What an attribute's value does to the text around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Nothing is there; some encoders leave the attribute out.
    Empty,
    Single,
    EmptyArray,
    Array,
    Map,
}

impl Class {
    fn of(value: &AnyView<'_>) -> Self {
        match value {
            AnyView::Empty => Self::Empty,
            AnyView::Array(values) if values.iter().next().is_none() => Self::EmptyArray,
            AnyView::Array(_) => Self::Array,
            AnyView::KvList(_) => Self::Map,
            _ => Self::Single,
        }
    }
}

/// What is known about a record before its document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// A template is there.
    Known(usize),
    /// Its document may become one.
    New,
    /// Its document can be no template.
    Unlike,
}

/// The templates of one scope, and the attributes of the present record.
#[derive(Debug, Default)]
pub(super) struct Templates<'a> {
    known: Vec<Template>,
    /// The one that was used last; most records come in rows.
    last: usize,
    attributes: Vec<(&'a [u8], AnyView<'a>)>,
    hash: u64,
    fields: u16,
    spots: Spots,
}

#[derive(Debug)]
struct Template {
    hash: u64,
    fields: u16,
    /// All keys, one after the other, and for each where it ends, with its value's class.
    keys: Vec<u8>,
    ends: Vec<(usize, Class)>,
    /// What stands between the values, and for each where the text before it ends.
    text: String,
    slots: Vec<(usize, Slot)>,
    /// The attribute that is the record's id.
    uid: Option<usize>,
}

impl<'a> Templates<'a> {
    /// Forgets all: other records have another scope or resource.
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.last = 0;
    }

    /// Looks at the next record. With `maps`, attributes that are maps are values as others are.
    pub(super) fn look(&mut self, record: &RecordView<'a>, maps: bool) -> Look {
        self.attributes.clear();
        let Some(fields) = fields_of(record) else { return Look::Unlike };
        let mut hash = u64::from(fields);
        let mut entries = record.attributes.iter();
        while let Some((key, value)) = entries.next_raw() {
            let class = Class::of(&value);
            if (class == Class::Map && !maps) || self.attributes.len() == MOST_ATTRIBUTES {
                return Look::Unlike;
            }
            hash = mixed(hash, key, class);
            self.attributes.push((key, value));
        }
        (self.hash, self.fields) = (hash, fields);
        match self.find() {
            Some(found) => {
                self.last = found;
                Look::Known(found)
            }
            None if self.known.len() < MOST_TEMPLATES => Look::New,
            None => Look::Unlike,
        }
    }

    /// Begins to note where values are put, if `wanted` and all keys are `plain`.
    pub(super) fn begin(&mut self, wanted: bool, plain: impl Fn(&str) -> bool) -> &mut Spots {
        self.spots.noted.clear();
        self.spots.is_noting = wanted && self.attributes.iter().all(|(key, _)| plain(valid_prefix(key)));
        &mut self.spots
    }

    /// Keeps the document in `out` from `start` on as a template, if its values were noted.
    pub(super) fn learn(&mut self, out: &str, start: usize) {
        if std::mem::take(&mut self.spots.is_noting) {
            if let Some(template) = self.template(out, start) {
                self.known.push(template);
            }
        }
    }

    /// Appends the document of the present record; `value` writes the value of a slot: of an attribute the one that it is
    /// given, of the id the one that the record has as an attribute, if any.
    pub(super) fn write(
        &self,
        out: &mut String,
        template: usize,
        mut value: impl FnMut(&mut String, Slot, &AnyView<'a>),
    ) {
        let Some(template) = self.known.get(template) else { return };
        let attribute =
            |number: usize| self.attributes.get(number).map_or(&AnyView::Empty, |(_, value)| value);
        let mut at = 0;
        for (end, slot) in &template.slots {
            out.push_str(&template.text[at..*end]);
            at = *end;
            let given = match slot {
                Slot::Attribute(number) => attribute(*number),
                Slot::Id => template.uid.map_or(&AnyView::Empty, attribute),
                _ => &AnyView::Empty,
            };
            value(out, *slot, given);
        }
        out.push_str(&template.text[at..]);
    }

    fn find(&self) -> Option<usize> {
        let fits = |template: &Template| template.hash == self.hash && self.fits(template);
        if self.known.get(self.last).is_some_and(fits) {
            return Some(self.last);
        }
        self.known.iter().position(fits)
    }

    /// Whether the present record has the keys, the fields and the classes of values of this template.
    fn fits(&self, template: &Template) -> bool {
        let mut start = 0;
        template.fields == self.fields
            && template.ends.len() == self.attributes.len()
            && template.ends.iter().zip(&self.attributes).all(|((end, class), (key, value))| {
                let same = template.keys[start..*end] == **key && *class == Class::of(value);
                start = *end;
                same
            })
    }

    fn template(&self, out: &str, start: usize) -> Option<Template> {
        let (mut keys, mut ends) = (Vec::new(), Vec::with_capacity(self.attributes.len()));
        for (key, value) in &self.attributes {
            keys.extend_from_slice(key);
            ends.push((keys.len(), Class::of(value)));
        }
        let (mut text, mut slots) = (String::new(), Vec::with_capacity(self.spots.noted.len()));
        let mut at = start;
        for (slot, first, last) in &self.spots.noted {
            text.push_str(out.get(at..*first)?);
            slots.push((text.len(), *slot));
            at = *last;
        }
        text.push_str(out.get(at..)?);
        let uid = self.attributes.iter().position(|(key, _)| valid_prefix(key) == uid::KEY);
        Some(Template { hash: self.hash, fields: self.fields, keys, ends, text, slots, uid })
    }
}

/// Which fields the record has, and what its body is; `None` when more than that decides about its document.
fn fields_of(record: &RecordView<'_>) -> Option<u16> {
    let body = match &record.body {
        _ if record.malformed => return None,
        // What is in it decides where it stands.
        Some(AnyView::Array(_)) => return None,
        None => 0,
        Some(AnyView::Empty) => 1,
        Some(AnyView::KvList(_)) => 2,
        Some(AnyView::Str(_)) => 3,
        Some(_) => 4,
    };
    Some(FIELDS.iter().fold(body, |fields, slot| fields << 1 | u16::from(slot.is_set(record))))
}

/// A hash of what it was before and of one attribute: its key by the length, the beginning and the end.
fn mixed(hash: u64, key: &[u8], class: Class) -> u64 {
    let (head, tail) = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (key.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
    };
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mix(mix(mix(hash, key.len() as u64 * 8 + class as u64), head), tail)
}
