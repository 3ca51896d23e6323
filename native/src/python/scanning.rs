//! The scanner for Python: what stage 3 would hide in a text, for explanations and scores. Thread: any.

use super::settings::value_policy;
use crate::redact::values::look::number_text;
use crate::redact::values::ValuePolicy;
use crate::scan::keys::KeyPlan;
use crate::scan::kind::{Group, Kind, Tier};
use crate::scan::Scratch;
use crate::wire::Value;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyString};
use std::sync::Mutex;

/// Path, first code point, first one behind, type, rule.
type Found = (String, usize, usize, &'static str, &'static str);
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
    scratch: Mutex<Scratch>,
}

#[pymethods]
impl Scanner {
    #[new]
    fn new(settings: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(Self { policy: value_policy(settings)?, scratch: Mutex::default() })
    }

    /// Findings in `text` and in the values of `attributes`, in order.
    #[pyo3(signature = (text, attributes=None))]
    fn scan(&self, text: &str, attributes: Option<&Bound<'_, PyDict>>) -> PyResult<Vec<Found>> {
        let mut found = Vec::new();
        self.text(text, "text", &KeyPlan::NONE, &mut found);
        if let Some(attributes) = attributes {
            self.mapping(attributes, "attributes", "", 0, &mut found)?;
        }
        Ok(found)
    }
}

impl Scanner {
    fn mapping(
        &self,
        all: &Bound<'_, PyDict>,
        path: &str,
        name: &str,
        depth: usize,
        found: &mut Vec<Found>,
    ) -> PyResult<()> {
        for (key, value) in all.copy()? {
            let key = key.str()?.to_string_lossy().into_owned();
            let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            let plan = self.policy.scanner().plan(&name);
            self.value(&value, &format!("{path}.{key}"), &name, &plan, depth, found)?;
        }
        Ok(())
    }

    fn value(
        &self,
        value: &Bound<'_, PyAny>,
        path: &str,
        name: &str,
        plan: &KeyPlan,
        depth: usize,
        found: &mut Vec<Found>,
    ) -> PyResult<()> {
        if depth > MAX_DEPTH {
            return Ok(());
        }
        if let Ok(text) = value.cast::<PyString>() {
            self.text(&text.to_string_lossy(), path, plan, found);
        } else if let Ok(all) = value.cast::<PyDict>() {
            self.mapping(all, path, name, depth + 1, found)?;
        } else if let Ok(members) = value.cast::<PyList>() {
            for (index, member) in members.iter().enumerate() {
                self.value(&member, &format!("{path}.{index}"), name, plan, depth + 1, found)?;
            }
        } else if let Some(text) = number(value).and_then(|number| number_text(number, plan)) {
            self.text(&text, path, plan, found);
        }
        Ok(())
    }

    fn text(&self, text: &str, path: &str, plan: &KeyPlan, found: &mut Vec<Found>) {
        let mut scratch = self.scratch.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (mut bytes, mut points) = (0, 0);
        for finding in self.policy.scanner().scan(text, plan, &mut scratch) {
            let range = finding.range();
            points += text[bytes..range.start].chars().count();
            let start = points;
            points += text[range.clone()].chars().count();
            bytes = range.end;
            found.push((path.to_owned(), start, points, finding.kind.id(), finding.rule));
        }
    }
}

/// A number as it stands in a record; `None` for what is none, and for bools.
fn number(value: &Bound<'_, PyAny>) -> Option<Value<'static>> {
    if value.is_exact_instance_of::<PyInt>() {
        return value.extract::<i64>().ok().map(|number| Value::Varint(number as u64));
    }
    let number = value.cast::<PyFloat>().ok()?.extract::<f64>().ok()?;
    Some(Value::Fixed64(number.to_bits()))
}
