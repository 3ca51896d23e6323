//! Stage 3 of 7, redact: a whole value that a rule about its place hides, and what nobody allowed. Thread: caller.

use crate::record::tag;
use crate::redact::actions::MARKER_START;
use crate::redact::rules::actions::RuleAction;
use crate::redact::rules::paths::Reach;
use crate::redact::rules::spots::bounded;
use crate::redact::rules::{PathFate, RuleId, Rules};
use crate::redact::values::{MAX_DEPTH, UNSCANNED_MARKER};
use crate::redact::walk::{members_of, nested, parts};
use crate::redact::SECRET_MARKER;
use crate::scan::kind::Kind;
use crate::wire::{put_bytes, Fields, Value};

/// Whether minimising leaves a value out: nobody allowed it, and it holds nothing that somebody might have.
#[must_use]
pub fn is_left_out(fate: &PathFate, value: &[u8]) -> bool {
    match fate.allowed {
        Reach::Here => false,
        Reach::Beneath => !Fields::new(value).any(|field| matches!(field, (5 | 6, Value::Bytes(_)))),
        Reach::None => true,
    }
}

/// Whether a value is what the rule would put in its place.
#[must_use]
pub fn is_hidden(rules: &Rules, rule: RuleId, value: &[u8]) -> bool {
    is_done(rules.action(rule), rules.name(rule), value, 0)
}

fn is_done(action: RuleAction, name: &str, value: &[u8], depth: usize) -> bool {
    let within = |member: &[u8]| is_done(action, name, member, depth + 1);
    let mut fields = Fields::new(value);
    let done = fields.by_ref().all(|field| match field {
        (1 | 7, Value::Bytes(text)) => std::str::from_utf8(text)
            .is_ok_and(|text| action.has_written(name, text) || (!action.takes_all() && is_marker(text))),
        (5 | 6, Value::Bytes(_)) if action.takes_all() || depth > MAX_DEPTH => false,
        (5, Value::Bytes(members)) => members_of(members).all(within),
        (6, Value::Bytes(entries)) => members_of(entries).filter_map(|entry| parts(entry).1).all(within),
        _ => false,
    });
    done && !fields.malformed()
}

/// Writes what stands in place of a value into the `AnyValue` that is open.
pub fn hide(rules: &Rules, rule: RuleId, value: &[u8], out: &mut Vec<u8>) {
    write(rules.action(rule), rules.name(rule), value, 0, out);
}

fn write(action: RuleAction, name: &str, value: &[u8], depth: usize, out: &mut Vec<u8>) {
    let instead = |text: &str, out: &mut Vec<u8>| {
        if !action.takes_all() && (action.has_written(name, text) || is_marker(text)) {
            out.extend_from_slice(text.as_bytes());
        } else {
            bounded(action, text).replace(name, text, out);
        }
    };
    if action.takes_all() || depth > MAX_DEPTH {
        nested(tag::STRING, out, |out| RuleAction::Remove.replace(name, "", out));
        return;
    }
    for field in Fields::new(value) {
        match field {
            (1, Value::Bytes(text)) => {
                nested(tag::STRING, out, |out| instead(&String::from_utf8_lossy(text), out));
            }
            (7, Value::Bytes(bytes)) => {
                nested(tag::BYTES, out, |out| instead(&String::from_utf8_lossy(bytes), out));
            }
            (3, Value::Varint(bits)) => {
                nested(tag::STRING, out, |out| instead(&(bits as i64).to_string(), out));
            }
            (4, Value::Fixed64(bits)) => {
                nested(tag::STRING, out, |out| instead(&f64::from_bits(bits).to_string(), out));
            }
            (5, Value::Bytes(members)) => {
                nested(tag::ARRAY, out, |out| {
                    for member in members_of(members) {
                        nested(tag::KEY, out, |out| write(action, name, member, depth + 1, out));
                    }
                });
            }
            (6, Value::Bytes(entries)) => {
                nested(tag::KVLIST, out, |out| {
                    for (key, inner) in members_of(entries).map(parts) {
                        nested(tag::KEY, out, |out| {
                            put_bytes(out, tag::KEY, key);
                            nested(tag::VALUE, out, |out| {
                                write(action, name, inner.unwrap_or_default(), depth + 1, out);
                            });
                        });
                    }
                });
            }
            _ => {
                nested(tag::STRING, out, |out| RuleAction::Remove.replace(name, "", out));
            }
        }
    }
}

/// True of what hides a value already, and lets nothing of it through.
fn is_marker(text: &str) -> bool {
    let word = text.strip_prefix(MARKER_START).and_then(|rest| rest.strip_suffix(']'));
    let known = |word: &str| Kind::ALL.iter().any(|kind| kind.word() == word);
    [SECRET_MARKER, UNSCANNED_MARKER].contains(&text) || word.is_some_and(known)
}
