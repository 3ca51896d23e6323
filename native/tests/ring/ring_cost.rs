//! What an append costs in a slot, beside one into the memory of a heap chunk. Run it with
//! `--release --test ring -- --ignored --nocapture ring_cost`.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)] // A test may fail; a measurement is rounded.

use crate::rings::{folder, frame, mark, recover_soon, settings, BOOT};
use fapilog_native::ring::{place, Ring, Settings, Slot};
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Instant;

const RECORD_BYTES: usize = 192;
const SLOT_BYTES: u64 = 1 << 20;
const CHUNKS: usize = 400;

fn nanos(chunks: usize, mut fill: impl FnMut() -> usize) -> f64 {
    for _ in 0..8 {
        fill();
    }
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let began = Instant::now();
        let records: usize = (0..chunks / 5).map(|_| fill()).sum();
        best = best.min(began.elapsed().as_nanos() as f64 / records as f64);
    }
    best
}

fn heap(chunks: usize) -> f64 {
    let frame = [0x12; RECORD_BYTES];
    let mut warm: VecDeque<Vec<u8>> = (0..chunks).map(|_| Vec::with_capacity(SLOT_BYTES as usize)).collect();
    nanos(CHUNKS, || {
        let mut chunk = warm.pop_front().unwrap();
        chunk.clear();
        let mut records = 0;
        while chunk.len() + RECORD_BYTES <= SLOT_BYTES as usize {
            chunk.extend_from_slice(black_box(&frame));
            records += 1;
        }
        warm.push_back(chunk);
        records
    })
}

/// `held` slots stay in use while the next is filled, so that the slots take turns.
fn ring(settings: &Settings, held: usize) -> f64 {
    let frame = [0x12; RECORD_BYTES];
    let ring = Ring::create(settings).unwrap();
    let mut slots: VecDeque<Slot> = (0..held).map(|_| ring.take_slot(1).unwrap()).collect();
    let cost = nanos(CHUNKS, || {
        let mut slot = ring.take_slot(1).unwrap();
        while slot.append(black_box(&frame), false) {}
        let records = slot.records() as usize;
        slots.push_back(slot);
        slots.pop_front().unwrap().recycle();
        records
    });
    slots.into_iter().for_each(Slot::recycle);
    assert!(ring.remove_if_empty().unwrap());
    cost
}

/// Milliseconds to recover a ring that is full.
fn recovery(settings: &Settings) -> (f64, u64) {
    let ring = Ring::create(settings).unwrap();
    let frame = frame(1, &"x".repeat(150));
    while let Some(mut slot) = ring.take_slot(1) {
        assert!(slot.stage(&mark(0)));
        while slot.append(&frame, false) {}
    }
    drop(ring);
    let began = Instant::now();
    let found = recover_soon(&settings.path(), BOOT);
    let elapsed = began.elapsed().as_secs_f64() * 1e3;
    let records = found.report().records;
    found.remove().unwrap();
    (elapsed, records)
}

#[test]
#[ignore = "a measurement; it asserts nothing but that it ran"]
fn an_append_costs_about_as_much_as_into_the_heap() {
    let settings = Settings { slots: 8, slot_bytes: SLOT_BYTES, ..settings(&folder("cost")) };
    println!("heap, one chunk: {:.1} ns per {RECORD_BYTES} bytes; 4 in turn: {:.1} ns", heap(1), heap(4));
    let mut places = vec![("disk", settings.clone())];
    if let Ok(directory) = place::shared_memory(16 << 20) {
        places.push(("memory", Settings { directory, ..settings }));
    }
    for (name, settings) in places {
        let (one, four) = (ring(&settings, 0), ring(&settings, 3));
        println!("ring, {name}, one slot: {one:.1} ns; 4 in turn: {four:.1} ns");
        let (millis, records) = recovery(&settings);
        println!("ring, {name}: {records} records recovered in {millis:.1} ms");
    }
}
