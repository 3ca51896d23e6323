//! Stage 6 of 7, export: the exporters of one pipeline, in order: one cursor of the backlog each. Threads: senders.
//!
//! A native exporter is a [`Transport`] with its limits, its pace and its threads. A Python one is a cursor only: the
//! delivery loop claims its blocks. A new kind is a variant here and a `Transport`; nothing else knows the kinds.

use crate::block::Codec;
use crate::decode::RecordView;
use crate::encode::Form;
use crate::export::dead_letters::DeadLetters;
use crate::export::destination::Destination;
use crate::export::diversions::Diversion;
use crate::export::file::{FileSettings, FileTransport};
use crate::export::flow::{Bounds, Flow};
use crate::export::http::{HttpTransport, Transport, TransportError};
use crate::export::pace::Pace;
use crate::export::sender::SenderSettings;
use crate::export::stream::{Output, StreamTransport};
use crate::ledger::meters::SendMeter;
use crate::ledger::notices::Target;
use crate::settings::{ExporterKind, ExporterSettings, HttpProtocol, OtlpSettings, RetrySettings, Settings};
use std::sync::Arc;
use std::time::Duration;

/// The name of the exporter that a configuration without names has; notices leave it out.
const DEFAULT_NAME: &str = "otlp";

/// One exporter.
pub struct Exporter {
    /// Key in the ledger.
    pub name: String,
    /// `None`: Python's delivery loop claims its blocks.
    pub native: Option<NativeExporter>,
    /// Where blocks go that it does not take; `None`: nowhere.
    pub diversion: Option<Diversion>,
    /// Where requests are kept that the receiver refuses; `None`: nowhere.
    pub dead_letters: Option<Arc<DeadLetters>>,
    /// Its own policy; `None`: it gets what is stored.
    pub destination: Option<Destination>,
}

/// The exporters of one pipeline, in order. Connects to nothing. Fails when a file or a URL is wrong.
pub fn build(settings: &Settings) -> Result<Vec<Exporter>, TransportError> {
    let dead_letters = settings.dead_letters.as_ref().map(DeadLetters::new).transpose()?.map(Arc::new);
    let made = settings.exporters.iter().map(Exporter::new);
    made.map(|made| Ok(Exporter { dead_letters: dead_letters.clone(), ..made? })).collect()
}

/// What the native threads of one exporter share.
pub struct NativeExporter {
    /// Sends a block.
    pub transport: Box<dyn Transport>,
    /// Limits and retries.
    pub settings: SenderSettings,
    /// When they may send.
    pub pace: Pace,
    /// Threads, and so requests in flight at most.
    pub threads: usize,
    /// How people hear of it.
    pub target: Target,
    /// What it cost.
    pub meter: SendMeter,
}

impl Exporter {
    /// Builds the exporter; connects to nothing. Fails when a file or a URL is wrong.
    pub fn new(settings: &ExporterSettings) -> Result<Self, TransportError> {
        let native = match &settings.kind {
            ExporterKind::OtlpHttp(otlp) => Some(NativeExporter::otlp_http(&settings.name, otlp)?),
            ExporterKind::File(file) => Some(NativeExporter::file(&settings.name, file)?),
            ExporterKind::Stream(form, output) => {
                Some(NativeExporter::stream(&settings.name, *form, *output))
            }
            ExporterKind::Python { .. } => None,
        };
        let diversion = settings.fallback.as_ref().map(|(name, after)| Diversion::new(name, *after));
        let destination = settings.stricter.clone().map(Destination::new);
        Ok(Self { name: settings.name.clone(), native, diversion, dead_letters: None, destination })
    }
}

impl NativeExporter {
    fn otlp_http(name: &str, settings: &OtlpSettings) -> Result<Self, TransportError> {
        let transport = HttpTransport::new(settings)?;
        let target = Target {
            shown: shown(name, transport.shown_endpoint()),
            remedy: "Start a collector there or set OTEL_EXPORTER_OTLP_ENDPOINT.",
        };
        Ok(Self {
            transport: Box::new(transport),
            settings: SenderSettings::new(settings, is_protected),
            pace: Pace::following(flow(settings)),
            threads: settings.max_in_flight.max(1),
            target,
            meter: SendMeter::default(),
        })
    }
}

/// How requests to an OTLP endpoint follow it.
fn flow(settings: &OtlpSettings) -> Flow {
    let bounds = Bounds {
        in_flight: settings.max_in_flight,
        request_bytes: settings.merge_bytes.min(settings.max_request_bytes),
        timeout: settings.timeout,
    };
    if settings.adaptive {
        Flow::new(bounds)
    } else {
        Flow::fixed(bounds)
    }
}

/// How writing is tried again: a disk gets space within seconds or much later.
const LOCAL_RETRY: RetrySettings = RetrySettings {
    initial_backoff: Duration::from_millis(500),
    max_backoff: Duration::from_secs(10),
    max_retry_after: Duration::ZERO,
    max_elapsed: None,
};

impl NativeExporter {
    fn file(name: &str, settings: &FileSettings) -> Result<Self, TransportError> {
        let path = settings.path.display();
        // The default name says no more than the path.
        let shown =
            if name == "file" { format!("file {path}") } else { format!("file {path} (exporter {name})") };
        let transport = FileTransport::new(settings.clone())?;
        Ok(Self::local(Box::new(transport), shown, "Make room or correct the permissions."))
    }

    fn stream(name: &str, form: Form, output: Output) -> Self {
        let shown = format!("{} (exporter {name})", output.name());
        Self::local(Box::new(StreamTransport::new(form, output)), shown, "See why its reader does not read.")
    }

    /// One thread, so that records keep their order, and blocks of any size.
    fn local(transport: Box<dyn Transport>, shown: String, remedy: &'static str) -> Self {
        let settings = SenderSettings {
            retry: LOCAL_RETRY,
            max_request_bytes: usize::MAX,
            is_protected,
            random: fastrand::f64,
        };
        let (pace, meter, target) = (Pace::new(), SendMeter::default(), Target { shown, remedy });
        Self { transport, settings, pace, threads: 1, target, meter }
    }
}

fn shown(name: &str, place: &str) -> String {
    if name == DEFAULT_NAME {
        place.to_owned()
    } else {
        format!("{place} (exporter {name})")
    }
}

/// How blocks are compressed when they are sealed: as the first exporter that cares wants it. A transport that wants
/// another codec recodes what it sends.
#[must_use]
pub fn seal_codec(exporters: &[ExporterSettings]) -> Codec {
    let mut wanted = exporters.iter().filter_map(|exporter| match &exporter.kind {
        ExporterKind::OtlpHttp(otlp) => (otlp.protocol == HttpProtocol::Protobuf).then_some(otlp.codec),
        ExporterKind::Python { codec } => Some(*codec),
        ExporterKind::File(_) | ExporterKind::Stream(..) => None,
    });
    wanted.next().unwrap_or(Codec::Identity)
}

/// Whether shedding must spare an encoded record, as far as its bytes tell: ERROR and above, and the severities of
/// `audit` and `security`.
#[must_use]
pub fn is_protected(record: &[u8]) -> bool {
    matches!(RecordView::parse(record).severity_number, 10 | 14 | 17..)
}
