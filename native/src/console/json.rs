//! Stage 6 of 7, export: the JSON style, one object per line. Thread: caller.
//!
//! `severity_text`, `severity_number`, `scope`, `body` and `attributes` are always there; `timestamp`, `trace_id`,
//! `span_id`, `trace_flags`, `event_name` and `dropped_attributes_count` are left out when the record has none.

use super::escape::push_hex;
use super::json_value::{push_int, push_object, push_string, push_value};
use super::time::push_rfc3339;
use crate::decode::{AnyView, RecordView};

pub(super) fn render(record: &RecordView<'_>, scope: &str, out: &mut String) {
    out.push('{');
    if record.timestamp_unix_nanos() != 0 {
        out.push_str("\"timestamp\":\"");
        push_rfc3339(out, record.timestamp_unix_nanos());
        out.push_str("\",");
    }
    out.push_str("\"severity_text\":");
    push_string(out, record.severity_name());
    out.push_str(",\"severity_number\":");
    push_int(out, record.severity_number);
    out.push_str(",\"scope\":");
    push_string(out, scope);
    out.push_str(",\"body\":");
    push_value(out, &record.body.unwrap_or(AnyView::Empty));
    out.push_str(",\"attributes\":");
    push_object(out, &record.attributes);
    push_optional(record, out);
    out.push_str("}\n");
}

fn push_optional(record: &RecordView<'_>, out: &mut String) {
    if let Some(trace_id) = record.trace_id {
        push_id(out, ",\"trace_id\":\"", trace_id);
    }
    if let Some(span_id) = record.span_id {
        push_id(out, ",\"span_id\":\"", span_id);
    }
    if record.trace_id.is_some() || record.flags != 0 {
        out.push_str(",\"trace_flags\":");
        // The W3C trace flags are the low eight bits; the others are reserved.
        push_int(out, record.flags & 0xff);
    }
    if !record.event_name.is_empty() {
        out.push_str(",\"event_name\":");
        push_string(out, record.event_name);
    }
    if record.dropped_attributes_count != 0 {
        out.push_str(",\"dropped_attributes_count\":");
        push_int(out, record.dropped_attributes_count);
    }
}

fn push_id(out: &mut String, opening: &str, id: &[u8]) {
    out.push_str(opening);
    push_hex(out, id);
    out.push('"');
}
