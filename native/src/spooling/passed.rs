//! Stage 6 of 7, export: directories of dead processes that are left alone for now, and until when. Threads: as `spooler`, which locks.

use crate::spool::retry::Backoff;
use crate::spool::Exporters;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The first pause after an error: it may be one of this process, such as too few descriptors.
pub const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Pauses double up to this one.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Why one is left alone.
#[derive(Debug)]
enum Why {
    /// With these keys it holds nothing for us. Looked at again with other keys, and when the first of it is too old.
    Nothing { keys_version: u64, due_nanos: u64 },
    /// What it holds is for exporters that have enough to do. Looked at again when one of them has not.
    Enough { owed: Exporters, due_nanos: u64 },
    /// It could not be looked at.
    Failed(Backoff),
}

/// What the one who asks knows.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Since the Unix epoch.
    pub nanos: u64,
    /// Of a clock that does not go back.
    pub monotonic_nanos: u64,
    /// Which keys there are.
    pub keys_version: u64,
    /// Exporters that have not enough to do.
    pub hungry: Exporters,
}

/// The directories that are left alone.
#[derive(Debug, Default)]
pub struct Passed {
    why: BTreeMap<String, Why>,
    /// Those whose damage was told and counted.
    damaged: BTreeSet<String>,
    /// It was told that the group could write to one.
    pub told_open: bool,
}

impl Passed {
    /// Whether the directory `name` is not to be looked at.
    #[must_use]
    pub fn rests(&self, name: &str, now: &Now) -> bool {
        match self.why.get(name) {
            None => false,
            Some(Why::Nothing { keys_version, due_nanos }) => {
                *keys_version == now.keys_version && now.nanos < *due_nanos
            }
            Some(Why::Enough { owed, due_nanos }) => {
                now.nanos < *due_nanos && !owed.iter().any(|cursor| now.hungry.contains(cursor))
            }
            Some(Why::Failed(backoff)) => !backoff.may_try(now.monotonic_nanos),
        }
    }

    /// It holds nothing for us before `due_nanos`; `None`: ever.
    pub fn holds_nothing(&mut self, name: &str, keys_version: u64, due_nanos: Option<u64>) {
        let due_nanos = due_nanos.unwrap_or(u64::MAX);
        self.why.insert(name.to_owned(), Why::Nothing { keys_version, due_nanos });
    }

    /// All that it holds for us is for `owed`, who have enough.
    pub fn holds_enough(&mut self, name: &str, owed: Exporters, due_nanos: Option<u64>) {
        let due_nanos = due_nanos.unwrap_or(u64::MAX);
        self.why.insert(name.to_owned(), Why::Enough { owed, due_nanos });
    }

    /// It could not be looked at. True at the beginning of a run of failures, which is worth a notice.
    pub fn failed(&mut self, name: &str, monotonic_nanos: u64) -> bool {
        let why = self.why.entry(name.to_owned());
        let new = || Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let why = why.or_insert_with(|| Why::Failed(new()));
        if !matches!(why, Why::Failed(_)) {
            *why = Why::Failed(new());
        }
        let Why::Failed(backoff) = why else { return false };
        backoff.failed(monotonic_nanos, fastrand::f64())
    }

    /// It was looked at.
    pub fn looked(&mut self, name: &str) {
        self.why.remove(name);
    }

    /// Whether its damage was not told yet.
    pub fn is_news(&mut self, name: &str) -> bool {
        self.damaged.insert(name.to_owned())
    }

    /// Forgets all that are not there any more.
    pub fn keep(&mut self, names: &[String]) {
        let is_there = |name: &String| names.binary_search(name).is_ok();
        self.why.retain(|name, _| is_there(name));
        self.damaged.retain(is_there);
    }
}
