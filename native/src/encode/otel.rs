//! Stage 6 of 7, export: documents of Elastic's `otel` mode. Thread: as `encode`.
//!
//! The fields of the data model under their names; keys of attributes keep their dots. What addresses the document, and
//! not a reader, leaves the attributes. As the Collector's `elasticsearch` exporter, but for the differences in
//! `docs/reference/document_shapes.md`.

use super::documents::{Encoder, Skipped};
use super::geo;
use super::object::Object;
use super::stream::{Target, DATASET, NAMESPACE, TYPE};
use super::templates::{Slot, Spots};
use super::timestamp::TimeForm;
use crate::console::json_value::{push_comma, push_string, push_value_in, Dialect};
use crate::decode::request::{ResourceLogsView, ScopeLogsView};
use crate::decode::{AnyView, KvListView, RecordView};

/// Attributes that are instructions to the exporter.
const ROUTING: [&str; 7] = [
    TYPE,
    DATASET,
    NAMESPACE,
    "elasticsearch.mapping.hints",
    "elasticsearch.document_id",
    "elasticsearch.ingest_pipeline",
    "elasticsearch.index",
];

/// The attribute by which older sources name an event.
const EVENT_NAME: &str = "event.name";
/// Fields of a record before its attributes.
const FIELDS: [(&str, Slot); 4] = [
    ("severity_text", Slot::SeverityText),
    ("severity_number", Slot::SeverityNumber),
    ("trace_id", Slot::TraceId),
    ("span_id", Slot::SpanId),
];

/// Writes documents of the `otel` mode.
pub(super) struct Otel {
    time: TimeForm,
    /// `,"resource":{…},"scope":{…}`.
    enclosing: String,
    /// Length of the resource in it.
    resource: usize,
}

impl Otel {
    pub(super) const fn new(time: TimeForm) -> Self {
        Self { time, enclosing: String::new(), resource: 0 }
    }
}

impl Encoder<'_> for Otel {
    const NOTES: bool = true;
    const MAPS_ARE_VALUES: bool = true;

    fn enter_resource(&mut self, logs: &ResourceLogsView<'_>) {
        self.enclosing.clear();
        self.enclosing.push_str(",\"resource\":");
        let mut object = Object::open(&mut self.enclosing);
        object.text("schema_url", logs.schema_url);
        push_attributes(&mut object, logs.attributes, &mut Spots::default());
        object.number("dropped_attributes_count", logs.dropped_attributes_count);
        object.close();
        self.resource = self.enclosing.len();
    }

    fn enter_scope(&mut self, logs: &ScopeLogsView<'_>) {
        self.enclosing.truncate(self.resource);
        self.enclosing.push_str(",\"scope\":");
        let mut object = Object::open(&mut self.enclosing);
        object.text("schema_url", logs.schema_url);
        object.text("name", logs.name);
        object.text("version", logs.version);
        push_attributes(&mut object, logs.attributes, &mut Spots::default());
        object.number("dropped_attributes_count", logs.dropped_attributes_count);
        object.close();
    }

    fn push(
        &mut self,
        out: &mut String,
        record: &RecordView<'_>,
        target: &Target,
        spots: &mut Spots,
    ) -> Result<(), Skipped> {
        let (mut object, time) = (Object::open(out), self.time);
        spots.field(object.key("@timestamp"), Slot::Time, record, time);
        spots.field(object.key("observed_timestamp"), Slot::Observed, record, time);
        if let Some(stream) = &target.stream {
            object.key("data_stream").push_str(&stream.json);
        }
        for (name, slot) in FIELDS.into_iter().filter(|(_, slot)| slot.is_set(record)) {
            spots.field(object.key(name), slot, record, time);
        }
        let older_name = push_attributes(&mut object, record.attributes, spots);
        if Slot::DroppedCount.is_set(record) {
            spots.field(object.key("dropped_attributes_count"), Slot::DroppedCount, record, time);
        }
        if Slot::EventName.is_set(record) {
            spots.field(object.key("event_name"), Slot::EventName, record, time);
        } else {
            object.text("event_name", older_name);
        }
        object.append(&self.enclosing);
        if let Some((name, closing, body)) = record.body.as_ref().and_then(body_parts) {
            let out = object.key("body");
            out.push_str(name);
            spots.value(out, Slot::Body, |out| push_value_in(out, body, Dialect::Index));
            out.push_str(closing);
        }
        object.close();
        Ok(())
    }

    fn is_plain(&self, key: &str) -> bool {
        key != EVENT_NAME && !geo::may_be_part(key)
    }

    fn push_slot(&self, out: &mut String, slot: Slot, record: &RecordView<'_>, attribute: &AnyView<'_>) {
        match (slot, &record.body) {
            (Slot::Attribute(_), _) => push_value_in(out, attribute, Dialect::Index),
            (Slot::Body, Some(body)) => push_value_in(out, body, Dialect::Index),
            _ => slot.push_field(out, record, self.time),
        }
    }
}

/// Appends `attributes`, unless there are none. Returns the event's name, which older sources have among them.
fn push_attributes<'a>(object: &mut Object<'_>, attributes: KvListView<'a>, spots: &mut Spots) -> &'a str {
    let mut name = "";
    if attributes.iter().next().is_none() {
        return name;
    }
    let out = object.key("attributes");
    out.push('{');
    let mut count = 0;
    let mut has_points = false;
    let mut entries = attributes.unique();
    while let Some((key, value)) = entries.next() {
        // All of these names begin with one of two letters, and most others do not.
        if key.starts_with(['d', 'e']) {
            match value {
                _ if ROUTING.contains(&key) => continue,
                AnyView::Str(text) if key == EVENT_NAME => name = text,
                _ => {}
            }
        }
        if geo::is_part(key, &value) {
            has_points = true;
            continue;
        }
        push_comma(out, count);
        count += 1;
        push_string(out, key);
        out.push(':');
        let slot = Slot::Attribute(entries.number());
        spots.value(out, slot, |out| push_value_in(out, &value, Dialect::Index));
    }
    if has_points {
        geo::push_points(out, attributes, count);
    }
    out.push('}');
    name
}

/// What stands before and behind the body: text and other single values are `text`; maps, and arrays of maps, are
/// `structured`, and other arrays in an object.
fn body_parts<'a, 'b>(body: &'a AnyView<'b>) -> Option<(&'static str, &'static str, &'a AnyView<'b>)> {
    Some(match body {
        AnyView::Empty => return None,
        AnyView::KvList(_) => ("{\"structured\":", "}", body),
        AnyView::Array(values) if values.iter().all(|value| matches!(value, AnyView::KvList(_))) => {
            ("{\"structured\":", "}", body)
        }
        AnyView::Array(_) => ("{\"structured\":{\"value\":", "}}", body),
        _ => ("{\"text\":", "}", body),
    })
}
