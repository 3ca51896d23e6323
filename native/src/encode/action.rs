//! Stage 6 of 7, export: the line of a bulk request that says where the document after it goes. Thread: as `encode`.
//!
//! Always `create`, the only action that data streams take. With ids, a document that arrived already answers 409.

use super::documents::Shape;
use super::ids::Ids;
use super::stream::Target;
use super::templates::{Slot, Spots};
use crate::decode::request::{ResourceLogsView, ScopeLogsView};
use crate::decode::{AnyView, RecordView};

/// What action lines say.
#[derive(Debug, Clone, Default)]
pub struct BulkOptions {
    /// Give each document an `_id`: see `ids`.
    pub ids: bool,
    /// Let the server refuse a document when no data stream has the name; `None`: in `otel` and `ecs`, as the
    /// Collector's exporter does. OpenSearch does not know it.
    pub require_data_stream: Option<bool>,
}

/// Writes action lines.
pub(super) struct Actions {
    ids: Option<Ids>,
    require_data_stream: bool,
}

impl Actions {
    pub(super) fn new(shape: Shape, options: &BulkOptions) -> Self {
        let elastic = matches!(shape, Shape::Otel | Shape::Ecs);
        Self {
            ids: options.ids.then(Ids::new),
            require_data_stream: options.require_data_stream.unwrap_or(elastic),
        }
    }

    pub(super) fn enter(&mut self, logs: &ResourceLogsView<'_>, scope: &ScopeLogsView<'_>) {
        if let Some(ids) = &mut self.ids {
            ids.enter(logs, scope);
        }
    }

    pub(super) fn push(
        &mut self,
        out: &mut String,
        target: &Target,
        record: &[u8],
        view: &RecordView<'_>,
        spots: &mut Spots,
    ) {
        out.push_str("{\"create\":{\"_index\":");
        out.push_str(&target.index);
        if let Some(ids) = &mut self.ids {
            out.push_str(",\"_id\":");
            let uid = ids.uid(record, view);
            spots.value(out, Slot::Id, |out| ids.push(out, record, &uid));
        }
        if self.require_data_stream && target.stream.is_some() {
            out.push_str(",\"require_data_stream\":true");
        }
        out.push_str("}}\n");
    }

    /// Appends the id of a record alone.
    pub(super) fn push_id(&mut self, out: &mut String, record: &[u8], uid: &AnyView<'_>) {
        if let Some(ids) = &mut self.ids {
            ids.push(out, record, uid);
        }
    }
}
