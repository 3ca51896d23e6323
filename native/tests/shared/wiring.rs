//! A whole pipeline in front of a loopback server that the test scripts.
//!
//! Drop the pipeline, and what logs to it, before the server is closed: a connection in its pool keeps the server.
#![allow(dead_code)] // Each test binary uses a part.

use crate::core::{buffer_settings, default_policy, id_of, sequence_of, Entry, RECORD_BYTES};
use crate::sending::otlp_settings;
use crate::serving::{reply, Server};
use fapilog_native::backlog::roles::Role;
use fapilog_native::block::Codec;
use fapilog_native::buffer::waiting::Fate;
use fapilog_native::buffer::Appended;
use fapilog_native::export::http::TransportError;
use fapilog_native::ledger::losses::EVENT_NAME;
use fapilog_native::ledger::{ExporterCounts, Snapshot};
use fapilog_native::pipeline::Pipeline;
use fapilog_native::process::ProcessSettings;
use fapilog_native::record::RecordWriter;
use fapilog_native::seal::compress::decompress;
use fapilog_native::settings::{
    BufferSettings, ExporterKind, ExporterSettings, OtlpSettings, Overflow, RetrySettings, Settings,
    SpoolingSettings,
};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longer than anything here takes: a test that meets it has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What the server took: sequence number and id of each record, in order of arrival.
pub type Taken = Arc<Mutex<Vec<(u64, u64)>>>;

/// Stands as the id of the record that says what was lost: the pipeline's own, written by no test.
pub const REPORT: u64 = u64::MAX;

/// Records of a gzip request.
pub fn records_of(body: &[u8]) -> Vec<(u64, u64)> {
    let raw = decompress(Codec::Gzip, body, 1 << 26).unwrap();
    let request = ExportLogsServiceRequest::decode(raw.as_slice()).unwrap();
    let scopes = request.resource_logs.into_iter().flat_map(|logs| logs.scope_logs);
    let records = scopes.flat_map(|scope| scope.log_records);
    records
        .map(|record| {
            let id = if record.event_name == EVENT_NAME { REPORT } else { id_of(&record) };
            (u64::try_from(sequence_of(&record)).unwrap(), id)
        })
        .collect()
}

/// A server that answers each request with what `answer` says about its records: a status, 200 takes them.
pub fn server(answer: impl Fn(&[(u64, u64)]) -> u16 + Send + Sync + 'static) -> (Server, Taken) {
    let taken = Taken::default();
    let sink = Arc::clone(&taken);
    let server = Server::plain(move |mut connection| {
        let mut requests = Vec::new();
        while let Some(request) = connection.request() {
            let records = records_of(&request.body);
            let status = answer(&records);
            if status == 200 {
                sink.lock().unwrap().extend(records);
            }
            connection.write(&reply(status, "application/x-protobuf"));
            requests.push(request);
        }
        requests
    });
    (server, taken)
}

/// A server that reads requests and never answers.
pub fn silent_server() -> Server {
    Server::plain(|mut connection| {
        connection.wait_for_close();
        Vec::new()
    })
}

/// Exporter settings whose retries do not slow a test down.
pub fn impatient(endpoint: &str) -> OtlpSettings {
    let retry = RetrySettings {
        initial_backoff: Duration::from_millis(1),
        max_backoff: Duration::from_millis(5),
        max_retry_after: Duration::from_millis(5),
        max_elapsed: None,
    };
    OtlpSettings { timeout: Some(Duration::from_secs(2)), retry, ..otlp_settings(endpoint) }
}

pub fn pipeline_with(buffer: BufferSettings, otlp: Option<OtlpSettings>) -> Arc<Pipeline> {
    let exporters = otlp.into_iter().map(|otlp| exporter("otlp", ExporterKind::OtlpHttp(Box::new(otlp))));
    pipeline_of(buffer, exporters.collect(), false)
}

pub fn exporter(name: &str, kind: ExporterKind) -> ExporterSettings {
    ExporterSettings { name: name.to_owned(), kind, role: Role::Required, fallback: None, stricter: None }
}

pub fn pipeline_of(
    buffer: BufferSettings,
    exporters: Vec<ExporterSettings>,
    batch_processors: bool,
) -> Arc<Pipeline> {
    Pipeline::new(Arc::new(Settings { batch_processors, ..settings_of(buffer, exporters) })).unwrap()
}

fn settings_of(buffer: BufferSettings, exporters: Vec<ExporterSettings>) -> Settings {
    Settings {
        buffer,
        exporters,
        batch_processors: false,
        policy: default_policy(&[]),
        sequenced: true,
        resource: Vec::new(),
        process: ProcessSettings::default(),
        spool: None,
        ring: None,
        fields: Vec::new(),
        counts_keys: false,
        dead_letters: None,
        recorder: None,
    }
}

pub fn try_pipeline(
    buffer: BufferSettings,
    exporters: Vec<ExporterSettings>,
    spool: Option<SpoolingSettings>,
) -> Result<Arc<Pipeline>, TransportError> {
    Pipeline::new(Arc::new(Settings { spool, ..settings_of(buffer, exporters) }))
}

/// A pipeline whose blocks may wait on disk.
pub fn spooling_pipeline(
    buffer: BufferSettings,
    exporters: Vec<ExporterSettings>,
    spool: SpoolingSettings,
) -> Arc<Pipeline> {
    try_pipeline(buffer, exporters, Some(spool)).unwrap()
}

/// A small pipeline that sends to `server`.
pub fn pipeline_to(server: &Server, overflow: Overflow) -> Arc<Pipeline> {
    pipeline_with(buffer_settings(overflow), Some(impatient(&server.url("/v1/logs"))))
}

/// One thread that logs.
pub struct Producer {
    pipeline: Arc<Pipeline>,
    writer: RecordWriter,
    /// Sequence number and id of every record that was stored.
    pub stored: Vec<(u64, u64)>,
}

impl Producer {
    pub fn new(pipeline: &Arc<Pipeline>) -> Self {
        Self { pipeline: Arc::clone(pipeline), writer: RecordWriter::new(), stored: Vec::new() }
    }

    /// One attempt, as the logger makes it.
    pub fn log(&mut self, entry: Entry) -> Appended {
        self.attempt(entry, None)
    }

    fn attempt(&mut self, entry: Entry, wait: Option<Duration>) -> Appended {
        assert!(entry.size < RECORD_BYTES - 128, "it would be truncated");
        let meta = entry.write(&mut self.writer);
        let mut record = self.pipeline.redact(&mut self.writer, meta);
        let mut appended = self.pipeline.append(&mut record, entry.scope);
        self.pipeline.start();
        if let (Appended::Full, Some(timeout)) = (appended, wait) {
            let buffer = self.pipeline.buffer();
            let turn = buffer.park(&record, entry.scope, Instant::now() + timeout);
            let fate = match buffer.wait_for(&turn, timeout) {
                Fate::Waiting => buffer.expire(&turn),
                fate => fate,
            };
            appended = match fate {
                Fate::Stored(sequence) => Appended::Stored(sequence),
                Fate::Waiting | Fate::Lost => Appended::Dropped,
            };
        }
        if let Appended::Stored(sequence) = appended {
            self.stored.push((sequence, entry.id));
        }
        appended
    }

    /// Waits for room, at most `timeout`, and gives up as the logger does.
    pub fn log_waiting(&mut self, entry: Entry, timeout: Duration) -> Appended {
        self.attempt(entry, Some(timeout))
    }
}

/// Both equations of the ledger; returns the one exporter's side.
pub fn check_ledger(snapshot: &Snapshot) -> ExporterCounts {
    let refused: u64 = snapshot.refused.iter().sum();
    assert_eq!(snapshot.offered, snapshot.filtered + refused + snapshot.accepted);
    let [exporter] = snapshot.exporters.as_slice() else { panic!("one exporter: {snapshot:?}") };
    let decided = exporter.delivered + exporter.rejected + exporter.dropped.total();
    assert_eq!(snapshot.accepted + snapshot.adopted, decided + exporter.pending, "{snapshot:?}");
    assert_eq!(exporter.accepted, snapshot.accepted);
    exporter.clone()
}
