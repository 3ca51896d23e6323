//! The spool's store on a simulated disk: limits, ages, what is forced to the disk when, and what it says.
//!
//! Length reason: one list of what the store promises.

use crate::disks::{Faults, SimDisk};
use fapilog_native::block::{Block, Codec};
use fapilog_native::spool::crypt::Keys;
use fapilog_native::spool::identity::Identity;
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::spool::Occupancy;
use fapilog_native::spool::{
    Exporters, Fsync, Loss, LossReason, Place, Root, Spool, SpoolError, SpoolSettings,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;
const POSITIONS_BYTES: u64 = 6_144;

fn settings() -> SpoolSettings {
    let quota = Quota { max_bytes: u64::MAX, min_free_bytes: 0 };
    SpoolSettings { segment_bytes: 1 << 20, quota, max_age: None, fsync: Fsync::Never }
}

fn root(disk: &SimDisk) -> Root<SimDisk> {
    let process = disk.world().process;
    let identity = Identity { service: "shop".into(), boot: 7, process, started: 1 };
    Root::open(Arc::new(disk.clone()), Path::new("/spool"), identity).unwrap()
}

fn create(disk: &SimDisk, settings: SpoolSettings) -> Spool<SimDisk> {
    root(disk).create(&["otlp", "file"], settings, Arc::new(Keys::none()), SECOND).unwrap()
}

fn block(id: u64, size: usize) -> Block {
    let body = vec![id as u8; size];
    Block { sequence: id, records: 10, protected_records: 1, raw_bytes: 4 * size, codec: Codec::Zstd, body }
}

fn append(spool: &mut Spool<SimDisk>, id: u64, size: usize) -> Result<Place, SpoolError> {
    spool.append(&block(id, size), Exporters::first(2), SECOND)
}

fn text(result: Result<Place, SpoolError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_block_comes_back_as_it_was() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, settings());
    let places: Vec<Place> = [0, 1, 7, 8, 9, 5_000]
        .into_iter()
        .enumerate()
        .map(|(id, size)| append(&mut spool, id as u64, size).unwrap())
        .collect();
    for (place, size) in places.iter().zip([0, 1, 7, 8, 9, 5_000]) {
        assert_eq!(place.offset % 8, 0);
        assert_eq!(spool.read(*place).unwrap(), block(place.number, size));
    }
    assert!(spool.read(Place { number: 99, ..places[0] }).unwrap_err().to_string().contains("no block 99"));
}

#[test]
fn a_block_larger_than_a_segment_has_a_segment_of_its_own() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, SpoolSettings { segment_bytes: 1_000, ..settings() });
    let segments: Vec<u32> =
        [100, 5_000, 100, 100].map(|size| append(&mut spool, 1, size).unwrap().segment).to_vec();
    assert_eq!(segments, [0, 1, 2, 2]);
}

#[test]
fn a_settled_segment_is_unlinked_and_the_growing_one_when_it_is_idle() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, SpoolSettings { segment_bytes: 300, ..settings() });
    let places: Vec<Place> = (0..3).map(|id| append(&mut spool, id, 100).unwrap()).collect();
    let segments = || disk.files().iter().filter(|(path, _)| path.contains("/seg-")).count();
    assert_eq!(segments(), 3);
    spool.settle(0, places[1].number).unwrap();
    assert_eq!(segments(), 3, "one exporter still needs it");
    spool.settle(1, places[1].number).unwrap();
    assert_eq!(segments(), 2);
    for exporter in 0..2 {
        spool.settle(exporter, places[0].number).unwrap();
        spool.settle(exporter, places[2].number).unwrap();
    }
    assert_eq!(segments(), 1);
    spool.tick(5 * SECOND).unwrap();
    assert_eq!(segments(), 1);
    spool.tick(7 * SECOND).unwrap();
    assert_eq!(
        (segments(), spool.occupancy()),
        (0, Occupancy { bytes: POSITIONS_BYTES, blocks: 0, since_nanos: None })
    );
    assert_eq!(append(&mut spool, 9, 1).unwrap().segment, 3);
}

#[test]
fn nothing_is_unlinked_before_the_disk_has_the_positions() {
    // The write of the positions fails, or the call that forces them to the disk.
    for failing_after in [0, 1] {
        let disk = SimDisk::new();
        let mut spool = create(&disk, SpoolSettings { segment_bytes: 200, ..settings() });
        append(&mut spool, 0, 100).unwrap();
        append(&mut spool, 1, 100).unwrap();
        let before = disk.files();
        spool.settle(0, 0).unwrap();
        disk.world().faults = Faults { failing: 1, failing_after, ..Faults::default() };
        assert_eq!(spool.settle(1, 0).unwrap_err().code(), "spool-io");
        assert_eq!(disk.files(), before);
        spool.tick(SECOND).unwrap();
        assert_eq!(disk.files().len(), before.len() - 1);
    }
}

#[test]
fn what_was_given_up_while_the_disk_failed_is_written_later() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, SpoolSettings { segment_bytes: 200, ..settings() });
    append(&mut spool, 0, 100).unwrap();
    append(&mut spool, 1, 100).unwrap();
    disk.world().faults.failing = 1;
    assert_eq!(spool.drop_oldest().len(), 2);
    spool.tick(SECOND).unwrap();
    drop(spool);
    disk.restart();
    let root = root(&disk);
    let name = root.siblings().unwrap().remove(0);
    let adopted = root.adopt(&name, &[], settings(), Arc::new(Keys::none())).unwrap().unwrap();
    assert_eq!(adopted.held().map(|(place, _)| place.number).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_file_that_cannot_be_unlinked_is_tried_again_and_counts_until_then() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, SpoolSettings { segment_bytes: 200, ..settings() });
    append(&mut spool, 0, 100).unwrap();
    append(&mut spool, 1, 100).unwrap();
    spool.settle(0, 0).unwrap();
    disk.world().faults = Faults { failing: 1, failing_after: 2, ..Faults::default() };
    let error = spool.settle(1, 0).unwrap_err().to_string();
    assert!(error.starts_with("cannot unlink seg-0000000000.fspl: "), "{error}");
    assert_eq!(spool.occupancy().bytes, disk.bytes_in(spool.name()));
    spool.tick(SECOND).unwrap();
    assert_eq!(disk.files().len(), 3);
}

#[test]
fn a_file_that_was_unlinked_is_not_kept_open_by_who_read_it() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, SpoolSettings { segment_bytes: 200, ..settings() });
    let place = append(&mut spool, 0, 100).unwrap();
    append(&mut spool, 1, 100).unwrap();
    let before = disk.world().open;
    let reader = spool.reader();
    assert_eq!(reader.block(place).unwrap(), block(0, 100));
    assert_eq!(spool.drop_oldest().len(), 2);
    assert_eq!(disk.world().open, before, "an unlinked file that stays open takes its space");
    assert_eq!(reader.block(place).unwrap_err().code(), "spool-io");
    assert!(matches!(spool.read(place), Err(SpoolError::NotFound { number: 0 })));
}

#[test]
fn a_read_error_is_no_damage() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, settings());
    let place = append(&mut spool, 0, 100).unwrap();
    disk.world().faults.failing = 1;
    let error = spool.read(place).unwrap_err();
    assert_eq!(error.code(), "spool-io");
    assert_eq!(spool.read(place).unwrap(), block(0, 100));
}

#[test]
fn a_segment_that_somebody_removed_is_lost_and_said() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, SpoolSettings { segment_bytes: 200, ..settings() });
    let place = append(&mut spool, 0, 100).unwrap();
    append(&mut spool, 1, 100).unwrap();
    disk.remove(&format!("{}/seg-0000000000.fspl", spool.name()));
    let error = spool.read(place).unwrap_err();
    assert_eq!(
        error.to_string(),
        "block 0 of the spool with 10 records is damaged and lost; see the system's log for the state of the disk"
    );
    assert_eq!(spool.drop_oldest().len(), 2);
    assert_eq!(spool.occupancy().bytes, disk.bytes_in(spool.name()));
}

#[test]
fn settling_twice_and_settling_what_never_was_is_nothing() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, settings());
    let place = append(&mut spool, 0, 10).unwrap();
    for exporter in [0, 0, 7, 99] {
        spool.settle(exporter, place.number).unwrap();
    }
    spool.settle(1, 12_345).unwrap();
    assert_eq!([0, 1, 99].map(|exporter| spool.pending_records(exporter)), [0, 10, 0]);
}

#[test]
fn the_quota_counts_every_file_and_the_other_processes() {
    let disk = SimDisk::new();
    let quota = Quota { max_bytes: POSITIONS_BYTES + 80 + 2 * 168, min_free_bytes: 0 };
    let mut spool = create(&disk, SpoolSettings { quota, ..settings() });
    append(&mut spool, 0, 100).unwrap();
    append(&mut spool, 1, 100).unwrap();
    assert_eq!(
        text(append(&mut spool, 2, 100)),
        "the spool holds 6560 bytes and a block of 168 more would exceed its quota of 6560; raise the quota, or see \
         why the exporters deliver nothing"
    );
    assert_eq!(spool.drop_oldest().len(), 4);
    append(&mut spool, 2, 100).unwrap();
    spool.set_others_bytes(500);
    assert_eq!(append(&mut spool, 3, 100).unwrap_err().code(), "spool-full");
}

#[test]
fn a_full_disk_leaves_nothing_half_written_and_is_worth_another_try() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, settings());
    append(&mut spool, 0, 100).unwrap();
    let before = disk.files();
    disk.world().faults.capacity = Some(before.iter().map(|(_, bytes)| bytes).sum::<u64>() + 50);
    let error = append(&mut spool, 1, 100).unwrap_err();
    assert_eq!(error.code(), "spool-no-space");
    assert!(error.to_string().starts_with("cannot write seg-0000000000.fspl: No space left"), "{error}");
    assert_eq!(disk.files(), before);
    disk.world().faults = Faults::default();
    let place = append(&mut spool, 1, 100).unwrap();
    assert_eq!((place.number, place.segment), (1, 0));
    assert_eq!(spool.read(place).unwrap(), block(1, 100));
}

#[test]
fn settling_needs_no_space() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, SpoolSettings { segment_bytes: 200, ..settings() });
    let places: Vec<Place> = (0..3).map(|id| append(&mut spool, id, 100).unwrap()).collect();
    disk.world().faults.capacity = Some(0);
    for place in places {
        spool.settle(0, place.number).unwrap();
        spool.settle(1, place.number).unwrap();
    }
    assert!(spool.occupancy().bytes < POSITIONS_BYTES + 300);
}

#[test]
fn a_read_only_disk_says_so_and_blocks_are_still_read() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, settings());
    let place = append(&mut spool, 0, 100).unwrap();
    disk.world().faults.read_only = true;
    let error = append(&mut spool, 1, 100).unwrap_err();
    assert_eq!(error.code(), "spool-read-only");
    assert_eq!(spool.read(place).unwrap(), block(0, 100));
    assert_eq!(spool.settle(0, place.number).unwrap_err().code(), "spool-read-only");
    assert_eq!(spool.pending_records(0), 0, "in memory it is settled");
    disk.world().faults = Faults::default();
    spool.tick(SECOND).unwrap();
    drop(spool);
    disk.restart();
    let root = root(&disk);
    let name = root.siblings().unwrap().remove(0);
    let adopted = root.adopt(&name, &[], settings(), Arc::new(Keys::none())).unwrap().unwrap();
    assert_eq!([0, 1].map(|exporter| adopted.pending_records(exporter)), [0, 10]);
}

#[test]
fn old_segments_expire_as_a_whole_and_every_record_is_answered_for() {
    let disk = SimDisk::new();
    let max_age = Some(Duration::from_secs(60));
    let mut spool = create(&disk, SpoolSettings { segment_bytes: 300, max_age, ..settings() });
    for id in 0..3 {
        spool.append(&block(id, 100), Exporters::first(2), (id + 1) * 30 * SECOND).unwrap();
    }
    spool.settle(0, 0).unwrap();
    assert_eq!(spool.expire(90 * SECOND), []);
    let loss = Loss { exporter: 1, number: 0, records: 10, protected_records: 1, reason: LossReason::Age };
    assert_eq!(spool.expire(91 * SECOND), [loss]);
    let numbers: Vec<(u64, usize)> =
        spool.expire(10_000 * SECOND).iter().map(|loss| (loss.number, loss.exporter)).collect();
    assert_eq!(numbers, [(1, 0), (1, 1), (2, 0), (2, 1)]);
    assert_eq!(spool.occupancy(), Occupancy { bytes: POSITIONS_BYTES, blocks: 0, since_nanos: None });
    // A clock that was set back expires nothing.
    append(&mut spool, 9, 1).unwrap();
    assert_eq!(spool.expire(0), []);
}

#[test]
fn the_oldest_segment_makes_room() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, SpoolSettings { segment_bytes: 500, ..settings() });
    for id in 0..4 {
        append(&mut spool, id, 100).unwrap();
    }
    let dropped =
        |losses: Vec<Loss>| losses.iter().map(|loss| (loss.number, loss.exporter)).collect::<Vec<_>>();
    assert_eq!(dropped(spool.drop_oldest()), [(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(dropped(spool.drop_oldest()), [(2, 0), (2, 1), (3, 0), (3, 1)]);
    assert_eq!((dropped(spool.drop_oldest()), spool.occupancy().blocks), (vec![], 0));
    assert!(spool.close(SECOND).unwrap());
    assert!(disk.directories().is_empty());
}

#[test]
fn a_group_is_forced_to_the_disk_when_its_time_has_come() {
    let disk = SimDisk::new();
    let fsync = Fsync::Every(Duration::from_secs(2));
    let mut spool = create(&disk, SpoolSettings { fsync, ..settings() });
    let survivors = |disk: &SimDisk| {
        let copy = disk.deep_copy();
        copy.lose_everything_unforced();
        let root = root(&copy);
        let name = root.siblings().unwrap().remove(0);
        root.adopt(&name, &[], settings(), Arc::new(Keys::none())).unwrap().unwrap().occupancy().blocks
    };
    append(&mut spool, 0, 100).unwrap();
    spool.tick(2 * SECOND).unwrap();
    assert_eq!(survivors(&disk), 0);
    spool.tick(3 * SECOND).unwrap();
    assert_eq!(survivors(&disk), 1);
    append(&mut spool, 1, 100).unwrap();
    assert_eq!(survivors(&disk), 1);
    spool.sync(3 * SECOND).unwrap();
    assert_eq!(survivors(&disk), 2);
    // A clock that was set back does not put it off.
    append(&mut spool, 2, 100).unwrap();
    spool.tick(SECOND).unwrap();
    assert_eq!(survivors(&disk), 3);
}

#[test]
fn a_directory_that_somebody_removed_is_noticed() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, settings());
    spool.tick(SECOND).unwrap();
    disk.remove(&format!("{}/lock", spool.name()));
    let error = spool.tick(SECOND).unwrap_err();
    assert_eq!(error.code(), "spool-gone");
    assert!(error.to_string().ends_with("removed while it was in use; leave it to its process"));
}

#[test]
fn a_file_that_could_not_be_forced_to_the_disk_is_written_no_more() {
    for fsync in [Fsync::Every(Duration::from_secs(2)), Fsync::Always] {
        let disk = SimDisk::new();
        let mut spool = create(&disk, SpoolSettings { fsync, ..settings() });
        assert_eq!(append(&mut spool, 0, 100).unwrap().segment, 0);
        append(&mut spool, 1, 100).unwrap();
        // The last operation of an append that forces, and of a sync.
        disk.world().faults = Faults { failing: 1, failing_after: 3, ..Faults::default() };
        if fsync == Fsync::Always {
            assert_eq!(append(&mut spool, 2, 100).unwrap_err().code(), "spool-io");
        } else {
            disk.world().faults.failing_after = 0;
            assert_eq!(spool.sync(SECOND).unwrap_err().code(), "spool-io");
        }
        disk.world().faults = Faults::default();
        assert_eq!(append(&mut spool, 3, 100).unwrap().segment, 1);
    }
}

#[test]
fn a_forked_child_cannot_touch_the_parents_files() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, settings());
    let place = append(&mut spool, 0, 100).unwrap();
    disk.world().process += 1;
    assert!(matches!(append(&mut spool, 1, 100), Err(SpoolError::Forked)));
    assert!(matches!(spool.settle(0, place.number), Err(SpoolError::Forked)));
    assert!(matches!(spool.tick(SECOND), Err(SpoolError::Forked)));
    assert!(matches!(spool.sync(SECOND), Err(SpoolError::Forked)));
    assert_eq!((spool.drop_oldest(), spool.expire(u64::MAX)), (vec![], vec![]));
    let before = disk.files();
    spool.leave_to_parent();
    assert_eq!(disk.files(), before);
}

#[test]
fn an_adopted_spool_only_drains() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, settings());
    append(&mut spool, 0, 100).unwrap();
    drop(spool);
    disk.restart();
    let root = root(&disk);
    let name = root.siblings().unwrap().remove(0);
    let mut adopted = root.adopt(&name, &[], settings(), Arc::new(Keys::none())).unwrap().unwrap();
    assert!(matches!(append(&mut adopted, 1, 100), Err(SpoolError::Adopted)));
    assert!(root.adopt(&name, &[], settings(), Arc::new(Keys::none())).unwrap().is_none());
    adopted.settle(0, 0).unwrap();
    adopted.settle(1, 0).unwrap();
    assert!(adopted.close(SECOND).unwrap());
    assert!(root.adopt(&name, &[], settings(), Arc::new(Keys::none())).unwrap().is_none());
    assert!(root.adopt("somebody-else", &[], settings(), Arc::new(Keys::none())).unwrap().is_none());
}

#[test]
fn the_lock_of_an_unlinked_file_is_no_lock() {
    let disk = SimDisk::new();
    let mut spool = create(&disk, settings());
    append(&mut spool, 0, 100).unwrap();
    let name = spool.name().to_owned();
    drop(spool);
    disk.restart();
    let root = root(&disk);
    let adopt = || root.adopt(&name, &[], settings(), Arc::new(Keys::none())).unwrap();
    disk.world().faults.unlinked_before_lock = true;
    assert!(adopt().is_none());
    disk.world().faults = Faults::default();
    assert!(adopt().is_some());
}

#[test]
fn exporters_that_cannot_be_stored_are_refused() {
    let disk = SimDisk::new();
    let root = root(&disk);
    let long = "x".repeat(65);
    let many: Vec<String> = (0..17).map(|index| index.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for names in [&[][..], &[""], &["one", "one"], &[&long], &many] {
        let refused = root.create(names, settings(), Arc::new(Keys::none()), SECOND);
        assert_eq!(refused.unwrap_err().code(), "spool-settings");
    }
    assert!(disk.directories().is_empty());
    let mut spool = create(&disk, settings());
    let refused = spool.append(&block(0, 1), Exporters::NONE.with(2), SECOND);
    assert_eq!(refused.unwrap_err().code(), "spool-settings");
}

#[test]
fn each_spool_of_a_process_has_a_directory_of_its_own() {
    let disk = SimDisk::new();
    let spools = [create(&disk, settings()), create(&disk, settings())];
    let names = spools.each_ref().map(|spool| spool.name().to_owned());
    assert_eq!(names, ["shop-0000000000000007-100-1", "shop-0000000000000007-100-1.1"]);
    assert_eq!(root(&disk).siblings().unwrap(), names);
    assert_eq!(root(&disk).others_bytes(&[&names[0]]), POSITIONS_BYTES);
}

#[test]
fn a_directory_that_an_adopter_took_at_birth_is_no_obstacle() {
    let disk = SimDisk::new();
    // The owner made its directory, and before it took the lock somebody adopted it.
    let sim: &SimDisk = &disk;
    let top = fapilog_native::spool::disk::Disk::open_root(sim, Path::new("/")).unwrap();
    let _made =
        fapilog_native::spool::disk::Disk::create_dir(sim, &top, "shop-0000000000000007-100-1").unwrap();
    let root = root(&disk);
    let adopted = root.adopt("shop-0000000000000007-100-1", &["otlp"], settings(), Arc::new(Keys::none()));
    let adopted = adopted.unwrap().unwrap();
    let own = create(&disk, settings());
    assert!(own.name().ends_with(".1"));
    assert!(adopted.close(SECOND).unwrap());
    assert_eq!(root.siblings().unwrap(), [own.name()]);
}
