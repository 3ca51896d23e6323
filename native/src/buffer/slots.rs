//! Stage 4 of 7, append: bytes in a slot of the crash ring instead of memory. Thread: caller.
//!
//! With durability `process` or `power`. The open chunks in memory are never there then, so that every record takes the slow
//! way: who logs into memory pays nothing for the ring.

use super::{Buffer, State};
use crate::buffer::lane::Lane;
use crate::crash_ring::CrashRing;
use crate::ring::Slot;
use std::sync::Arc;

impl Buffer {
    /// The same buffer with chunks in the slots of a ring, if there is one.
    #[must_use]
    pub fn with_ring(self, ring: Option<Arc<CrashRing>>) -> Self {
        let chunk_bytes = ring.as_ref().map_or(self.chunk_bytes, |ring| ring.slot_bytes());
        Self { chunk_bytes, ring, ..self }
    }

    /// The resource changed: what is not sealed yet is of the newest one.
    pub fn use_newest_resource(&self) {
        let mut state = self.lock();
        let State { full, main, audit, .. } = &mut *state;
        let open = [main, audit].into_iter().map(|lane: &mut Lane| &mut lane.chunk);
        let chunks = full.iter_mut().chain(open);
        chunks.filter_map(|chunk| chunk.slot.as_mut()).for_each(Slot::use_newest_resource);
    }
}
