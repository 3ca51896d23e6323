//! The scanner for Python: what stage 3 would hide in a text, for explanations and scores. Thread: any.

use super::settings::value_policy_and_rules;
use crate::redact::rules::place::Place;
use crate::redact::rules::spots::{replace, What};
use crate::redact::rules::RuleId;
use crate::redact::values::look::{join, number_for};
use crate::redact::values::memory::{KnownKey, Memory};
use crate::redact::values::ValuePolicy;
use crate::scan::keys::KeyPlan;
use crate::scan::kind::{Group, Kind, Kinds, Tier};
use crate::scan::Settings;
use crate::wire::Value;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use std::sync::{Mutex, PoisonError};

/// Path, first code point, first one behind, type, rule.
type Found = (String, usize, usize, String, String);
/// Nesting that is followed.
const MAX_DEPTH: usize = 80;

/// Every kind: id, word of its marker, group, tier (`A` shape suffices, `B` checksum and keyword, `C` keyword or key only).
#[pyfunction]
pub fn scan_kinds() -> Vec<(&'static str, &'static str, &'static str, char)> {
    Kind::ALL
        .iter()
        .map(|kind| (kind.id(), kind.word(), group_name(kind.group()), tier_name(kind.tier())))
        .collect()
}

const fn group_name(group: Group) -> &'static str {
    match group {
        Group::Payment => "payment",
        Group::Bank => "bank",
        Group::Crypto => "crypto",
        Group::UsGov => "us",
        Group::Health => "health",
        Group::Contact => "contact",
        Group::Network => "network",
        Group::Vehicle => "vehicle",
        Group::National => "national",
        Group::Credential => "credential",
        Group::Vendor => "vendor",
    }
}

const fn tier_name(tier: Tier) -> char {
    match tier {
        Tier::Shape => 'A',
        Tier::Checked => 'B',
        Tier::Context => 'C',
    }
}

/// Finds what a policy would hide.
#[pyclass(frozen, module = "fapilog._native")]
pub struct Scanner {
    policy: ValuePolicy,
    memory: Mutex<Memory>,
}

#[pymethods]
impl Scanner {
    #[new]
    fn new(settings: &Bound<'_, PyDict>) -> PyResult<Self> {
        let nothing = || ValuePolicy::new(Settings { kinds: Kinds::NONE }, []);
        Ok(Self {
            policy: value_policy_and_rules(settings)?.unwrap_or_else(nothing),
            memory: Mutex::default(),
        })
    }

    /// Findings in `text` and in the values of `attributes`, in order.
    #[pyo3(signature = (text, attributes=None))]
    fn scan(&self, text: &str, attributes: Option<&Bound<'_, PyDict>>) -> PyResult<Vec<Found>> {
        let mut found = Vec::new();
        let mut walk =
            Walk { policy: &self.policy, memory: &self.memory, place: Place::default(), found: &mut found };
        walk.place.set_in_body(true);
        let known = KnownKey { plan: KeyPlan::NONE, ..walk.known() };
        match known.fate.hides() {
            Some(rule) => walk.whole("text", rule, text),
            None => walk.text(text, "text", &known),
        }
        walk.place.set_in_body(false);
        if let Some(attributes) = attributes {
            walk.mapping(attributes, "attributes", 0)?;
        }
        Ok(found)
    }
}

/// A walk through values. The memory is locked for one question at a time: reading a value may run Python code.
struct Walk<'a> {
    policy: &'a ValuePolicy,
    memory: &'a Mutex<Memory>,
    place: Place,
    found: &'a mut Vec<Found>,
}

impl Walk<'_> {
    fn known(&self) -> KnownKey {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.key(self.policy, &self.place)
    }

    fn mapping(&mut self, all: &Bound<'_, PyDict>, path: &str, depth: usize) -> PyResult<()> {
        for (key, value) in all.copy()? {
            let key = key.str()?.to_string_lossy().into_owned();
            let before = self.place.enter(key.as_bytes());
            let known = self.known();
            let path = format!("{path}.{key}");
            let done = match known.fate.hides() {
                Some(rule) => self.hidden(&value, &path, rule),
                None => self.value(&value, &path, &known, depth),
            };
            self.place.leave(before);
            done?;
        }
        Ok(())
    }

    fn value(
        &mut self,
        value: &Bound<'_, PyAny>,
        path: &str,
        known: &KnownKey,
        depth: usize,
    ) -> PyResult<()> {
        if depth > MAX_DEPTH {
            return Ok(());
        }
        if let Ok(text) = value.cast::<PyString>() {
            self.text(&text.to_string_lossy(), path, known);
        } else if let Ok(all) = value.cast::<PyDict>() {
            self.mapping(all, path, depth + 1)?;
        } else if let Ok(bytes) = value.cast::<PyBytes>() {
            self.text(&String::from_utf8_lossy(bytes.as_bytes()), path, known);
        } else if let Some(members) = members_of(value) {
            self.members(&members, path, known, depth)?;
        } else if let Some(text) =
            number(value).and_then(|number| number_for(self.policy, number, &known.plan))
        {
            self.text(&text, path, known);
        }
        Ok(())
    }

    /// The members, or what they are together: then each alone is nothing, as in a record.
    fn members(
        &mut self,
        members: &[Bound<'_, PyAny>],
        path: &str,
        known: &KnownKey,
        depth: usize,
    ) -> PyResult<()> {
        let before = self.found.len();
        self.place.enter_list();
        for (index, member) in members.iter().enumerate() {
            self.value(member, &format!("{path}.{index}"), known, depth + 1)?;
        }
        self.place.leave_list();
        let pieces = members.iter().filter_map(|member| self.left_of(member, known)).map(Some);
        let Some(text) = join(pieces) else { return Ok(()) };
        let alone = self.found.split_off(before);
        self.text(&text, path, known);
        if self.found.len() == before {
            self.found.extend(alone);
        } else {
            self.found.truncate(before + 1);
        }
        Ok(())
    }

    /// What a record holds of a text or a number; `None` for what is neither.
    fn left_of(&self, member: &Bound<'_, PyAny>, known: &KnownKey) -> Option<String> {
        let text = match member.cast::<PyString>() {
            Ok(text) => text.to_string_lossy().into_owned(),
            Err(_) => match number(member)? {
                Value::Varint(bits) => (bits as i64).to_string(),
                float => number_for(self.policy, float, &known.plan)?,
            },
        };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = Vec::with_capacity(text.len());
        let mut copied = 0;
        for spot in self.policy.spots(&text, &known.plan, known.fate.end(), &mut memory.scratch) {
            left.extend_from_slice(&text.as_bytes()[copied..spot.range.start]);
            replace(self.policy, &spot, &text[spot.range.clone()], &mut left);
            copied = spot.range.end;
        }
        left.extend_from_slice(&text.as_bytes()[copied..]);
        String::from_utf8(left).ok()
    }

    /// A value that a rule about its path hides: as much of it as is a text.
    fn hidden(&mut self, value: &Bound<'_, PyAny>, path: &str, rule: RuleId) -> PyResult<()> {
        if !value.is_none() {
            let text = match value.cast::<PyString>() {
                Ok(text) => text.to_string_lossy().into_owned(),
                Err(_) if number(value).is_some() => value.str()?.to_string_lossy().into_owned(),
                Err(_) => String::new(),
            };
            self.whole(path, rule, &text);
        }
        Ok(())
    }

    fn whole(&mut self, path: &str, rule: RuleId, text: &str) {
        let name = self.policy.word(What::Rule(rule)).to_owned();
        self.found.push((path.to_owned(), 0, text.chars().count(), name.clone(), name));
    }

    fn text(&mut self, text: &str, path: &str, known: &KnownKey) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut bytes, mut points) = (0, 0);
        for spot in self.policy.spots(text, &known.plan, known.fate.end(), &mut memory.scratch) {
            let range = spot.range;
            points += text[bytes..range.start].chars().count();
            let start = points;
            points += text[range.clone()].chars().count();
            bytes = range.end;
            let (kind, rule) = match spot.what {
                What::Kind(kind, rule) => (kind.id().to_owned(), rule.to_owned()),
                what @ What::Rule(_) => {
                    (self.policy.word(what).to_owned(), self.policy.word(what).to_owned())
                }
            };
            self.found.push((path.to_owned(), start, points, kind, rule));
        }
    }
}

/// The members of a list or a tuple.
fn members_of<'py>(value: &Bound<'py, PyAny>) -> Option<Vec<Bound<'py, PyAny>>> {
    let list = value.cast::<PyList>().map(|members| members.iter().collect());
    list.or_else(|_| value.cast::<PyTuple>().map(|members| members.iter().collect())).ok()
}

/// A number as it stands in a record; `None` for what is none, and for bools.
fn number(value: &Bound<'_, PyAny>) -> Option<Value<'static>> {
    if value.is_exact_instance_of::<PyInt>() {
        return value.extract::<i64>().ok().map(|number| Value::Varint(number as u64));
    }
    let number = value.cast::<PyFloat>().ok()?.extract::<f64>().ok()?;
    Some(Value::Fixed64(number.to_bits()))
}
