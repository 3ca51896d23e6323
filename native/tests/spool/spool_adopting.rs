//! Stage 6: which directories of dead processes a living one holds, and which it leaves alone for how long.

use crate::disks::SimDisk;
use fapilog_native::backlog::shelf::Shelf;
use fapilog_native::backlog::Backlog;
use fapilog_native::block::{Block, Codec};
use fapilog_native::export::wake::Wake;
use fapilog_native::ledger::{DropReason, Settlement};
use fapilog_native::settings::{BufferSettings, Overflow, SpoolingSettings};
use fapilog_native::spool::crypt::Keys;
use fapilog_native::spool::identity::Identity;
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::{Exporters, Fsync, SpoolSettings};
use fapilog_native::spooling::opening::OPEN_LIMIT;
use fapilog_native::spooling::passed::{Now, Passed, LONGEST_PAUSE};
use fapilog_native::spooling::spooler::{News, Spilled, Spooler};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SECOND: u64 = 1_000_000_000;
const AWAY: &[&str] = &["otlp", "webhook"];

fn block() -> Block {
    let body = vec![b'x'; 100];
    Block { sequence: 0, records: 2, protected_records: 0, raw_bytes: 100, codec: Codec::Identity, body }
}

struct Process {
    backlog: Backlog,
    spooler: Arc<Spooler<SimDisk>>,
}

impl Process {
    fn start(disk: &Arc<SimDisk>, number: u32, exporters: &[&str], max_age: Option<Duration>) -> Self {
        disk.world().process = number;
        let buffer = BufferSettings {
            limit_bytes: 1 << 20,
            limit_records: u64::MAX,
            block_records: u64::MAX,
            chunk_bytes: 1 << 12,
            record_bytes: 1 << 10,
            schedule_delay: Duration::from_millis(5),
            overflow: Overflow::Wait,
            reserve_bytes: 1 << 12,
            wait_timeout: Duration::from_secs(1),
        };
        let quota = Quota { max_bytes: 1 << 30, min_free_bytes: 0 };
        let settings = SpoolingSettings {
            directory: Path::new("/spool").to_owned(),
            service: "shop".into(),
            store: SpoolSettings { segment_bytes: 1 << 20, quota, max_age, fsync: Fsync::Never },
            adopt: Some(Duration::from_secs(5)),
            keys: Arc::new(Keys::none()),
        };
        let identity =
            Identity { service: "shop".into(), boot: 7, process: number, started: u64::from(number) };
        let spooler =
            Spooler::open_on(Arc::clone(disk), identity, &settings, (exporters, &buffer), OPEN_LIMIT);
        let spooler = Arc::new(spooler.unwrap());
        let shelf = Arc::clone(&spooler) as Arc<dyn Shelf>;
        let backlog = Backlog::new(exporters, false, Arc::new(Wake::default())).with_shelf(Some(shelf));
        Self { backlog, spooler }
    }

    /// One that dies with a block on disk.
    fn leave(disk: &Arc<SimDisk>, number: u32, exporters: &[&str], max_age: Option<Duration>) {
        let process = Self::start(disk, number, exporters, max_age);
        process.backlog.push(block());
        while matches!(process.spooler.spill(&process.backlog, true), Spilled::Done { .. }) {}
        process.spooler.close();
    }

    /// What the adopter, `otlp` and the spooler do, once each.
    fn go_round(&self) -> Vec<News> {
        let news = self.spooler.adopt(&self.backlog, &|_| 0);
        while let Some(block) = self.backlog.try_claim(0) {
            let delivered = Settlement { delivered: block.records, ..Settlement::default() };
            self.backlog.settle(0, block.sequence, delivered);
        }
        self.spooler.look_after(&self.backlog);
        news
    }

    /// Records that `otlp` delivered, and those that still wait for `webhook`.
    fn counts(&self) -> (u64, u64) {
        let counts = self.backlog.counts();
        (counts[0].delivered, counts.get(1).map_or(0, |webhook| webhook.pending))
    }
}

#[test]
fn an_exporter_that_is_away_does_not_hold_back_what_another_one_gets_from_further_directories() {
    let disk = Arc::new(SimDisk::new());
    (1..=12).for_each(|number| Process::leave(&disk, number, AWAY, None));
    let living = Process::start(&disk, 99, AWAY, None);
    let mut rounds = 0;
    while living.counts().0 < 24 {
        rounds += 1;
        assert!(rounds <= 12, "otlp got {} of 24", living.counts().0);
        living.go_round();
    }
    assert_eq!(living.counts(), (24, 24));
}

#[test]
fn directories_held_at_once_have_a_limit_and_the_next_process_takes_those_that_were_not() {
    let disk = Arc::new(SimDisk::new());
    (1..=70).for_each(|number| Process::leave(&disk, number, AWAY, None));
    let living = Process::start(&disk, 99, AWAY, None);
    (0..70).for_each(|_| drop(living.go_round()));
    assert_eq!(living.counts(), (128, 128), "64 of them");
    living.spooler.close();
    let next = Process::start(&disk, 100, AWAY, None);
    (0..70).for_each(|_| drop(next.go_round()));
    assert_eq!(next.counts().0, 12, "the other 6: what is only for webhook takes no place from it");
    assert!(next.counts().1 <= 2 * (4 + 6));
}

#[test]
fn what_is_for_nobody_here_goes_when_it_is_too_old_while_the_process_lives() {
    let disk = Arc::new(SimDisk::new());
    let age = Some(Duration::from_millis(300));
    Process::leave(&disk, 1, &["unknown"], age);
    let living = Process::start(&disk, 99, &["otlp"], age);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !disk.files().is_empty() {
        assert!(Instant::now() < deadline, "it stays: {:?}", disk.files());
        assert_eq!(living.go_round(), []);
    }
    assert_eq!(living.counts(), (0, 0));
}

#[test]
fn what_is_too_old_when_it_is_taken_over_is_counted_as_expired() {
    let disk = Arc::new(SimDisk::new());
    Process::leave(&disk, 1, &["otlp"], None);
    let living = Process::start(&disk, 99, &["otlp"], Some(Duration::ZERO));
    living.go_round();
    living.go_round();
    let counts = living.backlog.counts().remove(0);
    assert_eq!((counts.adopted, counts.dropped.get(DropReason::Expired), counts.pending), (2, 2, 0));
    assert_eq!(disk.files(), []);
}

fn now(seconds: u64) -> Now {
    Now {
        nanos: seconds * SECOND,
        monotonic_nanos: seconds * SECOND,
        keys_version: 1,
        hungry: Exporters::NONE,
    }
}

#[test]
fn a_directory_that_could_not_be_looked_at_is_said_once_and_tried_again_after_pauses() {
    let mut passed = Passed::default();
    assert!(!passed.rests("a", &now(0)));
    assert!(passed.failed("a", 0), "worth a notice");
    assert!(passed.rests("a", &now(2)) && !passed.rests("b", &now(2)));
    let mut at = 0;
    for _ in 0..20 {
        at += LONGEST_PAUSE.as_secs();
        assert!(!passed.rests("a", &now(at)));
        assert!(!passed.failed("a", at * SECOND), "said already");
    }
    passed.looked("a");
    assert!(!passed.rests("a", &now(at)));
    assert!(passed.failed("a", at * SECOND), "another run of failures");
    passed.keep(&["b".to_owned()]);
    assert!(!passed.rests("a", &now(at)), "it is gone");
}

#[test]
fn a_directory_rests_until_something_changes_that_matters_for_it() {
    let mut passed = Passed::default();
    passed.holds_nothing("keys", 1, None);
    passed.holds_nothing("age", 1, Some(5 * SECOND));
    passed.holds_enough("enough", Exporters::NONE.with(1), Some(9 * SECOND));
    let resting = |now: &Now| ["keys", "age", "enough"].map(|name| passed.rests(name, now));
    assert_eq!(resting(&now(1)), [true; 3]);
    assert_eq!(resting(&Now { keys_version: 2, ..now(1) }), [false, false, true]);
    assert_eq!(resting(&Now { hungry: Exporters::NONE.with(0), ..now(1) }), [true; 3]);
    assert_eq!(resting(&Now { hungry: Exporters::NONE.with(1), ..now(1) }), [true, true, false]);
    assert_eq!(resting(&now(5)), [true, false, true]);
    assert_eq!(resting(&now(9)), [true, false, false]);
}

#[test]
fn damage_of_a_directory_is_told_once() {
    let mut passed = Passed::default();
    assert_eq!([passed.is_news("a"), passed.is_news("a"), passed.is_news("b")], [true, false, true]);
}
