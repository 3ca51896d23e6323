//! Stage 6 of 7, export: attributes as members of one flat JSON object, in which no key stands twice. Thread: as `encode`.
//!
//! Nested maps are flattened with dots. What a resource has in common for all its records is written once, and copied as
//! it stands unless a record has one of its keys.

use super::keys::{hash, Keys};
use crate::console::json_value::{push_string, push_value_in, Dialect};
use crate::decode::{AnyView, KvListView};
use std::collections::HashSet;

/// Which keys may stand in the object.
#[derive(Debug, Clone, Default)]
pub enum Allowed {
    /// All of them.
    #[default]
    All,
    /// Those of a list; an entry that ends with `*` allows all keys that start so.
    Listed {
        /// Whole names.
        names: HashSet<String>,
        /// What stood before a `*`.
        prefixes: Vec<String>,
    },
}

impl Allowed {
    /// A list of names.
    #[must_use]
    pub fn listed(entries: &[String]) -> Self {
        let (starred, names): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.ends_with('*'));
        let prefixes = starred.iter().map(|entry| entry.trim_end_matches('*').to_owned()).collect();
        Self::Listed { names: names.into_iter().cloned().collect(), prefixes }
    }

    /// Whether `key` may stand in the object.
    #[must_use]
    pub fn allows(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::Listed { names, prefixes } => {
                names.contains(key) || prefixes.iter().any(|prefix| key.starts_with(prefix))
            }
        }
    }
}

/// How values are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style<'a> {
    pub allowed: &'a Allowed,
    pub dialect: Dialect,
}

/// Members of one object: written to a text of the caller's, remembered by key.
pub(super) struct Members {
    keys: Keys,
    /// Where the first member starts; others have a comma before them.
    start: usize,
    /// The name of a nested member while it is put together.
    path: String,
    /// Where the value of the last member starts.
    value_start: usize,
    /// The places of the members, for those who ask.
    places: Option<Vec<Member>>,
}

impl Members {
    pub(super) fn new() -> Self {
        Self { keys: Keys::new(), start: 0, path: String::new(), value_start: 0, places: None }
    }

    /// Begins a new object at the end of `out`.
    pub(super) fn begin(&mut self, out: &str) {
        self.keys.clear();
        self.start = out.len();
    }

    /// Writes one member with `write`, unless its key is there already or not allowed. True when it was written.
    pub(super) fn add(
        &mut self,
        out: &mut String,
        key: &str,
        allowed: &Allowed,
        write: impl FnOnce(&mut String),
    ) -> bool {
        if !allowed.allows(key) {
            return false;
        }
        let end = out.len();
        if end > self.start {
            out.push(',');
        }
        let place = out.len();
        push_string(out, key);
        if !self.keys.insert(out, place..out.len()) {
            out.truncate(end);
            return false;
        }
        let key_end = out.len();
        out.push(':');
        self.value_start = out.len();
        write(out);
        if let Some(places) = &mut self.places {
            let hash = hash(&out.as_bytes()[place..key_end]);
            places.push(Member { start: place, key_end, end: out.len(), hash });
        }
        true
    }

    /// Where the value of the member that was written last starts.
    pub(super) const fn value_start(&self) -> usize {
        self.value_start
    }

    /// Writes an attribute: a map as several members, others as [`push_single`] does. An attribute without a value is left
    /// out. True when it was written as one member.
    pub(super) fn attribute(
        &mut self,
        out: &mut String,
        key: &str,
        value: &AnyView<'_>,
        style: Style<'_>,
    ) -> bool {
        match value {
            AnyView::Empty => false,
            AnyView::KvList(entries) => {
                let mut path = std::mem::take(&mut self.path);
                path.clear();
                path.push_str(key);
                self.nested(out, &mut path, entries, style);
                self.path = path;
                false
            }
            _ => self.add(out, key, style.allowed, |out| push_single(out, value, style.dialect)),
        }
    }

    fn nested(&mut self, out: &mut String, path: &mut String, entries: &KvListView<'_>, style: Style<'_>) {
        let length = path.len();
        for (key, value) in *entries {
            path.push('.');
            path.push_str(key);
            match &value {
                AnyView::KvList(inner) => self.nested(out, path, inner, style),
                _ => {
                    self.attribute(out, path, &value, style);
                }
            }
            path.truncate(length);
        }
    }

    /// Writes all members of `common` whose keys are not there.
    pub(super) fn append(&mut self, out: &mut String, common: &Common) {
        let is_free = |member: &Member| {
            !self.keys.contains(out, &common.text[member.start..member.key_end], member.hash)
        };
        if common.members.iter().all(is_free) {
            if out.len() > self.start && !common.text.is_empty() {
                out.push(',');
            }
            return out.push_str(&common.text);
        }
        for member in &common.members {
            if !self.keys.contains(out, &common.text[member.start..member.key_end], member.hash) {
                if out.len() > self.start {
                    out.push(',');
                }
                out.push_str(&common.text[member.start..member.end]);
            }
        }
    }
}

/// Writes a value as one member's: an array that has more than single values as the text of its JSON.
pub(super) fn push_single(out: &mut String, value: &AnyView<'_>, dialect: Dialect) {
    match value {
        AnyView::Array(values)
            if values
                .iter()
                .any(|member| matches!(member, AnyView::Empty | AnyView::Array(_) | AnyView::KvList(_))) =>
        {
            let mut text = String::new();
            push_value_in(&mut text, value, dialect);
            push_string(out, &text);
        }
        _ => push_value_in(out, value, dialect),
    }
}

/// Members that many objects have in common.
#[derive(Debug, Default)]
pub(super) struct Common {
    text: String,
    members: Vec<Member>,
}

impl Common {
    /// Those that `write` adds.
    pub(super) fn of(write: impl FnOnce(&mut Members, &mut String)) -> Self {
        let mut members = Members { places: Some(Vec::new()), ..Members::new() };
        let mut text = String::new();
        write(&mut members, &mut text);
        Self { text, members: members.places.unwrap_or_default() }
    }
}

#[derive(Debug)]
struct Member {
    start: usize,
    key_end: usize,
    end: usize,
    hash: u32,
}
