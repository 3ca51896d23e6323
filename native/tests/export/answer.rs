//! What an OTLP/HTTP response means: every clause of OTLP's "OTLP/HTTP Response".

use fapilog_native::export::http::answer::{classify, Answer};
use fapilog_native::export::http::echo::Echo;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use proptest::prelude::*;
use prost::Message;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const PROTOBUF: Option<&str> = Some("application/x-protobuf");

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(784_111_777) // Sun, 06 Nov 1994 08:49:37 GMT
}

fn partial(rejected_log_records: i64, error_message: &str) -> Vec<u8> {
    let partial_success =
        Some(ExportLogsPartialSuccess { rejected_log_records, error_message: error_message.to_owned() });
    ExportLogsServiceResponse { partial_success }.encode_to_vec()
}

fn delivered(rejected_records: u64, warning: Option<&str>) -> Answer {
    Answer::Delivered { rejected_records, warning: warning.map(str::to_owned) }
}

fn status_message(message: &str) -> Vec<u8> {
    let mut body = vec![0x08, 3, 0x12];
    prost::encoding::encode_varint(message.len() as u64, &mut body);
    body.extend_from_slice(message.as_bytes());
    body
}

fn after(value: &str) -> Option<Duration> {
    match classify(503, Some(value), None, b"", now(), &Echo::default()) {
        Answer::Retry { after, .. } => after,
        other => panic!("503 must be retried, not {other:?}"),
    }
}

#[test]
fn a_success_is_full_unless_its_protobuf_body_says_otherwise() {
    let answer = |content_type, body: &[u8]| classify(200, None, content_type, body, now(), &Echo::default());
    assert_eq!(answer(PROTOBUF, b""), delivered(0, None));
    assert_eq!(answer(PROTOBUF, &partial(3, "too old")), delivered(3, Some("too old")));
    assert_eq!(answer(Some("Application/X-Protobuf; v=1"), &partial(3, "")), delivered(3, None));
    assert_eq!(answer(PROTOBUF, &partial(0, "use TLS")), delivered(0, Some("use TLS")));
    assert_eq!(answer(PROTOBUF, &partial(0, "")), delivered(0, None));
    assert_eq!(answer(PROTOBUF, &partial(-5, "")), delivered(0, None));
    assert_eq!(answer(PROTOBUF, b"<html>garbage"), delivered(0, None));
    assert_eq!(answer(PROTOBUF, &partial(3, "cut off")[..5]), delivered(0, None));
    assert_eq!(answer(None, &partial(3, "")), delivered(0, None));
    assert_eq!(classify(204, None, None, b"", now(), &Echo::default()), delivered(0, None));
}

#[test]
fn a_partial_success_is_read_from_json_too_with_counts_as_text_or_numbers() {
    let answer = |body: &str| {
        classify(200, None, Some("application/json; charset=utf-8"), body.as_bytes(), now(), &Echo::default())
    };
    for count in [r#""3""#, "3"] {
        let body =
            format!(r#"{{"partialSuccess":{{"rejectedLogRecords":{count},"errorMessage":"too\nold"}}}}"#);
        assert_eq!(answer(&body), delivered(3, Some(r"too\nold")));
    }
    let warning = r#"{"partialSuccess":{"errorMessage":"use TLS"},"unknown":[1,{"a":null}]}"#;
    assert_eq!(answer(warning), delivered(0, Some("use TLS")));
    let full = [
        "",
        "{}",
        "null",
        "[]",
        r#"{"partialSuccess":{}}"#,
        r#"{"partialSuccess":null}"#,
        r#"{"partialSuccess":{"rejectedLogRecords":"#,
    ];
    let odd = [r#""-3""#, "-3", "1.5", r#""x""#, "null", "[]", "1e30"];
    let odd = odd.map(|count| format!(r#"{{"partialSuccess":{{"rejectedLogRecords":{count}}}}}"#));
    for body in full.into_iter().chain(odd.iter().map(String::as_str)) {
        assert_eq!(answer(body), delivered(0, None), "{body}");
    }
}

#[test]
fn exactly_429_502_503_and_504_are_retried_and_only_413_is_too_large() {
    for status in 200..600 {
        let answer = classify(status, None, None, b"", now(), &Echo::default());
        let fits = match status {
            200..=299 => matches!(answer, Answer::Delivered { .. }),
            429 | 502 | 503 | 504 => matches!(answer, Answer::Retry { after: None, .. }),
            413 => matches!(answer, Answer::TooLarge { .. }),
            _ => matches!(answer, Answer::Rejected { .. }),
        };
        assert!(fits, "{status} became {answer:?}");
    }
}

#[test]
fn retry_after_is_read_as_seconds_or_as_an_http_date_and_garbage_is_ignored() {
    assert_eq!(after("120"), Some(Duration::from_secs(120)));
    assert_eq!(after(" 0 "), Some(Duration::ZERO));
    assert_eq!(after("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
    assert_eq!(after("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
    assert_eq!(after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
    for garbage in ["", "-1", "+5", "1.5", "soon", "Sun, 99 Nov 1994 08:49:47 GMT", "\u{661}"] {
        assert_eq!(after(garbage), None, "{garbage:?}");
    }
}

#[test]
fn the_cause_names_the_status_what_the_server_says_and_what_to_do() {
    let cause = |status, content_type, body: &[u8]| match classify(
        status,
        None,
        content_type,
        body,
        now(),
        &Echo::default(),
    ) {
        Answer::Rejected { cause } | Answer::Retry { cause, .. } | Answer::TooLarge { cause } => cause,
        Answer::Delivered { .. } => panic!("{status} is no success"),
    };
    assert_eq!(
        cause(401, PROTOBUF, &status_message("no such key")),
        "HTTP 401 Unauthorized: no such key (check the credentials in the exporter's headers)"
    );
    assert_eq!(cause(400, PROTOBUF, b"<html>"), "HTTP 400 Bad Request");
    let json = Some("application/json");
    assert_eq!(
        cause(400, json, br#"{"code":3,"message":"bad\nrecord"}"#),
        r"HTTP 400 Bad Request: bad\nrecord"
    );
    assert_eq!(cause(400, json, br#"{"error":7}"#), r#"HTTP 400 Bad Request: {"error":7}"#);
    assert_eq!(cause(400, json, b"{broken"), "HTTP 400 Bad Request: {broken");
    assert_eq!(cause(400, Some("text/html"), b"<html>"), "HTTP 400 Bad Request");
    assert_eq!(
        cause(500, Some("text/plain; charset=utf-8"), b"oops\n"),
        "HTTP 500 Internal Server Error: oops"
    );
    assert_eq!(
        cause(301, None, b""),
        "HTTP 301 Moved Permanently (redirects are not followed: set the endpoint to the final URL)"
    );
    assert_eq!(cause(599, None, b""), "HTTP 599");
    assert_eq!(
        cause(400, PROTOBUF, &status_message("a\nb\u{1b}[31m\u{202e}c")),
        r"HTTP 400 Bad Request: a\nb\u{1b}[31m\u{202e}c"
    );
    let long = cause(400, PROTOBUF, &status_message(&"é".repeat(5_000)));
    assert_eq!(long, format!("HTTP 400 Bad Request: {}…", "é".repeat(200)));
}

proptest! {
    #[test]
    fn no_response_can_break_the_classification(
        status in 100u16..1000,
        retry_after in proptest::option::of(".{0,40}"),
        body in proptest::collection::vec(any::<u8>(), 0..200),
        content_type in prop::sample::select(vec!["application/x-protobuf", "application/json", "text/plain"]),
    ) {
        let content_type = Some(content_type);
        let answer = classify(status, retry_after.as_deref(), content_type, &body, now(), &Echo::default());
        if let Answer::Rejected { cause } | Answer::Retry { cause, .. } | Answer::TooLarge { cause } = answer {
            prop_assert!(!cause.chars().any(char::is_control));
        }
    }
}

#[test]
fn what_a_server_repeats_of_the_request_is_hidden_before_the_text_is_cut() {
    let headers: [&[u8]; 3] = [b"Bearer SECRETTOKEN", b"SECRETHEADER", b"1"];
    let echo =
        Echo::of("/otlp/SECRETPATH/v1/logs?key=SECRET%2FQUERY", "user:SECRETPASS", headers.into_iter());
    let said = "No /otlp/SECRETPATH/v1/logs?key=SECRET/QUERY, SECRET%2FQUERY, SECRETTOKEN, SECRETHEADER, SECRETPASS 1";
    let shown = "No /otlp/***/v1/logs?key=***, ***, ***, ***, *** 1";
    let rejected =
        |status, content_type, body: &[u8]| classify(status, None, content_type, body, now(), &echo);
    for (content_type, body) in [
        (Some("text/plain"), said.as_bytes().to_vec()),
        (Some("application/json"), format!(r#"{{"message": "{said}"}}"#).into_bytes()),
        (PROTOBUF, status_message(said)),
    ] {
        let cause = format!("HTTP 400 Bad Request: {shown}");
        assert_eq!(rejected(400, content_type, &body), Answer::Rejected { cause });
    }
    assert_eq!(rejected(200, PROTOBUF, &partial(1, said)), delivered(1, Some(shown)));
    let json = format!(r#"{{"partialSuccess": {{"rejectedLogRecords": "1", "errorMessage": "{said}"}}}}"#);
    assert_eq!(rejected(200, Some("application/json"), json.as_bytes()), delivered(1, Some(shown)));
    let cut = format!("{}SECRETTOKEN", "x".repeat(195));
    let Answer::Rejected { cause } = rejected(400, Some("text/plain"), cut.as_bytes()) else { panic!() };
    assert!(cause.ends_with("x***"), "{cause}");
}

proptest! {
    #[test]
    fn no_secret_of_a_request_is_left_in_an_answer(
        around in "[a-c *%]{0,20}",
        secrets in proptest::collection::vec("[A-Z0-9]{6,20}", 1..4),
    ) {
        let headers = secrets.iter().map(String::as_bytes);
        let said = secrets.join(&around) + &around;
        let hidden = Echo::of("", "", headers).hide(said.as_bytes()).into_owned();
        let hidden = String::from_utf8(hidden).unwrap();
        prop_assert!(secrets.iter().all(|secret| !hidden.contains(secret.as_str())), "{hidden}");
    }
}
