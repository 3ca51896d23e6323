//! Settings of the built-in processors, as `fapilog/pipeline.py` gives them: a dict for each, or None.

use super::helpers::required;
use super::settings::{millis, unknown};
use crate::process::dedupe::DedupeSettings;
use crate::process::first_occurrence::FirstOccurrenceSettings;
use crate::process::rate_limit::RateLimitSettings;
use crate::process::sampling::{InSpan, OutsideSpan, SamplingSettings};
use crate::process::ProcessSettings;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// All four.
pub fn read(settings: &Bound<'_, PyDict>) -> PyResult<ProcessSettings> {
    let group = |name| required::<Option<Bound<'_, PyDict>>>(settings, name);
    Ok(ProcessSettings {
        sampling: group("sampling")?.as_ref().map(sampling).transpose()?,
        first_occurrence: group("first_occurrence")?.as_ref().map(first_occurrence).transpose()?,
        rate_limit: group("rate_limit")?.as_ref().map(rate_limit).transpose()?,
        dedupe: group("dedupe")?.as_ref().map(dedupe).transpose()?,
    })
}

fn sampling(dict: &Bound<'_, PyDict>) -> PyResult<SamplingSettings> {
    Ok(SamplingSettings {
        ratio: required(dict, "ratio")?,
        keep_severity: required(dict, "keep_severity")?,
        in_span: match required::<String>(dict, "in_span")?.as_str() {
            "trace_id" => InSpan::TraceId,
            "sampled_flag" => InSpan::SampledFlag,
            other => return Err(unknown("in_span", other)),
        },
        outside_span: match required::<String>(dict, "outside_span")?.as_str() {
            "ratio" => OutsideSpan::Ratio,
            "keep" => OutsideSpan::Keep,
            other => return Err(unknown("outside_span", other)),
        },
    })
}

fn first_occurrence(dict: &Bound<'_, PyDict>) -> PyResult<FirstOccurrenceSettings> {
    Ok(FirstOccurrenceSettings {
        interval: required::<Option<u64>>(dict, "interval_millis")?.map(millis),
        max_templates: required(dict, "max_templates")?,
    })
}

fn rate_limit(dict: &Bound<'_, PyDict>) -> PyResult<RateLimitSettings> {
    Ok(RateLimitSettings {
        records_per_second: required(dict, "records_per_second")?,
        burst: required(dict, "burst")?,
        max_templates: required(dict, "max_templates")?,
    })
}

fn dedupe(dict: &Bound<'_, PyDict>) -> PyResult<DedupeSettings> {
    Ok(DedupeSettings {
        window: millis(required(dict, "window_millis")?),
        max_windows: required(dict, "max_windows")?,
        attributes: required(dict, "attributes")?,
    })
}
