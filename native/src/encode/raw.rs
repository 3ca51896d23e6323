//! Stage 6 of 7, export: documents of the Collector's `raw` mode. Thread: as `encode`.
//!
//! The fields of the data model under the names it gives them, attributes beside them, all on one level.

use super::documents::{Encoder, Skipped};
use super::ecs::push_id;
use super::paths::{Paths, Rank};
use super::stream::{Target, DATASET, NAMESPACE, TYPE};
use super::templates::Spots;
use super::timestamp::TimeForm;
use crate::console::json_value::{push_int, push_string};
use crate::decode::request::{ResourceLogsView, ScopeLogsView};
use crate::decode::RecordView;

const FIELD: Rank = 0;
const ATTRIBUTE: Rank = 1;
/// Without them a data stream refuses the document.
const STREAM: Rank = 2;

/// Writes documents of the `raw` mode.
pub(super) struct Raw<'a> {
    time: TimeForm,
    resource: Paths<'a>,
    enclosing: Paths<'a>,
    paths: Paths<'a>,
}

impl Raw<'_> {
    pub(super) fn new(time: TimeForm) -> Self {
        let (resource, enclosing, paths) = (Paths::default(), Paths::default(), Paths::default());
        Self { time, resource, enclosing, paths }
    }
}

impl<'a> Encoder<'a> for Raw<'a> {
    fn enter_resource(&mut self, logs: &ResourceLogsView<'a>) {
        self.resource.clear();
        self.resource.attributes("Resource", logs.attributes, ATTRIBUTE);
    }

    fn enter_scope(&mut self, logs: &ScopeLogsView<'a>) {
        self.enclosing.assign(&self.resource);
        self.enclosing.json("Scope.name", FIELD, |out| push_string(out, logs.name));
        self.enclosing.json("Scope.version", FIELD, |out| push_string(out, logs.version));
        self.enclosing.attributes("Scope", logs.attributes, ATTRIBUTE);
        self.enclosing.prepare();
    }

    fn push(
        &mut self,
        out: &mut String,
        record: &RecordView<'a>,
        target: &Target,
        spots: &mut Spots,
    ) -> Result<(), Skipped> {
        let time = self.time;
        let paths = &mut self.paths;
        paths.assign(&self.enclosing);
        paths.json("@timestamp", STREAM, |out| time.push(out, record.timestamp_unix_nanos()));
        push_fields(paths, record);
        paths.attributes("", record.attributes, ATTRIBUTE);
        if let Some(stream) = &target.stream {
            paths.json(TYPE, STREAM, |out| push_string(out, &stream.kind));
            paths.json(DATASET, STREAM, |out| push_string(out, &stream.dataset));
            paths.json(NAMESPACE, STREAM, |out| push_string(out, &stream.namespace));
        }
        paths.settle(|path| path == "@timestamp");
        paths.push_flat(out, spots);
        Ok(())
    }
}

fn push_fields<'a>(paths: &mut Paths<'a>, record: &RecordView<'a>) {
    if let Some(id) = record.trace_id {
        paths.json("TraceId", FIELD, |out| push_id(out, id));
    }
    if let Some(id) = record.span_id {
        paths.json("SpanId", FIELD, |out| push_id(out, id));
    }
    paths.json("TraceFlags", FIELD, |out| push_int(out, record.flags));
    if !record.severity_text.is_empty() {
        paths.json("SeverityText", FIELD, |out| push_string(out, record.severity_text));
    }
    paths.json("SeverityNumber", FIELD, |out| push_int(out, record.severity_number));
    if !record.event_name.is_empty() {
        paths.json("EventName", FIELD, |out| push_string(out, record.event_name));
    }
    if let Some(body) = &record.body {
        paths.attribute("", "Body", body, FIELD);
    }
}
