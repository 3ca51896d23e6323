//! Stage 6 of 7, export: documents of Elastic's `otel` mode. Thread: as `encode`.
//!
//! The fields of the data model under their names; keys of attributes keep their dots. What addresses the document, and
//! not a reader, leaves the attributes. As the Collector's `elasticsearch` exporter, but for the differences in
//! `docs/reference/document_shapes.md`.

use super::documents::{Encoder, Skipped};
use super::geo;
use super::object::Object;
use super::stream::{Target, DATASET, NAMESPACE, TYPE};
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
    fn enter_resource(&mut self, logs: &ResourceLogsView<'_>) {
        self.enclosing.clear();
        self.enclosing.push_str(",\"resource\":");
        let mut object = Object::open(&mut self.enclosing);
        object.text("schema_url", logs.schema_url);
        push_attributes(&mut object, logs.attributes);
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
        push_attributes(&mut object, logs.attributes);
        object.number("dropped_attributes_count", logs.dropped_attributes_count);
        object.close();
    }

    fn push(&mut self, out: &mut String, record: &RecordView<'_>, target: &Target) -> Result<(), Skipped> {
        let mut object = Object::open(out);
        self.time.push(object.key("@timestamp"), record.timestamp_unix_nanos());
        self.time.push(object.key("observed_timestamp"), record.observed_time_unix_nanos);
        if let Some(stream) = &target.stream {
            object.key("data_stream").push_str(&stream.json);
        }
        object.text("severity_text", record.severity_text);
        object.number("severity_number", record.severity_number);
        object.id("trace_id", record.trace_id.map(<[u8; 16]>::as_slice));
        object.id("span_id", record.span_id.map(<[u8; 8]>::as_slice));
        let older_name = push_attributes(&mut object, record.attributes);
        object.number("dropped_attributes_count", record.dropped_attributes_count);
        object.text("event_name", if record.event_name.is_empty() { older_name } else { record.event_name });
        object.append(&self.enclosing);
        if let Some(body) = &record.body {
            push_body(&mut object, body);
        }
        object.close();
        Ok(())
    }
}

/// Appends `attributes`, unless there are none. Returns the event's name, which older sources have among them.
fn push_attributes<'a>(object: &mut Object<'_>, attributes: KvListView<'a>) -> &'a str {
    let mut name = "";
    if attributes.iter().next().is_none() {
        return name;
    }
    let out = object.key("attributes");
    out.push('{');
    let mut count = 0;
    let mut has_points = false;
    for (key, value) in attributes.unique() {
        // All of these names begin with one of two letters, and most others do not.
        if key.starts_with(['d', 'e']) {
            match value {
                _ if ROUTING.contains(&key) => continue,
                AnyView::Str(text) if key == "event.name" => name = text,
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
        push_value_in(out, &value, Dialect::Index);
    }
    if has_points {
        geo::push_points(out, attributes, count);
    }
    out.push('}');
    name
}

/// Text and other single values are `text`; maps, and arrays of maps, are `structured`, and other arrays in an object.
fn push_body(object: &mut Object<'_>, body: &AnyView<'_>) {
    let (opening, closing) = match body {
        AnyView::Empty => return,
        AnyView::KvList(_) => ("{\"structured\":", "}"),
        AnyView::Array(values) if values.iter().all(|value| matches!(value, AnyView::KvList(_))) => {
            ("{\"structured\":", "}")
        }
        AnyView::Array(_) => ("{\"structured\":{\"value\":", "}}"),
        _ => ("{\"text\":", "}"),
    };
    let out = object.key("body");
    out.push_str(opening);
    push_value_in(out, body, Dialect::Index);
    out.push_str(closing);
}
