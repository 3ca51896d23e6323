//! Stage 6 of 7, export: directories of dead processes, taken over. Thread: adopter.

use crate::backlog::entries::{Seen, Spot};
use crate::backlog::Backlog;
use crate::spool::disk::Disk;
use crate::spool::index::Held;
use crate::spool::{Exporters, Place, Spool};
use crate::spooling::spooler::{News, Only, Spooler};
use crate::spooling::stores::Store;
use std::sync::Arc;

/// Directories of dead processes held at once.
const MAX_ADOPTED: usize = 4;

impl<D: Disk> Spooler<D> {
    /// Takes over directories of dead processes, a few at a time. Returns what to say.
    pub fn adopt(&self, backlog: &Backlog) -> Vec<News> {
        let mut news = Vec::new();
        // A failure of the disk is said by who writes.
        let Some(root) = self.root() else { return news };
        let Ok(names) = root.siblings() else { return news };
        let exporters: Vec<&str> = self.names.iter().map(String::as_str).collect();
        for name in names {
            if !self.may_adopt(&name) {
                continue;
            }
            let settings = self.settings.store.clone();
            let version = self.keys.version();
            match root.adopt(&name, &exporters, settings, Arc::clone(&self.keys)) {
                Ok(Some(spool)) => {
                    news.extend(self.rooms().say_missing(&name, spool.report()));
                    if !spool.report().is_intact() {
                        self.lock().trouble.damaged += 1;
                        let what =
                            format!("the spool {name} of another process is damaged: {:?}", spool.report());
                        news.push(("spool-corrupt", what));
                    }
                    self.take_over(backlog, spool, version);
                }
                Ok(None) => {}
                Err(error) => {
                    let mut inner = self.lock();
                    inner.trouble.note(&error);
                    inner.passed.insert(name, version);
                    drop(inner);
                    news.push((error.code(), error.to_string()));
                }
            }
        }
        news
    }

    /// Takes over this and nothing else. Waits for nobody: a caller does this. The first counts.
    pub fn adopt_only(&self, only: Only) {
        self.only.get_or_init(|| only);
    }

    /// What [`Self::adopt_only`] was told.
    #[must_use]
    pub fn only(&self) -> Option<Only> {
        self.only.get().cloned()
    }

    fn may_adopt(&self, name: &str) -> bool {
        let inner = self.lock();
        let adopted = inner.stores.len() - usize::from(inner.own.is_some());
        let is_held = inner.stores.values().any(|store| store.spool.name() == name);
        let is_passed = inner.passed.get(name) == Some(&self.keys.version());
        let is_named = |only: &Only| matches!(only, Only::Directory(only) if only == name);
        let is_wanted = self.only.get().is_none_or(is_named);
        !inner.closed && is_wanted && adopted < MAX_ADOPTED && !is_held && !is_passed
    }

    fn take_over(&self, backlog: &Backlog, spool: Spool<D>, keys_version: u64) {
        let cursor = |name: &str| self.names.iter().position(|known| known == name);
        let cursors: Vec<Option<usize>> = spool.exporters().map(cursor).collect();
        let ours = |owed: Exporters| {
            let mine = owed.iter().filter_map(|exporter| cursors.get(exporter).copied().flatten());
            mine.fold(Exporters::NONE, Exporters::with)
        };
        let seen = |held: &Held| if held.unprocessed { Seen::Unprocessed } else { Seen::Processed };
        let found: Vec<(Place, u64, Exporters, Seen)> = spool
            .held()
            .filter(|(_, held)| held.readable)
            .map(|(place, held)| (place, u64::from(held.records), ours(held.owed), seen(held)))
            .filter(|(_, _, owed, _)| !owed.is_empty())
            .collect();
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        let store = self.hold(&mut inner, Store { keys_version, ..Store::new(spool, cursors) });
        for (place, records, owed, seen) in found {
            let Some(sequence) = backlog.adopt(records, Spot { store, place }, owed, seen) else { continue };
            if let Some(store) = inner.stores.get_mut(&store) {
                store.held.insert(place.number, (sequence, owed));
            }
        }
        drop(inner);
        backlog.offered();
    }
}
