//! Stage 6 of 7, export: documents of Elastic Common Schema. Thread: as `encode`.
//!
//! Attributes become nested objects, those that ECS knows under its names. As the Collector's `elasticsearch` exporter in
//! mode `ecs`, but for the differences in `docs/reference/document_shapes.md`.

use super::documents::{Encoder, Skipped};
use super::paths::{push_element, Paths, Rank};
use super::stream::{Target, DATASET, NAMESPACE, TYPE};
use super::templates::{Slot, Spots};
use super::timestamp::TimeForm;
use crate::console::escape::push_hex;
use crate::console::json_value::{push_string, push_value_in, Dialect};
use crate::decode::request::{ResourceLogsView, ScopeLogsView};
use crate::decode::{AnyView, RecordView};

const RESOURCE: Rank = 0;
const SCOPE: Rank = 1;
const RECORD: Rank = 2;
/// What the record is, which no attribute may hide.
const FIELD: Rank = 3;

/// Attributes of resources with a name in ECS; an empty one leaves the attribute out.
const RESOURCE_NAMES: [(&str, &str); 37] = [
    ("service.instance.id", "service.node.name"),
    ("deployment.environment", "service.environment"),
    ("deployment.environment.name", "service.environment"),
    ("telemetry.sdk.name", ""),
    ("telemetry.sdk.language", "service.language.name"),
    ("telemetry.sdk.version", "service.language.version"),
    ("telemetry.distro.name", ""),
    ("telemetry.distro.version", ""),
    ("cloud.platform", "cloud.service.name"),
    ("container.image.tags", "container.image.tag"),
    (HOST_NAME, HOST_HOSTNAME),
    ("host.arch", "host.architecture"),
    ("process.parent_pid", "process.parent.pid"),
    ("process.executable.name", "process.title"),
    ("process.executable.path", "process.executable"),
    ("process.command_line", "process.args"),
    ("process.runtime.name", "service.runtime.name"),
    ("process.runtime.version", "service.runtime.version"),
    ("os.name", "host.os.name"),
    ("os.type", "host.os.platform"),
    ("os.description", "host.os.full"),
    ("os.version", "host.os.version"),
    ("client.address", "client.ip"),
    ("source.address", "source.ip"),
    ("k8s.deployment.name", "kubernetes.deployment.name"),
    ("k8s.namespace.name", "kubernetes.namespace"),
    ("k8s.node.name", "kubernetes.node.name"),
    ("k8s.pod.name", "kubernetes.pod.name"),
    ("k8s.pod.uid", "kubernetes.pod.uid"),
    ("k8s.job.name", "kubernetes.job.name"),
    ("k8s.cronjob.name", "kubernetes.cronjob.name"),
    ("k8s.statefulset.name", "kubernetes.statefulset.name"),
    ("k8s.replicaset.name", "kubernetes.replicaset.name"),
    ("k8s.daemonset.name", "kubernetes.daemonset.name"),
    ("k8s.container.name", "kubernetes.container.name"),
    ("k8s.cluster.name", "orchestrator.cluster.name"),
    ("faas.instance", "faas.id"),
];

/// Stays under its own name too, and does not replace an attribute with ECS's name.
const HOST_NAME: &str = "host.name";
const HOST_HOSTNAME: &str = "host.hostname";

/// Attributes of records with a name in ECS.
const RECORD_NAMES: [(&str, &str); 6] = [
    ("event.name", "event.action"),
    ("exception.message", "error.message"),
    ("exception.stacktrace", "error.stacktrace"),
    ("exception.type", "error.type"),
    ("exception.escaped", "event.error.exception.handled"),
    ("http.response.body.size", "http.response.encoded_body_size"),
];

/// Fields of a record by their names in ECS.
const FIELDS: [(&str, Slot); 5] = [
    ("trace.id", Slot::TraceId),
    ("span.id", Slot::SpanId),
    ("event.severity", Slot::SeverityNumber),
    ("log.level", Slot::SeverityText),
    ("event.action", Slot::EventName),
];

/// Writes documents of ECS.
pub(super) struct Ecs<'a> {
    time: TimeForm,
    resource: Paths<'a>,
    /// Resource and scope.
    enclosing: Paths<'a>,
    paths: Paths<'a>,
}

impl Ecs<'_> {
    pub(super) fn new(time: TimeForm) -> Self {
        let (resource, enclosing, paths) = (Paths::default(), Paths::default(), Paths::default());
        Self { time, resource, enclosing, paths }
    }
}

impl<'a> Encoder<'a> for Ecs<'a> {
    const NOTES: bool = true;

    fn enter_resource(&mut self, logs: &ResourceLogsView<'a>) {
        self.resource.clear();
        let has_hostname = logs.attributes.get(HOST_HOSTNAME).is_some();
        for (key, value) in logs.attributes {
            match renamed(&RESOURCE_NAMES, key) {
                None => self.resource.attribute("", key, &value, RESOURCE),
                Some(HOST_HOSTNAME) if has_hostname => self.resource.attribute("", key, &value, RESOURCE),
                Some(HOST_HOSTNAME) => {
                    self.resource.attribute("", key, &value, RESOURCE);
                    self.resource.attribute("", HOST_HOSTNAME, &value, RESOURCE);
                }
                Some("") => {}
                Some(name) => self.resource.attribute("", name, &value, RESOURCE),
            }
        }
    }

    fn enter_scope(&mut self, logs: &ScopeLogsView<'a>) {
        self.enclosing.assign(&self.resource);
        self.enclosing.attributes("", logs.attributes, SCOPE);
        self.enclosing.prepare();
    }

    fn push(
        &mut self,
        out: &mut String,
        record: &RecordView<'a>,
        target: &Target,
        spots: &mut Spots,
    ) -> Result<(), Skipped> {
        self.paths.assign(&self.enclosing);
        for (number, (key, value)) in record.attributes.iter().enumerate() {
            self.paths.of_record(renamed(&RECORD_NAMES, key).unwrap_or(key), number, &value, RECORD);
        }
        self.fields(record, target);
        self.paths.settle(is_protected);
        self.paths.push_nested(out, spots);
        Ok(())
    }

    fn push_slot(&self, out: &mut String, slot: Slot, record: &RecordView<'a>, attribute: &AnyView<'a>) {
        match (slot, &record.body) {
            (Slot::Attribute(_), _) => push_element(out, attribute),
            (Slot::Body, Some(body)) => push_message(out, body),
            _ => slot.push_field(out, record, self.time),
        }
    }
}

impl Ecs<'_> {
    fn fields(&mut self, record: &RecordView<'_>, target: &Target) {
        let (time, paths) = (self.time, &mut self.paths);
        if let Some(stream) = &target.stream {
            paths.json(TYPE, FIELD, |out| push_string(out, &stream.kind));
            paths.json(DATASET, FIELD, |out| push_string(out, &stream.dataset));
            paths.json(NAMESPACE, FIELD, |out| push_string(out, &stream.namespace));
        }
        // Without it a data stream refuses the document.
        paths.value("@timestamp", FIELD, Slot::Time, |out| Slot::Time.push_field(out, record, time));
        for (path, slot) in FIELDS {
            paths.field(path, FIELD, slot, record, time);
        }
        if let Some(body) = record.body.as_ref().filter(|body| !matches!(body, AnyView::Empty)) {
            paths.value("message", FIELD, Slot::Body, |out| push_message(out, body));
        }
    }
}

fn renamed(names: &[(&str, &'static str)], key: &str) -> Option<&'static str> {
    names.iter().find(|(name, _)| *name == key).map(|(_, renamed)| *renamed)
}

/// ECS's own fields: nothing else may move them.
fn is_protected(path: &str) -> bool {
    RESOURCE_NAMES.iter().chain(&RECORD_NAMES).any(|(_, name)| *name == path)
}

/// The body; one that is no text, as the text of its JSON.
fn push_message(out: &mut String, body: &AnyView<'_>) {
    if let AnyView::Str(text) = body {
        return push_string(out, text);
    }
    let mut text = String::new();
    push_value_in(&mut text, body, Dialect::Index);
    push_string(out, &text);
}

pub(super) fn push_id(out: &mut String, id: &[u8]) {
    out.push('"');
    push_hex(out, id);
    out.push('"');
}
