//! Stage 6 of 7, export: events of Splunk's HTTP Event Collector. Thread: as `encode`.
//!
//! `event` is the body; `fields`, which Splunk indexes, are flat: attributes of the record, then those of the resource,
//! with trace and severity. Some attributes are metadata and become `host`, `source`, `sourcetype` and `index` instead;
//! a token among the attributes is never sent. As the Collector's `splunkhec` exporter, but for the differences in
//! `docs/reference/document_shapes.md`.

use super::documents::{Encoder, Skipped};
use super::members::{Allowed, Common, Members, Style};
use super::stream::Target;
use super::timestamp::TimeForm;
use crate::console::escape::push_hex;
use crate::console::json_value::{push_int, push_string, push_value, Dialect};
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
    fn push_members(&mut self, out: &mut String, record: &RecordView<'_>, in_object: bool) {
        let options = self.options;
        let allowed = if in_object { &self.all } else { &options.fields };
        let style = Style { allowed, dialect: Dialect::Text };
        for (key, value) in record.attributes {
            match Self::metadata_of(options, key) {
                None => self.members.attribute(out, key, &value, style),
                Some(place) => {
                    if let Some(named) = self.named.get_mut(place).filter(|named| !**named) {
                        *named = true;
                        set_text(&mut self.own[place], &value);
                    }
                }
            }
        }
        push_record_fields(&mut self.members, out, record, options, allowed);
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

    fn push(&mut self, out: &mut String, record: &RecordView<'_>, _target: &Target) -> Result<(), Skipped> {
        self.named = [false; 4];
        out.push('{');
        let time = record.timestamp_unix_nanos();
        if time != 0 {
            out.push_str("\"time\":");
            self.time.push(out, time);
            out.push(',');
        }
        out.push_str("\"event\":");
        let options = self.options;
        let in_object = options.form == EventForm::Object;
        if in_object {
            out.push('{');
            self.members.begin(out);
            self.members.add(out, "body", &self.all, |out| push_event(out, record, options));
            self.push_members(out, record, true);
            out.push('}');
        } else {
            push_event(out, record, options);
        }
        if !in_object || !matches!(options.fields, Allowed::All) {
            self.push_fields(out, record);
        }
        self.push_metadata(out);
        out.push('}');
        Ok(())
    }
}

impl Hec<'_> {
    fn push_fields(&mut self, out: &mut String, record: &RecordView<'_>) {
        let start = out.len();
        out.push_str(",\"fields\":{");
        self.members.begin(out);
        let empty = out.len();
        self.push_members(out, record, false);
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

/// What the record itself has, unless attributes have those names.
fn push_record_fields(
    members: &mut Members,
    out: &mut String,
    record: &RecordView<'_>,
    options: &HecOptions,
    allowed: &Allowed,
) {
    if let Some(id) = record.trace_id {
        members.add(out, "trace_id", allowed, |out| push_id(out, id));
    }
    if let Some(id) = record.span_id {
        members.add(out, "span_id", allowed, |out| push_id(out, id));
    }
    if !record.severity_text.is_empty() {
        members.add(out, &options.severity_text_key, allowed, |out| push_string(out, record.severity_text));
    }
    if record.severity_number != 0 {
        members.add(out, &options.severity_number_key, allowed, |out| push_int(out, record.severity_number));
    }
    if !record.event_name.is_empty() {
        members.add(out, &options.event_name_key, allowed, |out| push_string(out, record.event_name));
    }
}

fn push_id(out: &mut String, id: &[u8]) {
    out.push('"');
    push_hex(out, id);
    out.push('"');
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
