//! Stage 6: a disk whose operations do not return holds up nobody: not the start, not what is in memory.

use crate::disks::{Faults, SimDisk};
use crate::processes::{block, id, spooling, Process};
use fapilog_native::settings::Overflow;
use fapilog_native::spool::SpoolError;
use fapilog_native::spooling::spooler::{News, Only, Spilled};
use std::sync::Arc;
use std::thread::yield_now;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
/// Less than any test here would wait for the disk.
const MOMENT: Duration = Duration::from_millis(20);

fn wait_until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !what() {
        assert!(Instant::now() < deadline, "it never happens");
        yield_now();
    }
}

fn open(disk: &Arc<SimDisk>, limit: Duration) -> Result<Process, SpoolError> {
    Process::open(disk, 1, (false, Overflow::Wait), &spooling(1 << 20), limit)
}

fn failure(process: &Process) -> Option<News> {
    match process.spooler.spill(&process.backlog, true) {
        Spilled::Failed(news) => news,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_start_does_not_wait_for_it_and_it_is_used_once_it_answers() {
    let disk = Arc::new(SimDisk::new());
    disk.hang(true);
    let process = open(&disk, MOMENT).unwrap();
    (0..2).for_each(|id| process.backlog.push(block(id)));
    let (code, what) = failure(&process).unwrap();
    assert_eq!(code, "spool-io");
    assert!(what.starts_with("the disk of /spool does not answer; "), "{what}");
    // Others that look for what dead processes left do not wait either.
    assert!(process.spooler.adopt(&process.backlog, &|_| 0).is_empty());
    assert_eq!(process.backlog.try_claim(0).map(|block| id(&block)), Some(0));
    disk.hang(false);
    wait_until(|| matches!(process.spooler.spill(&process.backlog, true), Spilled::Done { .. }));
    assert_eq!(process.counts().spooled, 2);
}

#[test]
fn what_it_says_in_time_is_an_error_and_later_a_notice_until_it_works() {
    let disk = Arc::new(SimDisk::new());
    disk.world().faults = Faults { read_only: true, ..Faults::default() };
    assert_eq!(open(&disk, PATIENCE).err().map(|error| error.code()), Some("spool-read-only"));
    disk.hang(true);
    let process = open(&disk, MOMENT).unwrap();
    disk.hang(false);
    process.backlog.push(block(0));
    let said = |code: &str| {
        let news = failure(&process);
        news.is_some_and(|(said, _)| said == code)
    };
    wait_until(|| said("spool-read-only"));
    disk.world().faults = Faults::default();
    wait_until(|| matches!(process.spooler.spill(&process.backlog, true), Spilled::Done { .. }));
    assert_eq!(process.deliver_all(), [0]);
}

#[test]
fn who_delivers_goes_on_with_what_is_in_memory_and_reads_the_rest_when_it_answers() {
    let disk = Arc::new(SimDisk::new());
    let process = open(&disk, PATIENCE).unwrap();
    (0..2).for_each(|id| process.backlog.push(block(id)));
    process.spill_all(true);
    (2..4).for_each(|id| process.backlog.push(block(id)));
    disk.hang(true);
    let claimed: Vec<u64> =
        std::iter::from_fn(|| process.backlog.try_claim(0)).map(|block| id(&block)).collect();
    assert_eq!(claimed, [2, 3]);
    assert!(process.spooler.is_silent());
    let news = process.spooler.look_after_keys(&process.backlog);
    assert_eq!(news.iter().map(|(code, _)| *code).collect::<Vec<_>>(), ["spool-io"], "{news:?}");
    // Nobody waits for it again meanwhile.
    process.backlog.retry_reads();
    assert!(process.backlog.try_claim(0).is_none());
    assert_eq!((process.counts().dropped.total(), process.counts().pending), (0, 8));
    disk.hang(false);
    wait_until(|| !process.spooler.is_silent());
    process.backlog.retry_reads();
    let claimed: Vec<u64> =
        std::iter::from_fn(|| process.backlog.try_claim(0)).map(|block| id(&block)).collect();
    assert_eq!(claimed, [0, 1]);
}

#[test]
fn asking_for_one_directory_does_not_wait_for_a_disk_that_is_at_work() {
    let disk = Arc::new(SimDisk::new());
    let process = open(&disk, PATIENCE).unwrap();
    process.backlog.push(block(0));
    disk.hang(true);
    std::thread::scope(|scope| {
        let hanging = scope.spawn(|| process.spooler.spill(&process.backlog, true));
        // It holds the mutex of the spools.
        wait_until(|| disk.waiting() > 0);
        process
            .spooler
            .adopt_only(Only::Directory { name: "shop-0000000000000007-9-9".into(), unprocessed: true });
        disk.hang(false);
        assert!(matches!(hanging.join().unwrap(), Spilled::Done { .. }));
    });
}
