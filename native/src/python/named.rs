//! Stage 2 of 7, capture: attributes that are not plain keywords: reserved words, mappings, exceptions. Thread: caller.

use super::emission::{is_security, Emission};
use super::ending::may_call_python;
use super::helpers;
use super::keys::{KeyKind, Reserved, CATEGORY};
use crate::redact::{KeyDecision, SECRET_MARKER};
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyString};

type Pair<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

impl<'py> Emission<'_, 'py> {
    /// A keyword with a meaning of its own; others are ignored, they were written before.
    pub fn reserved(&mut self, name: &Bound<'py, PyAny>, value: &Bound<'py, PyAny>) {
        // SAFETY: attached; only the kind is copied out.
        let kind =
            unsafe { self.active.keys.get().kind(name.as_ptr(), &self.active.pipeline.settings().policy) };
        let KeyKind::Reserved(reserved) = kind else { return };
        if value.is_none() {
            return;
        }
        match reserved {
            Reserved::ExcInfo => self.exception(value),
            Reserved::EventName => {
                let name = self.name_of(value);
                self.event_name(&name);
            }
            Reserved::Category => {
                self.meta.protected |= is_security(value);
                let plain = value.getattr("value").unwrap_or_else(|_| value.clone());
                self.named(CATEGORY, &plain);
            }
            Reserved::Severity => self.named("fapilog.event.severity", value),
            Reserved::Tags => self.tags(value),
            Reserved::Timestamp => match helpers::unix_nanos(value) {
                Some(nanos) => self.writer.set_time(nanos),
                None => self.named("timestamp", value),
            },
        }
    }

    fn tags(&mut self, value: &Bound<'py, PyAny>) {
        match value.call_method0("items").and_then(|items| items.try_iter()) {
            Ok(items) => self.pairs(items, "fapilog.tag."),
            Err(_) => self.named("fapilog.tags", value),
        }
    }

    /// Attributes from key-value pairs; the first failure ends them, because an iterator may fail for ever.
    pub fn pairs(&mut self, items: Bound<'py, PyIterator>, prefix: &str) {
        for item in items {
            match item.and_then(|item| item.extract::<Pair<'py>>()) {
                Ok((key, value)) => self.pair(&key, &value, prefix),
                Err(error) => return self.remember(error),
            }
        }
    }

    /// One attribute under a key of any type.
    pub fn pair(&mut self, key: &Bound<'py, PyAny>, value: &Bound<'py, PyAny>, prefix: &str) {
        let name = self.name_of(key);
        let secret = self.active.pipeline.settings().policy.decide(&name) == KeyDecision::Hide;
        if prefix.is_empty() && name == CATEGORY {
            self.meta.protected |= is_security(value);
        }
        let marker = secret.then(|| PyString::new(self.py, SECRET_MARKER).into_any());
        self.named(&format!("{prefix}{name}"), marker.as_ref().unwrap_or(value));
    }

    /// The exception, its chain and stack as attributes; `value` as `exc_info=` takes it.
    pub fn exception(&mut self, value: &Bound<'py, PyAny>) {
        match helpers::describe_exception(value) {
            Ok(Some((kind, message, stack))) => {
                for (name, text) in [
                    ("exception.type", kind),
                    ("exception.message", message),
                    ("exception.stacktrace", stack),
                ] {
                    self.named(name, &text);
                }
            }
            Ok(None) => {}
            Err(error) => self.remember(error),
        }
    }

    /// True when the call described an exception itself (`exc_info=`).
    pub fn described_exception(&self) -> bool {
        self.has_key("exception.type")
    }

    /// The thread that logs, unless the record says which one it was.
    #[cold]
    pub fn thread(&mut self) {
        if !self.active.capture().threads || self.has_key("thread.id") || !may_call_python() {
            return;
        }
        match helpers::thread(self.py) {
            Ok(Some((identifier, name))) => {
                self.named("thread.id", &identifier);
                self.named("thread.name", &name);
            }
            Ok(None) => {}
            Err(error) => self.remember(error),
        }
    }

    /// Counts what was left out, and says so once a minute: one line for one record at most.
    #[cold]
    pub fn note_dropped(&mut self, scope: u32) {
        self.writer.dropped_attributes(self.dropped);
        let limit = self.active.capture().max_attributes;
        if self.attributes < limit || !may_call_python() {
            return;
        }
        let (name, count) = (self.active.pipeline.scopes().name(scope), self.dropped);
        let message = format!(
            "a record of logger '{name}' left {count} attributes out: limits.attribute_count is {limit}"
        );
        let interrupt = helpers::say(self.py, "attributes-dropped", &message, &name);
        self.interrupt = interrupt.or(self.interrupt.take());
    }

    /// An attribute of ours that no limit counts.
    pub fn uncounted(&mut self, name: &str, value: &Bound<'py, PyAny>) {
        self.read(|reader| reader.named_attribute(name, value));
    }
}
