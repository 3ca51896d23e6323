//! Stage 3 of 7, redact: finds numbers by their digits: cards, accounts, social security, health. Thread: caller.
//!
//! A checksum alone proves little: one of ten numbers passes. What has no shape of its own needs a keyword near.

use crate::scan::check;
use crate::scan::clusters::{windows, Window};
use crate::scan::context::Context;
use crate::scan::detect::national;
use crate::scan::finding::Findings;
use crate::scan::kind::Kind;
use crate::scan::words::{Word, Words};

/// Groups of card numbers as they are printed.
const CARD_SHAPES: [u64; 9] = [0x4444, 0x4_4443, 0x465, 0x464, 0x4441, 0x4_4441, 0x4_4442, 0x445, 0x4333];

/// Appends what it finds.
pub fn detect(context: &Context<'_>, findings: &mut Findings<'_>) {
    windows(context, |window| {
        if is_date(window) {
            return;
        }
        let words = context.near(window.start, window.end);
        if let Some((kind, rule)) = identify(window, words) {
            findings.push(window.start, window.end, kind, rule);
        }
    });
}

/// `2026-11-29`, `29.11.2026`: no number, whatever a checksum says.
fn is_date(window: &Window) -> bool {
    matches!(window.shape, 0x422 | 0x224 | 0x412 | 0x421 | 0x214 | 0x124)
}

fn identify(window: &Window, words: Words) -> Option<(Kind, &'static str)> {
    card(window, words)
        .or_else(|| social_security(window, words))
        .or_else(|| national::identify(window, words))
        .or_else(|| with_keyword(window, words))
}

fn card(window: &Window, words: Words) -> Option<(Kind, &'static str)> {
    let digits = window.digits();
    // With a word, groups may be any.
    let grouped = window.separator == 0 || CARD_SHAPES.contains(&window.shape) || words.has(Word::Card);
    if !(12..=19).contains(&digits.len()) || !grouped {
        return None;
    }
    // Maestro's ranges are wide and its lengths any: they need a word.
    let maestro = check::payment::is_maestro(digits);
    (check::is_pan(digits) && (!maestro || words.has(Word::Card))).then_some((Kind::Pan, "pan.luhn"))
}

fn social_security(window: &Window, words: Words) -> Option<(Kind, &'static str)> {
    let digits = window.digits();
    if digits.len() != 9 || !matches!(window.shape, 0x324 | 9) {
        return None;
    }
    let named = words.any(Words::of(&[Word::Ssn, Word::Itin]));
    let shaped = match window.separator {
        b'-' => !words.has(Word::Serial),
        b' ' => window.alone && !words.has(Word::Serial),
        _ => false,
    };
    if !named && !shaped {
        return None;
    }
    if check::is_ssn(digits) {
        return Some((Kind::UsSsn, "ssn"));
    }
    check::is_itin(digits).then_some((Kind::UsItin, "itin"))
}

/// A number that only a keyword makes one.
struct Keyed {
    kind: Kind,
    rule: &'static str,
    words: Words,
    lengths: std::ops::RangeInclusive<usize>,
    check: fn(&[u8]) -> bool,
}

const ANY: fn(&[u8]) -> bool = |_| true;

const KEYED: &[Keyed] = &[
    Keyed {
        kind: Kind::UsRouting,
        rule: "routing.keyword",
        words: Words::of(&[Word::Routing]),
        lengths: 9..=9,
        check: check::is_aba,
    },
    Keyed {
        kind: Kind::UsNpi,
        rule: "npi.keyword",
        words: Words::of(&[Word::Npi]),
        lengths: 10..=10,
        check: check::is_npi,
    },
    Keyed {
        kind: Kind::UkNhs,
        rule: "nhs.keyword",
        words: Words::of(&[Word::Nhs]),
        lengths: 10..=10,
        check: check::is_nhs,
    },
    Keyed {
        kind: Kind::Imei,
        rule: "imei.keyword",
        words: Words::of(&[Word::Imei]),
        lengths: 15..=15,
        check: check::is_imei,
    },
    Keyed {
        kind: Kind::Iccid,
        rule: "iccid.keyword",
        words: Words::of(&[Word::Iccid]),
        lengths: 18..=20,
        check: check::is_iccid,
    },
    Keyed {
        kind: Kind::UsEin,
        rule: "ein.keyword",
        words: Words::of(&[Word::Ein, Word::TaxId]),
        lengths: 9..=9,
        check: check::is_ein,
    },
    Keyed {
        kind: Kind::BankAccount,
        rule: "account.keyword",
        words: Words::of(&[Word::Account]),
        lengths: 6..=17,
        check: ANY,
    },
];

/// The words of all of them.
const KEYED_WORDS: Words = {
    let mut words = Words::NONE;
    let mut at = 0;
    while at < KEYED.len() {
        words = words.and(KEYED[at].words);
        at += 1;
    }
    words
};

fn with_keyword(window: &Window, words: Words) -> Option<(Kind, &'static str)> {
    if !words.any(KEYED_WORDS) {
        return None;
    }
    let digits = window.digits();
    KEYED
        .iter()
        .find(|number| {
            words.any(number.words) && number.lengths.contains(&digits.len()) && (number.check)(digits)
        })
        .map(|number| (number.kind, number.rule))
}
