//! Stage 6 of 7, export: documents of one level, for stores that have no nested fields. Thread: as `encode`.
//!
//! The fields of the data model in snake case, `body`, attributes as they are called, `resource.*` and `scope.*`. A body
//! that is a map becomes `body.*`.

use super::documents::{Encoder, Skipped};
use super::ecs::push_id;
use super::paths::{Paths, Rank};
use super::stream::Target;
use super::templates::Spots;
use super::timestamp::TimeForm;
use crate::console::json_value::{push_int, push_string};
use crate::decode::request::{ResourceLogsView, ScopeLogsView};
use crate::decode::RecordView;

const ATTRIBUTE: Rank = 0;
/// What the record is, which no attribute may hide.
const FIELD: Rank = 1;

/// Writes flat documents.
pub(super) struct Flat<'a> {
    time: TimeForm,
    resource: Paths<'a>,
    enclosing: Paths<'a>,
    paths: Paths<'a>,
}

impl Flat<'_> {
    pub(super) fn new(time: TimeForm) -> Self {
        let (resource, enclosing, paths) = (Paths::default(), Paths::default(), Paths::default());
        Self { time, resource, enclosing, paths }
    }
}

impl<'a> Encoder<'a> for Flat<'a> {
    fn enter_resource(&mut self, logs: &ResourceLogsView<'a>) {
        self.resource.clear();
        self.resource.attributes("resource", logs.attributes, FIELD);
    }

    fn enter_scope(&mut self, logs: &ScopeLogsView<'a>) {
        self.enclosing.assign(&self.resource);
        text(&mut self.enclosing, "scope.name", logs.name);
        text(&mut self.enclosing, "scope.version", logs.version);
        self.enclosing.attributes("scope", logs.attributes, ATTRIBUTE);
        self.enclosing.prepare();
    }

    fn push(
        &mut self,
        out: &mut String,
        record: &RecordView<'a>,
        _target: &Target,
        spots: &mut Spots,
    ) -> Result<(), Skipped> {
        let time = self.time;
        let paths = &mut self.paths;
        paths.assign(&self.enclosing);
        paths.attributes("", record.attributes, ATTRIBUTE);
        paths.json("@timestamp", FIELD, |out| time.push(out, record.timestamp_unix_nanos()));
        if record.observed_time_unix_nanos != 0 {
            paths.json("observed_timestamp", FIELD, |out| time.push(out, record.observed_time_unix_nanos));
        }
        push_fields(paths, record);
        paths.settle(|path| path == "@timestamp");
        paths.push_flat(out, spots);
        Ok(())
    }
}

fn push_fields<'a>(paths: &mut Paths<'a>, record: &RecordView<'a>) {
    text(paths, "severity_text", record.severity_text);
    number(paths, "severity_number", record.severity_number);
    text(paths, "event_name", record.event_name);
    if let Some(id) = record.trace_id {
        paths.json("trace_id", FIELD, |out| push_id(out, id));
    }
    if let Some(id) = record.span_id {
        paths.json("span_id", FIELD, |out| push_id(out, id));
    }
    number(paths, "trace_flags", record.flags);
    number(paths, "dropped_attributes_count", record.dropped_attributes_count);
    if let Some(body) = &record.body {
        paths.attribute("", "body", body, FIELD);
    }
}

fn text(paths: &mut Paths<'_>, path: &str, value: &str) {
    if !value.is_empty() {
        paths.json(path, FIELD, |out| push_string(out, value));
    }
}

fn number<N: itoa::Integer + Default + PartialEq>(paths: &mut Paths<'_>, path: &str, value: N) {
    if value != N::default() {
        paths.json(path, FIELD, |out| push_int(out, value));
    }
}
