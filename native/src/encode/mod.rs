//! Stage 6 of 7, export: one encoded request in another form. Thread: sender, or any that asks through Python.
//!
//! Reads the sealed bytes through [`crate::decode::request`] and [`crate::decode`], so it works on what was captured and
//! redacted, and never on Python objects. Total over all bytes: of a damaged request, what can be read is written.

pub mod action;
mod bodymap;
pub mod documents;
mod ecs;
mod flat;
mod geo;
pub mod hec;
mod ids;
mod keys;
pub mod members;
mod object;
mod otel;
pub mod otlp_json;
pub mod otlp_lines;
mod paths;
mod raw;
mod ss4o;
pub mod stream;
mod templates;
pub mod timestamp;

use crate::console::{render, ConsoleSettings, Style};
use crate::decode::request::resources;

/// Longest line of a file, its newline included: what the Collector's file receivers take (`max_log_size`, 1 MiB).
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

/// What a request can become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One OTLP/JSON document, without a newline: `ExportLogsServiceRequest`, which is `LogsData` too.
    OtlpJson,
    /// A console style: each record is text that ends with a newline. All but `Style::Pretty`, which shows
    /// tracebacks, write exactly one line. The resource is not among it.
    Lines(Style),
}

impl Form {
    /// The form called `name` in settings: `otlp_json` or a console style; `None` for an unknown name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "otlp_json" {
            Some(Self::OtlpJson)
        } else {
            Style::from_name(name).map(Self::Lines)
        }
    }
}

/// Appends `request`, an uncompressed `ExportLogsServiceRequest`, in `form`.
///
/// `colour` asks for ANSI colours; only `Style::Pretty` has any.
///
/// ```
/// use fapilog_native::encode::{encode, Form};
///
/// let record = [0x12, 7, 0x10, 9, 0x2a, 3, 0x0a, 1, b'!'];
/// let mut request = vec![0x0a, 11, 0x12, 9];
/// request.extend(record);
/// let mut out = String::new();
/// encode(&request, Form::OtlpJson, false, &mut out);
/// let records = r#"[{"severityNumber":9,"body":{"stringValue":"!"}}]"#;
/// assert_eq!(out, format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":{records}}}]}}]}}"#));
/// ```
pub fn encode(request: &[u8], form: Form, colour: bool, out: &mut String) {
    let style = match form {
        Form::OtlpJson => return otlp_json::push_request(out, request),
        Form::Lines(style) => style,
    };
    let settings = ConsoleSettings { style, colour, show_scope: true };
    for scope in resources(request).flat_map(|resource| resource.scopes()) {
        for record in scope.records() {
            render(record, scope.name, &settings, out);
        }
    }
}

/// Appends `request` in `form` as whole lines; OTLP/JSON lines of at most `max_line_bytes` where records allow it.
pub fn encode_lines(request: &[u8], form: Form, max_line_bytes: usize, out: &mut String) {
    match form {
        Form::OtlpJson => otlp_lines::push_lines(out, request, max_line_bytes),
        Form::Lines(_) => encode(request, form, false, out),
    }
}
