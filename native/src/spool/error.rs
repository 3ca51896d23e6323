//! Stage 6 of 7, export: what can go wrong with the spool, for people and for whoever decides what to do. Threads: any.

use std::fmt::{Display, Formatter, Result};
use std::io;

/// Why the spool did not do what it was asked for. The texts say what happened, with which values, and what to do.
#[derive(Debug)]
pub enum SpoolError {
    /// The spool is as large as it may be.
    Quota {
        /// Bytes on disk, those of other processes of this service included.
        used: u64,
        /// Bytes that the new block takes.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// More blocks than the spool keeps track of.
    TooManyBlocks {
        /// The limit.
        limit: usize,
    },
    /// The file system has less free space than must be left to others.
    MinFree {
        /// Bytes that are free.
        free: u64,
        /// Bytes that the new block takes.
        needed: u64,
        /// Bytes to leave free.
        minimum: u64,
    },
    /// The file system is full, or this user's share of it.
    NoSpace(Fault),
    /// The file system or the file cannot be written.
    ReadOnly(Fault),
    /// Any other error of the operating system.
    Io(Fault),
    /// The disk has not answered yet.
    Silent {
        /// What was asked for.
        name: String,
    },
    /// A block's bytes are not those that were written: it is lost.
    Corrupt {
        /// Its number.
        number: u64,
        /// Log records inside.
        records: u64,
    },
    /// An intact block that this process cannot read; it stays until the age limit.
    Unreadable {
        /// Its number.
        number: u64,
        /// Why.
        why: Unreadable,
    },
    /// A block larger than a spool takes.
    TooLarge {
        /// Bytes or records of the block.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// No such block: settled, dropped, or of another spool.
    NotFound {
        /// The number asked for.
        number: u64,
    },
    /// The spool was opened for draining what another process left; new blocks go to the process's own.
    Adopted,
    /// The process was forked since: the files belong to the parent.
    Forked,
    /// Somebody removed the directory: what is written reaches nobody.
    Gone {
        /// The directory.
        name: String,
    },
    /// Somebody else made or took every name that was tried.
    Taken {
        /// The last of them.
        name: String,
    },
    /// The names of the exporters cannot be stored.
    Exporters(String),
    /// The keys cannot be used.
    Keys(String),
}

/// Why an intact block cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is encrypted with a key that is not among those given.
    UnknownKey(u32),
    /// The key with this id does not open it.
    WrongKey(u32),
    /// It is compressed or stored in a way that this version does not know.
    Newer,
}

/// An error of the operating system, and what was being done.
#[derive(Debug)]
pub struct Fault {
    /// Such as `write`.
    pub doing: &'static str,
    /// File or directory.
    pub name: String,
    /// What the system said.
    pub source: io::Error,
}

impl SpoolError {
    /// Sorts an error of the operating system.
    #[must_use]
    pub fn io(doing: &'static str, name: &str, source: io::Error) -> Self {
        let code = source.raw_os_error();
        let fault = Fault { doing, name: name.to_owned(), source };
        match code {
            Some(libc::ENOSPC | libc::EDQUOT) => Self::NoSpace(fault),
            Some(libc::EROFS | libc::EACCES | libc::EPERM) => Self::ReadOnly(fault),
            _ => Self::Io(fault),
        }
    }

    /// Stable slug.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Quota { .. } | Self::TooManyBlocks { .. } => "spool-full",
            Self::MinFree { .. } | Self::NoSpace(_) => "spool-no-space",
            Self::ReadOnly(_) => "spool-read-only",
            Self::Io(_) | Self::Silent { .. } => "spool-io",
            Self::Corrupt { .. } => "spool-corrupt",
            Self::Unreadable { .. } => "spool-unreadable",
            Self::TooLarge { .. } => "spool-block-too-large",
            Self::NotFound { .. } => "spool-not-found",
            Self::Adopted | Self::Forked => "spool-misused",
            Self::Taken { .. } => "spool-taken",
            Self::Gone { .. } => "spool-gone",
            Self::Exporters(_) | Self::Keys(_) => "spool-settings",
        }
    }
}

impl Display for Fault {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        write!(formatter, "cannot {} {}: {}", self.doing, self.name, self.source)
    }
}

impl Display for Unreadable {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Self::UnknownKey(id) => write!(formatter, "it is encrypted with key {id}, which was not given"),
            Self::WrongKey(id) => write!(formatter, "key {id} does not open it"),
            Self::Newer => formatter.write_str("a newer version of fapilog wrote it"),
        }
    }
}

impl Display for SpoolError {
    fn fmt(&self, to: &mut Formatter<'_>) -> Result {
        match self {
            Self::Quota { used, needed, limit } => write!(
                to,
                "the spool holds {used} bytes and a block of {needed} more would exceed its quota of {limit}; raise \
                 the quota, or see why the exporters deliver nothing"
            ),
            Self::TooManyBlocks { limit } => write!(
                to,
                "the spool holds {limit} blocks, the most it keeps track of; see why the exporters deliver nothing"
            ),
            Self::MinFree { free, needed, minimum } => write!(
                to,
                "the file system has {free} bytes free and a block of {needed} would leave less than the {minimum} \
                 that the spool must leave; free some, or lower the minimum"
            ),
            Self::NoSpace(fault) => write!(to, "{fault}; free some space, or move the spool"),
            Self::ReadOnly(fault) => {
                write!(to, "{fault}; give this user the right to write there, or move the spool")
            }
            Self::Io(fault) if fault.source.kind() == io::ErrorKind::NotFound => {
                write!(to, "{fault}; `fapilog spool list` names what is there")
            }
            // What is wrong says what to do.
            Self::Io(fault)
                if matches!(fault.source.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) =>
            {
                write!(to, "{fault}")
            }
            Self::Io(fault) => write!(to, "{fault}; see the system's log for the state of the disk"),
            Self::Silent { name } => write!(
                to,
                "the disk of {name} does not answer; see whether its file system is mounted and its server is there"
            ),
            Self::Corrupt { number, records } => write!(
                to,
                "block {number} of the spool with {records} records is damaged and lost; see the system's log for \
                 the state of the disk"
            ),
            Self::Unreadable { number, why } => write!(
                to,
                "block {number} of the spool cannot be read: {why}; it stays until the age limit, so start a process \
                 that can"
            ),
            Self::TooLarge { size, limit } => {
                write!(to, "a block of {size} is larger than the {limit} that a spool takes; seal smaller blocks")
            }
            Self::NotFound { number } => write!(to, "the spool holds no block {number}; it was settled or dropped"),
            Self::Adopted => to.write_str("this spool only drains; append to the process's own"),
            Self::Forked => to.write_str("this spool belongs to the parent process; make one after the fork"),
            Self::Gone { name } => {
                write!(to, "the spool directory {name} was removed while it was in use; leave it to its process")
            }
            Self::Taken { name } => {
                write!(
                to,
                "no directory for this process could be made: all names that were tried are taken, or removed at once, the \
                 last was {name}; see what else works in the spool's root"
            )
            }
            Self::Exporters(what) | Self::Keys(what) => to.write_str(what),
        }
    }
}

impl std::error::Error for SpoolError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoSpace(fault) | Self::ReadOnly(fault) | Self::Io(fault) => Some(&fault.source),
            _ => None,
        }
    }
}
