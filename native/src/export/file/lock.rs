//! Stage 6 of 7, export: the lock of a log file between processes. Thread: sender.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Longest wait for another process, which holds the lock while it writes one block. A stopped one holds it for long:
/// then the block is tried again later, and the sender can still be told to stop.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// An exclusive lock, given back when it goes out of scope.
#[derive(Debug)]
pub(super) struct Lock<'a>(&'a File);

impl<'a> Lock<'a> {
    /// Takes the lock; `WouldBlock` when another holder kept it too long.
    ///
    /// On a file system without locks (some network mounts) nothing is locked: there a path belongs to one process.
    pub(super) fn take(file: &'a File) -> io::Result<Self> {
        let begun = Instant::now();
        loop {
            match flock(file, libc::LOCK_EX | libc::LOCK_NB) {
                Ok(()) => return Ok(Self(file)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if begun.elapsed() > PATIENCE {
                        let message = "another process holds its lock";
                        return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
                    }
                    std::thread::sleep(LOOK_AGAIN);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.raw_os_error(), Some(libc::ENOLCK | libc::ENOTSUP | libc::ENOSYS)) =>
                {
                    return Ok(Self(file));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the lock if nobody has it.
    pub(super) fn try_take(file: &'a File) -> Option<Self> {
        flock(file, libc::LOCK_EX | libc::LOCK_NB).is_ok().then_some(Self(file))
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        let _ = flock(self.0, libc::LOCK_UN);
    }
}

fn flock(file: &File, operation: libc::c_int) -> io::Result<()> {
    // SAFETY: a system call on a descriptor that `file` keeps open meanwhile; it touches no memory of ours.
    match unsafe { libc::flock(file.as_raw_fd(), operation) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
