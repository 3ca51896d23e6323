//! Stage 3 of 7, redact: numbers that states give to persons, made of digits alone. Thread: caller.

use crate::scan::check;
use crate::scan::clusters::{Window, MOST_DIGITS};
use crate::scan::kind::Kind;
use crate::scan::words::{Word, Words};

/// One country's number.
struct Number {
    kind: Kind,
    rule: &'static str,
    word: Word,
    lengths: (usize, usize),
    /// Groups between separators that are as telling as a keyword, beside the checksum.
    shapes: &'static [u64],
    check: fn(&[u8]) -> bool,
}

/// Words that speak for whichever number passes its check.
const ANY_NUMBER: Words = Words::of(&[Word::NationalId, Word::TaxId, Word::IdCard]);

const fn number(
    kind: Kind,
    rule: &'static str,
    word: Word,
    lengths: (usize, usize),
    shapes: &'static [u64],
    check: fn(&[u8]) -> bool,
) -> Number {
    Number { kind, rule, word, lengths, shapes, check }
}

const NUMBERS: &[Number] = &[
    number(Kind::AtSvnr, "at.svnr", Word::AtSvnr, (10, 10), &[], check::is_at_svnr),
    number(Kind::AuMedicare, "au.medicare", Word::AuMedicare, (10, 11), &[0x451], check::is_au_medicare),
    number(Kind::AuTfn, "au.tfn", Word::AuTfn, (8, 9), &[], check::is_au_tfn),
    number(Kind::BeNrn, "be.nrn", Word::BeNrn, (11, 11), &[0x2_2232], check::is_be_nrn),
    number(Kind::BgEgn, "bg.egn", Word::BgEgn, (10, 10), &[], check::is_bg_egn),
    number(Kind::BrCpf, "br.cpf", Word::BrCpf, (11, 11), &[0x3332], check::is_br_cpf),
    number(Kind::BrCnpj, "br.cnpj", Word::BrCnpj, (14, 14), &[0x2_3342], check::is_br_cnpj),
    number(Kind::CaSin, "ca.sin", Word::CaSin, (9, 9), &[], check::is_ca_sin),
    number(Kind::ChAhv, "ch.ahv", Word::ChAhv, (13, 13), &[0x3442, 13], check::is_ch_ahv),
    number(Kind::CzRc, "cz.rc", Word::CzRc, (9, 10), &[], check::is_cz_rc),
    number(Kind::DeSteuerId, "de.idnr", Word::DeSteuerId, (11, 11), &[], check::is_de_steuer_id),
    number(Kind::DkCpr, "dk.cpr", Word::DkCpr, (10, 10), &[], check::is_dk_cpr),
    number(Kind::EeIk, "ee.ik", Word::EeIk, (11, 11), &[], check::is_ee_ik),
    number(Kind::FrNir, "fr.nir", Word::FrNir, (13, 15), &[0x122_2332, 0x12_2233], check::is_fr_nir),
    number(Kind::GrAmka, "gr.amka", Word::GrAmka, (11, 11), &[], check::is_gr_amka),
    number(Kind::HrOib, "hr.oib", Word::HrOib, (11, 11), &[], check::is_hr_oib),
    number(Kind::HuTaj, "hu.taj", Word::HuTaj, (9, 9), &[], check::is_hu_taj),
    number(Kind::HuAdoazonosito, "hu.tax", Word::HuTax, (10, 10), &[], check::is_hu_tax_id),
    number(Kind::InAadhaar, "in.aadhaar", Word::InAadhaar, (12, 12), &[], check::is_in_aadhaar),
    number(Kind::LtAk, "lt.ak", Word::LtAk, (11, 11), &[], check::is_lt_ak),
    number(Kind::LuId, "lu.id", Word::LuId, (13, 13), &[], check::is_lu_id),
    number(Kind::LvPk, "lv.pk", Word::LvPk, (11, 11), &[], check::is_lv_pk),
    number(Kind::NlBsn, "nl.bsn", Word::NlBsn, (8, 9), &[], check::is_nl_bsn),
    number(Kind::NoFnr, "no.fnr", Word::NoFnr, (11, 11), &[0x65], check::is_no_fnr),
    number(Kind::PlPesel, "pl.pesel", Word::PlPesel, (11, 11), &[], check::is_pl_pesel),
    number(Kind::PtNif, "pt.nif", Word::PtNif, (9, 9), &[], check::is_pt_nif),
    number(Kind::RoCnp, "ro.cnp", Word::RoCnp, (13, 13), &[], check::is_ro_cnp),
    number(Kind::SePnr, "se.pnr", Word::SePnr, (10, 12), &[0x64, 0x84], check::is_se_pnr),
    number(Kind::SiEmso, "si.emso", Word::SiEmso, (13, 13), &[], check::is_si_emso),
    number(Kind::UkUtr, "uk.utr", Word::UkUtr, (10, 10), &[], check::is_uk_utr),
];

/// Words that speak for a number.
const SPOKEN: Words = {
    let mut words = ANY_NUMBER.with(Word::FiHetu);
    let mut at = 0;
    while at < NUMBERS.len() {
        words = words.with(NUMBERS[at].word);
        at += 1;
    }
    words
};

/// By how many digits there are: a bit for each number that may have so many.
const BY_LENGTH: [u32; MOST_DIGITS + 1] = {
    let mut bits = [0; MOST_DIGITS + 1];
    let mut at = 0;
    while at < NUMBERS.len() {
        let mut length = NUMBERS[at].lengths.0;
        while length <= NUMBERS[at].lengths.1 {
            bits[length] |= 1 << at;
            length += 1;
        }
        at += 1;
    }
    bits
};

/// Names the number, if it is one.
pub(super) fn identify(window: &Window, words: Words) -> Option<(Kind, &'static str)> {
    // In one piece, only a Swiss number tells without a word.
    let telling = (window.separator != 0 || window.shape == 13) && !words.has(Word::Serial);
    if !telling && !words.any(SPOKEN) {
        return None;
    }
    let digits = window.digits();
    if let Some(found) = finnish(window, words) {
        return Some(found);
    }
    let any = words.any(ANY_NUMBER);
    let mut left = BY_LENGTH.get(digits.len()).copied().unwrap_or(0);
    while left != 0 {
        let number = &NUMBERS[left.trailing_zeros() as usize];
        let spoken = any || words.has(number.word) || (telling && number.shapes.contains(&window.shape));
        if spoken && (number.check)(digits) {
            return Some((number.kind, number.rule));
        }
        left &= left - 1;
    }
    None
}

/// A Finnish number whose last symbol is a digit too: `010350-4438`; others are no numbers but runs of both.
fn finnish(window: &Window, words: Words) -> Option<(Kind, &'static str)> {
    if window.shape != 0x64 || window.separator != b'-' || !words.any(FINNISH) {
        return None;
    }
    let mut text = *b"000000-0000";
    text[..6].copy_from_slice(window.digits().get(..6)?);
    text[7..].copy_from_slice(window.digits().get(6..10)?);
    check::is_fi_hetu(&text).then_some((Kind::FiHetu, "fi.hetu"))
}

const FINNISH: Words = Words::of(&[Word::FiHetu, Word::NationalId, Word::TaxId]);
