//! Stage 6 of 7, export: the pretty style, one readable line and a folded traceback. Thread: caller.

use super::colour::{of_severity, painted, DIM};
use super::escape::{push_escaped, push_hex, Form};
use super::text::{is_body_empty, push_body, push_free, push_value, push_word};
use super::time::push_clock;
use super::traceback::Exception;
use super::{ConsoleSettings, SEQUENCE};
use crate::decode::RecordView;

/// Longest part of one value that is shown, in bytes: some twenty lines of a terminal.
pub(super) const CAP_BYTES: usize = 2048;

/// Between the parts of a line.
const GAP: &str = "  ";

pub(super) fn render(record: &RecordView<'_>, scope: &str, settings: ConsoleSettings, out: &mut String) {
    let colour = settings.colour;
    push_time(out, record.timestamp_unix_nanos(), colour);
    let mut gap = push_severity(out, record, colour);
    if settings.show_scope && !scope.is_empty() {
        out.push_str(std::mem::replace(&mut gap, GAP));
        painted(out, colour, DIM, |out| push_free(out, scope, CAP_BYTES));
    }
    if !is_body_empty(record) {
        out.push_str(std::mem::replace(&mut gap, GAP));
        push_body(out, record, CAP_BYTES);
    }
    let exception = push_attributes(out, record, &mut gap, colour);
    if let Some([first, second, third, fourth, ..]) = record.trace_id {
        out.push_str(gap);
        painted(out, colour, DIM, |out| push_hex(out, &[*first, *second, *third, *fourth]));
    }
    out.push('\n');
    exception.push(out, colour);
}

fn push_time(out: &mut String, unix_nanos: u64, colour: bool) {
    painted(out, colour, DIM, |out| match unix_nanos {
        0 => out.push_str("--:--:--.---Z"),
        nanos => push_clock(out, nanos),
    });
}

/// Appends the severity; returns the gap after it, which fills five columns (`ERROR`) and one more.
fn push_severity(out: &mut String, record: &RecordView<'_>, colour: bool) -> &'static str {
    let name = record.severity_name();
    out.push(' ');
    painted(out, colour, of_severity(record.severity_number), |out| push_escaped(out, name, Form::Text));
    match name.chars().count() {
        0..=3 => "   ",
        4 => "  ",
        _ => " ",
    }
}

/// Appends the attributes, except those of an exception, which it returns.
fn push_attributes<'a>(
    out: &mut String,
    record: &RecordView<'a>,
    gap: &mut &'static str,
    colour: bool,
) -> Exception<'a> {
    let mut exception = Exception::default();
    let mut before = *gap;
    for (key, value) in record.attributes {
        if key == SEQUENCE || exception.take(key, &value) {
            continue;
        }
        out.push_str(std::mem::replace(&mut before, " "));
        *gap = GAP;
        painted(out, colour, DIM, |out| {
            push_word(out, key, CAP_BYTES);
            out.push('=');
        });
        push_value(out, &value, CAP_BYTES);
    }
    exception
}
