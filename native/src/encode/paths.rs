//! Stage 6 of 7, export: attributes as paths, from which a document of unique, consistent fields is made. Thread: as `encode`.
//!
//! A dot in a key is a step, whether the key was written so or a map was nested: both are the same field to an index. Of
//! a path that occurs twice, the higher rank is kept, and within a rank the first. A value whose path is also the
//! beginning of others (`a` and `a.b`) moves below it and is called `a.value`. A step without a name is called `_`.

use super::templates::{Slot, Spots};
use super::timestamp::TimeForm;
use crate::console::json_value::{push_comma, push_string, push_value_in, Dialect};
use crate::decode::{AnyView, KvListView, RecordView};
use std::cmp::Ordering;
use std::ops::Range;

/// Source of a value: of two values under one path, the higher one is kept.
pub(super) type Rank = u32;

/// Paths with their values, in any order until [`Paths::settle`].
#[derive(Debug, Clone, Default)]
pub(super) struct Paths<'a> {
    /// Every path, and every value that is written already.
    text: String,
    entries: Vec<Entry<'a>>,
    /// What the values that come are of the record.
    slot: Option<Slot>,
    /// Heads and numbers of the entries in order, none twice.
    sorted: Vec<(u64, u32)>,
}

#[derive(Debug, Clone)]
struct Entry<'a> {
    path: Range<usize>,
    /// What decides most comparisons: see [`head`].
    head: u64,
    /// Rank, then the place among those of one rank, the first one highest.
    weight: u64,
    value: Leaf<'a>,
    slot: Option<Slot>,
}

#[derive(Debug, Clone)]
enum Leaf<'a> {
    View(AnyView<'a>),
    /// JSON in the paths' text.
    Json(Range<usize>),
}

impl<'a> Paths<'a> {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
    }

    /// Adds one attribute: a map as a path for each of its values. What has no value, or is an empty array or map, is no
    /// field to an index and is left out.
    pub(super) fn attribute(&mut self, prefix: &str, key: &str, value: &AnyView<'a>, rank: Rank) {
        match value {
            AnyView::Empty => {}
            AnyView::Array(values) if values.iter().next().is_none() => {}
            AnyView::KvList(entries) => {
                let path = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
                self.attributes(&path, *entries, rank);
            }
            _ => {
                let path = self.path(prefix, key);
                self.insert(path, Leaf::View(*value), rank);
            }
        }
    }

    /// Adds one attribute of the record, the one of this number.
    pub(super) fn of_record(&mut self, key: &str, number: usize, value: &AnyView<'a>, rank: Rank) {
        self.slot = Some(Slot::Attribute(number));
        self.attribute("", key, value, rank);
        self.slot = None;
    }

    /// Adds a field of the record, if it has it.
    pub(super) fn field(
        &mut self,
        path: &str,
        rank: Rank,
        slot: Slot,
        record: &RecordView<'_>,
        time: TimeForm,
    ) {
        if slot.is_set(record) {
            self.value(path, rank, slot, |out| slot.push_field(out, record, time));
        }
    }

    /// Adds a value of the record that `write` writes as JSON.
    pub(super) fn value(&mut self, path: &str, rank: Rank, slot: Slot, write: impl FnOnce(&mut String)) {
        self.slot = Some(slot);
        self.json(path, rank, write);
        self.slot = None;
    }

    /// Adds all attributes of a map.
    pub(super) fn attributes(&mut self, prefix: &str, entries: KvListView<'a>, rank: Rank) {
        for (key, value) in entries {
            self.attribute(prefix, key, &value, rank);
        }
    }

    /// Adds a value that `write` writes as JSON.
    pub(super) fn json(&mut self, path: &str, rank: Rank, write: impl FnOnce(&mut String)) {
        let path = self.path("", path);
        let start = self.text.len();
        write(&mut self.text);
        let value = Leaf::Json(start..self.text.len());
        self.insert(path, value, rank);
    }

    fn path(&mut self, prefix: &str, key: &str) -> Range<usize> {
        let start = self.text.len();
        if !prefix.is_empty() {
            self.text.push_str(prefix);
            self.text.push('.');
        }
        self.text.push_str(key);
        if has_empty_step(&self.text[start..]) {
            let filled = filled(&self.text[start..]);
            self.text.truncate(start);
            self.text.push_str(&filled);
        }
        start..self.text.len()
    }

    fn insert(&mut self, path: Range<usize>, value: Leaf<'a>, rank: Rank) {
        let place = u32::MAX - self.entries.len() as u32;
        let head = head(&self.text.as_bytes()[path.clone()]);
        let weight = u64::from(rank) << 32 | u64::from(place);
        self.entries.push(Entry { path, head, weight, value, slot: self.slot });
    }

    /// Writes the values, for paths that many documents have in common.
    pub(super) fn prepare(&mut self) {
        for entry in &mut self.entries {
            if let Leaf::View(view) = &entry.value {
                let start = self.text.len();
                push_element(&mut self.text, view);
                entry.value = Leaf::Json(start..self.text.len());
            }
        }
    }

    /// Begins again with what `other` holds.
    pub(super) fn assign(&mut self, other: &Self) {
        self.text.clone_from(&other.text);
        self.entries.clone_from(&other.entries);
    }

    /// Orders the paths, and makes each of them a field. The values of `protected` paths stay where they are: what would
    /// stand below them is left out.
    pub(super) fn settle(&mut self, protected: impl Fn(&str) -> bool) {
        self.order();
        let path =
            |(_, number): (u64, u32)| &self.text.as_bytes()[self.entries[number as usize].path.clone()];
        if self.sorted.windows(2).any(|pair| is_below(path(pair[1]), path(pair[0]))) {
            self.entries = self.in_order().cloned().collect();
            self.resolve(protected);
            self.order();
        }
    }

    fn in_order(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.sorted.iter().map(|(_, number)| &self.entries[*number as usize])
    }

    fn order(&mut self) {
        let (text, entries) = (self.text.as_bytes(), &self.entries);
        let path = |number: u32| &text[entries[number as usize].path.clone()];
        let weight = |number: u32| entries[number as usize].weight;
        // Entries are large: what is sorted are their heads and numbers.
        self.sorted.clear();
        self.sorted.extend(entries.iter().zip(0..).map(|(entry, number)| (entry.head, number)));
        self.sorted.sort_unstable_by(|one, other| match one.0.cmp(&other.0) {
            Ordering::Equal => {
                compare(path(one.1), path(other.1)).then_with(|| weight(other.1).cmp(&weight(one.1)))
            }
            decided => decided,
        });
        self.sorted.dedup_by(|next, kept| next.0 == kept.0 && path(next.1) == path(kept.1));
    }

    /// Moves each value that others stand below, the deepest first.
    fn resolve(&mut self, protected: impl Fn(&str) -> bool) {
        for at in (0..self.entries.len()).rev() {
            let path = self.entries[at].path.clone();
            let below = self.count_below(at, self.text[path.clone()].as_bytes());
            if below == 0 {
                continue;
            }
            if protected(&self.text[path.clone()]) {
                self.entries.drain(at + 1..=at + below);
                continue;
            }
            let mut moved = format!("{}.value", &self.text[path]);
            let group = at + 1..at + 1 + below;
            let others = |test: &dyn Fn(&[u8]) -> bool| {
                self.entries[group.clone()].iter().any(|entry| test(self.text[entry.path.clone()].as_bytes()))
            };
            while others(&|other| is_below(other, moved.as_bytes())) {
                moved.push_str(".value");
            }
            if others(&|other| other == moved.as_bytes()) {
                self.entries.remove(at);
            } else {
                let path = self.path("", &moved);
                self.entries[at].head = head(&self.text.as_bytes()[path.clone()]);
                self.entries[at].path = path;
            }
        }
    }

    /// How many of the entries behind `at` stand below `path`; they are neighbours, moved ones too.
    fn count_below(&self, at: usize, path: &[u8]) -> usize {
        let behind = self.entries[at + 1..].iter();
        behind.take_while(|entry| is_below(self.text[entry.path.clone()].as_bytes(), path)).count()
    }

    /// Appends the document with each path as the name of a field.
    pub(super) fn push_flat(&self, out: &mut String, spots: &mut Spots) {
        out.push('{');
        for (index, entry) in self.in_order().enumerate() {
            push_comma(out, index);
            push_string(out, &self.text[entry.path.clone()]);
            out.push(':');
            self.push_leaf(out, entry, spots);
        }
        out.push('}');
    }

    /// Appends the document with an object for each step.
    pub(super) fn push_nested(&self, out: &mut String, spots: &mut Spots) {
        out.push('{');
        // The steps of the objects that are open, with the dot behind each.
        let mut open = "";
        for (index, entry) in self.in_order().enumerate() {
            let path = &self.text[entry.path.clone()];
            let common = common_steps(open, path);
            close(out, &open[common..]);
            push_comma(out, index);
            let mut rest = common;
            for dot in (common..path.len()).filter(|at| path.as_bytes()[*at] == b'.') {
                push_string(out, &path[rest..dot]);
                out.push_str(":{");
                rest = dot + 1;
            }
            open = &path[..rest];
            push_string(out, &path[rest..]);
            out.push(':');
            self.push_leaf(out, entry, spots);
        }
        close(out, open);
        out.push('}');
    }

    fn push_leaf(&self, out: &mut String, entry: &Entry<'_>, spots: &mut Spots) {
        let start = out.len();
        match &entry.value {
            Leaf::View(view) => push_element(out, view),
            Leaf::Json(place) => out.push_str(&self.text[place.clone()]),
        }
        if let Some(slot) = entry.slot {
            spots.note(slot, start, out.len());
        }
    }
}

/// Closes an object for each of the steps.
fn close(out: &mut String, steps: &str) {
    for _ in steps.bytes().filter(|byte| *byte == b'.') {
        out.push('}');
    }
}

/// A value; maps in arrays are documents of their own.
pub(super) fn push_element(out: &mut String, value: &AnyView<'_>) {
    match value {
        AnyView::Array(values) => {
            out.push('[');
            for (index, member) in values.iter().enumerate() {
                push_comma(out, index);
                push_element(out, &member);
            }
            out.push(']');
        }
        AnyView::KvList(entries) => {
            let mut paths = Paths::default();
            paths.attributes("", *entries, 0);
            paths.settle(|_| false);
            if paths.sorted.is_empty() {
                out.push_str("null");
            } else {
                paths.push_nested(out, &mut Spots::default());
            }
        }
        other => push_value_in(out, other, Dialect::Index),
    }
}

/// Whether two dots, or a dot and an end, have nothing between them. An index refuses the whole document then.
fn has_empty_step(path: &str) -> bool {
    path.is_empty() || path.starts_with('.') || path.ends_with('.') || path.contains("..")
}

fn filled(path: &str) -> String {
    let steps: Vec<_> = path.split('.').map(|step| if step.is_empty() { "_" } else { step }).collect();
    steps.join(".")
}

/// Whether `path` is at least one step longer than `above`, and begins with it.
fn is_below(path: &[u8], above: &[u8]) -> bool {
    path.get(above.len()) == Some(&b'.') && path.starts_with(above)
}

/// The first eight bytes as a number that orders paths as [`compare`] does, unless it is equal.
fn head(path: &[u8]) -> u64 {
    let bytes =
        path.iter().take(8).map(|byte| u64::from(if *byte == b'.' { 0 } else { byte.saturating_add(1) }));
    bytes.chain(std::iter::repeat(0)).take(8).fold(0, |head, byte| head << 8 | byte)
}

/// An order in which everything below a path follows it at once: a dot comes before all other bytes.
fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let weight = |byte: u8| if byte == b'.' { 0 } else { u16::from(byte) + 1 };
    match one.iter().zip(other).find(|(left, right)| left != right) {
        Some((left, right)) => weight(*left).cmp(&weight(*right)),
        None => one.len().cmp(&other.len()),
    }
}

/// Length of the steps, dots included, that both paths begin with.
fn common_steps(open: &str, path: &str) -> usize {
    let same = open.bytes().zip(path.bytes()).take_while(|(left, right)| left == right).count();
    open.as_bytes()[..same].iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(paths: &[&str]) -> String {
        let mut made = Paths::default();
        for (number, path) in paths.iter().enumerate() {
            made.json(path, 0, |out| out.push_str(&number.to_string()));
        }
        made.settle(|path| path == "kept");
        let mut out = String::new();
        made.push_nested(&mut out, &mut Spots::default());
        out
    }

    #[test]
    fn paths_become_objects_with_every_name_once() {
        let cases: [(&[&str], &str); 9] = [
            (&[], "{}"),
            (&["b", "a.c", "a.b.x", "a.b.y"], r#"{"a":{"b":{"x":2,"y":3},"c":1},"b":0}"#),
            (&["a", "a", "a.b", "a.b"], r#"{"a":{"b":2,"value":0}}"#),
            (&["a.b", "a", "a-c"], r#"{"a":{"b":0,"value":1},"a-c":2}"#),
            (&["a", "a.value"], r#"{"a":{"value":1}}"#),
            (&["a", "a.value.x"], r#"{"a":{"value":{"value":0,"x":1}}}"#),
            (&["a", "a.b", "a.b.c"], r#"{"a":{"b":{"c":2,"value":1},"value":0}}"#),
            (&["", ".", "a.", "a..b"], r#"{"_":{"_":1,"value":0},"a":{"_":{"b":3,"value":2}}}"#),
            (&["kept.x", "kept", "kept.y.z", "l"], r#"{"kept":1,"l":3}"#),
        ];
        for (paths, expected) in cases {
            assert_eq!(nested(paths), expected, "{paths:?}");
        }
    }
}
