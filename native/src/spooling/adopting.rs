//! Stage 6 of 7, export: directories of dead processes, taken over. Thread: adopter.

use crate::backlog::entries::{Seen, Spot};
use crate::backlog::Backlog;
use crate::clock::monotonic_nanos;
use crate::ledger::notices::print;
use crate::spool::disk::Disk;
use crate::spool::index::Held;
use crate::spool::recovery::Damage;
use crate::spool::report::Report;
use crate::spool::{Exporters, Place, Spool, SpoolError};
use crate::spooling::passed::Now;
use crate::spooling::spooler::{Inner, News, Spooler};
use crate::spooling::stores::Store;
use std::path::PathBuf;
use std::sync::Arc;

/// Directories held at once from which one exporter has something to get.
const ENOUGH: usize = 4;
/// Directories held at once, whoever gets what: each takes a few descriptors.
const MAX_ADOPTED: usize = 64;
/// Their blocks, which memory knows of: some ten megabytes. The last directory may go beyond.
const MAX_BLOCKS: usize = 1 << 16;

/// What people asked to be delivered: that, and nothing else, is taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Only {
    /// A directory of the spool.
    Directory {
        /// Its name.
        name: String,
        /// Blocks too that no batch processor has seen.
        unprocessed: bool,
    },
    /// A crash ring, by its path.
    Ring(PathBuf),
}

impl<D: Disk> Spooler<D> {
    /// Takes over directories of dead processes, a few at a time: whatever an exporter that is away leaves there, the others get
    /// theirs. `in_rings`: records that crash rings hold of what a directory's process was writing
    /// ([`crate::crash_ring::torn`]). Returns what to say.
    pub fn adopt(&self, backlog: &Backlog, in_rings: &dyn Fn(&str) -> u64) -> Vec<News> {
        let mut news = Vec::new();
        // A failure of the disk is said by who writes.
        let Some(root) = self.root() else { return news };
        let Ok(names) = root.siblings() else { return news };
        self.lock().passed.keep(&names);
        let exporters: Vec<&str> = self.names.iter().map(String::as_str).collect();
        for name in names {
            if !self.may_adopt(&name) {
                continue;
            }
            let settings = self.settings.store.clone();
            let version = self.keys.version();
            match root.adopt(&name, &exporters, settings, Arc::clone(&self.keys)) {
                Ok(Some(spool)) => {
                    let Damage { torn_bytes, torn_records, .. } = spool.report().damage;
                    let held = if torn_bytes > 0 { in_rings(&name).min(torn_records) } else { 0 };
                    // A block that is cut off at the end is lost, unless a ring still has its records.
                    backlog.adopt_damaged(torn_records - held);
                    news.extend(self.say_found(&name, spool.report(), held));
                    self.take_over(backlog, spool, version);
                }
                Ok(None) => self.lock().passed.looked(&name),
                Err(error) => news.extend(self.pass(&name, &error)),
            }
        }
        news
    }

    /// Takes over this and nothing else; of a directory, what no batch processor has seen only if that is asked for. Waits for
    /// nobody: a caller does this. The first counts.
    pub fn adopt_only(&self, only: Only) {
        self.only.get_or_init(|| only);
    }

    /// What [`Self::adopt_only`] was told.
    #[must_use]
    pub fn only(&self) -> Option<Only> {
        self.only.get().cloned()
    }

    /// It is tried again after a pause. Returns what to say: at the beginning of a run of failures.
    fn pass(&self, name: &str, error: &SpoolError) -> Option<News> {
        let mut inner = self.lock();
        inner.trouble.note(error);
        let is_first = inner.passed.failed(name, monotonic_nanos());
        is_first.then(|| (error.code(), error.to_string()))
    }

    fn say_found(&self, name: &str, report: &Report, held: u64) -> Vec<News> {
        let mut news: Vec<News> = self.rooms().say_missing(name, report).into_iter().collect();
        let is_damaged = !report.is_intact() || report.damage.torn_bytes > 0;
        let mut inner = self.lock();
        if report.was_open && !std::mem::replace(&mut inner.passed.told_open, true) {
            print(&format!(
                "the group could write to the spool {name} of another process, as Kubernetes' fsGroup leaves it; now it \
                 cannot. It is the same with others, if any."
            ));
        }
        if is_damaged && inner.passed.is_news(name) {
            inner.trouble.damaged += 1;
            let ring = if held > 0 { format!(" (a crash ring has {held} of them)") } else { String::new() };
            let what = format!("the spool {name} of another process is damaged: {report}{ring}");
            news.push(("spool-corrupt", what));
        }
        news
    }

    fn may_adopt(&self, name: &str) -> bool {
        let inner = self.lock();
        let is_held = inner.stores.values().any(|store| store.spool.name() == name);
        let is_named = |only: &Only| matches!(only, Only::Directory { name: only, .. } if only == name);
        let is_wanted = self.only.get().is_none_or(is_named);
        !inner.closed && is_wanted && !is_held && has_room(&inner) && !self.rests(&inner, name)
    }

    fn rests(&self, inner: &Inner<D>, name: &str) -> bool {
        let now = Now {
            nanos: self.clock.now_nanos(),
            monotonic_nanos: monotonic_nanos(),
            keys_version: self.keys.version(),
            hungry: self.hungry(inner),
        };
        inner.passed.rests(name, &now)
    }

    /// Exporters that have something to get from fewer than enough directories.
    fn hungry(&self, inner: &Inner<D>) -> Exporters {
        let mut counts = vec![0; self.names.len()];
        for (_, store) in inner.stores.iter().filter(|(id, _)| inner.own != Some(**id)) {
            store.owed().iter().for_each(|cursor| counts[cursor] += 1);
        }
        let hungry = (0..counts.len()).filter(|cursor| counts[*cursor] < ENOUGH);
        hungry.fold(Exporters::NONE, Exporters::with)
    }

    fn take_over(&self, backlog: &Backlog, spool: Spool<D>, keys_version: u64) {
        let cursor = |name: &str| self.names.iter().position(|known| known == name);
        let cursors: Vec<Option<usize>> = spool.exporters().map(cursor).collect();
        let ours = |owed: Exporters| {
            let mine = owed.iter().filter_map(|exporter| cursors.get(exporter).copied().flatten());
            mine.fold(Exporters::NONE, Exporters::with)
        };
        let seen = |held: &Held| if held.unprocessed { Seen::Unprocessed } else { Seen::Processed };
        let mut inner = self.lock();
        let processed_only = matches!(self.only.get(), Some(Only::Directory { unprocessed: false, .. }));
        let found: Vec<(Place, u64, Exporters, Seen)> = spool
            .held()
            .filter(|(_, held)| held.readable && !(processed_only && held.unprocessed))
            .map(|(place, held)| (place, u64::from(held.records), ours(held.owed), seen(held)))
            .filter(|(_, _, owed, _)| !owed.is_empty())
            .collect();
        if inner.closed {
            return;
        }
        let now = self.clock.now_nanos();
        let owed =
            found.iter().fold(Exporters::NONE, |sum, (_, _, owed, _)| owed.iter().fold(sum, Exporters::with));
        let due = spool.expires_nanos();
        let is_due = due.is_some_and(|due| due <= now);
        if !owed.is_empty() && !is_due && !owed.iter().any(|cursor| self.hungry(&inner).contains(cursor)) {
            inner.passed.holds_enough(spool.name(), owed, due);
            // What fails here is left to whoever takes the directory over.
            let _ = spool.close(now);
            return;
        }
        inner.passed.looked(spool.name());
        let id = self.hold(&mut inner, Store { keys_version, ..Store::new(spool, cursors) });
        if let Some(store) = inner.stores.get_mut(&id) {
            for (place, records, owed, seen) in found {
                let spot = Spot { store: id, place };
                let Some(sequence) = backlog.adopt(records, spot, owed, seen) else { continue };
                store.held.insert(place.number, (sequence, owed));
            }
            let losses = store.spool.expire(now);
            store.tell(backlog, &losses);
        }
        drop(inner);
        backlog.offered();
    }
}

fn has_room<D: Disk>(inner: &Inner<D>) -> bool {
    let adopted = inner.stores.iter().filter(|(id, _)| inner.own != Some(**id));
    let (count, blocks) =
        adopted.fold((0, 0), |(count, blocks), (_, store)| (count + 1, blocks + store.held.len()));
    count < MAX_ADOPTED && blocks < MAX_BLOCKS
}
