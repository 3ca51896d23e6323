//! Stage 3 of 7, redact: the attribute with what was sealed, while a record is written anew. Thread: caller.

use super::entry::Entry;
use super::SEALED_KEY;
use crate::record::tag;
use crate::redact::actions::Action;
use crate::redact::walk::{nested, put_texts};
use crate::scan::kind::Kind;
use crate::wire::{Fields, Value};

/// How many values of one record are sealed, and how long they are together; further ones are only removed.
const MAX_ENTRIES: usize = 64;
const MAX_BYTES: usize = 64 * 1024;

/// What is sealed of a record.
#[derive(Debug, Default)]
pub struct SealedList {
    entries: Vec<String>,
    bytes: usize,
    /// The data key that the last entry with one carries.
    before: String,
}

impl SealedList {
    /// Seals a value of a record, if that is its action; `path` is empty for the body.
    pub fn add(&mut self, action: &Action, kind: Kind, path: &[u8], value: &str) {
        let Action::Seal(sealer) = action else { return };
        if value.is_empty() || self.entries.len() >= MAX_ENTRIES || self.bytes + value.len() > MAX_BYTES {
            return;
        }
        let path = if path.is_empty() { "body".into() } else { String::from_utf8_lossy(path) };
        if let Some(entry) = sealer.seal(kind.id(), &path, value.as_bytes(), &mut self.before) {
            self.bytes += entry.len();
            self.entries.push(entry);
        }
    }

    /// Keeps what was sealed when the record was looked at before.
    pub fn keep(&mut self, entries: &[&str]) {
        let wrapped = |text: &&&str| Entry::parse(text).is_some_and(|entry| !entry.wrapped.is_empty());
        if let Some(entry) = entries.iter().rev().find(wrapped).and_then(|text| Entry::parse(text)) {
            entry.wrapped.clone_into(&mut self.before);
        }
        self.entries.extend(entries.iter().map(|&text| text.to_owned()));
    }

    /// Appends the attribute, if there is anything in it.
    pub fn put(&self, out: &mut Vec<u8>) {
        if self.entries.is_empty() {
            return;
        }
        nested(tag::ATTRIBUTE, out, |out| put_texts(SEALED_KEY.as_bytes(), &self.entries, out));
    }
}

/// The entries of an attribute of ours; `None` for any other attribute: also one of this name with anything else inside.
#[must_use]
pub fn entries<'a>(key: &[u8], value: Option<&'a [u8]>) -> Option<Vec<&'a str>> {
    if key != SEALED_KEY.as_bytes() {
        return None;
    }
    let mut fields = Fields::new(value?);
    let (5, Value::Bytes(members)) = fields.next()? else { return None };
    if fields.next().is_some() || fields.malformed() {
        return None;
    }
    let mut entries = Vec::new();
    let mut members = Fields::new(members);
    for member in members.by_ref() {
        let (1, Value::Bytes(member)) = member else { return None };
        let mut fields = Fields::new(member);
        let (1, Value::Bytes(text)) = fields.next()? else { return None };
        let text = std::str::from_utf8(text).ok()?;
        Entry::parse(text).filter(|entry| Kind::from_id(entry.kind).is_some() && fields.next().is_none())?;
        entries.push(text);
    }
    (!members.malformed()).then_some(entries)
}
