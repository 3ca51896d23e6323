//! Stage 6 of 7, export: the spools that one pipeline holds. Threads: spooler, adopter, who ends; senders, who never wait.
//!
//! Its own, and those of dead processes that it took over. Before: `backlog`, which keeps blocks in memory. One mutex around
//! all spools; it is held while the disk works, however long that takes, so only the spool's own threads take it, before the
//! backlog's lock and never after it. A block is read without it (`shelving`), and what exporters settle waits in a list
//! until a thread of the spool writes it down. The own spool is made when the first block has to go to the disk: a
//! pipeline whose exporters deliver writes nothing.

use crate::backlog::Backlog;
use crate::clock::{monotonic_nanos, Clock};
use crate::crash_ring::chores::Chores;
use crate::crash_ring::CrashRing;
use crate::settings::{BufferSettings, Overflow, SpoolingSettings};
use crate::spool::crypt::Keys;
use crate::spool::disk::real::RealDisk;
use crate::spool::disk::Disk;
use crate::spool::identity::Identity;
use crate::spool::retry::Backoff;
use crate::spool::{Fsync, Root, SpoolError};
pub use crate::spooling::adopting::Only;
use crate::spooling::meter::Trouble;
use crate::spooling::opening::{Opening, Plan, OPEN_LIMIT};
use crate::spooling::passed::Passed;
use crate::spooling::reading::Reading;
use crate::spooling::shelving::{Rooms, Settled};
use crate::spooling::signal::Signal;
pub use crate::spooling::spilling::Spilled;
use crate::spooling::stores::{Dropped, Store};
use crate::spooling::voice::{Voice, QUIET};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Share of the buffer that blocks may fill before the oldest go to the disk: shedding begins at three quarters, and
/// chunks that are not sealed yet need room too.
const MEMORY_SHARE: usize = 4;
/// Making room costs a whole file, so a file takes at most this share of the quota.
const QUOTA_SHARE: u64 = 8;
/// Pauses after a failure of the disk.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What to say: a code and a sentence.
pub type News = (&'static str, String);

/// What the mutex guards.
#[derive(Debug)]
pub(crate) struct Inner<D: Disk> {
    pub stores: BTreeMap<u64, Store<D>>,
    pub own: Option<u64>,
    next: u64,
    pub backoff: Backoff,
    /// Directories that are left alone for now.
    pub passed: Passed,
    /// What was said about failures to write blocks,
    pub writing: Voice,
    /// and of looks after the files.
    ailing: Voice,
    /// What limits cost since that was said last, and when it may be said again.
    dropped: Dropped,
    say_dropped_nanos: u64,
    pub closed: bool,
    /// What the disk did to us.
    pub trouble: Trouble,
}

impl<D: Disk> Inner<D> {
    /// What limits of the spool cost, once in a while.
    fn say_dropped(&mut self, now_nanos: u64) -> Option<News> {
        for store in self.stores.values_mut() {
            self.dropped.take_in(std::mem::take(&mut store.dropped));
        }
        if now_nanos < self.say_dropped_nanos {
            return None;
        }
        let message = std::mem::take(&mut self.dropped).message()?;
        self.say_dropped_nanos = now_nanos.saturating_add(QUIET.as_nanos() as u64);
        Some(("spool-dropping", message))
    }
}

/// The spools of one pipeline.
#[derive(Debug)]
pub struct Spooler<D: Disk = RealDisk> {
    pub(super) opening: Arc<Opening<D>>,
    pub(crate) settings: SpoolingSettings,
    pub(crate) names: Vec<String>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) share_bytes: usize,
    pub(crate) share_records: u64,
    pub(super) makes_room: bool,
    pub(crate) clock: Clock,
    inner: Mutex<Inner<D>>,
    /// What was settled and is not written down yet. Held for a moment only.
    pub(crate) settled: Mutex<Vec<Settled>>,
    pub(crate) rooms: Mutex<Rooms<D>>,
    signal: Arc<Signal>,
    chores: Arc<Chores>,
    pub(super) gave_up: AtomicBool,
    pub(crate) reading: Reading,
    /// The only thing that is taken over, for people who ask for one.
    pub(crate) only: OnceLock<Only>,
    /// Its slots hold blocks too.
    pub(crate) ring: OnceLock<Arc<CrashRing>>,
}

impl Spooler {
    /// Opens the root, and makes sure that this process can write there. A full disk may become empty, and one that does
    /// not answer may come back: neither is an error.
    pub fn open(
        settings: &SpoolingSettings,
        names: &[&str],
        buffer: &BufferSettings,
    ) -> Result<Self, SpoolError> {
        let identity = Identity::of_this_process(&settings.service);
        Self::open_on(Arc::new(RealDisk), identity, settings, (names, buffer), OPEN_LIMIT)
    }
}

impl<D: Disk + 'static> Spooler<D> {
    /// As [`Spooler::open`], on any disk and as anybody; waits for the disk at most `limit`.
    pub fn open_on(
        disk: Arc<D>,
        identity: Identity,
        settings: &SpoolingSettings,
        (names, buffer): (&[&str], &BufferSettings),
        limit: Duration,
    ) -> Result<Self, SpoolError> {
        let mut settings = settings.clone();
        let store = &mut settings.store;
        store.segment_bytes = store.segment_bytes.min(store.quota.max_bytes / QUOTA_SHARE).max(1);
        if let Fsync::Every(interval) = &mut store.fsync {
            // Due at half time, and looked at as often: so it is done within the interval, whenever a look comes.
            *interval /= 2;
        }
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let (keys, clock) = (Arc::new(settings.keys.copy()), Clock::default());
        let plan = Plan {
            disk,
            identity,
            directory: settings.directory.clone(),
            names: names.clone(),
            store: settings.store.clone(),
            keys: Arc::clone(&keys),
            now_nanos: clock.now_nanos(),
        };
        let opening = Opening::begin(plan, limit)?;
        let signal = Arc::<Signal>::default();
        let inner = Inner {
            stores: BTreeMap::new(),
            own: None,
            next: 0,
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            passed: Passed::default(),
            writing: Voice::default(),
            ailing: Voice::default(),
            dropped: Dropped::default(),
            say_dropped_nanos: 0,
            closed: false,
            trouble: Trouble::default(),
        };
        Ok(Self {
            opening,
            names,
            keys,
            share_bytes: buffer.limit_bytes / MEMORY_SHARE,
            share_records: buffer.limit_records / MEMORY_SHARE as u64,
            makes_room: buffer.overflow == Overflow::DropOldest,
            clock,
            inner: Mutex::new(inner),
            settled: Mutex::default(),
            rooms: Mutex::default(),
            chores: Arc::new(Chores::new(&signal)),
            signal,
            gave_up: AtomicBool::new(false),
            reading: Reading::default(),
            only: OnceLock::new(),
            ring: OnceLock::new(),
            settings,
        })
    }
}

impl<D: Disk> Spooler<D> {
    /// Where everything lies; `None`: the disk has not answered yet.
    pub(crate) fn root(&self) -> Option<&Root<D>> {
        self.opening.root()
    }

    /// True while the disk does not answer: what could not be read need not be tried.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.reading.is_stuck()
    }

    /// What it was made from.
    #[must_use]
    pub const fn settings(&self) -> &SpoolingSettings {
        &self.settings
    }

    /// What its threads wait for.
    #[must_use]
    pub fn signal(&self) -> &Signal {
        &self.signal
    }

    /// What is to be written into rings of dead processes.
    #[must_use]
    pub const fn chores(&self) -> &Arc<Chores> {
        &self.chores
    }

    /// How often [`Self::look_after`] wants to be called.
    #[must_use]
    pub fn interval(&self) -> Duration {
        match self.settings.store.fsync {
            Fsync::Every(interval) => interval.clamp(Duration::from_millis(10), Duration::from_secs(1)),
            Fsync::Never | Fsync::Always => Duration::from_secs(1),
        }
    }

    /// What time asks for. Returns what to say when the disk begins to fail.
    pub fn look_after(&self, backlog: &Backlog) -> Option<News> {
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
                    self.let_go(&mut inner, id);
                }
                Err(error) => trouble = Some(error),
                Ok(()) if !is_own && store.held.is_empty() => {
                    if let Some(store) = self.let_go(&mut inner, id) {
                        trouble = pass(&mut inner.passed, store, now).err().or(trouble);
                    }
                }
                Ok(()) => {}
            }
        }
        let Some(error) = trouble else {
            inner.ailing.succeeded();
            return inner.say_dropped(monotonic_nanos());
        };
        let more = inner.ailing.failed(error.code(), monotonic_nanos())?;
        Some((error.code(), format!("{error}{more}")))
    }

    /// What has to be done less often: the age limit, and what others take of the quota.
    pub fn look_around(&self, backlog: &Backlog) {
        let now = self.clock.now_nanos();
        let mut inner = self.lock();
        for store in inner.stores.values_mut() {
            let losses = store.spool.expire(now);
            store.tell(backlog, &losses);
        }
        self.weigh_others(&mut inner);
    }

    pub(super) fn weigh_others(&self, inner: &mut Inner<D>) {
        let own = inner.own.and_then(|own| inner.stores.get_mut(&own));
        if let (Some(store), Some(root)) = (own, self.root()) {
            store.spool.set_others_bytes(root.others_bytes(&[store.spool.name()]));
        }
    }

    /// Forces what is there to the disk, and removes the own directory if nothing is in it.
    pub fn finish(&self) {
        let now = self.clock.now_nanos();
        let mut inner = self.lock();
        let ids: Vec<u64> = inner.stores.keys().copied().collect();
        for id in ids {
            if inner.stores.get(&id).is_some_and(|store| store.held.is_empty()) {
                // What fails here is left to whoever takes the directory over.
                let _ = self.let_go(&mut inner, id).map(|store| store.spool.close(now));
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
        let ids: Vec<u64> = inner.stores.keys().copied().collect();
        for id in ids {
            // What fails here is left to whoever takes the directory over.
            let _ = self.let_go(&mut inner, id).map(|store| store.spool.close(now));
        }
        drop(inner);
        if let Some(root) = self.root() {
            root.close();
        }
        self.signal.stop();
    }

    /// True after [`Self::give_up`].
    #[must_use]
    pub fn has_given_up(&self) -> bool {
        self.gave_up.load(Ordering::Relaxed)
    }

    /// Nothing more is written: the end did not wait for it any longer, and counts it as lost.
    pub fn give_up(&self) {
        self.gave_up.store(true, Ordering::Relaxed);
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

    /// Adds a spool.
    pub(crate) fn hold(&self, inner: &mut Inner<D>, store: Store<D>) -> u64 {
        let id = inner.next;
        inner.next += 1;
        self.rooms().readers.insert(id, store.spool.reader());
        inner.stores.insert(id, store);
        id
    }

    fn let_go(&self, inner: &mut Inner<D>, id: u64) -> Option<Store<D>> {
        // Named, so that files are closed without the lock.
        let _reader = self.rooms().leave(id);
        inner.own = inner.own.filter(|own| *own != id);
        let store = inner.stores.remove(&id)?;
        inner.dropped.take_in(store.dropped);
        Some(store)
    }

    /// The spools, unless the disk is at work on them.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, Inner<D>>> {
        self.inner.try_lock().ok()
    }

    /// The spools, with everything written down that was settled.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner<D>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = std::mem::take(&mut *self.settled());
        let mut by_store: BTreeMap<u64, Vec<(u64, usize)>> = BTreeMap::new();
        for Settled { spot, cursor } in settled {
            let Some(store) = inner.stores.get_mut(&spot.store) else { continue };
            match cursor {
                Some(cursor) => by_store.entry(spot.store).or_default().push((spot.place.number, cursor)),
                None => drop(store.held.remove(&spot.place.number)),
            }
        }
        for (id, settled) in by_store {
            if let Some(store) = inner.stores.get_mut(&id) {
                store.settle(&settled);
            }
        }
        inner
    }
}

/// Lets go of a spool that holds nothing for us any more. What is in it still is for nobody here, and so in nobody's ledger here.
fn pass<D: Disk>(passed: &mut Passed, mut store: Store<D>, now: u64) -> Result<(), SpoolError> {
    store.spool.expire(now);
    let due = match store.spool.report().postponed_segments {
        0 => store.spool.expires_nanos(),
        // There were more blocks than can be kept track of; the others come next.
        _ => Some(now),
    };
    passed.holds_nothing(store.spool.name(), store.keys_version, due);
    store.spool.close(now).map(drop)
}
