//! The door to Python: the only folder that knows an interpreter. In the stub's order (`fapilog/_native.pyi`).

mod active;
mod api_emit;
mod arguments;
mod attributes_of;
mod backpressure;
mod batch;
mod bound;
mod counts;
mod decoded;
mod delivery;
mod emission;
mod encoded;
mod ending;
mod enrich;
mod finish;
mod flight;
mod foreign;
mod gil;
mod given;
mod handle;
mod helpers;
mod http_client;
mod keys;
mod level;
mod level_methods;
mod lifecycle;
mod location;
mod logger;
mod muted;
mod named;
mod nested;
mod outputs;
mod passage;
mod pipeline;
mod process_settings;
mod processing;
mod readable;
mod reborn;
mod record_parts;
mod resolved;
mod settings;
mod snapshot;
mod split;
mod stdlib;
mod stdlib_capture;
mod stdlib_hook;
mod stdlib_levels;
mod stdlib_once;
mod surroundings;
mod text;
mod trace;
mod values;

use pyo3::prelude::*;

/// `fapilog._native`. `gil_used`: see `gil`.
#[pymodule(gil_used = true)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    helpers::init(py)?;
    module.add_class::<logger::Logger>()?;
    module.add_class::<pipeline::Pipeline>()?;
    module.add_class::<batch::Batch>()?;
    module.add_class::<readable::RecordBuilder>()?;
    module.add_class::<snapshot::Snapshot>()?;
    module.add_class::<handle::PipelineHandle>()?;
    module.add_class::<bound::BoundAttributes>()?;
    module.add_class::<helpers::Completed>()?;
    module.add_class::<backpressure::PendingRecord>()?;
    module.add_class::<backpressure::RoomBell>()?;
    module.add_function(wrap_pyfunction!(trace::connect_context, module)?)?;
    module.add_function(wrap_pyfunction!(trace::watch_bound_context, module)?)?;
    module.add_function(wrap_pyfunction!(trace::forget_contexts, module)?)?;
    module.add_function(wrap_pyfunction!(values::connect_values, module)?)?;
    module.add_function(wrap_pyfunction!(surroundings::encode_resource, module)?)?;
    module.add_function(wrap_pyfunction!(helpers::connect_capture, module)?)?;
    module.add_function(wrap_pyfunction!(ending::begin_exit, module)?)?;
    module.add_function(wrap_pyfunction!(muted::mute_thread, module)?)?;
    module.add_function(wrap_pyfunction!(lifecycle::give_up_at_exit, module)?)?;
    module.add_function(wrap_pyfunction!(decoded::decode_record, module)?)?;
    module.add_function(wrap_pyfunction!(decoded::decode_request, module)?)?;
    module.add_function(wrap_pyfunction!(encoded::encode_request, module)?)?;
    module.add_function(wrap_pyfunction!(split::split_request, module)?)?;
    module.add_class::<stdlib::RecordHandler>()?;
    module.add_function(wrap_pyfunction!(stdlib_hook::hook_handlers, module)?)?;
    module.add_function(wrap_pyfunction!(stdlib_hook::call_handlers, module)?)?;
    module.add_function(wrap_pyfunction!(stdlib::watch_delivering, module)?)?;
    module.add_function(wrap_pyfunction!(stdlib_levels::watch_levels, module)?)?;
    module.add_function(wrap_pyfunction!(stdlib_levels::levels_differ, module)?)?;
    module.add_function(wrap_pyfunction!(stdlib_hook::is_offered, module)?)?;
    module.add_function(wrap_pyfunction!(stdlib_once::goes_on_to_logging, module)?)?;
    module.add_function(wrap_pyfunction!(stdlib_once::record_on_its_way, module)?)?;
    stdlib::install(py)?;
    http_client::init(module)?;
    level_methods::install(py)
}
