//! Stage 6 of 7, export: file locks that a forked child must not keep. Thread: any; the child's only one.
//!
//! A lock belongs to an opening of its file, and a child inherits the opening: while it lives, the parent's directory looks
//! alive, and nobody takes it over. The child cannot go through the parent's values, because a thread that it does not have
//! may hold their mutex. So descriptors of locks are noted here, without one, and the child puts `/dev/null` in their places:
//! the opening is gone, and the number stays taken, so that whoever closes it later closes nothing else.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

const FREE: RawFd = -1;
/// Locks of one process at once: for each pipeline its own directory and a few that it took over.
const SLOTS: usize = 256;

static HELD: [AtomicI32; SLOTS] = [const { AtomicI32::new(FREE) }; SLOTS];

/// A noted descriptor, forgotten when dropped: before the file is closed.
#[derive(Debug)]
pub struct Noted {
    slot: Option<usize>,
    descriptor: RawFd,
}

impl Noted {
    /// Notes a descriptor. Beyond `SLOTS` nothing is noted: a child keeps such a lock.
    #[must_use]
    pub fn new(file: &impl AsRawFd) -> Self {
        let descriptor = file.as_raw_fd();
        let take = |slot: &AtomicI32| {
            slot.compare_exchange(FREE, descriptor, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        Self { slot: HELD.iter().position(take), descriptor }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            // In a child the place may be somebody else's by now.
            let _ = HELD[slot].compare_exchange(self.descriptor, FREE, Ordering::AcqRel, Ordering::Relaxed);
        }
    }
}

/// In a forked child: lets go of every noted lock. Waits for nothing and allocates nothing.
pub fn leave_to_parent() {
    // SAFETY: the path ends in NUL; the call touches no other memory.
    let null = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    for slot in &HELD {
        let descriptor = slot.swap(FREE, Ordering::AcqRel);
        if descriptor != FREE {
            replace(null, descriptor);
        }
    }
    if null >= 0 {
        // SAFETY: it was opened above and nobody else knows it.
        unsafe { libc::close(null) };
    }
}

/// Puts another opening in a descriptor's place; closes it where there is none.
fn replace(null: RawFd, descriptor: RawFd) {
    // SAFETY: calls on numbers only. A noted descriptor is open, because its file outlives the note, and belongs to an
    // opening that this process does not use any more. Closing it is the last resort of a process without descriptors.
    unsafe {
        if null < 0 || libc::dup2(null, descriptor) < 0 {
            libc::close(descriptor);
        } else {
            libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}
