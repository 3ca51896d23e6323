//! The spool's root over a long life: removed and made again while a process runs, and full of that process's own names.

use fapilog_native::spool::crypt::Keys;
use fapilog_native::spool::disk::real::RealDisk;
use fapilog_native::spool::identity::Identity;
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::{Fsync, Root, Spool, SpoolError, SpoolSettings};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{chown, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder of this test alone, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spool-root").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    folder
}

fn root(path: &Path) -> Root<RealDisk> {
    Root::open(Arc::new(RealDisk), path, Identity::of_this_process("shop")).unwrap()
}

fn create(root: &Root<RealDisk>) -> Result<Spool<RealDisk>, SpoolError> {
    let quota = Quota { max_bytes: 1 << 30, min_free_bytes: 0 };
    let settings = SpoolSettings { segment_bytes: 64 << 10, quota, max_age: None, fsync: Fsync::Never };
    root.create(&["otlp"], settings, Arc::new(Keys::none()), 1)
}

#[test]
fn a_root_that_was_removed_is_made_again_when_blocks_have_to_go_there() {
    let folder = folder("removed");
    let root = root(&folder);
    fs::remove_dir_all(&folder).unwrap();
    let spool = create(&root).unwrap();
    assert!(folder.join(spool.name()).is_dir());
}

#[test]
fn a_root_that_somebody_exchanged_is_used_as_it_is_now_and_what_is_in_it_is_found() {
    let folder = folder("exchanged");
    let aside = folder.with_extension("aside");
    let _ = fs::remove_dir_all(&aside);
    let root = root(&folder);
    // As a volume that is mounted late.
    fs::rename(&folder, &aside).unwrap();
    fs::create_dir(&folder).unwrap();
    let spool = create(&root).unwrap();
    assert!(folder.join(spool.name()).is_dir());
    assert_eq!(fs::read_dir(&aside).unwrap().count(), 0);
    let name = spool.name().to_owned();
    fs::rename(&folder, &aside).unwrap();
    assert_eq!(root.siblings().unwrap(), Vec::<String>::new());
    fs::remove_dir(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    assert_eq!(root.siblings().unwrap(), [name]);
}

#[test]
fn a_process_finds_a_name_however_many_directories_it_left_behind() {
    let root = root(&folder("names"));
    let spools: Vec<_> = (0..130).map(|_| create(&root).unwrap()).collect();
    let names: BTreeSet<String> = spools.iter().map(|spool| spool.name().to_owned()).collect();
    assert_eq!(names.len(), 130);
    assert_eq!(root.siblings().unwrap(), names.into_iter().collect::<Vec<_>>());
}

#[test]
fn a_root_that_everybody_may_write_to_holds_private_directories_and_only_our_own_are_taken_over() {
    let folder = folder("everybodys");
    fs::create_dir(&folder).unwrap();
    // As an `emptyDir` of Kubernetes.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let root = root(&folder);
    let spool = create(&root).unwrap();
    let (name, made) = (spool.name().to_owned(), folder.join(spool.name()));
    assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
    drop(spool);
    // Only the superuser may give a directory away.
    if chown(&made, Some(12_345), None).is_ok() {
        let settings = SpoolSettings {
            segment_bytes: 64 << 10,
            quota: Quota { max_bytes: 1 << 30, min_free_bytes: 0 },
            max_age: None,
            fsync: Fsync::Never,
        };
        let taken = root.adopt(&name, &["otlp"], settings, Arc::new(Keys::none())).unwrap();
        assert!(taken.is_none());
        assert!(made.is_dir());
    }
}
