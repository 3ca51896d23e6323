//! Stage 3 of 7, redact: the user's rules as Python gives them. Thread: any.

use super::helpers::required;
use super::settings::unknown;
use crate::redact::rules::actions::RuleAction;
use crate::redact::rules::{About, RuleError, RuleSettings, Rules};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Name, what it is about (`paths`, `pattern`, `words`, `WORDS` for words in the case that is given) and its texts, and
/// the action with its numbers.
type Row = (String, String, Vec<String>, String, Vec<u8>);

/// Compiles the rules of `dict`: `rules` and `minimise`, the keys that may stay. `None`: there are none.
pub fn read(dict: &Bound<'_, PyDict>) -> PyResult<Option<Rules>> {
    let failed = |error: RuleError| PyValueError::new_err(format!("rule {} {}", error.rule, error.what));
    compiled(dict)?.map_err(failed)
}

fn compiled(dict: &Bound<'_, PyDict>) -> PyResult<Result<Option<Rules>, RuleError>> {
    let given = |key: &str| dict.contains(key);
    let rows: Vec<Row> = if given("rules")? { required(dict, "rules")? } else { Vec::new() };
    let minimise: Option<Vec<String>> = if given("minimise")? { required(dict, "minimise")? } else { None };
    if rows.is_empty() && minimise.is_none() {
        return Ok(Ok(None));
    }
    let rules = rows.into_iter().map(settings).collect::<PyResult<Vec<_>>>()?;
    Ok(Rules::new(&rules).and_then(|rules| match minimise {
        Some(allowed) => rules.with_minimise(&allowed).map(Some),
        None => Ok(Some(rules)),
    }))
}

fn settings((name, about, texts, action, numbers): Row) -> PyResult<RuleSettings> {
    let about = match (about.as_str(), texts) {
        ("paths", paths) => About::Paths(paths),
        ("pattern", texts) => About::Pattern(texts.into_iter().next().unwrap_or_default()),
        ("words", words) => About::Words { words, case_sensitive: false },
        ("WORDS", words) => About::Words { words, case_sensitive: true },
        (other, _) => return Err(unknown("kind of rule", other)),
    };
    let action = match (action.as_str(), numbers.as_slice()) {
        ("remove", []) => RuleAction::Remove,
        ("mask", &[keep_last]) => RuleAction::Mask { keep_last },
        ("truncate", &[first, last]) => RuleAction::Truncate { first, last },
        ("generalise", []) => RuleAction::Generalise,
        ("keep", []) => RuleAction::Keep,
        ("drop", []) => RuleAction::Drop,
        (other, _) => return Err(unknown("action", other)),
    };
    Ok(RuleSettings { name, about, action })
}

/// What is wrong with rules: the name of one, and a clause that goes behind it. `None`: they can be used.
#[pyfunction]
pub fn check_redaction_rules(settings: &Bound<'_, PyDict>) -> PyResult<Option<(String, String)>> {
    Ok(compiled(settings)?.err().map(|error| (error.rule, error.what)))
}
