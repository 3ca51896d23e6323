//! Stage 5 of 7, seal: which names of attributes records have, counted, for the inventory. Thread: sealer; the caller
//! where the console is alone.
//!
//! Only where somebody asked for it. Records have passed stage 3 here: a name in which something was found stands as its
//! marker, and of values only markers are looked at. What stage 3 found by type, it counts itself
//! ([`crate::redact::inventory`]); here are names under which nothing was found, and what every mode hides.

use crate::decode::{AnyView, KvListView, RecordView};
use crate::redact::actions::MARKER_START;
use crate::redact::SECRET_MARKER;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Names that are counted each; values under others are counted together.
const MOST_NAMES: usize = 1_000;
/// Longest path that is counted by itself.
const MAX_PATH_BYTES: usize = 256;
/// What stands where a URL held credentials.
const USERINFO: &str = "REDACTED:REDACTED@";
/// The place of a body that is a text; it has no name, so that nothing else of it is counted.
const BODY: &str = "body";
/// Attributes that fapilog writes itself.
const OWN: &str = "fapilog.";

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    /// Nothing that was hidden.
    Nothing,
    /// A URL without its credentials.
    Url,
    /// The marker of a secret name, or of `SecretStr`.
    Secret,
    /// What stage 3 counted.
    Counted,
}

/// Types of the counts, in the order of [`Held`]; the inventory of files has the same words.
const TYPES: [&str; 3] = ["", "URL_USERINFO", "SECRET_KEY"];

/// Path, type and count of each place, and by type what is not counted by place.
pub type ByPlace = (Vec<(String, String, u64)>, Vec<(String, u64)>);

/// Counts by name.
#[derive(Debug, Default)]
pub struct KeyCounts {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    names: HashMap<Box<str>, [u64; TYPES.len()]>,
    elsewhere: [u64; TYPES.len()],
}

impl KeyCounts {
    /// Counts the names of records.
    pub fn look<'a>(&self, records: impl Iterator<Item = &'a [u8]>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut path = String::new();
        for record in records {
            let view = RecordView::parse(record);
            counts.map(view.attributes, &mut path);
            match view.body {
                // As stage 3 notes them: by their own path.
                Some(AnyView::KvList(body)) => counts.map(body, &mut path),
                Some(text) if held_by(text) == Held::Url => counts.add(BODY, Held::Url),
                _ => {}
            }
        }
    }

    /// Path, type and count of each name, and by type how many had no room.
    #[must_use]
    pub fn counts(&self) -> ByPlace {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let each = counts.names.iter().flat_map(|(path, by_type)| {
            let typed = TYPES.iter().zip(by_type).filter(|(_, count)| **count > 0);
            typed.map(|(kind, count)| (path.to_string(), (*kind).to_owned(), *count))
        });
        let elsewhere = TYPES.iter().zip(counts.elsewhere).filter(|(_, count)| *count > 0);
        (each.collect(), elsewhere.map(|(kind, count)| ((*kind).to_owned(), count)).collect())
    }
}

impl Counts {
    fn map(&mut self, map: KvListView<'_>, path: &mut String) {
        let length = path.len();
        for (key, value) in map {
            if length == 0 && key.starts_with(OWN) {
                continue;
            }
            if length > 0 {
                path.push('.');
            }
            path.push_str(key);
            self.value(value, path);
            path.truncate(length);
        }
    }

    fn value(&mut self, value: AnyView<'_>, path: &mut String) {
        match value {
            AnyView::KvList(map) if map.iter().next().is_some() => self.map(map, path),
            AnyView::Array(members) => {
                let mut held = None;
                for member in members {
                    match member {
                        AnyView::KvList(map) => self.map(map, path),
                        other => held = held.max(Some(held_by(other))),
                    }
                }
                if let Some(held) = held {
                    self.add(path, held);
                }
            }
            other => self.add(path, held_by(other)),
        }
    }

    fn add(&mut self, path: &str, held: Held) {
        if held == Held::Counted {
            return;
        }
        if let Some(by_type) = self.names.get_mut(path) {
            by_type[held as usize] += 1;
        } else if self.names.len() < MOST_NAMES && path.len() <= MAX_PATH_BYTES {
            self.names.entry(path.into()).or_default()[held as usize] += 1;
        } else {
            self.elsewhere[held as usize] += 1;
        }
    }
}

fn held_by(value: AnyView<'_>) -> Held {
    let AnyView::Str(text) = value else { return Held::Nothing };
    if text == SECRET_MARKER {
        Held::Secret
    } else if text.contains(MARKER_START) {
        Held::Counted
    } else if text.contains(USERINFO) {
        Held::Url
    } else {
        Held::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fields::{KeyField, SeverityField};
    use crate::record::RecordWriter;

    fn counted(attributes: &[(&str, &str)]) -> ByPlace {
        let mut writer = RecordWriter::new();
        writer.begin(1, 1, &SeverityField::new(9, ""), None);
        for (key, text) in attributes {
            writer.attribute_str(&KeyField::new(key.as_bytes()), text.as_bytes());
        }
        let keys = KeyCounts::default();
        keys.look([writer.record(), writer.record()].into_iter());
        let (mut found, elsewhere) = keys.counts();
        found.sort();
        (found, elsewhere)
    }

    #[test]
    fn names_are_counted_by_what_every_mode_hides_and_what_is_found_is_left_to_stage_3() {
        let (found, elsewhere) = counted(&[
            ("order", "42"),
            ("password", SECRET_MARKER),
            ("url.full", "https://REDACTED:REDACTED@host/"),
            ("note", "mail to [REDACTED:email]"),
            ("fapilog.category", "audit"),
        ]);
        let wanted = [("order", ""), ("password", "SECRET_KEY"), ("url.full", "URL_USERINFO")];
        let wanted = wanted.map(|(path, kind)| (path.to_owned(), kind.to_owned(), 2));
        assert_eq!((found, elsewhere), (wanted.to_vec(), vec![]));
    }

    #[test]
    fn credentials_of_a_url_are_counted_in_a_body_too() {
        let keys = KeyCounts::default();
        for text in ["see https://REDACTED:REDACTED@host/", "nothing"] {
            let mut writer = RecordWriter::new();
            writer.begin(1, 1, &SeverityField::new(9, ""), None);
            writer.body_str(text.as_bytes());
            keys.look([writer.record()].into_iter());
        }
        assert_eq!(keys.counts(), (vec![("body".to_owned(), "URL_USERINFO".to_owned(), 1)], vec![]));
    }

    #[test]
    fn names_are_bounded_and_the_others_are_counted_together() {
        let names: Vec<String> = (0..MOST_NAMES + 5).map(|number| format!("key{number:05}")).collect();
        let long = "x".repeat(MAX_PATH_BYTES + 1);
        let mut attributes: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        attributes.extend([(long.as_str(), "x"), (long.as_str(), SECRET_MARKER)]);
        let (found, elsewhere) = counted(&attributes);
        let wanted = vec![(String::new(), 12), ("SECRET_KEY".to_owned(), 2)];
        assert_eq!((found.len(), elsewhere), (MOST_NAMES, wanted));
    }
}
