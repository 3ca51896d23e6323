//! Stage 4 of 7, append: the ring of one process: its file, its free slots, and what decoding needs. Threads: any.

use super::checkpoint::Progress;
use super::error::RingError;
use super::files::{self, Held};
use super::layout::{file_header, word, Geometry, Owner, SECOND_COPY, SLOT_MAGIC, VERSION};
use super::mapping::{Mapping, Region};
use super::place::EXTENSION;
use super::side::{self, Kind};
use super::slot::{put, Slot};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

/// What a ring is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the file goes; it has to exist. See [`super::place`].
    pub directory: PathBuf,
    /// Name of the file, without its ending: one that no other process has.
    pub name: String,
    /// This process.
    pub owner: Owner,
    /// Chunks at once, 2 to 64: those being filled, sealed, and waiting for delivery.
    pub slots: u32,
    /// Bytes of a chunk, rounded up to 4,096.
    pub slot_bytes: u64,
    /// Bytes for scopes and resources, rounded up to 4,096.
    pub side_bytes: u64,
    /// Whether [`Ring::checkpoint`] has to survive a loss of power. Refused in memory.
    pub durable: bool,
}

impl Settings {
    /// Length of the file.
    pub fn file_bytes(&self) -> Result<u64, RingError> {
        Ok(self.geometry()?.file_bytes())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.join(format!("{}.{EXTENSION}", self.name))
    }

    fn geometry(&self) -> Result<Geometry, RingError> {
        if self.name.is_empty() || self.name.contains(['/', '\0']) {
            let name = &self.name;
            return Err(RingError::Settings(format!(
                "a crash ring called {name:?}; choose a plain file name"
            )));
        }
        Geometry::new(self.slots, self.slot_bytes, self.side_bytes)
    }
}

/// Slots that nobody holds, the last one used on top: its memory is warm.
#[derive(Debug)]
pub(super) struct Free {
    pub(super) regions: Vec<(u32, Region)>,
    pub(super) epoch: u64,
    pub(super) resource: u32,
    /// The file is removed: no slot is given any more.
    pub(super) closed: bool,
}

/// What slots and the ring share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) mapping: Arc<Mapping>,
    pub(super) process: u32,
    free: Mutex<Free>,
}

impl Shared {
    pub(super) fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Side {
    used: u64,
    resources: u32,
    newest: Vec<u8>,
}

/// The crash ring of this process. Dropping it leaves the file to whoever recovers it; [`Self::remove_if_empty`] does not.
#[derive(Debug)]
pub struct Ring {
    pub(super) shared: Arc<Shared>,
    /// Closed at the end.
    pub(super) file: RwLock<Option<Held>>,
    pub(super) path: PathBuf,
    pub(super) geometry: Geometry,
    pub(super) progress: Mutex<Progress>,
    side: Mutex<Side>,
}

impl Ring {
    /// Makes, allocates, locks and maps the file. After this no append can fail for want of disk or memory.
    pub fn create(settings: &Settings) -> Result<Self, RingError> {
        let geometry = settings.geometry()?;
        let path = settings.path();
        let file = files::create(&path)?;
        let ring = Self::fill(file, &path, geometry, settings);
        if ring.is_err() {
            // We hold its lock, so it is ours.
            let _ = fs::remove_file(&path);
        }
        ring
    }

    fn fill(file: Held, path: &Path, geometry: Geometry, settings: &Settings) -> Result<Self, RingError> {
        let is_memory = files::is_memory(&file);
        if settings.durable && is_memory {
            return Err(RingError::NotDurable(settings.directory.clone()));
        }
        if settings.owner.boot == 0 && !settings.durable && !is_memory {
            return Err(RingError::NoBootId(path.to_owned()));
        }
        let sizes = (geometry.slot_bytes as usize, geometry.slots as usize);
        let (mapping, regions) =
            Mapping::new(&file, geometry.headers_at(), geometry.table_bytes() as usize, sizes)
                .map_err(|error| allocation_error(error, path, geometry.file_bytes()))?;
        for index in 0..geometry.slots {
            put(&mapping, index, word::MAGIC, u64::from(VERSION) << 32 | u64::from(SLOT_MAGIC));
            put(&mapping, index, word::BOOT, settings.owner.boot);
            put(&mapping, index, word::PROCESS, u64::from(settings.owner.process));
        }
        // Last: a file without a header is one that was never used.
        let header = file_header(settings.owner, geometry);
        for at in [0, SECOND_COPY] {
            file.write_all_at(&header, at).map_err(RingError::io("write", path))?;
        }
        if settings.durable {
            file.sync_all().map_err(RingError::io("sync", path))?;
            sync_name(&settings.directory)?;
        }
        let regions = (0..geometry.slots).zip(regions).rev().collect();
        let free = Mutex::new(Free { regions, epoch: 0, resource: 0, closed: false });
        Ok(Self {
            shared: Arc::new(Shared { mapping, process: settings.owner.process, free }),
            file: RwLock::new(Some(file)),
            path: path.to_owned(),
            geometry,
            progress: Mutex::new(Progress::new(geometry.slots)),
            side: Mutex::default(),
        })
    }

    /// A slot to fill, for records from `first_sequence` on. `None` when all are in use, and in a forked child.
    #[must_use]
    pub fn take_slot(&self, first_sequence: u64) -> Option<Slot> {
        if !self.is_owner() {
            return None;
        }
        Slot::open(&self.shared, &mut self.shared.free(), first_sequence)
    }

    /// Keeps what stands before the records of scope `id` in a request. Call it before the first frame that names the scope.
    pub fn define_scope(&self, id: u32, fields: &[u8]) -> Result<(), RingError> {
        self.define(Kind::Scope, &mut self.side(), id, fields)
    }

    /// Keeps the name of the exporter with a number from 0: [`Slot::done_by`].
    pub fn define_exporter(&self, number: u32, name: &str) -> Result<(), RingError> {
        self.define(Kind::Exporter, &mut self.side(), number, name.as_bytes())
    }

    /// Keeps the resource of slots that are taken from now on. The same bytes again cost nothing.
    pub fn define_resource(&self, fields: &[u8]) -> Result<(), RingError> {
        let mut side = self.side();
        if side.resources > 0 && side.newest == fields {
            return Ok(());
        }
        let id = side.resources + 1;
        self.define(Kind::Resource, &mut side, id, fields)?;
        side.resources = id;
        fields.clone_into(&mut side.newest);
        self.shared.free().resource = id;
        Ok(())
    }

    /// Slots that nobody holds.
    #[must_use]
    pub fn free_slots(&self) -> usize {
        if self.is_owner() {
            self.shared.free().regions.len()
        } else {
            0
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All slots.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.geometry.slots as usize
    }

    /// Length of a slot: the longest chunk.
    #[must_use]
    pub fn slot_bytes(&self) -> usize {
        self.geometry.slot_bytes as usize
    }

    /// False in a forked child. It has to drop its copy of the ring, so that it does not keep the lock, and make its own.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.shared.mapping.is_owner()
    }

    /// For an orderly end: removes the file if every slot was recycled; no slot is given any more then. False, and the file
    /// stays to be recovered, if not.
    pub fn remove_if_empty(&self) -> Result<bool, RingError> {
        if !self.is_owner() {
            return Err(RingError::Forked);
        }
        let mut free = self.shared.free();
        if free.regions.len() < self.geometry.slots as usize {
            return Ok(false);
        }
        let is_first = !std::mem::replace(&mut free.closed, true);
        drop(free);
        if is_first {
            if self.file().as_ref().is_some_and(|file| files::is_named(&self.path, file)) {
                fs::remove_file(&self.path).map_err(RingError::io("remove", &self.path))?;
            }
            self.close();
        }
        Ok(true)
    }

    /// Gives no slot any more and lets go of the lock: whoever looks next recovers what is in the file. Call it when nobody
    /// appends any more; in a forked child, it lets go of what was inherited.
    pub fn leave(&self) {
        if self.is_owner() {
            self.shared.free().closed = true;
            if let Some(file) = &*self.file() {
                // The mapping keeps the lock too, so that it has to be given back. A child must not: it is its parent's.
                files::unlock(file);
            }
            self.close();
        } else if let Some(file) = self.file.try_read().ok().as_deref().and_then(Option::as_ref) {
            // Where a thread that the child does not have holds it, the lock was let go of as a noted one.
            files::let_go(file);
        }
    }

    /// Closes the file, of which nothing is needed any more, and gives back its memory if it has no name.
    fn close(&self) {
        // A checkpoint may be under way, on a disk that does not answer.
        let Ok(mut file) = self.file.try_write() else { return };
        if let Some(file) = file.take() {
            if !files::is_named(&self.path, &file) {
                files::punch(&file, 0, self.geometry.file_bytes());
            }
        }
    }

    pub(super) fn file(&self) -> RwLockReadGuard<'_, Option<Held>> {
        self.file.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn define(&self, kind: Kind, side: &mut Side, id: u32, fields: &[u8]) -> Result<(), RingError> {
        if !self.is_owner() {
            return Err(RingError::Forked);
        }
        let limit = u64::from(self.geometry.side_bytes);
        let entry = side::entry(kind, id, fields);
        let needed = entry.len() as u64;
        if needed > limit - side.used {
            return Err(RingError::SideFull { used: side.used, needed, limit });
        }
        let at = self.geometry.side_at() + side.used;
        let Some(file) = &*self.file() else { return Ok(()) };
        file.write_all_at(&entry, at).map_err(RingError::io("write", &self.path))?;
        side.used += needed;
        Ok(())
    }

    fn side(&self) -> MutexGuard<'_, Side> {
        self.side.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forces the names in a directory to the disk, and its own name, which may be as new.
fn sync_name(directory: &Path) -> Result<(), RingError> {
    let sync = |path: &Path| File::open(path).and_then(|directory| directory.sync_all());
    sync(directory).map_err(RingError::io("sync", directory))?;
    match sync(&directory.join("..")) {
        // Whoever may not look into it did not make anything there either.
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
            Err(RingError::io("sync", directory)(error))
        }
        _ => Ok(()),
    }
}

fn allocation_error(error: io::Error, path: &Path, needed: u64) -> RingError {
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG | libc::ENOMEM) => {
            RingError::NoSpace { path: path.to_owned(), needed, error }
        }
        Some(libc::EINVAL | libc::ENODEV | libc::EOPNOTSUPP) => RingError::Unsupported(error),
        None if error.kind() == io::ErrorKind::Unsupported => RingError::Unsupported(error),
        _ => RingError::io("allocate", path)(error),
    }
}
