//! Stage 1 of 7, emit: the level methods as CPython calls them. Thread: caller.
//!
//! They are raw fastcall methods, put on the class by hand: a `**kwargs` method of PyO3 costs 281 ns before it does
//! anything, one of these 19.

use super::api_emit;
use super::helpers;
use super::level::Level;
use super::logger::Logger;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyType;
use pyo3::Borrowed;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;

/// What each level method passes on.
const LEVELS: [Level; 9] = [
    Level::new(1, "TRACE", false),
    Level::new(5, "DEBUG", false),
    Level::new(9, "INFO", false),
    Level::new(13, "WARN", false),
    Level::new(17, "ERROR", true),
    Level::new(21, "FATAL", true),
    Level::new(17, "ERROR", true),
    Level::new(10, "INFO2", true),
    Level::new(14, "WARN2", true),
];
/// Indexes in [`LEVELS`].
const INFO: usize = 2;
const EXCEPTION: usize = 6;

/// The arguments of a fastcall; a call without any may pass a null pointer.
///
/// # Safety
/// As the fastcall convention gives them.
#[inline]
pub unsafe fn slice_of<'a>(
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> &'a [*mut ffi::PyObject] {
    if arguments.is_null() {
        return &[];
    }
    // SAFETY: positional arguments, then one value for each name.
    unsafe {
        let keywords = if names.is_null() { 0 } else { ffi::PyTuple_Size(names) };
        std::slice::from_raw_parts(arguments, (count + keywords) as usize)
    }
}

/// The arguments of a call of a level method, borrowed from it.
#[derive(Clone, Copy)]
pub struct Arguments<'a> {
    /// The message and what is formatted into it.
    pub positional: &'a [*mut ffi::PyObject],
    /// Keywords: their values.
    pub values: &'a [*mut ffi::PyObject],
    /// Their names, a tuple; null without keywords.
    pub names: *mut ffi::PyObject,
}

impl Arguments<'_> {
    /// # Safety
    /// As [`slice_of`].
    #[inline]
    unsafe fn of(
        arguments: *const *mut ffi::PyObject,
        count: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
    ) -> Self {
        if arguments.is_null() {
            return Self { positional: &[], values: &[], names: ptr::null_mut() };
        }
        // SAFETY: positional arguments, then one value for each name.
        unsafe {
            let keywords = if names.is_null() { 0 } else { ffi::PyTuple_Size(names) };
            let positional = std::slice::from_raw_parts(arguments, count as usize);
            let values = std::slice::from_raw_parts(arguments.add(count as usize), keywords as usize);
            Self { positional, values, names }
        }
    }
}

/// A level method: `info(message, *args, **attributes)`. A call below the level ends here.
unsafe extern "C" fn level_method<const INDEX: usize>(
    slf: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter on an instance of Logger (the method descriptor checked its type), attached.
    // Whoever calls a method holds its object. Nothing here panics.
    unsafe {
        let logger = Borrowed::from_ptr(Python::assume_attached(), slf);
        if logger.cast_unchecked::<Logger>().get().filters(LEVELS[INDEX].severity) {
            return helpers::done();
        }
        log(slf, &LEVELS[INDEX], INDEX == EXCEPTION, (arguments, count, names))
    }
}

/// What a level method does with a call that its level does not filter.
///
/// # Safety
/// As `level_method`.
#[inline(never)]
unsafe fn log(
    slf: *mut ffi::PyObject,
    level: &Level,
    with_exception: bool,
    (arguments, count, names): (*const *mut ffi::PyObject, ffi::Py_ssize_t, *mut ffi::PyObject),
) -> *mut ffi::PyObject {
    // SAFETY: as the caller's.
    let run = || unsafe {
        let py = Python::assume_attached();
        let logger = Borrowed::from_ptr(py, slf);
        let logger = logger.cast_unchecked::<Logger>();
        logger.get().log(py, level, with_exception, Arguments::of(arguments, count, names))
    };
    let answer = catch_unwind(AssertUnwindSafe(run));
    // A panic is a defect of ours; it must not cross into the application.
    answer.unwrap_or_else(|_| helpers::done())
}

/// `log(severity, message, *args, **attributes)`: any of the 24 severities, or a name.
unsafe extern "C" fn log_method(
    slf: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as in `level_method`; a first positional argument is left out of what goes on.
    let run = || unsafe {
        if count == 0 || arguments.is_null() {
            return log(slf, &LEVELS[INFO], false, (arguments, count, names));
        }
        let level = helpers::level_of(&Bound::from_borrowed_ptr(Python::assume_attached(), *arguments));
        log(slf, &level, false, (arguments.add(1), count - 1, names))
    };
    let answer = catch_unwind(AssertUnwindSafe(run));
    answer.unwrap_or_else(|_| helpers::done())
}

/// `emit(record=None, *, timestamp=None, ...)` of OpenTelemetry's `Logger`.
unsafe extern "C" fn emit_method(
    slf: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as in `level_method`.
    let run = || unsafe {
        let py = Python::assume_attached();
        let logger = Bound::from_borrowed_ptr(py, slf);
        let logger = logger.cast_unchecked::<Logger>().get();
        api_emit::emit(logger, py, slice_of(arguments, count, names), names)
    };
    let answer = catch_unwind(AssertUnwindSafe(run));
    answer.unwrap_or_else(|_| api_emit::none())
}

macro_rules! method {
    ($name:literal, $function:expr, $signature:literal) => {
        ffi::PyMethodDef {
            ml_name: concat!($name, "\0").as_ptr().cast(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: $function },
            ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
            // The first line is the text signature that `inspect` and stubtest read.
            ml_doc: concat!($name, "($self, ", $signature, ")\n--\n\n\0").as_ptr().cast(),
        }
    };
}

/// Puts the fastcall methods on the class.
pub fn install(py: Python<'_>) -> PyResult<()> {
    api_emit::init(py)?;
    let methods = [
        method!("trace", level_method::<0>, "message='', /, *args, **attributes"),
        method!("debug", level_method::<1>, "message='', /, *args, **attributes"),
        method!("info", level_method::<2>, "message='', /, *args, **attributes"),
        method!("warning", level_method::<3>, "message='', /, *args, **attributes"),
        method!("error", level_method::<4>, "message='', /, *args, **attributes"),
        method!("critical", level_method::<5>, "message='', /, *args, **attributes"),
        method!("exception", level_method::<6>, "message='', /, *args, **attributes"),
        method!("audit", level_method::<7>, "message='', /, *args, **attributes"),
        method!("security", level_method::<8>, "message='', /, *args, **attributes"),
        method!("emit_api", emit_method, "record=None, *, timestamp=None, observed_timestamp=None, context=None, \
             severity_number=None, severity_text=None, body=None, attributes=None, event_name=None, exception=None"),
        method!("log", log_method, "severity, message='', /, *args, **attributes"),
    ];
    install_methods(&py.get_type::<Logger>(), methods.into())
}

/// Puts raw methods on a class.
pub fn install_methods(class: &Bound<'_, PyType>, methods: Vec<ffi::PyMethodDef>) -> PyResult<()> {
    for definition in methods {
        // SAFETY: a name is a literal that ends with a zero.
        let name = unsafe { std::ffi::CStr::from_ptr(definition.ml_name) };
        class.setattr(name.to_string_lossy().as_ref(), new_method(class, definition)?)?;
    }
    Ok(())
}

/// A raw method for a class, as a descriptor.
pub fn new_method(class: &Bound<'_, PyType>, definition: ffi::PyMethodDef) -> PyResult<Py<PyAny>> {
    // Descriptors point at their definitions for the life of the process.
    let definition = ptr::from_mut(Box::leak(Box::new(definition)));
    // SAFETY: attached, as the bound class proves; a new reference or null with an error set.
    unsafe {
        let descriptor = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition);
        Bound::from_owned_ptr_or_err(class.py(), descriptor).map(Bound::unbind)
    }
}
