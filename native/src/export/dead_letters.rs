//! Stage 7 of 7, settle: requests that a receiver refused for good, kept in a file. Threads: senders, Python's delivery loop.
//!
//! Each line is OTLP/JSON that can be sent again as it stands, with one member that receivers have to ignore:
//! `fapilog` says who refused it, when and why. The file is bounded and turns over, as that of the exporter `file` does.
//! What cannot be kept is counted and said once, and is nobody else's trouble.

use crate::block::Block;
use crate::encode::{encode_lines, Form, MAX_LINE_BYTES};
use crate::export::file::{FileSettings, FileTransport};
use crate::export::http::TransportError;
use crate::export::unpack::unpack;
use serde_json::json;
use std::io::Result;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Who refused a request, and why.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// Name of the exporter.
    pub exporter: &'a str,
    /// Status of the answer; 0: there is none.
    pub status: u16,
    /// The kind of failure, as in metrics.
    pub error: &'a str,
    /// What the receiver says; no secrets.
    pub cause: &'a str,
    /// Records of the request that it refused; which ones is not known when it has more.
    pub rejected: u64,
    /// Nanoseconds since the epoch.
    pub time_unix_nanos: u64,
}

/// The file.
pub struct DeadLetters {
    file: FileTransport,
    kept: AtomicU64,
    lost: AtomicU64,
    failing: AtomicBool,
}

impl DeadLetters {
    /// Opens the file. Fails when the path cannot be one.
    pub fn new(settings: &FileSettings) -> std::result::Result<Self, TransportError> {
        let (kept, lost) = (AtomicU64::new(0), AtomicU64::new(0));
        let file = FileTransport::new(settings.clone())?;
        Ok(Self { file, kept, lost, failing: AtomicBool::new(false) })
    }

    /// Keeps a request. Returns what to say, at the beginning of a run of failures.
    pub fn keep(&self, request: &Block, refused: &Refused<'_>) -> Option<String> {
        match self.write(request, refused) {
            Ok(()) => {
                self.kept.fetch_add(refused.rejected, Ordering::Relaxed);
                self.failing.store(false, Ordering::Relaxed);
                None
            }
            Err(error) => {
                self.lost.fetch_add(refused.rejected, Ordering::Relaxed);
                let is_first = !self.failing.swap(true, Ordering::Relaxed);
                is_first.then(|| format!("refused records cannot be kept: {error}"))
            }
        }
    }

    /// Refused records in the file, and those that could not be written to it.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.kept.load(Ordering::Relaxed), self.lost.load(Ordering::Relaxed))
    }

    fn write(&self, request: &Block, refused: &Refused<'_>) -> Result<()> {
        let about = about(request.records, refused);
        let mut plain = String::new();
        encode_lines(&unpack(request)?, Form::OtlpJson, MAX_LINE_BYTES - about.len(), &mut plain);
        let mut text = String::with_capacity(plain.len() + about.len());
        for document in plain.lines().filter_map(|line| line.strip_suffix('}')) {
            text.push_str(document);
            text.push_str(&about);
        }
        self.file.append(&text)
    }
}

/// The end of a line.
fn about(records: u64, refused: &Refused<'_>) -> String {
    let Refused { exporter, status, error, cause, rejected, time_unix_nanos } = refused;
    let about = json!({
        "exporter": exporter,
        "timeUnixNano": time_unix_nanos.to_string(),
        "status": status,
        "errorType": error,
        "reason": cause,
        "rejected": rejected,
        "records": records,
    });
    format!(",\"fapilog\":{about}}}\n")
}
