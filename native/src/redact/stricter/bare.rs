//! Stage 3 of 7, redact: markers without what an action let through. Thread: sender, delivery loop; console: caller.
//!
//! Where the common policy leaves `[REDACTED:pan:1111]` or a token, a destination that removes the type gets
//! `[REDACTED:pan]`. Two types may share a word; then either of them suffices. A rule of the user counts as a type does: by its name.

use crate::redact::actions::{Action, MARKER_START};
use crate::redact::rules::Rules;
use crate::redact::values::ValuePolicy;
use crate::scan::kind::Kind;
use memchr::memmem;
use std::borrow::Cow;

/// The words of types that are removed.
#[derive(Debug, Clone, Default)]
pub struct Bare {
    words: Vec<String>,
    ids: Vec<&'static str>,
}

impl Bare {
    /// Of a policy of values.
    #[must_use]
    pub fn of(values: &ValuePolicy) -> Self {
        let removed = |kind: &&Kind| {
            values.scanner().looks_for(**kind)
                && matches!(values.action(**kind), Action::Remove | Action::Drop)
        };
        let kinds: Vec<Kind> = Kind::ALL.iter().filter(removed).copied().collect();
        let rules = values.rules().into_iter().flat_map(Rules::removing);
        let words = kinds.iter().map(|kind| kind.word()).chain(rules);
        let mut words: Vec<String> = words.map(ToOwned::to_owned).collect();
        words.sort_unstable();
        words.dedup();
        Self { words, ids: kinds.iter().map(|kind| kind.id()).collect() }
    }

    /// Whether values of a type are removed.
    #[must_use]
    pub fn removes(&self, id: &str) -> bool {
        self.ids.contains(&id)
    }

    /// Whether a marker in `bytes` would lose something.
    #[must_use]
    pub fn finds(&self, bytes: &[u8]) -> bool {
        !self.words.is_empty() && self.rests(bytes).next().is_some()
    }

    /// The text without it.
    #[must_use]
    pub fn without_rests<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        if !self.finds(text) {
            return Cow::Borrowed(text);
        }
        let (mut out, mut copied) = (Vec::with_capacity(text.len()), 0);
        for (start, end) in self.rests(text) {
            // A marker within a rest goes with it.
            if start >= copied {
                out.extend_from_slice(&text[copied..start]);
                out.push(b']');
                copied = end;
            }
        }
        out.extend_from_slice(&text[copied..]);
        Cow::Owned(out)
    }

    /// Where the rests are: from the colon behind the word to behind the bracket. One that was cut off ends with the text.
    fn rests<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, usize)> + 'a {
        memmem::find_iter(text, MARKER_START).filter_map(|start| {
            let word = start + MARKER_START.len();
            let colon = word + text[word..].iter().position(|byte| matches!(byte, b':' | b']'))?;
            let is_bare =
                text[colon] == b':' && self.words.iter().any(|known| known.as_bytes() == &text[word..colon]);
            let end = memchr::memchr(b']', &text[colon..]).map_or(text.len(), |at| colon + at + 1);
            is_bare.then_some((colon, end))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::kind::Kinds;
    use crate::scan::Settings;

    fn bare(kinds: &[Kind], actions: &[(Kind, Action)]) -> Bare {
        let kinds: Kinds = kinds.iter().copied().collect();
        Bare::of(&ValuePolicy::new(Settings { kinds }, actions.to_vec()))
    }

    fn without(bare: &Bare, text: &str) -> String {
        String::from_utf8(bare.without_rests(text.as_bytes()).into_owned()).unwrap_or_default()
    }

    #[test]
    fn a_removed_type_keeps_no_digits_and_no_token() {
        let bare = bare(&[Kind::Pan, Kind::Email], &[]);
        let given = "card [REDACTED:pan:411111...1111] of [REDACTED:email:tok_k1_abc] [REDACTED:pan]";
        assert_eq!(without(&bare, given), "card [REDACTED:pan] of [REDACTED:email] [REDACTED:pan]");
    }

    #[test]
    fn other_types_and_other_texts_stay() {
        let bare = bare(&[Kind::Pan, Kind::Email], &[(Kind::Email, Action::Mask { keep_last: 4 })]);
        let given = "[REDACTED:email:.org] [REDACTED:panda:x] [REDACTED:secret] [REDACTED: [pan:1]";
        assert_eq!(without(&bare, given), given);
    }

    #[test]
    fn a_marker_that_was_cut_off_loses_its_rest() {
        let bare = bare(&[Kind::Pan], &[]);
        assert_eq!(without(&bare, "x [REDACTED:pan:4111"), "x [REDACTED:pan]");
        assert_eq!(without(&bare, "[REDACTED:pan:[REDACTED:pan:1]1111]"), "[REDACTED:pan]1111]");
        assert_eq!(without(&bare, "[REDACTED:pa"), "[REDACTED:pa");
    }

    #[test]
    fn a_word_of_two_types_is_bare_when_one_of_them_is_removed() {
        let coarse = [(Kind::Ipv4, Action::Generalise)];
        let text = "[REDACTED:ip:203.0.113.0/24]";
        assert_eq!(without(&bare(&[Kind::Ipv4, Kind::Ipv6], &coarse), text), "[REDACTED:ip]");
        assert_eq!(without(&bare(&[Kind::Ipv4], &coarse), text), text);
    }
}
