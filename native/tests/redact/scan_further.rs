//! What the scanner finds in the logs of servers, banks, hospitals and shells, and what it leaves there.

use fapilog_native::scan::keys::KeyPlan;
use fapilog_native::scan::{Scanner, Scratch};

fn found(text: &str, key: &KeyPlan) -> Vec<(&'static str, String)> {
    let mut scratch = Scratch::default();
    Scanner::default()
        .scan(text, key, &mut scratch)
        .iter()
        .map(|finding| (finding.kind.id(), text[finding.range()].to_owned()))
        .collect()
}

fn assert_found(text: &str, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(kind, value)| (*kind, (*value).to_owned())).collect();
    assert_eq!(found(text, &KeyPlan::NONE), expected, "{text}");
}

fn assert_hidden_under(key: &str, value: &str, kind: &str) {
    assert_eq!(found(value, &Scanner::default().plan(key)), [(kind, value.to_owned())], "{key}");
}

fn assert_nothing_under(key: &str, value: &str) {
    assert_eq!(found(value, &Scanner::default().plan(key)), [], "{key}");
}

#[test]
fn options_of_commands_carry_passwords() {
    assert_found("curl -u deploy:S3cr3tPass! https://x/", &[("PASSWORD", "deploy:S3cr3tPass!")]);
    assert_found("curl --user 'bob:hunter2' http://h/", &[("PASSWORD", "bob:hunter2")]);
    assert_found("mysql -u root -pMyS3cret99 shop", &[("PASSWORD", "MyS3cret99")]);
    assert_found("mysql -u root -p shop", &[]);
    assert_found("redis-cli -a r3d1sPassw0rd ping", &[("PASSWORD", "r3d1sPassw0rd")]);
    assert_found("curl -u https://x/", &[]);
}

#[test]
fn codes_of_banks_and_branches_need_their_word() {
    assert_found("transfer to BIC DEUTDEFFXXX done", &[("SWIFT_BIC", "DEUTDEFFXXX")]);
    assert_found("transfer to DEUTDEFFXXX done", &[]);
    assert_found("swift package RESOLVED", &[]);
    let pair = [("UK_SORT_CODE", "20-00-00"), ("BANK_ACCOUNT", "55779911")];
    assert_found("sort code 20-00-00 account 55779911", &pair);
    assert_found("sort order 20-00-01 applied", &[]);
    assert_hidden_under("bank.sort_code", "20-00-00", "UK_SORT_CODE");
    assert_hidden_under("swiftCode", "CHASUS33XXX", "SWIFT_BIC");
}

#[test]
fn a_bare_name_is_hidden_when_two_capitalised_words_follow() {
    assert_found("User(name='Anna Meyer', age=41)", &[("PERSON_NAME", "Anna Meyer")]);
    assert_found("file_name='Annual Report'", &[]);
    assert_found("name='checkout'", &[]);
    assert_found("cardholder: ANNA MEYER ok", &[("PERSON_NAME", "ANNA MEYER")]);
    assert_hidden_under("order.recipient", "Jane Doe", "PERSON_NAME");
    assert_nothing_under("product.name", "Widget Pro");
    assert_nothing_under("customer.plan", "Gold Monthly");
}

#[test]
fn a_segment_about_a_patient_is_hidden_field_by_field() {
    let expected = [
        ("MRN", "P778^^^HOSP"),
        ("PERSON_NAME", "DOE^JANE"),
        ("DATE_OF_BIRTH", "19800512"),
        ("ADDRESS", "12 MAIN ST^^SPRINGFIELD"),
    ];
    assert_found("PID|1||P778^^^HOSP||DOE^JANE||19800512|F|||12 MAIN ST^^SPRINGFIELD", &expected);
    assert_found("pid|12|worker", &[]);
}

#[test]
fn an_american_address_shows_itself() {
    assert_found(
        "at 742 Elm Street, Springfield, IL 62704 now",
        &[("ADDRESS", "742 Elm Street, Springfield, IL 62704")],
    );
    assert_found("retry 12 of queue, shard, IL 62704", &[]);
}

#[test]
fn a_sentence_announces_a_secret() {
    assert_found("password for backup changed to Nov!2025xx", &[("PASSWORD", "Nov!2025xx")]);
    assert_found("password policy changed to strong", &[]);
    assert_found("OTP 482913 sent", &[("PASSWORD", "482913")]);
    assert_found("otp service started", &[]);
}

#[test]
fn a_plus_before_digits_is_a_telephone_when_the_code_is_given_out() {
    assert_found("call +4930901820 now", &[("PHONE", "+4930901820")]);
    assert_found("drift +283456789 ticks", &[]);
    assert_found("delta +12345678", &[]);
}

#[test]
fn identifiers_of_machines_under_ordinary_keys_stay() {
    assert_nothing_under("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_nothing_under("request.id", "550e8400-e29b-41d4-a716-446655440000");
    assert_nothing_under("at", "2026-11-29T14:05:06.123Z");
    assert_nothing_under("count", "12345678901");
    assert_nothing_under("server.address", "db-1.example.com");
    assert_hidden_under("api_key", "550e8400-e29b-41d4-a716-446655440000", "API_KEY_GENERIC");
}
