//! See `targets`.
#![no_main]

use fapilog_fuzz as targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::run("documents", data));
