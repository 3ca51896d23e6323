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
