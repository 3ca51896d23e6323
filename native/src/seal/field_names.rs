//! Stage 5 of 7, seal: which of the wanted names a record has, in any spelling and at any depth. Thread: sealer; the
//! caller where the console is alone.
//!
//! Case and separators do not count, as with names of secret keys: `User-Id` is `user.id`. Members of a list have the
//! path of the list.

use crate::decode::{AnyView, KvListView};

/// A name without case and separators.
#[must_use]
pub fn normal(name: &str) -> String {
    let mut left = String::with_capacity(name.len());
    push_normal(name, &mut left);
    left
}

fn push_normal(name: &str, out: &mut String) {
    out.extend(name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase));
}

/// The path of the value that is looked at: its names without separators, and where each begins.
#[derive(Debug, Default)]
pub struct Path {
    text: String,
    starts: Vec<usize>,
}

impl Path {
    /// True when the whole path is this name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.text == name
    }

    /// True when the last names of the path, one or more, are this name together.
    #[must_use]
    pub fn ends_with(&self, name: &str) -> bool {
        let start = self.text.len().checked_sub(name.len());
        start.is_some_and(|start| self.starts.contains(&start)) && self.text.ends_with(name)
    }

    /// Calls `seen` with the path of every value that says something.
    pub fn each(&mut self, map: KvListView<'_>, seen: &mut impl FnMut(&Self)) {
        let (length, depth) = (self.text.len(), self.starts.len());
        for (key, value) in map {
            for name in key.split('.') {
                self.starts.push(self.text.len());
                push_normal(name, &mut self.text);
            }
            self.value(value, seen);
            self.text.truncate(length);
            self.starts.truncate(depth);
        }
    }

    fn value(&mut self, value: AnyView<'_>, seen: &mut impl FnMut(&Self)) {
        match value {
            AnyView::Empty | AnyView::Str("") => {}
            AnyView::KvList(map) => {
                seen(self);
                self.each(map, seen);
            }
            AnyView::Array(members) => {
                seen(self);
                for member in members {
                    if let AnyView::KvList(map) = member {
                        self.each(map, seen);
                    }
                }
            }
            _ => seen(self),
        }
    }
}
