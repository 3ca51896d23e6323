//! Stage 3 of 7, redact: checks of numbers: length, ranges, dates, checksums. Thread: caller.
//!
//! Every check takes the ASCII digits (or upper-case letters and digits) of a number without its separators, and looks
//! at everything itself, the length included: `pub fn is_pesel(digits: &[u8]) -> bool`. None of them allocates.
//!
//! [`payment`], [`bank`], [`health`], [`devices`], [`documents`] and [`wallets`] by subject; the numbers of states in
//! [`america`], [`north`], [`west`], [`south`], [`east`] and [`elsewhere`]; [`sums`] and [`days`] are what they share.

pub mod america;
pub mod bank;
pub mod days;
pub mod devices;
pub mod documents;
pub mod east;
pub mod elsewhere;
pub mod health;
pub mod keccak;
pub mod north;
pub mod payment;
pub mod seed_phrase;
pub mod south;
pub mod sums;
pub mod wallets;
pub mod west;

pub use america::{is_br_cnpj, is_br_cpf, is_ca_sin, is_ein, is_itin, is_ssn};
pub use bank::{is_aba, is_iban};
pub use devices::{is_iccid, is_imei, is_vin, is_vin_shape};
pub use documents::is_mrz_line;
pub use east::{is_bg_egn, is_cz_rc, is_hr_oib, is_hu_taj, is_hu_tax_id, is_pl_pesel, is_ro_cnp, is_si_emso};
pub use elsewhere::{is_au_medicare, is_au_tfn, is_in_aadhaar, is_in_pan};
pub use health::{is_dea, is_mbi, is_nhs, is_npi};
pub use north::{is_dk_cpr, is_ee_ik, is_fi_hetu, is_lt_ak, is_lv_pk, is_no_fnr, is_se_pnr};
pub use payment::is_pan;
pub use seed_phrase::is_seed_phrase;
pub use south::{is_es_dni, is_es_nie, is_gr_amka, is_it_cf, is_pt_nif};
pub use sums::is_luhn;
pub use wallets::{is_btc, is_eip55};
pub use west::{
    is_at_svnr, is_be_nrn, is_ch_ahv, is_de_steuer_id, is_de_svnr, is_fr_nir, is_ie_pps, is_lu_id, is_nl_bsn,
    is_uk_nino, is_uk_utr,
};
