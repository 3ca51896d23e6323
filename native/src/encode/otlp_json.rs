//! Stage 6 of 7, export: OTLP/JSON, the JSON encoding of OTLP requests. Thread: as `encode`.
//!
//! protobuf's JSON mapping with OTLP's own rules ("OTLP Protocol", JSON Protobuf Encoding): trace and span ids are
//! lower-case hexadecimal, enums are numbers, keys are lowerCamelCase. From the mapping itself: 64-bit integers are
//! decimal strings, bytes are base64, NaN and the infinities are strings, an `AnyValue` without a value is `{}`.
//! Fields with protobuf's default are left out, except the arrays of resources, scopes, records and values.

use super::object::{push_name, Object};
use crate::console::base64::push_base64;
use crate::console::json_value::{bool_text, push_comma, push_double, push_int, push_string};
use crate::decode::request::{resources, ResourceLogsView, ScopeLogsView};
use crate::decode::{AnyView, KvListView, RecordView};

/// Ends what [`push_resource_head`] and [`push_scope_head`] open, and a document.
pub(super) const TAIL: &str = "]}";

/// Appends the document of `request`, an uncompressed `ExportLogsServiceRequest` or `LogsData`.
pub fn push_request(out: &mut String, request: &[u8]) {
    // Names and decimal digits take about as much again as the protobuf.
    out.reserve(request.len() * 2);
    push_document_head(out);
    for (index, logs) in resources(request).enumerate() {
        push_comma(out, index);
        push_resource_head(out, &logs);
        for (index, scope) in logs.scopes().enumerate() {
            push_comma(out, index);
            push_scope_head(out, &scope);
            for (index, record) in scope.records().enumerate() {
                push_comma(out, index);
                push_record(out, &RecordView::parse(record));
            }
            out.push_str(TAIL);
        }
        out.push_str(TAIL);
    }
    out.push_str(TAIL);
}

/// Appends a document up to its first resource.
pub(super) fn push_document_head(out: &mut String) {
    out.push_str("{\"resourceLogs\":[");
}

/// Appends a `ResourceLogs` up to its first scope.
pub(super) fn push_resource_head(out: &mut String, logs: &ResourceLogsView<'_>) {
    let mut object = Object::open(out);
    if logs.has_resource {
        let resource = object.key("resource");
        push_attributed(resource, &[], logs.attributes, logs.dropped_attributes_count);
    }
    object.text("schemaUrl", logs.schema_url);
    object.key("scopeLogs").push('[');
}

/// Appends a `ScopeLogs` up to its first record.
pub(super) fn push_scope_head(out: &mut String, logs: &ScopeLogsView<'_>) {
    let mut object = Object::open(out);
    if logs.has_scope {
        let names = [("name", logs.name), ("version", logs.version)];
        push_attributed(object.key("scope"), &names, logs.attributes, logs.dropped_attributes_count);
    }
    object.text("schemaUrl", logs.schema_url);
    object.key("logRecords").push('[');
}

/// A resource or a scope.
fn push_attributed(out: &mut String, names: &[(&str, &str)], attributes: KvListView<'_>, dropped: u32) {
    let mut object = Object::open(out);
    for (key, text) in names {
        object.text(key, text);
    }
    push_attributes(&mut object, attributes);
    object.number("droppedAttributesCount", dropped);
    object.close();
}

/// Appends one `LogRecord` as an object.
pub fn push_record(out: &mut String, record: &RecordView<'_>) {
    let mut object = Object::open(out);
    push_nanos(&mut object, "timeUnixNano", record.time_unix_nanos);
    push_nanos(&mut object, "observedTimeUnixNano", record.observed_time_unix_nanos);
    object.number("severityNumber", record.severity_number);
    object.text("severityText", record.severity_text);
    if let Some(body) = &record.body {
        push_any(object.key("body"), body);
    }
    push_attributes(&mut object, record.attributes);
    object.number("droppedAttributesCount", record.dropped_attributes_count);
    object.number("flags", record.flags);
    object.id("traceId", record.trace_id.map(<[u8; 16]>::as_slice));
    object.id("spanId", record.span_id.map(<[u8; 8]>::as_slice));
    object.text("eventName", record.event_name);
    object.close();
}

/// Appends one `AnyValue` as an object.
fn push_any(out: &mut String, value: &AnyView<'_>) {
    match value {
        AnyView::Empty => out.push('{'),
        AnyView::Str(text) => {
            out.push_str("{\"stringValue\":");
            push_string(out, text);
        }
        AnyView::Bool(truth) => {
            out.push_str("{\"boolValue\":");
            out.push_str(bool_text(*truth));
        }
        AnyView::Int(number) => {
            out.push_str("{\"intValue\":\"");
            push_int(out, *number);
            out.push('"');
        }
        AnyView::Double(number) => {
            let quote = if number.is_finite() { "" } else { "\"" };
            out.push_str("{\"doubleValue\":");
            out.push_str(quote);
            push_double(out, *number);
            out.push_str(quote);
        }
        AnyView::Bytes(bytes) => {
            out.push_str("{\"bytesValue\":\"");
            push_base64(out, bytes);
            out.push('"');
        }
        AnyView::Array(values) => {
            out.push_str("{\"arrayValue\":{");
            push_array(out, "values", values.iter(), |out, member| push_any(out, &member));
            out.push('}');
        }
        AnyView::KvList(entries) => {
            out.push_str("{\"kvlistValue\":{");
            push_array(out, "values", entries.iter(), push_key_value);
            out.push('}');
        }
    }
    out.push('}');
}

fn push_key_value(out: &mut String, (key, value): (&str, AnyView<'_>)) {
    out.push_str("{\"key\":");
    push_string(out, key);
    out.push_str(",\"value\":");
    push_any(out, &value);
    out.push('}');
}

/// Appends `"name":[…]`.
fn push_array<T>(
    out: &mut String,
    name: &str,
    members: impl Iterator<Item = T>,
    push: impl Fn(&mut String, T),
) {
    push_name(out, name);
    out.push('[');
    for (index, member) in members.enumerate() {
        push_comma(out, index);
        push(out, member);
    }
    out.push(']');
}

fn push_nanos(object: &mut Object<'_>, name: &str, nanos: u64) {
    if nanos != 0 {
        let out = object.key(name);
        out.push('"');
        push_int(out, nanos);
        out.push('"');
    }
}

fn push_attributes(object: &mut Object<'_>, attributes: KvListView<'_>) {
    if attributes.iter().next().is_some() {
        push_array(object.separated(), "attributes", attributes.iter(), push_key_value);
    }
}
