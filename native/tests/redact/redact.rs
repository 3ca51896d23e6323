//! Stage 3: no secret that the policy names gets past it, and nothing else changes.

use crate::core::default_policy;
use crate::records::{any_record, any_text, array, map, string, value};
use fapilog_native::record::fields::SeverityField;
use fapilog_native::record::{Meta, RecordWriter};
use fapilog_native::redact::rewrite::{rewrite, Text};
use fapilog_native::redact::KeyDecision::{Hide, Keep};
use fapilog_native::redact::{redact, FrameSettings, Parked, Policy};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

const META: Meta = Meta { severity: 9, protected: false };
const SETTINGS: FrameSettings = FrameSettings { record_bytes: 1 << 20, sequenced: false };

fn redacted(record: &[u8]) -> Vec<u8> {
    let mut writer = RecordWriter::new();
    writer.begin(0, 0, &SeverityField::NONE, None);
    writer.replace(record);
    redact(&mut writer, META, &Policy::default(), SETTINGS).record().to_vec()
}

fn redacted_text(text: &str) -> String {
    let record = LogRecord { body: Some(string(text)), ..LogRecord::default() };
    let record = LogRecord::decode(redacted(&record.encode_to_vec()).as_slice()).unwrap();
    match record.body.unwrap().value {
        Some(Value::StringValue(text)) => text,
        other => panic!("not a string: {other:?}"),
    }
}

/// Changes every text of a record: names, strings and bytes, at any depth.
fn map_texts(record: &LogRecord, edit: &impl Fn(&str) -> String) -> LogRecord {
    LogRecord {
        body: record.body.as_ref().map(|body| map_value(body, edit)),
        attributes: map_pairs(&record.attributes, edit),
        event_name: edit(&record.event_name),
        ..record.clone()
    }
}

fn map_pairs(pairs: &[KeyValue], edit: &impl Fn(&str) -> String) -> Vec<KeyValue> {
    let value = |pair: &KeyValue| pair.value.as_ref().map(|value| map_value(value, edit));
    pairs
        .iter()
        .map(|pair| KeyValue { key: edit(&pair.key), value: value(pair), ..KeyValue::default() })
        .collect()
}

fn map_value(any: &AnyValue, edit: &impl Fn(&str) -> String) -> AnyValue {
    match &any.value {
        Some(Value::StringValue(text)) => string(&edit(text)),
        Some(Value::BytesValue(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) => value(Value::BytesValue(edit(text).into_bytes())),
            Err(_) => any.clone(),
        },
        Some(Value::ArrayValue(values)) => {
            array(values.values.iter().map(|member| map_value(member, edit)).collect())
        }
        Some(Value::KvlistValue(values)) => map(map_pairs(&values.values, edit)),
        _ => any.clone(),
    }
}

/// A URL's scheme, userinfo and the rest.
fn url() -> impl Strategy<Value = (String, String, String)> {
    let scheme = prop::sample::select(vec!["http", "https", "postgres", "redis", "git+ssh", "amqp"]);
    let user_info =
        prop_oneof!["[a-z]{1,5}:[a-zA-Z0-9.!$&*+;=%_~-]{0,9}", ":[a-z]{1,5}", "[a-z]{1,5}", "a@b:c"];
    let rest = "[a-z]{1,4}(:[0-9]{2})?(/[a-z@?#]{0,5})?";
    (scheme.prop_map(str::to_owned), user_info, rest)
}

#[test]
fn credentials_of_urls_are_hidden_whatever_stands_around_them() {
    #[rustfmt::skip]
    let table = [
        ("postgres://ada:pw@db/x", "postgres://REDACTED:REDACTED@db/x"),
        ("see https://ada:p@ss@host:80/a@b", "see https://REDACTED:REDACTED@host:80/a@b"),
        ("http://token@host", "http://REDACTED:REDACTED@host"),
        ("http://:pw@host?x=a@b#c@d", "http://REDACTED:REDACTED@host?x=a@b#c@d"),
        ("[http://a:b@h,http://c:d@i]", "[http://REDACTED:REDACTED@h,http://REDACTED:REDACTED@i]"),
        ("http://a:b@h http://c:d@i", "http://REDACTED:REDACTED@h http://REDACTED:REDACTED@i"),
        ("jdbc:mysql://a:b@h/d?u=redis://c:d@i", "jdbc:mysql://REDACTED:REDACTED@h/d?u=redis://REDACTED:REDACTED@i"),
        ("{\"url\":\"http://a:b@h\",\"by\":\"x@y\"}", "{\"url\":\"http://REDACTED:REDACTED@h\",\"by\":\"x@y\"}"),
        ("grüße http://ädä:pö@hö", "grüße http://REDACTED:REDACTED@hö"),
        ("http://a:b@", "http://REDACTED:REDACTED@"),
    ];
    for (text, expected) in table {
        assert_eq!(redacted_text(text), expected);
    }
}

#[test]
fn texts_without_credentials_stay_as_they_are() {
    #[rustfmt::skip]
    let texts = [
        "", "://", "@", "://@", "http://@host", "http://host/a@b", "http://host?a@b", "http://host#a@b",
        "write to ada@example.org", "http://host ada@example.org", "\"http://host\",\"ada@example.org\"",
        "a@b://c", "C://d e@f",
    ];
    for text in texts {
        assert_eq!(redacted_text(text), text);
    }
}

#[test]
fn a_password_with_an_apostrophe_is_hidden() {
    assert_eq!(redacted_text("postgres://ada:it's@db/x"), "postgres://REDACTED:REDACTED@db/x");
}

#[test]
fn credentials_are_hidden_in_json_with_escaped_slashes() {
    assert_eq!(redacted_text(r#"{"url":"http:\/\/a:b@h"}"#), r#"{"url":"http:\/\/REDACTED:REDACTED@h"}"#);
}

#[test]
fn secret_key_names_are_found_in_every_spelling() {
    let policy = default_policy(&["patient number"]);
    #[rustfmt::skip]
    let secret = [
        "password", "Password", "PASSWORD", "db.password", "old_password_hash", "userPassword", "user-passwords",
        "authorization", "Proxy-Authorization", "http.request.header.cookie", "Set-Cookie", "cookies", "credentials",
        "passphrase", "passwd", "pwd", "client_secret", "clientSecret", "secrets", "api_key", "API-Key", "apiKey",
        "x-api-key", "APIKey", "apikey", "api keys", "access_token", "accessToken", "X_AUTH_TOKEN", "refreshToken",
        "token", "idToken", "jwt", "bearer", "private_key", "privateKey", "encryption.key", "signing-key",
        "session_key", "connection_string", "connectionString", "csrf_token", "card_cvc", "cvv", "pin", "passcode",
        "patient_number", "patientNumber", "Patient-Number", "PATIENTNUMBER", "größe.passwort.password",
        "pass", "Pass", "db_pass", "DB_PASS", "smtp_pass", "app.smtp.pass", "user_pass", "userPass", "pw", "old_pw",
        "session_id", "sessionId", "PHPSESSID", "sid", "connect.sid", "otp", "user_otp", "totp", "pin_code", "tokens",
        "access_tokens", "refreshTokens", "cred", "creds", "db_creds", "credentials", "private_key_pem",
        "card_cvv_code", "auth", "basic_auth",
    ];
    for key in secret {
        assert_eq!(policy.decide(key), Hide, "{key}");
    }
}

#[test]
fn harmless_key_names_are_kept() {
    let policy = default_policy(&["patient number"]);
    #[rustfmt::skip]
    let harmless = [
        "", "_", "user", "user.id", "token_count", "max_tokens", "prompt_tokens", "tokenizer", "pin_count", "pinned", "spin", "shipping",
        "author", "authorized", "key", "primary_key", "cache_key", "keyboard",
        "url.full", "http.request.method", "jwt_issuer", "bearer_of_news", "patient", "number", "patient_number_count",
        "secretary", "passenger", "compass", "monkey", "session.id", "session_id_count", "api", "pass_count", "passed", "bypass", "pass_rate", "first_pass", "sidecar",
        "side", "sides", "auth_method", "author_id", "oauth", "otp_sent", "pincodes_seen", "credit", "sacred", "spw", "apikey_count", "connection_strings_seen",
    ];
    for key in harmless {
        assert_eq!(policy.decide(key), Keep, "{key}");
    }
}

#[test]
fn a_number_behind_a_secret_word_does_not_show_it() {
    let policy = default_policy(&[]);
    for key in ["password1", "password2", "api_key_2", "token2", "secret1", "newPassword2"] {
        assert_eq!(policy.decide(key), Hide, "{key}");
    }
}

#[test]
fn an_acronym_in_front_of_a_secret_word_does_not_show_it() {
    let policy = default_policy(&[]);
    for key in ["DBPassword", "JWTToken", "AWSSecretAccessKey", "HTTPCookie", "MyAPIKey"] {
        assert_eq!(policy.decide(key), Hide, "{key}");
    }
}

#[test]
fn a_parked_frame_is_the_frame() {
    let mut writer = RecordWriter::new();
    writer.begin(1, 2, &SeverityField::NONE, None);
    writer.body_str(b"http://a:b@h");
    let frame = redact(&mut writer, META, &Policy::default(), SETTINGS);
    let (bytes, mut parked): (Vec<u8>, Parked) = (frame.frame().to_vec(), frame.park());
    let again = parked.redacted();
    assert_eq!((again.frame(), again.meta(), again.sequenced()), (bytes.as_slice(), META, false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_text_at_any_depth_loses_its_credentials_and_nothing_else(
        record in any_record(), (scheme, user_info, rest) in url(),
    ) {
        let around = |user_info: &str| {
            let url = format!(" {scheme}://{user_info}@{rest} ");
            map_texts(&record, &move |text| format!("{text}{url}{text}"))
        };
        let result = redacted(&around(&user_info).encode_to_vec());
        let expected = around("REDACTED:REDACTED");
        let decoded = LogRecord::decode(result.as_slice()).unwrap();
        prop_assert_eq!(format!("{decoded:?}"), format!("{expected:?}"));
        prop_assert_eq!(redacted(&result), result, "a second time changes nothing");
    }

    #[test]
    fn a_record_without_urls_keeps_its_bytes(record in any_record()) {
        let bytes = record.encode_to_vec();
        prop_assert_eq!(redacted(&bytes), bytes);
    }

    #[test]
    fn urls_without_userinfo_leave_the_bytes_alone(record in any_record(), host in "[a-z.]{0,9}") {
        // The scan runs, finds nothing to hide, and so nothing is written anew.
        let bytes = map_texts(&record, &|text| format!("{} http://{host}/", text.replace('@', ""))).encode_to_vec();
        prop_assert_eq!(redacted(&bytes), bytes);
    }

    #[test]
    fn deciding_a_key_never_panics_and_ignores_case_of_whole_words(key in any_text()) {
        let policy = default_policy(&[&key]);
        let spelled = key.split(|c: char| !c.is_alphanumeric()).any(|word| !word.is_empty());
        prop_assert!(!spelled || policy.decide(&key) == Hide);
        prop_assert_eq!(policy.decide(&format!("{key}.password")), Hide);
    }

    #[test]
    fn an_edit_that_changes_nothing_gives_the_same_record(record in any_record()) {
        let mut out = Vec::new();
        rewrite(&record.encode_to_vec(), &mut out, &mut |_, text, out| out.extend_from_slice(text));
        let decoded = LogRecord::decode(out.as_slice()).unwrap();
        prop_assert_eq!(format!("{decoded:?}"), format!("{record:?}"));
    }

    #[test]
    fn an_edit_may_change_the_size_of_every_text(record in any_record(), factor in 0..40usize) {
        let mut out = Vec::new();
        let mut edit = |kind, text: &[u8], out: &mut Vec<u8>| {
            let copies = if kind == Text::Bytes && std::str::from_utf8(text).is_err() { 1 } else { factor };
            out.extend_from_slice(&text.repeat(copies));
        };
        rewrite(&record.encode_to_vec(), &mut out, &mut edit);
        let mut expected = map_texts(&record, &|text| text.repeat(factor));
        let decoded = LogRecord::decode(out.as_slice()).unwrap();
        if record.event_name.is_empty() {
            expected.event_name.clear();
        }
        prop_assert_eq!(format!("{decoded:?}"), format!("{expected:?}"));
    }

    #[test]
        fn a_record_cut_off_anywhere_shows_no_credentials(record in any_record(), length in any::<prop::sample::Index>()) {
        let mut bytes = map_texts(&record, &|text| format!("{text} http://ada:sesame@host ")).encode_to_vec();
        bytes.truncate(length.index(bytes.len() + 1));
        let result = redacted(&bytes);
        prop_assert!(!result.windows(7).any(|window| window == b"sesame@"));
    }

    #[test]
    fn damaged_records_never_panic(
        record in any_record(), damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = map_texts(&record, &|text| format!("{text} http://ada:sesame@host ")).encode_to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let once = redacted(&bytes);
        prop_assert_eq!(redacted(&once), once, "what came out once stays as it is");
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let mut with_url = bytes.clone();
        with_url.extend_from_slice(b"\x2a\x0e\x0a\x0chttp://a:b@h");
        let _ = (redacted(&bytes), redacted(&with_url));
    }
}
