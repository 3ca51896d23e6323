//! Rules of the user hide, keep and drop what they are about, wherever a record holds it.

use crate::records::{array, int, map, pair, string, value};
use fapilog_native::redact::actions::Action;
use fapilog_native::redact::rules::actions::RuleAction;
use fapilog_native::redact::rules::{About, RuleSettings, Rules};
use fapilog_native::redact::values::memory::Memory;
use fapilog_native::redact::values::{Outcome, Pass, ValuePolicy};
use fapilog_native::scan::kind::Kind;
use fapilog_native::scan::Settings;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use proptest::prelude::*;
use prost::Message;

fn rule(name: &str, about: About, action: RuleAction) -> RuleSettings {
    RuleSettings { name: name.to_owned(), about, action }
}

fn paths(name: &str, paths: &[&str], action: RuleAction) -> RuleSettings {
    rule(name, About::Paths(paths.iter().map(ToString::to_string).collect()), action)
}

fn pattern(name: &str, pattern: &str, action: RuleAction) -> RuleSettings {
    rule(name, About::Pattern(pattern.to_owned()), action)
}

fn words(name: &str, words: &[&str]) -> RuleSettings {
    let words = words.iter().map(ToString::to_string).collect();
    rule(name, About::Words { words, case_sensitive: false }, RuleAction::Remove)
}

fn only(rules: &[RuleSettings]) -> ValuePolicy {
    ValuePolicy::of_rules(Rules::new(rules).unwrap())
}

fn beside_types(rules: &[RuleSettings]) -> ValuePolicy {
    ValuePolicy::new(Settings::default(), []).with_rules(Rules::new(rules).unwrap())
}

fn with(body: &str, attributes: Vec<KeyValue>) -> LogRecord {
    LogRecord { body: Some(string(body)), attributes, severity_number: 9, ..LogRecord::default() }
}

fn outcome(policy: &ValuePolicy, record: &LogRecord) -> Outcome {
    policy.outcome(&record.encode_to_vec(), Pass::Record, &mut Memory::default())
}

fn hidden(policy: &ValuePolicy, record: &LogRecord) -> LogRecord {
    match outcome(policy, record) {
        Outcome::Without(out) => LogRecord::decode(out.as_slice()).unwrap(),
        Outcome::AsItIs => record.clone(),
        Outcome::Dropped => panic!("dropped"),
    }
}

/// The record as it comes out, without its note, and the note.
fn split(policy: &ValuePolicy, record: &LogRecord) -> (LogRecord, Vec<AnyValue>) {
    let mut out = hidden(policy, record);
    let note = out.attributes.pop().filter(|last| last.key == "fapilog.redacted").unwrap();
    match note.value.unwrap().value {
        Some(Value::ArrayValue(notes)) => (out, notes.values),
        other => panic!("{other:?}"),
    }
}

fn text_of(policy: &ValuePolicy, text: &str) -> String {
    policy.without_values_in(text)
}

#[test]
fn a_path_hides_all_beneath_it_in_nested_and_dotted_form() {
    let policy = only(&[paths("customer", &["customer.*.email", "notes"], RuleAction::Remove)]);
    let nested = || map(vec![pair("home", map(vec![pair("eMail", string("a")), pair("zip", string("b"))]))]);
    let record = with(
        "hello",
        vec![
            pair("customer", nested()),
            pair("customer.work.email", string("c")),
            pair("Notes", map(vec![pair("x", int(1))])),
            pair("note", int(1)),
        ],
    );
    let mark = || string("[REDACTED:customer]");
    let (out, notes) = split(&policy, &record);
    let expected = with(
        "hello",
        vec![
            pair(
                "customer",
                map(vec![pair("home", map(vec![pair("eMail", mark()), pair("zip", string("b"))]))]),
            ),
            pair("customer.work.email", mark()),
            pair("Notes", mark()),
            pair("note", int(1)),
        ],
    );
    assert_eq!(out, expected);
    let places = ["customer.home.eMail:customer", "customer.work.email:customer", "Notes:customer"];
    assert_eq!(notes, places.map(string));
}

#[test]
fn a_place_in_a_list_is_a_name_for_a_wildcard_and_the_body_is_called_body() {
    let policy = only(&[paths("x", &["items.*.name", "body.user.id"], RuleAction::Remove)]);
    let mark = || string("[REDACTED:x]");
    let items = |name: AnyValue| array(vec![map(vec![pair("name", name)]), int(7)]);
    let record = LogRecord {
        body: Some(map(vec![pair("user", map(vec![pair("id", int(1)), pair("age", int(2))]))])),
        attributes: vec![pair("items", items(int(5))), pair("user.id", int(1))],
        ..LogRecord::default()
    };
    let (out, _) = split(&policy, &record);
    let body = map(vec![pair("user", map(vec![pair("id", mark()), pair("age", int(2))]))]);
    assert_eq!(out.body, Some(body));
    assert_eq!(out.attributes, [pair("items", items(mark())), pair("user.id", int(1))]);
    let (out, notes) = split(&only(&[paths("x", &["body"], RuleAction::Remove)]), &with("hello", vec![]));
    assert_eq!((out.body, notes), (Some(mark()), vec![string("body:x")]));
}

#[test]
fn actions_on_a_path_reach_every_value_beneath_it() {
    let policy = only(&[paths("acct", &["account"], RuleAction::Mask { keep_last: 4 })]);
    let record = with(
        "",
        vec![pair(
            "account",
            array(vec![
                string("DE12345678"),
                int(123_456_789_012),
                map(vec![
                    pair("a", value(Value::BoolValue(true))),
                    pair("b", value(Value::BytesValue(b"0123456789".to_vec()))),
                ]),
                string("[REDACTED:secret]"),
            ]),
        )],
    );
    let (out, _) = split(&policy, &record);
    let expected = array(vec![
        string("[REDACTED:acct:678]"),
        string("[REDACTED:acct:9012]"),
        map(vec![
            pair("a", string("[REDACTED:acct]")),
            pair("b", value(Value::BytesValue(b"[REDACTED:acct:789]".to_vec()))),
        ]),
        string("[REDACTED:secret]"),
    ]);
    assert_eq!(out.attributes, [pair("account", expected)]);
}

#[test]
fn patterns_and_words_reach_texts_numbers_bytes_and_names() {
    let policy =
        only(&[pattern("ticket", r"TCK-\d+|\b77\d{4}\b", RuleAction::Remove), words("project", &["apollo"])]);
    let record = with(
        "see TCK-12 of Apollo, Apollonia",
        vec![
            pair("n", int(771_234)),
            pair("m", int(12)),
            pair("b", value(Value::BytesValue(b"a TCK-1 b".to_vec()))),
            pair("TCK-9", array(vec![string("apollo")])),
        ],
    );
    let (out, notes) = split(&policy, &record);
    let expected = with(
        "see [REDACTED:ticket] of [REDACTED:project], Apollonia",
        vec![
            pair("n", string("[REDACTED:ticket]")),
            pair("m", int(12)),
            pair("b", value(Value::BytesValue(b"a [REDACTED:ticket] b".to_vec()))),
            pair("[REDACTED:ticket]", array(vec![string("[REDACTED:project]")])),
        ],
    );
    assert_eq!(out, expected);
    assert_eq!(
        notes,
        ["body:ticket", "body:project", "n:ticket", "b:ticket", "*:ticket", "*:project"].map(string)
    );
}

#[test]
fn rules_and_types_see_the_same_text_and_unite() {
    let policy =
        beside_types(&[pattern("order", r"order, card \d{16} \w+", RuleAction::Mask { keep_last: 4 })]);
    let text = "x order, card 4111111111111111 topsecret y 4111 1111 1111 1111";
    assert_eq!(text_of(&policy, text), "x [REDACTED:order] y [REDACTED:pan]");
    assert_eq!(text_of(&policy, "order, card 0000000000000001 abcdefgh"), "[REDACTED:order:efgh]");
}

#[test]
fn what_a_rule_keeps_is_kept_by_those_behind_it_and_by_types() {
    let card = "4111 1111 1111 1111";
    let keep = pattern("test-card", "4111 1111 1111 1111", RuleAction::Keep);
    let digits = pattern("digits", r"\d{4}( \d{4}){3}", RuleAction::Remove);
    assert_eq!(text_of(&beside_types(&[keep.clone(), digits.clone()]), card), card);
    assert_eq!(text_of(&beside_types(&[digits, keep.clone()]), card), "[REDACTED:digits]");
    assert_eq!(text_of(&beside_types(&[keep]), "5500 0000 0000 0004"), "[REDACTED:pan]");
}

#[test]
fn a_path_that_is_kept_is_not_looked_at_except_for_what_never_stays() {
    let policy = beside_types(&[paths("ours", &["order.*"], RuleAction::Keep), words("w", &["apollo"])]);
    let card = || string("4111 1111 1111 1111");
    let record = with(
        "",
        vec![
            pair("order", map(vec![pair("number", card()), pair("text", string("apollo cvv 123"))])),
            pair("other", card()),
        ],
    );
    let (out, notes) = split(&policy, &record);
    let order = map(vec![pair("number", card()), pair("text", string("apollo cvv [REDACTED:cvv]"))]);
    assert_eq!(out.attributes, [pair("order", order), pair("other", string("[REDACTED:pan]"))]);
    assert_eq!(notes, ["order.text:cvv", "other:pan"].map(string));
}

#[test]
fn a_record_is_dropped_for_a_path_a_match_or_a_type_wherever_it_stands() {
    let drops = only(&[
        pattern("first", "hello", RuleAction::Remove),
        paths("debug", &["debug.**"], RuleAction::Drop),
        pattern("probe", "healthcheck", RuleAction::Drop),
    ]);
    let last = |key: &str, text: &str| with("hello", vec![pair("a", int(1)), pair(key, string(text))]);
    assert_eq!(outcome(&drops, &last("debug.x", "y")), Outcome::Dropped);
    assert_eq!(outcome(&drops, &last("b", "a healthcheck")), Outcome::Dropped);
    assert!(matches!(outcome(&drops, &last("b", "c")), Outcome::Without(_)));
    let cards = ValuePolicy::new(Settings::default(), [(Kind::Pan, Action::Drop)]);
    assert_eq!(outcome(&cards, &last("b", "4111 1111 1111 1111")), Outcome::Dropped);
    assert_eq!(outcome(&cards, &last("b", "4111")), Outcome::AsItIs);
    assert_eq!(outcome(&cards, &last("4111 1111 1111 1111", "y")), Outcome::Dropped);
    assert_eq!(outcome(&drops, &last("a healthcheck", "y")), Outcome::Dropped);
    let nested = with("x", vec![pair("a", map(vec![pair("4111 1111 1111 1111", int(1))]))]);
    assert_eq!(outcome(&cards, &nested), Outcome::Dropped);
    let both = cards.with_rules(Rules::new(&[pattern("x", "card.*", RuleAction::Remove)]).unwrap());
    assert_eq!(outcome(&both, &last("b", "card 4111 1111 1111 1111")), Outcome::Dropped);
}

#[test]
fn audit_and_security_records_lose_their_content_instead() {
    let policy = only(&[pattern("probe", "secret", RuleAction::Drop)]);
    let category = pair("fapilog.event.category", string("security"));
    for (severity_number, category) in [(10, None), (14, None), (17, Some(category))] {
        let record = LogRecord {
            time_unix_nano: 7,
            severity_number,
            trace_id: vec![1; 16],
            ..with("a secret", std::iter::once(pair("a", int(1))).chain(category.clone()).collect())
        };
        let (out, notes) = split(&policy, &record);
        let expected = LogRecord {
            body: Some(string("[REDACTED:probe]")),
            attributes: category.into_iter().collect(),
            ..record
        };
        assert_eq!((out, notes), (expected, vec![string("record:probe")]));
    }
}

#[test]
fn minimising_leaves_out_what_nobody_allowed_and_counts_it() {
    let allowed = ["order.*", "http.route", "items.id"].map(String::from);
    let policy = ValuePolicy::of_rules(Rules::default().with_minimise(&allowed).unwrap());
    let record = LogRecord {
        body: Some(map(vec![pair("order", int(1)), pair("text", string("t"))])),
        attributes: vec![
            pair("order.id", int(1)),
            pair("order", map(vec![pair("total", int(2))])),
            pair("user", map(vec![pair("id", int(3))])),
            pair(
                "items",
                array(vec![map(vec![pair("id", int(4)), pair("name", string("n"))]), string("loose")]),
            ),
            pair("http.route", string("/a")),
            pair("empty", AnyValue { value: None }),
            pair("fapilog.sequence", int(9)),
        ],
        ..LogRecord::default()
    };
    let out = hidden(&policy, &record);
    let expected = vec![
        pair("order.id", int(1)),
        pair("order", map(vec![pair("total", int(2))])),
        pair("items", array(vec![map(vec![pair("id", int(4))])])),
        pair("http.route", string("/a")),
        pair("fapilog.sequence", int(9)),
        pair("fapilog.dropped_keys", int(5)),
    ];
    assert_eq!((out.body.clone(), out.attributes.clone()), (Some(map(vec![])), expected));
    assert_eq!(outcome(&policy, &out), Outcome::AsItIs);
}

#[test]
fn rules_that_would_never_come_to_an_end_are_refused() {
    let error = |rules: &[RuleSettings]| Rules::new(rules).err().unwrap().what;
    assert_eq!(
        error(&[words("apollo", &["apollo"])]),
        "matches [REDACTED:apollo], which is what rules write"
    );
    let other = [pattern("a", "x", RuleAction::Remove), pattern("b", r"REDACTED:a", RuleAction::Remove)];
    assert_eq!(error(&other), "matches [REDACTED:a], which is what rules write");
    assert!(error(&[pattern("a", "a**", RuleAction::Remove)]).contains("matches an empty text"));
}

#[test]
fn a_mark_that_makes_a_new_match_is_found_too() {
    let policy = only(&[pattern("a", "y", RuleAction::Remove), pattern("b", r"x\[|z", RuleAction::Remove)]);
    assert_eq!(text_of(&policy, "xy xxy"), "[REDACTED:b] [REDACTED:b]");
}

fn cases() -> Vec<RuleSettings> {
    vec![
        pattern("first", "a.?b", RuleAction::Remove),
        words("second", &["cc", "c d", "dé"]),
        pattern("tail", r"e\[|1\d+", RuleAction::Remove),
        pattern("masked", "9{3,}", RuleAction::Mask { keep_last: 2 }),
        paths("path", &["p.*.q", "**.r"], RuleAction::Remove),
    ]
}

proptest! {
    #[test]
    fn no_output_holds_a_match_of_a_remove_rule_and_a_second_pass_changes_nothing(
        texts in prop::collection::vec("[abcdeé19 \\[\\]:]{0,24}|\\[REDACTED:(first|x|pan)\\]", 1..4),
        keys in prop::collection::vec("[pqrab]{1,2}(\\.[pqr]){0,2}", 3),
    ) {
        for policy in [only(&cases()), beside_types(&cases())] {
            let attributes = keys.iter().zip(texts.iter().cycle()).map(|(key, text)| {
                pair(key, map(vec![pair("r", int(1)), pair("t", array(vec![string(text), int(1)]))]))
            });
            let record = with(&texts[0], attributes.collect());
            let out = hidden(&policy, &record);
            prop_assert!(matches!(outcome(&policy, &out), Outcome::AsItIs), "{:?} again", out);
            let Some(AnyValue { value: Some(Value::StringValue(text)) }) = out.body else { panic!("{out:?}") };
            for rule in cases().iter().filter(|rule| rule.action == RuleAction::Remove) {
                let (rules, mut found) = (Rules::new(std::slice::from_ref(rule)).unwrap(), Vec::new());
                rules.find(&text, u16::MAX, &mut found);
                prop_assert!(found.is_empty(), "{}: {} from {}", rule.name, text, texts[0]);
            }
        }
    }

    #[test]
    fn any_text_takes_any_rules(text in "\\PC{0,40}") {
        let policy = beside_types(&cases());
        let once = text_of(&policy, &text);
        prop_assert_eq!(text_of(&policy, &once), once);
    }
}

#[test]
fn a_marker_that_somebody_wrote_passes_no_rule_that_would_hide_what_it_holds() {
    let coarse = only(&[paths("acct", &["account"], RuleAction::Generalise)]);
    let short = only(&[pattern("acct", r"ACCT-\d+", RuleAction::Truncate { first: 4, last: 4 })]);
    let forged = "[REDACTED:acct:ACCT-1234567890]";
    assert_eq!(text_of(&short, forged), "[REDACTED:acct]");
    assert_eq!(text_of(&short, "[REDACTED:acct:ACCT...7890]"), "[REDACTED:acct:ACCT...7890]");
    let (out, _) = split(&coarse, &with("m", vec![pair("account", string(forged))]));
    assert_eq!(out.attributes, [pair("account", string("[REDACTED:acct]"))]);
}

#[test]
fn no_name_that_looks_like_one_of_fapilogs_own_is_spared() {
    let own = vec![pair("fapilog.sequence", int(9)), pair("fapilog.event.category", string("audit"))];
    let others = || {
        vec![
            pair("fapilog.user.ssn", string("a")),
            pair("FAPILOG.sequence", string("b")),
            pair("f_apilog.sequence", string("c")),
            pair("fapilog.event", map(vec![pair("ssn", string("d"))])),
            pair("fapilog.tag.user", string("e")),
            pair("fapilog.event.category.ssn", string("f")),
        ]
    };
    let given = with("m", [own.clone(), others()].concat());
    let minimising = ValuePolicy::of_rules(Rules::default().with_minimise(&[]).unwrap());
    let counted = pair("fapilog.dropped_keys", int(6));
    assert_eq!(hidden(&minimising, &given).attributes, [own.clone(), vec![counted]].concat());
    let all = only(&[paths("all", &["**"], RuleAction::Remove)]);
    let (out, notes) = split(&all, &given);
    let gone = others().into_iter().map(|other| pair(&other.key, string("[REDACTED:all]")));
    assert_eq!(out.attributes, own.into_iter().chain(gone).collect::<Vec<_>>());
    assert_eq!(notes.len(), 7);
    // Who names one of ours means it.
    let named = only(&[paths("category", &["fapilog.event.category"], RuleAction::Remove)]);
    let (out, _) = split(&named, &given);
    assert_eq!(out.attributes[1], pair("fapilog.event.category", string("[REDACTED:category]")));
}

#[test]
fn a_value_under_one_of_fapilogs_own_names_is_scanned() {
    let policy = beside_types(&[]);
    let (out, notes) =
        split(&policy, &with("m", vec![pair("fapilog.correlation_id", string("4111111111111111"))]));
    assert_eq!(out.attributes, [pair("fapilog.correlation_id", string("[REDACTED:pan]"))]);
    assert_eq!(notes, [string("fapilog.correlation_id:pan")]);
}

#[test]
fn what_later_passes_hide_and_leave_out_is_added_to_what_is_noted() {
    let note =
        |notes: &[&str]| pair("fapilog.redacted", array(notes.iter().map(|each| string(each)).collect()));
    let policy = ValuePolicy::new(Settings::default(), [])
        .with_rules(Rules::default().with_minimise(&["a".into()]).unwrap());
    let given = vec![
        note(&["body:pan"]),
        pair("fapilog.dropped_keys", int(2)),
        pair("a", string("4111111111111111")),
        pair("b", int(1)),
    ];
    let expected = vec![
        pair("a", string("[REDACTED:pan]")),
        note(&["body:pan", "a:pan"]),
        pair("fapilog.dropped_keys", int(3)),
    ];
    assert_eq!(hidden(&policy, &with("m", given)).attributes, expected);
    // What is no note gives way to one; while there is none it is like any other value.
    let other = |rest: AnyValue| {
        with("m", vec![pair("fapilog.redacted", string("of 4111111111111111")), pair("a", rest)])
    };
    let found = hidden(&policy, &other(string("4111111111111111"))).attributes;
    assert_eq!(found, [pair("a", string("[REDACTED:pan]")), note(&["a:pan"])]);
    let alone = hidden(&policy, &other(int(1))).attributes;
    assert_eq!(alone, [pair("a", int(1)), pair("fapilog.redacted", string("of [REDACTED:pan]"))]);
}
