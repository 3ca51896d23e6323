//! A request for a destination loses what its policy hides, keeps everything else, and lets nothing through that cannot be read.

use crate::core::default_policy;
use crate::records::{any_text, any_value, array, int, map, pair, string};
use fapilog_native::export::exporters::is_protected;
use fapilog_native::redact::actions::Action;
use fapilog_native::redact::rules::actions::RuleAction;
use fapilog_native::redact::rules::{About, RuleSettings, Rules};
use fapilog_native::redact::stricter::request::Rewritten;
use fapilog_native::redact::stricter::Stricter;
use fapilog_native::redact::values::ValuePolicy;
use fapilog_native::redact::Policy;
use fapilog_native::scan::kind::Kind;
use fapilog_native::scan::Settings;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

const CARD: &str = "4111 1111 1111 1111";

fn scanning() -> Policy {
    default_policy(&["patient_number"]).with_values(ValuePolicy::new(Settings::default(), []))
}

fn request(resource: Vec<KeyValue>, scope: &str, records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource { attributes: resource, ..Resource::default() }),
            scope_logs: vec![ScopeLogs {
                scope: Some(InstrumentationScope { name: scope.into(), ..InstrumentationScope::default() }),
                log_records: records,
                ..ScopeLogs::default()
            }],
            schema_url: "https://example.org/1".into(),
        }],
    }
}

fn record(body: &str, attributes: Vec<KeyValue>) -> LogRecord {
    LogRecord {
        time_unix_nano: 7,
        severity_number: 17,
        body: Some(string(body)),
        attributes,
        ..LogRecord::default()
    }
}

fn rewritten(policy: Policy, request: &[u8]) -> Option<Rewritten> {
    Stricter::new(policy).request(request, is_protected)
}

#[test]
fn records_scope_and_resource_lose_what_the_policy_hides_and_keep_the_rest() {
    let secret = map(vec![pair("patient_number", int(7)), pair("n", int(1))]);
    let given = request(
        vec![pair("host.owner", string("ann@example.org")), pair("service.name", string("shop"))],
        "shop ann@example.org",
        vec![
            record("started", vec![pair("order", int(42))]),
            record(
                &format!("paid with {CARD}"),
                vec![pair("patient_number", string("x")), pair("in", array(vec![secret]))],
            ),
        ],
    );
    let out = rewritten(scanning(), &given.encode_to_vec()).unwrap();
    let hidden = string("[REDACTED:secret]");
    let note = pair("fapilog.redacted", array(vec![string("body:pan")]));
    let inside = map(vec![pair("patient_number", hidden.clone()), pair("n", int(1))]);
    let expected = request(
        vec![pair("host.owner", string("[REDACTED:email]")), pair("service.name", string("shop"))],
        "shop [REDACTED:email]",
        vec![
            record("started", vec![pair("order", int(42))]),
            record(
                "paid with [REDACTED:pan]",
                vec![pair("patient_number", hidden), pair("in", array(vec![inside])), note],
            ),
        ],
    );
    assert_eq!(ExportLogsServiceRequest::decode(out.raw.as_slice()).unwrap(), expected);
    assert_eq!((out.records, out.protected_records, out.unreadable), (2, 2, 0));
}

#[test]
fn a_type_that_is_removed_here_and_masked_by_the_common_policy_loses_its_rest_everywhere() {
    let left = "[REDACTED:pan:1111] [REDACTED:email:tok_k1_abc]";
    let bare = "[REDACTED:pan] [REDACTED:email:tok_k1_abc]";
    let values = ValuePolicy::new(Settings::default(), [(Kind::Email, Action::Mask { keep_last: 4 })]);
    let policy = Policy::new(&[], &[], &[]).with_values(values);
    let with = |text: &str| {
        let attributes = vec![pair("a", array(vec![map(vec![pair("b", string(text))])]))];
        request(vec![pair("r", string(text))], text, vec![record(text, attributes)])
    };
    let out = rewritten(policy, &with(left).encode_to_vec()).unwrap();
    assert_eq!(ExportLogsServiceRequest::decode(out.raw.as_slice()).unwrap(), with(bare));
}

#[test]
fn what_both_passes_hid_stands_in_one_list() {
    let note =
        |notes: &[&str]| pair("fapilog.redacted", array(notes.iter().map(|note| string(note)).collect()));
    let given = record("[REDACTED:email]", vec![note(&["body:email"]), pair("card", string(CARD))]);
    let expected = record(
        "[REDACTED:email]",
        vec![pair("card", string("[REDACTED:pan]")), note(&["body:email", "card:pan"])],
    );
    let out = rewritten(scanning(), &request(vec![], "shop", vec![given]).encode_to_vec()).unwrap();
    let read = ExportLogsServiceRequest::decode(out.raw.as_slice()).unwrap();
    assert_eq!(read, request(vec![], "shop", vec![expected]));
}

#[test]
fn a_record_that_cannot_be_read_is_left_out_and_counted() {
    let mut raw = request(vec![], "shop", vec![record("one", vec![]), record("two", vec![])]).encode_to_vec();
    // The attribute of a third record ends early.
    let broken = [0x12, 0x04, 0x32, 0x02, 0x0a, 0x7f];
    let scope_logs = ScopeLogs::default().encode_to_vec();
    let inner: Vec<u8> = scope_logs.into_iter().chain(broken).collect();
    let logs: Vec<u8> = [0x12, inner.len() as u8].into_iter().chain(inner).collect();
    raw.extend([0x0a, logs.len() as u8]);
    raw.extend(logs);
    let out = rewritten(scanning(), &raw).unwrap();
    assert_eq!((out.records, out.unreadable), (2, 1));
    let read = ExportLogsServiceRequest::decode(out.raw.as_slice()).unwrap();
    assert_eq!(read.resource_logs.len(), 1);
}

#[test]
fn what_is_no_request_is_none() {
    assert_eq!(rewritten(scanning(), b"\x0a\x7f"), None);
    assert_eq!(rewritten(scanning(), b"\x0a\x03\x12\x7f\x00"), None);
    assert_eq!(rewritten(scanning(), b"").map(|out| out.records), Some(0));
}

#[test]
fn fields_that_nobody_knows_do_not_pass() {
    let mut raw = request(vec![], "shop", vec![record("one", vec![])]).encode_to_vec();
    raw.extend(b"\x7a\x10patient Jane Doe");
    let out = rewritten(scanning(), &raw).unwrap();
    assert!(!out.raw.windows(4).any(|part| part == b"Jane"));
    assert_eq!(out.records, 1);
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let named = vec((any_text(), any_value()), 0..4);
    named.prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(index, (key, value))| pair(&format!("{index}{key}"), value))
            .collect()
    })
}

proptest! {
    #[test]
    fn without_a_finding_a_request_is_as_it_was(bodies in vec(any_text(), 1..4), attributes in attributes()) {
        let records = bodies.iter().map(|body| record(body, attributes.clone())).collect();
        let raw = request(vec![pair("service.name", string("shop"))], "shop", records).encode_to_vec();
        prop_assume!(!raw.contains(&b'@'));
        let out = rewritten(Policy::new(&[], &[], &[]), &raw).unwrap();
        prop_assert_eq!((out.records, out.unreadable), (bodies.len() as u64, 0));
        // As bytes of one encoder, which puts the schema URL behind the scopes: a NaN is not equal to itself.
        prop_assert_eq!(ExportLogsServiceRequest::decode(out.raw.as_slice()).unwrap().encode_to_vec(), raw);
    }

    #[test]
    fn a_second_time_finds_nothing(
        before in any_text(), after in any_text(), attributes in attributes(), key in "[a-z_]{1,9}"
    ) {
        let mut all = attributes;
        all.push(pair(&key, string(&format!("{before} {CARD} {after}"))));
        let raw = request(all.clone(), "shop", vec![record(CARD, all)]).encode_to_vec();
        let once = rewritten(scanning(), &raw).unwrap();
        prop_assert!(!once.raw.windows(9).any(|part| part == b"1111 1111"));
        let twice = rewritten(scanning(), &once.raw).unwrap();
        prop_assert_eq!(once.raw, twice.raw);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = rewritten(scanning(), &bytes);
        let _ = Stricter::new(scanning()).shown(&bytes, "shop");
    }
}

#[test]
fn what_a_common_rule_let_through_goes_where_the_rule_of_that_name_removes() {
    let rule = |name: &str, action| RuleSettings {
        name: name.into(),
        about: About::Pattern(r"ACCT-\d+".into()),
        action,
    };
    let rules = [
        rule("acct", RuleAction::Remove),
        rule("acct", RuleAction::Truncate { first: 4, last: 4 }),
        rule("other", RuleAction::Mask { keep_last: 4 }),
    ];
    let policy = Policy::default().with_values(ValuePolicy::of_rules(Rules::new(&rules).unwrap()));
    let with = |text: &str| request(vec![], "shop", vec![record(text, vec![pair("a", string(text))])]);
    let given = with("[REDACTED:acct:ACCT...1234] [REDACTED:other:1234] [REDACTED:pan:1111]");
    let out = rewritten(policy, &given.encode_to_vec()).unwrap();
    let expected = with("[REDACTED:acct] [REDACTED:other:1234] [REDACTED:pan:1111]");
    assert_eq!(ExportLogsServiceRequest::decode(out.raw.as_slice()).unwrap(), expected);
}
