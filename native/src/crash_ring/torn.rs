//! Stage 6 of 7, export: whether rings have the records of a block that is cut off in a spool. Threads: spooler; adopter.
//!
//! A process that dies while it writes a block to its spool leaves the block's records in its ring, and a mark with them. So a
//! cut-off block without such a mark was whole once: what was cut off behind its back is lost.

use crate::crash_ring::memory_place;
use crate::pipeline::Pipeline;
use crate::ring::survey::survey;
use crate::ring::{place, recover};
use crate::spool::identity::{process_of, Identity};
use crate::spooling::spooler::Spooler;
use std::collections::BTreeSet;
use std::path::Path;

/// The bit of no exporter: the block of these records is being written to the spool, or was in vain.
pub const BEING_WRITTEN: u32 = 31;

/// Records that the ring at `path` may hold of blocks that the process of the spool's `directory` was writing when it ended.
///
/// Of its own ring, those that are marked; after a loss of power, when a mark may be missing, all. Of the ring of an ended
/// process that it may have taken over, all. `u64::MAX`: somebody else has its ring, and delivers from it.
#[must_use]
pub fn held_by(path: &Path, directory: &str, identity: &Identity) -> u64 {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let is_own = process_of(name) == process_of(directory);
    // What cannot be read gives nothing back.
    let Ok(Some(found)) = survey(path, identity.boot) else { return 0 };
    match (is_own, found.is_alive) {
        _ if !identity.is_sibling(name) => 0,
        (false, true) => 0,
        (true, true) => u64::MAX,
        (true, false) if is_of(identity.boot, found.owner.map(|owner| owner.boot)) => {
            marked(path, identity.boot)
        }
        (_, false) => found.records,
    }
}

fn is_of(boot: u64, owner: Option<u64>) -> bool {
    boot != 0 && owner == Some(boot)
}

fn marked(path: &Path, boot: u64) -> u64 {
    match recover(path, boot) {
        Ok(Some(mut ring)) => {
            let chunks = ring.take_chunks();
            let marked = chunks.iter().filter(|chunk| chunk.done >> BEING_WRITTEN & 1 != 0);
            marked.map(|chunk| chunk.records).sum()
        }
        // Somebody was faster.
        Ok(None) => u64::MAX,
        Err(_) => 0,
    }
}

impl Pipeline {
    /// [`held_by`] of all rings of this service.
    pub(crate) fn held_in_rings(&self, spooler: &Spooler, directory: &str) -> u64 {
        let spool = spooler.settings();
        let mut places = BTreeSet::from([spool.directory.clone()]);
        places.extend(place::existing_memory().map(|memory| memory.join(memory_place(&spool.directory))));
        let ring = self.settings().ring.as_ref();
        places.extend(ring.and_then(|ring| ring.directory.clone()));
        let identity = Identity::of_this_process(&spool.service);
        let paths = places.iter().flat_map(|place| place::rings_in(place).unwrap_or_default());
        paths.fold(0, |sum, path| sum.saturating_add(held_by(&path, directory, &identity)))
    }
}
