//! Stage 3: what one pass over a text leaves, and which keywords it holds.

use fapilog_native::scan::blocks::Blocks;
use fapilog_native::scan::classes::{class, flag, Anchors, Run};
use fapilog_native::scan::keywords::{assigned_name, find, near, AssignedName, Hit};
use fapilog_native::scan::words::{Word, Words};

fn blocks(text: &str) -> Blocks {
    let mut blocks = Blocks::default();
    blocks.read(text.as_bytes());
    blocks
}

fn read(text: &str) -> Anchors {
    let mut anchors = Anchors::default();
    anchors.read(text.as_bytes(), &blocks(text));
    anchors
}

#[test]
fn plain_words_leave_no_anchor() {
    let anchors = read("connection closed by the peer");
    assert!(anchors.runs.is_empty() && anchors.flags == flag::SPACE && anchors.assigns.is_empty());
}

#[test]
fn runs_with_digits_are_kept_with_their_classes() {
    let anchors = read("user 42, card ab-1F");
    assert_eq!(
        anchors.runs,
        [
            Run { start: 5, end: 7, mask: class::DIGIT },
            Run { start: 14, end: 19, mask: class::LOWER | class::DASH | class::DIGIT | class::UPPER },
        ]
    );
}

#[test]
fn marks_are_told_apart() {
    let anchors = read("a=1 b: 2 http://x@y 10::1 %40 \\u é");
    assert_eq!((anchors.assigns, anchors.schemes, anchors.ats), (vec![1, 5, 22, 23], vec![13], vec![17]));
    assert_eq!(anchors.flags, flag::COLONS | flag::PERCENT | flag::ESCAPE | flag::SPACE | flag::NON_ASCII);
}

fn hits(text: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    find(text.as_bytes(), &blocks(text), &mut hits);
    hits
}

#[test]
fn keywords_are_found_in_any_spelling_but_not_inside_words() {
    for text in ["ssn", "SSN", "user_ssn", "userSsn", "the social-security no", "socialSecurity", "ssns"] {
        assert_eq!(hits(text).iter().filter(|hit| hit.word == Word::Ssn).count(), 1, "{text}");
    }
    assert_eq!((hits("classname assnx"), hits("USERSSN")), (vec![], vec![]));
}

fn near_words(text: &str, value: &str) -> Words {
    let start = text.find(value).unwrap_or_default();
    near(text.as_bytes(), &hits(text), start, start + value.len())
}

#[test]
fn letters_between_digits_are_no_words() {
    assert_eq!((hits("part 4rc7 and 9v=1"), hits("3ip4")), (hits("part"), vec![]));
    assert_eq!(hits("2fa code").len(), 1);
}

#[test]
fn many_words_are_told_from_few() {
    let row = |count: usize| ["abc"; 16][..count].join(" ");
    for (text, many) in [
        (row(12), true),
        (row(11), false),
        ("1".repeat(30) + " " + &row(12), true),
        (row(6) + ", " + &row(6), false),
        (row(6) + " Abc " + &row(6), false),
    ] {
        assert_eq!(read(&text).has(flag::MANY_WORDS), many, "{text}");
    }
}

#[test]
fn an_assigned_value_hears_its_own_name_alone() {
    let ssn = Words::of(&[Word::Ssn]);
    assert_eq!(near_words("the SSN is 123", "123"), ssn);
    assert_eq!(near_words("ssn=1 order=123", "123"), Words::of(&[Word::Serial]));
    assert_eq!(near_words(r#"{"ssn": "123"}"#, "123"), ssn);
    assert_eq!(near_words("123 (SSN) ok", "123"), ssn);
    assert_eq!(near_words("123 ssn=4", "123"), Words::NONE);
    assert!(near_words("ssn of the customer: 123", "123").has(Word::Ssn));
}

#[test]
fn the_name_of_a_value_is_found_through_quotes() {
    let name = |text: &str, at| assigned_name(text.as_bytes(), at);
    assert_eq!(name("a=1", 2), Some(AssignedName { start: 0, end: 1, strict: true }));
    assert_eq!(name("a: 1", 3), Some(AssignedName { start: 0, end: 1, strict: false }));
    assert_eq!(name(r#""a": "1"#, 6), Some(AssignedName { start: 1, end: 2, strict: true }));
    assert_eq!(name("a 1", 2), None);
}
