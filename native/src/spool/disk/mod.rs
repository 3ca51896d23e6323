//! Stage 6 of 7, export: what the spool needs from a file system, and nothing more. Threads: as the spool.
//!
//! Everything happens relative to an open directory, never through a path that somebody could exchange meanwhile.
//! [`real::RealDisk`] is the machine's; the tests have a simulated one that loses power and runs full.

pub mod real;

use std::fmt::Debug;
use std::io;
use std::path::Path;

/// How a file is opened. No symbolic link is followed, and what is not a regular file is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// For reading.
    Read,
    /// For reading and writing; it must exist.
    Write,
    /// For reading and writing; it must not exist. Mode 0600.
    CreateNew,
    /// For reading and writing; made when it is missing. Mode 0600.
    Create,
}

/// What kind of thing a name in a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link, a pipe, a device.
    Other,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name; unreadable characters replaced, so that it matches nothing of ours.
    pub name: String,
    /// What it is; links are not followed.
    pub kind: Kind,
    /// Length in bytes.
    pub bytes: u64,
    /// Last change of the content, in nanoseconds since the Unix epoch.
    pub modified_nanos: u64,
}

/// A file system.
pub trait Disk: Debug + Send + Sync {
    /// An open directory.
    type Dir: Debug + Send + Sync;
    /// An open file.
    type File: Debug + Send + Sync;
    /// What keeps a lock from living on in a forked child; dropped before the file.
    type Noted: Debug + Send + Sync;

    /// Opens the directory at `path`; makes it, and those above it, with mode 0700. Links in `path` are followed:
    /// it is the administrator's choice.
    fn open_root(&self, path: &Path) -> io::Result<Self::Dir>;
    /// Makes a directory with mode 0700 and opens it; it must not exist.
    fn create_dir(&self, parent: &Self::Dir, name: &str) -> io::Result<Self::Dir>;
    /// Opens a directory. `PermissionDenied` when it is not this user's or others may write to it.
    fn open_dir(&self, parent: &Self::Dir, name: &str) -> io::Result<Self::Dir>;
    /// Removes an empty directory.
    fn remove_dir(&self, parent: &Self::Dir, name: &str) -> io::Result<()>;
    /// Every name in the directory, in no order.
    fn list(&self, dir: &Self::Dir) -> io::Result<Vec<Entry>>;
    /// Forces names to the disk.
    fn sync_dir(&self, dir: &Self::Dir) -> io::Result<()>;
    /// Bytes that this user may still write to the file system.
    fn free_bytes(&self, dir: &Self::Dir) -> io::Result<u64>;
    /// Takes away what others may do with a directory of this user. True if there was something to take.
    fn make_private(&self, _: &Self::Dir) -> io::Result<bool> {
        Ok(false)
    }
    /// Opens a file; never waits for one.
    fn open(&self, dir: &Self::Dir, name: &str, how: How) -> io::Result<Self::File>;
    /// Whether `name` still is this file.
    fn is_named(&self, dir: &Self::Dir, name: &str, file: &Self::File) -> io::Result<bool>;
    /// Renames a file within the directory; one that has the new name is replaced.
    fn rename(&self, dir: &Self::Dir, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, dir: &Self::Dir, name: &str) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self, file: &Self::File) -> io::Result<u64>;
    /// Reads up to `buffer.len()` bytes; fewer at the end of the file.
    fn read_at(&self, file: &Self::File, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes all of `bytes`; after an error, any part of them may be written.
    fn write_at(&self, file: &Self::File, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file, or lengthens it with zeros.
    fn truncate(&self, file: &Self::File, bytes: u64) -> io::Result<()>;
    /// Forces content and length to the disk.
    fn sync_data(&self, file: &Self::File) -> io::Result<()>;
    /// Takes the file's lock without waiting. False when somebody else has it. It lasts until every descriptor of
    /// this opening is closed, those that a forked child inherited included.
    fn try_lock(&self, file: &Self::File) -> io::Result<bool>;
    /// Notes a file whose lock a forked child has to let go of.
    fn note_lock(&self, file: &Self::File) -> Self::Noted;
    /// Fills `bytes` with what nobody can guess.
    fn random(&self, bytes: &mut [u8]) -> io::Result<()>;
    /// The running process, which is another one after a fork.
    fn process_id(&self) -> u32;
}

/// Reads from `offset` until `buffer` is full or the file ends; returns how much.
pub(super) fn read_full<D: Disk>(
    disk: &D,
    file: &D::File,
    offset: u64,
    buffer: &mut [u8],
) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match disk.read_at(file, offset.saturating_add(done as u64), &mut buffer[done..])? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}
