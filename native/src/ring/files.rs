//! Stage 4 of 7, append: a ring's file: opened, locked and judged. Threads: any, never a caller.
//!
//! Who holds the file's lock (`flock`) owns the ring. The system gives it back when the owner's last descriptor closes, however
//! it ends; so a lock that can be taken means that the owner is dead. A forked child inherits the descriptor; the lock is noted
//! ([`crate::spooling::forked_locks`]), so that the child gives its share back, of its parent's ring and of those that its parent took over.

use super::error::RingError;
use crate::spooling::forked_locks::Noted;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::os::fd::AsRawFd;
#[cfg(target_os = "linux")]
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const FILE_MODE: u32 = 0o600;
/// Whoever may read a ring reads logs; whoever may write to it forges them.
const OTHERS: u32 = 0o077;
const GROUP: u32 = 0o070;

/// A file whose lock we have, or are about to take. Noted before the lock is tried: a fork in between leaves nothing behind.
#[derive(Debug)]
pub struct Held {
    /// First, because it has to be forgotten before the descriptor is closed.
    _noted: Noted,
    file: File,
}

impl Held {
    fn new(file: File) -> Self {
        Self { _noted: Noted::new(&file), file }
    }
}

impl Deref for Held {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

/// Makes a new file and locks it. [`RingError::Taken`] when the name is somebody's.
pub fn create(path: &Path) -> Result<Held, RingError> {
    let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .custom_flags(flags)
        .open(path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(RingError::Taken(path.to_owned()))
        }
        result => Held::new(result.map_err(RingError::io("make", path))?),
    };
    // Somebody who looks for dead processes may have seen the file before it was locked, and removed it.
    if try_lock(&file).map_err(RingError::io("lock", path))? && is_named(path, &file) {
        return Ok(file);
    }
    Err(RingError::Taken(path.to_owned()))
}

/// Opens and locks what another process left. `None`: it lives, or somebody was faster, or nothing is there.
pub fn adopt(path: &Path) -> Result<Option<Held>, RingError> {
    let Some(file) = open(path)? else { return Ok(None) };
    let is_held = try_lock(&file).map_err(RingError::io("lock", path))? && is_named(path, &file);
    Ok(is_held.then_some(file))
}

/// Opens what another process left, or has. `None`: nothing is there.
fn open(path: &Path) -> Result<Option<Held>, RingError> {
    // Without `O_NONBLOCK`, opening a pipe that somebody put there would wait for its other end.
    let flags = libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).write(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => Held::new(result.map_err(RingError::io("open", path))?),
    };
    let metadata = file.metadata().map_err(RingError::io("look at", path))?;
    if !metadata.is_file() {
        return Err(RingError::NotARing { path: path.to_owned(), why: "it is not a regular file" });
    }
    close_to_group(&file).map_err(RingError::io("close to others", path))?;
    let metadata = file.metadata().map_err(RingError::io("look at", path))?;
    only_ours(path, &metadata)?;
    Ok(Some(file))
}

/// Opens a ring to look at it, and says whether a process has it. Nobody can take it over meanwhile, and looks again later.
/// `None`: nothing is there.
pub fn look(path: &Path) -> Result<Option<(Held, bool)>, RingError> {
    let Some(file) = open(path)? else { return Ok(None) };
    let is_free = try_lock(&file).map_err(RingError::io("lock", path))?;
    Ok(Some((file, !is_free)))
}

/// Takes back what the group may do with a file or a directory of this user, which everybody else may do nothing with:
/// Kubernetes gives that to the `fsGroup` of a pod at each mount.
pub fn close_to_group(file: &File) -> io::Result<()> {
    let metadata = file.metadata()?;
    // SAFETY: a call without arguments that cannot fail.
    let user = unsafe { libc::geteuid() };
    if metadata.uid() == user && metadata.mode() & OTHERS & !GROUP == 0 && metadata.mode() & GROUP != 0 {
        file.set_permissions(Permissions::from_mode(metadata.mode() & 0o700))?;
    }
    Ok(())
}

/// Gives the space of a part of the file back, which reads as zeros from then on. Where that is not possible, nothing happens.
#[cfg(target_os = "linux")]
pub fn punch(file: &File, at: u64, bytes: u64) {
    let (Ok(at), Ok(bytes)) = (libc::off_t::try_from(at), libc::off_t::try_from(bytes)) else { return };
    if bytes > 0 {
        let how = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        // SAFETY: a call on a descriptor that `file` keeps open meanwhile; it touches no memory of ours.
        unsafe { libc::fallocate(file.as_raw_fd(), how, at, bytes) };
    }
}

/// Elsewhere there is no ring, so nobody calls this.
#[cfg(not(target_os = "linux"))]
pub fn punch(_: &File, _: u64, _: u64) {}

/// Refuses what another user owns or may use.
pub fn only_ours(path: &Path, metadata: &fs::Metadata) -> Result<(), RingError> {
    // SAFETY: a call without arguments that cannot fail.
    let user = unsafe { libc::geteuid() };
    if metadata.uid() == user && metadata.mode() & OTHERS == 0 {
        return Ok(());
    }
    let why = format!("it belongs to user {} and has mode {:o}", metadata.uid(), metadata.mode() & 0o7777);
    Err(RingError::NotPrivate { path: path.to_owned(), why })
}

/// Gives the lock back, for every process that has the same descriptor.
pub fn unlock(file: &File) {
    // SAFETY: a call on a descriptor that `file` keeps open meanwhile; it touches no memory of ours.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_UN) };
}

/// Gives up this process's share of the lock of `file`, whose descriptor means nothing from then on. Waits for nothing, so that it may be called in
/// a forked child.
#[cfg(target_os = "linux")]
pub fn let_go(file: &File) {
    // SAFETY: a call without memory of ours.
    let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if descriptor < 0 {
        return;
    }
    // SAFETY: the system made it just now, for us.
    let nothing = unsafe { OwnedFd::from_raw_fd(descriptor) };
    // Closing it would let another file have its number while `file` still believes in it.
    // SAFETY: both descriptors are open and ours; no memory is touched.
    unsafe { libc::dup3(nothing.as_raw_fd(), file.as_raw_fd(), libc::O_CLOEXEC) };
}

/// Elsewhere there is no ring, so nobody calls this.
#[cfg(not(target_os = "linux"))]
pub fn let_go(_: &File) {}

/// Whether `path` still is `file`.
#[must_use]
pub fn is_named(path: &Path, file: &File) -> bool {
    let named = fs::symlink_metadata(path).map(|named| (named.dev(), named.ino()));
    let open = file.metadata().map(|open| (open.dev(), open.ino()));
    matches!((named, open), (Ok(named), Ok(open)) if named == open)
}

/// Free bytes of the file system that `directory` is on.
pub fn free_bytes(directory: &File) -> io::Result<u64> {
    let mut found = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `found` is valid for writing and the descriptor stays open during the call.
    if unsafe { libc::fstatvfs(directory.as_raw_fd(), found.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it filled the value.
    let found = unsafe { found.assume_init() };
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion)] // The width differs between platforms.
    Ok((found.f_bavail as u64).saturating_mul(found.f_frsize as u64))
}

/// Whether the file system is memory: it is gone after a loss of power, and what is there was written in this boot.
#[cfg(target_os = "linux")]
#[must_use]
pub fn is_memory(file: &File) -> bool {
    const RAMFS: i64 = 0x8584_58f6;
    let mut found = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: `found` is valid for writing and the descriptor stays open during the call.
    if unsafe { libc::fstatfs(file.as_raw_fd(), found.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: the call succeeded, so it filled the value.
    let kind = unsafe { found.assume_init() }.f_type;
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion)] // The width differs between platforms.
    let kind = kind as i64;
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion)] // As above.
    let is_tmpfs = kind == libc::TMPFS_MAGIC as i64;
    is_tmpfs || kind == RAMFS
}

/// Elsewhere there is no ring, so nothing depends on it.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn is_memory(_: &File) -> bool {
    false
}

fn try_lock(file: &File) -> io::Result<bool> {
    loop {
        // SAFETY: a call on a descriptor that `file` keeps open meanwhile; it touches no memory of ours.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock => return Ok(false),
            io::ErrorKind::Interrupted => {}
            _ => return Err(error),
        }
    }
}
