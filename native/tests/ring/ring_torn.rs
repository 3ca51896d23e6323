//! A block that is cut off in the spool of a process that had a crash ring: lost, or still in the ring.
#![allow(clippy::unwrap_used, clippy::panic, dead_code)] // A test may fail, and uses a part of what it shares.
#![cfg(target_os = "linux")]

use crate::disks::SimDisk;
use crate::mortal::{images, place_of, restore, Images, Process};
use crate::rings::{frame, open_slot};
use fapilog_native::crash_ring::torn::held_by;
use fapilog_native::ledger::DropReason;
use fapilog_native::spool::identity::Identity;
use fapilog_native::spool::Fsync;
use fapilog_native::spooling::spooler::Spilled;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

struct World {
    disk: Arc<SimDisk>,
    folder: PathBuf,
    left: Arc<Mutex<Images>>,
    process: Option<Process>,
}

impl World {
    fn new(name: &str) -> Self {
        let (disk, folder) = (Arc::new(SimDisk::new()), place_of(name, false));
        let left = Arc::<Mutex<Images>>::default();
        let (sink, place) = (Arc::clone(&left), folder.clone());
        disk.at_death(move || *sink.lock().unwrap() = images(&place));
        let process = Process::start(&disk, &folder, 1, Fsync::Never);
        Self { disk, folder, left, process }
    }

    /// A block of these records, with its slot in the ring.
    fn log(&mut self, ids: std::ops::Range<u64>) {
        let process = self.process.as_mut().unwrap();
        let mut slot = open_slot(&process.ring, ids.start, 0).unwrap();
        assert!(ids.clone().all(|id| slot.append(&frame(id, "x"), false)));
        process.open = Some((slot, ids.collect()));
        process.seal();
    }

    fn spill(&self) -> Spilled {
        let process = self.process.as_ref().unwrap();
        process.spooler.spill(&process.backlog, true)
    }

    /// The process dies, and the next one takes its directory over. What is said, and records counted as damaged.
    fn adopt(&mut self, harm: impl FnOnce(&SimDisk)) -> (Vec<String>, u64) {
        self.disk.die();
        self.process = None;
        restore(&self.folder, &self.left.lock().unwrap());
        harm(&self.disk);
        self.disk.restart();
        let left: Vec<PathBuf> = images(&self.folder).into_keys().collect();
        let next = Process::start(&self.disk, &self.folder, 1, Fsync::Never).unwrap();
        let identity = Identity { service: "shop".into(), boot: 1, process: 0, started: 0 };
        let held = |name: &str| left.iter().map(|path| held_by(path, name, &identity)).sum();
        let news = next.spooler.adopt(&next.backlog, &held);
        let counts = next.backlog.counts().remove(0);
        assert_eq!(counts.adopted, counts.pending + counts.dropped.total(), "{counts:?}");
        let damaged = counts.dropped.get(DropReason::Damaged);
        self.process = Some(next);
        (news.into_iter().map(|(code, what)| format!("{code}: {what}")).collect(), damaged)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.process = None;
        let _ = fs::remove_dir_all(&self.folder);
        let _ = self.folder.parent().map(fs::remove_dir);
    }
}

/// Cuts the end of the newest file off.
fn cut(disk: &SimDisk) {
    let is_segment = |path: &&String| Path::new(path).extension().is_some_and(|ending| ending == "fspl");
    let files: Vec<String> = disk.files().into_iter().map(|(path, _)| path).collect();
    let newest = files.iter().filter(is_segment).max().unwrap();
    disk.alter(newest, |bytes| bytes.truncate(bytes.len() - 3));
}

#[test]
fn a_block_that_was_whole_is_lost_and_counted_whatever_else_is_in_the_ring() {
    let mut world = World::new("torn-whole");
    world.log(1..8);
    assert!(matches!(world.spill(), Spilled::Done { .. }));
    world.log(8..15);
    let (said, damaged) = world.adopt(cut);
    assert_eq!(damaged, 7);
    assert!(
        said.len() == 1 && said[0].starts_with("spool-corrupt") && said[0].contains("7 records"),
        "{said:?}"
    );
    assert!(!said[0].contains("ring"), "{said:?}");
}

#[test]
fn a_block_that_was_being_written_is_said_to_be_cut_off_and_comes_from_the_ring() {
    let mut is_said = false;
    for operations in 0..40 {
        let mut world = World::new("torn-written");
        world.log(1..80);
        world.log(80..83);
        world.disk.world().faults.dies_in = Some(operations);
        let is_written = matches!(world.spill(), Spilled::Done { .. });
        let (said, damaged) = world.adopt(|_| ());
        assert_eq!(damaged, 0, "{said:?}");
        is_said |= said.iter().any(|what| what.contains("(a crash ring has 79 of them)"));
        if is_written {
            assert!(is_said, "no write was cut off");
            return;
        }
    }
    panic!("the block is never written");
}
