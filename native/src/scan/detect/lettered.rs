//! Stage 3 of 7, redact: finds identifiers of letters and digits: accounts, wallets, vehicles, documents. Thread: caller.

use crate::scan::check;
use crate::scan::classes::{class, flag, Run};
use crate::scan::context::Context;
use crate::scan::finding::Findings;
use crate::scan::kind::Kind;
use crate::scan::words::{Word, Words};

/// Longest identifier that is compared in capitals.
const LONGEST: usize = 40;

/// Appends what it finds beside runs.
pub fn detect(context: &Context<'_>, findings: &mut Findings<'_>) {
    if context.anchors.has(flag::CHEVRONS) {
        travel_documents(context, findings);
    }
}

/// Finds the identifier that a run with letters is, or begins.
pub fn run(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    let length = run.len();
    if !run.holds(class::DIGIT) || !(4..=64).contains(&length) || run.holds(class::UNDERSCORE) {
        return;
    }
    let range = run.range();
    if length == 4 {
        return grouped_iban(context, range.start, findings);
    }
    if !run.holds(class::DASH) && length >= 26 {
        wallet(context, run, findings);
    }
    // Longer ones are account numbers alone: two letters, two digits.
    let [a, b, c, d] = [0, 1, 2, 3].map(|at| context.byte(range.start + at));
    let account =
        a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && c.is_ascii_digit() && d.is_ascii_digit();
    let other = matches!(length, 8..=12 | 16 | 17) || (length == 13 && run.holds(class::DASH));
    if !account && !other {
        return;
    }
    let Some(capitals) = Capitals::of(&context.text[range.clone()]) else { return };
    if let Some((kind, rule)) = shape(&capitals, context, run) {
        findings.push(range.start, range.end, kind, rule);
    }
}

/// The letters and digits of a run, in capitals, without dashes.
struct Capitals {
    bytes: [u8; LONGEST],
    length: usize,
    dashes: usize,
}

impl Capitals {
    fn of(run: &[u8]) -> Option<Self> {
        let mut capitals = Self { bytes: [0; LONGEST], length: 0, dashes: 0 };
        for byte in run {
            if *byte == b'-' {
                capitals.dashes += 1;
            } else {
                *capitals.bytes.get_mut(capitals.length)? = byte.to_ascii_uppercase();
                capitals.length += 1;
            }
        }
        Some(capitals)
    }

    fn get(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The identifiers that a run of letters and digits may be, by length.
fn shape(capitals: &Capitals, context: &Context<'_>, run: &Run) -> Option<(Kind, &'static str)> {
    let (text, dashes) = (capitals.get(), capitals.dashes);
    let near = || context.near(run.start as usize, run.end as usize);
    let small = run.holds(class::LOWER);
    let found = match (text.len(), dashes) {
        (8 | 9, 0 | 1) if check::is_ie_pps(text) && (!small && dashes == 0 || near().has(Word::IePps)) => {
            (Kind::IePps, "ie.pps")
        }
        (9, 0..=2) if check::is_es_dni(text) => (Kind::EsDni, "es.dni"),
        (9, 0..=2) if check::is_es_nie(text) => (Kind::EsNie, "es.nie"),
        (9, 0) if check::is_uk_nino(text) && !near().has(Word::Serial) => (Kind::UkNino, "uk.nino"),
        (9, 0) if check::is_dea(text) && near().any(Words::of(&[Word::Dea, Word::Npi])) => {
            (Kind::UsDea, "dea")
        }
        (10, 0) if check::is_in_pan(text) && (text[3] == b'P' || near().any(IN_PAN)) => {
            (Kind::InPan, "in.pan")
        }
        (10 | 11, 0 | 1) if check::is_fi_hetu(&context.text[run.range()].to_ascii_uppercase()) => {
            (Kind::FiHetu, "fi.hetu")
        }
        (11, 0 | 2) if check::is_mbi(text) && (dashes == 2 || near().any(MBI)) => (Kind::UsMbi, "mbi"),
        (12, 0) if check::is_de_svnr(text) => (Kind::DeSvnr, "de.svnr"),
        (16, 0) if check::is_it_cf(text) => (Kind::ItCf, "it.cf"),
        (17, 0) if check::is_vin(text) || (check::is_vin_shape(text) && near().has(Word::Vin)) => {
            (Kind::Vin, "vin")
        }
        (15..=34, _) if text[2..4].iter().all(u8::is_ascii_digit) && check::is_iban(text) => {
            (Kind::Iban, "iban.mod97")
        }
        _ => return None,
    };
    Some(found)
}

const IN_PAN: Words = Words::of(&[Word::InPan, Word::TaxId, Word::NationalId]);
const MBI: Words = Words::of(&[Word::Mbi, Word::HealthPlan]);

/// An account number in groups of four, from its first group on: `DE89 3704 0044 0532 0130 00`.
fn grouped_iban(context: &Context<'_>, start: usize, findings: &mut Findings<'_>) {
    let text = context.text;
    let [a, b, c, d] = [0, 1, 2, 3].map(|at| context.byte(start + at));
    if !(a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && c.is_ascii_digit() && d.is_ascii_digit()) {
        return;
    }
    let mut compact = [0u8; 36];
    let mut length = 0;
    let mut at = start;
    let mut best = None;
    loop {
        let group = text
            .get(at..)
            .unwrap_or_default()
            .iter()
            .take(5)
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count();
        if group == 0 || group > 4 || length + group > 34 {
            break;
        }
        for byte in &text[at..at + group] {
            compact[length] = byte.to_ascii_uppercase();
            length += 1;
        }
        at += group;
        if length >= 15 && check::is_iban(&compact[..length]) {
            best = Some(at);
        }
        let gap = match text.get(at..).unwrap_or_default() {
            [b' ', ..] => 1,
            [0xc2, 0xa0, ..] => 2,
            _ => 0,
        };
        if group < 4 || gap == 0 {
            break;
        }
        at += gap;
    }
    if let Some(end) = best {
        findings.push(start, end, Kind::Iban, "iban.mod97");
    }
}

/// Addresses of crypto currencies.
fn wallet(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    let range = run.range();
    let text = &context.text[range.clone()];
    if let [b'0', b'x' | b'X', rest @ ..] = text {
        let mixed = rest.iter().any(u8::is_ascii_uppercase) && rest.iter().any(u8::is_ascii_lowercase);
        let named = || context.near(range.start, range.end).has(Word::Wallet);
        if rest.len() == 40
            && rest.iter().all(u8::is_ascii_hexdigit)
            && (!mixed || check::is_eip55(rest) || named())
        {
            findings.push(range.start, range.end, Kind::Eth, "eth");
        }
    } else if matches!(text, [b'1' | b'3', ..] | [b'b' | b'B', b'c' | b'C', b'1', ..]) && check::is_btc(text)
    {
        findings.push(range.start, range.end, Kind::Btc, "btc");
    }
}

/// `AB 12 34 56 C` or `AB 123456 C`, from its first digits on.
pub fn spaced(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    let Some(first) = (run.start as usize).checked_sub(3) else { return };
    let mut compact = [0; 9];
    let mut length = 0;
    let mut at = first;
    while let Some(slot) = compact.get_mut(length) {
        match context.byte(at) {
            b' ' if length > 0 => {}
            byte if byte.is_ascii_alphanumeric() => {
                *slot = byte.to_ascii_uppercase();
                length += 1;
            }
            _ => return,
        }
        at += 1;
    }
    let alone = !context.before(first).is_ascii_alphanumeric() && !context.byte(at).is_ascii_alphanumeric();
    let signs = at - first - length;
    if alone && matches!(signs, 2 | 4) && check::is_uk_nino(&compact) {
        findings.push(first, at, Kind::UkNino, "uk.nino");
    }
}

/// The lines for machines at the foot of a travel document.
fn travel_documents(context: &Context<'_>, findings: &mut Findings<'_>) {
    let text = context.text;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.windows(2).position(|pair| pair == b"<<")) {
        let place = at + found;
        let start = text[..place].iter().rev().take(44).take_while(|byte| is_mrz(**byte)).count();
        let start = place - start;
        let length = text[start..].iter().take(45).take_while(|byte| is_mrz(**byte)).count();
        at = start + length;
        if !check::is_mrz_line(&text[start..at]) {
            at = at.max(place + 2);
            continue;
        }
        let mut end = at;
        for _ in 0..2 {
            let gap = match text.get(end..).unwrap_or_default() {
                [b'\\', b'n', ..] | [b'\r', b'\n', ..] => 2,
                [b'\n' | b' ' | b'|' | b',', ..] => 1,
                _ => 0,
            };
            let line = text
                .get(end + gap..)
                .unwrap_or_default()
                .iter()
                .take(45)
                .take_while(|byte| is_mrz(**byte))
                .count();
            if gap == 0 || line != length {
                break;
            }
            end += gap + line;
        }
        findings.push(start, end, Kind::PassportMrz, "mrz");
        at = end;
    }
}

const fn is_mrz(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'<'
}
