//! A simulated disk: it keeps what was written when a process is killed, drops what was not forced when power is lost, tears
//! writes, runs full, fails and refuses.
//!
//! Length reason: one disk, whose faults act on every operation.
#![allow(clippy::unwrap_used, clippy::panic, dead_code)] // A test may fail, and none uses all of it.

use fapilog_native::spool::disk::{Disk, Entry, How, Kind};
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// When files were changed, by every file's account.
pub const MODIFIED: u64 = 1_000;

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Cut(u64),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, new) => {
                let offset = usize::try_from(*offset).unwrap();
                let end = offset + new.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[offset..end].copy_from_slice(new);
            }
            Self::Cut(length) => bytes.resize(usize::try_from(*length).unwrap(), 0),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Inode {
    is_dir: bool,
    durable: Vec<u8>,
    now: Vec<u8>,
    changes: Vec<Change>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names, each all or nothing.
    renames: Vec<Vec<(String, Option<usize>)>>,
    locked_by: Option<usize>,
}

/// What the disk does wrong from now on.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Bytes that fit at most.
    pub capacity: Option<u64>,
    /// Bytes that are free, by its own account.
    pub free: Option<u64>,
    /// No change is allowed.
    pub read_only: bool,
    /// This many operations fail,
    pub failing: u32,
    /// after this many more.
    pub failing_after: u32,
    /// A file whose lock is asked for is unlinked by somebody else just before.
    pub unlinked_before_lock: bool,
    /// After this many more operations the process is dead; the last one may be half done.
    pub dies_in: Option<u32>,
}

/// Operations wait while it is on.
#[derive(Debug, Default)]
struct Hang {
    on: Mutex<bool>,
    waiting: AtomicUsize,
    over: Condvar,
}

/// What happens when the process dies.
struct Death(Box<dyn Fn() + Send>);

impl std::fmt::Debug for Death {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("Death")
    }
}

#[derive(Debug)]
pub struct World {
    inodes: Vec<Inode>,
    pub faults: Faults,
    pub operations: u64,
    pub process: u32,
    openings: usize,
    /// Files that are open.
    pub open: usize,
    pub dead: bool,
    death: Option<Death>,
    hang: Arc<Hang>,
    random: fastrand::Rng,
}

#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Mutex<World>>);

#[derive(Debug)]
pub struct SimDir {
    inode: usize,
}

#[derive(Debug)]
pub struct SimFile {
    inode: usize,
    opening: usize,
    world: Arc<Mutex<World>>,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.open -= 1;
        let inode = self.inode;
        if world.inodes[inode].locked_by == Some(self.opening) {
            world.inodes[inode].locked_by = None;
        }
    }
}

fn errno(code: i32) -> Error {
    Error::from_raw_os_error(code)
}

impl SimDisk {
    pub fn new() -> Self {
        let root = Inode { is_dir: true, ..Inode::default() };
        Self(Arc::new(Mutex::new(World {
            inodes: vec![root],
            faults: Faults::default(),
            operations: 0,
            process: 100,
            openings: 0,
            open: 0,
            dead: false,
            death: None,
            hang: Arc::default(),
            random: fastrand::Rng::with_seed(7),
        })))
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        // A test that failed while it held this is to say so itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `death` when the process dies, before it can do anything else.
    pub fn at_death(&self, death: impl Fn() + Send + 'static) {
        self.world().death = Some(Death(Box::new(death)));
    }

    /// The process dies, if it has not yet.
    pub fn die(&self) {
        self.world().die();
    }

    /// From now on no operation returns, or each goes on.
    pub fn hang(&self, on: bool) {
        let hang = Arc::clone(&self.world().hang);
        *hang.on.lock().unwrap() = on;
        hang.over.notify_all();
    }

    /// Operations that do not return at the moment.
    pub fn waiting(&self) -> usize {
        self.world().hang.waiting.load(Ordering::SeqCst)
    }

    /// The process is gone and another one runs; what was written stays. Drop its files first.
    pub fn restart(&self) {
        let mut world = self.world();
        world.dead = false;
        world.faults = Faults::default();
        world.process += 1;
        assert!(world.inodes.iter().all(|inode| inode.locked_by.is_none()), "a file is still open");
    }

    /// The machine is gone and runs again: of what was not forced, any part is there, and any write may be torn.
    pub fn lose_power(&self, seed: u64) {
        let mut world = self.world();
        let mut random = fastrand::Rng::with_seed(seed);
        for inode in &mut world.inodes {
            let mut bytes = std::mem::take(&mut inode.durable);
            for change in inode.changes.drain(..).filter(|_| random.bool()).collect::<Vec<_>>() {
                match change {
                    Change::Write(offset, mut new) if random.u8(0..4) == 0 => {
                        new.truncate(random.usize(0..=new.len()));
                        Change::Write(offset, new).apply(&mut bytes);
                    }
                    change => change.apply(&mut bytes),
                }
            }
            inode.now.clone_from(&bytes);
            inode.durable = bytes;
            let mut names = std::mem::take(&mut inode.durable_names);
            let renames = inode.renames.drain(..).filter(|_| random.bool()).collect::<Vec<_>>();
            for (name, target) in renames.into_iter().flatten() {
                match target {
                    Some(target) => names.insert(name, target),
                    None => names.remove(&name),
                };
            }
            inode.names.clone_from(&names);
            inode.durable_names = names;
        }
        drop(world);
        self.restart();
    }

    /// Another disk with the same content, of another process that nobody's locks bind.
    pub fn deep_copy(&self) -> Self {
        let world = self.world();
        let mut inodes = world.inodes.clone();
        for inode in &mut inodes {
            inode.locked_by = None;
        }
        let random = fastrand::Rng::with_seed(7);
        let faults = Faults::default();
        let process = world.process + 1;
        Self(Arc::new(Mutex::new(World {
            inodes,
            faults,
            operations: 0,
            process,
            openings: 0,
            open: 0,
            dead: false,
            death: None,
            hang: Arc::default(),
            random,
        })))
    }

    /// A loss of power that takes all it can.
    pub fn lose_everything_unforced(&self) {
        for inode in &mut self.world().inodes {
            inode.changes.clear();
            inode.renames.clear();
            inode.now.clone_from(&inode.durable);
            inode.names.clone_from(&inode.durable_names);
        }
    }

    /// Paths of all files with their lengths, one directory deep.
    pub fn files(&self) -> Vec<(String, u64)> {
        let world = self.world();
        let mut files = Vec::new();
        for (dir, inode) in &world.inodes[0].names {
            for (name, file) in &world.inodes[*inode].names {
                files.push((format!("{dir}/{name}"), world.inodes[*file].now.len() as u64));
            }
        }
        files
    }

    pub fn directories(&self) -> Vec<String> {
        self.world().inodes[0].names.keys().cloned().collect()
    }

    pub fn bytes_in(&self, dir: &str) -> u64 {
        let prefix = format!("{dir}/");
        self.files().iter().filter(|(path, _)| path.starts_with(&prefix)).map(|(_, bytes)| bytes).sum()
    }

    fn inode_of(world: &World, path: &str) -> usize {
        let (dir, name) = path.split_once('/').unwrap();
        world.inodes[world.inodes[0].names[dir]].names[name]
    }

    pub fn content(&self, path: &str) -> Vec<u8> {
        let world = self.world();
        world.inodes[Self::inode_of(&world, path)].now.clone()
    }

    /// Changes a file behind everybody's back, on the disk too.
    pub fn alter(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut world = self.world();
        let inode = Self::inode_of(&world, path);
        let mut bytes = world.inodes[inode].now.clone();
        change(&mut bytes);
        let inode = &mut world.inodes[inode];
        inode.now.clone_from(&bytes);
        inode.durable = bytes;
        inode.changes.clear();
    }

    pub fn remove(&self, path: &str) {
        let (dir, name) = path.split_once('/').unwrap();
        let mut world = self.world();
        let dir = world.inodes[0].names[dir];
        world.inodes[dir].names.remove(name);
        world.inodes[dir].durable_names.remove(name);
    }

    /// One operation: counted, and perhaps the last. The answer says whether this one is torn.
    fn step(&self, changes: bool) -> Result<(MutexGuard<'_, World>, bool)> {
        let hang = Arc::clone(&self.world().hang);
        hang.waiting.fetch_add(1, Ordering::SeqCst);
        drop(hang.over.wait_while(hang.on.lock().unwrap(), |on| *on).unwrap());
        hang.waiting.fetch_sub(1, Ordering::SeqCst);
        let mut world = self.world();
        world.operations += 1;
        if world.dead {
            return Err(errno(libc::EIO));
        }
        if let Some(left) = world.faults.dies_in {
            if left == 0 {
                world.die();
                return if changes { Ok((world, true)) } else { Err(errno(libc::EIO)) };
            }
            world.faults.dies_in = Some(left - 1);
        }
        if world.faults.failing_after > 0 {
            world.faults.failing_after -= 1;
        } else if world.faults.failing > 0 {
            world.faults.failing -= 1;
            return Err(errno(libc::EIO));
        }
        if changes && world.faults.read_only {
            return Err(errno(libc::EROFS));
        }
        Ok((world, false))
    }

    fn file(&self, world: &mut World, inode: usize) -> SimFile {
        world.openings += 1;
        world.open += 1;
        SimFile { inode, opening: world.openings, world: Arc::clone(&self.0) }
    }

    fn make(world: &mut World, dir: usize, name: &str, is_dir: bool) -> usize {
        world.inodes.push(Inode { is_dir, ..Inode::default() });
        let inode = world.inodes.len() - 1;
        Self::set_name(world, dir, name, Some(inode));
        inode
    }

    fn set_name(world: &mut World, dir: usize, name: &str, target: Option<usize>) {
        let dir = &mut world.inodes[dir];
        match target {
            Some(target) => dir.names.insert(name.to_owned(), target),
            None => dir.names.remove(name),
        };
        dir.renames.push(vec![(name.to_owned(), target)]);
    }
}

impl World {
    fn die(&mut self) {
        let is_first = !std::mem::replace(&mut self.dead, true);
        if let Some(Death(death)) = self.death.as_ref().filter(|_| is_first) {
            death();
        }
    }

    fn used(&self) -> u64 {
        self.inodes.iter().map(|inode| inode.now.len() as u64).sum()
    }

    fn child(&self, dir: &SimDir, name: &str) -> Result<usize> {
        self.inodes[dir.inode].names.get(name).copied().ok_or_else(|| errno(libc::ENOENT))
    }
}

impl Disk for SimDisk {
    type Dir = SimDir;
    type File = SimFile;
    type Noted = ();

    fn open_root(&self, _path: &Path) -> Result<SimDir> {
        drop(self.step(false)?);
        Ok(SimDir { inode: 0 })
    }

    fn create_dir(&self, parent: &SimDir, name: &str) -> Result<SimDir> {
        let (mut world, torn) = self.step(true)?;
        if world.child(parent, name).is_ok() {
            return Err(errno(libc::EEXIST));
        }
        let inode = Self::make(&mut world, parent.inode, name, true);
        if torn {
            return Err(errno(libc::EIO));
        }
        Ok(SimDir { inode })
    }

    fn open_dir(&self, parent: &SimDir, name: &str) -> Result<SimDir> {
        let (world, _) = self.step(false)?;
        let inode = world.child(parent, name)?;
        if world.inodes[inode].is_dir {
            return Ok(SimDir { inode });
        }
        Err(errno(libc::ENOTDIR))
    }

    fn remove_dir(&self, parent: &SimDir, name: &str) -> Result<()> {
        let (mut world, torn) = self.step(true)?;
        let inode = world.child(parent, name)?;
        if !world.inodes[inode].names.is_empty() {
            return Err(errno(libc::ENOTEMPTY));
        }
        Self::set_name(&mut world, parent.inode, name, None);
        if torn {
            return Err(errno(libc::EIO));
        }
        Ok(())
    }

    fn list(&self, dir: &SimDir) -> Result<Vec<Entry>> {
        let (world, _) = self.step(false)?;
        let entry = |(name, inode): (&String, &usize)| Entry {
            name: name.clone(),
            kind: if world.inodes[*inode].is_dir { Kind::Directory } else { Kind::File },
            bytes: world.inodes[*inode].now.len() as u64,
            modified_nanos: MODIFIED,
        };
        Ok(world.inodes[dir.inode].names.iter().map(entry).collect())
    }

    fn sync_dir(&self, dir: &SimDir) -> Result<()> {
        let (mut world, torn) = self.step(true)?;
        if torn {
            return Err(errno(libc::EIO));
        }
        let dir = &mut world.inodes[dir.inode];
        dir.durable_names = dir.names.clone();
        dir.renames.clear();
        Ok(())
    }

    fn free_bytes(&self, _dir: &SimDir) -> Result<u64> {
        let (world, _) = self.step(false)?;
        if let Some(free) = world.faults.free {
            return Ok(free);
        }
        // A full disk shows when it is written to.
        Ok(world.faults.capacity.map_or(u64::MAX, |_| 1 << 40))
    }

    fn open(&self, dir: &SimDir, name: &str, how: How) -> Result<SimFile> {
        let exists = self.world().child(dir, name).is_ok();
        let makes = matches!(how, How::Create | How::CreateNew) && !exists;
        let (mut world, torn) = self.step(makes || how == How::Write)?;
        if torn && !makes {
            return Err(errno(libc::EIO));
        }
        let inode = match world.child(dir, name) {
            Ok(_) if how == How::CreateNew => return Err(errno(libc::EEXIST)),
            Ok(inode) => inode,
            Err(_) if makes => Self::make(&mut world, dir.inode, name, false),
            Err(error) => return Err(error),
        };
        if torn {
            return Err(errno(libc::EIO));
        }
        if world.inodes[inode].is_dir {
            return Err(Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(self.file(&mut world, inode))
    }

    fn is_named(&self, dir: &SimDir, name: &str, file: &SimFile) -> Result<bool> {
        let (world, _) = self.step(false)?;
        Ok(world.child(dir, name).is_ok_and(|inode| inode == file.inode))
    }

    fn rename(&self, dir: &SimDir, from: &str, to: &str) -> Result<()> {
        let (mut world, torn) = self.step(true)?;
        if torn {
            return Err(errno(libc::EIO));
        }
        let inode = world.child(dir, from)?;
        Self::set_name(&mut world, dir.inode, to, Some(inode));
        Self::set_name(&mut world, dir.inode, from, None);
        let renames = &mut world.inodes[dir.inode].renames;
        let removed = renames.pop().unwrap();
        renames.last_mut().unwrap().extend(removed);
        Ok(())
    }

    fn remove_file(&self, dir: &SimDir, name: &str) -> Result<()> {
        let (mut world, torn) = self.step(true)?;
        world.child(dir, name)?;
        Self::set_name(&mut world, dir.inode, name, None);
        if torn {
            return Err(errno(libc::EIO));
        }
        Ok(())
    }

    fn len(&self, file: &SimFile) -> Result<u64> {
        let (world, _) = self.step(false)?;
        Ok(world.inodes[file.inode].now.len() as u64)
    }

    fn read_at(&self, file: &SimFile, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let (world, _) = self.step(false)?;
        let bytes = &world.inodes[file.inode].now;
        let rest = bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, file: &SimFile, offset: u64, bytes: &[u8]) -> Result<()> {
        let before = self.world().faults.clone();
        let torn_by_error = before.failing > 0 && before.failing_after == 0;
        let step = self.step(true);
        let (mut world, torn) = match step {
            // A failing write may write a part.
            Err(error) if torn_by_error && error.raw_os_error() == Some(libc::EIO) => {
                let mut world = self.world();
                let part = world.random.usize(0..=bytes.len());
                write(&mut world, file.inode, offset, &bytes[..part]);
                return Err(error);
            }
            step => step?,
        };
        let length = world.inodes[file.inode].now.len() as u64;
        let growth = (offset + bytes.len() as u64).saturating_sub(length);
        let room = world.faults.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(world.used()));
        let is_full = growth > room;
        let part = if torn {
            world.random.usize(0..=bytes.len())
        } else if is_full {
            bytes.len() - usize::try_from(growth - room).unwrap()
        } else {
            bytes.len()
        };
        write(&mut world, file.inode, offset, &bytes[..part]);
        if torn || is_full {
            return Err(errno(if torn { libc::EIO } else { libc::ENOSPC }));
        }
        Ok(())
    }

    fn truncate(&self, file: &SimFile, bytes: u64) -> Result<()> {
        let (mut world, torn) = self.step(true)?;
        if torn {
            return Err(errno(libc::EIO));
        }
        let change = Change::Cut(bytes);
        let inode = &mut world.inodes[file.inode];
        change.apply(&mut inode.now);
        inode.changes.push(change);
        Ok(())
    }

    fn sync_data(&self, file: &SimFile) -> Result<()> {
        let (mut world, torn) = self.step(true)?;
        if torn {
            return Err(errno(libc::EIO));
        }
        let inode = &mut world.inodes[file.inode];
        inode.durable.clone_from(&inode.now);
        inode.changes.clear();
        Ok(())
    }

    fn note_lock(&self, _: &SimFile) {}

    fn try_lock(&self, file: &SimFile) -> Result<bool> {
        let (mut world, torn) = self.step(true)?;
        if torn {
            return Err(errno(libc::EIO));
        }
        if world.faults.unlinked_before_lock {
            for inode in &mut world.inodes {
                inode.names.retain(|_, named| *named != file.inode);
            }
        }
        let holder = &mut world.inodes[file.inode].locked_by;
        if holder.is_some_and(|holder| holder != file.opening) {
            return Ok(false);
        }
        *holder = Some(file.opening);
        Ok(true)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        self.world().random.fill(bytes);
        Ok(())
    }

    fn process_id(&self) -> u32 {
        self.world().process
    }
}

fn write(world: &mut World, inode: usize, offset: u64, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let change = Change::Write(offset, bytes.to_vec());
    let inode = &mut world.inodes[inode];
    change.apply(&mut inode.now);
    inode.changes.push(change);
}
