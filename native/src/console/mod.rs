//! Stage 6 of 7, export: one record becomes console text. Thread: caller, synchronously.
//!
//! People debug with the console, so a line must stand before the next statement runs. The record is already
//! redacted. Whatever it holds, the text cannot forge a line or drive a terminal: see `escape`.

pub(crate) mod base64;
mod colour;
pub(crate) mod escape;
mod json;
pub(crate) mod json_value;
mod logfmt;
mod minimal;
mod pretty;
mod text;
pub(crate) mod time;
mod traceback;

use crate::decode::RecordView;

/// Attribute with the record's sequence number: for machines, so hidden where people read.
const SEQUENCE: &str = "fapilog.sequence";

/// How a record looks on the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For people: time, severity, scope, body, attributes, short trace id, folded traceback.
    Pretty,
    /// One JSON object per line.
    Json,
    /// `key=value` pairs on one line.
    Logfmt,
    /// Severity, body and attributes on one line; without time, scope, trace id and stack trace.
    Minimal,
}

impl Style {
    /// The style called `name` in settings; `None` for an unknown name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "pretty" => Some(Self::Pretty),
            "json" => Some(Self::Json),
            "logfmt" => Some(Self::Logfmt),
            "minimal" => Some(Self::Minimal),
            _ => None,
        }
    }
}

/// What the console exporter was told, fixed when it was configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsoleSettings {
    /// How a record looks.
    pub style: Style,
    /// ANSI colours; only `Style::Pretty` has any. Whoever configures decides (`NO_COLOR`, a terminal or not).
    pub colour: bool,
    /// Whether `Style::Pretty` names the scope; JSON and logfmt always do.
    pub show_scope: bool,
}

/// Appends `record` as text that ends with a newline.
///
/// `record` is one encoded `LogRecord` without outer tag and length; of a malformed one, what is valid is
/// shown. `out` is not cleared, so a caller can reuse its memory or collect several records.
///
/// ```
/// use fapilog_native::console::{render, ConsoleSettings, Style};
///
/// let record = [0x10, 9, 0x2a, 7, 0x0a, 5, b'h', b'e', b'l', b'l', b'o'];
/// let settings = ConsoleSettings { style: Style::Minimal, colour: false, show_scope: true };
/// let mut out = String::new();
/// render(&record, "shop", &settings, &mut out);
/// assert_eq!(out, "INFO hello\n");
/// ```
pub fn render(record: &[u8], scope: &str, settings: &ConsoleSettings, out: &mut String) {
    let view = RecordView::parse(record);
    match settings.style {
        Style::Pretty => pretty::render(&view, scope, *settings, out),
        Style::Json => json::render(&view, scope, out),
        Style::Logfmt => logfmt::render(&view, scope, out),
        Style::Minimal => minimal::render(&view, out),
    }
}
