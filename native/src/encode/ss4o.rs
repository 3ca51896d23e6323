//! Stage 6 of 7, export: documents of OpenSearch's Simple Schema for Observability. Thread: as `encode`.
//!
//! Fields of the data model in camel case; `resource` is a map of texts, `body` a text, as the schema's index template
//! wants them. The Collector's `opensearch` exporter makes the same document, but takes the time of export for the time of
//! observation.

use super::documents::{Encoder, Skipped};
use super::object::Object;
use super::stream::Target;
use super::templates::Spots;
use super::timestamp::TimeForm;
use crate::console::json_value::{push_comma, push_string, push_value_in, Dialect};
use crate::decode::request::{ResourceLogsView, ScopeLogsView};
use crate::decode::{AnyView, KvListView, RecordView};

/// Writes documents of the Simple Schema for Observability.
pub(super) struct Ss4o {
    time: TimeForm,
    /// `,"resource":{…},"schemaUrl":…,"instrumentationScope":{…}`.
    enclosing: String,
    /// Length of what the resource has in it.
    resource: usize,
}

impl Ss4o {
    pub(super) const fn new(time: TimeForm) -> Self {
        Self { time, enclosing: String::new(), resource: 0 }
    }
}

impl Encoder<'_> for Ss4o {
    fn enter_resource(&mut self, logs: &ResourceLogsView<'_>) {
        self.enclosing.clear();
        self.enclosing.push_str(",\"resource\":{");
        for (index, (key, value)) in logs.attributes.unique().enumerate() {
            push_comma(&mut self.enclosing, index);
            push_string(&mut self.enclosing, key);
            self.enclosing.push(':');
            push_text(&mut self.enclosing, &value);
        }
        self.enclosing.push('}');
        self.resource = self.enclosing.len();
    }

    fn enter_scope(&mut self, logs: &ScopeLogsView<'_>) {
        self.enclosing.truncate(self.resource);
        if !logs.schema_url.is_empty() {
            self.enclosing.push_str(",\"schemaUrl\":");
            push_string(&mut self.enclosing, logs.schema_url);
        }
        self.enclosing.push_str(",\"instrumentationScope\":");
        let mut object = Object::open(&mut self.enclosing);
        object.text("name", logs.name);
        object.text("version", logs.version);
        object.text("schemaUrl", logs.schema_url);
        if logs.attributes.iter().next().is_some() {
            push_attributes(object.key("attributes"), logs.attributes, None);
        }
        object.number("droppedAttributesCount", logs.dropped_attributes_count);
        object.close();
    }

    fn push(
        &mut self,
        out: &mut String,
        record: &RecordView<'_>,
        target: &Target,
        _spots: &mut Spots,
    ) -> Result<(), Skipped> {
        let mut object = Object::open(out);
        self.time.push(object.key("@timestamp"), record.timestamp_unix_nanos());
        if record.observed_time_unix_nanos != 0 {
            self.time.push(object.key("observedTimestamp"), record.observed_time_unix_nanos);
        }
        if let Some(body) = &record.body {
            push_text(object.key("body"), body);
        }
        push_severity(&mut object, record);
        object.id("traceId", record.trace_id.map(<[u8; 16]>::as_slice));
        object.id("spanId", record.span_id.map(<[u8; 8]>::as_slice));
        if !record.event_name.is_empty() {
            let mut event = Object::open(object.key("event"));
            event.text("name", record.event_name);
            event.close();
        }
        push_attributes(object.key("attributes"), record.attributes, Some(target));
        object.number("droppedAttributesCount", record.dropped_attributes_count);
        object.append(&self.enclosing);
        object.close();
        Ok(())
    }
}

fn push_severity(object: &mut Object<'_>, record: &RecordView<'_>) {
    if record.severity_number == 0 && record.severity_text.is_empty() {
        return;
    }
    let mut severity = Object::open(object.key("severity"));
    severity.text("text", record.severity_text);
    severity.number("number", record.severity_number);
    severity.close();
}

/// Attributes as they are; of a record with the parts of its data stream, where the schema has them.
fn push_attributes(out: &mut String, attributes: KvListView<'_>, target: Option<&Target>) {
    out.push('{');
    let stream = target.and_then(|target| target.stream.as_ref());
    let mut count = 0;
    if let Some(stream) = stream {
        out.push_str("\"data_stream\":{\"type\":\"record\",\"dataset\":");
        push_string(out, &stream.dataset);
        out.push_str(",\"namespace\":");
        push_string(out, &stream.namespace);
        out.push('}');
        count += 1;
    }
    let is_routing =
        |key: &str| stream.is_some() && (key == "data_stream" || key.starts_with("data_stream."));
    for (key, value) in attributes.unique().filter(|(key, _)| !is_routing(key)) {
        push_comma(out, count);
        push_string(out, key);
        out.push(':');
        push_value_in(out, &value, Dialect::Index);
        count += 1;
    }
    out.push('}');
}

/// A value as a text: of other values their JSON.
fn push_text(out: &mut String, value: &AnyView<'_>) {
    match value {
        AnyView::Str(text) => push_string(out, text),
        AnyView::Empty => out.push_str("null"),
        other => {
            let mut text = String::new();
            push_value_in(&mut text, other, Dialect::Index);
            push_string(out, text.trim_matches('"'));
        }
    }
}
