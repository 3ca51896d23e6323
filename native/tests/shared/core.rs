//! Frames, chunks and settings that the tests of stages 2 to 5 share.
#![allow(dead_code)] // Each test binary uses a part.

use fapilog_native::backlog::Backlog;
use fapilog_native::buffer::waiting::Turn;
use fapilog_native::buffer::{Appended, Buffer};
use fapilog_native::record::fields::SeverityField;
use fapilog_native::record::{Meta, RecordWriter};
use fapilog_native::redact::{redact, FrameSettings, Policy};
use fapilog_native::settings::{BufferSettings, Overflow};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the default policy's words are written.
const POLICY_SOURCE: &str = include_str!("../../../fapilog/redaction/policy.py");

/// The words of one tuple in the default policy.
fn words(name: &str) -> Vec<String> {
    let start = POLICY_SOURCE.find(&format!("{name} = (")).unwrap();
    let tuple = POLICY_SOURCE[start..].split(')').next().unwrap();
    tuple.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The policy that applies without configuration, and `exact` further names.
pub fn default_policy(exact: &[&str]) -> Policy {
    let exact: Vec<String> =
        words("_WHOLE").into_iter().chain(exact.iter().map(|name| (*name).to_owned())).collect();
    Policy::new(&words("_ANYWHERE"), &words("_LAST"), &exact).with_kept(&words("_KEPT"))
}

/// One record to log: `id` and `size` make its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub id: u64,
    pub severity: u8,
    pub protected: bool,
    pub size: usize,
    pub scope: u32,
}

impl Entry {
    pub const fn info(id: u64) -> Self {
        Self { id, severity: 9, protected: false, size: 0, scope: 0 }
    }

    pub const fn error(id: u64) -> Self {
        Self { severity: 17, protected: true, ..Self::info(id) }
    }

    pub const fn sized(self, size: usize) -> Self {
        Self { size, ..self }
    }

    pub const fn audit(id: u64) -> Self {
        Self { severity: 10, protected: true, ..Self::info(id) }
    }

    /// Writes the record; its body is the id, padded to `size` characters.
    pub fn write(self, writer: &mut RecordWriter) -> Meta {
        writer.begin(1, 1, &SeverityField::new(self.severity, ""), None);
        writer.body_str(format!("{:0size$}", self.id, size = self.size).as_bytes());
        Meta { severity: self.severity, protected: self.protected }
    }
}

/// The id that [`Entry::write`] put into the body.
pub fn id_of(record: &LogRecord) -> u64 {
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Value::StringValue(text)) => text.parse().unwrap(),
        other => panic!("not a body of Entry: {other:?}"),
    }
}

/// The number that stage 4 gave a record: its last attribute.
pub fn sequence_of(record: &LogRecord) -> i64 {
    let attribute = record.attributes.last().unwrap();
    assert_eq!(attribute.key, "fapilog.sequence");
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::IntValue(number)) => *number,
        other => panic!("not a number: {other:?}"),
    }
}

pub const RECORD_BYTES: usize = 512;

/// 16 chunks of 1 KiB.
pub fn buffer_settings(overflow: Overflow) -> BufferSettings {
    BufferSettings {
        limit_bytes: 16 * 1024,
        chunk_bytes: 1024,
        limit_records: u64::MAX,
        block_records: u64::MAX,
        overflow,
        reserve_bytes: 2 * 1024,
        wait_timeout: Duration::from_secs(5),
        record_bytes: RECORD_BYTES,
        schedule_delay: Duration::from_millis(5),
    }
}

/// A buffer with its backlog, and scratch memory to log with.
pub struct Store {
    pub buffer: Buffer,
    pub backlog: Arc<Backlog>,
    writer: RecordWriter,
    record_bytes: usize,
}

impl Store {
    pub fn new(settings: BufferSettings, exporters: &[&str]) -> Self {
        let backlog = Arc::new(Backlog::new(exporters, false, Arc::default()));
        let record_bytes = settings.record_bytes;
        let buffer = Buffer::new(settings, Arc::clone(&backlog), true);
        Self { buffer, backlog, writer: RecordWriter::new(), record_bytes }
    }

    pub fn append(&mut self, entry: Entry) -> Appended {
        let meta = entry.write(&mut self.writer);
        let settings = FrameSettings { record_bytes: self.record_bytes, sequenced: true };
        self.buffer.append(&mut redact(&mut self.writer, meta, &Policy::default(), settings), entry.scope)
    }

    /// As [`Self::append`], and waits as a call does; the record's place in the queue if it has to.
    pub fn append_or_park(&mut self, entry: Entry, deadline: Instant) -> Result<Appended, Arc<Turn>> {
        let meta = entry.write(&mut self.writer);
        let settings = FrameSettings { record_bytes: self.record_bytes, sequenced: true };
        let mut record = redact(&mut self.writer, meta, &Policy::default(), settings);
        match self.buffer.append(&mut record, entry.scope) {
            Appended::Full => Err(self.buffer.park(&record, entry.scope, deadline)),
            decided => Ok(decided),
        }
    }
}
