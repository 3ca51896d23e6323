//! What stage 4 hands to stage 5: frames in call order, with a mark where the scope changes. Imports nothing.

/// First byte of a scope mark: field 15 as fixed32, which `ScopeLogs` never uses. Stripped at seal.
pub const SCOPE_MARK: u8 = 0x7d;

/// Records of one chunk on their way to the sealer.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Scope marks and frames, in call order.
    pub bytes: Vec<u8>,
    /// Frames inside.
    pub records: u64,
    /// Of these, records that shedding must spare.
    pub protected_records: u64,
    /// Position among the chunks handed over, from 1.
    pub number: u64,
    /// Audit and security records: nothing displaces them.
    pub kept: bool,
}
