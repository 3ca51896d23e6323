//! The spool against a small model, over a simulated disk: whatever happens, what is owed comes back or is counted.
//!
//! Of each block and each exporter the model knows one of four things: it must come back, it may, it may after a loss of
//! power only, or it never may.
//!
//! Length reason: the model, its actions and what must hold after each belong together.

use crate::disks::{self, SimDisk};
use fapilog_native::block::{Block, Codec};
use fapilog_native::spool::crypt::Keys;
use fapilog_native::spool::identity::Identity;
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::{Exporters, Fsync, Place, Root, Spool, SpoolError, SpoolSettings};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const NAMES: [&str; 3] = ["otlp", "file", "python"];
const SECOND: u64 = 1_000_000_000;

#[derive(Debug, Clone)]
enum Action {
    Append {
        records: u64,
        size: usize,
        bits: u16,
    },
    Settle {
        spool: usize,
        which: usize,
        exporter: usize,
    },
    DropOldest {
        spool: usize,
    },
    Tick {
        seconds: u64,
    },
    Sync,
    Full {
        more: u64,
    },
    ReadOnly,
    Failing {
        operations: u32,
    },
    Heal,
    /// The process dies within one of the next operations on the disk.
    Die {
        operations: u32,
    },
    Kill,
    Close,
    LosePower {
        seed: u64,
    },
    /// A byte changes while no process runs.
    Rot {
        file: usize,
        offset: usize,
        change: u8,
    },
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        60 => (0..5u64, 0..400usize, 0..8u16).prop_map(|(records, size, bits)| Action::Append { records, size, bits }),
        60 => (0..3usize, 0..50usize, 0..3usize)
            .prop_map(|(spool, which, exporter)| Action::Settle { spool, which, exporter }),
        3 => (0..3usize).prop_map(|spool| Action::DropOldest { spool }),
        10 => (0..10u64).prop_map(|seconds| Action::Tick { seconds }),
        5 => Just(Action::Sync),
        2 => (0..600u64).prop_map(|more| Action::Full { more }),
        1 => Just(Action::ReadOnly),
        4 => (1..6u32).prop_map(|operations| Action::Failing { operations }),
        6 => Just(Action::Heal),
        4 => (0..30u32).prop_map(|operations| Action::Die { operations }),
        5 => Just(Action::Kill),
        2 => Just(Action::Close),
        3 => any::<u64>().prop_map(|seed| Action::LosePower { seed }),
        2 => (0..20usize, any::<usize>(), 1..=255u8)
            .prop_map(|(file, offset, change)| Action::Rot { file, offset, change }),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owed {
    /// It must come back.
    Must,
    /// It may: the answer was an error, or the last word about it may not be on the disk.
    May,
    /// It may after a loss of power.
    Ghost,
}

/// One side of one block: the block's id and the exporter.
type Side = (u64, usize);

struct World {
    disk: SimDisk,
    root: Root<SimDisk>,
    settings: SpoolSettings,
    /// The process's own first, then what it adopted.
    spools: Vec<Spool<SimDisk>>,
    blocks: BTreeMap<u64, Block>,
    owed: BTreeMap<Side, Owed>,
    /// Blocks that a loss of power does not take.
    forced: BTreeSet<u64>,
    /// Blocks in the own spool that a later sync does not vouch for, because one failed.
    doubtful: BTreeSet<u64>,
    /// What each spool holds, as its process sees it.
    held: Vec<BTreeMap<u64, u64>>,
    rotten: u64,
    /// Whether the disk failed in this process: then the length of a file may be unknown.
    has_failed: bool,
    /// Whether anything but ends of processes and losses of power ever happened to the disk.
    was_harmed: bool,
    has_lost_power: bool,
    now: u64,
}

fn identity(disk: &SimDisk) -> Identity {
    Identity { service: "shop".into(), boot: 7, process: disk.world().process, started: 1 }
}

fn open_root(disk: &SimDisk) -> Root<SimDisk> {
    Root::open(Arc::new(disk.clone()), Path::new("/spool"), identity(disk)).unwrap()
}

fn block(id: u64, records: u64, size: usize) -> Block {
    let mut body = id.to_le_bytes().to_vec();
    body.resize(8 + size, id as u8);
    let raw_bytes = body.len() * 3;
    Block { sequence: id, records, protected_records: records / 2, raw_bytes, codec: Codec::Identity, body }
}

impl World {
    fn new(fsync: Fsync) -> Self {
        let disk = SimDisk::new();
        let quota = Quota { max_bytes: 12_000, min_free_bytes: 1 };
        let settings = SpoolSettings { segment_bytes: 1_500, quota, max_age: None, fsync };
        let mut world = Self {
            root: open_root(&disk),
            disk,
            settings,
            spools: Vec::new(),
            blocks: BTreeMap::new(),
            owed: BTreeMap::new(),
            forced: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            held: Vec::new(),
            rotten: 0,
            has_failed: false,
            was_harmed: false,
            has_lost_power: false,
            now: SECOND,
        };
        world.start();
        world
    }

    /// A new process: a directory of its own, and whatever dead ones left.
    fn start(&mut self) {
        self.root = open_root(&self.disk);
        let keys = Arc::new(Keys::none());
        self.spools
            .push(self.root.create(&NAMES, self.settings.clone(), Arc::clone(&keys), self.now).unwrap());
        let mut siblings = self.root.siblings().unwrap();
        siblings.retain(|name| name != self.spools[0].name());
        for name in siblings {
            let adopted = self.root.adopt(&name, &NAMES, self.settings.clone(), Arc::clone(&keys)).unwrap();
            self.spools.push(adopted.unwrap());
        }
        for spool in &self.spools {
            let again =
                self.root.adopt(spool.name(), &NAMES, self.settings.clone(), Arc::clone(&keys)).unwrap();
            assert!(again.is_none(), "a living process was robbed");
        }
        self.held = self.spools.iter().map(|_| BTreeMap::new()).collect();
    }

    fn run(&mut self, action: &Action) {
        self.has_failed |= matches!(action, Action::Failing { .. } | Action::Die { .. });
        let full = matches!(action, Action::Full { .. } | Action::ReadOnly | Action::Rot { .. });
        self.was_harmed |= self.has_failed || full;
        let before = self.disk.world().operations;
        let own = action.clone();
        match own {
            Action::Append { records, size, bits } => self.append(records, size, bits),
            Action::Settle { spool, which, exporter } => self.settle(spool, which, exporter),
            Action::DropOldest { spool } => self.drop_oldest(spool),
            Action::Tick { seconds } => {
                self.now += seconds * SECOND;
                self.force(Spool::tick, false);
            }
            Action::Sync => self.force(Spool::sync, true),
            Action::Full { more } => {
                let used: u64 = self.disk.files().iter().map(|(_, bytes)| bytes).sum();
                self.disk.world().faults.capacity = Some(used + more);
            }
            Action::ReadOnly => self.disk.world().faults.read_only = true,
            Action::Failing { operations } => self.disk.world().faults.failing = operations,
            Action::Heal => {
                let mut world = self.disk.world();
                let dies_in = world.faults.dies_in;
                world.faults = disks::Faults { dies_in, ..disks::Faults::default() };
            }
            Action::Die { operations } if !self.is_dead() => {
                self.disk.world().faults.dies_in = Some(operations);
            }
            Action::Die { .. } => {}
            Action::Kill => self.kill(),
            Action::Close => self.close(),
            Action::LosePower { seed } => self.lose_power(seed),
            Action::Rot { file, offset, change } => self.rot(file, offset, change),
        }
        let spent = self.disk.world().operations - before;
        assert!(spent < 5_000, "{spent} operations on the disk for one action");
    }

    fn append(&mut self, records: u64, size: usize, bits: u16) {
        let id = self.blocks.len() as u64;
        let block = block(id, records, size);
        let result = self.spools[0].append(&block, Exporters::from_bits(bits), self.now);
        if bits == 0 {
            assert!(result.is_err());
            return;
        }
        self.blocks.insert(id, block);
        match &result {
            Ok(place) => {
                self.held[0].insert(id, place.number);
                if self.settings.fsync == Fsync::Always {
                    self.forced.insert(id);
                }
            }
            Err(_) => self.doubt(),
        }
        for exporter in Exporters::from_bits(bits).iter() {
            self.owed.insert((id, exporter), if result.is_ok() { Owed::Must } else { Owed::May });
        }
    }

    /// An error: what was not forced yet may never be, even if a later call succeeds.
    fn doubt(&mut self) {
        self.doubtful.extend(self.held[0].keys().copied().filter(|id| !self.forced.contains(id)));
    }

    fn settle(&mut self, spool: usize, which: usize, exporter: usize) {
        let spool = spool % self.spools.len();
        let places: Vec<(Place, Exporters)> =
            self.spools[spool].held().map(|(place, held)| (place, held.owed)).collect();
        let Some((place, owed)) = places.get(which % places.len().max(1)).copied() else { return };
        let name = self.spools[spool].exporters().nth(exporter).map(str::to_owned);
        let Some(known) = name.and_then(|name| NAMES.iter().position(|one| *one == name)) else { return };
        let id = self.held[spool].iter().find(|(_, number)| **number == place.number).map(|(id, _)| *id);
        let result = self.spools[spool].settle(exporter, place.number);
        if !owed.contains(exporter) {
            return;
        }
        let Some(id) = id else { return };
        if result.is_err() {
            self.doubt();
        }
        self.owed.insert((id, known), if result.is_ok() { Owed::Ghost } else { Owed::May });
    }

    fn drop_oldest(&mut self, spool: usize) {
        let spool = spool % self.spools.len();
        let losses = self.spools[spool].drop_oldest();
        let names: Vec<String> = self.spools[spool].exporters().map(str::to_owned).collect();
        for loss in losses {
            let known = NAMES.iter().position(|name| *name == names[loss.exporter]).unwrap();
            let id = self.held[spool].iter().find(|(_, number)| **number == loss.number).map(|(id, _)| *id);
            let Some(id) = id else { continue };
            assert_eq!(loss.records, self.blocks[&id].records);
            let before = self.owed.insert((id, known), Owed::May);
            assert!(before < Some(Owed::Ghost), "given up although settled");
        }
    }

    fn force(&mut self, call: impl Fn(&mut Spool<SimDisk>, u64) -> Result<(), SpoolError>, all: bool) {
        for index in 0..self.spools.len() {
            let result = call(&mut self.spools[index], self.now);
            if result.is_err() {
                self.doubt();
            } else if all && index == 0 && self.settings.fsync != Fsync::Never {
                let held = self.held[0].keys().copied();
                self.forced.extend(held.filter(|id| !self.doubtful.contains(id)));
            }
        }
    }

    fn is_dead(&self) -> bool {
        self.disk.world().dead
    }

    fn kill(&mut self) {
        self.spools.clear();
        self.disk.restart();
        self.come_back(false);
    }

    fn close(&mut self) {
        let mut remaining = Vec::new();
        for spool in self.spools.drain(..) {
            let name = spool.name().to_owned();
            let is_empty = spool.occupancy().blocks == 0;
            if matches!(spool.close(self.now), Ok(true)) {
                assert!(is_empty, "a directory with undecided blocks was removed");
                remaining.push(name);
            }
        }
        let directories = self.disk.directories();
        assert!(remaining.iter().all(|name| !directories.contains(name)));
        self.disk.restart();
        self.come_back(false);
    }

    fn lose_power(&mut self, seed: u64) {
        self.spools.clear();
        self.disk.lose_power(seed);
        for (side, owed) in &mut self.owed {
            if *owed == Owed::Ghost || !self.forced.contains(&side.0) {
                *owed = Owed::May;
            }
        }
        self.come_back(true);
    }

    fn rot(&mut self, file: usize, offset: usize, change: u8) {
        self.spools.clear();
        self.disk.restart();
        let files: Vec<(String, u64)> =
            self.disk.files().into_iter().filter(|(_, bytes)| *bytes > 0).collect();
        if let Some((path, bytes)) = files.get(file % files.len().max(1)) {
            let offset = offset % usize::try_from(*bytes).unwrap();
            self.disk.alter(path, |bytes| bytes[offset] ^= change);
            self.rotten += 1;
            if path.ends_with("positions") {
                // What was settled may be forgotten.
                self.owed
                    .values_mut()
                    .filter(|owed| **owed == Owed::Ghost)
                    .for_each(|owed| *owed = Owed::May);
            }
        }
        self.come_back(false);
    }

    /// A new process sees what is left, and it is what may be left.
    fn come_back(&mut self, power: bool) {
        self.has_lost_power |= power;
        self.start();
        let mut seen = BTreeSet::new();
        let mut damage = 0;
        for index in 1..self.spools.len() {
            let report = self.spools[index].report().clone();
            let torn = report.damage.torn_bytes;
            // Without fsync, a loss of power may take anything.
            if !self.was_harmed && (!self.has_lost_power || self.settings.fsync == Fsync::Always) {
                assert!(report.is_intact(), "an alarm for nothing: {report:?}");
            }
            damage += u64::from(!report.is_intact()) + u64::from(torn > 0);
            let held: Vec<(Place, Exporters)> =
                self.spools[index].held().map(|(place, held)| (place, held.owed)).collect();
            let names: Vec<String> = self.spools[index].exporters().map(str::to_owned).collect();
            for (place, owed) in held {
                match self.spools[index].read(place) {
                    Ok(block) => {
                        let id = u64::from_le_bytes(block.body[..8].try_into().unwrap());
                        assert_eq!(Some(&block), self.blocks.get(&id));
                        self.held[index].insert(id, place.number);
                        for exporter in owed.iter() {
                            let known = NAMES.iter().position(|name| *name == names[exporter]).unwrap();
                            assert!(seen.insert((id, known)), "block {id} came back twice");
                        }
                    }
                    Err(SpoolError::Corrupt { .. }) => {
                        damage += 1;
                        assert!(power || self.rotten > 0, "nothing harmed the disk");
                        let lost: Vec<_> = owed.iter().map(|exporter| (exporter, place.number)).collect();
                        let _ = self.spools[index].settle_all(&lost);
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
        self.compare(&seen, damage);
        let force = self.settings.fsync != Fsync::Never;
        for side in self.owed.keys().copied().collect::<Vec<_>>() {
            let owed = if seen.contains(&side) { Owed::Must } else { Owed::Ghost };
            self.owed.insert(side, owed);
        }
        if force {
            self.forced.extend(seen.iter().map(|(id, _)| *id));
        }
        self.doubtful.clear();
        self.rotten = 0;
        self.has_failed = false;
    }

    fn compare(&self, seen: &BTreeSet<Side>, damage: u64) {
        for (side, owed) in &self.owed {
            if *owed == Owed::Ghost && self.rotten == 0 {
                assert!(!seen.contains(side), "{side:?} was settled and came back");
            }
        }
        let missing: BTreeSet<u64> = self
            .owed
            .iter()
            .filter(|(side, owed)| **owed == Owed::Must && !seen.contains(side))
            .map(|((id, _), _)| *id)
            .collect();
        assert!(missing.len() as u64 <= self.rotten, "blocks {missing:?} are lost");
        assert!(missing.is_empty() || damage > 0, "blocks {missing:?} are lost and nobody says so");
    }

    /// What holds after every action of a living process.
    fn check(&mut self) {
        if self.is_dead() || self.disk.world().faults.failing > 0 {
            return;
        }
        let files: Vec<u64> = self.spools.iter().map(|spool| self.disk.bytes_in(spool.name())).collect();
        let spools: Vec<u64> = self.spools.iter().map(|spool| spool.occupancy().bytes).collect();
        if !self.has_failed {
            assert_eq!(spools, files, "occupancy is not what the files are");
        }
        assert!(
            spools.iter().zip(&files).all(|(spool, files)| spool >= files),
            "more on the disk than counted"
        );
        for spool in &self.spools {
            let mut pending = [0; 16];
            for (_, held) in spool.held() {
                held.owed.iter().for_each(|exporter| pending[exporter] += u64::from(held.records));
            }
            for (exporter, records) in pending.iter().enumerate() {
                assert_eq!(spool.pending_records(exporter), *records);
            }
        }
    }
}

fn fsync() -> impl Strategy<Value = Fsync> {
    prop_oneof![Just(Fsync::Never), Just(Fsync::Every(Duration::from_secs(3))), Just(Fsync::Always),]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_owed_comes_back_or_its_loss_is_counted(fsync in fsync(), actions in vec(action(), 0..120)) {
        let mut world = World::new(fsync);
        for action in &actions {
            world.run(action);
            world.check();
        }
        world.kill();
        // Everything can be settled, and then nothing is left on the disk.
        for spool in world.spools.drain(..).collect::<Vec<_>>() {
            let mut spool = spool;
            let held: Vec<(Place, Exporters)> = spool.held().map(|(place, held)| (place, held.owed)).collect();
            for (place, owed) in held {
                owed.iter().for_each(|exporter| spool.settle(exporter, place.number).unwrap());
            }
            let aside = !spool.report().renamed.is_empty() || spool.report().other_versions > 0;
            let has_kept = world.disk.files().iter().any(|(path, _)| path.starts_with(spool.name()) && path.contains(".corrupt"));
            let name = spool.name().to_owned();
            let is_gone = spool.close(world.now).unwrap();
            prop_assert_eq!(is_gone, !world.disk.directories().contains(&name));
            prop_assert!(is_gone || aside || has_kept, "{} stays", name);
        }
    }
}
