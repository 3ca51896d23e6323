//! Stage 3: what the detectors find in texts and under keys, and what they leave alone.

use fapilog_native::scan::keys::KeyPlan;
use fapilog_native::scan::kind::Kinds;
use fapilog_native::scan::{Scanner, Scratch, Settings};

/// The findings as words: `kind=text`.
fn found_in(text: &str, key: &str) -> Vec<String> {
    let key = if key.is_empty() { KeyPlan::NONE } else { KeyPlan::new(key) };
    let mut scratch = Scratch::default();
    let findings = Scanner::default().scan(text, &key, &mut scratch).to_vec();
    findings.iter().map(|finding| format!("{}={}", finding.kind.id(), &text[finding.range()])).collect()
}

#[track_caller]
fn finds(text: &str, expected: &[&str]) {
    assert_eq!(found_in(text, ""), expected, "{text}");
}

#[track_caller]
fn finds_under(key: &str, text: &str, expected: &[&str]) {
    assert_eq!(found_in(text, key), expected, "{key}: {text}");
}

#[test]
fn cards_are_found_in_the_groups_that_people_write() {
    finds("paid with 4111111111111111 ok", &["PAN=4111111111111111"]);
    finds("paid with 4111-1111-1111-1111, thanks", &["PAN=4111-1111-1111-1111"]);
    finds("amex 3782 822463 10005", &["PAN=3782 822463 10005"]);
    finds("pan 4111\u{a0}1111\u{a0}1111\u{a0}1111", &["PAN=4111\u{a0}1111\u{a0}1111\u{a0}1111"]);
    finds("order_4111111111111111 shipped", &["PAN=4111111111111111"]);
    finds("cvv: 123 for card 4111111111111111", &["CVV=123", "PAN=4111111111111111"]);
}

#[test]
fn what_looks_like_a_card_but_is_none_stays() {
    for text in [
        "order 4111111111111112",
        "ts=1764403200123",
        "trace 4111111111111111aa4111111111111111",
        "offset 1764403200123456789",
        "id 0000000000000000",
        "masked ************1111",
    ] {
        finds(text, &[]);
    }
}

#[test]
fn tracks_of_cards_go_whole() {
    let track = "%B4111111111111111^MEYER/ANNA^2512101000000000?";
    finds(&format!("swipe {track} ok"), &[&format!("CARD_TRACK={track}")]);
    finds(
        "swipe ;4111111111111111=25121010000000000000? ok",
        &["CARD_TRACK=;4111111111111111=25121010000000000000?"],
    );
}

#[test]
fn accounts_and_wallets() {
    finds("to DE89 3704 0044 0532 0130 00 today", &["IBAN=DE89 3704 0044 0532 0130 00"]);
    finds("to de89370400440532013000", &["IBAN=de89370400440532013000"]);
    finds("aba 021000021", &["US_ROUTING=021000021"]);
    finds("to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", &["BTC_ADDRESS=1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"]);
    finds("sku DE89370400440532013001 and 021000021", &[]);
    let phrase = "legal winner thank year wave sausage worth useful legal winner thank yellow";
    finds(&format!("restore {phrase}"), &[&format!("SEED_PHRASE={phrase}")]);
}

#[test]
fn numbers_of_persons_need_their_word_or_their_shape() {
    finds("ssn 536-22-1034", &["US_SSN=536-22-1034"]);
    finds("applicant 536-22-1034 approved", &["US_SSN=536-22-1034"]);
    finds("part 536-22-1034-7 and 536221034", &[]);
    finds_under("user.ssn", "536221034", &["US_SSN=536221034"]);
    finds("PESEL: 44051401359", &["PL_PESEL=44051401359"]);
    finds("job 44051401359", &[]);
    finds("codice fiscale RCCMNL83S18D969H", &["IT_CF=RCCMNL83S18D969H"]);
    finds("hetu 131052-308T", &["FI_HETU=131052-308T"]);
    finds("RČ: 710319/2745", &["CZ_RC=710319/2745"]);
    finds("nino AB 12 34 56 C", &["UK_NINO=AB 12 34 56 C"]);
}

#[test]
fn health() {
    finds("npi 1234567893", &["US_NPI=1234567893"]);
    finds("at 1234567893 seconds", &[]);
    finds("mrn: 00123456", &["MRN=00123456"]);
    finds("nhs number 943 476 5919", &["UK_NHS=943 476 5919"]);
}

#[test]
fn addresses_of_people() {
    finds("mail anna.meyer+x@example.org now", &["EMAIL=anna.meyer+x@example.org"]);
    finds("GET /u?e=anna%40example.org&p=1", &["EMAIL=anna%40example.org"]);
    finds(r#"{"e":"anna\u0040example.org"}"#, &[r"EMAIL=anna\u0040example.org"]);
    finds("git@github.com:fapilog/x.git, logo@2x.png, user@1.service, pkg@1.2.3", &[]);
    finds("call +49 30 1234567 now", &["PHONE=+49 30 1234567"]);
    finds("call (555) 234-5678", &["PHONE=(555) 234-5678"]);
    finds("patient Anna Meyer, dob 1990-02-03", &["PERSON_NAME=Anna Meyer", "DATE_OF_BIRTH=1990-02-03"]);
    finds("started 2026-11-29T10:00:00Z by User Service", &[]);
    finds_under("user.full_name", "Anna Meyer", &["PERSON_NAME=Anna Meyer"]);
    finds_under("geo.lat", "52.520008", &["GEO=52.520008"]);
}

#[test]
fn addresses_of_machines() {
    finds("from 203.0.113.9 port 80", &["IPV4=203.0.113.9"]);
    finds("peer 2001:db8::8a2e:370:7334 up", &["IPV6=2001:db8::8a2e:370:7334"]);
    finds("mac 00:1b:44:11:3a:b7 and 001b.4411.3ab7", &["MAC=00:1b:44:11:3a:b7", "MAC=001b.4411.3ab7"]);
    finds("version 1.2.3.4, v5.6.7.8, Chrome/140.0.60.10, 127.0.0.1, ::1, std::vec::Vec, at 12:34:56", &[]);
    finds("vin 1M8GDM9AXKP042788", &["VIN=1M8GDM9AXKP042788"]);
    finds("imei 490154203237518", &["IMEI=490154203237518"]);
}

#[test]
fn a_card_is_found_whatever_sign_stands_beside_it() {
    let card = "4111111111111111";
    for text in
        ["4111111111111111.00", "-4111111111111111", "order-4111111111111111-x", "4111111111111111/12/26"]
    {
        finds(text, &[&format!("PAN={card}")]);
    }
    for card in ["4111\t1111\t1111\t1111", "4111_1111_1111_1111", "4111  1111  1111  1111"] {
        finds(&format!("n {card} x"), &[&format!("PAN={card}")]);
    }
    finds("4111 1111 1111 1111/123/1227", &["PAN=4111 1111 1111 1111"]);
    for before in ["http://host:8000/", "http://127.0.0.1/", "GET /v1/7/", "2026/"] {
        finds(&format!("{before}{card}"), &[&format!("PAN={card}")]);
    }
    for card in ["4111 1111 1111 1111", "4111-1111-1111-1111"] {
        finds(&format!("7.{card}"), &[&format!("PAN={card}")]);
    }
    finds("12/123-45-6789 and 0.4111111111111111", &[]);
    finds("to be04911847273268, today", &["IBAN=be04911847273268"]);
}

#[test]
fn addresses_of_machines_are_nobodys_home() {
    finds_under("server.address", "testserver", &[]);
    finds_under("client.address", "testclient", &[]);
    finds_under("client.address", "10 Downing Street, London", &["ADDRESS=10 Downing Street, London"]);
    finds_under("source.address", "Downtown, Springfield", &["ADDRESS=Downtown, Springfield"]);
    finds_under("duration_ms", "Smith", &[]);
    finds_under("customer.address", "Downtown", &["ADDRESS=Downtown"]);
}

#[test]
fn names_in_paths_are_found_if_asked_for() {
    let scanner = Scanner::new(Settings { kinds: Kinds::ALL });
    // Put together, so that no path of a machine stands here.
    let (home, users) = (["", "home", "anna", "x"].join("/"), ["", "Users", "anna", "Library"].join("/"));
    for text in [home.as_str(), "C:\\Users\\anna\\x", &format!("open {users}")] {
        for key in [KeyPlan::NONE, KeyPlan::new("file.path")] {
            let mut scratch = Scratch::default();
            let findings = scanner.scan(text, &key, &mut scratch);
            assert_eq!(findings.iter().map(|one| &text[one.range()]).collect::<Vec<_>>(), ["anna"], "{text}");
        }
    }
    finds(&home, &[]);
}

#[test]
fn odd_digits_are_digits() {
    finds("card ４１１１１１１１１１１１１１１１", &["PAN=４１１１１１１１１１１１１１１１"]);
    finds("card 4111\u{200b}1111\u{200b}1111\u{200b}1111", &["PAN=4111\u{200b}1111\u{200b}1111\u{200b}1111"]);
    finds("card 4111%201111%201111%201111", &["PAN=4111%201111%201111%201111"]);
}
