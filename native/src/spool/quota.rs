//! Stage 6 of 7, export: how much disk the spool may take. Threads: as the spool. Pure, no files.

use super::error::SpoolError;

/// Limits of the disk's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes on disk at most, other processes of the same service included.
    pub max_bytes: u64,
    /// Bytes that stay free on the file system.
    pub min_free_bytes: u64,
}

impl Quota {
    /// Whether `needed` more bytes fit beside `used`, on a file system with `free` left.
    ///
    /// `free` is `None` when the system did not say: then a full file system shows when it is written to.
    pub const fn admit(&self, used: u64, needed: u64, free: Option<u64>) -> Result<(), SpoolError> {
        if used.saturating_add(needed) > self.max_bytes {
            return Err(SpoolError::Quota { used, needed, limit: self.max_bytes });
        }
        if let Some(free) = free {
            if free.saturating_sub(needed) < self.min_free_bytes {
                return Err(SpoolError::MinFree { free, needed, minimum: self.min_free_bytes });
            }
        }
        Ok(())
    }
}
