//! Stage 3 of 7, redact: writes a record again without its sensitive values. Thread: caller, for records that hold some.
//!
//! What cannot be read is left out: fail closed.

use crate::record::tag;
use crate::redact::actions::seal::list::{entries, SealedList};
use crate::redact::rules::actions::RuleAction;
use crate::redact::rules::place::Place;
use crate::redact::rules::spots::{replace, unite, Spot, What};
use crate::redact::rules::{PathFate, RuleId};
use crate::redact::values::look::{are_clean, body_fate, joined, number_for};
use crate::redact::values::memory::{KnownKey, Memory};
use crate::redact::values::{
    hiding, Pass, ValuePolicy, DROPPED_KEYS_KEY, MAX_DEPTH, MAX_NOTES, REDACTED_KEY,
};
use crate::redact::walk::{copy, copy_around, members_of, nested, parts, put_texts};
use crate::scan::keys::KeyPlan;
use crate::wire::{put_bytes, put_varint, Fields, Value, LENGTH};
use std::collections::HashSet;

/// Times that a text is looked at again, because a mark in it may make a rule match with what stands around.
const ROUNDS: usize = 6;

/// Where the inventory counts what was found in a scope's name, version and schema URL.
const SCOPE: &str = "scope";

/// The record without them, and with the attribute [`REDACTED_KEY`].
#[must_use]
pub fn write(policy: &ValuePolicy, record: &[u8], pass: Pass, memory: &mut Memory) -> Vec<u8> {
    let mut write = Write { minimises: pass != Pass::Text, ..Write::new(policy, memory) };
    let mut out = Vec::with_capacity(record.len() + 128);
    let mut noted = None;
    copy(record, &mut out, |field, out| match field {
        (number @ (3 | 5 | 12), Value::Bytes(part)) if write.knows(pass, number, part) => false,
        (5, Value::Bytes(body)) => nested(tag::BODY, out, |out| write.body(body, out)),
        (6, Value::Bytes(attribute)) if write.keeps_sealed(attribute) => true,
        (6, Value::Bytes(attribute)) if parts(attribute).0 == REDACTED_KEY.as_bytes() => {
            noted = Some(attribute);
            true
        }
        (6, Value::Bytes(attribute)) if write.counts(attribute) => true,
        (6, Value::Bytes(attribute)) if write.knows(pass, 6, attribute) => false,
        (6, Value::Bytes(attribute)) => write.attribute(tag::ATTRIBUTE, attribute, 0, out),
        (3, Value::Bytes(name)) => {
            nested(tag::SEVERITY_TEXT, out, |out| write.text(name, &KeyPlan::NONE, out))
        }
        (12, Value::Bytes(name)) => nested(tag::EVENT_NAME, out, |out| write.text(name, &KeyPlan::NONE, out)),
        _ => false,
    });
    write.put_notes(noted, &mut out);
    if write.left_out > 0 {
        put_count(write.left_out, &mut out);
    }
    write.sealed.put(&mut out);
    out
}

/// A text of a scope without them.
#[must_use]
pub fn text(policy: &ValuePolicy, text: &[u8], memory: &mut Memory) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut write = Write::new(policy, memory);
    write.place.path.extend_from_slice(SCOPE.as_bytes());
    write.text(text, &KeyPlan::NONE, &mut out);
    out
}

/// The attributes in the fields `number` without them; other fields stay.
#[must_use]
pub fn attributes(policy: &ValuePolicy, message: &[u8], number: u32, memory: &mut Memory) -> Vec<u8> {
    let mut write = Write { minimises: false, ..Write::new(policy, memory) };
    let mut out = Vec::with_capacity(message.len());
    let tag = (number << 3 | u32::from(LENGTH)) as u8;
    copy_around(message, &mut out, |found, attribute, out| {
        found == number && write.attribute(tag, attribute, 0, out)
    });
    out
}

/// The members of a list of nothing but texts.
fn texts(value: &[u8]) -> Option<Vec<&[u8]>> {
    let Some((5, Value::Bytes(members))) = Fields::new(value).next() else { return None };
    let text = |field| match field {
        (1, Value::Bytes(member)) => match Fields::new(member).next() {
            Some((1, Value::Bytes(text))) => Some(text),
            _ => None,
        },
        _ => None,
    };
    Fields::new(members).map(text).collect()
}

pub(super) fn put_notes(notes: &[String], out: &mut Vec<u8>) {
    nested(tag::ATTRIBUTE, out, |out| put_texts(REDACTED_KEY.as_bytes(), notes, out));
}

fn put_count(count: u64, out: &mut Vec<u8>) {
    nested(tag::ATTRIBUTE, out, |out| {
        put_bytes(out, tag::KEY, DROPPED_KEYS_KEY.as_bytes());
        nested(tag::VALUE, out, |out| {
            out.push(tag::INT);
            put_varint(out, count);
        });
    });
}

struct Write<'a> {
    policy: &'a ValuePolicy,
    memory: &'a mut Memory,
    place: Place,
    /// What rules say about the value around.
    fate: PathFate,
    /// Whether what nobody allowed is left out.
    minimises: bool,
    left_out: u64,
    notes: Vec<String>,
    sealed: SealedList,
}

impl<'a> Write<'a> {
    fn new(policy: &'a ValuePolicy, memory: &'a mut Memory) -> Self {
        let (place, notes, sealed) = (Place::default(), Vec::new(), SealedList::default());
        Self { policy, memory, place, fate: PathFate::FREE, minimises: true, left_out: 0, notes, sealed }
    }

    /// True for the attribute that counts what an earlier pass left out, which is taken over.
    fn counts(&mut self, attribute: &[u8]) -> bool {
        let (key, value) = parts(attribute);
        match Fields::new(value.unwrap_or_default()).next() {
            Some((3, Value::Varint(count))) if key == DROPPED_KEYS_KEY.as_bytes() => {
                self.left_out = self.left_out.saturating_add(count);
                true
            }
            _ => false,
        }
    }

    /// Appends what was hidden where, of an earlier pass too. `before` is what stands under the name now: no list of texts
    /// is a note of ours, and gives way to one.
    fn put_notes(&mut self, before: Option<&[u8]>, out: &mut Vec<u8>) {
        let earlier = before.and_then(|attribute| texts(parts(attribute).1?));
        if let (Some(attribute), None, true) = (before, &earlier, self.notes.is_empty()) {
            self.attribute(tag::ATTRIBUTE, attribute, 0, out);
            return;
        }
        let place = self.place.enter(REDACTED_KEY.as_bytes());
        let mut all = Vec::new();
        for note in earlier.unwrap_or_default() {
            let mut clean = Vec::with_capacity(note.len());
            self.text(note, &KeyPlan::NONE, &mut clean);
            all.push(String::from_utf8_lossy(&clean).into_owned());
        }
        self.place.leave(place);
        all.append(&mut self.notes);
        let mut known = HashSet::new();
        all.retain(|note| known.insert(note.clone()));
        all.truncate(2 * MAX_NOTES);
        if !all.is_empty() {
            put_notes(&all, out);
        }
    }

    /// True of a part of a record that came by lately, and in which nothing was found then: it stays as it is.
    fn knows(&self, pass: Pass, number: u32, part: &[u8]) -> bool {
        pass == Pass::Record && self.memory.clean.get(number as u8, part).is_some()
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

    fn body(&mut self, body: &[u8], out: &mut Vec<u8>) {
        self.place.set_in_body(true);
        let fate = body_fate(self.policy, self.memory, &self.place);
        self.at(fate, body, out, |write, out| write.value(body, &KeyPlan::NONE, 0, out));
        self.place.set_in_body(false);
    }

    /// Writes an attribute as a field; nothing where it is left out. Always true, as [`nested`].
    fn attribute(&mut self, field: u8, attribute: &[u8], depth: usize, out: &mut Vec<u8>) -> bool {
        let (key, value) = parts(attribute);
        let before = self.place.enter(key);
        let known = self.memory.key(self.policy, &self.place);
        if self.minimises && hiding::is_left_out(&known.fate, value.unwrap_or_default()) {
            self.left_out += 1;
        } else {
            nested(field, out, |out| self.entry(before, &known, (key, value), depth, out));
        }
        self.place.leave(before);
        true
    }

    fn entry(
        &mut self,
        before: usize,
        known: &KnownKey,
        (key, value): (&[u8], Option<&[u8]>),
        depth: usize,
        out: &mut Vec<u8>,
    ) {
        if known.tells {
            // A note must not repeat the name.
            self.place.leave(before);
            self.place.path.extend_from_slice(b"*");
            nested(tag::KEY, out, |out| self.text(key, &KeyPlan::NONE, out));
        } else {
            put_bytes(out, tag::KEY, key);
        }
        if let Some(value) = value {
            nested(tag::VALUE, out, |out| {
                self.at(known.fate, value, out, |write, out| write.value(value, &known.plan, depth, out));
            });
        }
    }

    /// Writes a value about whose place rules say `fate`.
    fn at(
        &mut self,
        fate: PathFate,
        value: &[u8],
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Self, &mut Vec<u8>),
    ) {
        if let (Some(rule), Some(rules)) = (fate.hides(), self.policy.rules()) {
            if hiding::is_hidden(rules, rule, value) {
                out.extend_from_slice(value);
            } else {
                hiding::hide(rules, rule, value, out);
                self.note(What::Rule(rule));
            }
            return;
        }
        let around = std::mem::replace(&mut self.fate, fate);
        write(self, out);
        self.fate = around;
    }

    fn value(&mut self, value: &[u8], plan: &KeyPlan, depth: usize, out: &mut Vec<u8>) {
        if depth > MAX_DEPTH {
            return;
        }
        copy(value, out, |field, out| match field {
            (1, Value::Bytes(text)) => nested(tag::STRING, out, |out| self.text(text, plan, out)),
            (7, Value::Bytes(bytes)) => nested(tag::BYTES, out, |out| self.bytes(bytes, plan, out)),
            (3 | 4, number) => self.number(number, plan, out),
            (5, Value::Bytes(members)) => {
                nested(tag::ARRAY, out, |out| self.members(members, plan, depth, out))
            }
            (6, Value::Bytes(entries)) => nested(tag::KVLIST, out, |out| {
                for entry in members_of(entries) {
                    self.attribute(tag::KEY, entry, depth + 1, out);
                }
            }),
            _ => false,
        });
    }

    fn members(&mut self, members: &[u8], plan: &KeyPlan, depth: usize, out: &mut Vec<u8>) {
        let start = out.len();
        let before = self.notes.len();
        self.place.enter_list();
        let fate = self.fate;
        for member in members_of(members) {
            if !self.minimises || !hiding::is_left_out(&fate, member) {
                nested(tag::KEY, out, |out| self.value(member, plan, depth + 1, out));
            }
        }
        self.place.leave_list();
        // A value that was split over several members: where each alone is nothing, all of them go.
        let split = joined(&out[start..]).and_then(|text| Some((self.first(&text, plan)?, text)));
        if let Some((what, text)) = split {
            self.seal(what, &text);
            out.truncate(start);
            self.notes.truncate(before);
            self.note(what);
            nested(tag::KEY, out, |out| _ = nested(tag::STRING, out, |out| self.whole(what, out)));
        }
    }

    /// What the text holds first, if anything.
    fn first(&mut self, text: &str, plan: &KeyPlan) -> Option<What> {
        let end: RuleId = self.fate.end();
        self.policy.spots(text, plan, end, &mut self.memory.scratch).first().map(|spot| spot.what)
    }

    /// What stands in place of all of a value.
    fn whole(&self, what: What, out: &mut Vec<u8>) {
        replace(self.policy, &Spot { range: 0..0, what, mixed: true }, "", out);
    }

    /// A number that tells becomes a text. False: it is to be copied.
    fn number(&mut self, number: Value<'_>, plan: &KeyPlan, out: &mut Vec<u8>) -> bool {
        let Some(text) = number_for(self.policy, number, plan) else { return false };
        self.first(&text, plan).is_some()
            && nested(tag::STRING, out, |out| self.text(text.as_bytes(), plan, out))
    }

    /// Bytes that are no text go as a whole: an offset in what was made of them is none in them.
    fn bytes(&mut self, bytes: &[u8], plan: &KeyPlan, out: &mut Vec<u8>) {
        if std::str::from_utf8(bytes).is_ok() {
            return self.text(bytes, plan, out);
        }
        match self.first(&String::from_utf8_lossy(bytes), plan) {
            Some(what) => {
                self.note(what);
                self.whole(what, out);
            }
            None => out.extend_from_slice(bytes),
        }
    }

    fn text(&mut self, text: &[u8], plan: &KeyPlan, out: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(text);
        let end: RuleId = self.fate.end();
        let mut spots = self.policy.spots(&text, plan, end, &mut self.memory.scratch);
        if self.policy.rules().is_none() || spots.is_empty() {
            return self.replaced(&text, &spots, out);
        }
        let mut now = text.into_owned();
        for _ in 0..ROUNDS {
            let mut next = Vec::with_capacity(now.len());
            self.replaced(&now, &spots, &mut next);
            now = String::from_utf8_lossy(&next).into_owned();
            spots = unite(self.policy, &now, end, &[]);
            if spots.is_empty() {
                return out.extend_from_slice(now.as_bytes());
            }
        }
        // A rule that finds something in what was hidden, time and again: nothing of the text stays.
        if let (Some(What::Rule(rule)), Some(rules)) =
            (spots.first().map(|spot| spot.what), self.policy.rules())
        {
            RuleAction::Remove.replace(rules.name(rule), "", out);
        }
    }

    /// Copies a text with what stands in place of each spot.
    fn replaced(&mut self, text: &str, spots: &[Spot], out: &mut Vec<u8>) {
        let mut copied = 0;
        for spot in spots {
            out.extend_from_slice(&text.as_bytes()[copied..spot.range.start]);
            let value = &text[spot.range.clone()];
            replace(self.policy, spot, value, out);
            if !spot.mixed {
                self.seal(spot.what, value);
            }
            copied = spot.range.end;
            self.note(spot.what);
        }
        out.extend_from_slice(&text.as_bytes()[copied..]);
    }

    /// Keeps a value beside the record, where its type's action says so.
    fn seal(&mut self, what: What, value: &str) {
        if let What::Kind(kind, _) = what {
            self.sealed.add(self.policy.action(kind), kind, &self.place.path, value);
        }
    }

    /// Says where something of a kind, or of a rule, was.
    fn note(&mut self, what: What) {
        let id = match what {
            What::Kind(kind, _) => kind.id(),
            What::Rule(_) => self.policy.word(what),
        };
        self.policy.found().add(&self.place.path, id);
        if self.notes.len() >= MAX_NOTES {
            return;
        }
        let path = &self.place.path;
        let place = if path.is_empty() { "body".into() } else { String::from_utf8_lossy(path) };
        let note = format!("{place}:{}", self.policy.word(what));
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
