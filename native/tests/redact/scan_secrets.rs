//! Stage 3: passwords, headers, tokens of vendors; and the words that only look like them.
//!
//! Every secret here is made up. Those with a vendor's prefix are put together from parts, so that no scanner of
//! repositories takes them for real.

use fapilog_native::scan::keys::KeyPlan;
use fapilog_native::scan::{Scanner, Scratch};

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

/// So many letters and digits.
fn filler(count: usize) -> String {
    "a1B2c3D4e5F6g7H8j9K0".chars().cycle().take(count).collect()
}

#[test]
fn what_a_password_is_given_is_hidden() {
    finds("login password=hunter2 ok", &["PASSWORD=hunter2"]);
    finds(r#"{"db_password": "p w,d}&"}"#, &["PASSWORD=p w,d}&"]);
    finds(r#"{\"password\":\"hunter2\"}"#, &["PASSWORD=hunter2"]);
    finds("PGPASSWORD='s3cr3t!' psql", &["PASSWORD=s3cr3t!"]);
    finds("a=1&password=x9y8z7&b=2", &["URL_QUERY_SECRET=x9y8z7"]);
}

#[test]
fn words_about_passwords_stay() {
    for text in [
        "Invalid password for user",
        "password: ******** ok",
        "password=${DB_PASSWORD}",
        "password=<redacted> token=[FILTERED]",
        "password_policy=strong password_length=12",
        "token_type=bearer expires_in=3600",
        "max_tokens=4096 tokens: 512",
        "secret rotation done",
        "Authorization: Bearer ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "bearer of bad news arrived",
        "cookie consent banner shown",
        "auth.method=oauth2",
    ] {
        finds(text, &[]);
    }
}

#[test]
fn keys_hide_whole_values_unless_they_are_about_a_property() {
    for (key, hidden) in [
        ("user.password", true),
        ("x-api-key", true),
        ("http.request.header.cookie", true),
        ("clientSecret", true),
        ("password_policy", false),
        ("auth.method", false),
        ("token_count", false),
        ("session.timeout", false),
        ("author", false),
        ("card.last4", false),
    ] {
        assert_eq!(!found_in("Zk0aUwW5FWO35u5q", key).is_empty(), hidden, "{key}");
        assert!(found_in("********", key).is_empty(), "{key}");
    }
}

#[test]
fn what_is_random_is_hidden_under_a_property_too() {
    let token = filler(24);
    finds(&format!("secret_id={token} ok"), &[&format!("API_KEY_GENERIC={token}")]);
    assert_eq!(found_in(&token, "app.secret_id"), [format!("API_KEY_GENERIC={token}")]);
    finds("secret_id=7 secretName: billing-db_1 token_url=https://h/t", &[]);
}

#[test]
fn headers_keep_their_scheme() {
    let token = filler(40);
    finds(&format!("Authorization: Bearer {token}"), &[&format!("BEARER_TOKEN={token}")]);
    finds("Authorization: Basic dXNlcjpwYXNzd29yZA==", &["BASIC_AUTH=dXNlcjpwYXNzd29yZA=="]);
    finds("Set-Cookie: sid=0123456789abcdef; Path=/; HttpOnly", &["COOKIE=0123456789abcdef"]);
}

#[test]
fn addresses_lose_their_secrets() {
    finds("postgres://app:s3cr3t@db:5432/x", &["URL_USERINFO=app:s3cr3t"]);
    finds("ssh://git@example.org/x", &[]);
    finds("GET https://h/x?sig=AbC123def%3D&y=1", &["URL_QUERY_SECRET=AbC123def%3D"]);
    let hook = ["https://hooks.slack.com/", "services/T0000000/B0000000/", &filler(24)].concat();
    finds(&format!("curl {hook}"), &[&format!("SLACK_WEBHOOK={hook}")]);
}

#[test]
fn tokens_of_vendors_show_themselves() {
    for (kind, prefix, count) in [
        ("GITHUB_TOKEN", "ghp_", 36),
        ("GITLAB_TOKEN", "glpat-", 20),
        ("SLACK_TOKEN", "xoxb-", 24),
        ("STRIPE_KEY", "sk_live_", 24),
        ("OPENAI_KEY", "sk-proj-", 40),
        ("ANTHROPIC_KEY", "sk-ant-", 40),
        ("NPM_TOKEN", "npm_", 36),
        ("GCP_API_KEY", "AIza", 35),
        ("VENDOR_TOKEN", "hvs.", 24),
        ("VENDOR_TOKEN", "hf_", 34),
    ] {
        let token = format!("{prefix}{}", filler(count));
        finds(&format!("use {token} here"), &[&format!("{kind}={token}")]);
        finds(&format!("x={token}"), &[&format!("{kind}={token}")]);
        finds(&format!("1+{token}"), &[&format!("{kind}={token}")]);
    }
    let key = ["AK", "IA", "Q3EGRIZ2XQKVJW7L"].concat();
    finds(&format!("key {key}."), &[&format!("AWS_ACCESS_KEY_ID={key}")]);
}

#[test]
fn json_web_tokens_and_private_keys() {
    let token = ["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxIn0", &filler(43)].join(".");
    finds(&format!("jwt {token}, ok"), &[&format!("JWT={token}")]);
    let key = ["-----BEGIN PRIV", "ATE KEY-----\nMIIB\n-----END PRIV", "ATE KEY-----"].concat();
    finds(&format!("key {key} end"), &[&format!("PRIVATE_KEY={key}")]);
    finds("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----", &[]);
}

#[test]
fn random_names_of_things_stay() {
    for text in [
        "trace 4bf92f3577b34da6a3ce929d0e0e4736 span 00f067aa0ba902b7",
        "image sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "request 550e8400-e29b-41d4-a716-446655440000 done",
        "pod checkout-7d9f8b6c5d-x2x7k ready",
    ] {
        finds(text, &[]);
    }
}

#[test]
fn a_secret_that_begins_like_a_mark_is_a_secret() {
    finds("password=REDACTEDhunter2", &["PASSWORD=REDACTEDhunter2"]);
    finds("password=[REDACTED:pan]hunter2", &["PASSWORD=REDACTED:pan]hunter2"]);
    for marked in
        ["[REDACTED]", "[REDACTED:secret]", "REDACTED:pan", "[FILTERED]", "[REDACTED:ip:203.0.113.0/24]"]
    {
        finds(&format!("password={marked}"), &[]);
    }
}

#[test]
fn a_name_in_a_list_gives_its_neighbour_away() {
    finds("started ['mysql', '--password', 'hunter2x']", &["PASSWORD=hunter2x"]);
    finds("items [('password', 'hunter2x')]", &["PASSWORD=hunter2x"]);
    finds("missing ['password', 'email_address1']", &[]);
}

#[test]
fn an_element_may_have_attributes() {
    finds(r#"<w:Password Type="text">hunter2x</w:Password>"#, &["PASSWORD=hunter2x"]);
}

#[test]
fn colours_and_escapes_of_lines_glue_to_nothing() {
    finds("\x1b[31m4111111111111111\x1b[0m", &["PAN=4111111111111111"]);
    finds("\\u001b[1;31m536-22-1034", &["US_SSN=536-22-1034"]);
    finds(r#"{"note":"line\n4111111111111111"}"#, &["PAN=4111111111111111"]);
    finds(r"KeyError: 'x\n536-22-1034'", &["US_SSN=536-22-1034"]);
    finds("card=4111+1111+1111+1111", &["PAN=4111+1111+1111+1111"]);
    finds("+14155552671 200", &["PHONE=+14155552671"]);
    assert_eq!(found_in("<u><ssn>536221034</ssn><password>hunter2x</password></u>", "xml").len(), 2);
}
