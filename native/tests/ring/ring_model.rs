//! The crash ring against a model: any order of use, then a kill, a loss of power, or damage.

use crate::rings::{folder, frame, frames, id, ids, open_slot, recover_soon, settings, BOOT};
use fapilog_native::ring::{Ring, Settings, Slot};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU32, Ordering};

const SECTOR: usize = 512;

#[derive(Debug, Clone)]
enum Step {
    Append(usize),
    StageTooMuch,
    Rotate,
    Recycle(prop::sample::Index),
    Checkpoint,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..900usize).prop_map(Step::Append),
        1 => Just(Step::StageTooMuch),
        1 => Just(Step::Rotate),
        3 => any::<prop::sample::Index>().prop_map(Step::Recycle),
        1 => Just(Step::Checkpoint),
    ];
    prop::collection::vec(step, 0..60)
}

/// The ring in use, and what it must hold. The last slot is the one being filled.
struct Model {
    ring: Ring,
    slots: VecDeque<(Slot, Vec<u64>)>,
    recycled: Vec<Vec<u64>>,
    next: u64,
    checkpointed: BTreeSet<u64>,
    written: BTreeMap<u64, Vec<u8>>,
}

impl Model {
    fn new(settings: &Settings) -> Self {
        let ring = Ring::create(settings).unwrap();
        Self {
            ring,
            slots: VecDeque::new(),
            recycled: Vec::new(),
            next: 1,
            checkpointed: BTreeSet::new(),
            written: BTreeMap::new(),
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Append(length) => self.append(*length),
            Step::StageTooMuch => {
                if let Some((slot, _)) = self.slots.back_mut() {
                    assert!(!slot.stage(&vec![0; slot.room() + 1]));
                }
            }
            Step::Rotate => self.rotate(),
            Step::Recycle(which) => {
                if !self.slots.is_empty() {
                    let (slot, ids) = self.slots.remove(which.index(self.slots.len())).unwrap();
                    slot.recycle();
                    self.checkpointed.retain(|id| !ids.contains(id));
                    self.recycled.push(ids);
                }
            }
            Step::Checkpoint => {
                self.ring.checkpoint().unwrap();
                self.checkpointed = self.held().into_iter().collect();
            }
        }
    }

    fn append(&mut self, length: usize) {
        let frame = frame(self.next, &text(length));
        if self.slots.back().is_none_or(|(slot, _)| slot.room() < frame.len()) {
            self.rotate();
        }
        let Some((slot, ids)) = self.slots.back_mut() else { return };
        if slot.append(&frame, false) {
            ids.push(self.next);
            self.written.insert(self.next, frame);
            self.next += 1;
        }
    }

    fn rotate(&mut self) {
        if let Some(slot) = open_slot(&self.ring, self.next, 0) {
            self.slots.push_back((slot, Vec::new()));
        } else {
            assert_eq!(self.slots.len(), 3);
        }
    }

    fn held(&self) -> Vec<u64> {
        self.slots.iter().flat_map(|(_, ids)| ids.iter().copied()).collect()
    }
}

fn text(length: usize) -> String {
    "x".repeat(length)
}

/// A folder for one case; several tests run at once.
fn case(name: &str, durable: bool) -> Settings {
    static CASE: AtomicU32 = AtomicU32::new(0);
    let number = CASE.fetch_add(1, Ordering::Relaxed) % 4;
    Settings { durable, ..settings(&folder(&format!("{name}-{number}"))) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_kill_loses_nothing_and_repeats_nothing(steps in steps()) {
        let settings = case("model-kill", false);
        let mut model = Model::new(&settings);
        for step in &steps {
            model.run(step);
        }
        let held = model.held();
        drop(model);
        let mut found = recover_soon(&settings.path(), BOOT);
        let report = found.report();
        prop_assert_eq!((report.records, report.missing_records, report.damaged_bytes), (held.len() as u64, 0, 0));
        prop_assert_eq!(ids(&mut found), held);
    }

    #[test]
    fn damage_anywhere_costs_only_what_is_told(
        steps in steps(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255u8,
    ) {
        let settings = case("model-flip", false);
        let mut model = Model::new(&settings);
        for step in &steps {
            model.run(step);
        }
        let (held, recycled) = (model.held(), std::mem::take(&mut model.recycled));
        drop(model);
        let bytes = fs::read(settings.path()).unwrap();
        let at = at.index(bytes.len());
        let file = OpenOptions::new().write(true).open(settings.path()).unwrap();
        file.write_all_at(&[bytes[at] ^ flip], at as u64).unwrap();
        let mut found = recover_soon(&settings.path(), BOOT);
        let report = found.report();
        prop_assert!(report.records + report.missing_records >= held.len() as u64);
        let known: BTreeSet<u64> = held.into_iter().collect();
        let strange: Vec<u64> = ids(&mut found).into_iter().filter(|id| !known.contains(id)).collect();
        // When the length of an empty slot is damaged, what was in it comes again, as far as it is not overwritten.
        let old: BTreeSet<u64> = recycled.into_iter().flatten().chain([u64::MAX]).collect();
        let unknown: Vec<_> = strange.iter().filter(|id| !old.contains(id)).collect();
        prop_assert!(unknown.len() <= 1, "not what was written: {unknown:?}");
    }

    #[test]
    fn a_loss_of_power_keeps_what_a_checkpoint_covered(
        before in steps(),
        after in steps(),
        is_cut_short in any::<bool>(),
        sectors in prop::collection::vec(any::<bool>(), 64),
    ) {
        let settings = case("model-power", true);
        let mut model = Model::new(&settings);
        for step in &before {
            model.run(step);
        }
        model.run(&Step::Checkpoint);
        let mut old = fs::read(settings.path()).unwrap();
        let (mut held, mut next) = (model.checkpointed.clone(), model.next);
        for step in &after {
            model.run(step);
            if matches!(step, Step::Checkpoint) {
                old = fs::read(settings.path()).unwrap();
                (held, next) = (model.checkpointed.clone(), model.next);
            }
        }
        let kept = model.checkpointed.clone();
        if is_cut_short {
            // The power goes while one more is written: any part of it may be on the disk.
            model.ring.checkpoint().unwrap();
        }
        let new = fs::read(settings.path()).unwrap();
        let written = model.written.clone();
        drop(model);
        let mixed: Vec<u8> = old.chunks(SECTOR).zip(new.chunks(SECTOR)).zip(sectors.iter().cycle())
            .flat_map(|((old, new), is_new)| if *is_new { new } else { old }.to_vec()).collect();
        fs::write(settings.path(), mixed).unwrap();
        let mut found = recover_soon(&settings.path(), BOOT + 1);
        let records: Vec<Vec<u8>> =
            found.take_chunks().iter().flat_map(frames).map(|(_, frame)| frame).collect();
        let found: BTreeSet<u64> = records.iter().map(|frame| id(frame)).collect();
        prop_assert!(found.is_superset(&kept), "{kept:?} was safe, {found:?} is there");
        prop_assert!(found.iter().all(|id| held.contains(id) || *id >= next), "settled records came again");
        prop_assert_eq!(found.len(), records.len());
        for record in &records {
            prop_assert_eq!(Some(record), written.get(&id(record)));
        }
    }
}
