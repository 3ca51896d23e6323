//! Stage 2 of 7, capture: what stands around records, encoded once: scopes and the resource. Thread: caller.

use super::text::text_of;
use super::values::{unprintable_name, ValueReader, MAX_DEPTH};
use crate::record::fields::SeverityField;
use crate::record::{tag, RecordWriter};
use crate::redact::Policy;
use crate::wire::put_bytes;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

/// Attributes of an instrumentation scope, as `InstrumentationScope.attributes` fields.
pub fn scope_attributes(py: Python<'_>, attributes: &Bound<'_, PyDict>) -> Vec<u8> {
    key_values(py, attributes, 0x1a)
}

/// A resource as the fields of `ResourceLogs` other than the scopes.
#[pyfunction]
#[pyo3(signature = (attributes, schema_url=""))]
pub fn encode_resource<'py>(
    py: Python<'py>,
    attributes: &Bound<'py, PyDict>,
    schema_url: &str,
) -> Bound<'py, PyBytes> {
    let mut fields = Vec::new();
    put_bytes(&mut fields, 0x0a, &key_values(py, attributes, 0x0a));
    if !schema_url.is_empty() {
        put_bytes(&mut fields, 0x1a, schema_url.as_bytes());
    }
    PyBytes::new(py, &fields)
}

/// `KeyValue` messages, each under `field_tag`. Nothing is hidden here: scope and resource pass `scope_secrets`
/// when a pipeline meets them.
fn key_values(py: Python<'_>, attributes: &Bound<'_, PyDict>, field_tag: u8) -> Vec<u8> {
    // A copy: reading a value may run code that changes the dict.
    let Ok(attributes) = attributes.copy() else { return Vec::new() };
    let policy = Policy::new(&[], &[], &[]);
    let mut writer = RecordWriter::new();
    writer.begin(0, 0, &SeverityField::NONE, None);
    let head = writer.len();
    for (key, value) in attributes {
        let entry = writer.open(field_tag);
        let name = text_of(&key).unwrap_or_else(|_| unprintable_name(&key));
        writer.key(name.as_bytes());
        let open = writer.open(tag::VALUE);
        ValueReader::new(py, &mut writer, &policy, MAX_DEPTH).any(&value);
        writer.close(open);
        writer.close(entry);
    }
    writer.record()[head..].to_vec()
}
