//! Stage 6 of 7, export: a borrowing reader of one encoded `ExportLogsServiceRequest`. Thread: any; allocates nothing to read.
//!
//! `LogsData` has the same fields, so this reads it too. Tolerant as [`crate::decode`], which reads the records:
//! at the first malformed byte of a message its reading stops, and what came before is kept.

use crate::decode::{next_message, valid_prefix, KvListView};
use crate::wire::{Fields, Value};

/// Field of the request that holds a `ResourceLogs`.
const RESOURCE_LOGS: u32 = 1;
/// Field of `ResourceLogs` and `ScopeLogs` that holds the next level: scopes, records.
const MEMBERS: u32 = 2;
/// Field of `Resource` that holds an attribute.
const RESOURCE_ATTRIBUTES: u32 = 1;
/// Field of `InstrumentationScope` that holds an attribute.
const SCOPE_ATTRIBUTES: u32 = 3;

/// Iterates the resources of `request` in wire order.
#[must_use]
pub fn resources(request: &[u8]) -> Members<'_, ResourceLogsView<'_>> {
    Members { fields: Fields::new(request), field: RESOURCE_LOGS, read: ResourceLogsView::parse }
}

/// The number of log records in `request`.
#[must_use]
pub fn count_records(request: &[u8]) -> u64 {
    let scopes = resources(request).flat_map(|resource| resource.scopes());
    scopes.map(|scope| scope.records().count() as u64).sum()
}

/// Iterator over the messages of one repeated field.
#[derive(Debug, Clone)]
pub struct Members<'a, T> {
    fields: Fields<'a>,
    field: u32,
    read: fn(&'a [u8]) -> T,
}

impl<T> Iterator for Members<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        next_message(&mut self.fields, self.field).map(self.read)
    }
}

/// Everything that one resource sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResourceLogsView<'a> {
    message: &'a [u8],
    /// True when the message names a resource, be it an empty one.
    pub has_resource: bool,
    /// Attributes of the resource, in wire order.
    pub attributes: KvListView<'a>,
    /// Attributes of the resource that limits removed at the source.
    pub dropped_attributes_count: u32,
    /// Schema of the resource's attributes; may be empty.
    pub schema_url: &'a str,
}

impl<'a> ResourceLogsView<'a> {
    fn parse(message: &'a [u8]) -> Self {
        let mut view = Self { message, ..Self::default() };
        for field in Fields::new(message) {
            match field {
                (1, Value::Bytes(resource)) => view.set_resource(resource),
                (3, Value::Bytes(url)) => view.schema_url = valid_prefix(url),
                _ => {}
            }
        }
        view
    }

    fn set_resource(&mut self, resource: &'a [u8]) {
        self.has_resource = true;
        self.attributes = KvListView::within(resource, RESOURCE_ATTRIBUTES);
        self.dropped_attributes_count = dropped_count(resource, 2);
    }

    /// Iterates its scopes in wire order.
    #[must_use]
    pub fn scopes(&self) -> Members<'a, ScopeLogsView<'a>> {
        Members { fields: Fields::new(self.message), field: MEMBERS, read: ScopeLogsView::parse }
    }
}

/// The records of one instrumentation scope.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScopeLogsView<'a> {
    message: &'a [u8],
    /// True when the message names a scope, be it an empty one.
    pub has_scope: bool,
    /// Name of the logger; may be empty.
    pub name: &'a str,
    /// Version of the instrumented library; may be empty.
    pub version: &'a str,
    /// Attributes of the scope, in wire order.
    pub attributes: KvListView<'a>,
    /// Attributes of the scope that limits removed at the source.
    pub dropped_attributes_count: u32,
    /// Schema of the records' attributes; may be empty.
    pub schema_url: &'a str,
}

impl<'a> ScopeLogsView<'a> {
    fn parse(message: &'a [u8]) -> Self {
        let mut view = Self { message, ..Self::default() };
        for field in Fields::new(message) {
            match field {
                (1, Value::Bytes(scope)) => view.set_scope(scope),
                (3, Value::Bytes(url)) => view.schema_url = valid_prefix(url),
                _ => {}
            }
        }
        view
    }

    fn set_scope(&mut self, scope: &'a [u8]) {
        self.has_scope = true;
        self.attributes = KvListView::within(scope, SCOPE_ATTRIBUTES);
        self.dropped_attributes_count = dropped_count(scope, 4);
        (self.name, self.version) = ("", "");
        for field in Fields::new(scope) {
            match field {
                (1, Value::Bytes(name)) => self.name = valid_prefix(name),
                (2, Value::Bytes(version)) => self.version = valid_prefix(version),
                _ => {}
            }
        }
    }

    /// Iterates its encoded `LogRecord`s in wire order.
    #[must_use]
    pub fn records(&self) -> Members<'a, &'a [u8]> {
        Members { fields: Fields::new(self.message), field: MEMBERS, read: |record| record }
    }
}

fn dropped_count(message: &[u8], field: u32) -> u32 {
    let counts = Fields::new(message).filter_map(|found| match found {
        (number, Value::Varint(count)) if number == field => Some(count as u32),
        _ => None,
    });
    counts.last().unwrap_or(0)
}
