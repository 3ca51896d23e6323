//! Tags of `opentelemetry.proto.logs.v1.LogRecord`, with their wire types. Imports nothing of ours.

/// `fixed64 time_unix_nano = 1`
pub const TIME: u8 = 0x09;
/// `SeverityNumber severity_number = 2`
pub const SEVERITY_NUMBER: u8 = 0x10;
/// `string severity_text = 3`
pub const SEVERITY_TEXT: u8 = 0x1a;
/// `AnyValue body = 5`
pub const BODY: u8 = 0x2a;
/// `repeated KeyValue attributes = 6`
pub const ATTRIBUTE: u8 = 0x32;
/// `uint32 dropped_attributes_count = 7`
pub const DROPPED_ATTRIBUTES: u8 = 0x38;
/// `fixed32 flags = 8`
pub const FLAGS: u8 = 0x45;
/// `bytes trace_id = 9`
pub const TRACE_ID: u8 = 0x4a;
/// `bytes span_id = 10`
pub const SPAN_ID: u8 = 0x52;
/// `fixed64 observed_time_unix_nano = 11`
pub const OBSERVED_TIME: u8 = 0x59;
/// `string event_name = 12`
pub const EVENT_NAME: u8 = 0x62;

/// `AnyValue.string_value = 1`
pub const STRING: u8 = 0x0a;
/// `AnyValue.bool_value = 2`
pub const BOOL: u8 = 0x10;
/// `AnyValue.int_value = 3`
pub const INT: u8 = 0x18;
/// `AnyValue.double_value = 4`
pub const DOUBLE: u8 = 0x21;
/// `AnyValue.array_value = 5`
pub const ARRAY: u8 = 0x2a;
/// `AnyValue.kvlist_value = 6`
pub const KVLIST: u8 = 0x32;
/// `AnyValue.bytes_value = 7`
pub const BYTES: u8 = 0x3a;

/// `KeyValue.key = 1`, and `ArrayValue.values`, `KeyValueList.values`
pub const KEY: u8 = 0x0a;
/// `KeyValue.value = 2`
pub const VALUE: u8 = 0x12;
/// `ScopeLogs.log_records = 2`: what a frame starts with
pub const FRAME: u8 = 0x12;
