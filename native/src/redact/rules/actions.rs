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

    /// True when `text` is what this action writes: then it is done. Anybody can write such a text, and gains nothing by
    /// it: no more passes than the action lets through.
    #[must_use]
    pub fn has_written(self, name: &str, text: &str) -> bool {
        let rest = text.strip_prefix(MARKER_START).and_then(|text| text.strip_prefix(name));
        match rest.and_then(|text| text.strip_suffix(']')) {
            Some("") => true,
            Some(rest) => rest.strip_prefix(':').is_some_and(|rest| self.lets_through(rest)),
            None => false,
        }
    }

    /// True of what [`Self::rest`] may answer.
    fn lets_through(self, rest: &str) -> bool {
        let plain = |text: &str| text.chars().all(char::is_alphanumeric);
        let fits = !rest.is_empty() && rest.len() <= MAX_REST_BYTES;
        fits && match self {
            Self::Remove | Self::Keep | Self::Drop => false,
            Self::Mask { keep_last } => plain(rest) && rest.chars().count() <= usize::from(keep_last),
            Self::Truncate { first, last } => rest.split_once("...").is_some_and(|(head, tail)| {
                let lengths = (head.chars().count(), tail.chars().count());
                let (first, last) = (usize::from(first), usize::from(last));
                // Of a card number it lets less through.
                let usual = lengths == (first, last) || lengths == (first.min(6), last.min(4));
                usual && plain(head) && plain(tail)
            }),
            Self::Generalise => is_coarse(rest),
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
    let year = || generalise(Kind::DateOfBirth, found).filter(|_| found.len() <= 32);
    generalise(Kind::Ipv4, found)
        .or_else(|| generalise(Kind::Ipv6, found))
        .or_else(year)
        .or_else(|| generalise(Kind::Geo, found).filter(|place| is_place(place)))
}

/// True of what [`coarser`] answers.
fn is_coarse(rest: &str) -> bool {
    let network = rest.strip_suffix("/24").or_else(|| rest.strip_suffix("/48")).and_then(coarser);
    let year = || {
        rest == "90+"
            || (rest.len() == 4 && coarser(rest).is_some_and(|year| [rest, "90+"].contains(&&*year)))
    };
    network.is_some_and(|network| network == rest) || year() || is_place(rest)
}

/// Two or three coordinates, or one, with at most a decimal each: what else is cut to one may still tell.
fn is_place(text: &str) -> bool {
    let numbers = text.split([' ', ',', ';']).filter(|number| !number.is_empty());
    let coordinate = |number: &str| {
        let number = number.strip_prefix(['-', '+']).unwrap_or(number);
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        (1..=3).contains(&whole.len()) && decimals.len() <= 1 && digits(whole) && digits(decimals)
    };
    text.contains('.') && (1..=3).contains(&numbers.clone().count()) && numbers.clone().all(coordinate)
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
    }

    #[test]
    fn a_marker_that_somebody_else_wrote_passes_only_in_the_form_of_the_action() {
        let (mask, truncate) =
            (RuleAction::Mask { keep_last: 4 }, RuleAction::Truncate { first: 2, last: 2 });
        let wide = RuleAction::Truncate { first: 8, last: 6 };
        let cases = [
            (RuleAction::Remove, "1", false),
            (mask, "1234", true),
            (mask, "12345", false),
            (mask, "1 34", false),
            (mask, "", false),
            (truncate, "AC...78", true),
            (truncate, "ACCT-12", false),
            (truncate, "AC..178", false),
            (truncate, "A...178", false),
            (truncate, "ACCT-1234567890", false),
            (wide, "41111111...111111", true),
            (wide, "411111...1111", true),
            (wide, "4111111...11111", false),
            (RuleAction::Generalise, "203.0.113.0/24", true),
            (RuleAction::Generalise, "203.0.113.77/24", false),
            (RuleAction::Generalise, "203.0.113.77", false),
            (RuleAction::Generalise, "2001:db8::/48", true),
            (RuleAction::Generalise, "2001:db8::1/48", false),
            (RuleAction::Generalise, "1980", true),
            (RuleAction::Generalise, "90+", true),
            (RuleAction::Generalise, "1234", false),
            (RuleAction::Generalise, "1980-02-29", false),
            (RuleAction::Generalise, "-33.8", true),
            (RuleAction::Generalise, "52.5, 13.4", true),
            (RuleAction::Generalise, "52.52, 13.4", false),
            (RuleAction::Generalise, "4111111111111111.1", false),
            (RuleAction::Generalise, "1.1 1.1 1.1 1.1", false),
            (RuleAction::Generalise, "ACCT-1234567890", false),
        ];
        for (action, rest, passes) in cases {
            assert_eq!(action.has_written("x", &format!("[REDACTED:x:{rest}]")), passes, "{action:?} {rest}");
        }
        let mut out = Vec::new();
        RuleAction::Generalise.replace("x", "4111111111111111.12", &mut out);
        assert_eq!(out, b"[REDACTED:x]");
        assert!(!RuleAction::Mask { keep_last: 4 }.has_written("x", "[REDACTED:xyz]"));
    }
}
