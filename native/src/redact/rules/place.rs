//! Stage 3 of 7, redact: where in a record a value stands. Thread: caller.

use crate::redact::rules::paths::IN_LIST;
use std::borrow::Cow;

/// The names of the attributes around a value, joined by dots, and what else rules want to know.
#[derive(Debug, Default)]
pub struct Place {
    /// The names.
    pub path: Vec<u8>,
    /// Where in `path` a list begins.
    lists: Vec<usize>,
    in_body: bool,
}

impl Place {
    /// In the body, or no longer.
    pub fn set_in_body(&mut self, in_body: bool) {
        self.in_body = in_body;
    }

    /// Nowhere again; the memory stays.
    pub fn clear(&mut self) {
        self.path.clear();
        self.lists.clear();
        self.in_body = false;
    }

    /// Goes into an attribute. Give the answer to [`Self::leave`].
    pub fn enter(&mut self, key: &[u8]) -> usize {
        let before = self.path.len();
        if before > 0 {
            self.path.push(b'.');
        }
        self.path.extend_from_slice(key);
        before
    }

    /// Goes back out.
    pub fn leave(&mut self, before: usize) {
        self.path.truncate(before);
    }

    /// Goes into a list.
    pub fn enter_list(&mut self) {
        self.lists.push(self.path.len());
    }

    /// Goes back out of it.
    pub fn leave_list(&mut self) {
        self.lists.pop();
    }

    /// The path as rules know it: what stands in the body begins with `body`, a place in a list is a name.
    #[must_use]
    pub fn for_rules(&self) -> Cow<'_, [u8]> {
        if self.lists.is_empty() && !self.in_body {
            return Cow::Borrowed(&self.path);
        }
        let mut path = if self.in_body { b"body".to_vec() } else { Vec::new() };
        let mut copied = 0;
        for list in &self.lists {
            push(&mut path, &self.path[copied..*list]);
            push(&mut path, IN_LIST.as_bytes());
            copied = *list;
        }
        push(&mut path, &self.path[copied..]);
        Cow::Owned(path)
    }
}

/// Appends names behind others.
fn push(path: &mut Vec<u8>, names: &[u8]) {
    let names = names.strip_prefix(b".").unwrap_or(names);
    if !names.is_empty() {
        if !path.is_empty() {
            path.push(b'.');
        }
        path.extend_from_slice(names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_see_the_body_and_places_in_lists() {
        let mut place = Place::default();
        place.set_in_body(true);
        assert_eq!(place.for_rules().as_ref(), b"body");
        let outer = place.enter(b"items");
        place.enter_list();
        let inner = place.enter(b"name");
        assert_eq!(
            (place.path.as_slice(), place.for_rules().as_ref()),
            (&b"items.name"[..], &b"body.items.[].name"[..])
        );
        place.leave(inner);
        place.leave_list();
        place.leave(outer);
        place.set_in_body(false);
        let _ = place.enter(b"name");
        assert_eq!(place.for_rules().as_ref(), b"name");
    }
}
