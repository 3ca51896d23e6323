//! One attempt over real sockets, against small servers on the loopback address.

use crate::sending::{numbered_block, otlp_settings, request_of};
use crate::serving::{self, reply, Connection, Server};
use fapilog_native::block::{Block, Codec};
use fapilog_native::export::http::answer::Answer;
use fapilog_native::export::http::{HttpTransport, Transport};
use fapilog_native::seal::compress::decompress;
use fapilog_native::settings::{HttpProtocol, OtlpSettings};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use std::time::Duration;

fn delivered() -> Answer {
    Answer::Delivered { rejected_records: 0, warning: None }
}

fn transport(settings: &OtlpSettings) -> HttpTransport {
    HttpTransport::with_environment(settings, &|_| None).unwrap()
}

fn retry_cause(answer: Answer) -> String {
    match answer {
        Answer::Retry { after: None, cause } => cause,
        other => panic!("expected a retry, not {other:?}"),
    }
}

#[test]
fn a_request_is_what_otlp_says_and_names_its_length() {
    let server = Server::plain(|mut connection| {
        let request = connection.request().unwrap();
        connection.write(&reply(200, ""));
        vec![request]
    });
    let block = numbered_block(3);
    assert_eq!(transport(&otlp_settings(&server.url("/v1/logs?k=v"))).send(&block).answer, delivered());
    let address = server.address;
    let request = server.requests().remove(0);
    assert_eq!(request.line, "POST /v1/logs?k=v HTTP/1.1");
    let mut headers = request.headers.clone();
    headers.sort();
    let expected = [
        "accept: application/x-protobuf".to_owned(),
        "content-encoding: gzip".to_owned(),
        format!("content-length: {}", block.body.len()),
        "content-type: application/x-protobuf".to_owned(),
        format!("host: {address}"),
        "user-agent: fapilog/1.0.0 OTel-OTLP-Exporter-Python/1.45.1".to_owned(),
        "x-tenant: blue".to_owned(),
    ];
    assert_eq!(headers, expected);
    assert_eq!(request.body, block.body);
}

/// What a server got from one block sent as JSON.
fn sent_as_json(block: &Block, codec: Codec) -> (Answer, serving::Request) {
    let server = Server::plain(|mut connection| {
        let request = connection.request().unwrap();
        let body = r#"{"partialSuccess":{"rejectedLogRecords":"1"}}"#;
        let head = "HTTP/1.1 200 X\r\ncontent-type: application/json\r\n";
        connection.write(&format!("{head}content-length: {}\r\n\r\n{body}", body.len()));
        vec![request]
    });
    let settings =
        OtlpSettings { protocol: HttpProtocol::Json, codec, ..otlp_settings(&server.url("/v1/logs")) };
    let answer = transport(&settings).send(block).answer;
    (answer, server.requests().remove(0))
}

#[test]
fn a_block_goes_out_as_json_under_the_wanted_compression_whatever_it_was_sealed_with() {
    let protobuf = numbered_block(3);
    for (codec, encoding) in [(Codec::Gzip, "gzip"), (Codec::Zstd, "zstd"), (Codec::Identity, "")] {
        let (answer, request) = sent_as_json(&protobuf, codec);
        assert_eq!(answer, Answer::Delivered { rejected_records: 1, warning: None });
        let has = |header: &str| request.headers.iter().any(|sent| sent == header);
        assert!(has("content-type: application/json") && has("accept: application/json"), "{request:?}");
        assert_eq!(has(&format!("content-encoding: {encoding}")), codec != Codec::Identity);
        let body = decompress(codec, &request.body, 1 << 20).unwrap();
        let document: ExportLogsServiceRequest = serde_json::from_slice(&body).unwrap();
        assert_eq!(document, request_of(&protobuf));
    }
}

#[test]
fn a_block_that_is_too_large_as_json_is_left_to_be_split() {
    let block = numbered_block(100);
    let limit = block.raw_bytes + 10;
    let settings = OtlpSettings {
        protocol: HttpProtocol::Json,
        max_request_bytes: limit,
        ..otlp_settings("http://127.0.0.1:1/")
    };
    let Answer::TooLarge { cause } = transport(&settings).send(&block).answer else { panic!("it fits") };
    assert!(cause.ends_with(&format!("bytes as JSON, the exporter sends {limit} at most")), "{cause}");
}

#[test]
fn credentials_in_the_url_are_sent_and_never_shown() {
    let server = Server::plain(|mut connection| vec![connection.request().unwrap()]);
    let url = server.url("/v1/logs");
    let with_credentials = url.replace("://", "://user:hunter2@");
    let cause = retry_cause(transport(&otlp_settings(&with_credentials)).send(&numbered_block(1)).answer);
    assert_eq!(cause, format!("cannot reach {url}: Peer disconnected"));
    let request = server.requests().remove(0);
    assert!(request.headers.contains(&"authorization: Basic dXNlcjpodW50ZXIy".to_owned()), "{request:?}");
}

#[test]
fn an_uncompressed_block_has_no_content_encoding() {
    let server = Server::plain(|mut connection| {
        let request = connection.request().unwrap();
        connection.write(&reply(200, ""));
        vec![request]
    });
    let block = Block { codec: Codec::Identity, ..numbered_block(1) };
    assert_eq!(transport(&otlp_settings(&server.url("/"))).send(&block).answer, delivered());
    let request = server.requests().remove(0);
    assert!(!request.headers.iter().any(|header| header.starts_with("content-encoding")));
}

#[test]
fn a_connection_is_kept_and_used_again() {
    let server = Server::plain(|mut connection| {
        let mut requests = Vec::new();
        while let Some(request) = connection.request() {
            connection.write(&reply(200, ""));
            requests.push(request);
        }
        requests
    });
    let transport = transport(&otlp_settings(&server.url("/v1/logs")));
    for _ in 0..5 {
        assert_eq!(transport.send(&numbered_block(2)).answer, delivered());
    }
    drop(transport);
    assert_eq!(server.finish(), [5]);
}

#[test]
fn a_connection_that_the_server_closed_while_idle_is_replaced_without_a_failure() {
    let server = Server::plain(|mut connection| {
        let request = connection.request().unwrap();
        connection.write(&reply(200, ""));
        vec![request]
    });
    let transport = transport(&otlp_settings(&server.url("/v1/logs")));
    for _ in 0..3 {
        assert_eq!(transport.send(&numbered_block(2)).answer, delivered());
        server.wait_until_closed();
    }
    drop(transport);
    assert_eq!(server.finish(), [1, 1, 1]);
}

#[test]
fn a_connection_that_breaks_as_it_is_used_again_is_replaced_once_and_then_retried() {
    // Each connection answers one request, reads the next one and hangs up without a word.
    let server = Server::plain(|mut connection| {
        let first = connection.request().unwrap();
        if connection.number < 2 {
            connection.write(&reply(200, ""));
            return [Some(first), connection.request()].into_iter().flatten().collect();
        }
        vec![first]
    });
    let transport = transport(&otlp_settings(&server.url("/v1/logs")));
    assert_eq!(transport.send(&numbered_block(2)).answer, delivered());
    assert_eq!(transport.send(&numbered_block(2)).answer, delivered());
    let cause = retry_cause(transport.send(&numbered_block(2)).answer);
    assert_eq!(cause, format!("cannot reach {}: Peer disconnected", server.url("/v1/logs")));
    drop(transport);
    assert_eq!(server.finish(), [2, 2, 1]);
}

#[test]
fn an_answer_that_takes_too_long_is_retried() {
    let server = Server::plain(|mut connection| {
        let request = connection.request().unwrap();
        connection.wait_for_close();
        vec![request]
    });
    let mut settings = otlp_settings(&server.url("/v1/logs"));
    settings.timeout = Some(Duration::from_millis(100));
    let cause = retry_cause(transport(&settings).send(&numbered_block(2)).answer);
    assert_eq!(cause, format!("cannot reach {}: timed out (global)", server.url("/v1/logs")));
}

#[test]
fn an_endpoint_that_refuses_connections_is_retried() {
    let server = Server::plain(|_| Vec::new());
    let url = server.url("/v1/logs");
    server.close();
    let cause = retry_cause(transport(&otlp_settings(&url)).send(&numbered_block(2)).answer);
    assert!(cause.starts_with(&format!("cannot reach {url}: Connection refused")), "{cause}");
}

#[test]
fn a_request_that_is_cut_off_is_retried() {
    let server = Server::plain(|mut connection| {
        connection.read_some();
        Vec::new()
    });
    let block = Block { body: vec![7; 8_000_000], ..numbered_block(2) };
    let cause = retry_cause(transport(&otlp_settings(&server.url("/"))).send(&block).answer);
    assert!(cause.contains("cannot reach"), "{cause}");
}

#[test]
fn an_answer_given_before_the_request_was_read_counts() {
    let server = Server::plain(|mut connection| {
        connection.read_some();
        connection.write(&reply(413, "text/plain").replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
        Vec::new()
    });
    let block = Block { body: vec![7; 8_000_000], ..numbered_block(2) };
    assert_eq!(
        transport(&otlp_settings(&server.url("/"))).send(&block).answer,
        Answer::TooLarge { cause: "HTTP 413 Payload Too Large".into() }
    );
}

#[test]
fn an_answer_whose_body_breaks_off_or_is_too_long_keeps_the_meaning_of_its_status() {
    let server = Server::plain(|mut connection| {
        let request = connection.request().unwrap();
        let status = if connection.number == 1 { 400 } else { 200 };
        let length = if connection.number == 2 { 5_000 } else { 100 };
        connection.write(&format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-protobuf\r\ncontent-length: {length}\r\n\r\n"
        ));
        connection.write(&"\u{0}".repeat(if length == 100 { 10 } else { length }));
        vec![request]
    });
    let mut settings = otlp_settings(&server.url("/"));
    settings.max_response_bytes = 1_000;
    let transport = transport(&settings);
    let warned = |text: &str| Answer::Delivered {
        rejected_records: 0,
        warning: Some(format!("the answer could not be read: {text}")),
    };
    assert_eq!(transport.send(&numbered_block(2)).answer, warned("Peer disconnected"));
    assert_eq!(
        transport.send(&numbered_block(2)).answer,
        Answer::Rejected { cause: "HTTP 400 Bad Request".into() }
    );
    assert_eq!(transport.send(&numbered_block(2)).answer, warned("it is larger than 1000 bytes"));
}

#[test]
fn an_answer_whose_body_dribbles_does_not_hold_the_sender_and_its_connection_is_not_used_again() {
    let server = Server::plain(|mut connection| {
        let request = connection.request().unwrap();
        if connection.number > 0 {
            connection.write(&reply(200, "application/x-protobuf"));
            return vec![request];
        }
        connection
            .write("HTTP/1.1 200 X\r\ncontent-type: application/x-protobuf\r\ncontent-length: 60\r\n\r\n");
        // The client gives up first: with all sixty bytes here, the answer would have no warning.
        while connection.try_write("\u{0}") {
            std::thread::sleep(Duration::from_secs(1));
        }
        vec![request]
    });
    let settings = OtlpSettings { timeout: None, ..otlp_settings(&server.url("/")) };
    let transport = transport(&settings);
    let warning = Some("the answer could not be read: timed out (receive body)".into());
    let taken = Answer::Delivered { rejected_records: 0, warning };
    assert_eq!(transport.send(&numbered_block(2)).answer, taken);
    assert_eq!(transport.send(&numbered_block(2)).answer, delivered());
    drop(transport);
    assert_eq!(server.finish(), [1, 1], "one connection for each request");
}

#[test]
fn an_answer_that_is_not_http_is_retried() {
    let server = Server::plain(|mut connection| {
        let request = connection.request().unwrap();
        connection.write("SSH-2.0-OpenSSH_9.6\r\n\r\n");
        vec![request]
    });
    let cause = retry_cause(transport(&otlp_settings(&server.url("/"))).send(&numbered_block(2)).answer);
    assert!(cause.contains("protocol"), "{cause}");
}

#[test]
fn redirects_are_refused_and_not_followed() {
    for status in [301, 302, 307, 308] {
        let server = Server::plain(move |mut connection| {
            let request = connection.request().unwrap();
            connection
                .write(&format!("HTTP/1.1 {status} X\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"));
            vec![request]
        });
        let transport = transport(&otlp_settings(&server.url("/")));
        assert!(matches!(transport.send(&numbered_block(1)).answer, Answer::Rejected { .. }));
        drop(transport);
        assert_eq!(server.finish(), [1]);
    }
}

#[test]
fn a_throttle_and_a_partial_success_reach_the_caller() {
    let server = Server::plain(|mut connection| {
        let first = connection.request().unwrap();
        connection.write("HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n");
        let second = connection.request().unwrap();
        connection
            .write("HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 4\r\n\r\n");
        connection.write("\u{0a}\u{02}\u{08}\u{03}");
        vec![first, second]
    });
    let transport = transport(&otlp_settings(&server.url("/")));
    let cause = "HTTP 429 Too Many Requests".into();
    assert_eq!(
        transport.send(&numbered_block(5)).answer,
        Answer::Retry { after: Some(Duration::from_secs(7)), cause }
    );
    assert_eq!(
        transport.send(&numbered_block(5)).answer,
        Answer::Delivered { rejected_records: 3, warning: None }
    );
}

fn answer_once(mut connection: Connection) -> Vec<serving::Request> {
    let request = connection.request();
    if request.is_some() {
        connection.write(&reply(200, ""));
    }
    request.into_iter().collect()
}

#[test]
fn a_proxy_is_asked_for_a_tunnel_with_its_credentials_and_keeps_it() {
    let target = Server::plain(|mut connection| {
        let mut requests = Vec::new();
        while let Some(request) = connection.request() {
            connection.write(&reply(200, ""));
            requests.push(request);
        }
        requests
    });
    let proxy = Server::plain(|mut connection| {
        let request = connection.request().unwrap();
        connection.write("HTTP/1.1 200 Connection established\r\n\r\n");
        let to = request.line.split(' ').nth(1).unwrap().to_owned();
        connection.tunnel(&to);
        vec![request]
    });
    let variable = format!("http://user:pass@{}", proxy.address);
    let lookup = |name: &str| (name == "http_proxy").then(|| variable.clone());
    let settings = otlp_settings(&target.url("/v1/logs"));
    let transport = HttpTransport::with_environment(&settings, &lookup).unwrap();
    assert_eq!(transport.send(&numbered_block(2)).answer, delivered());
    assert_eq!(transport.send(&numbered_block(2)).answer, delivered());
    drop(transport);
    let address = target.address;
    assert_eq!(target.finish(), [2]);
    let request = proxy.requests().remove(0);
    assert_eq!(request.line, format!("CONNECT {address} HTTP/1.1"));
    assert!(request.headers.contains(&"proxy-authorization: Basic dXNlcjpwYXNz".to_owned()));
}

#[test]
fn a_proxy_that_refuses_is_retried_and_no_proxy_goes_around_it() {
    let target = Server::plain(answer_once);
    let proxy = Server::plain(|mut connection| {
        let request = connection.request().unwrap();
        connection.write("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
        vec![request]
    });
    let settings = otlp_settings(&target.url("/v1/logs"));
    let through = |no_proxy: Option<&'static str>| {
        let url = format!("http://{}", proxy.address);
        let lookup = move |name: &str| match name {
            "ALL_PROXY" => Some(url.clone()),
            "NO_PROXY" => no_proxy.map(str::to_owned),
            _ => None,
        };
        HttpTransport::with_environment(&settings, &lookup).unwrap().send(&numbered_block(2)).answer
    };
    let cause = retry_cause(through(None));
    assert!(cause.contains("CONNECT proxy failed: proxy server responded 403"), "{cause}");
    assert_eq!(through(Some("127.0.0.1")), delivered());
}

#[test]
fn one_transport_serves_several_threads_with_a_connection_each() {
    let server = Server::plain(|mut connection| {
        let mut requests = Vec::new();
        while let Some(request) = connection.request() {
            connection.write(&reply(200, ""));
            requests.push(request);
        }
        requests
    });
    let transport = transport(&otlp_settings(&server.url("/v1/logs")));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                (0..25).for_each(|_| assert_eq!(transport.send(&numbered_block(2)).answer, delivered()));
            });
        }
    });
    drop(transport);
    let per_connection = server.finish();
    assert_eq!(per_connection.iter().sum::<usize>(), 100);
    assert!(per_connection.len() <= 4, "{per_connection:?}");
}
