//! Stage 4 of 7, append: what can go wrong with the crash ring, for people. Threads: any.

use std::fmt::{Display, Formatter, Result};
use std::io;
use std::path::{Path, PathBuf};

/// Why the ring did not do what it was asked for. The texts say what happened, with which values, and what to do.
#[derive(Debug)]
pub enum RingError {
    /// Numbers that a ring cannot have.
    Settings(String),
    /// The name is another ring's, or was taken at this moment: choose another.
    Taken(PathBuf),
    /// The file system could not give the ring's bytes.
    NoSpace {
        /// The file that was to be made.
        path: PathBuf,
        /// Its length.
        needed: u64,
        /// What the system said.
        error: io::Error,
    },
    /// Memory for files has too little room for this ring and others.
    NoRoom {
        /// The directory.
        place: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that have to be.
        needed: u64,
    },
    /// Others may read or exchange what is there.
    NotPrivate {
        /// The directory or file.
        path: PathBuf,
        /// Whose it is, and its mode.
        why: String,
    },
    /// The level `power` was asked for, and the place forgets everything when the power goes.
    NotDurable(PathBuf),
    /// The machine has no boot id, so after a crash nothing would say whether the file's bytes can be trusted.
    NoBootId(PathBuf),
    /// This system lacks what the ring stands on.
    Unsupported(io::Error),
    /// The area for scopes and resources is full; records that use what did not fit are recovered without it.
    SideFull {
        /// Bytes in use.
        used: u64,
        /// Bytes that the new one takes.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// The process was forked since: the ring is its parent's.
    Forked,
    /// An earlier checkpoint failed, so nothing can be promised about this file any more.
    Broken(PathBuf),
    /// The file is no ring that this version can read.
    NotARing {
        /// The file.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// Any other error of the operating system.
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl RingError {
    /// True when another name may be free.
    #[must_use]
    pub const fn is_taken(&self) -> bool {
        matches!(self, Self::Taken(_))
    }

    /// True when the directory is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }

    /// Stable name for what is said of a running process.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SideFull { .. } => "ring-scopes-full",
            Self::NotARing { .. } | Self::NotPrivate { .. } => "ring-corrupt",
            _ => "ring-io",
        }
    }

    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { doing, path, error }
    }
}

impl std::error::Error for RingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoSpace { error, .. } | Self::Io { error, .. } | Self::Unsupported(error) => Some(error),
            _ => None,
        }
    }
}

impl Display for RingError {
    fn fmt(&self, to: &mut Formatter<'_>) -> Result {
        match self {
            Self::Settings(text) => to.write_str(text),
            Self::Taken(path) => {
                write!(to, "{} exists, or was removed while it was made; use another name", path.display())
            }
            Self::NoSpace { path, needed, error } => write!(
                to,
                "no room for the crash ring {} of {needed} bytes: {error}; free that much, make the ring smaller, or choose \
                 another directory",
                path.display()
            ),
            Self::NoRoom { place, free, needed } => write!(
                to,
                "{} has {free} bytes free and the crash ring wants {needed} there; make it larger (Docker: --shm-size), make \
                 the ring smaller, or let it be in the spool's directory",
                place.display()
            ),
            Self::NotPrivate { path, why } => write!(
                to,
                "{} is not this user's alone: {why}; remove it, or give it to this user with mode 0700 (a file: 0600)",
                path.display()
            ),
            Self::NotDurable(path) => write!(
                to,
                "{} is memory, which does not survive a loss of power; choose a directory on a disk, or durability process",
                path.display()
            ),
            Self::NoBootId(path) => write!(
                to,
                "the crash ring {} is on a disk and this machine has no boot id (/proc/sys/kernel/random/boot_id), so after a \
                 crash nobody can tell whether it is whole; put it into memory (/dev/shm), or use durability power",
                path.display()
            ),
            Self::Unsupported(error) => write!(
                to,
                "this system cannot keep a crash ring ({error}); it needs Linux 4.14 or newer. Use durability memory"
            ),
            Self::SideFull { used, needed, limit } => write!(
                to,
                "the crash ring has {used} of {limit} bytes for scopes and resources in use, and {needed} more do not fit; \
                 records of further scopes are recovered without their scope. Make fewer loggers, or the area larger"
            ),
            Self::Forked => to.write_str(
                "the process was forked and this crash ring is its parent's; make one of its own in the child",
            ),
            Self::Broken(path) => write!(
                to,
                "an earlier checkpoint of {} failed, and the system may have thrown away what it could not write; make a new \
                 ring, on a disk that works",
                path.display()
            ),
            Self::NotARing { path, why } => {
                write!(to, "{} cannot be recovered: {why}; look at it, then remove it", path.display())
            }
            Self::Io { doing, path, error } => {
                write!(to, "could not {doing} {}: {error}; see what the system says of it", path.display())
            }
        }
    }
}
