//! Stage 6 of 7, export: the spools that one pipeline holds. Threads: spooler, adopter, senders, Python's delivery loop.
//!
//! Its own, and those of dead processes that it took over.
//! Before: `backlog`, which keeps blocks in memory. One mutex around all spools; it is taken before the backlog's lock,
//! never after it. A block is read without it. The own spool is made when the first block has to go to the disk: a
//! pipeline whose exporters deliver writes nothing.
//!
//! reason: one mutex guards what all of these functions change; in two files they would share its fields.

use crate::backlog::Backlog;
use crate::block::Block;
use crate::clock::{monotonic_nanos, Clock};
use crate::crash_ring::CrashRing;
use crate::entries::Spot;
use crate::settings::{BufferSettings, Overflow, SpoolingSettings};
use crate::shelf::{Shelf, Unread};
use crate::spool::crypt::Keys;
use crate::spool::disk::real::RealDisk;
use crate::spool::identity::Identity;
use crate::spool::retry::Backoff;
use crate::spool::{Exporters, Fsync, Place, Root, Spool, SpoolError};
use crate::spool_meter::Trouble;
use crate::spool_signal::Signal;
use crate::stores::Store;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Share of the buffer that blocks may fill before the oldest go to the disk: shedding begins at three quarters, and
/// chunks that are not sealed yet need room too.
const MEMORY_SHARE: usize = 4;
/// Pauses after a failure of the disk.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often a block is read in vain before it counts as lost.
const READ_TRIES: u32 = 3;
/// Directories of dead processes held at once.
const MAX_ADOPTED: usize = 4;

/// What the mutex guards.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) stores: BTreeMap<u64, Store>,
    pub(crate) own: Option<u64>,
    next: u64,
    backoff: Backoff,
    tries: BTreeMap<(u64, u64), u32>,
    /// Directories that hold nothing for us, and with which keys they were looked at.
    passed: BTreeMap<String, u64>,
    /// Keys that are missing, and were said to be.
    pub(crate) missing_keys: BTreeSet<u32>,
    /// What is to be said about them.
    pub(crate) news: Vec<(&'static str, String)>,
    /// Whether the last look after the files failed, which was said then.
    ailing: bool,
    closed: bool,
    /// What the disk did to us.
    pub(crate) trouble: Trouble,
    /// The only directory that is taken over, for people who ask for one.
    only: Option<String>,
}

/// What came of moving one block.
#[derive(Debug)]
pub enum Spilled {
    /// It is on disk.
    Done {
        /// The disk had failed before.
        recovered: bool,
    },
    /// There is none to move, or the disk is left alone for a while.
    Nothing,
    /// It stays in memory; with what to say, at the beginning of a run of failures.
    Failed(Option<(&'static str, String)>),
}

/// The spools of one pipeline.
#[derive(Debug)]
pub struct Spooler {
    root: Root<RealDisk>,
    settings: SpoolingSettings,
    names: Vec<String>,
    keys: Arc<Keys>,
    pub(crate) share_bytes: usize,
    pub(crate) share_records: u64,
    makes_room: bool,
    clock: Clock,
    inner: Mutex<Inner>,
    signal: Signal,
    /// Its slots hold blocks too.
    pub(crate) ring: OnceLock<Arc<CrashRing>>,
}

impl Spooler {
    /// Opens the root, and makes sure that this process can write there. A full disk may become empty: it is no error.
    pub fn open(
        settings: &SpoolingSettings,
        names: &[&str],
        buffer: &BufferSettings,
    ) -> Result<Self, SpoolError> {
        let identity = Identity::of_this_process(&settings.service);
        let root = Root::open(Arc::new(RealDisk), &settings.directory, identity)?;
        let (keys, clock) = (Arc::new(settings.keys.copy()), Clock::default());
        let now = clock.now_nanos();
        match root.create(names, settings.store.clone(), Arc::clone(&keys), now) {
            Ok(spool) => spool.close(now).map(drop)?,
            Err(SpoolError::NoSpace(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(Self {
            root,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            keys,
            share_bytes: buffer.limit_bytes / MEMORY_SHARE,
            share_records: buffer.limit_records / MEMORY_SHARE as u64,
            makes_room: buffer.overflow == Overflow::DropOldest,
            clock,
            inner: Mutex::new(Inner {
                stores: BTreeMap::new(),
                own: None,
                next: 0,
                backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
                tries: BTreeMap::new(),
                passed: BTreeMap::new(),
                missing_keys: BTreeSet::new(),
                news: Vec::new(),
                ailing: false,
                closed: false,
                trouble: Trouble::default(),
                only: None,
            }),
            signal: Signal::default(),
            ring: OnceLock::new(),
            settings: settings.clone(),
        })
    }

    /// What it was made from.
    #[must_use]
    pub const fn settings(&self) -> &SpoolingSettings {
        &self.settings
    }

    /// What its threads wait for.
    #[must_use]
    pub const fn signal(&self) -> &Signal {
        &self.signal
    }

    /// How often [`Self::look_after`] wants to be called.
    #[must_use]
    pub fn interval(&self) -> Duration {
        match self.settings.store.fsync {
            Fsync::Every(interval) => (interval / 2).clamp(Duration::from_millis(10), Duration::from_secs(1)),
            Fsync::Never | Fsync::Always => Duration::from_secs(1),
        }
    }

    /// Writes the oldest block of `backlog` to the disk. `rest`: at the end, whatever failed before.
    pub fn spill(&self, backlog: &Backlog, rest: bool) -> Spilled {
        let mut inner = self.lock();
        if inner.closed || (!rest && !inner.backoff.may_try(monotonic_nanos())) {
            return Spilled::Nothing;
        }
        let Some((block, owed)) = backlog.begin_spill() else { return Spilled::Nothing };
        match self.append(&mut inner, backlog, &block, owed) {
            Ok(spot) => {
                if let Some(store) = inner.stores.get_mut(&spot.store) {
                    store.held.insert(spot.place.number, (block.sequence, owed));
                    let still = backlog.spilled(block.sequence, spot);
                    owed.iter()
                        .filter(|cursor| !still.contains(*cursor))
                        .for_each(|cursor| store.settle(spot.place.number, cursor));
                }
                Spilled::Done { recovered: inner.backoff.succeeded(monotonic_nanos()).is_some() }
            }
            Err(error) => {
                backlog.not_spilled(block.sequence);
                inner.trouble.note(&error);
                let is_first = inner.backoff.failed(monotonic_nanos(), fastrand::f64());
                Spilled::Failed(is_first.then(|| (error.code(), error.to_string())))
            }
        }
    }

    fn append(
        &self,
        inner: &mut Inner,
        backlog: &Backlog,
        block: &Block,
        owed: Exporters,
    ) -> Result<Spot, SpoolError> {
        let now = self.clock.now_nanos();
        let own = match inner.own {
            Some(own) => own,
            None => self.create(inner, now)?,
        };
        loop {
            let Some(store) = inner.stores.get_mut(&own) else { return Err(SpoolError::Adopted) };
            match store.spool.append(block, owed, now) {
                Ok(place) => return Ok(Spot { store: own, place }),
                // Those of dead processes are older than ours.
                Err(SpoolError::Quota { .. }) if self.makes_room && self.free_oldest(inner, backlog, own) => {
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn create(&self, inner: &mut Inner, now: u64) -> Result<u64, SpoolError> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let settings = self.settings.store.clone();
        let mut spool = self.root.create(&names, settings, Arc::clone(&self.keys), now)?;
        spool.set_others_bytes(self.root.others_bytes(&[spool.name()]));
        let cursors = (0..names.len()).map(Some).collect();
        let id = inner.add(Store::new(spool, cursors));
        inner.own = Some(id);
        Ok(id)
    }

    /// Gives up the oldest blocks that were taken over. False when that frees nothing.
    fn free_oldest(&self, inner: &mut Inner, backlog: &Backlog, own: u64) -> bool {
        let adopted = inner.stores.iter_mut().filter(|(id, _)| **id != own);
        let mut freed = false;
        for (_, store) in adopted {
            let before = store.spool.occupancy().bytes;
            let losses = store.spool.drop_oldest();
            store.tell(backlog, &losses);
            freed = store.spool.occupancy().bytes < before;
            if freed {
                break;
            }
        }
        if let Some(store) = inner.stores.get_mut(&own) {
            store.spool.set_others_bytes(self.root.others_bytes(&[store.spool.name()]));
        }
        freed
    }

    /// What time asks for. Returns what to say when the disk begins to fail.
    pub fn look_after(&self, backlog: &Backlog) -> Option<(&'static str, String)> {
        let now = self.clock.now_nanos();
        let mut inner = self.lock();
        let mut trouble = None;
        let ids: Vec<u64> = inner.stores.keys().copied().collect();
        for id in ids {
            let is_own = inner.own == Some(id);
            let Some(store) = inner.stores.get_mut(&id) else { continue };
            match store.spool.tick(now) {
                Err(SpoolError::Gone { name }) => {
                    trouble = Some(SpoolError::Gone { name });
                    store.tell_all_lost(backlog);
                    inner.stores.remove(&id);
                    inner.own = inner.own.filter(|own| *own != id);
                }
                Err(error) => trouble = Some(error),
                Ok(()) if !is_own && store.held.is_empty() => {
                    if let Some(mut store) = inner.stores.remove(&id) {
                        inner.passed.insert(store.spool.name().to_owned(), store.keys_version);
                        // What is in it still is for nobody here, and so in nobody's ledger here.
                        store.spool.expire(now);
                        trouble = store.spool.close(now).err().or(trouble);
                    }
                }
                Ok(()) => {}
            }
        }
        if let Some(error) = &trouble {
            inner.trouble.note(error);
        }
        let is_first = !std::mem::replace(&mut inner.ailing, trouble.is_some());
        trouble.filter(|_| is_first).map(|error| (error.code(), error.to_string()))
    }

    /// What has to be done less often: the age limit, and what others take of the quota.
    pub fn look_around(&self, backlog: &Backlog) {
        let now = self.clock.now_nanos();
        let mut inner = self.lock();
        for store in inner.stores.values_mut() {
            let losses = store.spool.expire(now);
            store.tell(backlog, &losses);
        }
        if let Some(store) = inner.own.and_then(|own| inner.stores.get_mut(&own)) {
            store.spool.set_others_bytes(self.root.others_bytes(&[store.spool.name()]));
        }
    }

    /// Takes over directories of dead processes, a few at a time. Returns what to say.
    pub fn adopt(&self, backlog: &Backlog) -> Vec<(&'static str, String)> {
        let mut news = Vec::new();
        // A failure of the disk is said by who writes.
        let Ok(names) = self.root.siblings() else { return news };
        let exporters: Vec<&str> = self.names.iter().map(String::as_str).collect();
        for name in names {
            if !self.may_adopt(&name) {
                continue;
            }
            let settings = self.settings.store.clone();
            let version = self.keys.version();
            match self.root.adopt(&name, &exporters, settings, Arc::clone(&self.keys)) {
                Ok(Some(spool)) => {
                    news.extend(self.lock().say_missing(&name, spool.report()));
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
                    inner.passed.insert(name, self.keys.version());
                    drop(inner);
                    news.push((error.code(), error.to_string()));
                }
            }
        }
        news
    }

    /// Takes over the directory `name` and no other.
    pub fn adopt_only(&self, name: &str) {
        self.lock().only = Some(name.to_owned());
    }

    fn may_adopt(&self, name: &str) -> bool {
        let inner = self.lock();
        let adopted = inner.stores.len() - usize::from(inner.own.is_some());
        let is_held = inner.stores.values().any(|store| store.spool.name() == name);
        let is_wanted = inner.only.as_deref().is_none_or(|only| only == name);
        !inner.closed
            && is_wanted
            && adopted < MAX_ADOPTED
            && !is_held
            && inner.passed.get(name) != Some(&self.keys.version())
    }

    fn take_over(&self, backlog: &Backlog, spool: Spool<RealDisk>, keys_version: u64) {
        let cursor = |name: &str| self.names.iter().position(|known| known == name);
        let cursors: Vec<Option<usize>> = spool.exporters().map(cursor).collect();
        let ours = |owed: Exporters| {
            let mine = owed.iter().filter_map(|exporter| cursors.get(exporter).copied().flatten());
            mine.fold(Exporters::NONE, Exporters::with)
        };
        let found: Vec<(Place, u64, Exporters)> = spool
            .held()
            .filter(|(_, held)| held.readable)
            .map(|(place, held)| (place, u64::from(held.records), ours(held.owed)))
            .filter(|(_, _, owed)| !owed.is_empty())
            .collect();
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        let store = inner.add(Store { keys_version, ..Store::new(spool, cursors) });
        for (place, records, owed) in found {
            let Some(sequence) = backlog.adopt(records, Spot { store, place }, owed) else { continue };
            if let Some(store) = inner.stores.get_mut(&store) {
                store.held.insert(place.number, (sequence, owed));
            }
        }
        drop(inner);
        backlog.offered();
    }

    /// Forces what is there to the disk, and removes the own directory if nothing is in it.
    pub fn finish(&self) {
        let now = self.clock.now_nanos();
        let mut inner = self.lock();
        let ids: Vec<u64> = inner.stores.keys().copied().collect();
        for id in ids {
            if inner.stores.get(&id).is_some_and(|store| store.held.is_empty()) {
                inner.own = inner.own.filter(|own| *own != id);
                // What fails here is left to whoever takes the directory over.
                let _ = inner.stores.remove(&id).map(|store| store.spool.close(now));
            } else if let Some(store) = inner.stores.get_mut(&id) {
                if self.settings.store.fsync != Fsync::Never {
                    let _ = store.spool.sync(now);
                }
            }
        }
    }

    /// Lets go of all spools: whoever is alive takes them over.
    pub fn close(&self) {
        let now = self.clock.now_nanos();
        let mut inner = self.lock();
        inner.closed = true;
        inner.own = None;
        for (_, store) in std::mem::take(&mut inner.stores) {
            // What fails here is left to whoever takes the directory over.
            let _ = store.spool.close(now);
        }
        drop(inner);
        self.signal.stop();
    }

    /// In a forked child: closes its copies of the descriptors, which would make the parent's directory look alive.
    pub fn leave_to_parent(&self) {
        // A lock that another thread held during the fork is never given back.
        if let Ok(mut inner) = self.inner.try_lock() {
            inner.closed = true;
            for store in std::mem::take(&mut inner.stores).into_values() {
                store.spool.leave_to_parent();
            }
        }
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add(&mut self, store: Store) -> u64 {
        let id = self.next;
        self.next += 1;
        self.stores.insert(id, store);
        id
    }
}

impl Shelf for Spooler {
    fn read(&self, spot: Spot) -> Result<Block, Unread> {
        let version = self.keys.version();
        let reading = match self.lock().stores.get_mut(&spot.store) {
            Some(store) => store.spool.reading(spot.place),
            None => return Err(Unread::Lost),
        };
        match reading.and_then(crate::spool::segment::Reading::block) {
            Ok(block) => Ok(block),
            Err(SpoolError::Corrupt { .. } | SpoolError::NotFound { .. }) => Err(Unread::Lost),
            Err(SpoolError::Unreadable { why, .. }) => Err(self.lock().unreadable(spot, why, version)),
            Err(error) => {
                let mut inner = self.lock();
                inner.trouble.note(&error);
                let tries = inner.tries.entry((spot.store, spot.place.number)).or_default();
                *tries += 1;
                Err(if *tries < READ_TRIES { Unread::Later } else { Unread::Lost })
            }
        }
    }

    fn settle(&self, spot: Spot, cursor: usize) {
        let mut inner = self.lock();
        inner.tries.remove(&(spot.store, spot.place.number));
        if let Some(store) = inner.stores.get_mut(&spot.store) {
            store.settle(spot.place.number, cursor);
        }
    }

    fn may_bring(&self) -> bool {
        !self.signal.has_looked()
    }

    fn pushed(&self, bytes: usize, records: u64) {
        if self.is_pressed(bytes, records) {
            self.signal.press();
        }
    }
}
