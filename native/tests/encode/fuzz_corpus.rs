//! The fuzz targets without a fuzzer: every file of the corpus, what real code writes now, and thousands of changes of both.
//!
//! `make fuzz` runs the same functions under libFuzzer. `cargo test --test encode -- --ignored` writes the corpus anew.
//! `FUZZ_INPUTS` is the number of changes, `FUZZ_SEED` the start of their random numbers.

#[path = "../../fuzz/targets/mod.rs"]
mod targets;

use fastrand::Rng;
use std::fs;
use std::path::{Path, PathBuf};
use targets::{Target, TARGETS};

const CHANGED_INPUTS: usize = 4_000;
const MOST_BYTES: usize = 8_192;
/// Numbers at which lengths and counts go wrong.
const EDGES: [u64; 8] = [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];

fn corpus(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name)
}

fn inputs(target: &Target) -> Vec<Vec<u8>> {
    let files = fs::read_dir(corpus(target)).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    files.chain((target.seeds)()).collect()
}

/// One of `inputs` with some changes, as a fuzzer makes them.
fn changed(inputs: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let mut bytes = random.choice(inputs).unwrap().clone();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(0..=bytes.len());
        match random.u8(0..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
            1 if at < bytes.len() => bytes[at] = random.u8(..),
            2 => bytes.insert(at, random.u8(..)),
            3 => bytes.truncate(at),
            4 => {
                let edge = random.choice(EDGES).unwrap().to_le_bytes();
                let count = random.usize(1..=8).min(bytes.len() - at);
                bytes[at..at + count].copy_from_slice(&edge[..count]);
            }
            5 => {
                let end = random.usize(at..=bytes.len());
                let part = bytes[at..end].to_vec();
                let to = random.usize(0..=bytes.len());
                bytes.splice(to..to, part);
            }
            _ => {
                let other = random.choice(inputs).unwrap();
                let from = random.usize(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes.truncate(MOST_BYTES);
    bytes
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |value| value.parse().unwrap())
}

fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let inputs = inputs(target);
    let mut random = Rng::with_seed(number("FUZZ_SEED", 5) as u64);
    let changes =
        (0..number("FUZZ_INPUTS", CHANGED_INPUTS) / target.cost).map(|_| changed(&inputs, &mut random));
    for input in inputs.iter().cloned().chain(changes) {
        let outcome = std::panic::catch_unwind(|| (target.run)(&input));
        assert!(outcome.is_ok(), "{name} fails on {input:02x?}");
    }
}

#[test]
fn any_answer_of_a_receiver_has_a_meaning() {
    run("answer");
}

#[test]
fn any_request_is_read_as_far_as_it_goes() {
    run("request");
}

#[test]
fn any_request_becomes_documents_that_can_be_told_apart() {
    run("documents");
}

#[test]
fn any_body_unpacks_within_its_limit_or_fails() {
    run("unpack");
}

#[test]
fn any_segment_gives_blocks_that_do_not_overlap() {
    run("spool_scan");
}

#[test]
fn any_positions_never_settle_what_was_not() {
    run("spool_positions");
}

#[test]
fn any_damage_to_a_spool_leaves_one_that_can_be_emptied() {
    run("spool_reopen");
}

#[test]
fn any_chunk_gives_whole_records_only() {
    run("ring_salvage");
}

#[test]
fn any_side_area_is_read_as_far_as_it_goes() {
    run("ring_side");
}

#[test]
fn any_damage_to_a_ring_gives_whole_records_only() {
    run("ring_recover");
}

#[test]
fn any_text_gives_findings_in_order_that_stay_hidden() {
    run("scan_text");
}

#[test]
fn any_record_is_redacted_to_one_that_stays_as_it_is() {
    run("redact_record");
}

#[test]
fn every_target_has_a_binary_and_a_corpus() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for target in &TARGETS {
        let source =
            fs::read_to_string(fuzz.join("fuzz_targets").join(format!("{}.rs", target.name))).unwrap();
        assert!(source.contains(&format!("targets::run({:?}, data)", target.name)), "{}", target.name);
        assert!(fs::read_dir(corpus(target)).unwrap().count() >= 2, "{}", target.name);
    }
}

#[test]
#[ignore = "writes native/fuzz/corpus"]
fn write_the_corpus() {
    for target in &TARGETS {
        fs::create_dir_all(corpus(target)).unwrap();
        for (number, seed) in (target.seeds)().into_iter().enumerate() {
            fs::write(corpus(target).join(format!("seed-{number}")), seed).unwrap();
        }
    }
}
