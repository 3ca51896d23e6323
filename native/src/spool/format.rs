//! Stage 6 of 7, export: the bytes of a segment file, written and read. Threads: any; pure functions, no files.
//!
//! `docs/reference/spool_format.md` is the specification; S1, S2, ... in comments are its clauses. Reading takes any
//! bytes and answers `None` for what is not ours; it never panics.

use super::owed::{Exporters, MAX_EXPORTERS, MAX_NAME_BYTES};
use crate::block::Codec;

/// S1: files of other versions are left alone.
pub const VERSION: u16 = 1;
/// S2: headers and payloads start at multiples of this.
pub const ALIGNMENT: u64 = 8;
/// S4: length of a block's header, in bytes.
pub const BLOCK_HEADER_BYTES: usize = 64;
/// S5: the flag of an encrypted payload.
pub const ENCRYPTED: u8 = 1;
/// S4: the flag of a block that batch processors have not seen.
pub const UNPROCESSED: u8 = 2;
/// S3: length of a segment's header without the exporters' names, in bytes.
pub const SEGMENT_HEADER_BYTES: usize = 64;
/// S3: length of a segment's header at most, in bytes.
pub const MAX_SEGMENT_HEADER_BYTES: usize = SEGMENT_HEADER_BYTES + MAX_EXPORTERS * (MAX_NAME_BYTES + 1);

pub(super) const SEGMENT_MAGIC: [u8; 4] = *b"FSPS";
/// S4: what a search for the next block looks for.
pub const BLOCK_MAGIC: [u8; 4] = *b"FSPB";
/// Header checksums cover what follows them.
const CHECKED_FROM: usize = 8;

/// The next multiple of [`ALIGNMENT`].
#[must_use]
pub const fn aligned(length: u64) -> u64 {
    length.saturating_add(ALIGNMENT - 1) & !(ALIGNMENT - 1)
}

/// S3: what stands at the start of a segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Random, one for each process directory.
    pub instance: [u8; 16],
    /// Hash of the machine's boot id, for people.
    pub boot: u64,
    /// The number in the file's name.
    pub segment: u32,
    /// Number of the first block inside.
    pub first_number: u64,
    /// When the file was made, in nanoseconds since the Unix epoch.
    pub created_nanos: u64,
    /// Names of the exporters; the position is the bit in a block's header.
    pub exporters: Vec<String>,
}

/// What the first bytes of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// A segment, and the length of its header in bytes.
    Segment(SegmentHeader, u64),
    /// A segment of another version.
    OtherVersion(u16),
    /// Damaged, cut off, or nothing of ours.
    Unknown,
}

impl SegmentHeader {
    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut names = Vec::new();
        for name in self.exporters.iter().take(MAX_EXPORTERS) {
            let name = name.as_bytes();
            let length = name.len().min(MAX_NAME_BYTES);
            names.push(length as u8);
            names.extend_from_slice(&name[..length]);
        }
        let length = aligned((SEGMENT_HEADER_BYTES + names.len()) as u64) as usize;
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&SEGMENT_MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(self.exporters.len().min(MAX_EXPORTERS) as u16).to_le_bytes());
        bytes.extend_from_slice(&(length as u32).to_le_bytes());
        bytes.extend_from_slice(&self.instance);
        bytes.extend_from_slice(&self.boot.to_le_bytes());
        bytes.extend_from_slice(&self.segment.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.first_number.to_le_bytes());
        bytes.extend_from_slice(&self.created_nanos.to_le_bytes());
        bytes.extend_from_slice(&names);
        bytes.resize(length, 0);
        put_checksum(&mut bytes);
        bytes
    }

    /// The four bytes that every block of this directory repeats (S4), so that bytes inside of a payload, or stale
    /// ones of another file, do not pass for a block.
    #[must_use]
    pub const fn salt(&self) -> u32 {
        salt_of(&self.instance)
    }
}

/// S4: a directory's salt.
#[must_use]
pub const fn salt_of(instance: &[u8; 16]) -> u32 {
    u32::from_le_bytes([instance[0], instance[1], instance[2], instance[3]])
}

/// Reads the first [`MAX_SEGMENT_HEADER_BYTES`] of a file, or as many as it has.
#[must_use]
pub fn open_segment(bytes: &[u8]) -> Opening {
    read_segment(bytes).unwrap_or(Opening::Unknown)
}

fn read_segment(bytes: &[u8]) -> Option<Opening> {
    let length = u32_at(bytes, 12)? as usize;
    if !bytes.starts_with(&SEGMENT_MAGIC)
        || !(SEGMENT_HEADER_BYTES..=MAX_SEGMENT_HEADER_BYTES).contains(&length)
    {
        return None;
    }
    let header = bytes.get(..length)?;
    if !is_intact(header) {
        return None;
    }
    let version = u16_at(header, 8)?;
    if version != VERSION {
        return Some(Opening::OtherVersion(version));
    }
    let exporters = read_names(header.get(SEGMENT_HEADER_BYTES..)?, u16_at(header, 10)?)?;
    let segment = SegmentHeader {
        instance: header.get(16..32)?.try_into().ok()?,
        boot: u64_at(header, 32)?,
        segment: u32_at(header, 40)?,
        first_number: u64_at(header, 48)?,
        created_nanos: u64_at(header, 56)?,
        exporters,
    };
    Some(Opening::Segment(segment, aligned(length as u64)))
}

fn read_names(mut bytes: &[u8], count: u16) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for _ in 0..count {
        let (length, rest) = bytes.split_first()?;
        let name = rest.get(..usize::from(*length))?;
        names.push(String::from_utf8(name.to_vec()).ok()?);
        bytes = rest.get(usize::from(*length)..)?;
    }
    (names.len() <= MAX_EXPORTERS).then_some(names)
}

/// S4: what stands before a block's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockHeader {
    /// Position in this directory, without gaps; what exporters settle by.
    pub number: u64,
    /// The block's own sequence number, for people.
    pub sequence: u64,
    /// When it was written, in nanoseconds since the Unix epoch; the age limit counts from it.
    pub written_nanos: u64,
    /// Size of the request before compression, in bytes.
    pub raw_bytes: u32,
    /// Length of the payload as it lies in the file, in bytes.
    pub payload_bytes: u32,
    /// Log records inside.
    pub records: u32,
    /// Of these, records that shedding must spare.
    pub protected_records: u32,
    /// CRC-32 of the payload as it lies in the file.
    pub payload_checksum: u32,
    /// Exporters that had not settled the block when it was written.
    pub exporters: Exporters,
    /// How the body is compressed; a byte, because a later version may know more.
    pub codec: u8,
    /// [`ENCRYPTED`], [`UNPROCESSED`], both or 0.
    pub flags: u8,
    /// Which key encrypts it; 0 without [`ENCRYPTED`].
    pub key_id: u32,
    /// The directory's [`SegmentHeader::salt`].
    pub salt: u32,
}

impl BlockHeader {
    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; BLOCK_HEADER_BYTES] {
        let mut bytes = [0; BLOCK_HEADER_BYTES];
        bytes[0..4].copy_from_slice(&BLOCK_MAGIC);
        bytes[8..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.written_nanos.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.raw_bytes.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.records.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.protected_records.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.payload_checksum.to_le_bytes());
        bytes[52..54].copy_from_slice(&self.exporters.bits().to_le_bytes());
        bytes[54] = self.codec;
        bytes[55] = self.flags;
        bytes[56..60].copy_from_slice(&self.key_id.to_le_bytes());
        bytes[60..64].copy_from_slice(&self.salt.to_le_bytes());
        put_checksum(&mut bytes);
        bytes
    }

    /// What `bytes` start with, if it is an intact header. With `salt`, only one of that directory.
    #[must_use]
    pub fn parse(bytes: &[u8], salt: Option<u32>) -> Option<Self> {
        let header = bytes.get(..BLOCK_HEADER_BYTES)?;
        if !header.starts_with(&BLOCK_MAGIC) || !is_intact(header) {
            return None;
        }
        let found = Self {
            number: u64_at(header, 8)?,
            sequence: u64_at(header, 16)?,
            written_nanos: u64_at(header, 24)?,
            raw_bytes: u32_at(header, 32)?,
            payload_bytes: u32_at(header, 36)?,
            records: u32_at(header, 40)?,
            protected_records: u32_at(header, 44)?,
            payload_checksum: u32_at(header, 48)?,
            exporters: Exporters::from_bits(u16_at(header, 52)?),
            codec: *header.get(54)?,
            flags: *header.get(55)?,
            key_id: u32_at(header, 56)?,
            salt: u32_at(header, 60)?,
        };
        (salt.is_none() || salt == Some(found.salt)).then_some(found)
    }

    /// S5: what encryption authenticates beside the payload: the header without its two checksums.
    #[must_use]
    pub fn authenticated(&self) -> [u8; BLOCK_HEADER_BYTES] {
        let mut bytes = Self { payload_checksum: 0, ..*self }.encode();
        bytes[4..CHECKED_FROM].fill(0);
        bytes
    }

    /// Where the payload of a block at `offset` ends. S2: the next block starts at the multiple of 8 behind it.
    #[must_use]
    pub const fn end(&self, offset: u64) -> u64 {
        offset.saturating_add(BLOCK_HEADER_BYTES as u64).saturating_add(self.payload_bytes as u64)
    }
}

/// S4: the byte of a codec.
#[must_use]
pub const fn codec_byte(codec: Codec) -> u8 {
    match codec {
        Codec::Identity => 0,
        Codec::Gzip => 1,
        Codec::Zstd => 2,
    }
}

/// The codec of a byte; `None` when this version does not know it.
#[must_use]
pub const fn codec_of(byte: u8) -> Option<Codec> {
    match byte {
        0 => Some(Codec::Identity),
        1 => Some(Codec::Gzip),
        2 => Some(Codec::Zstd),
        _ => None,
    }
}

/// S6: the checksum of everything in a spool.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// Writes the checksum of `bytes` behind their magic.
pub(super) fn put_checksum(bytes: &mut [u8]) {
    let checksum = checksum(bytes.get(CHECKED_FROM..).unwrap_or_default());
    if let Some(place) = bytes.get_mut(4..CHECKED_FROM) {
        place.copy_from_slice(&checksum.to_le_bytes());
    }
}

/// Whether the checksum behind the magic is that of what follows.
pub(super) fn is_intact(bytes: &[u8]) -> bool {
    bytes.get(CHECKED_FROM..).is_some_and(|checked| u32_at(bytes, 4) == Some(checksum(checked)))
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}
