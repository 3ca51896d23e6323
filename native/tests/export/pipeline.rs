//! The stages wired together: the ledger at every moment, flush, shutdown, and what a server's answers come to.

use crate::core::{buffer_settings, Entry};
use crate::serving::{reply, Certificates, Server};
use crate::wiring::{
    check_ledger, impatient, pipeline_to, pipeline_with, records_of, server, silent_server, Producer,
    PATIENCE,
};
use fapilog_native::block::Codec;
use fapilog_native::buffer::Appended;
use fapilog_native::ledger::notices::Notices;
use fapilog_native::ledger::{DropReason, ExporterCounts, Refusal};
use fapilog_native::pipeline::Pipeline;
use fapilog_native::settings::{BufferSettings, OtlpSettings, Overflow};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Logs `records` under `pipeline`, flushes and shuts down; returns the exporter's counts.
fn log_all(pipeline: &Arc<Pipeline>, records: u64) -> ExporterCounts {
    let mut log = Producer::new(pipeline);
    for id in 0..records {
        assert!(matches!(log.log(Entry::info(id)), Appended::Stored(_)));
    }
    assert!(pipeline.force_flush(PATIENCE));
    let counts = check_ledger(&pipeline.snapshot());
    assert!(pipeline.shutdown(PATIENCE));
    counts
}

fn codes(pipeline: &Pipeline) -> Vec<&'static str> {
    pipeline.notices().take().into_iter().map(|notice| notice.code).collect()
}

#[test]
fn the_ledger_adds_up_at_every_moment_whatever_the_server_answers() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest, Overflow::Wait] {
        let count = AtomicU64::new(0);
        let statuses = [200, 503, 200, 400, 429, 413];
        let (server, _) =
            server(move |_| statuses[count.fetch_add(1, Ordering::Relaxed) as usize % statuses.len()]);
        let pipeline = pipeline_to(&server, overflow);
        let done = Arc::new(AtomicBool::new(false));
        let sampler = {
            let (pipeline, done) = (Arc::clone(&pipeline), Arc::clone(&done));
            thread::spawn(move || {
                let mut samples = 0;
                while !done.load(Ordering::Acquire) {
                    check_ledger(&pipeline.snapshot());
                    samples += 1;
                }
                samples
            })
        };
        let producers = [0, 1].map(|scope| {
            let mut log = Producer::new(&pipeline);
            thread::spawn(move || {
                for id in 0..4_000 {
                    let entry = if id % 9 == 0 { Entry::error(id) } else { Entry::info(id) };
                    log.log_waiting(Entry { scope, ..entry }, Duration::from_millis(5));
                }
            })
        });
        for thread in producers {
            thread.join().unwrap();
        }
        let _ = pipeline.shutdown(Duration::from_millis(500));
        done.store(true, Ordering::Release);
        assert!(sampler.join().unwrap() > 100);
        let counts = check_ledger(&pipeline.snapshot());
        assert_eq!(counts.pending, 0);
        // Beside those of the producers only the reports of what was lost.
        assert!((8_000..8_100).contains(&counts.accepted), "{} accepted", counts.accepted);
        drop(pipeline);
        server.close();
    }
}

#[test]
fn what_the_server_takes_is_delivered() {
    let (server, taken) = server(|_| 200);
    let pipeline = pipeline_to(&server, Overflow::Wait);
    let counts = log_all(&pipeline, 50);
    assert_eq!((counts.delivered, counts.pending), (50, 0));
    assert_eq!(taken.lock().unwrap().len(), 50);
    assert_eq!(codes(&pipeline), [""; 0]);
    drop(pipeline);
    server.close();
}

#[test]
fn what_the_server_refuses_is_rejected_and_told() {
    let (server, _) = server(|_| 400);
    let pipeline = pipeline_to(&server, Overflow::Wait);
    let counts = log_all(&pipeline, 50);
    assert_eq!((counts.delivered, counts.rejected, counts.pending), (0, 50, 0));
    assert_eq!(codes(&pipeline), ["export-rejected"]);
    drop(pipeline);
    server.close();
}

#[test]
fn what_the_server_cannot_take_now_is_sent_again_and_counted_once() {
    let failures = AtomicU64::new(0);
    let (server, taken) =
        server(move |_| if failures.fetch_add(1, Ordering::Relaxed) < 5 { 503 } else { 200 });
    let pipeline = pipeline_to(&server, Overflow::Wait);
    let counts = log_all(&pipeline, 50);
    assert_eq!((counts.delivered, counts.rejected, counts.dropped.total(), counts.pending), (50, 0, 0, 0));
    assert_eq!(taken.lock().unwrap().len(), 50);
    assert_eq!(codes(&pipeline), ["endpoint-unreachable"]);
    drop(pipeline);
    server.close();
}

#[test]
fn what_is_too_large_is_split_down_to_the_record_that_never_fits() {
    // The server takes three records at most, and record 20 not even alone.
    let (server, taken) = server(|records| {
        let poison = records.iter().any(|(_, id)| *id == 20);
        if records.len() > 3 || poison {
            413
        } else {
            200
        }
    });
    let pipeline = pipeline_to(&server, Overflow::Wait);
    let counts = log_all(&pipeline, 50);
    assert_eq!((counts.delivered, counts.rejected, counts.pending), (49, 1, 0));
    let mut ids: Vec<u64> = taken.lock().unwrap().iter().map(|(_, id)| *id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..50).filter(|id| *id != 20).collect::<Vec<_>>());
    assert_eq!(codes(&pipeline), ["export-rejected"]);
    drop(pipeline);
    server.close();
}

#[test]
fn a_partial_success_counts_both_parts() {
    // partial_success { rejected_log_records: 2, error_message: "two" }
    let body = "\n\u{7}\u{8}\u{2}\u{12}\u{3}two";
    let server = Server::plain(move |mut connection| {
        let mut requests = Vec::new();
        while let Some(request) = connection.request() {
            let head = reply(200, "application/x-protobuf");
            let length = format!("content-length: {}", body.len());
            connection.write(&(head.replace("content-length: 0", &length) + body));
            requests.push(request);
        }
        requests
    });
    let pipeline = pipeline_to(&server, Overflow::Wait);
    let counts = log_all(&pipeline, 5);
    assert_eq!((counts.delivered, counts.rejected, counts.pending), (3, 2, 0));
    let notices = pipeline.notices().take();
    assert_eq!(notices.len(), 1);
    assert!(notices[0].message.ends_with("took a request without 2 of its records: two"));
    drop(pipeline);
    server.close();
}

#[test]
fn a_block_that_grows_too_old_is_dropped_as_expired() {
    let (server, _) = server(|_| 503);
    let mut otlp = impatient(&server.url("/v1/logs"));
    otlp.retry.max_elapsed = Some(Duration::from_millis(30));
    let pipeline = pipeline_with(buffer_settings(Overflow::Wait), Some(otlp));
    let counts = log_all(&pipeline, 5);
    assert_eq!((counts.dropped.get(DropReason::Expired), counts.dropped.total(), counts.pending), (5, 5, 0));
    drop(pipeline);
    server.close();
}

#[test]
fn a_flush_of_nothing_is_true_and_starts_nothing() {
    let pipeline =
        pipeline_with(buffer_settings(Overflow::Wait), Some(impatient("http://127.0.0.1:9/v1/logs")));
    assert!(pipeline.force_flush(Duration::ZERO));
    assert!(pipeline.shutdown(Duration::ZERO));
    assert_eq!(
        check_ledger(&pipeline.snapshot()),
        ExporterCounts { name: "otlp".into(), ..Default::default() }
    );
}

#[test]
fn a_flush_with_a_silent_server_is_false_at_its_deadline() {
    let server = silent_server();
    let pipeline = pipeline_to(&server, Overflow::DropOldest);
    let mut log = Producer::new(&pipeline);
    log.log(Entry::info(1));
    let start = Instant::now();
    assert!(!pipeline.force_flush(Duration::from_millis(100)));
    assert!((Duration::from_millis(100)..Duration::from_secs(1)).contains(&start.elapsed()));
    assert_eq!(check_ledger(&pipeline.snapshot()).pending, 1);

    let start = Instant::now();
    assert!(!pipeline.shutdown(Duration::from_millis(100)));
    assert!((Duration::from_millis(100)..Duration::from_secs(1)).contains(&start.elapsed()));
    let counts = check_ledger(&pipeline.snapshot());
    assert_eq!((counts.dropped.get(DropReason::Shutdown), counts.pending), (1, 0));
    drop((pipeline, log));
    server.close();
}

#[test]
fn a_pausing_sender_does_not_delay_shutdown() {
    let (server, _) = server(|_| 503);
    let mut otlp = impatient(&server.url("/v1/logs"));
    otlp.retry.initial_backoff = Duration::from_secs(3_600);
    otlp.retry.max_backoff = Duration::from_secs(3_600);
    let pipeline = pipeline_with(buffer_settings(Overflow::DropOldest), Some(otlp));
    Producer::new(&pipeline).log(Entry::info(1));
    assert!(!pipeline.force_flush(Duration::from_millis(200)));
    assert!(!pipeline.shutdown(Duration::ZERO));
    // All threads have ended: nobody else holds the pipeline.
    assert_eq!(Arc::strong_count(&pipeline), 1);
    drop(pipeline);
    server.close();
}

#[test]
fn after_shutdown_records_are_refused_and_a_second_shutdown_changes_nothing() {
    let (server, _) = server(|_| 200);
    let pipeline = pipeline_to(&server, Overflow::Wait);
    log_all(&pipeline, 3);
    assert_eq!(Producer::new(&pipeline).log(Entry::error(4)), Appended::Refused);
    let before = pipeline.snapshot();
    assert_eq!((before.refused[Refusal::ShutDown as usize], before.accepted, before.offered), (1, 3, 4));
    assert!(pipeline.shutdown(Duration::ZERO));
    assert!(pipeline.force_flush(Duration::ZERO));
    assert_eq!(pipeline.snapshot(), before);
    assert_eq!(Arc::strong_count(&pipeline), 1, "all threads have ended");
    drop(pipeline);
    server.close();
}

#[test]
fn who_sees_a_pipeline_closing_finds_it_closed() {
    // Processors do not run while a pipeline closes: a record that was stored then would have escaped them.
    for _ in 0..300 {
        let pipeline = pipeline_with(buffer_settings(Overflow::DropOldest), None);
        let until_closing = |act: fn(&Pipeline)| {
            let pipeline = Arc::clone(&pipeline);
            thread::spawn(move || {
                while !pipeline.is_closing() {
                    act(&pipeline);
                }
                Producer::new(&pipeline).log(Entry::info(1))
            })
        };
        // The first one keeps the buffer busy, so that closing it takes a while.
        let busy = until_closing(|pipeline| pipeline.refuse(Refusal::CaptureFailed));
        let watching = until_closing(|_| std::hint::spin_loop());
        pipeline.close();
        assert_eq!([busy, watching].map(|thread| thread.join().unwrap()), [Appended::Refused; 2]);
    }
}

#[test]
fn a_notice_needs_no_lock_that_a_forked_child_may_find_taken() {
    let held = std::io::stderr().lock();
    let (said, hears) = std::sync::mpsc::channel();
    let speaker = thread::spawn(move || {
        Notices::default().say("export-rejected", "a notice of a test".to_owned());
        said.send(()).unwrap();
    });
    assert_eq!(hears.recv_timeout(PATIENCE), Ok(()));
    drop(held);
    speaker.join().unwrap();
}

#[test]
fn without_an_exporter_records_are_only_counted() {
    let pipeline = pipeline_with(buffer_settings(Overflow::DropOldest), None);
    let mut log = Producer::new(&pipeline);
    for id in 0..1_000 {
        assert_eq!(log.log(Entry::info(id)), Appended::Stored(id));
    }
    pipeline.emit_counts().filtered();
    pipeline.refuse(Refusal::CaptureFailed);
    let snapshot = pipeline.snapshot();
    assert_eq!((snapshot.offered, snapshot.filtered, snapshot.accepted), (1_002, 1, 1_000));
    assert_eq!(
        (snapshot.refused, snapshot.exporters.len(), pipeline.buffer().used()),
        ([0, 0, 1, 0, 0, 0, 0, 0], 0, 0)
    );
    assert!(pipeline.force_flush(Duration::ZERO) && pipeline.shutdown(Duration::ZERO));
}

/// Blocks of 256 KiB over mutual TLS, on the stacks that the pipeline gives its threads.
fn deliver_over_tls(codec: Codec, name: &str) {
    let certificates = Certificates::new(name);
    let server = Server::tls(certificates.server_config(true), |mut connection| {
        let mut requests = Vec::new();
        while let Some(request) = connection.request() {
            connection.write(&reply(200, "application/x-protobuf"));
            requests.push(request);
        }
        requests
    });
    let otlp = OtlpSettings {
        codec,
        certificate: Some(certificates.authority.clone()),
        client_certificate: Some(certificates.client.clone()),
        client_key: Some(certificates.client_key.clone()),
        ..impatient(&server.url("/v1/logs").replace("127.0.0.1", "localhost"))
    };
    let buffer = BufferSettings {
        limit_bytes: 4 << 20,
        chunk_bytes: 256 * 1024,
        schedule_delay: PATIENCE,
        ..buffer_settings(Overflow::Wait)
    };
    let pipeline = pipeline_with(buffer, Some(otlp));
    let mut log = Producer::new(&pipeline);
    for id in 0..3_000 {
        log.log_waiting(Entry::info(id).sized(300), PATIENCE);
    }
    assert!(pipeline.force_flush(PATIENCE));
    assert_eq!(check_ledger(&pipeline.snapshot()).delivered, 3_000);
    assert!(pipeline.shutdown(PATIENCE));
    drop((pipeline, log));
    let requests = server.requests();
    assert!(requests.len() >= 4);
    if codec == Codec::Gzip {
        assert_eq!(requests.iter().map(|request| records_of(&request.body).len()).sum::<usize>(), 3_000);
    }
}

#[test]
fn the_threads_stacks_are_large_enough_for_gzip_and_tls() {
    deliver_over_tls(Codec::Gzip, "pipeline-gzip");
}

#[cfg(feature = "zstd")]
#[test]
fn the_threads_stacks_are_large_enough_for_zstd_and_tls() {
    deliver_over_tls(Codec::Zstd, "pipeline-zstd");
}

#[test]
fn an_authority_that_the_platform_does_not_know_is_a_notice() {
    let certificates = Certificates::new("pipeline-platform");
    let server = Server::tls(certificates.server_config(false), |mut connection| {
        connection.request();
        Vec::new()
    });
    let otlp = impatient(&server.url("/v1/logs").replace("127.0.0.1", "localhost"));
    let pipeline = pipeline_with(buffer_settings(Overflow::DropOldest), Some(otlp));
    Producer::new(&pipeline).log(Entry::info(1));
    assert!(!pipeline.force_flush(Duration::from_millis(500)));
    assert!(!pipeline.shutdown(Duration::ZERO));
    assert_eq!(codes(&pipeline), ["endpoint-unreachable"]);
    drop(pipeline);
    server.close();
}
