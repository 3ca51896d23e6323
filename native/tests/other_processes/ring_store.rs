//! The crash ring on a real file system: what is recovered, who may have it, forks, links, modes, and places without room.
//!
//! reason: one file of short tests per question that a place can ask; they share one set-up.

use crate::rings::{folder, frame, frames, id, ids, mark, open_slot, recover_soon, settings, BOOT};
use fapilog_native::ring::{place, recover, Report, Ring, RingError, Settings};
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// What this program does instead of testing, and where.
const ROLE: &str = "FAPILOG_RING_TEST_ROLE";

#[test]
fn what_was_appended_and_not_recycled_is_recovered_with_what_decodes_it() {
    let settings = settings(&folder("recovered"));
    let ring = Ring::create(&settings).unwrap();
    ring.define_resource(b"first resource").unwrap();
    ring.define_scope(0, b"zero").unwrap();
    ring.define_scope(7, b"seven").unwrap();
    let mut done = open_slot(&ring, 1, 0).unwrap();
    assert!(done.append(&frame(1, "delivered"), false));
    let mut kept = open_slot(&ring, 2, 0).unwrap();
    assert!(kept.append(&frame(2, "a"), false) && kept.append(&frame(3, "b"), true));
    assert!(kept.stage(&mark(7)) && kept.append(&frame(4, "c"), false));
    ring.define_resource(b"second resource").unwrap();
    let mut last = open_slot(&ring, 5, 7).unwrap();
    assert!(last.append(&frame(5, "d"), false) && last.stage(&frame(6, "copied, not committed")));
    assert!(ring.take_slot(6).is_none());
    done.recycle();
    drop((kept, last, ring));

    let mut found = recover_soon(&settings.path(), BOOT);
    let chunks = found.take_chunks();
    let facts: Vec<_> = chunks
        .iter()
        .map(|one| (one.records, one.protected_records, one.first_sequence, one.resource, one.epoch))
        .collect();
    assert_eq!(facts, [(3, 1, 2, 1, 2), (1, 0, 5, 2, 3)]);
    assert_eq!(frames(&chunks[0]), [(0, frame(2, "a")), (0, frame(3, "b")), (7, frame(4, "c"))]);
    assert_eq!(frames(&chunks[1]), [(7, frame(5, "d"))]);
    assert_eq!(
        (found.scope(0), found.scope(7), found.scope(1)),
        (Some(&b"zero"[..]), Some(&b"seven"[..]), None)
    );
    assert_eq!(found.resource(1), Some(&b"first resource"[..]));
    assert_eq!(found.resource(99), Some(&b"second resource"[..]));
    assert_eq!(found.report(), Report { records: 4, ..Report::default() });
    assert_eq!(found.owner(), Some(settings.owner));
}

#[test]
fn records_are_recovered_again_until_somebody_says_that_they_are_safe() {
    let settings = settings(&folder("again"));
    let ring = Ring::create(&settings).unwrap();
    let mut slot = open_slot(&ring, 1, 0).unwrap();
    assert!(slot.append(&frame(1, "once"), false));
    drop((slot, ring));

    let mut first = recover_soon(&settings.path(), BOOT);
    assert!(recover(&settings.path(), BOOT).unwrap().is_none());
    assert_eq!((ids(&mut first), ids(&mut first)), (vec![1], vec![]));
    drop(first);
    let mut second = recover_soon(&settings.path(), BOOT);
    assert_eq!(ids(&mut second), [1]);
    second.remove().unwrap();
    assert!(recover(&settings.path(), BOOT).unwrap().is_none());
    assert!(!settings.path().exists());
}

#[test]
fn a_dead_ring_gives_back_the_space_that_holds_nothing_and_keeps_every_record() {
    let large = Settings { slots: 8, slot_bytes: 1 << 20, ..settings(&folder("trimmed")) };
    let ring = Ring::create(&large).unwrap();
    let mut slot = open_slot(&ring, 1, 0).unwrap();
    (1..=50).for_each(|id| assert!(slot.append(&frame(id, &"x".repeat(900)), false)));
    drop((slot, ring));
    let taken = || fs::metadata(large.path()).unwrap().blocks() * 512;
    let before = taken();
    let mut found = recover_soon(&large.path(), BOOT);
    let (records, report) = (ids(&mut found), found.report());
    found.trim();
    let after = taken();
    // A file system that cannot give space back gives none back.
    assert!(after == before || after < 256 << 10, "{before} {after}");
    drop(found);
    let mut again = recover_soon(&large.path(), BOOT);
    assert_eq!((ids(&mut again), again.report()), (records, report));
    again.trim();
    again.recycle(0).unwrap();
    drop(again);
    assert_eq!(ids(&mut recover_soon(&large.path(), BOOT)), Vec::<u64>::new());
}

#[test]
fn what_was_copied_and_not_committed_is_not_recovered() {
    let settings = settings(&folder("staged"));
    let ring = Ring::create(&settings).unwrap();
    let mut slot = open_slot(&ring, 1, 0).unwrap();
    assert!(slot.append(&frame(1, "whole"), false) && slot.stage(&frame(2, "copied only")));
    drop((slot, ring));
    assert_eq!(ids(&mut recover_soon(&settings.path(), BOOT)), [1]);
}

#[test]
fn the_ring_of_a_living_process_is_left_alone() {
    let settings = settings(&folder("alive"));
    let ring = Ring::create(&settings).unwrap();
    assert!(recover(&settings.path(), BOOT).unwrap().is_none());
    assert!(matches!(Ring::create(&settings), Err(RingError::Taken(path)) if path == settings.path()));
    assert_eq!(place::rings_in(&settings.directory).unwrap(), [settings.path()]);
    assert!(ring.remove_if_empty().unwrap());
    assert_eq!(place::rings_in(&settings.directory).unwrap(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn an_orderly_end_keeps_the_file_while_a_slot_is_held() {
    let settings = settings(&folder("held"));
    let ring = Ring::create(&settings).unwrap();
    let slot = ring.take_slot(1);
    assert!(!ring.remove_if_empty().unwrap());
    assert!(settings.path().exists());
    drop(slot);
}

#[test]
fn a_slot_takes_what_fits_and_its_bytes_are_what_was_committed() {
    let settings = settings(&folder("full"));
    let ring = Ring::create(&settings).unwrap();
    let mut slot = ring.take_slot(1).unwrap();
    let mut expected = mark(3);
    assert!(slot.stage(&mark(3)));
    assert_eq!((slot.bytes(), slot.room()), (&b""[..], 4091));
    for id in 0..4 {
        let frame = frame(id, &"x".repeat(900));
        assert!(slot.append(&frame, id == 2));
        expected.extend_from_slice(&frame);
    }
    assert!(!slot.append(&frame(9, &"x".repeat(900)), false));
    assert_eq!(slot.bytes(), expected);
    assert_eq!((slot.records(), slot.room()), (4, 4096 - expected.len()));
    slot.recycle();
    assert_eq!(ring.free_slots(), 3);
    let again = ring.take_slot(5).unwrap();
    assert_eq!(again.bytes(), b"");
    again.recycle();
}

#[test]
fn a_full_side_area_is_told_and_loses_no_record() {
    let settings = settings(&folder("side"));
    let ring = Ring::create(&settings).unwrap();
    ring.define_scope(1, &[b'x'; 4000]).unwrap();
    let error = ring.define_scope(2, &[b'y'; 100]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the crash ring has 4016 of 4096 bytes for scopes and resources in use, and 120 more do not fit; records of further \
         scopes are recovered without their scope. Make fewer loggers, or the area larger"
    );
    let mut slot = open_slot(&ring, 1, 2).unwrap();
    assert!(slot.append(&frame(1, "whose scope did not fit"), false));
    drop((slot, ring));
    let mut found = recover_soon(&settings.path(), BOOT);
    assert_eq!((found.scope(1).map(<[u8]>::len), found.scope(2)), (Some(4000), None));
    assert_eq!(ids(&mut found), [1]);
}

#[test]
fn another_boot_counts_what_a_checkpoint_covers_and_nothing_else() {
    let settings = Settings { durable: true, ..settings(&folder("boot")) };
    let ring = Ring::create(&settings).unwrap();
    let mut slot = open_slot(&ring, 1, 0).unwrap();
    for id in 1..=3 {
        assert!(slot.append(&frame(id, "safe"), false));
        ring.checkpoint().unwrap();
    }
    assert!(slot.append(&frame(4, "not yet"), false));
    let mut settled = open_slot(&ring, 5, 0).unwrap();
    assert!(settled.append(&frame(5, "settled"), false));
    ring.checkpoint().unwrap();
    settled.recycle();
    let mut unsynced = open_slot(&ring, 6, 0).unwrap();
    assert!(slot.append(&frame(6, "not yet"), false) && unsynced.append(&frame(7, "nor this"), false));
    drop((slot, unsynced, ring));

    let mut found = recover_soon(&settings.path(), BOOT + 1);
    assert_eq!(ids(&mut found), [1, 2, 3, 4]);
    let report = Report { records: 4, unsynced_records: 2, superseded_records: 1, ..Report::default() };
    assert_eq!(found.report(), report);
    drop(found);
    assert_eq!(ids(&mut recover_soon(&settings.path(), BOOT)), [1, 2, 3, 4, 6, 7]);
}

#[test]
fn checkpoints_that_are_made_while_others_append_are_of_whole_records_of_one_use() {
    let settings = Settings { durable: true, ..settings(&folder("threads")) };
    let ring = Ring::create(&settings).unwrap();
    let is_done = AtomicBool::new(false);
    let next = std::thread::scope(|scope| {
        let appends = scope.spawn(|| {
            let (mut next, mut held) = (1, VecDeque::new());
            while !is_done.load(Ordering::Relaxed) {
                let mut slot = open_slot(&ring, next, 0).unwrap();
                while slot.append(&frame(next, "at the same time"), false) {
                    next += 1;
                }
                held.push_back(slot);
                if held.len() == 3 {
                    held.pop_front().unwrap().recycle();
                }
            }
            next
        });
        let result = (0..40).try_for_each(|_| ring.checkpoint());
        is_done.store(true, Ordering::Relaxed);
        result.unwrap();
        appends.join().unwrap()
    });
    drop(ring);
    let mut found = recover_soon(&settings.path(), BOOT + 1);
    let report = found.report();
    assert_eq!((report.missing_records, report.damaged_bytes, report.unreadable_slots), (0, 0, 0));
    for (_, bytes) in found.take_chunks().iter().flat_map(frames) {
        assert!((1..next).contains(&id(&bytes)) && bytes == frame(id(&bytes), "at the same time"));
    }
}

#[test]
fn what_was_settled_before_a_checkpoint_does_not_come_again_after_a_loss_of_power() {
    let settings = Settings { durable: true, ..settings(&folder("settled")) };
    let ring = Ring::create(&settings).unwrap();
    let mut slot = open_slot(&ring, 1, 0).unwrap();
    assert!(slot.append(&frame(1, "settled"), false));
    ring.checkpoint().unwrap();
    slot.recycle();
    ring.checkpoint().unwrap();
    drop(ring);
    let mut found = recover_soon(&settings.path(), BOOT + 1);
    assert_eq!((ids(&mut found), found.report()), (vec![], Report::default()));
}

#[test]
fn a_process_that_died_before_it_used_its_ring_left_nothing() {
    let settings = settings(&folder("empty"));
    fs::write(settings.path(), b"").unwrap();
    fs::set_permissions(settings.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let mut found = recover_soon(&settings.path(), BOOT);
    assert_eq!((ids(&mut found), found.owner()), (vec![], None));
    found.remove().unwrap();
    assert!(!settings.path().exists());
}

#[test]
fn files_and_directories_are_this_users_alone() {
    let directory = folder("modes");
    let private = directory.join("private");
    place::private_directory(&private).unwrap();
    let settings = settings(&private);
    drop(Ring::create(&settings).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&private), mode(&settings.path())), (0o700, 0o600));

    fs::set_permissions(settings.path(), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(recover(&settings.path(), BOOT), Err(RingError::NotPrivate { .. })));
    // What Kubernetes gives the group of `fsGroup`, at each mount.
    fs::set_permissions(settings.path(), fs::Permissions::from_mode(0o660)).unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o2770)).unwrap();
    place::private_directory(&private).unwrap();
    drop(recover_soon(&settings.path(), BOOT));
    assert_eq!((mode(&private), mode(&settings.path())), (0o700, 0o600));
    fs::set_permissions(&private, fs::Permissions::from_mode(0o755)).unwrap();
    let refused = place::private_directory(&private).unwrap_err().to_string();
    assert!(refused.contains("is not this user's alone") && refused.contains("has mode 755"), "{refused}");
}

#[test]
fn links_are_not_followed() {
    let directory = folder("links");
    let settings = settings(&directory);
    let victim = directory.join("victim");
    fs::write(&victim, b"precious").unwrap();
    symlink(&victim, settings.path()).unwrap();
    assert!(matches!(Ring::create(&settings), Err(RingError::Taken(_))));
    assert!(matches!(recover(&settings.path(), BOOT), Err(RingError::Io { .. })));
    assert_eq!(fs::read(&victim).unwrap(), b"precious");

    let (real, link) = (directory.join("real"), directory.join("link"));
    place::private_directory(&real).unwrap();
    symlink(&real, &link).unwrap();
    assert!(matches!(place::private_directory(&link), Err(RingError::NotPrivate { .. })));
}

#[test]
fn what_is_no_ring_is_refused_and_set_aside() {
    let settings = settings(&folder("foreign"));
    fs::write(settings.path(), vec![b'x'; 9000]).unwrap();
    fs::set_permissions(settings.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let error = recover(&settings.path(), BOOT).unwrap_err().to_string();
    let aside = settings.path().with_extension("ring.corrupt");
    let expected = format!(
        "{} cannot be recovered: both copies of its header are damaged; look at it, then remove it",
        aside.display()
    );
    assert_eq!(error, expected);
    assert_eq!(fs::read(aside).unwrap(), vec![b'x'; 9000]);
    assert!(recover(&settings.path(), BOOT).unwrap().is_none());
    assert!(place::rings_in(&settings.directory).unwrap().is_empty());
    fs::create_dir(settings.path()).unwrap();
    assert!(recover(&settings.path(), BOOT).is_err());
    assert!(settings.path().exists());
}

#[test]
fn numbers_that_a_ring_cannot_have_are_named() {
    let good = settings(&folder("numbers"));
    let text = |settings: Settings| Ring::create(&settings).unwrap_err().to_string();
    assert_eq!(text(Settings { slots: 1, ..good.clone() }), "a crash ring with slots = 1; choose 2 to 64");
    assert_eq!(
        text(Settings { slot_bytes: 1 << 30, ..good.clone() }),
        "a crash ring with slot_bytes = 1073741824; choose 4096 to 67108864"
    );
    assert_eq!(
        text(Settings { name: "../up".to_owned(), ..good.clone() }),
        "a crash ring called \"../up\"; choose a plain file name"
    );
    let no_boot = Settings { owner: fapilog_native::ring::Owner { boot: 0, ..good.owner }, ..good.clone() };
    assert!(matches!(Ring::create(&no_boot), Err(RingError::NoBootId(_))));
    assert!(place::rings_in(&good.directory).unwrap().is_empty());
}

#[test]
fn memory_is_used_only_with_room_and_never_for_power() {
    let Ok(directory) = place::shared_memory(1 << 16) else {
        return println!("skipped: no {} with room", place::SHARED_MEMORY);
    };
    let name = format!("test-memory-0000000000c0ffee-{}-1", std::process::id());
    let settings = Settings { name, durable: true, ..settings(&directory) };
    assert!(matches!(Ring::create(&settings), Err(RingError::NotDurable(_))));
    assert!(!settings.path().exists());
    let settings = Settings { durable: false, ..settings };
    let ring = Ring::create(&settings).unwrap();
    let mut slot = open_slot(&ring, 1, 0).unwrap();
    assert!(slot.append(&frame(1, "in memory"), false));
    drop((slot, ring));
    // What is in memory is of this boot, whatever its id says.
    let mut found = recover_soon(&settings.path(), 0);
    assert_eq!(ids(&mut found), [1]);
    found.remove().unwrap();

    let error = place::shared_memory(1 << 60).unwrap_err();
    assert!(matches!(error, RingError::NoRoom { needed, .. } if needed == 1 << 61), "{error}");
    assert!(place::in_memory(&folder("disk"), 1).is_err());
}

/// Not a test: what [`a_place_without_room_is_an_error_at_the_start`] runs, with a limit on the length of files.
#[test]
fn another_process() {
    let Ok(place) = std::env::var(ROLE) else { return };
    let limit = libc::rlimit { rlim_cur: 1 << 14, rlim_max: 1 << 14 };
    // SAFETY: both calls change only this process, which was started for it.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
    }
    let settings = settings(Path::new(&place));
    let error = Ring::create(&settings).unwrap_err();
    assert!(matches!(error, RingError::NoSpace { needed: 28672, .. }), "{error}");
    assert!(!settings.path().exists());
}

#[test]
fn a_place_without_room_is_an_error_at_the_start() {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ring_store::another_process", "--test-threads=1"])
        .env(ROLE, folder("room"))
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn a_forked_child_cannot_write_into_its_parents_ring_and_makes_its_own() {
    let parent = settings(&folder("fork"));
    let own = Settings { name: "child".to_owned(), ..parent.clone() };
    let ring = Ring::create(&parent).unwrap();
    let mut slot = open_slot(&ring, 1, 0).unwrap();
    assert!(slot.append(&frame(1, "parent"), false));
    // SAFETY: the child makes its checks and leaves by `_exit`; it takes no lock that another thread could have held.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let is_cut_off = !ring.is_owner()
            && !slot.append(&frame(66, "child"), false)
            && slot.bytes().is_empty()
            && ring.take_slot(66).is_none()
            && ring.free_slots() == 0
            && matches!(ring.checkpoint(), Err(RingError::Forked))
            && matches!(ring.define_scope(0, b""), Err(RingError::Forked))
            && matches!(ring.define_resource(b""), Err(RingError::Forked));
        slot.commit(1, 1);
        slot.recycle();
        drop(ring);
        let makes_its_own = Ring::create(&own).is_ok_and(|ring| {
            let slot = open_slot(&ring, 2, 0);
            slot.is_some_and(|mut slot| slot.append(&frame(2, "child"), false))
        });
        // SAFETY: ends this child without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(!(is_cut_off && makes_its_own))) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for writing, and the child is ours.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
    assert!(slot.append(&frame(3, "parent again"), false));
    drop((slot, ring));
    assert_eq!(ids(&mut recover_soon(&parent.path(), BOOT)), [1, 3]);
    assert_eq!(ids(&mut recover_soon(&own.path(), BOOT)), [2]);
}

#[test]
fn the_file_is_laid_out_as_the_format_says() {
    let settings = settings(&folder("format"));
    let ring = Ring::create(&settings).unwrap();
    ring.define_scope(7, b"seven").unwrap();
    let mut slot = open_slot(&ring, 42, 7).unwrap();
    assert!(slot.append(&frame(1, "one"), true));
    let bytes = fs::read(settings.path()).unwrap();
    assert_eq!(bytes.len(), 4096 * 7);
    assert_eq!(&bytes[..8], b"FAPIRING");
    assert_eq!(bytes[..64], bytes[2048..2112]);
    let side = [
        b"FRSE",
        &crc32fast::hash(b"\x07\0\0\0\x05\0\0\x02seven").to_le_bytes()[..],
        b"\x07\0\0\0\x05\0\0\x02seven\0\0\0",
    ];
    assert_eq!(bytes[8192..8216], side.concat());
    let header: Vec<u64> =
        bytes[12288..12352].chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
    let magic = u64::from_le_bytes(*b"FRSL\x01\0\0\0");
    let length = slot.bytes().len() as u64;
    assert_eq!(header, [magic, 1, 1 << 32 | length, 1, 42, 0, BOOT, 1]);
    assert_eq!(&bytes[16384..16384 + slot.bytes().len()], slot.bytes());
}

#[test]
fn what_one_exporter_had_of_a_chunk_that_was_taken_over_the_next_process_knows() {
    let settings = settings(&folder("note_done"));
    let ring = Ring::create(&settings).unwrap();
    for (number, name) in (0..).zip(["otlp", "file"]) {
        ring.define_exporter(number, name).unwrap();
    }
    let mut slot = open_slot(&ring, 1, 0).unwrap();
    assert!(slot.append(&frame(1, "for two"), false));
    drop((slot, ring));

    let mut first = recover_soon(&settings.path(), BOOT);
    let chunk = first.take_chunks().pop_front().unwrap();
    assert_eq!((first.exporter("file"), first.exporter("webhook")), (Some(1), None));
    assert!(!first.is_done(&chunk, "otlp") && !first.is_done(&chunk, "file"));
    first.note_done(chunk.slot, 0b10).unwrap();
    drop(first);

    let mut second = recover_soon(&settings.path(), BOOT);
    let chunk = second.take_chunks().pop_front().unwrap();
    assert_eq!((second.is_done(&chunk, "otlp"), second.is_done(&chunk, "file")), (false, true));
    assert_eq!((chunk.records, chunk.bytes), (1, [mark(0), frame(1, "for two")].concat()));
}
