//! Stage 6 of 7, export: the index or data stream of a document. Thread: as `encode`.
//!
//! A data stream is called `type-dataset-namespace`. Attributes of the record, its scope or its resource, in this order,
//! may name dataset and namespace (`data_stream.dataset`, `data_stream.namespace`) or a whole index
//! (`elasticsearch.index`). Names are made to fit Elastic's rules: lower case, no characters that indexes forbid, no
//! hyphen in a dataset, 100 bytes at most.

use super::documents::Shape;
use crate::console::json_value::push_string;
use crate::decode::request::{ResourceLogsView, ScopeLogsView};
use crate::decode::{AnyView, KvListView, RecordView};
use memchr::memmem::Finder;

pub(super) const TYPE: &str = "data_stream.type";
pub(super) const DATASET: &str = "data_stream.dataset";
pub(super) const NAMESPACE: &str = "data_stream.namespace";
const INDEX: &str = "elasticsearch.index";
const MAX_NAME_BYTES: usize = 100;

/// Where documents go unless attributes say otherwise.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// An index or alias for all documents, whatever their attributes say.
    pub index: Option<String>,
    /// First part of the name; `None`: `logs`, for `ss4o` documents `ss4o_logs`.
    pub kind: Option<String>,
    /// Second part of the name.
    pub dataset: String,
    /// Third part of the name.
    pub namespace: String,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self { index: None, kind: None, dataset: "generic".into(), namespace: "default".into() }
    }
}

/// Where one document goes.
#[derive(Debug, Clone, Default)]
pub(super) struct Target {
    /// Name of the index or data stream, as a JSON string.
    pub index: String,
    /// The parts of a data stream's name; `None` when the target is an index of another kind.
    pub stream: Option<Stream>,
}

#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub kind: String,
    pub dataset: String,
    pub namespace: String,
    /// `{"type":…,"dataset":…,"namespace":…}`.
    pub json: String,
}

/// Finds the target of each record.
pub(super) struct Router<'a> {
    options: &'a StreamOptions,
    shape: Shape,
    /// Of records of this scope that do not say otherwise.
    common: Target,
    own: Target,
    /// Attributes of the present scope and resource, asked after the record's.
    outer: [KvListView<'a>; 2],
    hints: [Finder<'static>; 2],
}

impl<'a> Router<'a> {
    pub(super) fn new(shape: Shape, options: &'a StreamOptions) -> Self {
        let hints = [Finder::new("data_stream."), Finder::new(INDEX)];
        let outer = [KvListView::default(); 2];
        Self { options, shape, common: Target::default(), own: Target::default(), outer, hints }
    }

    pub(super) fn enter(&mut self, logs: &ResourceLogsView<'a>, scope: &ScopeLogsView<'a>) {
        if self.shape != Shape::Hec {
            self.outer = [scope.attributes, logs.attributes];
            self.common = self.target(KvListView::default());
        }
    }

    /// Whether an attribute called so may give its record a target of its own.
    pub(super) fn is_hint(key: &str) -> bool {
        key.starts_with("data_stream.") || key == INDEX
    }

    /// The target of one record; `record` are its bytes.
    pub(super) fn route(&mut self, record: &[u8], view: &RecordView<'_>) -> &Target {
        // Nearly no record names its own target, and one look at its bytes tells.
        let fixed = self.shape == Shape::Hec || self.options.index.is_some();
        if fixed || !self.hints.iter().any(|hint| hint.find(record).is_some()) {
            return &self.common;
        }
        self.own = self.target(view.attributes);
        &self.own
    }

    fn target(&self, record: KvListView<'_>) -> Target {
        let index = self.options.index.clone().or_else(|| self.attribute(record, INDEX));
        if let Some(index) = index {
            return Target { index: quoted(&index), stream: None };
        }
        let dataset = self.attribute(record, DATASET);
        let namespace = self.attribute(record, NAMESPACE);
        let suffix = if self.shape == Shape::Otel { ".otel" } else { "" };
        let dataset = sanitised(dataset.as_deref().unwrap_or(&self.options.dataset), suffix, true);
        let namespace = sanitised(namespace.as_deref().unwrap_or(&self.options.namespace), "", false);
        let stream = Stream::new(self.kind(record), dataset, namespace);
        let index = quoted(&format!("{}-{}-{}", stream.kind, stream.dataset, stream.namespace));
        Target { index, stream: Some(stream) }
    }

    /// Only a body that is the whole document may choose between logs and metrics.
    fn kind(&self, record: KvListView<'_>) -> String {
        let default = if self.shape == Shape::Ss4o { "ss4o_logs" } else { "logs" };
        let named = self.attribute(record, TYPE).filter(|kind| kind == "logs" || kind == "metrics");
        let named = named.filter(|_| self.shape == Shape::Bodymap);
        named.or_else(|| self.options.kind.clone()).unwrap_or_else(|| default.into())
    }

    /// The first text that is not empty of an attribute, from the record outwards.
    fn attribute(&self, record: KvListView<'_>, key: &str) -> Option<String> {
        let mut places = [record].into_iter().chain(self.outer);
        places.find_map(|attributes| match attributes.get(key) {
            Some(AnyView::Str(text)) if !text.is_empty() => Some(text.to_owned()),
            _ => None,
        })
    }
}

impl Stream {
    fn new(kind: String, dataset: String, namespace: String) -> Self {
        let mut json = String::from("{\"type\":");
        push_string(&mut json, &kind);
        json.push_str(",\"dataset\":");
        push_string(&mut json, &dataset);
        json.push_str(",\"namespace\":");
        push_string(&mut json, &namespace);
        json.push('}');
        Self { kind, dataset, namespace, json }
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    push_string(&mut out, text);
    out
}

/// `name` as a part of a data stream's name, with `suffix` unless it ends so already.
fn sanitised(name: &str, suffix: &str, is_dataset: bool) -> String {
    let forbidden = |character: char| {
        matches!(character, '\\' | '/' | '*' | '?' | '"' | '<' | '>' | '|' | ' ' | ',' | '#' | ':')
            || (is_dataset && character == '-')
    };
    let lower = |character: char| character.to_lowercase().next().unwrap_or(character);
    let mut out = String::new();
    for character in name.strip_suffix(suffix).unwrap_or(name).chars() {
        let character = if forbidden(character) { '_' } else { lower(character) };
        if out.len() + character.len_utf8() + suffix.len() > MAX_NAME_BYTES {
            break;
        }
        out.push(character);
    }
    out.push_str(suffix);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_the_rules_of_data_streams() {
        assert_eq!(sanitised("Orders-EU/β#1", ".otel", true), "orders_eu_β_1.otel");
        assert_eq!(sanitised("Orders-EU", "", false), "orders-eu");
        assert_eq!(sanitised("a.otel", ".otel", true), "a.otel");
        assert_eq!(sanitised(&"é".repeat(99), ".otel", true), format!("{}.otel", "é".repeat(47)));
    }
}
