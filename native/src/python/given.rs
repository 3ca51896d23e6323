//! Stage 1 of 7, emit: a record of another library, given field by field. Thread: caller.

use super::active::{Active, Call};
use super::emission::{is_security, Emission};
use super::ending::may_call_python;
use super::level::Level;
use super::location;
use super::logger::Logger;
use super::trace;
use crate::decode::severity_short_name;
use crate::record::fields::{SeverityField, TraceFields};
use crate::record::RecordWriter;
use pyo3::prelude::*;

/// A record from another API, field by field.
#[derive(Default)]
pub struct Foreign<'a, 'py> {
    pub time_unix_nano: Option<u64>,
    pub observed_time_unix_nano: Option<u64>,
    pub severity_number: u8,
    pub severity_text: String,
    /// The level's name in a library whose names are not those of the data model.
    pub level_name: Option<String>,
    pub body: Option<Bound<'py, PyAny>>,
    pub attributes: Option<Bound<'py, PyAny>>,
    pub event_name: Option<String>,
    pub context: Option<&'a Bound<'py, PyAny>>,
    pub exception: Option<&'a Bound<'py, PyAny>>,
    /// Gives file, function and line; called when the severity asks for them.
    pub location: Option<&'a Bound<'py, PyAny>>,
    /// Identifier and name, written when the settings ask for them.
    pub thread: Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
    pub protected: bool,
    /// The message before anything was formatted into it; `None`: the body.
    pub template: Option<&'a Bound<'py, PyAny>>,
}

impl<'py> Foreign<'_, 'py> {
    /// True when the attributes name the category that shedding spares.
    fn is_security(&self) -> bool {
        let category = self.attributes.as_ref().and_then(|all| all.get_item("fapilog.event.category").ok());
        category.is_some_and(|category| is_security(&category))
    }

    /// The fields of what `LogEvent.to_record()` returned.
    pub fn of_event(record: &Bound<'py, PyAny>) -> PyResult<Self> {
        Ok(Self {
            time_unix_nano: record.getattr("time_unix_nano")?.extract()?,
            severity_number: record.getattr("severity_number")?.extract()?,
            severity_text: record.getattr("severity_text")?.extract()?,
            body: Some(record.getattr("body")?),
            attributes: Some(record.getattr("attributes")?),
            event_name: record.getattr("event_name")?.extract()?,
            ..Self::default()
        })
    }

    /// The severity's text: its own; the level's name, as the settings want it.
    fn text(&self, active: &Active) -> &str {
        match &self.level_name {
            Some(name) if active.capture().source_level_names => name,
            Some(_) if self.severity_number > 0 => severity_short_name(i32::from(self.severity_number)),
            _ => &self.severity_text,
        }
    }
}

impl Logger {
    /// Stages 1 to 4 of a record from another API.
    pub fn emit_foreign(&self, py: Python<'_>, foreign: &Foreign<'_, '_>) -> PyResult<Py<PyAny>> {
        let severity = foreign.severity_number.min(24);
        // SAFETY: attached, as `py` proves, for every call below.
        unsafe {
            let _call = Call::begin();
            let protected = || foreign.protected || foreign.is_security();
            let span = || trace::of_context(py, foreign.context);
            let Some((active, scope)) = self.admit(py, severity, protected, span) else {
                return Self::completed(py);
            };
            let observed =
                foreign.observed_time_unix_nano.unwrap_or_else(|| active.pipeline.clock().now_nanos());
            let level = (severity, foreign.text(active), foreign.protected || severity >= 17);
            let times = (foreign.time_unix_nano.unwrap_or(0), observed);
            let span = trace::of_context(py, foreign.context);
            let mut emission = begin(py, active, level, times, span.as_ref());
            let template = foreign.template.or(foreign.body.as_ref()).map(Bound::as_ptr);
            if !emission.passes(scope, template, protected) {
                return Self::completed(py);
            }
            if let Some(body) = &foreign.body {
                emission.body(body.as_ptr());
            }
            if let Some(attributes) = &foreign.attributes {
                emission.mapping(attributes);
            }
            if let Some(exception) = foreign.exception {
                emission.exception(exception);
            }
            emission.event_name(foreign.event_name.as_deref().unwrap_or_default());
            if let Some((identifier, name)) = foreign.thread.as_ref().filter(|_| active.capture().threads) {
                emission.named("thread.id", identifier);
                emission.named("thread.name", name);
            }
            self.bound_attributes(&mut emission);
            emission.bound_context();
            if let Some(ask) = foreign.location.filter(|_| emission.wants_location() && may_call_python()) {
                match ask.call0().and_then(|place| place.extract::<Option<(String, String, i64)>>()) {
                    Ok(Some((path, function, line))) if function.is_empty() => {
                        let write =
                            |writer: &mut RecordWriter| location::write_given(writer, &path, "", line);
                        emission.place_partly(write);
                    }
                    Ok(Some((path, function, line))) => {
                        emission.place(|writer| location::write_given(writer, &path, &function, line));
                    }
                    Ok(None) => {}
                    Err(error) => emission.remember(error),
                }
            }
            let done = emission.finish(scope, foreign.context);
            Bound::from_owned_ptr_or_err(py, done).map(Bound::unbind)
        }
    }
}

/// Starts a record whose severity has a text of any length: (number, text, spared by shedding).
///
/// # Safety
/// Attached.
pub unsafe fn begin<'a, 'py>(
    py: Python<'py>,
    active: &'a Active,
    (number, text, protected): (u8, &str, bool),
    times: (u64, u64),
    span: Option<&TraceFields>,
) -> Emission<'a, 'py> {
    let long = text.len() > SeverityField::TEXT_BYTES;
    let level = Level::new(number, if long { "" } else { text }, protected);
    // SAFETY: as the caller's.
    let mut emission = unsafe { Emission::begin_at(py, active, &level, times, span) };
    if long {
        emission.writer.severity_text(text.as_bytes());
    }
    emission
}
