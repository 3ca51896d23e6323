//! Stage 6 of 7, export: the logfmt style, `time=… level=info logger=orders msg="…" key=value`. Thread: caller.
//!
//! Every key occurs once, because readers differ in which of two they keep: of a repeated attribute the first
//! is written, and an attribute named like one of our own keys gets the prefix `attributes.`. In keys, the
//! characters that logfmt cannot carry become `_`; distinct attributes can so share one written key.

use super::escape::{is_bare, push_escaped, push_hex, push_quoted, Form};
use super::json_value::push_value as push_json;
use super::text::push_scalar;
use super::time::push_rfc3339;
use crate::decode::{AnyView, RecordView};

/// The keys that this style writes itself.
const OWN_KEYS: [&str; 7] = ["time", "level", "logger", "msg", "event_name", "trace_id", "span_id"];

pub(super) fn render(record: &RecordView<'_>, scope: &str, out: &mut String) {
    if record.timestamp_unix_nanos() != 0 {
        out.push_str("time=");
        push_rfc3339(out, record.timestamp_unix_nanos());
        out.push(' ');
    }
    out.push_str("level=");
    let start = out.len();
    push_string(out, record.severity_name());
    // Only the name just written; an escape's hexadecimal digits are lower case already.
    out[start..].make_ascii_lowercase();
    push_field(out, "logger", scope);
    if let Some(body) = record.body {
        out.push_str(" msg=");
        push_value(out, &body);
    }
    push_field(out, "event_name", record.event_name);
    for (key, value) in record.attributes.unique() {
        push_key(out, key);
        push_value(out, &value);
    }
    if let Some(trace_id) = record.trace_id {
        out.push_str(" trace_id=");
        push_hex(out, trace_id);
    }
    if let Some(span_id) = record.span_id {
        out.push_str(" span_id=");
        push_hex(out, span_id);
    }
    out.push('\n');
}

/// Appends one of our own fields, unless it is empty.
fn push_field(out: &mut String, key: &str, text: &str) {
    if !text.is_empty() {
        out.push(' ');
        out.push_str(key);
        out.push('=');
        push_string(out, text);
    }
}

/// Appends ` key=`, with `_` for every character that a bare word cannot hold.
fn push_key(out: &mut String, key: &str) {
    out.push(' ');
    let start = out.len();
    let mut buffer = [0; 4];
    for character in key.chars() {
        let bare = is_bare(character.encode_utf8(&mut buffer));
        out.push(if bare { character } else { '_' });
    }
    let written = &out[start..];
    if written.is_empty() {
        out.push('_');
    } else if OWN_KEYS.contains(&written) {
        out.insert_str(start, "attributes.");
    }
    out.push('=');
}

fn push_value(out: &mut String, value: &AnyView<'_>) {
    if push_scalar(out, value) {
        return;
    }
    if let AnyView::Str(text) = value {
        return push_string(out, text);
    }
    let start = out.len();
    push_json(out, value);
    if matches!(value, AnyView::Array(_) | AnyView::KvList(_)) {
        // JSON within a quoted string: the one value that is written twice.
        let nested = out.split_off(start);
        push_string(out, &nested);
    }
}

fn push_string(out: &mut String, text: &str) {
    if is_bare(text) {
        push_escaped(out, text, Form::Text);
    } else {
        push_quoted(out, text, Form::Json);
    }
}
