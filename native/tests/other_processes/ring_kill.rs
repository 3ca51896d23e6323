//! SIGKILL at a random moment: every record whose append returned, and that was not settled, is recovered once.
//!
//! The process that is killed is this test program with [`ROLE`] set. What it did it says in words of another shared mapping.

use crate::rings::{folder, frame, frames, id, mark, recover_soon, settings, BOOT};
use fapilog_native::ring::layout::u64_at;
use fapilog_native::ring::mapping::Mapping;
use fapilog_native::ring::{place, Ring, Settings, Slot};
use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const ROLE: &str = "FAPILOG_RING_KILL_ROLE";
/// Kills, unless the variable says another number.
const ROUNDS: u32 = 60;
const ROUNDS_VARIABLE: &str = "FAPILOG_KILL_ROUNDS";
/// The seed of the random moments; when it is not set, another one each time. The test prints it.
const SEED_VARIABLE: &str = "FAPILOG_KILL_SEED";
/// Words: how many appends returned; up to which id records are settled.
const RETURNED: usize = 0;
const SETTLED: usize = 1;

fn ring_settings(directory: &Path) -> Settings {
    Settings { slots: 4, slot_bytes: 16 << 10, name: "killed".to_owned(), ..settings(directory) }
}

/// Appends without end: slots are filled, held for a while, and recycled, as by a healthy pipeline.
fn append_forever(directory: &Path) {
    let file =
        OpenOptions::new().read(true).write(true).create_new(true).open(directory.join("told")).unwrap();
    let (told, _region) = Mapping::new(&file, 0, 4096, (4096, 1)).unwrap();
    let tell = |word: usize, id: u64| told.word(word).unwrap().store(id, Ordering::Release);
    let ring = Ring::create(&ring_settings(directory)).unwrap();
    ring.define_scope(0, b"scope").unwrap();
    let text = "y".repeat(200);
    let mut held: VecDeque<(Slot, u64)> = VecDeque::new();
    let mut next = 1;
    loop {
        let Some(mut slot) = ring.take_slot(next) else {
            let (slot, last) = held.pop_front().unwrap();
            tell(SETTLED, last);
            slot.recycle();
            continue;
        };
        assert!(slot.stage(&mark(0)));
        while slot.append(&frame(next, &text[..(next % 200) as usize]), false) {
            tell(RETURNED, next);
            next += 1;
        }
        held.push_back((slot, next - 1));
    }
}

/// Not a test: what is killed.
#[test]
fn another_process() {
    if let Ok(directory) = std::env::var(ROLE) {
        append_forever(Path::new(&directory));
    }
}

/// One round. Returns how many appends had returned.
fn kill_once(directory: &Path, random: &mut fastrand::Rng) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ring_kill::another_process", "--test-threads=1"])
        .env(ROLE, directory)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let told = directory.join("told");
    let returned = || fs::read(&told).map_or(0, |bytes| u64_at(&bytes, RETURNED * 8));
    // At a random number of records or soon after, so that a slow machine kills in the middle of things too.
    let limit = 1 << random.u32(1..14);
    let threshold = 1 + random.u64(..limit);
    let deadline = Instant::now() + Duration::from_secs(30);
    while returned() < threshold {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "it does not append");
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let told = fs::read(&told).unwrap();
    let (returned, settled) = (u64_at(&told, RETURNED * 8), u64_at(&told, SETTLED * 8));
    let mut found = recover_soon(&ring_settings(directory).path(), BOOT);
    assert_eq!(found.scope(0), Some(&b"scope"[..]));
    let report = found.report();
    assert_eq!((report.missing_records, report.damaged_bytes, report.damaged_side_bytes), (0, 0, 0));
    let text = "y".repeat(200);
    let mut ids = Vec::new();
    for (scope, bytes) in found.take_chunks().iter().flat_map(frames) {
        let id = id(&bytes);
        assert_eq!((scope, &bytes), (0, &frame(id, &text[..(id % 200) as usize])));
        ids.push(id);
    }
    let first = ids.first().copied().unwrap_or(returned + 1);
    let last = ids.last().copied().unwrap_or(returned);
    assert_eq!(ids, (first..=last).collect::<Vec<_>>(), "in order, each once");
    assert!(
        first <= settled + 1,
        "{first} is the first that was recovered, {settled} the last that was settled"
    );
    assert!(
        (returned..=returned + 1).contains(&last),
        "{returned} appends returned, {last} is the last that was found"
    );
    found.remove().unwrap();
    returned
}

#[test]
fn every_record_whose_append_returned_survives_sigkill() {
    let asked = std::env::var(SEED_VARIABLE).ok().map(|seed| seed.parse().unwrap());
    let seed = asked.unwrap_or_else(|| fastrand::u64(..));
    // Shown when the test fails.
    println!("{SEED_VARIABLE}={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut places = vec![folder("kill")];
    if let Ok(memory) = place::shared_memory(1 << 20) {
        places.push(memory);
    }
    let asked = std::env::var(ROUNDS_VARIABLE).ok().and_then(|rounds| rounds.parse().ok());
    let rounds: u32 = asked.unwrap_or(ROUNDS);
    let mut appended = 0;
    for round in 0..rounds {
        let place = &places[round as usize % places.len()];
        let directory = place.join(format!("test-kill-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).unwrap();
        appended += kill_once(&directory, &mut random);
        fs::remove_dir_all(&directory).unwrap();
    }
    println!("{rounds} kills, {appended} appends returned, none lost");
}
