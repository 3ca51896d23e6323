//! What an append costs in a slot, beside one into the memory of a heap chunk. Run it with `--release -- --ignored --nocapture`.
#![allow(clippy::unwrap_used, clippy::panic)] // A test may fail.

mod rings;

use fapilog_native::ring::{place, Ring, Settings};
use rings::{folder, settings};
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

fn heap() -> f64 {
    let frame = [0x12; RECORD_BYTES];
    let mut chunk: Vec<u8> = Vec::with_capacity(SLOT_BYTES as usize);
    nanos(CHUNKS, || {
        chunk.clear();
        let mut records = 0;
        while chunk.len() + RECORD_BYTES <= SLOT_BYTES as usize {
            chunk.extend_from_slice(black_box(&frame));
            records += 1;
        }
        black_box(&mut chunk);
        records
    })
}

fn ring(settings: &Settings) -> f64 {
    let frame = [0x12; RECORD_BYTES];
    let ring = Ring::create(settings).unwrap();
    let cost = nanos(CHUNKS, || {
        let mut slot = ring.take_slot(1).unwrap();
        while slot.append(black_box(&frame), false) {}
        let records = slot.records() as usize;
        slot.recycle();
        records
    });
    assert!(ring.remove_if_empty().unwrap());
    cost
}

#[test]
#[ignore = "a measurement; it asserts nothing but that it ran"]
fn an_append_costs_about_as_much_as_into_the_heap() {
    let settings = Settings { slots: 8, slot_bytes: SLOT_BYTES, ..settings(&folder("cost")) };
    println!("heap: {:.1} ns per {RECORD_BYTES} bytes", heap());
    println!("ring on a disk: {:.1} ns", ring(&settings));
    if let Ok(directory) = place::shared_memory(16 << 20) {
        println!("ring in memory: {:.1} ns", ring(&Settings { directory, ..settings }));
    }
}
