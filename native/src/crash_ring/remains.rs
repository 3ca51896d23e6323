//! Stage 6 of 7, export: what dead processes left in their crash rings. Thread: adopter; any lets go.
//!
//! A chunk of a dead ring becomes a block here, with the resource and the scopes of its own process, and waits for batch
//! processors as our own do. The ring's slot is emptied when that block is settled by all, or in the spool; the file goes with
//! the last one. So whoever dies in between leaves the rest to the next, and what is doubled is what was in flight.

use crate::block::Codec;
use crate::buffer::chunk::Chunk;
use crate::clock::monotonic_nanos;
use crate::crash_ring::chores::{remove, Chore, Chores, Left};
use crate::crash_ring::keep::Keep;
use crate::crash_ring::memory_place;
use crate::pipeline::Pipeline;
use crate::ring::{place, recover, trim, Recovered, RecoveredChunk, Report};
use crate::seal::{Prefixes, Sealer};
use crate::spool::identity::{process_of, Identity};
use crate::spool::retry::Backoff;
use crate::spool::Exporters;
use crate::spooling::passed::{FIRST_PAUSE, LONGEST_PAUSE};
use crate::spooling::spooler::{Only, Spooler};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::Arc;
use std::time::Duration;

/// Share of the buffer that blocks may fill before further chunks of dead rings are taken in.
const MEMORY_SHARE: usize = 2;
/// How often it is looked whether there is room.
const PATIENCE: Duration = Duration::from_millis(50);
/// Looks in vain before it is left to the next time.
const MOST_LOOKS: u32 = 10;

/// One chunk of a dead process's ring.
#[derive(Debug)]
pub struct Part {
    left: Arc<Left>,
    chores: Arc<Chores>,
    slot: u32,
    done: u32,
}

/// The chunks of a dead process's ring, each with what keeps its records until it is let go. `names`: the exporters here, by
/// cursor. A ring without chunks is removed.
#[must_use]
pub fn take_apart(mut ring: Recovered, names: &[&str], chores: &Arc<Chores>) -> Vec<(RecoveredChunk, Part)> {
    let chunks = ring.take_chunks();
    if chunks.is_empty() {
        remove(&ring);
        return Vec::new();
    }
    let known = names.iter().map(|name| ring.exporter(name));
    let numbers = if names.len() > 1 { known.collect() } else { Vec::new() };
    let (was_forced, parts) = (ring.was_forced(), AtomicUsize::new(chunks.len()));
    let left = Arc::new(Left { ring, parts, was_forced, numbers });
    let part = |chunk: RecoveredChunk| {
        let (left, chores) = (Arc::clone(&left), Arc::clone(chores));
        let part = Part { left, chores, slot: chunk.slot, done: chunk.done };
        (chunk, part)
    };
    chunks.into_iter().map(part).collect()
}

impl Part {
    /// Which of the exporters `names` were not done with its chunk.
    #[must_use]
    pub fn owed(&self, chunk: &RecoveredChunk, names: &[&str]) -> Exporters {
        let ours = names.iter().enumerate();
        let owing = ours.filter(|(_, name)| !self.left.ring.is_done(chunk, name));
        owing.fold(Exporters::NONE, |owed, (cursor, _)| owed.with(cursor))
    }

    /// Whether its records survive a loss of power where they are.
    pub(crate) fn was_forced(&self) -> bool {
        self.left.was_forced
    }

    /// The file in which it is.
    pub(crate) fn path(&self) -> &Path {
        self.left.ring.path()
    }

    /// Notes that one cursor is done with the block, and others are not. It is written later.
    pub fn done_by(&mut self, cursor: usize) {
        let Some(number) = self.left.numbers.get(cursor).copied().flatten() else { return };
        self.done |= 1_u32.checked_shl(number).unwrap_or(0);
        self.chores.add(Chore::Done(Arc::clone(&self.left), self.slot, self.done));
    }

    /// The records are delivered, in the spool, or dropped and counted. It is written later.
    pub fn let_go(self) {
        self.chores.add(Chore::LetGo(self.left, self.slot));
    }
}

/// Names of a dead process's scopes, and its resource.
struct Names<'a> {
    ring: &'a Recovered,
    resource: &'a [u8],
}

impl Prefixes for Names<'_> {
    fn resource(&self) -> &[u8] {
        self.resource
    }

    fn scope(&self, id: u32) -> Vec<u8> {
        self.ring.scope(id).unwrap_or_default().to_vec()
    }
}

/// Gives back what rings of dead processes in `directory` take beyond what is in them, at the start: a service that dies before
/// it takes them over must not fill the place. Memory for files is everybody's, so there: whatever its spool.
pub(crate) fn trim_left(directory: &Path, identity: &Identity) {
    let places = place::memory_directories().into_iter().chain([directory.to_owned()]);
    // What cannot be listed or read is left to who takes it over, and says so.
    for path in places.flat_map(|place| place::rings_in(&place).unwrap_or_default()) {
        let name = path.file_stem().and_then(|name| name.to_str());
        if name.is_some_and(|name| identity.is_sibling(name)) {
            let _ = trim(&path);
        }
    }
}

/// Looks for rings of dead processes.
pub struct Remains {
    identity: Option<Identity>,
    places: BTreeSet<PathBuf>,
    /// Those that could not be read: said once, and tried again after pauses.
    passed: BTreeMap<PathBuf, Backoff>,
    sealer: Sealer,
    /// Of a ring that is taken in: the chunks for which there was no room yet.
    waiting: VecDeque<(RecoveredChunk, Part)>,
}

impl Remains {
    /// Those of the pipeline's service.
    #[must_use]
    pub fn new(pipeline: &Pipeline) -> Self {
        let codec = if pipeline.is_gated() { Codec::Identity } else { pipeline.codec() };
        let mut remains = Self {
            identity: None,
            places: BTreeSet::new(),
            passed: BTreeMap::new(),
            sealer: Sealer::new(codec),
            waiting: VecDeque::new(),
        };
        if let Some(spooler) = pipeline.spooler() {
            let spool = &spooler.settings().directory;
            remains.identity = Some(Identity::of_this_process(&spooler.settings().service));
            remains.places.insert(spool.clone());
            remains.places.extend(place::existing_memory().map(|memory| memory.join(memory_place(spool))));
        }
        let settings = pipeline.settings().ring.as_ref();
        remains.places.extend(settings.and_then(|ring| ring.directory.clone()));
        remains
    }

    /// Rings of this service, those of living processes included.
    fn paths(&self) -> Vec<PathBuf> {
        let is_ours = |path: &PathBuf| {
            let name = path.file_stem().and_then(|name| name.to_str());
            let sibling = |identity: &Identity| name.is_some_and(|name| identity.is_sibling(name));
            self.identity.as_ref().is_some_and(sibling) && !self.rests(path)
        };
        // What cannot be listed has nothing for us.
        let found = self.places.iter().flat_map(|place| place::rings_in(place).unwrap_or_default());
        found.filter(is_ours).collect()
    }

    fn rests(&self, path: &Path) -> bool {
        self.passed.get(path).is_some_and(|backoff| !backoff.may_try(monotonic_nanos()))
    }

    /// Whether there is a ring of the process that the directory `name` belonged to.
    pub(crate) fn has_ring_of(&self, name: &str) -> bool {
        let found = self.places.iter().flat_map(|place| place::rings_in(place).unwrap_or_default());
        let mut stems = found.filter_map(|path| path.file_stem()?.to_str().map(str::to_owned));
        stems.any(|stem| process_of(&stem) == process_of(name))
    }

    fn boot(&self) -> u64 {
        self.identity.as_ref().map_or(0, |identity| identity.boot)
    }
}

impl Pipeline {
    /// Takes over what dead processes of this service left in their rings. False: something waits for room in memory, until
    /// the next time.
    pub(crate) fn adopt_rings(&self, spooler: &Spooler, remains: &mut Remains) -> bool {
        self.say_ring_trouble();
        let paths = match spooler.only() {
            None => remains.paths(),
            // Whatever its service and place: somebody asked for it.
            Some(Only::Ring(path)) => vec![path],
            Some(Only::Directory { .. }) => Vec::new(),
        };
        // Those behind may have to wait for room.
        for path in paths.iter().skip(1) {
            let _ = trim(path);
        }
        if !self.take_in(spooler, remains) {
            return false;
        }
        for path in paths {
            let Some(ring) = self.recover(&path, remains) else { continue };
            self.say_damage(&path, ring.report());
            self.begin(spooler, ring, remains);
            if !self.take_in(spooler, remains) {
                return false;
            }
        }
        true
    }

    /// A dead process's ring, which takes no more space from now on than what is in it.
    fn recover(&self, path: &Path, remains: &mut Remains) -> Option<Recovered> {
        if remains.rests(path) {
            return None;
        }
        match recover(path, remains.boot()) {
            Ok(ring) => {
                remains.passed.remove(path);
                ring.inspect(Recovered::trim)
            }
            Err(error) => {
                let backoff = remains.passed.entry(path.to_owned());
                let backoff = backoff.or_insert_with(|| Backoff::new(FIRST_PAUSE, LONGEST_PAUSE));
                if backoff.failed(monotonic_nanos(), fastrand::f64()) {
                    self.notices().say(error.code(), error.to_string());
                }
                None
            }
        }
    }

    /// Takes a dead ring apart.
    fn begin(&self, spooler: &Spooler, ring: Recovered, remains: &mut Remains) {
        if self.ring().is_some_and(|own| own.sync_interval().is_some()) {
            if let Err(error) = ring.force() {
                self.notices().say(error.code(), error.to_string());
            }
        }
        self.backlog().adopt_damaged(ring.report().missing_records);
        remains.waiting = take_apart(ring, &self.names(), spooler.chores()).into();
    }

    fn names(&self) -> Vec<&str> {
        self.exporters().iter().map(|exporter| exporter.name.as_str()).collect()
    }

    /// Makes blocks of a dead ring's chunks. False when there is no room for all of them.
    fn take_in(&self, spooler: &Spooler, remains: &mut Remains) -> bool {
        let names = self.names();
        while !remains.waiting.is_empty() {
            if !self.has_memory(spooler) {
                return false;
            }
            let Some((chunk, part)) = remains.waiting.pop_front() else { return true };
            let owed = part.owed(&chunk, &names);
            self.take_in_chunk(chunk, part, owed, &mut remains.sealer);
        }
        true
    }

    fn take_in_chunk(&self, chunk: RecoveredChunk, part: Part, owed: Exporters, sealer: &mut Sealer) {
        let ring = &part.left.ring;
        let own = self.resource();
        let resource = ring.resource(chunk.resource).unwrap_or(&own);
        let names = Names { ring, resource };
        let (records, protected_records) = (chunk.records, chunk.protected_records);
        let chunk = Chunk { bytes: chunk.bytes, records, protected_records, ..Chunk::default() };
        match sealer.seal(&chunk, &names) {
            Some(block) => self.backlog().adopt_kept(block, Keep::Part(part), owed),
            None => part.let_go(),
        }
        self.backlog().offered();
    }

    /// Waits until blocks leave room for another. False when this process ends first, or none leaves: an exporter that is away
    /// must not hold up what is there for others.
    fn has_memory(&self, spooler: &Spooler) -> bool {
        let share = self.settings().buffer.limit_bytes / MEMORY_SHARE;
        let (mut least, mut looks) = (usize::MAX, 0);
        while self.backlog().bytes() > share {
            let bytes = self.backlog().bytes();
            looks = if bytes < least { 0 } else { looks + 1 };
            least = least.min(bytes);
            spooler.signal().press();
            if looks > MOST_LOOKS || !spooler.signal().rest(PATIENCE) {
                return false;
            }
        }
        true
    }

    fn say_damage(&self, path: &Path, report: Report) {
        let Report { missing_records, unsynced_records, unreadable_slots, .. } = report;
        let damaged_bytes = report.damaged_bytes + report.damaged_side_bytes;
        if missing_records + damaged_bytes + unsynced_records + u64::from(unreadable_slots) > 0 {
            let message = format!(
                "the crash ring {} of another process is damaged: {missing_records} records, {damaged_bytes} bytes and \
                 {unreadable_slots} slots are not readable, {unsynced_records} records were not forced to the disk before \
                 the machine stopped",
                path.display()
            );
            self.notices().say("ring-corrupt", message);
        }
    }
}
