//! What people and log readers see on the console: golden lines, and properties that hold for any record.
//!
//! Length reason: golden lines of four styles over the same records, to be compared side by side.

// A helper that cannot read what it is given fails its test, as it should.

use crate::records::{any_record, any_text, array, int, map, pair, string, value};
use fapilog_native::console::{render, ConsoleSettings, Style};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use proptest::prelude::*;
use prost::Message;
use serde_json::{json, Map};

const STYLES: [Style; 4] = [Style::Pretty, Style::Json, Style::Logfmt, Style::Minimal];

fn rendered(record: &LogRecord, scope: &str, style: Style, colour: bool) -> String {
    let mut out = String::new();
    render(&record.encode_to_vec(), scope, &ConsoleSettings { style, colour, show_scope: true }, &mut out);
    out
}

fn plain(record: &LogRecord, style: Style) -> String {
    rendered(record, "orders", style, false)
}

fn order_placed() -> LogRecord {
    LogRecord {
        // 2026-11-21T12:34:56.789012345Z
        time_unix_nano: 1_795_264_496_789_012_345,
        severity_number: 9,
        severity_text: "INFO".into(),
        body: Some(string("order placed")),
        attributes: vec![
            pair("order_id", int(42)),
            pair("amount", value(Value::DoubleValue(12.5))),
            pair("fapilog.sequence", int(7)),
        ],
        flags: 1,
        trace_id: (0x4bu8..0x5b).collect(),
        span_id: (1..9).collect(),
        ..Default::default()
    }
}

fn with_attributes(attributes: Vec<KeyValue>) -> LogRecord {
    LogRecord { severity_number: 9, body: Some(string("m")), attributes, ..Default::default() }
}

fn all_kinds() -> LogRecord {
    with_attributes(vec![
        pair("bare", string("a-b/é")),
        pair("spaced", string("a b")),
        pair("quoted", string("say \"hi\"\\")),
        pair("empty", string("")),
        pair("null", AnyValue { value: None }),
        pair("yes", value(Value::BoolValue(true))),
        pair("nan", value(Value::DoubleValue(f64::NAN))),
        pair("low", value(Value::DoubleValue(f64::NEG_INFINITY))),
        pair("min", int(i64::MIN)),
        pair("bytes", value(Value::BytesValue(vec![1, 2]))),
        pair("nested", map(vec![pair("a", array(vec![int(1), string("x\n")])), pair("a", int(2))])),
        pair("odd key", int(1)),
    ])
}

#[test]
fn pretty_is_one_readable_line() {
    let line = "12:34:56.789Z INFO  orders  order placed  order_id=42 amount=12.5  4b4c4d4e\n";
    assert_eq!(plain(&order_placed(), Style::Pretty), line);
}

#[test]
fn pretty_colours_the_severity_by_range_and_dims_the_rest() {
    assert_eq!(
        rendered(&order_placed(), "orders", Style::Pretty, true),
        "\x1b[2m12:34:56.789Z\x1b[0m \x1b[32mINFO\x1b[0m  \x1b[2morders\x1b[0m  order placed  \
         \x1b[2morder_id=\x1b[0m42 \x1b[2mamount=\x1b[0m12.5  \x1b[2m4b4c4d4e\x1b[0m\n"
    );
    let codes = ["2", "36", "32", "33", "31", "1;31"];
    for (number, code) in (1..=24).zip(codes.iter().flat_map(|code| [code; 4])) {
        let line =
            rendered(&LogRecord { severity_number: number, ..Default::default() }, "", Style::Pretty, true);
        assert!(line.starts_with(&format!("\x1b[2m--:--:--.---Z\x1b[0m \x1b[{code}m")), "{line:?}");
    }
}

#[test]
fn pretty_hides_the_scope_on_request() {
    let settings = ConsoleSettings { style: Style::Pretty, colour: false, show_scope: false };
    let mut out = String::from("kept\n");
    render(&order_placed().encode_to_vec(), "orders", &settings, &mut out);
    assert_eq!(out, "kept\n12:34:56.789Z INFO  order placed  order_id=42 amount=12.5  4b4c4d4e\n");
}

#[test]
fn pretty_quotes_only_what_would_be_misread() {
    assert_eq!(
        plain(&all_kinds(), Style::Pretty),
        "--:--:--.---Z INFO  orders  m  bare=a-b/é spaced=\"a b\" quoted=\"say \\\"hi\\\"\\\\\" empty=\"\" null=null \
         yes=true nan=NaN low=-Infinity min=-9223372036854775808 bytes=\"AQI=\" nested={\"a\":[1,\"x\\n\"]} \
         \"odd key\"=1\n"
    );
}

#[test]
fn an_event_without_a_body_shows_its_name() {
    let mut record =
        LogRecord { severity_number: 17, event_name: "order.failed".into(), ..Default::default() };
    assert_eq!(plain(&record, Style::Minimal), "ERROR [order.failed]\n");
    assert_eq!(plain(&record, Style::Pretty), "--:--:--.---Z ERROR orders  [order.failed]\n");
    record.body = Some(string("no stock"));
    assert_eq!(plain(&record, Style::Minimal), "ERROR no stock\n");
    record.body = Some(map(vec![pair("a", int(1))]));
    assert_eq!(plain(&record, Style::Minimal), "ERROR {\"a\":1}\n");
}

#[test]
fn an_empty_record_still_is_a_line_in_every_style() {
    let lines = STYLES.map(|style| rendered(&LogRecord::default(), "", style, false));
    let json = "{\"severity_text\":\"UNSPECIFIED\",\"severity_number\":0,\"scope\":\"\",\"body\":null,\"attributes\":{}}\n";
    assert_eq!(lines, ["--:--:--.---Z UNSPECIFIED\n", json, "level=unspecified\n", "UNSPECIFIED\n"]);
}

#[test]
fn minimal_is_severity_body_and_attributes() {
    assert_eq!(plain(&order_placed(), Style::Minimal), "INFO order placed order_id=42 amount=12.5\n");
}

#[test]
fn minimal_keeps_an_exception_on_its_line_without_the_stack_trace() {
    assert_eq!(
        plain(&failed(STACK), Style::Minimal),
        "ERROR failed order_id=42 exception.type=app.OrderError exception.message=\"no stock\"\n"
    );
}

#[test]
fn logfmt_quotes_canonically() {
    assert_eq!(
        plain(&order_placed(), Style::Logfmt),
        "time=2026-11-21T12:34:56.789012345Z level=info logger=orders msg=\"order placed\" order_id=42 amount=12.5 \
         fapilog.sequence=7 trace_id=4b4c4d4e4f505152535455565758595a span_id=0102030405060708\n"
    );
    assert_eq!(
        plain(&all_kinds(), Style::Logfmt),
        "level=info logger=orders msg=m bare=a-b/é spaced=\"a b\" quoted=\"say \\\"hi\\\"\\\\\" empty=\"\" null=null \
         yes=true nan=NaN low=-Infinity min=-9223372036854775808 bytes=\"AQI=\" \
         nested=\"{\\\"a\\\":[1,\\\"x\\\\n\\\"]}\" odd_key=1\n"
    );
}

#[test]
fn logfmt_attributes_cannot_pass_for_the_records_own_fields() {
    let record = LogRecord {
        event_name: "e".into(),
        ..with_attributes(vec![
            pair("level", string("error")),
            pair("trace\u{7f}id", string("forged")),
            pair("a", int(1)),
            pair("a", int(2)),
            pair("", int(3)),
        ])
    };
    assert_eq!(
        plain(&record, Style::Logfmt),
        "level=info logger=orders msg=m event_name=e attributes.level=error attributes.trace_id=forged a=1 _=3\n"
    );
}

#[test]
fn json_is_one_object_per_line() {
    assert_eq!(
        plain(&order_placed(), Style::Json),
        "{\"timestamp\":\"2026-11-21T12:34:56.789012345Z\",\"severity_text\":\"INFO\",\"severity_number\":9,\
         \"scope\":\"orders\",\"body\":\"order placed\",\
         \"attributes\":{\"order_id\":42,\"amount\":12.5,\"fapilog.sequence\":7},\
         \"trace_id\":\"4b4c4d4e4f505152535455565758595a\",\"span_id\":\"0102030405060708\",\"trace_flags\":1}\n"
    );
    let out = plain(&all_kinds(), Style::Json);
    let attributes = &serde_json::from_str::<serde_json::Value>(&out).unwrap()["attributes"];
    assert_eq!(
        *attributes,
        json!({
            "bare": "a-b/é", "spaced": "a b", "quoted": "say \"hi\"\\", "empty": "", "null": null, "yes": true,
            "nan": "NaN", "low": "-Infinity", "min": i64::MIN, "bytes": "AQI=", "nested": {"a": [1, "x\n"]},
            "odd key": 1,
        })
    );
}

#[test]
fn a_long_value_is_cut_in_pretty_and_whole_elsewhere() {
    let long = "é".repeat(2000);
    let record = LogRecord {
        body: Some(string(&long)),
        ..with_attributes(vec![
            pair("word", string(&long)),
            pair("quoted", string(&format!(" {long}"))),
            pair("list", array(vec![string(&long)])),
        ])
    };
    let (shown, odd) = ("é".repeat(1024), "é".repeat(1023));
    assert_eq!(
        plain(&record, Style::Pretty),
        format!("--:--:--.---Z INFO  orders  {shown}…  word={shown}… quoted=\" {odd}…\" list=[\"{odd}…\n")
    );
    for style in [Style::Json, Style::Logfmt, Style::Minimal] {
        assert_eq!(plain(&record, style).matches(&long).count(), 4, "{style:?}");
    }
}

const STACK: &str = r#"Traceback (most recent call last):
  File "/app/.venv/lib/python3.12/site-packages/starlette/routing.py", line 7, in app
    await call(
        scope,
    )
  File "/app/.venv/lib/python3.12/site-packages/starlette/routing.py", line 9, in app
    x()
    ~^^
  [Previous line repeated 3 more times]
  File "/app/.venv/lib/python3.12/site-packages/fastapi/routing.py", line 3, in run
  File "/app/orders.py", line 12, in place
    reserve()
  File "/usr/lib/python3.12/contextlib.py", line 81, in inner
    return func()
app.stock.Empty: shelf

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/orders.py", line 14, in place
    raise OrderError("no stock")
app.OrderError: no stock
"#;

fn failed(stack: &str) -> LogRecord {
    LogRecord {
        severity_number: 17,
        body: Some(string("failed")),
        attributes: vec![
            pair("order_id", int(42)),
            pair("exception.type", string("app.OrderError")),
            pair("exception.message", string("no stock")),
            pair("exception.stacktrace", string(stack)),
        ],
        ..Default::default()
    }
}

#[test]
fn pretty_folds_the_frames_of_libraries_in_a_traceback() {
    let expected = r#"--:--:--.---Z ERROR orders  failed  order_id=42
    | Traceback (most recent call last):
    | ... 3 frames in starlette, fastapi
    |   File "/app/orders.py", line 12, in place
    |     reserve()
    | ... 1 frame in contextlib
    | app.stock.Empty: shelf
    |
    | The above exception was the direct cause of the following exception:
    |
    | Traceback (most recent call last):
    |   File "/app/orders.py", line 14, in place
    |     raise OrderError("no stock")
    | app.OrderError: no stock
"#;
    assert_eq!(plain(&failed(STACK), Style::Pretty), expected);
    let coloured = rendered(&failed(STACK), "orders", Style::Pretty, true);
    assert!(coloured.contains("\n    | \x1b[2m... 3 frames in starlette, fastapi\x1b[0m\n"), "{coloured}");
    assert!(coloured.ends_with("\n    | \x1b[31mapp.OrderError\x1b[0m: no stock\n"), "{coloured}");
}

#[test]
fn pretty_folds_within_exception_groups_and_windows_paths_and_names_at_most_five_packages() {
    let frame = |name: &str| {
        format!("  |   File \"C:\\lib\\site-packages\\{name}\\x.py\", line 1, in f\n  |     f()\n")
    };
    let libraries: String = ["a", "b", "c", "d", "e", "f", "g"].map(frame).concat();
    let stack = format!(
        "  + Exception Group Traceback (most recent call last):\n{libraries}  |   File \"<frozen importlib._bootstrap>\", \
         line 1, in f\n  |   File \"C:\\app\\main.py\", line 2, in g\n  |     g()\n  | ExceptionGroup: two (2 sub-exceptions)\n"
    );
    assert_eq!(
        plain(&failed(&stack), Style::Pretty),
        r#"--:--:--.---Z ERROR orders  failed  order_id=42
    |   + Exception Group Traceback (most recent call last):
    | ... 8 frames in a, b, c, d, e, ...
    |   |   File "C:\app\main.py", line 2, in g
    |   |     g()
    |   | ExceptionGroup: two (2 sub-exceptions)
    | app.OrderError: no stock
"#
    );
}

#[test]
fn a_traceback_of_library_frames_only_is_shown_whole() {
    let stack = "Traceback (most recent call last):\n  File \"/usr/lib/python3/dist-packages/apt/x.py\", line 1, in f\n    f()\n\
                 OrderError: no stock";
    assert_eq!(
        plain(&failed(stack), Style::Pretty),
        r#"--:--:--.---Z ERROR orders  failed  order_id=42
    | Traceback (most recent call last):
    |   File "/usr/lib/python3/dist-packages/apt/x.py", line 1, in f
    |     f()
    | app.OrderError: no stock
"#
    );
}

#[test]
fn an_exception_without_a_stack_trace_stands_below_its_line_with_every_line_of_its_message() {
    let record = with_attributes(vec![
        pair("exception.type", string("ValueError")),
        pair("exception.message", string("one\n12:00:00.000Z INFO  forged\n\ttwo")),
    ]);
    assert_eq!(
        plain(&record, Style::Pretty),
        "--:--:--.---Z INFO  orders  m\n    | ValueError: one\n    | 12:00:00.000Z INFO  forged\n    | \\ttwo\n"
    );
}

#[test]
fn no_style_lets_a_record_forge_a_line_or_drive_the_terminal() {
    let evil = "a\r\nINFO x\u{1b}[2J\u{9b}1m\u{7f}\u{202e}\u{2028}z";
    let record = LogRecord {
        severity_number: 9,
        severity_text: evil.into(),
        body: Some(string(evil)),
        attributes: vec![pair(evil, string(evil))],
        ..Default::default()
    };
    let text = r"a\r\nINFO x\x1b[2J\x9b1m\x7f\u202e\u2028z";
    let json = r"a\r\nINFO x\u001b[2J\u009b1m\u007f\u202e\u2028z";
    assert_eq!(
        STYLES.map(|style| rendered(&record, evil, style, false)),
        [
            format!("--:--:--.---Z {text} {text}  {text}  \"{text}\"=\"{text}\"\n"),
            format!(
                "{{\"severity_text\":\"{json}\",\"severity_number\":9,\"scope\":\"{json}\",\"body\":\"{json}\",\
                 \"attributes\":{{\"{json}\":\"{json}\"}}}}\n"
            ),
            format!(
                "level=\"{}\" logger=\"{json}\" msg=\"{json}\" a__INFO_x_[2J_1m___z=\"{json}\"\n",
                json.replace("INFO", "info").replace("[2J", "[2j")
            ),
            format!("{text} {text} \"{text}\"=\"{text}\"\n"),
        ]
    );
}

#[test]
fn style_names_are_those_of_the_settings() {
    let names = ["pretty", "json", "logfmt", "minimal"];
    assert_eq!(names.map(Style::from_name), STYLES.map(Some));
    assert_eq!(Style::from_name("Pretty"), None);
}

/// The JSON style's object, written from prost's structures.
fn expected_json(record: &LogRecord, scope: &str) -> serde_json::Value {
    let mut object = Map::new();
    let nanos =
        if record.time_unix_nano == 0 { record.observed_time_unix_nano } else { record.time_unix_nano };
    let number = record.severity_number.max(0);
    if record.severity_text.is_empty() {
        let name = fapilog_native::decode::severity_short_name(number);
        object.insert("severity_text".into(), name.into());
    } else {
        object.insert("severity_text".into(), record.severity_text.clone().into());
    }
    object.insert("severity_number".into(), number.into());
    object.insert("scope".into(), scope.into());
    object.insert("body".into(), record.body.as_ref().map_or(json!(null), expected_value));
    object.insert("attributes".into(), expected_object(&record.attributes));
    let is_id = |id: &[u8], length: usize| id.len() == length && id.iter().any(|byte| *byte != 0);
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    if is_id(&record.trace_id, 16) {
        object.insert("trace_id".into(), hex(&record.trace_id).into());
    }
    if is_id(&record.span_id, 8) {
        object.insert("span_id".into(), hex(&record.span_id).into());
    }
    if record.flags != 0 || is_id(&record.trace_id, 16) {
        object.insert("trace_flags".into(), (record.flags & 0xff).into());
    }
    if !record.event_name.is_empty() {
        object.insert("event_name".into(), record.event_name.clone().into());
    }
    if record.dropped_attributes_count != 0 {
        object.insert("dropped_attributes_count".into(), record.dropped_attributes_count.into());
    }
    if nanos != 0 {
        object.insert("timestamp".into(), json!(format!("nanos {nanos}")));
    }
    object.into()
}

fn expected_object(pairs: &[KeyValue]) -> serde_json::Value {
    let mut object = Map::new();
    for pair in pairs {
        let value = pair.value.as_ref().map_or(json!(null), expected_value);
        object.entry(pair.key.clone()).or_insert(value);
    }
    object.into()
}

fn expected_value(any: &AnyValue) -> serde_json::Value {
    match &any.value {
        None | Some(Value::StringValueStrindex(_)) => json!(null),
        Some(Value::StringValue(text)) => json!(text),
        Some(Value::BoolValue(truth)) => json!(truth),
        Some(Value::IntValue(number)) => json!(number),
        Some(Value::DoubleValue(number)) if number.is_nan() => json!("NaN"),
        Some(Value::DoubleValue(number)) if *number == f64::INFINITY => json!("Infinity"),
        Some(Value::DoubleValue(number)) if *number == f64::NEG_INFINITY => json!("-Infinity"),
        Some(Value::DoubleValue(number)) => json!(number),
        Some(Value::BytesValue(bytes)) => json!(base64(bytes)),
        Some(Value::ArrayValue(array)) => array.values.iter().map(expected_value).collect(),
        Some(Value::KvlistValue(list)) => expected_object(&list.values),
    }
}

/// Bit by bit, so that it shares no idea with the encoder under test.
fn base64(bytes: &[u8]) -> String {
    let bits = bytes.iter().map(|byte| format!("{byte:08b}")).collect::<Vec<_>>().concat();
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let digit = |six: &[u8]| {
        let padded = format!("{:0<6}", String::from_utf8_lossy(six));
        alphabet[usize::from_str_radix(&padded, 2).unwrap()]
    };
    let mut text: String = bits.as_bytes().chunks(6).map(digit).collect();
    text.extend(std::iter::repeat_n('=', (3 - bytes.len() % 3) % 3));
    text
}

/// Nanoseconds since the epoch of the style's own timestamps, by counting years and months.
fn unix_nanos(timestamp: &str) -> u64 {
    let part = |range: std::ops::Range<usize>| timestamp[range].parse::<u64>().unwrap();
    let is_leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (year, month) = (part(0..4), part(5..7));
    let years: u64 = (1970..year).map(|year| 365 + u64::from(is_leap(year))).sum();
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = years + lengths[..month as usize - 1].iter().sum::<u64>() + part(8..10) - 1;
    let seconds = days * 86_400 + part(11..13) * 3600 + part(14..16) * 60 + part(17..19);
    seconds * 1_000_000_000 + part(20..29)
}

fn is_harmless(line: &str) -> bool {
    !line.contains(|character: char| {
        character.is_control()
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    })
}

/// Takes out the colours that the pretty style uses, and no other escape sequence.
fn without_colours(text: &str) -> String {
    let codes = ["0", "2", "31", "32", "33", "36", "1;31"];
    codes.iter().fold(text.to_string(), |text, code| text.replace(&format!("\x1b[{code}m"), ""))
}

fn check_lines(text: &str, style: Style) -> Result<(), TestCaseError> {
    let body = text.strip_suffix('\n').ok_or_else(|| TestCaseError::fail("no newline at the end"))?;
    for (index, line) in body.split('\n').enumerate() {
        prop_assert!(is_harmless(line), "{style:?}: {line:?}");
        let margin = line == "    |" || line.starts_with("    | ");
        prop_assert!(index == 0 || (style == Style::Pretty && margin), "{style:?}: {line:?}");
    }
    Ok(())
}

/// `key=value` pairs of a logfmt line, quoted values unquoted.
fn logfmt_pairs(line: &str) -> Vec<(String, String)> {
    let mut rest = line.trim_end_matches('\n');
    let mut pairs = Vec::new();
    while let Some((key, tail)) = rest.split_once('=') {
        let (value, after) = if tail.starts_with('"') {
            let mut stream = serde_json::Deserializer::from_str(tail).into_iter::<String>();
            let value = stream.next().unwrap().unwrap();
            (value, &tail[stream.byte_offset()..])
        } else {
            let end = tail.find(' ').unwrap_or(tail.len());
            (tail[..end].to_string(), &tail[end..])
        };
        pairs.push((key.to_string(), value));
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    pairs
}

proptest! {
    #[test]
    fn no_bytes_panic_and_their_lines_are_harmless(bytes in prop::collection::vec(any::<u8>(), 0..200), scope in any_text()) {
        for style in STYLES {
            let mut out = String::new();
            render(&bytes, &scope, &ConsoleSettings { style, colour: false, show_scope: true }, &mut out);
            check_lines(&out, style)?;
        }
    }

    #[test]
    fn the_lines_of_any_record_are_harmless(record in any_record(), scope in any_text()) {
        for style in STYLES {
            check_lines(&rendered(&record, &scope, style, false), style)?;
        }
        let coloured = rendered(&record, &scope, Style::Pretty, true);
        prop_assert_eq!(without_colours(&coloured), rendered(&record, &scope, Style::Pretty, false));
    }

    #[test]
    fn a_stack_trace_of_any_lines_stays_within_its_margin(lines in prop::collection::vec(
        prop_oneof![
            any_text(),
            (" {0,4}[|]? {0,4}", prop_oneof![Just("site-packages/"), Just("/lib/python3"), Just("app/")], any_text())
                .prop_map(|(indent, folder, text)| format!("{indent}File \"{folder}{text}\", line 1, in f")),
            " {0,8}[a-z]{0,3}",
        ],
        0..12,
    )) {
        check_lines(&plain(&failed(&lines.join("\n")), Style::Pretty), Style::Pretty)?;
    }

    #[test]
    fn json_parses_and_equals_the_record(record in any_record(), scope in any_text()) {
        let mut parsed: serde_json::Value = serde_json::from_str(&rendered(&record, &scope, Style::Json, true)).unwrap();
        if let Some(timestamp) = parsed.get_mut("timestamp") {
            *timestamp = json!(format!("nanos {}", unix_nanos(timestamp.as_str().unwrap())));
        }
        prop_assert_eq!(parsed, expected_json(&record, &scope));
    }

    #[test]
    fn logfmt_reads_back_as_written(entries in prop::collection::btree_map("[a-z.]{1,5}[0-9]", any_text(), 0..8), body in any_text()) {
        let attributes = entries.iter().map(|(key, text)| pair(key, string(text))).collect();
        let record = LogRecord { body: Some(string(&body)), ..with_attributes(attributes) };
        let mut expected = vec![("level".to_string(), "info".to_string()), ("msg".to_string(), body)];
        expected.extend(entries);
        prop_assert_eq!(logfmt_pairs(&rendered(&record, "", Style::Logfmt, false)), expected);
    }
}
