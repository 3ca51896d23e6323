//! What stage 4 hands to stage 5: frames in call order, with a mark where the scope changes. Imports the ring's slot only.

use crate::ring::Slot;

/// First byte of a scope mark: field 15 as fixed32, which `ScopeLogs` never uses. Stripped at seal.
pub const SCOPE_MARK: u8 = 0x7d;

/// Records of one chunk on their way to the sealer.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Scope marks and frames, in call order; empty when they are in a slot.
    pub bytes: Vec<u8>,
    /// Where they are with a crash ring.
    pub slot: Option<Slot>,
    /// Frames inside.
    pub records: u64,
    /// Of these, records that shedding must spare.
    pub protected_records: u64,
    /// Position among the chunks handed over, from 1.
    pub number: u64,
    /// Audit and security records: nothing displaces them.
    pub audited: bool,
}

impl Chunk {
    /// Scope marks and frames, wherever they are.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        self.slot.as_ref().map_or(&self.bytes, Slot::bytes)
    }
}
