//! Stage 3 of 7, redact: account and routing numbers. Thread: caller.

use crate::scan::check::sums::{digits, value, weighted};

/// Countries and the lengths of their numbers, sorted: the IBAN registry of SWIFT, release 101.
const REGISTRY: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 \
    DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 \
    IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 \
    NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 \
    TR26 UA29 VA22 VG24 XK20 YE30";
const ENTRY_BYTES: usize = 5;

/// The length of the numbers of a country.
fn length_of(country: &[u8]) -> Option<usize> {
    let entry = REGISTRY.as_bytes().chunks(ENTRY_BYTES).find(|entry| entry.starts_with(country))?;
    Some(usize::from(entry[2] - b'0') * 10 + usize::from(entry[3] - b'0'))
}

/// An international account number in capitals without spaces: country, length, mod 97.
#[must_use]
pub fn is_iban(text: &[u8]) -> bool {
    (15..=34).contains(&text.len())
        && text[2..4].iter().all(u8::is_ascii_digit)
        && length_of(&text[..2]) == Some(text.len())
        && mod_97(text[4..].iter().chain(&text[..4])) == Some(1)
}

fn mod_97<'a>(text: impl Iterator<Item = &'a u8>) -> Option<u32> {
    text.copied().try_fold(0, |rest, byte| match byte {
        b'0'..=b'9' => Some((rest * 10 + u32::from(byte - b'0')) % 97),
        b'A'..=b'Z' => Some((rest * 100 + u32::from(byte - b'A') + 10) % 97),
        _ => None,
    })
}

/// Countries by their two letters (ISO 3166-1), and Kosovo.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW \
    BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE \
    KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV \
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC \
    SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA \
    VC VE VG VI VN VU WF WS YE YT ZA ZM ZW XK";

/// A business identifier code (ISO 9362) in capitals: four letters, a country, two and perhaps three more.
#[must_use]
pub fn is_bic(text: &[u8]) -> bool {
    matches!(text.len(), 8 | 11)
        && text[..6].iter().all(u8::is_ascii_uppercase)
        && text[6..].iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && COUNTRIES.as_bytes().chunks(3).any(|country| country.starts_with(&text[4..6]))
}

/// A routing number of the American Bankers Association.
#[must_use]
pub fn is_aba(text: &[u8]) -> bool {
    digits::<9>(text).is_some_and(|digits| {
        matches!(value(&digits[..2]), 0..=12 | 21..=32 | 61..=72 | 80)
            && value(&digits) != 0
            && weighted(&digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 == 0
    })
}
