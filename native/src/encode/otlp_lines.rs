//! Stage 6 of 7, export: one request as lines of OTLP/JSON, none of them too long for readers. Thread: as `encode`.
//!
//! OpenTelemetry's file format is JSON Lines of `LogsData`. A block can be larger than what readers take as one line
//! (the Collector's file receivers stop at 1 MiB), so it becomes several; each names its resource and its scopes.

use super::otlp_json::{push_document_head, push_record, push_resource_head, push_scope_head, TAIL};
use crate::console::json_value::push_comma;
use crate::decode::request::resources;
use crate::decode::RecordView;

/// Appends `request` as lines that end with a newline. Resources and scopes without records are left out.
///
/// A line is longer than `max_line_bytes`, its newline included, only when a single record is.
pub fn push_lines(out: &mut String, request: &[u8], max_line_bytes: usize) {
    out.reserve(request.len() * 2);
    let mut lines = Lines::new(out, max_line_bytes);
    let mut text = String::new();
    for logs in resources(request) {
        lines.resource_head.clear();
        push_resource_head(&mut lines.resource_head, &logs);
        for scope in logs.scopes() {
            lines.scope_head.clear();
            push_scope_head(&mut lines.scope_head, &scope);
            for record in scope.records() {
                text.clear();
                push_record(&mut text, &RecordView::parse(record));
                lines.push(&text);
            }
            lines.close_scope();
        }
        lines.close_resource();
    }
    lines.close_line();
}

/// The line being written. A level is open while it has members: it opens with its first record.
struct Lines<'a> {
    out: &'a mut String,
    max_bytes: usize,
    start: usize,
    resource_head: String,
    scope_head: String,
    /// Resources in this line, scopes in its last resource, records in its last scope.
    resources: usize,
    scopes: usize,
    records: usize,
}

impl<'a> Lines<'a> {
    fn new(out: &'a mut String, max_bytes: usize) -> Self {
        let start = out.len();
        let (resource_head, scope_head) = (String::new(), String::new());
        Self { out, max_bytes, start, resource_head, scope_head, resources: 0, scopes: 0, records: 0 }
    }

    fn push(&mut self, record: &str) {
        if self.resources > 0 && self.length_with(record) > self.max_bytes {
            self.close_line();
        }
        if self.records == 0 {
            self.open_scope();
        }
        push_comma(self.out, self.records);
        self.out.push_str(record);
        self.records += 1;
    }

    /// Length of the line if it ended with `record`, its newline included.
    fn length_with(&self, record: &str) -> usize {
        let scope = if self.records == 0 { self.scope_head.len() + 1 } else { 1 };
        let resource = if self.scopes == 0 { self.resource_head.len() + 1 } else { 0 };
        self.out.len() - self.start + resource + scope + record.len() + 3 * TAIL.len() + 1
    }

    fn open_scope(&mut self) {
        if self.scopes == 0 {
            self.open_resource();
        }
        push_comma(self.out, self.scopes);
        self.out.push_str(&self.scope_head);
        self.scopes += 1;
    }

    fn open_resource(&mut self) {
        if self.resources == 0 {
            push_document_head(self.out);
        }
        push_comma(self.out, self.resources);
        self.out.push_str(&self.resource_head);
        self.resources += 1;
    }

    fn close_scope(&mut self) {
        if std::mem::take(&mut self.records) > 0 {
            self.out.push_str(TAIL);
        }
    }

    fn close_resource(&mut self) {
        self.close_scope();
        if std::mem::take(&mut self.scopes) > 0 {
            self.out.push_str(TAIL);
        }
    }

    fn close_line(&mut self) {
        self.close_resource();
        if std::mem::take(&mut self.resources) > 0 {
            self.out.push_str(TAIL);
            self.out.push('\n');
            self.start = self.out.len();
        }
    }
}
