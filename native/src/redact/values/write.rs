//! Stage 3 of 7, redact: writes a record again without its sensitive values. Thread: caller, for records that hold some.
//!
//! What cannot be read is left out: fail closed.

use crate::record::tag;
use crate::redact::actions::seal::list::{entries, SealedList};
use crate::redact::rewrite::nested;
use crate::redact::values::look::{are_clean, joined, number_text, parts};
use crate::redact::values::memory::Memory;
use crate::redact::values::{ValuePolicy, MAX_DEPTH, MAX_NOTES, REDACTED_KEY};
use crate::scan::keys::KeyPlan;
use crate::scan::kind::Kind;
use crate::wire::{put_bytes, Fields, Value, LENGTH};

/// The record without them, and with the attribute [`REDACTED_KEY`].
#[must_use]
pub fn write(policy: &ValuePolicy, record: &[u8], memory: &mut Memory) -> Vec<u8> {
    let mut write = Write::new(policy, memory);
    let mut out = Vec::with_capacity(record.len() + 128);
    let mut noted = false;
    each_field(record, &mut out, |field, out| match field {
        (5, Value::Bytes(body)) => nested(tag::BODY, out, |out| write.value(body, &KeyPlan::NONE, 0, out)),
        (6, Value::Bytes(attribute)) if write.keeps_sealed(attribute) => true,
        (6, Value::Bytes(attribute)) => {
            noted |= parts(attribute).0 == REDACTED_KEY.as_bytes();
            nested(tag::ATTRIBUTE, out, |out| write.attribute(attribute, 0, out))
        }
        (3, Value::Bytes(name)) => {
            nested(tag::SEVERITY_TEXT, out, |out| write.text(name, &KeyPlan::NONE, out))
        }
        (12, Value::Bytes(name)) => nested(tag::EVENT_NAME, out, |out| write.text(name, &KeyPlan::NONE, out)),
        _ => false,
    });
    if !noted && !write.notes.is_empty() {
        put_notes(&write.notes, &mut out);
    }
    write.sealed.put(&mut out);
    out
}

/// One text without them.
#[must_use]
pub fn text(policy: &ValuePolicy, text: &[u8], memory: &mut Memory) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    Write::new(policy, memory).text(text, &KeyPlan::NONE, &mut out);
    out
}

/// The attributes in the fields `number` without them; other fields stay.
#[must_use]
pub fn attributes(policy: &ValuePolicy, message: &[u8], number: u32, memory: &mut Memory) -> Vec<u8> {
    let mut write = Write::new(policy, memory);
    let mut out = Vec::with_capacity(message.len());
    let tag = (number << 3 | u32::from(LENGTH)) as u8;
    each_field(message, &mut out, |field, out| match field {
        (found, Value::Bytes(attribute)) if found == number => {
            nested(tag, out, |out| write.attribute(attribute, 0, out))
        }
        _ => false,
    });
    out
}

/// Copies the fields of one message that `replace` does not write itself.
fn each_field(
    message: &[u8],
    out: &mut Vec<u8>,
    mut replace: impl FnMut((u32, Value<'_>), &mut Vec<u8>) -> bool,
) {
    let mut fields = Fields::new(message);
    loop {
        let start = fields.offset();
        let Some(field) = fields.next() else { return };
        if !replace(field, out) {
            out.extend_from_slice(&message[start..fields.offset()]);
        }
    }
}

fn put_notes(notes: &[String], out: &mut Vec<u8>) {
    nested(tag::ATTRIBUTE, out, |out| {
        put_bytes(out, tag::KEY, REDACTED_KEY.as_bytes());
        nested(tag::VALUE, out, |out| {
            nested(tag::ARRAY, out, |out| {
                for note in notes {
                    nested(tag::KEY, out, |out| put_bytes(out, tag::STRING, note.as_bytes()));
                }
            });
        });
    });
}

struct Write<'a> {
    policy: &'a ValuePolicy,
    memory: &'a mut Memory,
    /// The names of the attributes around, joined by dots.
    path: Vec<u8>,
    notes: Vec<String>,
    sealed: SealedList,
}

impl<'a> Write<'a> {
    fn new(policy: &'a ValuePolicy, memory: &'a mut Memory) -> Self {
        Self { policy, memory, path: Vec::new(), notes: Vec::new(), sealed: SealedList::default() }
    }

    /// True for the attribute with what was sealed before, which is taken over.
    fn keeps_sealed(&mut self, attribute: &[u8]) -> bool {
        let (key, value) = parts(attribute);
        let kept = entries(key, value).filter(|entries| are_clean(self.policy, entries, self.memory));
        if let Some(entries) = &kept {
            self.sealed.keep(entries);
        }
        kept.is_some()
    }

    fn attribute(&mut self, attribute: &[u8], depth: usize, out: &mut Vec<u8>) {
        let (key, value) = parts(attribute);
        let before = self.path.len();
        if before > 0 {
            self.path.push(b'.');
        }
        self.path.extend_from_slice(key);
        let known = self.memory.key(self.policy, &self.path);
        if known.tells {
            // A note must not repeat the name.
            self.path.truncate(before);
            self.path.extend_from_slice(b"*");
            nested(tag::KEY, out, |out| self.text(key, &KeyPlan::NONE, out));
        } else {
            put_bytes(out, tag::KEY, key);
        }
        if let Some(value) = value {
            nested(tag::VALUE, out, |out| self.value(value, &known.plan, depth, out));
        }
        self.path.truncate(before);
    }

    fn value(&mut self, value: &[u8], plan: &KeyPlan, depth: usize, out: &mut Vec<u8>) {
        if depth > MAX_DEPTH {
            return;
        }
        each_field(value, out, |field, out| match field {
            (1, Value::Bytes(text)) => nested(tag::STRING, out, |out| self.text(text, plan, out)),
            (7, Value::Bytes(bytes)) => nested(tag::BYTES, out, |out| self.bytes(bytes, plan, out)),
            (3 | 4, number) => self.number(number, plan, out),
            (5, Value::Bytes(members)) => {
                nested(tag::ARRAY, out, |out| self.members(members, plan, depth, out))
            }
            (6, Value::Bytes(entries)) => nested(tag::KVLIST, out, |out| {
                for field in Fields::new(entries) {
                    if let (1, Value::Bytes(entry)) = field {
                        nested(tag::KEY, out, |out| self.attribute(entry, depth + 1, out));
                    }
                }
            }),
            _ => false,
        });
    }

    fn members(&mut self, members: &[u8], plan: &KeyPlan, depth: usize, out: &mut Vec<u8>) {
        let start = out.len();
        let before = self.notes.len();
        for field in Fields::new(members) {
            if let (1, Value::Bytes(member)) = field {
                nested(tag::KEY, out, |out| self.value(member, plan, depth + 1, out));
            }
        }
        // A value that was split over several members: where each alone is nothing, all of them go.
        let split = joined(&out[start..]).and_then(|text| Some((self.first(&text, plan)?, text)));
        if let Some((kind, text)) = split {
            self.sealed.add(self.policy.action(kind), kind, &self.path, &text);
            out.truncate(start);
            self.notes.truncate(before);
            self.note(kind);
            nested(tag::KEY, out, |out| {
                nested(tag::STRING, out, |out| self.policy.action(kind).replace(kind, "", out));
            });
        }
    }

    /// What the text holds first, if anything.
    fn first(&mut self, text: &str, plan: &KeyPlan) -> Option<Kind> {
        self.policy.scanner().scan(text, plan, &mut self.memory.scratch).first().map(|finding| finding.kind)
    }

    /// A number that tells becomes a text. False: it is to be copied.
    fn number(&mut self, number: Value<'_>, plan: &KeyPlan, out: &mut Vec<u8>) -> bool {
        let Some(text) = number_text(number, plan) else { return false };
        self.first(&text, plan).is_some()
            && nested(tag::STRING, out, |out| self.text(text.as_bytes(), plan, out))
    }

    /// Bytes that are no text go as a whole: an offset in what was made of them is none in them.
    fn bytes(&mut self, bytes: &[u8], plan: &KeyPlan, out: &mut Vec<u8>) {
        if std::str::from_utf8(bytes).is_ok() {
            return self.text(bytes, plan, out);
        }
        match self.first(&String::from_utf8_lossy(bytes), plan) {
            Some(kind) => {
                self.note(kind);
                self.policy.action(kind).replace(kind, "", out);
            }
            None => out.extend_from_slice(bytes),
        }
    }

    fn text(&mut self, text: &[u8], plan: &KeyPlan, out: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(text);
        let findings = self.policy.scanner().scan(&text, plan, &mut self.memory.scratch);
        let mut copied = 0;
        for finding in findings {
            let range = finding.range();
            out.extend_from_slice(&text.as_bytes()[copied..range.start]);
            let (action, value) = (self.policy.action(finding.kind), &text[range.clone()]);
            action.replace(finding.kind, value, out);
            self.sealed.add(action, finding.kind, &self.path, value);
            copied = range.end;
            self.policy.found().add(&self.path, finding.kind.id());
            note(&mut self.notes, &self.path, finding.kind);
        }
        out.extend_from_slice(&text.as_bytes()[copied..]);
    }

    fn note(&mut self, kind: Kind) {
        self.policy.found().add(&self.path, kind.id());
        note(&mut self.notes, &self.path, kind);
    }
}

/// Says where something of `kind` was.
fn note(notes: &mut Vec<String>, path: &[u8], kind: Kind) {
    if notes.len() < MAX_NOTES {
        let place = if path.is_empty() { "body".into() } else { String::from_utf8_lossy(path) };
        let note = format!("{place}:{}", kind.word());
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
}
