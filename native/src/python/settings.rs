//! The one value that crosses from Python at start: a dict of primitives, built by `fapilog/pipeline.py`.

use super::action_keys::ActionKeys;
use super::active::{CaptureSettings, Console, Outputs};
use super::enrich::Enrichers;
use super::helpers::required;
use super::process_settings;
use super::redaction_rules;
use super::values::MAX_DEPTH;
use crate::backlog::roles::Role;
use crate::block::Codec;
use crate::console::{ConsoleSettings, Style};
use crate::encode::Form;
use crate::export::file::{FileSettings, Fsync};
use crate::export::stream::Output;
use crate::flight::store::Limits;
use crate::flight::FlightSettings;
use crate::redact::actions::Action;
use crate::redact::stricter::Stricter;
use crate::redact::values::ValuePolicy;
use crate::redact::Policy;
use crate::rules::{Levels, Rule, Rules};
use crate::scan::kind::{Kind, Kinds};
use crate::scan::Settings as ScanSettings;
use crate::seal::fields::{Demand, FieldRule};
use crate::settings::{
    BufferSettings, ExporterKind, ExporterSettings, HttpProtocol, OtlpSettings, Overflow, RetrySettings,
    RingSettings, Settings, SpoolingSettings,
};
use crate::spool::crypt::Keys;
use crate::spool::quota::Quota;
use crate::spool::{Fsync as SpoolFsync, SpoolSettings};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything one pipeline needs.
pub struct Read {
    pub native: Settings,
    pub capture: CaptureSettings,
    pub outputs: Outputs,
    /// Called with the first record of a process.
    pub on_start: Option<Py<PyAny>>,
}

/// Reads it out of `settings`.
pub fn read(settings: &Bound<'_, PyDict>) -> PyResult<Read> {
    let capture: Bound<'_, PyDict> = required(settings, "capture")?;
    let policy = policy(&required(settings, "redaction")?)?;
    let exporters = exporters(&required(settings, "exporters")?)?;
    let console: Option<Bound<'_, PyDict>> = required(settings, "console")?;
    let console = console.as_ref().map(console_settings).transpose()?;
    let destinations = exporters.iter().map(|exporter| &exporter.stricter);
    let destinations = destinations.chain(console.as_ref().map(|console| &console.stricter)).flatten();
    let policy = policy.with_later(destinations).with_value_length(required(&capture, "max_length")?);
    let native = Settings {
        buffer: buffer(&required(settings, "buffer")?)?,
        exporters,
        batch_processors: required(settings, "batch_processors")?,
        policy,
        sequenced: required(settings, "sequenced")?,
        resource: required::<Vec<u8>>(settings, "resource")?,
        process: process_settings::read(&required(settings, "processing")?)?,
        recorder: required::<Option<Bound<'_, PyDict>>>(settings, "flight_recorder")?
            .as_ref()
            .map(recorder)
            .transpose()?,
        fields: field_rules(required(settings, "fields")?)?,
        counts_keys: required(settings, "counts_keys")?,
        dead_letters: dead_letters(settings)?,
        spool: required::<Option<Bound<'_, PyDict>>>(settings, "spool")?.as_ref().map(spool).transpose()?,
        ring: required::<Option<Bound<'_, PyDict>>>(settings, "ring")?.as_ref().map(ring).transpose()?,
    };
    let outputs = Outputs { console, taps: Vec::new(), processors: None, enrichers: Enrichers::default() };
    let on_start = required(settings, "on_start")?;
    Ok(Read { native, capture: capture_settings(&capture)?, outputs, on_start })
}

fn recorder(dict: &Bound<'_, PyDict>) -> PyResult<FlightSettings> {
    Ok(FlightSettings {
        levels: Levels {
            default: required(dict, "level")?,
            by_name: required(dict, "levels")?,
            chosen: true,
        },
        limits: Limits {
            bytes: required(dict, "limit_bytes")?,
            trace_records: required(dict, "max_trace_records")?,
            traces: required(dict, "max_traces")?,
            age: Duration::from_secs(required(dict, "max_age_seconds")?),
        },
    })
}

fn exporters(list: &Bound<'_, PyList>) -> PyResult<Vec<ExporterSettings>> {
    let mut exporters: Vec<ExporterSettings> = Vec::with_capacity(list.len());
    for item in list {
        let exporter = exporter(&item.cast_into::<PyDict>()?)?;
        if exporters.iter().any(|other| other.name == exporter.name) {
            let name = &exporter.name;
            return Err(PyValueError::new_err(format!(
                "two exporters are called {name:?}; give each its own name"
            )));
        }
        exporters.push(exporter);
    }
    Ok(exporters)
}

fn exporter(dict: &Bound<'_, PyDict>) -> PyResult<ExporterSettings> {
    let kind = match required::<String>(dict, "kind")?.as_str() {
        "otlp_http" => ExporterKind::OtlpHttp(Box::new(otlp_settings(dict)?)),
        "file" => ExporterKind::File(Box::new(file_settings(dict)?)),
        "stream" => ExporterKind::Stream(form(dict)?, output(dict)?),
        "python" => ExporterKind::Python { codec: codec(dict)? },
        other => return Err(unknown("kind of exporter", other)),
    };
    let role = optional(dict, "role")?;
    let role = match role.as_deref().unwrap_or("required") {
        "required" => Role::Required,
        "best_effort" => Role::BestEffort,
        "fallback" => Role::Fallback,
        other => return Err(unknown("role", other)),
    };
    let after = || required(dict, "fallback_after_millis").map(millis);
    let fallback = match optional(dict, "fallback")? {
        Some(name) => Some((name, after()?)),
        None => None,
    };
    let stricter = stricter(dict, "redaction")?;
    Ok(ExporterSettings { name: required(dict, "name")?, kind, role, fallback, stricter })
}

/// A destination's own policy, in the form of the pipeline's.
fn stricter(dict: &Bound<'_, PyDict>, key: &str) -> PyResult<Option<Stricter>> {
    let given = if dict.contains(key)? { required::<Option<Bound<'_, PyDict>>>(dict, key)? } else { None };
    Ok(given.as_ref().map(policy).transpose()?.map(Stricter::new))
}

/// What most exporters do not say.
fn optional(dict: &Bound<'_, PyDict>, key: &str) -> PyResult<Option<String>> {
    Ok(if dict.contains(key)? { required(dict, key)? } else { None })
}

fn file_settings(dict: &Bound<'_, PyDict>) -> PyResult<FileSettings> {
    Ok(FileSettings {
        path: required(dict, "path")?,
        form: form(dict)?,
        max_bytes: required(dict, "max_bytes")?,
        max_age: required::<Option<u64>>(dict, "max_age_seconds")?.map(Duration::from_secs),
        compress_rotated: required(dict, "compress_rotated")?,
        keep_files: required(dict, "keep_files")?,
        keep_age: required::<Option<u64>>(dict, "keep_seconds")?.map(Duration::from_secs),
        fsync: match required::<String>(dict, "fsync")?.as_str() {
            "never" => Fsync::Never,
            "rotation" => Fsync::Rotation,
            "always" => Fsync::Always,
            other => return Err(unknown("fsync", other)),
        },
    })
}

fn dead_letters(settings: &Bound<'_, PyDict>) -> PyResult<Option<FileSettings>> {
    let dict: Option<Bound<'_, PyDict>> = required(settings, "dead_letters")?;
    dict.map(|dict| {
        Ok(FileSettings {
            path: required(&dict, "path")?,
            form: Form::OtlpJson,
            max_bytes: required(&dict, "max_bytes")?,
            max_age: None,
            compress_rotated: false,
            keep_files: required(&dict, "keep_files")?,
            keep_age: None,
            fsync: Fsync::Never,
        })
    })
    .transpose()
}

/// Rules as Python gives them: category, demand, names, profile, clause.
fn field_rules(rows: Vec<(String, String, Vec<String>, String, String)>) -> PyResult<Vec<FieldRule>> {
    let rule = |(category, demand, names, profile, clause): (String, String, _, _, _)| {
        let demand = match demand.as_str() {
            "required" => Demand::Required,
            "forbidden" => Demand::Forbidden,
            other => return Err(unknown("demand", other)),
        };
        Ok(FieldRule { category, demand, names, profile, clause })
    };
    rows.into_iter().map(rule).collect()
}

fn spool(dict: &Bound<'_, PyDict>) -> PyResult<SpoolingSettings> {
    let interval = millis(required(dict, "fsync_interval_millis")?);
    let adopt_interval = millis(required(dict, "adopt_interval_millis")?);
    let store = SpoolSettings {
        segment_bytes: required(dict, "segment_bytes")?,
        quota: Quota {
            max_bytes: required(dict, "limit_bytes")?,
            min_free_bytes: required(dict, "min_free_bytes")?,
        },
        max_age: required::<Option<u64>>(dict, "max_age_seconds")?.map(Duration::from_secs),
        fsync: match required::<String>(dict, "fsync")?.as_str() {
            "never" => SpoolFsync::Never,
            "interval" => SpoolFsync::Every(interval),
            "always" => SpoolFsync::Always,
            other => return Err(unknown("fsync", other)),
        },
    };
    Ok(SpoolingSettings {
        directory: required(dict, "directory")?,
        service: required(dict, "service")?,
        store,
        adopt: required::<bool>(dict, "adopt")?.then_some(adopt_interval),
        keys: Arc::new(spool_keys(&required(dict, "keys")?)?),
    })
}

/// The current key's id, and every key by its id. No copy of a key is made on the way.
pub fn spool_keys(given: &Bound<'_, PyTuple>) -> PyResult<Keys> {
    let (current, by_id): (Option<u32>, Bound<'_, PyDict>) = given.extract()?;
    let keys = by_id.iter().map(|(id, key)| Ok((id.extract()?, key.cast_into::<PyBytes>()?)));
    let keys: Vec<(u32, Bound<'_, PyBytes>)> = keys.collect::<PyResult<_>>()?;
    let keys: Vec<(u32, &[u8])> = keys.iter().map(|(id, key)| (*id, key.as_bytes())).collect();
    Keys::new(current, &keys).map_err(|error| PyValueError::new_err(error.to_string()))
}

fn ring(dict: &Bound<'_, PyDict>) -> PyResult<RingSettings> {
    Ok(RingSettings {
        directory: required(dict, "directory")?,
        limit_bytes: required(dict, "limit_bytes")?,
        sync_interval: required::<Option<u64>>(dict, "sync_interval_millis")?.map(millis),
    })
}

fn form(dict: &Bound<'_, PyDict>) -> PyResult<Form> {
    let name: String = required(dict, "form")?;
    Form::from_name(&name).ok_or_else(|| unknown("form", &name))
}

fn output(dict: &Bound<'_, PyDict>) -> PyResult<Output> {
    Ok(match required::<String>(dict, "output")?.as_str() {
        "stdout" => Output::Stdout,
        "stderr" => Output::Stderr,
        other => return Err(unknown("output", other)),
    })
}

fn codec(dict: &Bound<'_, PyDict>) -> PyResult<Codec> {
    Ok(match required::<String>(dict, "compression")?.as_str() {
        "none" => Codec::Identity,
        "gzip" => Codec::Gzip,
        "zstd" if cfg!(feature = "zstd") => Codec::Zstd,
        other => return Err(unknown("compression", other)),
    })
}

fn buffer(dict: &Bound<'_, PyDict>) -> PyResult<BufferSettings> {
    Ok(BufferSettings {
        limit_bytes: required(dict, "limit_bytes")?,
        chunk_bytes: required(dict, "chunk_bytes")?,
        limit_records: unlimited(required(dict, "limit_records")?),
        block_records: unlimited(required(dict, "block_records")?),
        overflow: match required::<String>(dict, "overflow")?.as_str() {
            "wait" => Overflow::Wait,
            "drop_newest" => Overflow::DropNewest,
            "drop_oldest" => Overflow::DropOldest,
            other => return Err(unknown("overflow", other)),
        },
        reserve_bytes: required(dict, "reserve_bytes")?,
        wait_timeout: millis(required(dict, "wait_timeout_millis")?),
        record_bytes: required(dict, "record_bytes")?,
        schedule_delay: millis(required(dict, "schedule_delay_millis")?),
    })
}

fn otlp_settings(dict: &Bound<'_, PyDict>) -> PyResult<OtlpSettings> {
    Ok(OtlpSettings {
        protocol: match required::<String>(dict, "protocol")?.as_str() {
            "http/protobuf" => HttpProtocol::Protobuf,
            "http/json" => HttpProtocol::Json,
            other => return Err(unknown("protocol", other)),
        },
        endpoint: required(dict, "endpoint")?,
        headers: required(dict, "headers")?,
        timeout: required::<Option<u64>>(dict, "timeout_millis")?.map(millis),
        connect_timeout: millis(required(dict, "connect_timeout_millis")?),
        codec: codec(dict)?,
        max_in_flight: required(dict, "max_in_flight")?,
        adaptive: required(dict, "adaptive")?,
        merge_bytes: required(dict, "merge_bytes")?,
        certificate: required::<Option<PathBuf>>(dict, "certificate")?,
        client_certificate: required::<Option<PathBuf>>(dict, "client_certificate")?,
        client_key: required::<Option<PathBuf>>(dict, "client_key")?,
        user_agent: required(dict, "user_agent")?,
        max_request_bytes: required(dict, "max_request_bytes")?,
        max_response_bytes: required(dict, "max_response_bytes")?,
        retry: RetrySettings {
            initial_backoff: millis(required(dict, "initial_backoff_millis")?),
            max_backoff: millis(required(dict, "max_backoff_millis")?),
            max_retry_after: millis(required(dict, "max_retry_after_millis")?),
            max_elapsed: required::<Option<u64>>(dict, "max_elapsed_millis")?.map(millis),
        },
        refreshes_headers: required(dict, "refreshes_headers")?,
    })
}

/// What `native_policy` of `fapilog.redaction` returns, compiled.
pub fn policy(dict: &Bound<'_, PyDict>) -> PyResult<Policy> {
    let list = |key| required::<Vec<String>>(dict, key);
    let policy = Policy::new(&list("anywhere")?, &list("last")?, &list("exact")?);
    let optional = |key| if dict.contains(key)? { list(key) } else { Ok(Vec::new()) };
    let policy = policy.with_exempt(&optional("exempt")?).with_kept(&optional("kept")?);
    Ok(match value_policy_and_rules(dict)? {
        Some(values) => policy.with_values(values),
        None => policy,
    })
}

/// What hides values: their types, rules of the user, or both. `None`: neither.
pub fn value_policy_and_rules(dict: &Bound<'_, PyDict>) -> PyResult<Option<ValuePolicy>> {
    let values =
        required::<Option<Bound<'_, PyDict>>>(dict, "values")?.as_ref().map(value_policy).transpose()?;
    Ok(match (values, redaction_rules::read(dict)?) {
        (Some(values), Some(rules)) => Some(values.with_rules(rules)),
        (None, Some(rules)) => Some(ValuePolicy::of_rules(rules)),
        (values, None) => values,
    })
}

/// The policy of values: `kinds`, a list of ids, `actions`, ids with `(name, numbers)`, and keys of actions.
pub fn value_policy(dict: &Bound<'_, PyDict>) -> PyResult<ValuePolicy> {
    let known = |id: &String| Kind::from_id(id).ok_or_else(|| unknown("type", id));
    let kinds = required::<Vec<String>>(dict, "kinds")?.iter().map(known).collect::<PyResult<Kinds>>()?;
    let actions = required::<Vec<(String, String, Vec<u8>)>>(dict, "actions")?;
    let keys = ActionKeys::read(dict)?;
    let actions = actions.iter().map(|(id, name, numbers)| Ok((known(id)?, action(name, numbers, &keys)?)));
    Ok(ValuePolicy::new(ScanSettings { kinds }, actions.collect::<PyResult<Vec<_>>>()?))
}

fn action(name: &str, numbers: &[u8], keys: &ActionKeys) -> PyResult<Action> {
    match (name, numbers) {
        ("remove", []) => Ok(Action::Remove),
        ("mask", &[keep_last]) => Ok(Action::Mask { keep_last }),
        ("truncate", &[first, last]) => Ok(Action::Truncate { first, last }),
        ("generalise", []) => Ok(Action::Generalise),
        ("drop", []) => Ok(Action::Drop),
        (name, []) => keys.action(name).ok_or_else(|| unknown("action", name)),
        _ => Err(unknown("action", name)),
    }
}

fn capture_settings(dict: &Bound<'_, PyDict>) -> PyResult<CaptureSettings> {
    Ok(CaptureSettings {
        max_attributes: required(dict, "max_attributes")?,
        max_depth: required::<usize>(dict, "max_depth")?.min(MAX_DEPTH),
        location_severity: required(dict, "location_severity")?,
        source_level_names: required(dict, "source_level_names")?,
        threads: required(dict, "threads")?,
        uids: required(dict, "uids")?,
        rules: Rules::new(
            Levels {
                default: required(dict, "level")?,
                by_name: required(dict, "levels")?,
                chosen: required(dict, "level_chosen")?,
            },
            rules(required(dict, "rules")?),
        ),
    })
}

/// Rules as Python gives them: pattern, enabled, minimum severity, trace based.
pub fn rules(rows: Vec<(String, bool, Option<u8>, bool)>) -> Vec<Rule> {
    let rule = |(pattern, enabled, minimum_severity, trace_based)| Rule {
        pattern,
        enabled,
        minimum_severity,
        trace_based,
    };
    rows.into_iter().map(rule).collect()
}

fn console_settings(dict: &Bound<'_, PyDict>) -> PyResult<Console> {
    let name: String = required(dict, "style")?;
    let style = Style::from_name(&name).ok_or_else(|| unknown("console style", &name))?;
    let settings = ConsoleSettings { style, colour: required(dict, "colour")?, show_scope: true };
    Ok(Console { settings, write: required(dict, "write")?, stricter: stricter(dict, "redaction")? })
}

pub fn millis(value: u64) -> Duration {
    Duration::from_millis(value)
}

fn unlimited(value: Option<u64>) -> u64 {
    value.unwrap_or(u64::MAX)
}

pub fn unknown(what: &str, value: &str) -> PyErr {
    PyValueError::new_err(format!("{what}: unknown value {value:?}"))
}
