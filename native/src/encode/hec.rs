//! Stage 6 of 7, export: events of Splunk's HTTP Event Collector. Thread: as `encode`.
//!
//! `event` is the body; `fields`, which Splunk indexes, are flat: attributes of the record, then those of the resource,
//! with trace and severity. Some attributes are metadata and become `host`, `source`, `sourcetype` and `index` instead;
//! a token among the attributes is never sent. As the Collector's `splunkhec` exporter, but for the differences in
//! `docs/reference/document_shapes.md`.

use super::documents::{Encoder, Skipped};
use super::members::{push_single, Allowed, Common, Members, Style};
use super::stream::Target;
use super::templates::{Slot, Spots};
use super::timestamp::TimeForm;
use crate::console::json_value::{push_string, push_value, Dialect};
use crate::decode::request::ResourceLogsView;
use crate::decode::{AnyView, RecordView};

/// An attribute with the token that the Collector would send the event with.
const TOKEN: &str = "com.splunk.hec.access_token";

/// Where the body and the fields stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventForm {
    /// The body is the event, everything else is in `fields`.
    #[default]
    Body,
    /// The event is an object of the body (`body`) and all fields, which Splunk reads at search time; `fields` has only
    /// those that are allowed by name.
    Object,
}

/// Which attributes are metadata, and how fields are called.
#[derive(Debug, Clone)]
pub struct HecOptions {
    /// Host of events whose attributes name none.
    pub host: String,
    /// Source of such events; empty: none.
    pub source: String,
    /// Source type of such events; empty: none.
    pub sourcetype: String,
    /// Index of such events; empty: none.
    pub index: String,
    /// Attributes that are host, source, source type and index.
    pub keys: [String; 4],
    /// Field with the severity as the source named it.
    pub severity_text_key: String,
    /// Field with the severity's number.
    pub severity_number_key: String,
    /// Field with the name of an event.
    pub event_name_key: String,
    /// Which fields are sent.
    pub fields: Allowed,
    /// Where body and fields stand.
    pub form: EventForm,
    /// The event of a record with neither body nor event name: Splunk refuses an empty one.
    pub empty_event: String,
}

impl Default for HecOptions {
    fn default() -> Self {
        Self {
            host: "unknown".into(),
            source: String::new(),
            sourcetype: String::new(),
            index: String::new(),
            keys: ["host.name", "com.splunk.source", "com.splunk.sourcetype", "com.splunk.index"]
                .map(String::from),
            severity_text_key: "otel.log.severity.text".into(),
            severity_number_key: "otel.log.severity.number".into(),
            event_name_key: "event.name".into(),
            fields: Allowed::All,
            form: EventForm::Body,
            empty_event: "-".into(),
        }
    }
}

/// Host, source, source type and index of one event.
type Metadata = [String; 4];
const NAMES: [&str; 4] = ["host", "source", "sourcetype", "index"];

/// Writes HEC events.
pub(super) struct Hec<'a> {
    options: &'a HecOptions,
    time: TimeForm,
    /// Every field may stand in the event's object.
    all: Allowed,
    members: Members,
    /// What the present resource adds to each event: its fields, also as members of an event's object.
    fields: Common,
    object: Common,
    metadata: Metadata,
    /// The metadata of a record that has its own.
    own: Metadata,
    /// Places in `metadata` whose attribute the present record has.
    named: [bool; 4],
}

impl<'a> Hec<'a> {
    pub(super) fn new(options: &'a HecOptions, time: TimeForm) -> Self {
        let members = Members::new();
        let (fields, object) = (Common::default(), Common::default());
        let (metadata, own, named) = (Metadata::default(), Metadata::default(), [false; 4]);
        Self { options, time, all: Allowed::All, members, fields, object, metadata, own, named }
    }

    /// Which metadata the attribute `key` is: its place, or 4 for what is never sent.
    fn metadata_of(options: &HecOptions, key: &str) -> Option<usize> {
        let place = options.keys.iter().position(|name| name == key);
        place.or_else(|| (key == TOKEN).then_some(4))
    }

    fn common(&self, logs: &ResourceLogsView<'_>, allowed: &Allowed) -> Common {
        let style = Style { allowed, dialect: Dialect::Text };
        Common::of(|members, text| {
            for (key, value) in logs.attributes {
                if Self::metadata_of(self.options, key).is_none() {
                    members.attribute(text, key, &value, style);
                }
            }
        })
    }

    /// All fields of the record and its resource, into an object that is open.
    fn push_members(
        &mut self,
        out: &mut String,
        record: &RecordView<'_>,
        in_object: bool,
        spots: &mut Spots,
    ) {
        let options = self.options;
        let allowed = if in_object { &self.all } else { &options.fields };
        let style = Style { allowed, dialect: Dialect::Text };
        for (number, (key, value)) in record.attributes.iter().enumerate() {
            match Self::metadata_of(options, key) {
                None => {
                    if self.members.attribute(out, key, &value, style) {
                        spots.note(Slot::Attribute(number), self.members.value_start(), out.len());
                    }
                }
                Some(place) => {
                    if let Some(named) = self.named.get_mut(place).filter(|named| !**named) {
                        *named = true;
                        set_text(&mut self.own[place], &value);
                    }
                }
            }
        }
        // What the record itself has, unless attributes have those names.
        for (key, slot) in record_fields(options).into_iter().filter(|(_, slot)| slot.is_set(record)) {
            if self.members.add(out, key, allowed, |out| slot.push_field(out, record, self.time)) {
                spots.note(slot, self.members.value_start(), out.len());
            }
        }
        self.members.append(out, if in_object { &self.object } else { &self.fields });
    }

    fn push_metadata(&self, out: &mut String) {
        for (place, name) in NAMES.iter().enumerate() {
            let value = if self.named[place] { &self.own[place] } else { &self.metadata[place] };
            if place == 0 || !value.is_empty() {
                out.push_str(",\"");
                out.push_str(name);
                out.push_str("\":");
                push_string(out, value);
            }
        }
    }
}

impl Encoder<'_> for Hec<'_> {
    const NOTES: bool = true;

    fn enter_resource(&mut self, logs: &ResourceLogsView<'_>) {
        let options = self.options;
        self.metadata =
            [&options.host, &options.source, &options.sourcetype, &options.index].map(Clone::clone);
        for (key, value) in logs.attributes.unique() {
            if let Some(text) = Self::metadata_of(options, key).and_then(|place| self.metadata.get_mut(place))
            {
                set_text(text, &value);
            }
        }
        self.fields = self.common(logs, &options.fields);
        if options.form == EventForm::Object {
            self.object = self.common(logs, &self.all);
        }
    }

    fn push(
        &mut self,
        out: &mut String,
        record: &RecordView<'_>,
        _target: &Target,
        spots: &mut Spots,
    ) -> Result<(), Skipped> {
        self.named = [false; 4];
        out.push('{');
        if Slot::Time.is_set(record) {
            out.push_str("\"time\":");
            spots.field(out, Slot::Time, record, self.time);
            out.push(',');
        }
        out.push_str("\"event\":");
        let options = self.options;
        let in_object = options.form == EventForm::Object;
        if in_object {
            self.push_object(out, record, spots);
        } else {
            spots.value(out, Slot::Body, |out| push_event(out, record, options));
        }
        if !in_object || !matches!(options.fields, Allowed::All) {
            self.push_fields(out, record, spots);
        }
        self.push_metadata(out);
        out.push('}');
        Ok(())
    }

    fn is_plain(&self, key: &str) -> bool {
        Self::metadata_of(self.options, key).is_none()
    }

    fn push_slot(&self, out: &mut String, slot: Slot, record: &RecordView<'_>, attribute: &AnyView<'_>) {
        match slot {
            Slot::Attribute(_) => push_single(out, attribute, Dialect::Text),
            Slot::Body => push_event(out, record, self.options),
            _ => slot.push_field(out, record, self.time),
        }
    }
}

impl Hec<'_> {
    fn push_object(&mut self, out: &mut String, record: &RecordView<'_>, spots: &mut Spots) {
        out.push('{');
        self.members.begin(out);
        self.members.add(out, "body", &self.all, |out| push_event(out, record, self.options));
        spots.note(Slot::Body, self.members.value_start(), out.len());
        self.push_members(out, record, true, spots);
        out.push('}');
    }

    fn push_fields(&mut self, out: &mut String, record: &RecordView<'_>, spots: &mut Spots) {
        let start = out.len();
        out.push_str(",\"fields\":{");
        self.members.begin(out);
        let empty = out.len();
        self.push_members(out, record, false, spots);
        if out.len() == empty {
            out.truncate(start);
        } else {
            out.push('}');
        }
    }
}

/// The body. Splunk refuses an event that is empty, so one is filled.
fn push_event(out: &mut String, record: &RecordView<'_>, options: &HecOptions) {
    match &record.body {
        None | Some(AnyView::Empty | AnyView::Str("") | AnyView::Bytes([])) => {
            let name = record.event_name;
            push_string(out, if name.is_empty() { &options.empty_event } else { name });
        }
        Some(body) => push_value(out, body),
    }
}

/// Fields of a record by their names.
fn record_fields(options: &HecOptions) -> [(&str, Slot); 5] {
    [
        ("trace_id", Slot::TraceId),
        ("span_id", Slot::SpanId),
        (&options.severity_text_key, Slot::SeverityText),
        (&options.severity_number_key, Slot::SeverityNumber),
        (&options.event_name_key, Slot::EventName),
    ]
}

/// Metadata is text: of another value its JSON.
fn set_text(text: &mut String, value: &AnyView<'_>) {
    text.clear();
    match value {
        AnyView::Str(value) => text.push_str(value),
        AnyView::Empty => {}
        other => push_value(text, other),
    }
}
