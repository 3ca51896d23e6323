//! Buffer, crash ring, backlog and spool together against a small model: processes die at any operation on the disk, the
//! disk fails, runs full and loses its power, and everything that a call returned from arrives at every exporter.
//!
//! The ring is a real file, which a dying process leaves as it is at that moment; the spool lies on the simulated disk.
//! `DURABILITY_MODEL_CASES` makes more cases (`make model-check`).
//!
//! Length reason: the model, its actions and what must hold after each belong together.

use crate::disks::{Faults, SimDisk};
use crate::mortal::{block_of, ids_in, ids_of, images, place_of, restore, Images, Process, NAMES};
use crate::rings::{frame, open_slot, recover_soon};
use fapilog_native::crash_ring::keep::Keep;
use fapilog_native::crash_ring::remains::take_apart;
use fapilog_native::crash_ring::torn::held_by;
use fapilog_native::ledger::{DropReason, Settlement};
use fapilog_native::ring::place;
use fapilog_native::spool::identity::Identity;
use fapilog_native::spool::Fsync;
use fapilog_native::spooling::spooler::Spilled;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const SECTOR: usize = 512;

#[derive(Debug, Clone)]
enum Action {
    Append(usize),
    Seal,
    Claim(usize),
    Settle {
        which: usize,
        delivered: bool,
    },
    Spill,
    /// Of what rings hold that were taken over.
    SpillLeft,
    LookAfter,
    Adopt,
    /// What level `power` does in its interval.
    Checkpoint,
    Full(u64),
    ReadOnly,
    Failing {
        operations: u32,
        after: u32,
    },
    Heal,
    /// The process dies within one of the next operations on the disk.
    Die(u32),
    Kill,
    /// An orderly end, whether or not anything is left.
    End,
    LosePower(u64),
}

impl Action {
    const fn harms(&self) -> bool {
        use Action::{Die, Failing, Full, LosePower, ReadOnly};
        matches!(self, Full(_) | ReadOnly | Failing { .. } | Die(_) | LosePower(_))
    }
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        40 => (0..700usize).prop_map(Action::Append),
        15 => Just(Action::Seal),
        10 => (0..2usize).prop_map(Action::Claim),
        10 => (0..9usize, prop::bool::weighted(0.8)).prop_map(|(which, delivered)| Action::Settle { which, delivered }),
        15 => Just(Action::Spill),
        3 => Just(Action::SpillLeft),
        3 => Just(Action::LookAfter),
        3 => Just(Action::Adopt),
        4 => Just(Action::Checkpoint),
        1 => (0..600u64).prop_map(Action::Full),
        1 => Just(Action::ReadOnly),
        3 => (1..4u32, 0..6u32).prop_map(|(operations, after)| Action::Failing { operations, after }),
        3 => Just(Action::Heal),
        4 => (0..20u32).prop_map(Action::Die),
        3 => Just(Action::Kill),
        1 => Just(Action::End),
        2 => any::<u64>().prop_map(Action::LosePower),
    ]
}

struct World {
    disk: Arc<SimDisk>,
    folder: PathBuf,
    boot: u64,
    /// Whether a loss of power is to be survived.
    power: bool,
    process: Option<Process>,
    /// Rings as the process left them when it died.
    left: Arc<Mutex<Images>>,
    /// Rings as far as they were forced to the disk.
    forced: Images,
    next: u64,
    /// What has to arrive: calls returned, and since the last loss of power a checkpoint covered it.
    owed: BTreeSet<u64>,
    covered: BTreeSet<u64>,
    received: BTreeMap<(usize, u64), u32>,
    /// How often a record may come again, because what became of it was not written down when its process was killed.
    again: BTreeMap<(usize, u64), u32>,
    unwritten: Vec<(usize, u64)>,
    /// What lies in rings that this process took over, and whether what became of it is to be written there.
    left_over: BTreeSet<u64>,
    has_chores: bool,
    /// Whether the disk failed, so that what is cut off there may be of a block that was delivered from memory.
    is_failing: bool,
    /// How often anything may: failures of the disk, deaths in the midst of its work, losses of power.
    harmed: u32,
}

impl World {
    fn new(power: bool, name: &str) -> Self {
        // One for each test: its cases follow each other.
        let folder = place_of(name, power);
        let (disk, left) = (Arc::new(SimDisk::new()), Arc::<Mutex<Images>>::default());
        let (sink, place) = (Arc::clone(&left), folder.clone());
        disk.at_death(move || *sink.lock().unwrap() = images(&place));
        let mut world = Self {
            disk,
            folder,
            boot: 1,
            power,
            process: None,
            left,
            forced: Images::new(),
            next: 1,
            owed: BTreeSet::new(),
            covered: BTreeSet::new(),
            received: BTreeMap::new(),
            again: BTreeMap::new(),
            unwritten: Vec::new(),
            left_over: BTreeSet::new(),
            has_chores: false,
            is_failing: false,
            harmed: 0,
        };
        world.start();
        world
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }

    /// A new process, which takes over what dead ones left.
    fn start(&mut self) {
        let fsync = if self.power { Fsync::Always } else { Fsync::Never };
        let rings = images(&self.folder);
        let process = Process::start(&self.disk, &self.folder, self.boot, fsync).unwrap();
        self.forced.insert(process.ring.path().to_owned(), fs::read(process.ring.path()).unwrap());
        self.process = Some(process);
        let identity = Identity { service: "shop".into(), boot: self.boot, process: 0, started: 0 };
        let held = |name: &str| rings.keys().map(|path| held_by(path, name, &identity)).max().unwrap_or(0);
        let counted = self.process().adopt(&held);
        assert!(counted == 0 || self.is_failing, "{counted} records are in a ring, and counted as lost");
        self.left_over.clear();
        for path in rings.into_keys() {
            let ring = recover_soon(&path, self.boot);
            if self.power {
                ring.force().unwrap();
                self.forced.insert(path.clone(), fs::read(&path).unwrap());
            }
            let report = ring.report();
            assert_eq!((report.damaged_bytes, report.unreadable_slots), (0, 0), "nothing harms a ring");
            // A slot that is used again after its records went to the spool looks damaged when its header is the older one.
            assert!(self.power || report.missing_records == 0, "{report:?}");
            self.process().backlog.adopt_damaged(report.missing_records);
            self.process().damaged += report.missing_records;
            let chores = Arc::clone(self.process().spooler.chores());
            for (chunk, part) in take_apart(ring, &NAMES, &chores) {
                let (owed, ids) = (part.owed(&chunk, &NAMES), ids_in(&chunk));
                assert!(ids.iter().all(|id| self.left_over.insert(*id)), "twice in the rings");
                self.process().backlog.adopt_kept(block_of(&ids), Keep::Part(part), owed);
            }
        }
    }

    /// Everything that happens, and the end.
    fn run_all(&mut self, actions: &[Action]) {
        for action in actions {
            self.run(action);
        }
        self.finish();
    }

    fn run(&mut self, action: &Action) {
        match action {
            Action::Append(length) => self.append(*length),
            Action::Seal => self.process().seal(),
            Action::Claim(cursor) => self.claim(*cursor),
            Action::Settle { which, delivered } => self.settle(*which, *delivered),
            // As at the end, without a pause after a failure: no clock decides what happens.
            Action::Spill => self.spill(|process| process.spooler.spill(&process.backlog, true)),
            Action::SpillLeft => self.spill(|process| process.spooler.spill_left(&process.backlog)),
            Action::LookAfter => self.look_after(),
            Action::Adopt => self.adopt(),
            Action::Checkpoint => self.checkpoint(),
            Action::Full(more) => {
                let used: u64 = self.disk.files().iter().map(|(_, bytes)| bytes).sum();
                self.disk.world().faults.capacity = Some(used + more);
                self.is_failing = true;
                self.harmed += 1;
            }
            Action::ReadOnly => {
                self.disk.world().faults.read_only = true;
                self.is_failing = true;
                self.harmed += 1;
            }
            Action::Failing { operations, after } => {
                let mut world = self.disk.world();
                (world.faults.failing, world.faults.failing_after) = (*operations, *after);
                drop(world);
                self.is_failing = true;
                self.harmed += operations;
            }
            Action::Heal => {
                let mut world = self.disk.world();
                world.faults = Faults { dies_in: world.faults.dies_in, ..Faults::default() };
            }
            Action::Die(operations) => {
                self.disk.world().faults.dies_in = Some(*operations);
                self.harmed += 1;
            }
            Action::Kill => self.kill(),
            Action::End => self.end(),
            Action::LosePower(seed) => self.lose_power(*seed),
        }
        if self.disk.world().dead {
            self.kill();
        }
        self.process().check_ledger();
    }

    fn append(&mut self, length: usize) {
        let frame = frame(self.next, &"x".repeat(length));
        let next = self.next;
        let process = self.process();
        if process.open.as_ref().is_none_or(|(slot, _)| slot.room() < frame.len()) {
            process.seal();
            process.open = open_slot(&process.ring, next, 0).map(|slot| (slot, Vec::new()));
        }
        // Without a slot the buffer is full, and the call says so.
        let Some((slot, ids)) = &mut process.open else { return };
        assert!(slot.append(&frame, false));
        ids.push(next);
        self.owed.insert(next);
        self.next += 1;
    }

    fn claim(&mut self, cursor: usize) {
        self.process().backlog.retry_reads();
        let Some(block) = self.process().backlog.try_claim(cursor) else { return };
        self.process().hands.push((cursor, block));
    }

    fn settle(&mut self, which: usize, delivered: bool) {
        let process = self.process.as_mut().unwrap();
        if process.hands.is_empty() {
            return;
        }
        let (cursor, block) = process.hands.swap_remove(which % process.hands.len());
        if !delivered {
            process.backlog.release(cursor, block.sequence);
            return;
        }
        for id in ids_of(&block) {
            assert!(id < self.next, "made up");
            *self.received.entry((cursor, id)).or_default() += 1;
        }
        let settlement = Settlement { delivered: block.records, ..Settlement::default() };
        let spooled = process.backlog.counts()[cursor].spooled;
        process.backlog.settle(cursor, block.sequence, settlement);
        self.has_chores = true;
        if process.backlog.counts()[cursor].spooled < spooled {
            // A ring notes it at once; of a block on disk the spool's thread writes it down.
            self.unwritten.extend(ids_of(&block).into_iter().map(|id| (cursor, id)));
        }
    }

    fn spill(&mut self, spill: impl Fn(&Process) -> Spilled) {
        if let Spilled::Failed(_) = spill(self.process()) {
            self.harmed += 1;
        }
        self.unwritten.clear();
        self.has_chores = true;
    }

    fn look_after(&mut self) {
        let process = self.process();
        process.spooler.chores().run();
        process.spooler.look_after(&process.backlog);
        process.spooler.look_around(&process.backlog);
        self.unwritten.clear();
        self.has_chores = false;
    }

    fn adopt(&mut self) {
        // This process took the ring of each over.
        self.process().adopt(&|_| u64::MAX);
    }

    fn checkpoint(&mut self) {
        if !self.power {
            return;
        }
        let process = self.process.as_ref().unwrap();
        process.ring.checkpoint().unwrap();
        let path = process.ring.path();
        self.forced.insert(path.to_owned(), fs::read(path).unwrap());
        self.covered = self.owed.clone();
    }

    /// The process is gone. What it left in its ring is what was there when it died.
    fn die(&mut self) {
        self.disk.die();
        self.process = None;
        let left_over = if std::mem::take(&mut self.has_chores) { &self.left_over } else { &BTreeSet::new() };
        let both = left_over.iter().flat_map(|id| [(0, *id), (1, *id)]);
        for side in self.unwritten.drain(..).chain(both) {
            *self.again.entry(side).or_default() += 1;
        }
        restore(&self.folder, &self.left.lock().unwrap());
    }

    fn kill(&mut self) {
        self.die();
        self.disk.restart();
        self.start();
    }

    fn end(&mut self) {
        let process = self.process();
        process.seal();
        while let Some((cursor, block)) = process.hands.pop() {
            process.backlog.release(cursor, block.sequence);
        }
        process.backlog.drain();
        while let Spilled::Done { .. } = process.spooler.spill(&process.backlog, true) {}
        process.backlog.abandon(DropReason::Shutdown);
        process.spooler.finish();
        process.check_ledger();
        if !process.ring.remove_if_empty().unwrap() {
            process.ring.leave();
        }
        process.spooler.close();
        process.spooler.chores().run();
        self.unwritten.clear();
        self.has_chores = false;
        self.kill();
    }

    fn lose_power(&mut self, seed: u64) {
        if !self.power {
            return;
        }
        self.die();
        // Neither what was settled in the spool nor that the ring was done with may be on the disk.
        self.is_failing = true;
        self.harmed += 2;
        let mut random = fastrand::Rng::with_seed(seed);
        let now = self.left.lock().unwrap().clone();
        let mut mixed = Images::new();
        for (path, old) in &self.forced {
            let Some(new) = now.get(path) else {
                // Its end may not be on the disk.
                if random.bool() {
                    mixed.insert(path.clone(), old.clone());
                }
                continue;
            };
            let sectors = old.chunks(SECTOR).zip(new.chunks(SECTOR));
            let content = sectors.flat_map(|(old, new)| if random.bool() { new } else { old }.to_vec());
            mixed.insert(path.clone(), content.collect());
        }
        restore(&self.folder, &mixed);
        self.forced = mixed;
        let received = |id: &u64| (0..2).all(|cursor| self.received.contains_key(&(cursor, *id)));
        self.owed.retain(|id| self.covered.contains(id) || received(id));
        self.boot += 1;
        self.disk.lose_power(seed);
        self.start();
    }

    /// A last process on a disk that works delivers everything.
    fn finish(&mut self) {
        self.kill();
        for _ in 0..200 {
            self.adopt();
            for cursor in 0..2 {
                self.claim(cursor);
                while !self.process().hands.is_empty() {
                    self.settle(0, true);
                    self.claim(cursor);
                }
            }
            self.look_after();
            self.process().check_ledger();
            if self.disk.files().is_empty() && place::rings_in(&self.folder).unwrap().len() == 1 {
                break;
            }
        }
        for (cursor, name) in NAMES.iter().enumerate() {
            let missing: Vec<u64> =
                self.owed.iter().copied().filter(|id| !self.received.contains_key(&(cursor, *id))).collect();
            assert_eq!(missing, Vec::<u64>::new(), "lost for {name}");
        }
        for (side, times) in &self.received {
            let most = 1 + self.harmed + self.again.get(side).copied().unwrap_or(0);
            assert!(*times <= most, "{side:?} came {times} times, and {most} at most can be explained");
        }
        let files: Vec<String> = self.disk.files().into_iter().map(|(path, _)| path).collect();
        // What a failing disk and a loss of power made of a file is set aside.
        let is_aside = self.power && files.iter().any(|path| path.ends_with(".corrupt"));
        let is_block =
            |path: &&String| !is_aside || Path::new(path).extension().is_some_and(|ending| ending == "fspl");
        assert_eq!(files.iter().find(is_block), None, "everything is settled");
        assert_eq!(place::rings_in(&self.folder).unwrap().len(), 1, "but for the one in use");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.process = None;
        let _ = fs::remove_dir_all(&self.folder);
        // Only where nothing else is.
        let _ = self.folder.parent().map(fs::remove_dir);
    }
}

fn cases() -> u32 {
    std::env::var("DURABILITY_MODEL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(192)
}

#[test]
fn a_ring_that_is_taken_over_is_forced_to_the_disk_as_its_owner_would_have_done() {
    let mut world = World::new(true, "taken-over");
    for action in [Action::Append(0), Action::Kill, Action::Checkpoint, Action::LosePower(3)] {
        world.run(&action);
    }
    assert_eq!(world.owed.len(), 1);
    world.finish();
}

#[test]
fn what_a_dead_ring_had_forced_is_forced_in_the_spool_of_a_process_that_forces_nothing() {
    for seed in 0..8 {
        let mut world = World::new(true, "downgraded");
        for action in [Action::Append(0), Action::Checkpoint] {
            world.run(&action);
        }
        world.power = false;
        for action in [Action::Kill, Action::SpillLeft, Action::LookAfter] {
            world.run(&action);
        }
        assert_eq!(place::rings_in(&world.folder).unwrap().len(), 1, "the old ring is gone");
        world.forced.clear();
        world.power = true;
        world.run(&Action::LosePower(seed));
        assert_eq!(world.owed.len(), 1);
        world.finish();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn what_a_call_returned_from_arrives_however_processes_end(actions in vec(action(), 0..150)) {
        let mut world = World::new(false, "kills");
        world.run_all(&actions);
    }

    #[test]
    fn on_a_disk_that_works_only_what_was_not_written_down_at_a_kill_comes_twice(
        actions in vec(action().prop_filter("harm", |action| !action.harms()), 0..150),
    ) {
        let mut world = World::new(false, "works");
        world.run_all(&actions);
        prop_assert_eq!(world.harmed, 0);
    }
}

proptest! {
    // Each checkpoint waits for a real disk, which others may keep busy.
    #![proptest_config(ProptestConfig { cases: cases() / 4, ..ProptestConfig::default() })]

    #[test]
    fn what_a_checkpoint_covers_arrives_whatever_a_loss_of_power_takes(actions in vec(action(), 0..150)) {
        let mut world = World::new(true, "power");
        world.run_all(&actions);
    }
}
