//! Stage 1 of 7, emit: by what a request is known as one of a kind that has a template. Thread: caller.
//!
//! What `fapilog_instrumentation_fastapi.ordinary.template` looks at is here, but for the plan, which has its own
//! templates, and the names of path parameters, which the template has itself. Who lets it look at more adds it.

use super::asgi::item;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pyo3::{intern, PyTraverseError, PyVisit};

/// Texts from outside that are remembered are no longer than this, together; `remembering.LONGEST` in Python.
const LONGEST_BYTES: usize = 256;
/// Texts that a template depends on: method, scheme, version, mounts, root of the application.
const TEXTS: usize = 5;
/// Objects that it depends on: endpoint, route, router, and what `FastAPI` keeps beside the route.
const OBJECTS: usize = 4;

/// What a template depends on, as a request has it.
pub struct Key<'a, 'py> {
    status: i64,
    texts: [Option<Bound<'py, PyString>>; TEXTS],
    objects: [Option<Bound<'py, PyAny>>; OBJECTS],
    host: &'a [u8],
}

/// The same, as it is kept.
pub struct KeptKey {
    status: i64,
    texts: [Option<String>; TEXTS],
    /// Held, so that their addresses stay theirs.
    objects: [Option<Py<PyAny>>; OBJECTS],
    host: Vec<u8>,
}

impl<'a, 'py> Key<'a, 'py> {
    /// Of a request; `None`: no template serves it.
    pub fn of(scope: &Bound<'py, PyDict>, status: i64, host: &'a [u8]) -> PyResult<Option<Self>> {
        let py = scope.py();
        let names = [
            intern!(py, "method"),
            intern!(py, "scheme"),
            intern!(py, "http_version"),
            intern!(py, "root_path"),
            intern!(py, "app_root_path"),
        ];
        let (mut texts, mut length) = ([const { None }; TEXTS], host.len());
        for (place, name) in texts.iter_mut().zip(names) {
            let Some(value) = scope.get_item(name)? else { continue };
            let Ok(text) = value.cast_into::<PyString>() else { return Ok(None) };
            let Ok(utf8) = text.to_str() else { return Ok(None) };
            length += utf8.len();
            *place = Some(text);
        }
        let beside = match item(scope, intern!(py, "fastapi"))? {
            Some(inner) => item(&inner, intern!(py, "effective_route_context"))?,
            None => None,
        };
        let objects = [
            scope.get_item(intern!(py, "endpoint"))?,
            scope.get_item(intern!(py, "route"))?,
            scope.get_item(intern!(py, "router"))?,
            beside,
        ];
        Ok((length <= LONGEST_BYTES).then_some(Self { status, texts, objects, host }))
    }

    /// FNV-1a over the words of it. Who makes two hosts of one hash makes their templates replace each other: that costs
    /// time, and keys are compared whole.
    pub fn hash(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ self.status as u64;
        let mut add = |word: u64| hash = (hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
        for object in self.objects.iter().flatten() {
            add(object.as_ptr() as u64);
        }
        let texts = self.texts.iter().flatten().filter_map(|text| text.to_str().ok());
        for bytes in texts.map(str::as_bytes).chain([self.host]) {
            for chunk in bytes.chunks(8) {
                add(chunk.iter().fold(bytes.len() as u64, |word, byte| word << 8 | u64::from(*byte)));
            }
        }
        hash
    }

    /// Whether this is a key that is kept.
    pub fn is(&self, kept: &KeptKey) -> bool {
        let same_text = |(text, kept): (&Option<Bound<'_, PyString>>, &Option<String>)| match (text, kept) {
            (Some(text), Some(kept)) => text.to_str().is_ok_and(|text| text == kept),
            (None, None) => true,
            _ => false,
        };
        let same = |(object, kept): (&Option<Bound<'_, PyAny>>, &Option<Py<PyAny>>)| match (object, kept) {
            (Some(object), Some(kept)) => object.is(kept),
            (None, None) => true,
            _ => false,
        };
        self.status == kept.status
            && self.host == kept.host
            && self.texts.iter().zip(&kept.texts).all(same_text)
            && self.objects.iter().zip(&kept.objects).all(same)
    }

    /// To keep.
    pub fn kept(&self) -> KeptKey {
        let text = |text: &Option<Bound<'_, PyString>>| {
            text.as_ref().and_then(|text| text.to_str().ok()).map(str::to_owned)
        };
        KeptKey {
            status: self.status,
            texts: self.texts.each_ref().map(text),
            objects: self.objects.each_ref().map(|object| object.clone().map(Bound::unbind)),
            host: self.host.to_owned(),
        }
    }
}

impl KeptKey {
    /// For the collector.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.objects.iter().try_for_each(|object| visit.call(object))
    }
}
