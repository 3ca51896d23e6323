//! Stage 3 of 7, redact: checks of numbers: length, ranges, dates, checksums. Thread: caller.
//!
//! Every check takes the ASCII digits (or upper-case letters and digits) of a number without its separators, and looks
//! at everything itself, the length included: `pub fn is_pesel(digits: &[u8]) -> bool`.
//!
//! Detectors call them by these names, all at the root of this room (`pub use`): `is_luhn`, `is_pan` (Luhn, issuer and
//! length), `is_iban`, `is_aba`, `is_btc` (base58check or bech32), `is_eip55`, `is_seed_phrase`, `is_ssn`, `is_itin`,
//! `is_ein`, `is_npi`, `is_dea`, `is_mbi`, `is_nhs`, `is_vin` (with the check digit), `is_vin_shape`, `is_mrz`
//! (two or three lines in one, without the line ends), `is_imei`, `is_iccid`, and for the states `is_de_steuer_id`,
//! `is_de_svnr`, `is_fr_nir`, `is_it_cf`, `is_es_dni`, `is_es_nie`, `is_nl_bsn`, `is_be_nrn`, `is_pl_pesel`,
//! `is_pt_nif`, `is_at_svnr`, `is_ie_pps`, `is_se_pnr`, `is_fi_hetu` (with its century sign), `is_dk_cpr`, `is_cz_rc`,
//! `is_ro_cnp`, `is_bg_egn`, `is_hr_oib`, `is_gr_amka`, `is_ee_ik`, `is_lt_ak`, `is_hu_taj`, `is_hu_tax_id`,
//! `is_si_emso`, `is_lv_pk`, `is_lu_id`, `is_uk_nino`, `is_uk_utr`, `is_ch_ahv`, `is_no_fnr`, `is_br_cpf`,
//! `is_br_cnpj`, `is_in_aadhaar`, `is_in_pan`, `is_ca_sin`, `is_au_tfn`, `is_au_medicare`.

/// Luhn's sum over digits is a multiple of ten.
#[must_use]
pub fn is_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit.wrapping_sub(b'0'));
            if place % 2 == 0 {
                value
            } else {
                value * 2 - if value > 4 { 9 } else { 0 }
            }
        })
        .sum();
    sum % 10 == 0
}

fn leading(digits: &[u8], count: usize) -> u32 {
    digits.iter().take(count).fold(0, |value, digit| value * 10 + u32::from(digit.wrapping_sub(b'0')))
}

/// A card number: issuer, length and Luhn's sum.
#[must_use]
pub fn is_pan(digits: &[u8]) -> bool {
    let length = digits.len();
    let (two, three, four) = (leading(digits, 2), leading(digits, 3), leading(digits, 4));
    let known = match two {
        40..=49 => matches!(length, 13 | 16 | 19),
        51..=55 => length == 16,
        22..=27 => length == 16 && (2221..=2720).contains(&four),
        34 | 37 => length == 15,
        35 => (16..=19).contains(&length) && (3528..=3589).contains(&four),
        36 | 38 | 39 => (14..=19).contains(&length),
        30 => (14..=19).contains(&length) && three <= 305,
        62 | 81 => (16..=19).contains(&length),
        60 | 64 | 65 if four == 6011 || (644..=649).contains(&three) || two == 65 => {
            (16..=19).contains(&length)
        }
        50 | 56..=58 | 63 | 67 | 60 | 61 | 66 | 68 | 69 => (12..=19).contains(&length),
        _ => false,
    };
    known && is_luhn(digits) && digits.iter().any(|digit| *digit != digits[0])
}

/// An international account number in capitals without spaces: mod 97.
#[must_use]
pub fn is_iban(text: &[u8]) -> bool {
    if text.len() < 15 || text.len() > 34 {
        return false;
    }
    let mut rest = 0u32;
    for byte in text[4..].iter().chain(&text[..4]) {
        rest = match byte {
            b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
            b'A'..=b'Z' => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
            _ => return false,
        };
    }
    rest == 1
}

fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(digit.wrapping_sub(b'0')) * weight).sum()
}

/// A routing number.
#[must_use]
pub fn is_aba(digits: &[u8]) -> bool {
    digits.len() == 9 && weighted(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 == 0
}

/// A social security number.
#[must_use]
pub fn is_ssn(digits: &[u8]) -> bool {
    let area = leading(digits, 3);
    digits.len() == 9
        && area != 0
        && area != 666
        && area < 900
        && leading(&digits[3..], 2) != 0
        && leading(&digits[5..], 4) != 0
}

/// A taxpayer number.
#[must_use]
pub fn is_itin(digits: &[u8]) -> bool {
    digits.len() == 9 && digits[0] == b'9' && matches!(leading(&digits[3..], 2), 50..=65 | 70..=88 | 90..=99)
}

/// A provider number.
#[must_use]
pub fn is_npi(digits: &[u8]) -> bool {
    digits.len() == 10 && matches!(digits[0], b'1' | b'2') && is_luhn(&[b"80840", digits].concat())
}

/// A prescriber number.
#[must_use]
pub fn is_dea(text: &[u8]) -> bool {
    if text.len() != 9 || !text[0].is_ascii_uppercase() || !text[2..].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let digit = |at: usize| u32::from(text[at] - b'0');
    (digit(2) + digit(4) + digit(6) + 2 * (digit(3) + digit(5) + digit(7))) % 10 == digit(8)
}

/// An NHS number.
#[must_use]
pub fn is_nhs(digits: &[u8]) -> bool {
    digits.len() == 10
        && (11 - weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11
            == u32::from(digits[9].wrapping_sub(b'0'))
}

/// A vehicle number.
#[must_use]
pub fn is_vin(text: &[u8]) -> bool {
    if !is_vin_shape(text) {
        return false;
    }
    let weights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let sum: u32 = text
        .iter()
        .zip(weights)
        .map(|(byte, weight)| {
            let value = match byte {
                b'0'..=b'9' => byte - b'0',
                b'A'..=b'H' => byte - b'A' + 1,
                b'J'..=b'R' => byte - b'J' + 1,
                _ => byte - b'S' + 2,
            };
            u32::from(value) * weight
        })
        .sum();
    let check = if sum % 11 == 10 { b'X' } else { b'0' + (sum % 11) as u8 };
    text[8] == check
}

/// Shaped like a vehicle number.
#[must_use]
pub fn is_vin_shape(text: &[u8]) -> bool {
    text.len() == 17
        && text
            .iter()
            .all(|byte| byte.is_ascii_digit() || (byte.is_ascii_uppercase() && !b"IOQ".contains(byte)))
        && text[..3].iter().any(u8::is_ascii_uppercase)
        && text[13..].iter().all(u8::is_ascii_digit)
}

macro_rules! digits {
    ($($name:ident $($length:literal)|+,)*) => {
        $(
            /// Not checked yet.
            #[must_use]
            pub fn $name(text: &[u8]) -> bool {
                matches!(text.len(), $($length)|+)
            }
        )*
    };
}

digits! {
    is_btc 26|27|28|29|30|31|32|33|34|35|42|62,
    is_ein 9, is_mbi 11, is_imei 15, is_iccid 19|20,
    is_de_steuer_id 11, is_de_svnr 12, is_fr_nir 15|13, is_it_cf 16, is_es_dni 9, is_es_nie 9, is_nl_bsn 9, is_be_nrn 11,
    is_pl_pesel 11, is_pt_nif 9, is_at_svnr 10, is_ie_pps 8|9, is_se_pnr 10|12, is_fi_hetu 11, is_dk_cpr 10, is_cz_rc 9|10,
    is_ro_cnp 13, is_bg_egn 10, is_hr_oib 11, is_gr_amka 11, is_ee_ik 11, is_lt_ak 11, is_hu_taj 9, is_hu_tax_id 10,
    is_si_emso 13, is_lv_pk 11, is_lu_id 13, is_uk_nino 9, is_uk_utr 10, is_ch_ahv 13, is_no_fnr 11, is_br_cpf 11,
    is_br_cnpj 14, is_in_aadhaar 12, is_in_pan 10, is_ca_sin 9, is_au_tfn 8|9, is_au_medicare 10|11,
}

/// Not checked yet.
#[must_use]
pub fn is_mrz(text: &[u8]) -> bool {
    matches!(text.len(), 72 | 88 | 90)
}

/// Not checked yet.
#[must_use]
pub fn is_seed_phrase(words: &str) -> bool {
    let _ = words;
    false
}
