//! Stage 6 of 7, export: the minimal style, `INFO order placed order_id=42`. Thread: caller.
//!
//! Always one line: the exception's type and message stay among the attributes, its stack trace is left out.

use super::escape::{push_escaped, Form};
use super::text::{is_body_empty, push_body, push_value, push_word};
use super::traceback::STACKTRACE;
use super::SEQUENCE;
use crate::decode::RecordView;

pub(super) fn render(record: &RecordView<'_>, out: &mut String) {
    push_escaped(out, record.severity_name(), Form::Text);
    if !is_body_empty(record) {
        out.push(' ');
        push_body(out, record, usize::MAX);
    }
    for (key, value) in record.attributes {
        if key == SEQUENCE || key == STACKTRACE {
            continue;
        }
        out.push(' ');
        push_word(out, key, usize::MAX);
        out.push('=');
        push_value(out, &value, usize::MAX);
    }
    out.push('\n');
}
