//! Stage 3 of 7, redact: whether a record holds a sensitive value. Thread: caller, for every record.
//!
//! It reads and writes nothing, and ends at the first finding.

use crate::redact::actions::seal::entry::Entry;
use crate::redact::actions::seal::list::entries;
use crate::redact::rules::paths::Reach;
use crate::redact::rules::place::Place;
use crate::redact::rules::spots::What;
use crate::redact::rules::{PathFate, RuleId, NO_RULE};
use crate::redact::values::memory::{KnownKey, Memory};
use crate::redact::values::{hiding, Pass, ValuePolicy, LONG_FLOAT, LONG_NUMBER, MAX_DEPTH};
use crate::redact::walk::{members_of, parts};
use crate::scan::keys::KeyPlan;
use crate::wire::{Fields, Value};

/// What a look at a record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// There is nothing to hide.
    Nothing,
    /// There is, or it cannot be read.
    Something,
    /// There is what costs the whole record.
    Dropped(What),
}

/// Looks at a record.
pub fn finds(policy: &ValuePolicy, record: &[u8], pass: Pass, memory: &mut Memory) -> Seen {
    let fate = PathFate::FREE;
    let drops = pass == Pass::Record && policy.drops();
    let minimises = pass != Pass::Text;
    let place = std::mem::take(&mut memory.place);
    let mut look = Look { policy, memory, place, fate, drops, minimises, dropped: None, found: false };
    let mut fields = Fields::new(record);
    let ended = fields.by_ref().any(|field| match field {
        (number @ (3 | 5 | 6 | 12), Value::Bytes(part)) if pass == Pass::Record => {
            look.new_part(number, part)
        }
        (number, Value::Bytes(part)) => look.part(number, part),
        _ => false,
    });
    look.place.clear();
    look.memory.place = std::mem::take(&mut look.place);
    match look.dropped {
        Some(what) => Seen::Dropped(what),
        None if ended || look.found || fields.malformed() => Seen::Something,
        None => Seen::Nothing,
    }
}

struct Look<'a> {
    policy: &'a ValuePolicy,
    memory: &'a mut Memory,
    place: Place,
    /// What rules say about the value around.
    fate: PathFate,
    /// Whether something may cost the record: then the look does not end at the first finding.
    drops: bool,
    /// Whether what nobody allowed is to be left out.
    minimises: bool,
    dropped: Option<What>,
    found: bool,
}

// Each of these answers whether the look ends.
impl Look<'_> {
    /// A part of a record, unless it is one that came by lately: nothing was found in those.
    #[inline]
    fn new_part(&mut self, number: u32, part: &[u8]) -> bool {
        if self.memory.clean.get(number as u8, part).is_some() {
            return false;
        }
        let ended = self.part(number, part);
        if !ended && !self.found && self.dropped.is_none() {
            self.memory.clean.put(number as u8, part, ());
        }
        ended
    }

    fn part(&mut self, number: u32, part: &[u8]) -> bool {
        match number {
            5 => self.body(part),
            6 => !self.is_sealed(part) && self.attribute(part, 0),
            3 | 12 => self.text(part, &KeyPlan::NONE),
            _ => false,
        }
    }

    /// True for the attribute with what was sealed before: nothing is found in ciphertext.
    fn is_sealed(&mut self, attribute: &[u8]) -> bool {
        let (key, value) = parts(attribute);
        entries(key, value).is_some_and(|entries| are_clean(self.policy, &entries, self.memory))
    }

    fn body(&mut self, body: &[u8]) -> bool {
        self.place.set_in_body(true);
        let fate = body_fate(self.policy, self.memory, &self.place);
        let ended = self.at(fate, body, |look| look.value(body, &KeyPlan::NONE, 0));
        self.place.set_in_body(false);
        ended
    }

    fn attribute(&mut self, attribute: &[u8], depth: usize) -> bool {
        let (key, value) = parts(attribute);
        let before = self.place.enter(key);
        let known = self.memory.key(self.policy, &self.place);
        let ended = (known.tells && self.name()) || self.under(&known, value, depth);
        self.place.leave(before);
        ended
    }

    /// The name at the end of the path holds something.
    fn name(&mut self) -> bool {
        if self.drops {
            let name = String::from_utf8_lossy(&self.place.path).into_owned();
            let spots = self.policy.spots(&name, &KeyPlan::NONE, NO_RULE, &mut self.memory.scratch);
            if spots.iter().any(|spot| self.is_dropped(spot.what)) {
                return true;
            }
        }
        self.ends()
    }

    fn under(&mut self, known: &KnownKey, value: Option<&[u8]>, depth: usize) -> bool {
        let value = value.unwrap_or_default();
        if self.minimises && hiding::is_left_out(&known.fate, value) {
            return self.ends();
        }
        self.at(known.fate, value, |look| look.value(value, &known.plan, depth))
    }

    /// Looks at a value about whose place rules say `fate`.
    fn at(&mut self, fate: PathFate, value: &[u8], look: impl FnOnce(&mut Self) -> bool) -> bool {
        if let (Some(rule), Some(rules)) = (fate.hides(), self.policy.rules()) {
            return self.is_dropped(What::Rule(rule))
                || (!hiding::is_hidden(rules, rule, value) && self.ends());
        }
        let around = std::mem::replace(&mut self.fate, fate);
        let ended = look(self);
        self.fate = around;
        ended
    }

    fn is_dropped(&mut self, what: What) -> bool {
        if self.drops && self.dropped.is_none() && self.policy.is_dropped(what) {
            self.dropped = Some(what);
        }
        self.dropped.is_some()
    }

    /// Something is to be hidden.
    fn ends(&mut self) -> bool {
        self.found = true;
        !self.drops
    }

    fn value(&mut self, value: &[u8], plan: &KeyPlan, depth: usize) -> bool {
        if depth > MAX_DEPTH {
            return self.ends();
        }
        let mut fields = Fields::new(value);
        let ended = fields.by_ref().any(|field| match field {
            (1, Value::Bytes(text)) => self.text(text, plan),
            (7, Value::Bytes(bytes)) => self.text(bytes, plan),
            (3 | 4, number) => {
                number_for(self.policy, number, plan).is_some_and(|text| self.text(text.as_bytes(), plan))
            }
            (5, Value::Bytes(members)) => self.members(members, plan, depth),
            (6, Value::Bytes(entries)) => members_of(entries).any(|entry| self.attribute(entry, depth + 1)),
            _ => false,
        });
        ended || (fields.malformed() && self.ends())
    }

    fn members(&mut self, members: &[u8], plan: &KeyPlan, depth: usize) -> bool {
        self.place.enter_list();
        let fate = self.fate;
        let each = members_of(members).any(|member| {
            if self.minimises && hiding::is_left_out(&fate, member) {
                return self.ends();
            }
            self.value(member, plan, depth + 1)
        });
        self.place.leave_list();
        each || joined(members).is_some_and(|text| self.text(text.as_bytes(), plan))
    }

    fn text(&mut self, text: &[u8], plan: &KeyPlan) -> bool {
        let text = String::from_utf8_lossy(text);
        let end: RuleId = self.fate.end();
        if !self.drops {
            return self.policy.holds(&text, plan, end, &mut self.memory.scratch) && self.ends();
        }
        let spots = self.policy.spots(&text, plan, end, &mut self.memory.scratch);
        spots.iter().any(|spot| self.is_dropped(spot.what)) || (!spots.is_empty() && self.ends())
    }
}

/// Whether the paths of sealed values hold none themselves.
pub(super) fn are_clean(policy: &ValuePolicy, entries: &[&str], memory: &mut Memory) -> bool {
    entries
        .iter()
        .filter_map(|text| Entry::parse(text))
        .all(|entry| !policy.holds(entry.path, &KeyPlan::NONE, NO_RULE, &mut memory.scratch))
}

/// What rules say about the whole body. It may always stay: of a map in it, what is allowed.
pub(super) fn body_fate(policy: &ValuePolicy, memory: &mut Memory, place: &Place) -> PathFate {
    match policy.rules() {
        None => PathFate::FREE,
        Some(_) => PathFate { allowed: Reach::Here, ..memory.key(policy, place).fate },
    }
}

/// A number as a text, when it may be an identifier: by its length, or because its key says so.
#[must_use]
pub fn number_text(number: Value<'_>, plan: &KeyPlan) -> Option<String> {
    match number {
        Value::Varint(bits) => {
            let number = bits as i64;
            (plan.speaks() || number.unsigned_abs() >= LONG_NUMBER).then(|| number.to_string())
        }
        Value::Fixed64(bits) => {
            let number = f64::from_bits(bits);
            let long = number.abs() >= LONG_FLOAT && number.fract() == 0.0;
            ((plan.speaks() || long) && number.is_finite()).then(|| number.to_string())
        }
        _ => None,
    }
}

/// A number as a text, when it is to be looked at: rules of the user know numbers as they are written.
#[must_use]
pub(crate) fn number_for(policy: &ValuePolicy, number: Value<'_>, plan: &KeyPlan) -> Option<String> {
    let for_rules = || policy.rules().filter(|rules| rules.reads_texts()).and_then(|_| any_number(number));
    number_text(number, plan).or_else(for_rules)
}

fn any_number(number: Value<'_>) -> Option<String> {
    match number {
        Value::Varint(bits) => Some((bits as i64).to_string()),
        Value::Fixed64(bits) => Some(f64::from_bits(bits).to_string()),
        _ => None,
    }
}

/// The texts of an array as one, so that a number that was split at its blanks is seen. `None`: there are none to join.
pub(super) fn joined(members: &[u8]) -> Option<String> {
    let pieces = Fields::new(members).filter_map(|field| {
        let (1, Value::Bytes(member)) = field else { return Some(None) };
        match Fields::new(member).next()? {
            (1, Value::Bytes(piece)) => Some(std::str::from_utf8(piece).ok().map(str::to_owned)),
            (3, Value::Varint(number)) => Some(Some((number as i64).to_string())),
            _ => None,
        }
    });
    join(pieces)
}

/// The pieces as one text, each behind a blank. `None`: one cannot be read, there is one alone, or they are too long.
pub(crate) fn join(pieces: impl Iterator<Item = Option<String>>) -> Option<String> {
    const MAX_BYTES: usize = 256;
    let mut text = String::new();
    let mut count = 0;
    for piece in pieces {
        let piece = piece?;
        if text.len() + piece.len() > MAX_BYTES {
            return None;
        }
        if count > 0 {
            text.push(' ');
        }
        text.push_str(&piece);
        count += 1;
    }
    (count > 1).then_some(text)
}
