//! Stage 6 of 7, export: how the spool is to behave. Threads: any; a value.

use super::quota::Quota;
use std::time::Duration;

/// When bytes are forced to the disk, beyond what the operating system does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// Never, but for the positions before a file is unlinked. A block survives the end of the process, not that of the
    /// machine.
    Never,
    /// By [`super::Spool::tick`] when this long has passed: a loss of power takes at most the blocks since then.
    Every(Duration),
    /// Before [`super::Spool::append`] returns: a loss of power takes nothing.
    Always,
}

/// One process's spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolSettings {
    /// Length of a segment file at most, in bytes; a larger block has a file of its own.
    pub segment_bytes: u64,
    /// How much disk it may take.
    pub quota: Quota,
    /// Age at which undecided blocks are dropped; `None`: never, the quota decides.
    pub max_age: Option<Duration>,
    /// When bytes are forced to the disk.
    pub fsync: Fsync,
}
