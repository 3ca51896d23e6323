//! Stage 3 of 7, redact: what stands in place of a finding. Thread: caller.
//!
//! Every replacement has one form, so that a second pass knows it again and a search finds it:
//! `[REDACTED:<type>]`, or `[REDACTED:<type>:<rest>]` with what the action lets through. It never holds the value.
//!
//! There is no plain hash: the numbers are few, so that trying them all takes seconds (ADR 0015).

pub mod generalise;
pub mod seal;
pub mod token;

use crate::redact::actions::seal::Sealer;
use crate::redact::actions::token::TokenKeys;
use crate::scan::kind::Kind;
use std::sync::Arc;

/// What begins every replacement.
pub const MARKER_START: &str = "[REDACTED:";
/// The longest replacement, generously: a rule's name and what its action lets through.
pub const MAX_MARKER_BYTES: usize = 128;

/// What to do with a finding.
#[derive(Debug, Clone)]
pub enum Action {
    /// The type stands there, nothing else.
    Remove,
    /// The type and the last characters.
    Mask {
        /// How many; never more than a third of the value.
        keep_last: u8,
    },
    /// The type, the first and the last digits: of a card number at most six and four (PCI DSS 3.5.1, FAQ 1091).
    Truncate {
        /// Digits in front, up to six.
        first: u8,
        /// Digits at the end, up to four.
        last: u8,
    },
    /// A keyed code of the value: equal values can be joined, nobody without the key can try them.
    Token(Arc<TokenKeys>),
    /// The type; beside the record, encrypted, the value for who has the private key.
    Seal(Arc<Sealer>),
    /// A coarser value: network, year, area, first digits of a ZIP code.
    Generalise,
    /// The whole record goes; where that cannot be, the value as by [`Self::Remove`].
    Drop,
}

impl Action {
    /// Appends what stands in place of `found`.
    pub fn replace(&self, kind: Kind, found: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(MARKER_START.as_bytes());
        out.extend_from_slice(kind.word().as_bytes());
        if let Some(rest) = self.rest(kind, found).filter(|rest| !rest.is_empty()) {
            out.push(b':');
            out.extend_from_slice(rest.as_bytes());
        }
        out.push(b']');
    }

    /// What the action lets through.
    fn rest(&self, kind: Kind, found: &str) -> Option<String> {
        match self {
            Self::Remove | Self::Drop | Self::Seal(_) => None,
            Self::Mask { keep_last } => Some(last_characters(found, usize::from(*keep_last))),
            Self::Truncate { first, last } => {
                truncated(found, usize::from(*first).min(6), usize::from(*last).min(4))
            }
            // Nothing stands for a value that is named alone: all such would join.
            Self::Token(keys) => (!found.is_empty()).then(|| keys.current().token(kind, found)),
            Self::Generalise => generalise::generalise(kind, found),
        }
    }
}

/// The last letters and digits of a text, at most a third of all of them; separators are left out.
pub(crate) fn last_characters(found: &str, keep: usize) -> String {
    let plain: Vec<char> = found.chars().filter(|character| character.is_alphanumeric()).collect();
    let kept = keep.min(plain.len() / 3);
    plain[plain.len() - kept..].iter().collect()
}

/// First and last digits, when enough are hidden between them; else nothing.
fn truncated(found: &str, first: usize, last: usize) -> Option<String> {
    let digits: Vec<char> = found.chars().filter(char::is_ascii_digit).collect();
    // Fewer hidden digits than five can be tried (PCI DSS glossary: a truncated number has a part removed for good).
    if digits.len() < first + last + 5 {
        return None;
    }
    let head: String = digits[..first].iter().collect();
    let tail: String = digits[digits.len() - last..].iter().collect();
    Some(if first == 0 { tail } else { format!("{head}...{tail}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(action: &Action, kind: Kind, found: &str) -> String {
        let mut out = Vec::new();
        action.replace(kind, found, &mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    #[test]
    fn every_action_has_the_one_form() {
        let card = "4111 1111 1111 1111";
        let cases = [
            (Action::Remove, Kind::Pan, card, "[REDACTED:pan]"),
            (Action::Mask { keep_last: 4 }, Kind::Pan, card, "[REDACTED:pan:1111]"),
            (Action::Truncate { first: 0, last: 4 }, Kind::Pan, card, "[REDACTED:pan:1111]"),
            (Action::Truncate { first: 6, last: 4 }, Kind::Pan, card, "[REDACTED:pan:411111...1111]"),
            (Action::Generalise, Kind::Ipv4, "203.0.113.77", "[REDACTED:ip:203.0.113.0/24]"),
            (Action::Generalise, Kind::Password, "hunter2", "[REDACTED:password]"),
        ];
        for (action, kind, found, expected) in cases {
            assert_eq!(replaced(&action, kind, found), expected);
        }
    }

    #[test]
    fn short_values_let_less_through() {
        assert_eq!(replaced(&Action::Mask { keep_last: 4 }, Kind::Cvv, "123"), "[REDACTED:cvv:3]");
        assert_eq!(replaced(&Action::Mask { keep_last: 4 }, Kind::Cvv, "12"), "[REDACTED:cvv]");
        assert_eq!(
            replaced(&Action::Truncate { first: 6, last: 4 }, Kind::Pan, "41111111111111"),
            "[REDACTED:pan]"
        );
        assert_eq!(
            replaced(&Action::Truncate { first: 200, last: 200 }, Kind::Pan, "4111111111111111"),
            "[REDACTED:pan:411111...1111]"
        );
    }
}
