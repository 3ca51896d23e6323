//! Stage 4 of 7, append: where a ring's file goes: memory for files if it has room, else a directory. Threads: any, never a caller.
//!
//! A page of a file on a disk may have to wait for that disk when it is written to; one of a file in memory never does. So a
//! ring that need not survive a loss of power belongs into memory.

use super::error::RingError;
use super::files;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where Linux has memory for files.
pub const SHARED_MEMORY: &str = "/dev/shm";
/// How the names of ring files end.
pub const EXTENSION: &str = "ring";
/// How the name of a ring ends in which nothing could be read.
pub const SET_ASIDE: &str = "ring.corrupt";
/// A ring may take one part in this many of what is free: containers have 64 MiB of it, for everybody.
const SHARE: u64 = 2;

/// This user's directory below [`SHARED_MEMORY`], made when it is missing, if a ring of `needed` bytes may be there.
pub fn shared_memory(needed: u64) -> Result<PathBuf, RingError> {
    in_memory(Path::new(SHARED_MEMORY), needed)
}

/// This user's directory below [`SHARED_MEMORY`], if there is one that nobody else may use.
#[must_use]
pub fn existing_memory() -> Option<PathBuf> {
    let directory = directory_in(Path::new(SHARED_MEMORY));
    let metadata = fs::symlink_metadata(&directory).ok()?;
    (metadata.is_dir() && files::only_ours(&directory, &metadata).is_ok()).then_some(directory)
}

fn directory_in(base: &Path) -> PathBuf {
    // SAFETY: a call without arguments that cannot fail.
    let user = unsafe { libc::geteuid() };
    base.join(format!("fapilog-{user}"))
}

/// Removes the directory of a ring that was removed, if it is one below [`existing_memory`] and empty.
pub fn tidy(ring: &Path) {
    let Some(directory) = ring.parent() else { return };
    if existing_memory().is_some_and(|memory| directory.parent() == Some(&memory)) {
        // It may not be empty: then others use it.
        let _ = fs::remove_dir(directory);
    }
}

/// As [`shared_memory`], for memory that is mounted elsewhere.
pub fn in_memory(base: &Path, needed: u64) -> Result<PathBuf, RingError> {
    let base_dir = File::open(base).map_err(RingError::io("open", base))?;
    if !files::is_memory(&base_dir) {
        return Err(RingError::NotARing { path: base.to_owned(), why: "it is not memory for files (tmpfs)" });
    }
    let free = files::free_bytes(&base_dir).map_err(RingError::io("look at", base))?;
    let needed = needed.saturating_mul(SHARE);
    if free < needed {
        return Err(RingError::NoRoom { place: base.to_owned(), free, needed });
    }
    let directory = directory_in(base);
    private_directory(&directory)?;
    Ok(directory)
}

/// Makes `path` with mode 0700, or checks that it is this user's alone: everybody may make names in `/dev/shm`.
pub fn private_directory(path: &Path) -> Result<(), RingError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(RingError::io("make", path)(error))
        }
        _ => {}
    }
    let metadata = fs::symlink_metadata(path).map_err(RingError::io("look at", path))?;
    if !metadata.is_dir() {
        let why = "it is no directory, or a link to one".to_owned();
        return Err(RingError::NotPrivate { path: path.to_owned(), why });
    }
    if files::only_ours(path, &metadata).is_ok() {
        return Ok(());
    }
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let directory = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let directory = directory.map_err(RingError::io("open", path))?;
    files::close_to_group(&directory).map_err(RingError::io("close to others", path))?;
    files::only_ours(path, &directory.metadata().map_err(RingError::io("look at", path))?)
}

/// The directories of this user's rings in memory, of all services and spools.
#[must_use]
pub fn memory_directories() -> Vec<PathBuf> {
    let entries = existing_memory().and_then(|memory| fs::read_dir(memory).ok());
    let mut paths: Vec<PathBuf> = entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()));
    paths.sort_unstable();
    paths
}

/// As [`rings_in`], with those that were set aside because nothing in them could be read.
pub fn all_in(directory: &Path) -> Result<Vec<PathBuf>, RingError> {
    let aside = format!(".{SET_ASIDE}");
    let mut paths = rings_in(directory)?;
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    paths.extend(entries.filter(|path| path.to_str().is_some_and(|path| path.ends_with(&aside))));
    paths.sort_unstable();
    Ok(paths)
}

/// Ring files in `directory`, those of living processes included, in order of their names. None when there is no directory.
pub fn rings_in(directory: &Path) -> Result<Vec<PathBuf>, RingError> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        result => result.map_err(RingError::io("list", directory))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(RingError::io("list", directory))?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}
