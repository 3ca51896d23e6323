//! Stage 3: a scope keeps everything but its secrets.

use crate::core::default_policy;
use crate::records::{any_text, any_value, array, map, pair, string};
use fapilog_native::redact::scope_secrets::without_secrets;
use fapilog_native::scopes::Scope;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::ScopeLogs;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

fn scope(name: &str, attributes: Vec<KeyValue>) -> Scope {
    let encoded = InstrumentationScope { attributes, ..InstrumentationScope::default() }.encode_to_vec();
    Scope { name: name.to_owned(), attributes: encoded, ..Scope::default() }
}

fn read(scope: &Scope) -> ScopeLogs {
    ScopeLogs::decode(scope.fields().as_slice()).unwrap()
}

#[test]
fn secrets_go_at_any_depth_and_everything_else_stays() {
    let hidden = string("[REDACTED:secret]");
    let url = "https://app:s3cr3t@db/x";
    let without = "https://REDACTED:REDACTED@db/x";
    let dirty = scope(
        url,
        vec![
            pair("password", map(vec![pair("old", string("a"))])),
            pair("nested", array(vec![map(vec![pair("api_key", string("b")), pair("n", string(url))])])),
            pair(url, string("kept")),
        ],
    );
    let clean = Scope { version: "1".to_owned(), schema_url: url.to_owned(), ..dirty };
    let clean = read(&without_secrets(&clean, &default_policy(&[])));
    let expected = ScopeLogs {
        scope: Some(InstrumentationScope {
            name: without.to_owned(),
            version: "1".to_owned(),
            attributes: vec![
                pair("password", hidden.clone()),
                pair("nested", array(vec![map(vec![pair("api_key", hidden), pair("n", string(without))])])),
                pair(without, string("kept")),
            ],
            dropped_attributes_count: 0,
        }),
        schema_url: without.to_owned(),
        ..ScopeLogs::default()
    };
    assert_eq!(clean, expected);
}

proptest! {
    #[test]
    fn a_scope_without_secrets_is_as_it_was(name in "[a-z.]{0,9}", values in vec((any_text(), any_value()), 0..4)) {
        let open = fapilog_native::redact::Policy::new(&[], &[], &[]);
        let attributes: Vec<KeyValue> =
            values.into_iter().enumerate().map(|(index, (key, value))| pair(&format!("{index}{key}"), value)).collect();
        let given = scope(&name, attributes);
        prop_assume!(!given.attributes.contains(&b'@'));
        // As bytes: a NaN is not equal to itself.
        prop_assert_eq!(read(&without_secrets(&given, &open)).encode_to_vec(), read(&given).encode_to_vec());
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        let given = Scope { attributes: bytes, ..Scope::default() };
        let _ = without_secrets(&given, &default_policy(&[]));
    }
}
