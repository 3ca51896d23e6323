//! Stage 6 of 7, export: one value as compact JSON. Thread: any.
//!
//! 64-bit integers are numbers, as log stores index them. Keys are unique: of a repeated key the first entry is kept.
//! [`Dialect`] says what bytes, NaN and the infinities become.

use super::base64::push_base64;
use super::escape::{push_hex, push_quoted, Form};
use crate::decode::{AnyView, KvListView};

/// What becomes of values that JSON has no form for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// For readers of logs: bytes are base64, NaN and the infinities are the strings of protobuf's JSON mapping.
    Text,
    /// For indexes, whose fields have types: bytes are hexadecimal, as in Elastic's `otel` documents, and NaN and the
    /// infinities are null, which a field of numbers takes.
    Index,
}

/// Appends `value` as JSON.
pub(crate) fn push_value(out: &mut String, value: &AnyView<'_>) {
    push_value_in(out, value, Dialect::Text);
}

/// Appends `value` as JSON in `dialect`.
pub(crate) fn push_value_in(out: &mut String, value: &AnyView<'_>, dialect: Dialect) {
    match value {
        AnyView::Empty => out.push_str("null"),
        AnyView::Str(text) => push_string(out, text),
        AnyView::Bool(truth) => out.push_str(bool_text(*truth)),
        AnyView::Int(number) => push_int(out, *number),
        AnyView::Double(number) if number.is_finite() => push_double(out, *number),
        AnyView::Double(_) if dialect == Dialect::Index => out.push_str("null"),
        AnyView::Double(number) => {
            out.push('"');
            push_double(out, *number);
            out.push('"');
        }
        AnyView::Bytes(bytes) => {
            out.push('"');
            match dialect {
                Dialect::Text => push_base64(out, bytes),
                Dialect::Index => push_hex(out, bytes),
            }
            out.push('"');
        }
        AnyView::Array(values) => {
            out.push('[');
            for (index, member) in values.iter().enumerate() {
                push_comma(out, index);
                push_value_in(out, &member, dialect);
            }
            out.push(']');
        }
        AnyView::KvList(entries) => push_object_in(out, entries, dialect),
    }
}

/// Appends `entries` as a JSON object.
pub(super) fn push_object(out: &mut String, entries: &KvListView<'_>) {
    push_object_in(out, entries, Dialect::Text);
}

fn push_object_in(out: &mut String, entries: &KvListView<'_>, dialect: Dialect) {
    out.push('{');
    for (index, (key, value)) in entries.unique().enumerate() {
        push_comma(out, index);
        push_string(out, key);
        out.push(':');
        push_value_in(out, &value, dialect);
    }
    out.push('}');
}

/// Appends `text` as a JSON string.
pub(crate) fn push_string(out: &mut String, text: &str) {
    push_quoted(out, text, Form::Json);
}

/// Appends an integer.
pub(crate) fn push_int(out: &mut String, number: impl itoa::Integer) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// Appends the shortest text that reads back as `number`; `NaN`, `Infinity` or `-Infinity` bare.
pub(crate) fn push_double(out: &mut String, number: f64) {
    if number.is_nan() {
        out.push_str("NaN");
    } else if number.is_infinite() {
        out.push_str(if number > 0.0 { "Infinity" } else { "-Infinity" });
    } else {
        out.push_str(zmij::Buffer::new().format_finite(number));
    }
}

pub(crate) const fn bool_text(truth: bool) -> &'static str {
    if truth {
        "true"
    } else {
        "false"
    }
}

/// Appends a comma before every member but the first.
pub(crate) fn push_comma(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}
