//! The frozen value received from Python, field for field (`fapilog/pipeline.py` builds it).

use crate::backlog::roles::Role;
use crate::block::Codec;
use crate::buffer::SCOPE_MARK_BYTES;
use crate::encode::Form;
use crate::export::file::FileSettings;
use crate::export::stream::Output;
use crate::flight::FlightSettings;
use crate::process::ProcessSettings;
use crate::redact::scope_secrets::resource_without_secrets;
use crate::redact::stricter::Stricter;
use crate::redact::Policy;
use crate::seal::fields::FieldRule;
use crate::spool::crypt::Keys;
use crate::spool::SpoolSettings;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything one pipeline is made from; frozen.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Stage 4 and 5.
    pub buffer: BufferSettings,
    /// Stage 6, in order; empty: records are only counted.
    pub exporters: Vec<ExporterSettings>,
    /// Whether sealed blocks wait for batch processors.
    pub batch_processors: bool,
    /// Stage 3.
    pub policy: Policy,
    /// Whether records carry `fapilog.sequence`.
    pub sequenced: bool,
    /// `ResourceLogs` fields other than the scopes, encoded by Python's resource.
    pub resource: Vec<u8>,
    /// Stage 1: the built-in processors.
    pub process: ProcessSettings,
    /// Stage 4: what is kept of records below the level; `None`: nothing.
    pub recorder: Option<FlightSettings>,
    /// Stage 6: the spool; `None`: blocks are in memory only.
    pub spool: Option<SpoolingSettings>,
    /// Stage 4: the crash ring; `None`: durability `memory`. It needs a spool.
    pub ring: Option<RingSettings>,
    /// Stage 5: fields that compliance profiles ask for; empty: records are not looked at.
    pub fields: Vec<FieldRule>,
    /// Stage 5: whether names of attributes are counted.
    pub counts_keys: bool,
    /// Stage 7: the file for refused requests; `None`: they are only counted.
    pub dead_letters: Option<FileSettings>,
}

impl Settings {
    /// The resource as it may be stored.
    #[must_use]
    pub fn safe_resource(&self) -> Vec<u8> {
        resource_without_secrets(&self.resource, &self.policy)
    }
}

/// Stage 4: what outlives a process that is killed.
#[derive(Debug, Clone)]
pub struct RingSettings {
    /// Where its file goes; `None`: memory for files if it has room, else the spool's directory.
    pub directory: Option<PathBuf>,
    /// Length of all slots together.
    pub limit_bytes: u64,
    /// How often it is forced to the disk; `None`: never, durability `process`.
    pub sync_interval: Option<Duration>,
}

/// Stage 6: blocks on disk.
#[derive(Debug, Clone)]
pub struct SpoolingSettings {
    /// The root, which processes share.
    pub directory: PathBuf,
    /// Processes of one service take over each other's blocks.
    pub service: String,
    /// How much, how long, how safely.
    pub store: SpoolSettings,
    /// How often blocks of processes that ended are looked for and taken over; `None`: never.
    pub adopt: Option<Duration>,
    /// What blocks are encrypted with, at first.
    pub keys: Arc<Keys>,
}

/// Stage 6: one exporter.
#[derive(Debug, Clone)]
pub struct ExporterSettings {
    /// Key in the ledger; unique within a pipeline.
    pub name: String,
    /// Who delivers, and how.
    pub kind: ExporterKind,
    /// What it is to the records.
    pub role: Role,
    /// Name of the exporter that gets what this one does not take, and how long it may take nothing before that.
    pub fallback: Option<(String, Duration)>,
    /// A stricter policy than [`Settings::policy`] for what goes to it; `None`: it gets what is stored.
    pub stricter: Option<Stricter>,
}

/// Stage 6: who delivers blocks.
#[derive(Debug, Clone)]
pub enum ExporterKind {
    /// Native threads, over OTLP/HTTP.
    OtlpHttp(Box<OtlpSettings>),
    /// One native thread, into a file.
    File(Box<FileSettings>),
    /// One native thread, to an output of the process.
    Stream(Form, Output),
    /// Python's delivery loop, which claims blocks.
    Python {
        /// How blocks wait for it; the loop reads any.
        codec: Codec,
    },
}

/// What happens to a record when the buffer is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest unsent records make room; blocks without protected records go first.
    DropOldest,
    /// The record being logged is dropped.
    DropNewest,
    /// The caller waits for room, up to a deadline; on an event loop the awaitable waits instead.
    Wait,
}

/// Stage 4: memory between callers and the sealer.
#[derive(Debug, Clone)]
pub struct BufferSettings {
    /// Upper bound of raw chunks plus sealed blocks held in memory, in bytes.
    pub limit_bytes: usize,
    /// Size of one append chunk, and so of one block before compression, in bytes.
    pub chunk_bytes: usize,
    /// Records held at most, raw and sealed; `u64::MAX` when only bytes bound the buffer.
    pub limit_records: u64,
    /// Records in one block at most; `u64::MAX` when only bytes bound a block.
    pub block_records: u64,
    /// What happens when the buffer is full.
    pub overflow: Overflow,
    /// Room on top of `limit_bytes` for audit and security records, in bytes; at least one chunk.
    pub reserve_bytes: usize,
    /// Longest time one record waits for room: under `Overflow::Wait`, audit and security records always.
    pub wait_timeout: Duration,
    /// One record's size at most, in bytes; a larger one is truncated and marked.
    pub record_bytes: usize,
    /// Longest time a record stays in an open chunk before it is sealed.
    pub schedule_delay: Duration,
}

impl BufferSettings {
    /// What a chunk holds: at most an eighth of the buffer, at least one record.
    #[must_use]
    pub fn real_chunk_bytes(&self) -> usize {
        (self.limit_bytes / 8)
            .clamp(self.smallest_chunk_bytes(), self.chunk_bytes.max(self.smallest_chunk_bytes()))
    }

    /// A chunk for one record, with its scope mark.
    #[must_use]
    pub fn smallest_chunk_bytes(&self) -> usize {
        self.record_bytes + SCOPE_MARK_BYTES + 64
    }
}

/// Stage 6: retries of one block, as OTLP 2.1 says: exponential backoff with full jitter.
#[derive(Debug, Clone)]
pub struct RetrySettings {
    /// Upper bound of the first pause.
    pub initial_backoff: Duration,
    /// Upper bound of every later pause.
    pub max_backoff: Duration,
    /// Longest `Retry-After` that is honoured.
    pub max_retry_after: Duration,
    /// Age at which a block that cannot be delivered is dropped; `None`: never, memory decides.
    pub max_elapsed: Option<Duration>,
}

/// Stage 6: how OTLP/HTTP writes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpProtocol {
    /// `http/protobuf`: blocks as they were sealed.
    Protobuf,
    /// `http/json`: each block is written anew.
    Json,
}

/// Stage 6: the native OTLP/HTTP exporter.
#[derive(Debug, Clone)]
pub struct OtlpSettings {
    /// How requests are written.
    pub protocol: HttpProtocol,
    /// Full URL that logs are posted to.
    pub endpoint: String,
    /// Request headers, in order.
    pub headers: Vec<(String, String)>,
    /// Time for one attempt, connect to last byte of the answer; `None`: no limit.
    pub timeout: Option<Duration>,
    /// Time for the TCP and TLS handshake of one attempt.
    pub connect_timeout: Duration,
    /// How request bodies are compressed.
    pub codec: Codec,
    /// Requests in flight at most; one native thread each.
    pub max_in_flight: usize,
    /// Whether requests follow the receiver: fewer at once, further apart, larger or smaller.
    pub adaptive: bool,
    /// Waiting blocks are put together up to this size before compression, in bytes.
    pub merge_bytes: usize,
    /// PEM file of trusted certificate authorities; `None`: the platform's.
    pub certificate: Option<PathBuf>,
    /// PEM file of the client's certificate chain.
    pub client_certificate: Option<PathBuf>,
    /// PEM file of the client's private key.
    pub client_key: Option<PathBuf>,
    /// `User-Agent` header.
    pub user_agent: String,
    /// Largest request before compression, in bytes; larger blocks are split (OTLP: 64 MiB).
    pub max_request_bytes: usize,
    /// Largest response body that is read, in bytes (OTLP: 4 MiB).
    pub max_response_bytes: usize,
    /// How failed attempts are repeated.
    pub retry: RetrySettings,
    /// Whether somebody sets the headers, before the first request and when the endpoint answers 401 or 403: then
    /// those answers are retried.
    pub refreshes_headers: bool,
}
