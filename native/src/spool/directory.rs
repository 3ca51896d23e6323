//! Stage 6 of 7, export: one locked directory for each process; those of dead ones are adopted. Threads: as the spool.
//!
//! Whoever holds the lock of the file that `<directory>/lock` names owns the directory. The system gives the lock back when
//! the owner's last descriptor closes, however it ends: so a lock that can be taken means that the owner is dead. A forked
//! child inherits the descriptor, and while it keeps it the directory looks alive: it lets go of it ([`Disk::note_lock`]),
//! drops its copy of the spool ([`Spool::leave_to_parent`]) and makes one of its own. A process being started holds it too, from fork to exec: whoever
//! looks at that moment adopts the next time.
//!
//! Adopting copies nothing. The adopter reads and settles in the orphan's own files, and the directory goes when they are
//! empty. So a crash in between leaves an orphan again, which remembers what was settled. Of two adopters one gets the lock.
//! A lock taken on a file that was unlinked meanwhile is no lock, hence [`Disk::is_named`].

use super::crypt::Keys;
use super::disk::{Disk, How, Kind};
use super::error::SpoolError;
use super::format::salt_of;
use super::identity::Identity;
use super::index::Index;
use super::owed::{MAX_EXPORTERS, MAX_NAME_BYTES};
use super::positions::{Position, Positions};
use super::positions_file::PositionsFile;
use super::reader::Reader;
use super::reopen::reopen;
use super::report::Report;
use super::retire::LOCK_FILE;
use super::settings::{Fsync, SpoolSettings};
use super::spool::{Spool, Writer};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Names tried for a directory before giving up. Each may be taken by another spool of this process.
const TRIES: u32 = 100;

/// The directory that holds those of all processes.
#[derive(Debug)]
pub struct Root<D: Disk> {
    disk: Arc<D>,
    path: PathBuf,
    /// As it was opened last; `None`: closed.
    dir: Mutex<Option<Arc<D::Dir>>>,
    identity: Identity,
}

impl<D: Disk> Root<D> {
    /// Opens `path`, and makes it when it is missing.
    pub fn open(disk: Arc<D>, path: &Path, identity: Identity) -> Result<Self, SpoolError> {
        let dir = Mutex::new(Some(open(&*disk, path)?));
        Ok(Self { disk, path: path.to_owned(), dir, identity })
    }

    /// Opens the path again: somebody may have removed the directory and made it again, or mounted a volume there.
    fn reopen(&self) -> Result<Arc<D::Dir>, SpoolError> {
        let dir = open(&*self.disk, &self.path)?;
        *self.known() = Some(Arc::clone(&dir));
        Ok(dir)
    }

    fn dir(&self) -> Result<Arc<D::Dir>, SpoolError> {
        let known = self.known().clone();
        known.map_or_else(|| self.reopen(), Ok)
    }

    /// Closes it. It is opened again when somebody needs it.
    pub fn close(&self) {
        // Named, so that the file is closed without the lock.
        let _dir = self.known().take();
    }

    fn known(&self) -> MutexGuard<'_, Option<Arc<D::Dir>>> {
        self.dir.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes this process's directory: empty, locked, for `exporters` in this order.
    pub fn create(
        &self,
        exporters: &[&str],
        settings: SpoolSettings,
        keys: Arc<Keys>,
        now_nanos: u64,
    ) -> Result<Spool<D>, SpoolError> {
        let positions = new_positions(&*self.disk, exporters)?;
        let mut root = self.reopen()?;
        for attempt in 0..TRIES {
            let name = self.identity.next_directory(attempt);
            let shown = name.as_str();
            let failed = |doing| move |error| SpoolError::io(doing, shown, error);
            let dir = match self.disk.create_dir(&root, &name) {
                Ok(dir) => dir,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                // Removed by an adopter who looked at that moment, or the root is gone.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    root = self.reopen()?;
                    continue;
                }
                Err(error) => return Err(failed("make")(error)),
            };
            let Some((noted, lock)) = self.lock(&dir).map_err(failed("lock"))? else { continue };
            let made = PositionsFile::create(&*self.disk, &dir, &positions).and_then(|file| {
                // Once, whatever is forced later: a block that was safe in a dead process's ring must be so here too.
                let named = self.disk.sync_dir(&dir).and_then(|()| self.disk.sync_dir(&root));
                named.map_err(failed("sync")).map(|()| file)
            });
            let file = match made {
                Ok(file) => file,
                Err(error) => {
                    // Best effort: an empty directory is removed by the next process that looks.
                    let _ = self.disk.remove_file(&dir, super::positions_file::POSITIONS_FILE);
                    let _ = self.disk.remove_file(&dir, LOCK_FILE);
                    let _ = self.disk.remove_dir(&root, &name);
                    return Err(error);
                }
            };
            return Ok(self.spool(
                root,
                (name, dir, (noted, lock)),
                settings,
                keys,
                (positions, file),
                now_nanos,
            ));
        }
        Err(SpoolError::Taken { name: self.identity.directory(TRIES - 1) })
    }

    fn spool(
        &self,
        root: Arc<D::Dir>,
        (name, dir, (noted, lock)): (String, D::Dir, (D::Noted, D::File)),
        settings: SpoolSettings,
        keys: Arc<Keys>,
        (positions, file): (Positions, PositionsFile<D>),
        now_nanos: u64,
    ) -> Spool<D> {
        let writer = Writer {
            boot: self.identity.boot,
            growing: None,
            next_segment: 0,
            buffer: Vec::new(),
            dirty: false,
            unnamed: false,
            synced_nanos: now_nanos,
            appended_nanos: now_nanos,
        };
        let (dir, salt) = (Arc::new(dir), Some(salt_of(&positions.instance)));
        let reader = Reader::new(Arc::clone(&self.disk), Arc::clone(&dir), Arc::clone(&keys), salt);
        Spool {
            disk: Arc::clone(&self.disk),
            root,
            dir,
            name,
            _noted: noted,
            lock,
            keys,
            settings,
            index: Index::default(),
            positions,
            file,
            unwritten: false,
            kept: Vec::new(),
            next_number: 0,
            writer: Some(writer),
            report: Report::default(),
            owner: self.disk.process_id(),
            others_bytes: 0,
            reader: Arc::new(reader),
        }
    }

    /// Directories of this service, those of living processes included. What else is under the root is left alone.
    pub fn siblings(&self) -> Result<Vec<String>, SpoolError> {
        let entries = self
            .disk
            .list(&*self.reopen()?)
            .map_err(|error| SpoolError::io("list", "the spool root", error))?;
        let ours = entries
            .into_iter()
            .filter(|entry| entry.kind == Kind::Directory && self.identity.is_sibling(&entry.name));
        let mut names: Vec<String> = ours.map(|entry| entry.name).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Takes over the directory `name` of a dead process. `None`: its owner lives, somebody else was faster, it is gone, or
    /// it is not this user's.
    ///
    /// `exporters` get blocks of which no file says any more for whom they were. What it found is in [`Spool::report`]; the
    /// spool only drains. Deliver [`Spool::held`], settle, and [`Spool::close`] removes the directory.
    pub fn adopt(
        &self,
        name: &str,
        exporters: &[&str],
        settings: SpoolSettings,
        keys: Arc<Keys>,
    ) -> Result<Option<Spool<D>>, SpoolError> {
        if !self.identity.is_sibling(name) {
            return Ok(None);
        }
        let failed = |doing| move |error| SpoolError::io(doing, name, error);
        let root = self.dir()?;
        let dir = match self.disk.open_dir(&root, name) {
            Ok(dir) => dir,
            Err(error) if is_not_ours(&error) => return Ok(None),
            Err(error) => return Err(failed("open")(error)),
        };
        let Some((noted, lock)) = self.lock(&dir).map_err(failed("lock"))? else { return Ok(None) };
        let fallback: Vec<String> = exporters.iter().map(|name| (*name).to_owned()).collect();
        let found = reopen(&*self.disk, &dir, &keys, &fallback, settings.fsync != Fsync::Never)?;
        let salt = found.salt();
        // What fails here is no worse than before.
        let was_open = self.disk.make_private(&dir).unwrap_or(false);
        let dir = Arc::new(dir);
        let reader = Reader::new(Arc::clone(&self.disk), Arc::clone(&dir), Arc::clone(&keys), salt);
        let mut spool = Spool {
            index: found.index,
            positions: found.positions,
            file: found.file,
            unwritten: true,
            kept: found.kept,
            next_number: found.next_number,
            writer: None,
            report: Report { was_open, ..found.report },
            owner: self.disk.process_id(),
            others_bytes: 0,
            reader: Arc::new(reader),
            disk: Arc::clone(&self.disk),
            root,
            dir,
            name: name.to_owned(),
            _noted: noted,
            lock,
            keys,
            settings,
        };
        // The positions in force have to be on the disk before a slot that was is written over. What fails here is tried
        // again by the next tick.
        let _ = spool.sync_positions().and_then(|()| spool.remember());
        Ok(Some(spool))
    }

    /// Length of all files in directories of this service, but for those called `without`: what counts toward a quota.
    /// What cannot be read counts nothing.
    #[must_use]
    pub fn others_bytes(&self, without: &[&str]) -> u64 {
        let siblings = self.siblings().unwrap_or_default();
        let Ok(root) = self.dir() else { return 0 };
        let others = siblings.iter().filter(|name| !without.contains(&name.as_str()));
        let lists = others.filter_map(|name| self.disk.open_dir(&root, name).ok());
        let entries = lists.filter_map(|dir| self.disk.list(&dir).ok()).flatten();
        entries.fold(0, |sum, entry| sum.saturating_add(entry.bytes))
    }

    /// The lock of a directory; `None` when somebody else has it, or removes the directory.
    fn lock(&self, dir: &D::Dir) -> std::io::Result<Option<(D::Noted, D::File)>> {
        let file = match self.disk.open(dir, LOCK_FILE, How::Create) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            result => result?,
        };
        // Before it is locked: a process may be forked at any moment.
        let noted = self.disk.note_lock(&file);
        let is_held = self.disk.try_lock(&file)? && self.disk.is_named(dir, LOCK_FILE, &file)?;
        Ok(is_held.then_some((noted, file)))
    }
}

fn open<D: Disk>(disk: &D, path: &Path) -> Result<Arc<D::Dir>, SpoolError> {
    let shown = path.display().to_string();
    disk.open_root(path).map(Arc::new).map_err(|error| SpoolError::io("open", &shown, error))
}

fn is_not_ours(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::NotADirectory)
        || error.raw_os_error() == Some(libc::ELOOP)
}

fn new_positions<D: Disk>(disk: &D, exporters: &[&str]) -> Result<Positions, SpoolError> {
    if exporters.is_empty() || exporters.len() > MAX_EXPORTERS {
        let count = exporters.len();
        return Err(SpoolError::Exporters(format!(
            "a spool for {count} exporters; it takes 1 to {MAX_EXPORTERS}, so name fewer or switch it off"
        )));
    }
    for (index, name) in exporters.iter().enumerate() {
        if name.is_empty() || name.len() > MAX_NAME_BYTES || exporters[..index].contains(name) {
            return Err(SpoolError::Exporters(format!(
                "the exporter name {name:?} cannot be stored in the spool; use different names of 1 to \
                 {MAX_NAME_BYTES} bytes"
            )));
        }
    }
    let mut instance = [0; 16];
    disk.random(&mut instance)
        .map_err(|error| SpoolError::io("get random bytes for", "the spool directory", error))?;
    let exporters = exporters.iter().map(|name| Position { name: (*name).to_owned(), ..Position::default() });
    Ok(Positions { instance, exporters: exporters.collect(), ..Positions::default() })
}
