//! Stage 4 of 7, append: the crash ring of one pipeline: where it is, and what does not work. Threads: any.
//!
//! Before: `redact`. With durability `process` or `power`, the buffer's chunks are slots of a [`Ring`], whose file outlives the
//! process. What a dead process left is taken over in [`crate::crash_ring::remains`].
//!
//! In this room: [`syncing`] opens and ends the ring, [`keep`] holds a slot for as long as nobody has its records, [`remains`]
//! takes over what dead processes left, [`chores`] writes there, and [`torn`] asks them for blocks that are cut off in a spool.
//! The file itself is in [`mod@crate::ring`].

pub mod chores;
pub mod keep;
pub mod remains;
pub mod syncing;
pub mod torn;

use crate::buffer::SCOPE_MARK_BYTES;
use crate::crash_ring::remains::trim_left;
use crate::ring::{place, Owner, Ring, RingError, Settings, Slot};
use crate::settings::{BufferSettings, RingSettings, SpoolingSettings};
use crate::spool::identity::{hash, Identity};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Slots that a ring has at least, whatever a chunk would like to hold: some are filled, sealed and sent at once.
const FEWEST_SLOTS: u64 = 8;
const MOST_SLOTS: u64 = 64;
/// For scopes and resources: some thousand.
const SIDE_BYTES: u64 = 256 << 10;
/// Names tried for the file. Each may be taken by another ring of this process.
const TRIES: u32 = 100;
const PAGE: u64 = 4096;
/// Used slots, in percent, beyond which the oldest blocks go to the spool: before shedding begins, at three quarters.
const PRESSED_PERCENT: usize = 50;

/// The ring of this process.
#[derive(Debug)]
pub struct CrashRing {
    ring: Ring,
    sync_interval: Option<Duration>,
    trouble: Mutex<Trouble>,
}

/// What went wrong: each kind is said once.
#[derive(Debug, Default)]
struct Trouble {
    unsaid: Vec<RingError>,
    noted: BTreeSet<&'static str>,
}

impl CrashRing {
    /// Makes the ring's file, in the first place that can give what is asked for.
    pub fn open(
        settings: &RingSettings,
        spool: &SpoolingSettings,
        buffer: &BufferSettings,
        exporters: &[&str],
    ) -> Result<Self, RingError> {
        let identity = Identity::of_this_process(&spool.service);
        let (slots, slot_bytes) = slots_of(settings, buffer);
        let owner = Owner { boot: identity.boot, process: identity.process, started: identity.started };
        let mut asked = Settings {
            directory: PathBuf::new(),
            name: "ring".to_owned(),
            owner,
            slots,
            slot_bytes,
            side_bytes: SIDE_BYTES,
            durable: settings.sync_interval.is_some(),
        };
        trim_left(settings.directory.as_ref().unwrap_or(&spool.directory), &identity);
        let mut ring = Err(RingError::Taken(asked.path()));
        for attempt in 0..TRIES {
            asked.directory = choose(settings, &spool.directory, asked.file_bytes()?)?;
            asked.name = identity.next_directory(attempt);
            ring = Ring::create(&asked);
            // Taken by another ring of this process; or the last process tidied up the directory meanwhile.
            let again = ring.as_ref().is_err_and(|error| error.is_taken() || error.is_missing());
            if !again {
                break;
            }
        }
        let ring = ring?;
        for (number, name) in (0..).zip(exporters) {
            ring.define_exporter(number, name)?;
        }
        Ok(Self { ring, sync_interval: settings.sync_interval, trouble: Mutex::default() })
    }

    /// A slot to fill. `None` when all are in use, and after [`Self::end`].
    #[must_use]
    pub fn take_slot(&self, first_sequence: u64) -> Option<Slot> {
        self.ring.take_slot(first_sequence)
    }

    /// Whether [`Self::take_slot`] would return one.
    #[must_use]
    pub fn has_free_slot(&self) -> bool {
        self.ring.free_slots() > 0
    }

    /// Slots in use, in percent.
    #[must_use]
    pub fn percent_used(&self) -> usize {
        100 - 100 * self.ring.free_slots() / self.ring.slots().max(1)
    }

    /// Whether the oldest blocks should go to the spool, so that slots become free.
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        self.percent_used() > PRESSED_PERCENT
    }

    /// The longest chunk.
    #[must_use]
    pub fn slot_bytes(&self) -> usize {
        self.ring.slot_bytes()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.ring.path()
    }

    /// How often [`Self::sync`] is to be called; `None`: never.
    #[must_use]
    pub fn sync_interval(&self) -> Option<Duration> {
        self.sync_interval
    }

    /// Keeps what a scope is called. Before the first record of it.
    pub fn define_scope(&self, id: u32, fields: &[u8]) {
        self.note(self.ring.define_scope(id, fields));
    }

    /// Keeps the resource of records from now on.
    pub fn define_resource(&self, fields: &[u8]) {
        self.note(self.ring.define_resource(fields));
    }

    /// Forces what was appended before to the disk.
    pub fn sync(&self) {
        self.note(self.ring.checkpoint());
    }

    /// What is to be said, once.
    #[must_use]
    pub fn take_trouble(&self) -> Vec<RingError> {
        std::mem::take(&mut self.trouble.lock().unwrap_or_else(PoisonError::into_inner).unsaid)
    }

    /// The end: removes the file if nothing is in it. Otherwise whoever is alive recovers it, if `leave`; if not, it stays
    /// in use until this process is gone.
    pub fn end(&self, leave: bool) {
        // What cannot be removed is removed by the next process that looks.
        let is_gone = self.ring.remove_if_empty().unwrap_or(true);
        if is_gone {
            place::tidy(self.ring.path());
        }
        if leave && !is_gone {
            self.ring.leave();
        }
    }

    /// In a forked child: lets go of what was inherited.
    pub fn leave_to_parent(&self) {
        if !self.ring.is_owner() {
            self.ring.leave();
        }
    }

    fn note(&self, result: Result<(), RingError>) {
        let Err(error) = result else { return };
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.noted.insert(error.code()) {
            trouble.unsaid.push(error);
        }
    }
}

impl Drop for CrashRing {
    fn drop(&mut self) {
        self.end(false);
    }
}

/// Where rings of this service and spool are in memory. Two services of one name with different spools stay apart.
#[must_use]
pub fn memory_place(spool: &Path) -> PathBuf {
    PathBuf::from(format!("{:016x}", hash(spool.as_os_str().as_encoded_bytes())))
}

/// How many slots of which length.
fn slots_of(settings: &RingSettings, buffer: &BufferSettings) -> (u32, u64) {
    let smallest = (buffer.smallest_chunk_bytes() + SCOPE_MARK_BYTES) as u64;
    let wanted = buffer.real_chunk_bytes() as u64;
    let slot_bytes = wanted.min(settings.limit_bytes / FEWEST_SLOTS).max(smallest).next_multiple_of(PAGE);
    let slots = (settings.limit_bytes / slot_bytes).clamp(2, MOST_SLOTS);
    (slots as u32, slot_bytes)
}

fn choose(settings: &RingSettings, spool: &Path, needed: u64) -> Result<PathBuf, RingError> {
    if let Some(directory) = &settings.directory {
        place::private_directory(directory)?;
        return Ok(directory.clone());
    }
    if settings.sync_interval.is_none() {
        if let Ok(memory) = place::shared_memory(needed) {
            let directory = memory.join(memory_place(spool));
            if place::private_directory(&directory).is_ok() {
                return Ok(directory);
            }
        }
    }
    Ok(spool.to_owned())
}
