//! Several exporters behind one pipeline: each delivers on its own, and the ledger adds up for every one.
//! reason: every test builds the same pipelines and receivers.

use crate::core::{buffer_settings, id_of, Entry};
use crate::records::int;
use crate::sending::text;
use crate::serving::{reply, Request, Server};
use crate::wiring::{exporter, impatient, pipeline_of, server, silent_server, Producer, PATIENCE};
use fapilog_native::block::{Block, Codec};
use fapilog_native::buffer::Appended;
use fapilog_native::export::claims::ReplacementError;
use fapilog_native::ledger::meters::Operation;
use fapilog_native::ledger::{DropReason, ExporterCounts, Settlement};
use fapilog_native::pipeline::Pipeline;
use fapilog_native::seal::compress::decompress;
use fapilog_native::settings::{ExporterKind, ExporterSettings, OtlpSettings, Overflow};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn otlp(name: &str, settings: OtlpSettings) -> ExporterSettings {
    exporter(name, ExporterKind::OtlpHttp(Box::new(settings)))
}

fn python(name: &str) -> ExporterSettings {
    exporter(name, ExporterKind::Python { codec: Codec::Identity })
}

fn pipeline(exporters: Vec<ExporterSettings>) -> Arc<Pipeline> {
    pipeline_of(buffer_settings(Overflow::DropOldest), exporters, false)
}

/// Every exporter's counts, whose equation is checked.
fn counts(pipeline: &Pipeline) -> Vec<ExporterCounts> {
    let snapshot = pipeline.snapshot();
    for side in &snapshot.exporters {
        let decided = side.delivered + side.rejected + side.dropped.total();
        assert_eq!(snapshot.accepted, decided + side.pending, "{snapshot:?}");
    }
    snapshot.exporters
}

fn log(pipeline: &Arc<Pipeline>, records: u64) {
    let mut log = Producer::new(pipeline);
    (0..records).for_each(|id| assert!(matches!(log.log(Entry::info(id)), Appended::Stored(_))));
}

/// The next block of a Python exporter; polls, because nothing here has a loop.
fn claim(pipeline: &Pipeline, cursor: usize) -> Arc<Block> {
    next(|| pipeline.backlog().try_claim(cursor))
}

fn next(claim: impl Fn() -> Option<Arc<Block>>) -> Arc<Block> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(block) = claim() {
            return block;
        }
        assert!(Instant::now() < deadline, "no block came");
        std::thread::yield_now();
    }
}

fn request_of(block: &Block) -> ExportLogsServiceRequest {
    let raw = decompress(block.codec, &block.body, block.raw_bytes).unwrap();
    ExportLogsServiceRequest::decode(raw.as_slice()).unwrap()
}

/// A server that keeps its requests and answers them with what `answer` says: a status.
fn recording(answer: impl Fn(&Request) -> u16 + Send + Sync + 'static) -> Server {
    Server::plain(move |mut connection| {
        let mut requests = Vec::new();
        while let Some(request) = connection.request() {
            connection.write(&reply(answer(&request), "application/x-protobuf"));
            requests.push(request);
        }
        requests
    })
}

#[test]
fn a_silent_exporter_delays_neither_a_native_nor_a_python_one() {
    let (live, taken) = server(|_| 200);
    let silent = silent_server();
    let all = [
        otlp("silent", impatient(&silent.url("/v1/logs"))),
        otlp("live", impatient(&live.url("/v1/logs"))),
        python("loop"),
    ];
    let pipeline = pipeline(all.to_vec());
    log(&pipeline, 3);
    let mut left = 3;
    while left > 0 {
        let block = claim(&pipeline, 2);
        left -= block.records;
        pipeline.settle(2, block.sequence, Settlement { delivered: block.records, ..Settlement::default() });
    }
    assert!(pipeline.backlog().wait_settled_by(&[1, 2], pipeline.backlog().end(), Instant::now() + PATIENCE));
    let decided: Vec<_> = counts(&pipeline).iter().map(|side| (side.delivered, side.pending)).collect();
    assert_eq!(decided, [(0, 3), (3, 0), (3, 0)]);
    assert_eq!(taken.lock().unwrap().len(), 3);
    assert!(!pipeline.shutdown(Duration::ZERO));
    drop(pipeline);
    live.close();
    silent.close();
}

#[test]
fn each_exporter_sends_in_the_codec_of_its_own() {
    let servers = [recording(|_| 200), recording(|_| 200)];
    let exporters = servers.iter().zip([Codec::Gzip, Codec::Identity]).zip(["zipped", "plain"]);
    let exporters = exporters.map(|((server, codec), name)| {
        otlp(name, OtlpSettings { codec, ..impatient(&server.url("/v1/logs")) })
    });
    let pipeline = pipeline(exporters.collect());
    log(&pipeline, 2);
    assert!(pipeline.shutdown(PATIENCE));
    assert!(counts(&pipeline).iter().all(|side| side.delivered == 2));
    drop(pipeline);
    let bodies = servers.map(|server| {
        let requests = server.requests();
        let zipped = |request: &Request| request.headers.iter().any(|line| line == "content-encoding: gzip");
        requests.into_iter().map(|request| (zipped(&request), request.body)).collect::<Vec<_>>()
    });
    let unzipped = |(_, body): &(bool, Vec<u8>)| decompress(Codec::Gzip, body, 1 << 20).unwrap();
    let ids = |bodies: Vec<Vec<u8>>| -> Vec<u64> {
        let requests = bodies.iter().map(|body| ExportLogsServiceRequest::decode(body.as_slice()).unwrap());
        let scopes = requests.flat_map(|request| request.resource_logs).flat_map(|logs| logs.scope_logs);
        let mut ids: Vec<u64> =
            scopes.flat_map(|scope| scope.log_records).map(|record| id_of(&record)).collect();
        ids.sort_unstable();
        ids
    };
    assert!(bodies[0].iter().all(|(zipped, _)| *zipped) && !bodies[1].iter().any(|(zipped, _)| *zipped));
    assert_eq!(ids(bodies[0].iter().map(unzipped).collect()), [0, 1]);
    assert_eq!(ids(bodies[1].iter().map(|(_, body)| body.clone()).collect()), [0, 1]);
}

#[test]
fn a_notice_names_the_exporter_unless_it_is_the_usual_one() {
    let refusing = [recording(|_| 400), recording(|_| 400)];
    let names = ["otlp", "second"];
    let exporters =
        refusing.iter().zip(names).map(|(server, name)| otlp(name, impatient(&server.url("/v1/logs"))));
    let pipeline = pipeline(exporters.collect());
    log(&pipeline, 1);
    assert!(pipeline.shutdown(PATIENCE));
    let mut told: Vec<String> = pipeline.notices().take().into_iter().map(|notice| notice.message).collect();
    told.sort_by_key(String::len);
    let expected = [
        format!("{} refused 1 records for good: HTTP 400 Bad Request", refusing[0].url("/v1/logs")),
        format!(
            "{} (exporter second) refused 1 records for good: HTTP 400 Bad Request",
            refusing[1].url("/v1/logs")
        ),
    ];
    assert_eq!(told, expected);
    drop(pipeline);
    refusing.into_iter().for_each(Server::close);
}

#[test]
fn a_notice_shows_no_credentials_of_the_endpoint() {
    let url = "http://user:hunter2@127.0.0.1:9/v1/logs?key=hunter2";
    let pipeline = pipeline(vec![otlp("otlp", impatient(url))]);
    log(&pipeline, 1);
    assert!(!pipeline.shutdown(Duration::from_millis(200)));
    let told = pipeline.notices().take();
    assert!(
        told[0].message.starts_with("cannot deliver to http://127.0.0.1:9/v1/logs (cannot reach"),
        "{told:?}"
    );
    assert!(told.iter().all(|notice| !notice.message.contains("hunter2")), "{told:?}");
}

#[test]
fn refused_headers_are_retried_when_somebody_renews_them() {
    let server =
        recording(
            |request| {
                if request.headers.iter().any(|line| line == "authorization: new") {
                    200
                } else {
                    401
                }
            },
        );
    let old = OtlpSettings { refreshes_headers: true, ..impatient(&server.url("/v1/logs")) };
    let pipeline = pipeline(vec![otlp("otlp", old)]);
    pipeline.wake().fd().unwrap();
    pipeline.wake().clear();
    log(&pipeline, 1);
    // Nothing is sent before the first headers are there.
    assert!(!pipeline.force_flush(Duration::from_millis(100)));
    pipeline.wake().clear();
    pipeline.set_headers("otlp", &[("authorization".into(), "old".into())]).unwrap();
    let refused = || pipeline.exporters()[0].native.as_ref().unwrap().transport.headers_refused();
    let deadline = Instant::now() + PATIENCE;
    while !refused() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    // The flag is there a moment before the wake.
    while !pipeline.wake().clear() {
        assert!(Instant::now() < deadline, "the delivery loop is woken");
        std::thread::yield_now();
    }
    // So is the wake before the notice.
    while !pipeline.notices().waiting() {
        assert!(Instant::now() < deadline, "the application is told");
        std::thread::yield_now();
    }
    assert_eq!(counts(&pipeline)[0].pending, 1);
    // And the wake a moment before the notice.
    let mut told = pipeline.notices().take();
    while told.is_empty() {
        assert!(Instant::now() < deadline, "the refusal is told");
        told = pipeline.notices().take();
        std::thread::yield_now();
    }
    let asked =
        "records wait in memory, and the auth function is asked for others. See that what it returns is";
    assert!(told[0].message.contains(" refuses the credentials (HTTP 401 Unauthorized"), "{told:?}");
    assert!(told[0].message.contains(asked), "{told:?}");
    // Refused headers are not sent again; but a refusal that nobody can cure is not for ever.
    let ready = |now| pipeline.exporters()[0].native.as_ref().unwrap().transport.is_ready(now);
    let now = Instant::now();
    assert_eq!((ready(now), ready(now + Duration::from_secs(30))), (false, true));
    pipeline.set_headers("otlp", &[("authorization".into(), "new".into())]).unwrap();
    assert!(!refused());
    assert!(pipeline.force_flush(PATIENCE));
    assert_eq!((counts(&pipeline)[0].delivered, refused()), (1, false));
    assert!(pipeline.shutdown(PATIENCE));
    drop(pipeline);
    let requests = server.requests();
    assert!(requests
        .iter()
        .all(|request| request.headers.iter().any(|line| line.starts_with("authorization"))));
    assert_eq!(requests.len(), 2, "one with each");
    let last = requests.last().unwrap();
    assert!(last.headers.iter().any(|line| line.starts_with("user-agent: fapilog/")), "ours stay: {last:?}");
    assert!(last.headers.iter().any(|line| line == "content-type: application/x-protobuf"));
}

#[test]
fn without_somebody_who_renews_them_refused_headers_reject_the_records() {
    let server = recording(|_| 403);
    let pipeline = pipeline(vec![otlp("otlp", impatient(&server.url("/v1/logs")))]);
    log(&pipeline, 1);
    assert!(pipeline.shutdown(PATIENCE));
    assert_eq!(counts(&pipeline)[0].rejected, 1);
    drop(pipeline);
    server.close();
}

#[test]
fn headers_that_http_does_not_allow_leave_the_old_ones_in_place() {
    let server =
        recording(
            |request| {
                if request.headers.iter().any(|line| line == "x-tenant: blue") {
                    200
                } else {
                    400
                }
            },
        );
    let pipeline = pipeline(vec![otlp("otlp", impatient(&server.url("/v1/logs"))), python("loop")]);
    let errors = [("otlp", "x y"), ("otlp", "content-length"), ("loop", "x"), ("nobody", "x")].map(
        |(name, header)| pipeline.set_headers(name, &[(header.into(), "1".into())]).unwrap_err().to_string(),
    );
    assert_eq!(
        errors,
        [
            "header name \"x y\" is not allowed in HTTP; check the exporter's headers",
            "header \"content-length\" is set by the exporter itself; remove it from the exporter's headers",
            "exporter \"loop\" is not a native one of this pipeline; name one that is",
            "exporter \"nobody\" is not a native one of this pipeline; name one that is",
        ]
    );
    log(&pipeline, 1);
    let end = || pipeline.backlog().end();
    claim(&pipeline, 1);
    assert!(pipeline.backlog().wait_settled_by(&[0], end(), Instant::now() + PATIENCE));
    assert_eq!(counts(&pipeline)[0].delivered, 1);
    assert!(!pipeline.shutdown(Duration::ZERO));
    drop(pipeline);
    server.close();
}

#[test]
fn a_new_resource_describes_the_blocks_sealed_from_then_on() {
    let pipeline = pipeline(vec![python("loop")]);
    let mut log = Producer::new(&pipeline);
    let mut resource_of = |id| {
        log.log(Entry::info(id));
        let block = claim(&pipeline, 0);
        request_of(&block).resource_logs.remove(0).resource
    };
    assert_eq!(resource_of(1), None);
    // Resource { attributes: [KeyValue { key: "k", value: "v" }] }
    pipeline.set_resource(b"\x0a\x0a\x0a\x08\x0a\x01k\x12\x03\x0a\x01v");
    let attributes = resource_of(2).unwrap().attributes;
    assert_eq!(attributes.len(), 1);
    assert_eq!((attributes[0].key.as_str(), attributes[0].value.clone()), ("k", Some(text("v"))));
    assert!(!pipeline.shutdown(Duration::ZERO));
}

#[test]
fn what_the_processors_leave_is_compressed_and_sent() {
    let (server, taken) = server(|_| 200);
    let exporters = vec![otlp("otlp", impatient(&server.url("/v1/logs")))];
    let pipeline = pipeline_of(buffer_settings(Overflow::DropOldest), exporters, true);
    let mut log = Producer::new(&pipeline);
    for id in 0..4 {
        log.log(if id == 1 { Entry::error(id) } else { Entry::info(id) });
    }
    assert!(!pipeline.force_flush(Duration::from_millis(50)), "it waits for the processors");
    let mut seen = 0;
    while seen < 4 {
        let block = next(|| pipeline.backlog().claim_unprocessed());
        assert_eq!(block.codec, Codec::Identity);
        seen += block.records;
        let mut request = request_of(&block);
        request.resource_logs[0].scope_logs[0].log_records.retain(|record| id_of(record) != 2);
        let mut doubled = request.clone();
        let again = doubled.resource_logs.clone();
        (0..2).for_each(|_| doubled.resource_logs.extend(again.clone()));
        if !again[0].scope_logs[0].log_records.is_empty() {
            let refused = pipeline.processed(block.sequence, Some(&doubled.encode_to_vec()));
            assert!(matches!(refused, Err(ReplacementError::MoreRecords { .. })), "{refused:?}");
        }
        assert_eq!(pipeline.processed(block.sequence, Some(b"\xff")), Err(ReplacementError::Malformed));
        pipeline.processed(block.sequence, Some(&request.encode_to_vec())).unwrap();
    }
    assert!(pipeline.shutdown(PATIENCE));
    let side = &counts(&pipeline)[0];
    assert_eq!((side.delivered, side.dropped.get(DropReason::Processed)), (3, 1));
    let mut ids: Vec<u64> = taken.lock().unwrap().iter().map(|(_, id)| *id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [0, 1, 3]);
    drop((pipeline, log));
    server.close();
}

#[test]
fn the_last_flush_waits_for_native_exporters_only_and_counts_the_others_records() {
    let (server, _) = server(|_| 200);
    let pipeline = pipeline(vec![otlp("otlp", impatient(&server.url("/v1/logs"))), python("loop")]);
    assert_eq!(pipeline.last_flush(Duration::ZERO), 0);
    log(&pipeline, 3);
    let start = Instant::now();
    assert_eq!(pipeline.last_flush(PATIENCE), 3);
    assert!(start.elapsed() < PATIENCE, "it did not wait for what nobody reads");
    assert_eq!(counts(&pipeline)[0].delivered, 3);
    assert!(!pipeline.shutdown(Duration::ZERO));
    drop(pipeline);
    server.close();
}

#[test]
fn an_orphaned_pipeline_delivers_what_is_native_and_drops_the_rest_aloud() {
    let (server, taken) = server(|_| 200);
    let pipeline = pipeline(vec![otlp("otlp", impatient(&server.url("/v1/logs"))), python("loop")]);
    log(&pipeline, 3);
    pipeline.close();
    pipeline.orphan();
    // The threads end by themselves: nothing is left that only Python could take.
    let deadline = Instant::now() + PATIENCE;
    while Arc::strong_count(&pipeline) > 1 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    let sides = counts(&pipeline);
    assert_eq!((sides[0].delivered, sides[1].dropped.get(DropReason::Shutdown)), (3, 3));
    assert_eq!(taken.lock().unwrap().len(), 3);
    let told: Vec<_> = pipeline.notices().take().into_iter().map(|notice| notice.code).collect();
    assert_eq!(told, ["records-lost"]);
    drop(pipeline);
    server.close();
}

#[test]
fn an_orphaned_pipeline_sends_nothing_that_its_processors_have_not_seen() {
    let (server, taken) = server(|_| 200);
    let exporters = vec![otlp("otlp", impatient(&server.url("/v1/logs")))];
    let pipeline = pipeline_of(buffer_settings(Overflow::DropOldest), exporters, true);
    log(&pipeline, 3);
    pipeline.close();
    pipeline.orphan();
    let deadline = Instant::now() + PATIENCE;
    while Arc::strong_count(&pipeline) > 1 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(counts(&pipeline)[0].dropped.get(DropReason::Shutdown), 3);
    assert_eq!(taken.lock().unwrap().len(), 0);
    drop(pipeline);
    server.close();
}

#[test]
fn an_orphaned_exporter_waits_for_no_headers_that_nobody_renews() {
    let (server, taken) = server(|_| 200);
    let waiting = OtlpSettings { refreshes_headers: true, ..impatient(&server.url("/v1/logs")) };
    let pipeline = pipeline(vec![otlp("waiting", waiting), otlp("otlp", impatient(&server.url("/v1/logs")))]);
    log(&pipeline, 3);
    pipeline.close();
    pipeline.orphan();
    let deadline = Instant::now() + PATIENCE;
    while Arc::strong_count(&pipeline) > 1 {
        assert!(Instant::now() < deadline, "a sender waits for ever");
        std::thread::yield_now();
    }
    let sides = counts(&pipeline);
    assert_eq!((sides[0].dropped.get(DropReason::Shutdown), sides[1].delivered), (3, 3));
    assert_eq!(taken.lock().unwrap().len(), 3);
    drop(pipeline);
    server.close();
}

#[test]
fn a_loss_that_every_exporter_shares_is_reported_once() {
    let pipeline = pipeline(vec![python("one"), python("two")]);
    log(&pipeline, 1);
    pipeline.buffer().give_up(DropReason::NotAwaited);
    pipeline.buffer().give_up(DropReason::NotAwaited);
    let block = claim(&pipeline, 0);
    pipeline.settle(0, block.sequence, Settlement { delivered: 1, ..Settlement::default() });
    let report =
        request_of(&claim(&pipeline, 0)).resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0);
    let lost: Vec<_> = report.attributes.iter().map(|pair| (pair.key.as_str(), pair.value.clone())).collect();
    assert_eq!(report.event_name, "fapilog.records_lost");
    assert_eq!(lost[0], ("fapilog.lost.not_awaited", Some(int(2))));
    assert!(!pipeline.shutdown(Duration::ZERO));
}

#[test]
fn a_loss_is_reported_before_the_end_even_when_the_pressure_lasts_until_then() {
    let pipeline = pipeline(vec![python("one")]);
    log(&pipeline, 1);
    pipeline.buffer().give_up(DropReason::NotAwaited);
    pipeline.close();
    let mut names = Vec::new();
    while names.len() < 2 {
        let resources = request_of(&claim(&pipeline, 0)).resource_logs;
        let records = resources.into_iter().flat_map(|of| of.scope_logs).flat_map(|of| of.log_records);
        names.extend(records.map(|record| record.event_name));
    }
    assert_eq!(names, ["", "fapilog.records_lost"]);
    assert!(!pipeline.shutdown(Duration::ZERO));
}

#[test]
fn operations_say_how_each_request_ended_and_are_told_once() {
    let answers = [503, 200, 400];
    let count = std::sync::atomic::AtomicUsize::new(0);
    let server = recording(move |_| answers[count.fetch_add(1, std::sync::atomic::Ordering::Relaxed).min(2)]);
    let settings = OtlpSettings { max_in_flight: 1, ..impatient(&server.url("/v1/logs")) };
    let pipeline = pipeline(vec![otlp("otlp", settings)]);
    let mut log = Producer::new(&pipeline);
    for id in 0..2 {
        log.log(Entry::info(id));
        assert!(pipeline.force_flush(PATIENCE));
    }
    let meter = &pipeline.exporters()[0].native.as_ref().unwrap().meter;
    let (operations, left_out) = meter.take();
    let ended: Vec<_> =
        operations.iter().map(|done| (done.status, done.error.as_ref(), done.records)).collect();
    assert_eq!((ended.as_slice(), left_out), (&[(200, "", 1), (400, "400", 1)][..], 0));
    assert!(operations.iter().all(|done| done.duration > Duration::ZERO) && meter.nanos() > 0);
    assert_eq!(meter.take(), (Vec::new(), 0));
    for records in 0..1_500 {
        let (status, error) = (200, Cow::Borrowed(""));
        meter.finished(Operation { duration: Duration::ZERO, status, error, records });
    }
    let (kept, left_out) = meter.take();
    assert_eq!((kept.len(), kept[0].records, left_out), (1_024, 476, 476));
    let (nanos, records) = pipeline.sealing().totals();
    assert_eq!((records, nanos > 0), (2, true));
    assert!(pipeline.shutdown(PATIENCE));
    drop((pipeline, log));
    server.close();
}

#[test]
fn an_operation_without_an_answer_names_what_failed() {
    let mut settings = impatient("http://127.0.0.1:9/v1/logs");
    settings.retry.max_elapsed = Some(Duration::from_millis(1));
    let pipeline = pipeline(vec![otlp("otlp", settings)]);
    log(&pipeline, 1);
    assert!(pipeline.shutdown(PATIENCE));
    let (operations, _) = pipeline.exporters()[0].native.as_ref().unwrap().meter.take();
    let ended: Vec<_> =
        operations.iter().map(|done| (done.status, done.error.as_ref(), done.records)).collect();
    assert_eq!(ended, [(0, "connection_refused", 1)]);
}
