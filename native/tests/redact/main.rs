//! What is hidden: the scanner's finds, keys, rules, seals, and requests that go through again.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may fail.

#[path = "../shared/core.rs"]
mod core;
#[path = "../shared/records.rs"]
mod records;
#[path = "../shared/sending.rs"]
mod sending;

mod own_names;
mod redact;
mod redact_attacks;
mod redact_cards;
mod redact_lengths;
mod redact_rules;
mod redact_seal;
mod redact_values;
mod reseal;
mod scan_checks;
mod scan_further;
mod scan_properties;
mod scan_reading;
mod scan_secrets;
mod scan_values;
mod scope_secrets;
mod stricter;
mod truncate;
