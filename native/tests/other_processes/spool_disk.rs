//! The spool on a real file system, between real processes: modes, links, locks, forks, and a kill in the middle of it.
//!
//! Where another process is needed, this test program runs itself again with [`ROLE`] set.

use fapilog_native::block::{Block, Codec};
use fapilog_native::spool::crypt::Keys;
use fapilog_native::spool::disk::real::RealDisk;
use fapilog_native::spool::disk::{Disk, How, Kind};
use fapilog_native::spool::identity::Identity;
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::{Exporters, Fsync, Place, Root, Spool, SpoolError, SpoolSettings};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What this program does instead of testing, and where.
const ROLE: &str = "FAPILOG_SPOOL_TEST_ROLE";
const NAMES: [&str; 2] = ["otlp", "file"];

/// A folder of this test alone, empty.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spool").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    folder
}

fn settings() -> SpoolSettings {
    let quota = Quota { max_bytes: 1 << 30, min_free_bytes: 0 };
    SpoolSettings { segment_bytes: 64 << 10, quota, max_age: None, fsync: Fsync::Never }
}

fn root(path: &Path) -> Root<RealDisk> {
    Root::open(Arc::new(RealDisk), path, Identity::of_this_process("shop")).unwrap()
}

fn create(root: &Root<RealDisk>) -> Spool<RealDisk> {
    root.create(&NAMES, settings(), Arc::new(Keys::none()), 1).unwrap()
}

/// Adopts what nobody holds. Another test that starts a process holds all our locks for a moment, between fork and exec.
fn adopt_soon(root: &Root<RealDisk>, name: &str) -> Spool<RealDisk> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(spool) = adopt(root, name).unwrap() {
            return spool;
        }
        assert!(Instant::now() < deadline, "the lock outlives its holders");
        std::thread::yield_now();
    }
}

fn adopt(root: &Root<RealDisk>, name: &str) -> Result<Option<Spool<RealDisk>>, SpoolError> {
    root.adopt(name, &NAMES, settings(), Arc::new(Keys::none()))
}

fn block(id: u64) -> Block {
    let body = vec![id as u8; 1_000 + (id as usize * 37) % 3_000];
    Block { sequence: id, records: 3, protected_records: 0, raw_bytes: 9_000, codec: Codec::Gzip, body }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn run_again(role: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "spool_disk::another_process", "--nocapture", "--test-threads=1"])
        .env(ROLE, format!("{role}:{}", folder.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lines that the other process says to us, without the test runner's.
fn lines(child: &mut Child) -> impl Iterator<Item = String> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.filter_map(|line| line.split_once('>').map(|(_, said)| said.to_owned()))
}

fn say(text: &str) {
    println!(">{text}");
    std::io::stdout().flush().unwrap();
}

/// No test of its own: what the other process does.
#[test]
fn another_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (role, folder) = role.split_once(':').unwrap();
    let root = root(Path::new(folder));
    match role {
        "hold" => {
            let mut spool = create(&root);
            spool.append(&block(0), Exporters::first(2), 1).unwrap();
            say(spool.name());
            wait_for_ever();
        }
        "hold_and_fork" => {
            let spool = create(&root);
            say(spool.name());
            // SAFETY: the child makes system calls only, as a child of a process with threads must.
            let child = unsafe { libc::fork() };
            if child == 0 {
                wait_for_ever();
            }
            say(&child.to_string());
            wait_for_ever();
        }
        "append" => {
            let mut spool = create(&root);
            say(spool.name());
            for id in 0.. {
                spool.append(&block(id), Exporters::first(2), id).unwrap();
                say(&format!("+{id}"));
                // Out of order: some at once, the others later.
                let done = if id % 3 == 0 { Some(id) } else { id.checked_sub(30).filter(|id| id % 3 > 0) };
                if let Some(done) = done {
                    spool.settle(0, done).unwrap();
                    say(&format!("-{done}"));
                }
                if id >= 40 {
                    spool.settle(1, id - 40).unwrap();
                }
            }
        }
        _ => {
            let names = root.siblings().unwrap();
            let adopted = names.iter().filter(|name| adopt(&root, name).unwrap().is_some()).count();
            say(&adopted.to_string());
        }
    }
}

fn wait_for_ever() -> ! {
    loop {
        // SAFETY: waits for a signal; touches no memory.
        unsafe { libc::pause() };
    }
}

#[test]
fn directories_and_files_are_this_users_alone() {
    let folder = folder("modes").join("made/on/demand");
    let root = root(&folder);
    let mut spool = create(&root);
    spool.append(&block(0), Exporters::first(1), 1).unwrap();
    let directory = folder.join(spool.name());
    assert_eq!((mode(&folder), mode(&directory)), (0o700, 0o700));
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&directory).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600);
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort_unstable();
    assert_eq!(names, ["lock", "positions", "seg-0000000000.fspl"]);
}

#[test]
fn a_link_in_place_of_a_segment_is_neither_read_nor_followed() {
    let folder = folder("links");
    let root = root(&folder);
    let mut spool = create(&root);
    let place = spool.append(&block(0), Exporters::first(1), 1).unwrap();
    let name = spool.name().to_owned();
    let segment = folder.join(&name).join("seg-0000000000.fspl");
    let target = folder.join("target");
    fs::rename(&segment, &target).unwrap();
    symlink(&target, &segment).unwrap();
    symlink(&target, folder.join(&name).join("seg-0000000001.fspl")).unwrap();
    drop(spool);
    let adopted = adopt_soon(&root, &name);
    assert_eq!(adopted.occupancy().blocks, 0);
    assert!(adopted.read(place).is_err());
    assert!(!adopted.close(1).unwrap(), "what is not ours stays");
    assert_eq!(fs::read_link(&segment).unwrap(), target);
}

#[test]
fn a_link_in_place_of_a_directory_is_not_adopted() {
    let folder = folder("linked_directory");
    let root = root(&folder);
    let spool = create(&root);
    let name = spool.name().to_owned();
    drop(spool);
    let other = folder.join("elsewhere");
    fs::rename(folder.join(&name), &other).unwrap();
    symlink(&other, folder.join(&name)).unwrap();
    assert_eq!(root.siblings().unwrap(), Vec::<String>::new());
    assert!(adopt(&root, &name).unwrap().is_none());
    // One that everybody may write to is an error.
    fs::remove_file(folder.join(&name)).unwrap();
    fs::rename(&other, folder.join(&name)).unwrap();
    fs::set_permissions(folder.join(&name), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(adopt(&root, &name).unwrap_err().to_string().ends_with("chmod 700"));
    // What the group may do is taken back: Kubernetes gives it to `fsGroup`, at each mount.
    fs::set_permissions(folder.join(&name), fs::Permissions::from_mode(0o2770)).unwrap();
    assert!(adopt_soon(&root, &name).report().was_open);
    assert_eq!(fs::metadata(folder.join(&name)).unwrap().permissions().mode() & 0o7777, 0o700);
}

#[test]
fn a_pipe_in_place_of_a_file_blocks_nobody() {
    let folder = folder("pipe");
    let root = root(&folder);
    let spool = create(&root);
    let name = spool.name().to_owned();
    drop(spool);
    let pipe = folder.join(&name).join("seg-0000000000.fspl");
    let path = std::ffi::CString::new(pipe.to_str().unwrap()).unwrap();
    // SAFETY: `path` ends in NUL.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    assert_eq!(adopt_soon(&root, &name).occupancy().blocks, 0);
    let disk = RealDisk;
    let dir = disk.open_dir(&disk.open_root(&folder).unwrap(), &name).unwrap();
    for how in [How::Read, How::Write, How::Create] {
        let error = disk.open(&dir, "seg-0000000000.fspl", how).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    let entries = disk.list(&dir).unwrap();
    assert!(entries.iter().any(|entry| entry.name == "seg-0000000000.fspl" && entry.kind == Kind::Other));
}

#[test]
fn what_somebody_put_beside_it_stays() {
    let folder = folder("foreign");
    let root = root(&folder);
    fs::create_dir(folder.join("lost+found")).unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let spool = create(&root);
    let directory = folder.join(spool.name());
    fs::write(directory.join("mine.txt"), "mine").unwrap();
    assert!(!spool.close(1).unwrap());
    let name = directory.file_name().unwrap().to_str().unwrap();
    assert!(!adopt_soon(&root, name).close(1).unwrap());
    assert_eq!(fs::read_to_string(directory.join("mine.txt")).unwrap(), "mine");
    assert!(directory.join("lock").exists(), "nor is it taken apart");
    fs::remove_file(directory.join("mine.txt")).unwrap();
    assert!(adopt_soon(&root, name).close(1).unwrap());
    let left: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, BTreeSet::from(["lost+found".to_owned(), "notes.txt".to_owned()]));
}

#[test]
fn a_living_process_keeps_its_directory_and_a_killed_one_loses_it() {
    let folder = folder("lock");
    let root = root(&folder);
    let mut child = run_again("hold", &folder);
    let name = lines(&mut child).next().unwrap();
    assert!(adopt(&root, &name).unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
    let mut adopted = adopt_soon(&root, &name);
    assert!(adopted.report().is_intact());
    // And now this one is alive, for others too.
    let mut other = run_again("adopt", &folder);
    assert_eq!(lines(&mut other).collect::<Vec<_>>(), ["0"]);
    other.wait().unwrap();
    let (place, _) = adopted.held().next().unwrap();
    assert_eq!(adopted.read(place).unwrap(), block(0));
    adopted.settle(0, place.number).unwrap();
    adopted.settle(1, place.number).unwrap();
    assert!(adopted.close(1).unwrap());
    assert!(!folder.join(&name).exists());
}

#[test]
fn a_forked_child_that_keeps_the_descriptors_keeps_the_directory_alive() {
    let folder = folder("fork");
    let root = root(&folder);
    let mut parent = run_again("hold_and_fork", &folder);
    let mut said = lines(&mut parent);
    let name = said.next().unwrap();
    let child: i32 = said.next().unwrap().parse().unwrap();
    parent.kill().unwrap();
    parent.wait().unwrap();
    let looks_dead = adopt(&root, &name).unwrap().is_some();
    // SAFETY: a signal to the process that the other one started for this test.
    assert_eq!(unsafe { libc::kill(child, libc::SIGKILL) }, 0);
    assert!(!looks_dead, "which is why it has to drop them");
    // It is nobody's child here, so there is nothing to wait on but the end of its lock and of our pipe from it.
    assert_eq!(said.next(), None);
    drop(adopt_soon(&root, &name));
}

#[test]
fn of_many_adopters_one_gets_it_and_the_directory_goes_once() {
    let folder = folder("race");
    for round in 0..20 {
        let spool = create(&root(&folder));
        let name = spool.name().to_owned();
        drop(spool);
        let winners: usize = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let adopted = adopt(&root(&folder), &name).unwrap();
                        adopted.map_or(0, |spool| usize::from(spool.close(1).unwrap()))
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        // One who looks while another one removes it may find it empty, remake the lock and remove it himself.
        assert!(winners <= 1, "round {round}: removed {winners} times");
        while folder.join(&name).exists() {
            let rest = adopt(&root(&folder), &name).unwrap();
            assert!(rest.is_none_or(|spool| spool.close(1).unwrap()));
        }
    }
}

#[test]
fn a_killed_process_loses_nothing_that_it_was_told_is_written() {
    for round in 0..6 {
        let folder = folder(&format!("kill_{round}"));
        let mut child = run_again("append", &folder);
        let mut said = lines(&mut child);
        let name = said.next().unwrap();
        let (mut written, mut settled) = (BTreeSet::new(), BTreeSet::new());
        let hear = |line: String, written: &mut BTreeSet<u64>, settled: &mut BTreeSet<u64>| {
            let (kind, id) = line.split_at(1);
            let id = id.parse().unwrap();
            if kind == "+" { written } else { settled }.insert(id);
        };
        said.by_ref().take(60 + round * 37).for_each(|line| hear(line, &mut written, &mut settled));
        child.kill().unwrap();
        child.wait().unwrap();
        said.for_each(|line| {
            // The last line may be cut.
            if line.len() > 1 && line[1..].parse::<u64>().is_ok() {
                hear(line, &mut written, &mut settled);
            }
        });
        let adopted = adopt_soon(&root(&folder), &name);
        assert!(adopted.report().is_intact(), "{:?}", adopted.report());
        let held: Vec<(Place, Exporters)> = adopted.held().map(|(place, held)| (place, held.owed)).collect();
        let mut owed = [BTreeSet::new(), BTreeSet::new()];
        for (place, exporters) in held {
            let read = adopted.read(place).unwrap();
            assert_eq!(read, block(read.sequence));
            exporters.iter().for_each(|exporter| owed[exporter].extend([read.sequence]));
        }
        let last = *written.last().unwrap();
        let expected: BTreeSet<u64> = written.difference(&settled).copied().collect();
        // The last block may have been written or settled before the process could say so.
        let unsure = [Some(last), last.checked_sub(30), Some(last + 1), (last + 1).checked_sub(30)];
        let sure = |set: &BTreeSet<u64>| {
            let sure = set.iter().copied().filter(|id| !unsure.contains(&Some(*id)));
            sure.collect::<BTreeSet<u64>>()
        };
        assert_eq!(sure(&owed[0]), sure(&expected), "round {round}");
        let first = owed[1].first().copied().unwrap();
        assert!((first..=last).all(|id| owed[1].contains(&id)), "round {round}");
        assert!(
            first + 40 >= last && first <= (last + 2).saturating_sub(40).max(1),
            "round {round}: {first} {last}"
        );
    }
}

#[test]
fn a_full_file_system_and_a_read_only_one_are_told_apart() {
    let refused =
        |code| SpoolError::io("write", "seg-0000000000.fspl", std::io::Error::from_raw_os_error(code));
    let codes = [libc::ENOSPC, libc::EDQUOT, libc::EROFS, libc::EACCES, libc::EPERM, libc::EIO, libc::EMFILE];
    let slugs = codes.map(|code| refused(code).code());
    let (space, read_only, io) = ("spool-no-space", "spool-read-only", "spool-io");
    assert_eq!(slugs, [space, space, read_only, read_only, read_only, io, io]);
    assert!(std::error::Error::source(&refused(libc::EIO)).is_some());
}

#[test]
fn a_spool_may_move_between_threads_and_be_shared_under_a_lock() {
    const fn crosses<T: Send + Sync>() {}
    crosses::<Spool<RealDisk>>();
    crosses::<Root<RealDisk>>();
    crosses::<fapilog_native::spool::Reader<RealDisk>>();
}

#[test]
fn a_root_that_cannot_be_made_says_why() {
    let folder = folder("no_root");
    fs::write(&folder, "a file").unwrap();
    let refused = Root::open(Arc::new(RealDisk), &folder.join("below"), Identity::of_this_process("shop"));
    let text = refused.unwrap_err().to_string();
    assert!(text.starts_with("cannot open ") && text.contains("no_root/below: Not a directory"), "{text}");
}

#[test]
fn the_real_disk_does_what_the_spool_relies_on() {
    let disk = RealDisk;
    let path = folder("disk");
    let root = disk.open_root(&path).unwrap();
    assert_eq!(root.path(), path);
    let dir = disk.create_dir(&root, "dir").unwrap();
    assert_eq!(disk.create_dir(&root, "dir").unwrap_err().kind(), ErrorKind::AlreadyExists);
    let file = disk.open(&dir, "one", How::CreateNew).unwrap();
    assert_eq!(disk.open(&dir, "one", How::CreateNew).unwrap_err().kind(), ErrorKind::AlreadyExists);
    disk.write_at(&file, 5, b"hello").unwrap();
    let mut buffer = [9; 20];
    assert_eq!(disk.read_at(&file, 0, &mut buffer).unwrap(), 10);
    assert_eq!(&buffer[..11], b"\0\0\0\0\0hello\x09");
    disk.truncate(&file, 7).unwrap();
    assert_eq!(disk.len(&file).unwrap(), 7);
    disk.sync_data(&file).unwrap();
    disk.sync_dir(&dir).unwrap();
    assert!(disk.is_named(&dir, "one", &file).unwrap());
    disk.rename(&dir, "one", "two").unwrap();
    assert!(!disk.is_named(&dir, "one", &file).unwrap());
    assert!(disk.try_lock(&file).unwrap() && disk.try_lock(&file).unwrap());
    let again = disk.open(&dir, "two", How::Write).unwrap();
    assert!(!disk.try_lock(&again).unwrap());
    drop(file);
    // Another test that starts a process holds the dropped descriptor for a moment, too.
    let deadline = Instant::now() + Duration::from_secs(20);
    while !disk.try_lock(&again).unwrap() {
        assert!(Instant::now() < deadline, "the lock goes with the descriptor");
        std::thread::yield_now();
    }
    assert!(disk.free_bytes(&dir).unwrap() > 0);
    let entries = disk.list(&dir).unwrap();
    assert_eq!((entries.len(), entries[0].bytes, entries[0].kind), (1, 7, Kind::File));
    assert!(entries[0].modified_nanos > 1_700_000_000_000_000_000);
    assert!(disk.remove_dir(&root, "dir").is_err(), "it is not empty");
    disk.remove_file(&dir, "two").unwrap();
    disk.remove_dir(&root, "dir").unwrap();
    assert_eq!(disk.open_dir(&root, "dir").unwrap_err().kind(), ErrorKind::NotFound);
    assert!(disk.open(&root, "a\0b", How::Create).is_err());
    let (mut one, mut two) = ([0; 16], [0; 16]);
    disk.random(&mut one).unwrap();
    disk.random(&mut two).unwrap();
    assert_ne!(one, two);
    assert_eq!(disk.process_id(), std::process::id());
}
