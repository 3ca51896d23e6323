//! What is fuzzed: functions of any bytes that must end, must not panic, and must keep what they promise.
//!
//! `cargo fuzz` runs them in the binaries of `fuzz_targets/`; `tests/encode/fuzz_corpus.rs` runs the corpus and changes of it on the
//! stable toolchain. A target that finds something wrong panics.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, dead_code)] // A panic is the finding.

#[path = "../../tests/shared/disks.rs"]
pub mod disks;

pub mod changes;
pub mod redaction;
pub mod ring;
pub mod spool;
pub mod wire;

/// One target: its name, what it does with bytes, and inputs that real code made.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How much longer than others one run of it takes.
    pub cost: usize,
}

pub const TARGETS: [Target; 12] = [
    Target { cost: 1, name: "answer", run: wire::answer, seeds: wire::answers },
    Target { cost: 1, name: "request", run: wire::request, seeds: wire::requests },
    Target { cost: 4, name: "documents", run: wire::documents, seeds: wire::requests },
    Target { cost: 1, name: "unpack", run: wire::unpack, seeds: wire::packed },
    Target { cost: 1, name: "spool_scan", run: spool::scan_segment, seeds: spool::segments },
    Target { cost: 1, name: "spool_positions", run: spool::read_positions, seeds: spool::positions },
    Target { cost: 2, name: "spool_reopen", run: spool::reopen, seeds: spool::edits },
    Target { cost: 1, name: "ring_salvage", run: ring::salvage_chunk, seeds: ring::chunks },
    Target { cost: 1, name: "ring_side", run: ring::read_side, seeds: ring::sides },
    Target { cost: 20, name: "ring_recover", run: ring::recover_file, seeds: ring::edits },
    Target { cost: 2, name: "scan_text", run: redaction::scan_text, seeds: redaction::texts },
    Target { cost: 2, name: "redact_record", run: redaction::redact_record, seeds: redaction::records },
];

/// Runs the target `name`; used by the binaries.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    (target.run)(data);
}
