//! The crash ring with damage: every byte changed, every length cut, walks over any bytes. No panic, no loop, no loss untold.

use crate::rings::{folder, frame, frames, id, mark, open_slot, recover_soon, settings, BOOT};
use fapilog_native::buffer::chunk::SCOPE_MARK;
use fapilog_native::ring::frames::{is_record, salvage};
use fapilog_native::ring::side;
use fapilog_native::ring::{recover, Recovered, Ring, Settings, UNKNOWN_SCOPE};
use proptest::prelude::*;
use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// Two slots of records; in the first, an earlier use left other records behind those that count.
fn small_ring(name: &str, durable: bool) -> (Settings, u64) {
    let settings = Settings { slots: 2, durable, ..settings(&folder(name)) };
    let ring = Ring::create(&settings).unwrap();
    ring.define_resource(b"resource").unwrap();
    ring.define_scope(0, b"scope").unwrap();
    ring.define_scope(1, b"other").unwrap();
    let mut old = open_slot(&ring, 1, 0).unwrap();
    while old.append(&frame(1_000_000, "settled long ago"), false) {}
    old.recycle();
    let mut next = 1;
    let mut slots = Vec::new();
    for records in [9, 5] {
        let mut slot = open_slot(&ring, next, 0).unwrap();
        for at in 0..records {
            assert!(at != 3 || slot.stage(&mark(1)));
            assert!(slot.append(&frame(next, "some text"), at == 2));
            next += 1;
        }
        slots.push(slot);
    }
    if durable {
        ring.checkpoint().unwrap();
    }
    drop((slots, ring));
    (settings, next - 1)
}

/// What was recovered are records that were written, but for one, of which a byte may be another; and what is missing is said.
fn assert_told(found: &mut Recovered, total: u64, what: &str) {
    let chunks = found.take_chunks();
    let all: Vec<Vec<u8>> = chunks.iter().flat_map(frames).map(|(_, frame)| frame).collect();
    assert!(all.iter().all(|frame| is_record(&frame[2..])), "{what}");
    let genuine = all.iter().filter(|one| **one == frame(id(one), "some text")).count();
    assert!(genuine + 1 >= all.len(), "{what}");
    let report = found.report();
    assert_eq!(report.records, all.len() as u64, "{what}");
    let told = report.records + report.missing_records + report.superseded_records + report.unsynced_records;
    assert!(told >= total, "{what}: {report:?} of {total}");
}

fn every_byte(name: &str, durable: bool, boot: u64, fewest: u64) {
    let (settings, total) = small_ring(name, durable);
    let whole = fs::read(settings.path()).unwrap();
    let file = OpenOptions::new().write(true).open(settings.path()).unwrap();
    let mut worst = total;
    for (at, byte) in whole.iter().enumerate() {
        // Of the long zeros, some will do.
        let flips: &[u8] = if *byte == 0 && at % 16 != 0 { &[0xff] } else { &[0x01, 0x80, 0xff, 0x12] };
        for flip in flips {
            file.write_all_at(&[byte ^ flip], at as u64).unwrap();
            let mut found = recover_soon(&settings.path(), boot);
            let what = format!("byte {at} ^ {flip:#x}");
            worst = worst.min(found.report().records);
            assert_told(&mut found, total, &what);
        }
        file.write_all_at(&[*byte], at as u64).unwrap();
    }
    assert!(worst >= fewest, "one byte cost {} of {total} records", total - worst);
}

#[test]
fn noise_behind_the_header_tells_of_no_more_records_than_there_is_room_for() {
    let (settings, _) = small_ring("all-noise", false);
    let mut bytes = fs::read(settings.path()).unwrap();
    bytes[4096..].fill(0xab);
    fs::write(settings.path(), &bytes).unwrap();
    let report = recover_soon(&settings.path(), BOOT).report();
    let told = report.records + report.missing_records + report.superseded_records + report.unsynced_records;
    assert!((1..=bytes.len() as u64 / 20).contains(&told), "{report:?}");
}

#[test]
fn any_byte_changed_costs_little_and_is_told() {
    // The worst is a slot's length made smaller.
    every_byte("every-byte", false, BOOT, 5);
}

#[test]
fn any_byte_changed_after_a_loss_of_power_costs_a_slot_at_most() {
    every_byte("every-byte-power", true, BOOT + 1, 5);
}

#[test]
fn a_file_cut_at_any_length_gives_what_is_left() {
    let (settings, total) = small_ring("cut", false);
    let whole = fs::read(settings.path()).unwrap();
    let file = OpenOptions::new().write(true).open(settings.path()).unwrap();
    for length in (0..whole.len()).rev().filter(|length| length % 61 == 0 || *length > 16_000) {
        file.set_len(length as u64).unwrap();
        match recover(&settings.path(), BOOT) {
            Ok(Some(found)) => {
                let report = found.report();
                let is_told = report.records + report.missing_records == total || report.unreadable_slots > 0;
                assert!(is_told || length == 0, "{length}: {report:?}");
            }
            Ok(None) => {} // Another test starts a process.
            Err(_) => {
                assert!(length < 64, "{length}");
                fs::rename(settings.path().with_extension("ring.corrupt"), settings.path()).unwrap();
            }
        }
    }
}

#[test]
fn a_damaged_mark_makes_the_scope_unknown_until_the_next() {
    let mut chunk = [mark(1), frame(1, "a"), mark(2), frame(2, "b"), mark(3), frame(3, "c")].concat();
    let second = mark(1).len() + frame(1, "a").len();
    chunk[second] ^= 0xff;
    let found = salvage(&chunk, 3);
    let expected =
        [mark(1), frame(1, "a"), mark(UNKNOWN_SCOPE), frame(2, "b"), mark(3), frame(3, "c")].concat();
    assert_eq!(found.bytes, expected);
    assert_eq!((found.records, found.unknown_scope_records, found.damaged_bytes), (3, 1, 5));
}

#[test]
fn a_record_that_is_no_protobuf_is_left_out_and_the_next_one_keeps_its_scope() {
    let mut chunk = [mark(1), frame(1, "a"), frame(2, "b"), frame(3, "c")].concat();
    let text =
        mark(1).len() + frame(1, "a").len() + frame(2, "b").iter().position(|byte| *byte == b'b').unwrap();
    chunk[text] = 0xff; // Not UTF-8.
    let found = salvage(&chunk, 3);
    assert_eq!(found.bytes, [mark(1), frame(1, "a"), frame(3, "c")].concat());
    assert_eq!((found.records, found.damaged_bytes), (2, frame(2, "b").len() as u64));
}

#[test]
fn bytes_made_to_look_like_records_do_not_make_it_slow() {
    // Frames that claim everything up to the end, and are wrong in the last byte only.
    let mut chunk = Vec::new();
    while chunk.len() < (1 << 20) - 64 {
        let rest = (1 << 20) - chunk.len() - 5;
        chunk.push(0x12);
        let mut length = rest as u64;
        while length >= 0x80 {
            chunk.push(length as u8 | 0x80);
            length >>= 7;
        }
        chunk.push(length as u8);
        chunk.extend_from_slice(&[0x09, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    chunk.resize(1 << 20, 0);
    let began = Instant::now();
    let found = salvage(&chunk, 9);
    assert_eq!(found.records, 0);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let magics = b"FRSE".repeat(1 << 20);
    assert_eq!(side::read(&magics).damaged_bytes, 4 << 20);
}

proptest! {
    #[test]
    fn a_walk_over_any_bytes_ends_and_gives_whole_records(
        parts in prop::collection::vec(prop_oneof![
            3 => (0..50u64, ".{0,30}").prop_map(|(id, text)| frame(id, &text)),
            1 => any::<u32>().prop_map(mark),
            1 => prop::collection::vec(prop_oneof![Just(0x12u8), Just(SCOPE_MARK), Just(0x09), any::<u8>()], 0..40),
        ], 0..20),
        expected in 0..20u64,
    ) {
        let chunk = parts.concat();
        let found = salvage(&chunk, expected);
        let again = salvage(&found.bytes, found.records);
        prop_assert_eq!(again.damaged_bytes, 0);
        prop_assert_eq!((again.bytes, again.records), (found.bytes, found.records));
        prop_assert!(found.damaged_bytes <= chunk.len() as u64);
    }

    #[test]
    fn side_entries_are_found_among_any_damage(
        entries in prop::collection::vec((any::<u32>(), prop::collection::vec(any::<u8>(), 0..40)), 1..8),
        damage in prop::collection::vec(any::<u8>(), 0..40),
        hole in 0..8usize,
    ) {
        let mut area = Vec::new();
        for (at, (id, fields)) in entries.iter().enumerate() {
            if at == hole {
                area.extend_from_slice(&damage);
                area.resize(area.len().next_multiple_of(8), 0);
            }
            area.extend_from_slice(&side::entry(side::Kind::Scope, *id, fields));
        }
        area.resize(area.len() + 64, 0);
        let expected: std::collections::BTreeMap<_, _> = entries.into_iter().collect();
        prop_assert_eq!(side::read(&area).scopes, expected);
    }
}
