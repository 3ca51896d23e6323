//! Stage 3 of 7, redact: what stands in place of what a rule of the user found. Thread: caller.
//!
//! The form is that of [`crate::redact::actions`], with the rule's name for the type.

use crate::redact::actions::generalise::generalise;
use crate::redact::actions::{last_characters, MARKER_START};
use crate::scan::kind::Kind;

/// The longest rest that an action lets through: an IPv6 network.
const MAX_REST_BYTES: usize = 48;
/// Characters that `truncate` hides at least; with fewer it shows nothing.
const HIDDEN_CHARACTERS: usize = 5;

/// What a rule does with what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleAction {
    /// The rule's name stands there, nothing else.
    Remove,
    /// The name and the last letters and digits.
    Mask {
        /// How many; never more than a third of the value.
        keep_last: u8,
    },
    /// The name, the first and the last letters and digits; five at least are hidden between them.
    Truncate {
        /// In front.
        first: u8,
        /// At the end.
        last: u8,
    },
    /// The network of an address, the year of a date, one decimal of a place; of anything else the name alone.
    Generalise,
    /// It stays, whatever else would hide it.
    Keep,
    /// The whole record is dropped.
    Drop,
}

impl RuleAction {
    /// Appends what stands in place of `found`.
    pub fn replace(self, name: &str, found: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(MARKER_START.as_bytes());
        out.extend_from_slice(name.as_bytes());
        if let Some(rest) = self.rest(found).filter(|rest| !rest.is_empty() && rest.len() <= MAX_REST_BYTES) {
            out.push(b':');
            out.extend_from_slice(rest.as_bytes());
        }
        out.push(b']');
    }

    /// True when all of a value goes, maps and lists as well.
    #[must_use]
    pub fn takes_all(self) -> bool {
        matches!(self, Self::Remove | Self::Drop)
    }

    /// True when `text` is what this action writes: then it is done.
    #[must_use]
    pub fn has_written(self, name: &str, text: &str) -> bool {
        let rest = text.strip_prefix(MARKER_START).and_then(|text| text.strip_prefix(name));
        let rest = rest.and_then(|text| text.strip_suffix(']'));
        match rest {
            Some("") => true,
            Some(rest) => {
                let length = rest.chars().count() - 1;
                rest.starts_with(':') && length <= self.longest_rest() && !rest.contains([']', '['])
            }
            None => false,
        }
    }

    /// Characters that it lets through at most.
    fn longest_rest(self) -> usize {
        match self {
            Self::Remove | Self::Keep | Self::Drop => 0,
            Self::Mask { keep_last } => usize::from(keep_last),
            Self::Truncate { first, last } => usize::from(first) + "...".len() + usize::from(last),
            Self::Generalise => MAX_REST_BYTES,
        }
    }

    fn rest(self, found: &str) -> Option<String> {
        match self {
            Self::Remove | Self::Keep | Self::Drop => None,
            Self::Mask { keep_last } => Some(last_characters(found, usize::from(keep_last))),
            Self::Truncate { first, last } => truncated(found, usize::from(first), usize::from(last)),
            Self::Generalise => coarser(found),
        }
    }
}

fn truncated(found: &str, first: usize, last: usize) -> Option<String> {
    let plain: Vec<char> = found.chars().filter(|character| character.is_alphanumeric()).collect();
    if plain.len() < first + last + HIDDEN_CHARACTERS {
        return None;
    }
    let head: String = plain[..first].iter().collect();
    let tail: String = plain[plain.len() - last..].iter().collect();
    Some(format!("{head}...{tail}"))
}

/// By what the text looks like: an address, a date, a place.
fn coarser(found: &str) -> Option<String> {
    let place =
        found.contains('.') && found.chars().all(|each| each.is_ascii_digit() || " .,;-+".contains(each));
    let year = || generalise(Kind::DateOfBirth, found).filter(|_| found.len() <= 32);
    generalise(Kind::Ipv4, found)
        .or_else(|| generalise(Kind::Ipv6, found))
        .or_else(year)
        .or_else(|| generalise(Kind::Geo, found).filter(|_| place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_writes_a_marker_that_it_knows_again() {
        let cases = [
            (RuleAction::Remove, "abcdef", "[REDACTED:x]"),
            (RuleAction::Mask { keep_last: 4 }, "AC-1234-5678", "[REDACTED:x:678]"),
            (RuleAction::Truncate { first: 2, last: 2 }, "AC-1234-5678", "[REDACTED:x:AC...78]"),
            (RuleAction::Truncate { first: 2, last: 2 }, "AC-1234", "[REDACTED:x]"),
            (RuleAction::Generalise, "203.0.113.77", "[REDACTED:x:203.0.113.0/24]"),
            (RuleAction::Generalise, "1980-02-29", "[REDACTED:x:1980]"),
            (RuleAction::Generalise, "52.520008, 13.404954", "[REDACTED:x:52.5, 13.4]"),
            (RuleAction::Generalise, "somebody", "[REDACTED:x]"),
        ];
        for (action, found, expected) in cases {
            let mut out = Vec::new();
            action.replace("x", found, &mut out);
            let text = String::from_utf8(out).unwrap_or_default();
            assert_eq!(text, expected);
            assert!(action.has_written("x", &text), "{text}");
            assert!(!action.has_written("x", &format!("{text} and more")), "{text}");
        }
        assert!(!RuleAction::Remove.has_written("x", "[REDACTED:x:rest]"));
        assert!(!RuleAction::Mask { keep_last: 4 }.has_written("x", "[REDACTED:xyz]"));
    }
}
