//! No limit cuts a value in two before it was looked at.

use crate::records::{array, int, map, pair, string, value};
use fapilog_native::record::fields::SeverityField;
use fapilog_native::record::RecordWriter;
use fapilog_native::redact::actions::Action;
use fapilog_native::redact::lengths::{marker_around, KEPT_TEXT_BYTES, READ_TEXT_BYTES};
use fapilog_native::redact::rules::actions::RuleAction;
use fapilog_native::redact::rules::{About, RuleSettings, Rules};
use fapilog_native::redact::stricter::Stricter;
use fapilog_native::redact::truncate::fit;
use fapilog_native::redact::values::ValuePolicy;
use fapilog_native::redact::{clean, FrameSettings, Policy};
use fapilog_native::scan::kind::{Kind, Kinds};
use fapilog_native::scan::Settings;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use proptest::prelude::*;
use prost::Message;

const FRAME: FrameSettings = FrameSettings { record_bytes: 1 << 24, sequenced: false };
const CARD: &str = "4111111111111111";

/// Looks for card numbers and URL credentials.
fn cards() -> Policy {
    let kinds: Kinds = [Kind::Pan].into_iter().collect();
    Policy::default().with_values(ValuePolicy::new(Settings { kinds }, []))
}

fn cleaned(policy: &Policy, record: &LogRecord) -> LogRecord {
    let mut writer = RecordWriter::new();
    writer.begin(0, 0, &SeverityField::NONE, None);
    writer.replace(&record.encode_to_vec());
    assert!(!clean(&mut writer, policy, FRAME));
    let out = LogRecord::decode(writer.record()).unwrap();
    assert!(!clean(&mut writer, policy, FRAME));
    assert_eq!(LogRecord::decode(writer.record()).unwrap(), out, "a second pass changes nothing");
    out
}

fn with(attributes: Vec<KeyValue>) -> LogRecord {
    LogRecord { attributes, ..LogRecord::default() }
}

/// What a value under the key `x` becomes.
fn becomes(policy: &Policy, given: AnyValue) -> AnyValue {
    cleaned(policy, &with(vec![pair("x", given)])).attributes.remove(0).value.unwrap()
}

/// What a body becomes.
fn text_of_body(policy: &Policy, text: &str) -> String {
    let record = LogRecord { body: Some(string(text)), ..LogRecord::default() };
    match cleaned(policy, &record).body.unwrap().value {
        Some(Value::StringValue(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_limit_cuts_behind_the_scan() {
    let policy = cards().with_value_length(Some(18));
    assert_eq!(becomes(&policy, string(&format!("pay {CARD}"))), string("pay [REDACTED:pan]"));
    assert_eq!(becomes(&policy, string("pay 411111111111111 and more")), string("pay 41111111111111"));
    let url = "see https://ann:hunter2@example.org";
    let seen = Policy::default().with_value_length(Some(16));
    assert_eq!(becomes(&seen, string(url)), string("see https://REDA"));
}

#[test]
fn a_marker_is_kept_whole() {
    let text = format!("pay {CARD} now");
    for length in 0..=4 {
        assert_eq!(becomes(&cards().with_value_length(Some(length)), string(&text)), string(&text[..length]));
    }
    for length in 5..=18 {
        let policy = cards().with_value_length(Some(length));
        assert_eq!(becomes(&policy, string(&text)), string("pay [REDACTED:pan]"), "{length}");
    }
    assert_eq!(becomes(&cards().with_value_length(Some(19)), string(&text)), string("pay [REDACTED:pan] "));
}

#[test]
fn the_limit_counts_code_points_and_bytes_at_any_depth_and_spares_names_and_the_body() {
    let long = || string("äöüß€𝄞x");
    let bytes = || value(Value::BytesValue(vec![0xff; 9]));
    let nested = |text: AnyValue, bytes: AnyValue| {
        array(vec![map(vec![pair("long name", text), pair("b", bytes)]), int(7), AnyValue::default()])
    };
    let given = LogRecord {
        body: Some(long()),
        attributes: vec![pair("first name", nested(long(), bytes())), pair("y", long())],
        ..LogRecord::default()
    };
    let cut = nested(string("äöüß€"), value(Value::BytesValue(vec![0xff; 5])));
    let expected = LogRecord {
        attributes: vec![pair("first name", cut), pair("y", string("äöüß€"))],
        ..given.clone()
    };
    assert_eq!(cleaned(&Policy::default().with_value_length(Some(5)), &given), expected);
}

#[test]
fn what_fapilog_notes_and_the_uid_are_not_cut() {
    let uid = pair("log.record.uid", string("01JD0000000000000000000000"));
    let given = with(vec![pair("a", string(CARD)), uid.clone()]);
    let expected = with(vec![
        pair("a", string("[REDACTED:pan]")),
        uid,
        pair("fapilog.redacted", array(vec![string("a:pan")])),
    ]);
    assert_eq!(cleaned(&cards().with_value_length(Some(3)), &given), expected);
}

#[test]
fn where_reading_ended_no_piece_of_a_value_is_kept() {
    // As capture reads it: what was behind the card number's first digits is gone.
    let ends = ["4111 1111 1111", "https://ann:hun", "41111111", "-----BEGIN PRIVATE KEY-----\nMIIB"];
    for end in ends {
        for filler in ["x ", "x", "192.0.2.1, ", "4111111111111111 ", "{\"a\":1},"] {
            let mut text = filler.repeat(READ_TEXT_BYTES / filler.len());
            text.truncate(READ_TEXT_BYTES - end.len());
            text.push_str(end);
            for policy in [Policy::default(), cards()] {
                let out = text_of_body(&policy, &text);
                assert!(!out.ends_with(end), "{filler} {end}");
                assert!(out.len() <= KEPT_TEXT_BYTES && out.len() > KEPT_TEXT_BYTES / 2, "{}", out.len());
            }
        }
    }
}

#[test]
fn a_value_at_the_end_of_what_is_kept_goes_or_stays_whole() {
    for before in KEPT_TEXT_BYTES - 24..=KEPT_TEXT_BYTES {
        for (card, policy) in [(CARD, cards()), ("4111 1111 1111 1111", cards())] {
            let text = format!("{}{card} {}", "x ".repeat(before / 2), "y ".repeat(9_000));
            let out = text_of_body(&policy, &text);
            let end = out.trim_end_matches(' ').rsplit(' ').next().unwrap_or_default();
            assert!(["x", "y", "[REDACTED:pan]"].contains(&end), "{end}");
        }
    }
    let text =
        format!("{}https://ann:hunter2@example.org {}", "x".repeat(KEPT_TEXT_BYTES - 15), "y ".repeat(9_000));
    assert!(text_of_body(&Policy::default(), &text).ends_with("xhttps://"));
}

#[test]
fn texts_of_usual_lengths_are_kept_whole() {
    let text = "word ".repeat(KEPT_TEXT_BYTES / 5);
    assert_eq!(text_of_body(&cards(), &text), text);
    let broken = [&vec![b'x'; KEPT_TEXT_BYTES + 9][..], &[0xff, 0xfe]].concat();
    let kept = value(Value::BytesValue(vec![b'x'; KEPT_TEXT_BYTES]));
    assert_eq!(becomes(&cards(), value(Value::BytesValue(broken))), kept);
}

#[test]
fn no_cut_goes_through_what_the_policy_of_a_destination_hides() {
    let later = [Stricter::new(cards())];
    let policy = Policy::default().with_later(&later).with_value_length(Some(18));
    assert_eq!(becomes(&policy, string(&format!("pay {CARD} now"))), string("pay "));
    assert_eq!(becomes(&policy, string(&format!("or {CARD} no"))), string("or "));
    assert_eq!(becomes(&policy, string(&format!("{CARD} now"))), string("4111111111111111 n"));
    assert_eq!(becomes(&policy, string("no card number at all")), string("no card number at "));
    let text = format!("{}4111 1111 1111 1111 and more", "x ".repeat(16_358));
    let record = LogRecord { body: Some(string(&text.repeat(2))), ..LogRecord::default() };
    let short = fit(&record.encode_to_vec(), 65_536, &policy).unwrap();
    let Some(Value::StringValue(body)) = LogRecord::decode(short.as_slice()).unwrap().body.unwrap().value
    else {
        panic!()
    };
    assert_eq!(body, "x ".repeat(16_358));
}

/// Looks for what matches.
fn matches(regex: &str) -> Policy {
    let about = About::Pattern(regex.to_owned());
    let rule = RuleSettings { name: "x".to_owned(), about, action: RuleAction::Remove };
    Policy::default().with_values(ValuePolicy::of_rules(Rules::new(&[rule]).unwrap()))
}

#[test]
fn no_cut_moves_back_into_what_another_destination_hides() {
    let later = [Stricter::new(cards()), Stricter::new(matches("1111 ship [0-9]+"))];
    for later in [later.clone(), [later[1].clone(), later[0].clone()]] {
        let policy = Policy::default().with_later(&later).with_value_length(Some(24));
        let text = "pan 4111 1111 1111 1111 ship 42 of many";
        assert_eq!(becomes(&policy, string(text)), string("pan "));
    }
}

#[test]
fn no_cut_behind_a_marker_goes_through_what_a_destination_hides() {
    let later = [Stricter::new(matches("case .+ closed"))];
    let policy = cards().with_later(&later).with_value_length(Some(12));
    assert_eq!(becomes(&policy, string(&format!("a case {CARD} closed now"))), string("a "));
    assert_eq!(becomes(&policy, string(&format!("a case {CARD} now"))), string("a case [REDACTED:pan]"));
}

#[test]
fn no_cut_goes_through_a_value_in_bytes_that_are_no_text() {
    let later = [Stricter::new(cards())];
    let policy = Policy::default().with_later(&later).with_value_length(Some(18));
    let bytes = |parts: &[&[u8]]| value(Value::BytesValue(parts.concat()));
    let card = b"4111 1111 1111 1111".as_slice();
    for bad in [b"\xff".as_slice(), b"\xff\xfe ", "ä\u{fffd}".as_bytes(), b"\xe2\x82 "] {
        let given = bytes(&[bad, b" pan ", card, b" \xff z"]);
        assert_eq!(becomes(&policy, given), bytes(&[bad, b" pan "]), "{bad:?}");
    }
    let filler = vec![b'x'; KEPT_TEXT_BYTES - 12];
    let given = bytes(&[&filler, b"\xfe ", card, b" ", &[b'y'; 9_000]]);
    assert_eq!(becomes(&cards(), given), bytes(&[&filler, b"\xfe "]));
}

#[test]
fn the_blank_at_which_a_long_text_ends_is_in_no_value() {
    let card = "4111 1111 1111 1111";
    for (before, after) in [("", ","), ("", ";"), ("4111 1111 1111 1111,", ",")] {
        let text = "x ".repeat(KEPT_TEXT_BYTES / 2 - 20) + before + card + after;
        let given = text.clone() + &"a".repeat(60) + " " + &"y ".repeat(9_000);
        let out = text_of_body(&cards(), &given);
        assert!(out.trim_end_matches("[REDACTED:pan],").ends_with("x "), "{}", &out[out.len() - 40..]);
    }
}

#[test]
fn a_marker_is_found_around_a_place_inside_of_it_only() {
    let text = b"a [REDACTED:pan] b [REDACTED:";
    for at in 0..=text.len() {
        let expected = (3..16).contains(&at).then_some(2..16);
        assert_eq!(marker_around(text, at), expected, "{at}");
    }
    let long = format!("[REDACTED:{}]", "x".repeat(200));
    assert_eq!(marker_around(long.as_bytes(), 50), None);
}

proptest! {
    #[test]
    fn a_limit_never_leaves_digits_of_a_number_that_was_found(
        before in "[a-z €]{0,20}",
        after in "[a-z €]{0,20}",
        length in 0..70usize,
    ) {
        let mask = [(Kind::Pan, Action::Remove)];
        let kinds: Kinds = [Kind::Pan].into_iter().collect();
        let policy = Policy::default()
            .with_values(ValuePolicy::new(Settings { kinds }, mask))
            .with_value_length(Some(length));
        let AnyValue { value: Some(Value::StringValue(out)) } =
            becomes(&policy, string(&format!("{before} {CARD} {after}"))) else { panic!() };
        prop_assert!(!out.contains(|each: char| each.is_ascii_digit()), "{out}");
        prop_assert!(out.chars().count() < length.max(1) + 14);
    }
}
