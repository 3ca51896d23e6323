//! Stage 6 of 7, export: how native threads wake Python's delivery loop without calling Python. Threads: any.
//!
//! A descriptor that polls readable: an `eventfd` on Linux, elsewhere a pipe. It exists from the first question for it;
//! until then waking costs one load. Several wakes before a read are one: whoever reads looks for all work.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::sync::OnceLock;

/// What an eventfd takes and gives; a pipe does not mind.
const ONE: [u8; 8] = 1u64.to_ne_bytes();

/// Both ends; the same one twice for an eventfd.
#[derive(Debug)]
struct Ends {
    read: File,
    write: File,
}

/// A descriptor that may be asked for, and is written to when there may be work.
#[derive(Debug, Default)]
pub struct Wake {
    ends: OnceLock<Ends>,
}

impl Wake {
    /// The descriptor to poll; readable at first, for what happened before it was asked for. It stays ours.
    pub fn fd(&self) -> io::Result<RawFd> {
        if let Some(ends) = self.ends.get() {
            return Ok(ends.read.as_raw_fd());
        }
        let ends = open()?;
        // Another thread may have been first; then ours closes again.
        let ends = self.ends.get_or_init(|| ends);
        self.wake();
        Ok(ends.read.as_raw_fd())
    }

    /// Makes the descriptor readable.
    pub fn wake(&self) {
        if let Some(ends) = self.ends.get() {
            // Full means readable already, which is all that is wanted.
            let _ = (&ends.write).write(&ONE);
        }
    }

    /// Takes back every wake so far. True when there was one.
    pub fn clear(&self) -> bool {
        let Some(ends) = self.ends.get() else { return false };
        let mut woken = false;
        let mut scratch = [0; 4096];
        while matches!((&ends.read).read(&mut scratch), Ok(count) if count > 0) {
            woken = true;
            if cfg!(target_os = "linux") {
                break;
            }
        }
        woken
    }
}

#[cfg(target_os = "linux")]
fn open() -> io::Result<Ends> {
    // SAFETY: a plain call; the result is checked before it is used.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    let read = unsafe { File::from_raw_fd(fd) };
    let write = read.try_clone()?;
    Ok(Ends { read, write })
}

#[cfg(not(target_os = "linux"))]
fn open() -> io::Result<Ends> {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors; the result is checked before they are used.
    if unsafe { libc::pipe(fds.as_mut_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: two new descriptors that nobody else owns.
    let ends = unsafe { Ends { read: File::from_raw_fd(fds[0]), write: File::from_raw_fd(fds[1]) } };
    for fd in fds {
        // SAFETY: plain calls on open descriptors.
        let set = unsafe {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) >= 0
                && libc::fcntl(fd, libc::F_SETFL, libc::fcntl(fd, libc::F_GETFL) | libc::O_NONBLOCK) >= 0
        };
        if !set {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(ends)
}
