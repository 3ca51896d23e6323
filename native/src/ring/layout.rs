//! Stage 4 of 7, append: where everything is in a ring's file (R1 to R4 of its format). Threads: any; pure.

use super::error::RingError;

/// Everything large starts at a multiple of this.
pub const PAGE: u64 = 4096;
/// R3, R4: length of a file header and of a slot header.
pub const HEADER_BYTES: u64 = 64;
/// R2: where the second copy of the file's header stands.
pub const SECOND_COPY: u64 = 2048;
/// What this code writes, and the only version that it reads.
pub const VERSION: u16 = 1;
/// R3.
pub const FILE_MAGIC: [u8; 8] = *b"FAPIRING";
/// R4, as the low half of a slot header's first word.
pub const SLOT_MAGIC: u32 = u32::from_le_bytes(*b"FRSL");
/// Tag and length, and the two times that every record begins with.
const SMALLEST_FRAME_BYTES: u32 = 20;
/// Fewer could not be filled and sealed at once; more than 64 are no better.
const SLOTS: std::ops::RangeInclusive<u32> = 2..=64;
const MAX_SLOT_BYTES: u64 = 64 << 20;
const MAX_SIDE_BYTES: u64 = 16 << 20;

/// Whose ring it is. For people, but for the boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Hash of the machine's boot id; 0 where there is none. Bytes without a checkpoint are trusted within one boot only.
    pub boot: u64,
    /// The process.
    pub process: u32,
    /// When it started.
    pub started: u64,
}

/// How large the parts are; all places follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Number of slots.
    pub slots: u32,
    /// Length of a slot, a multiple of [`PAGE`].
    pub slot_bytes: u32,
    /// Length of the area for scopes and resources, a multiple of [`PAGE`].
    pub side_bytes: u32,
}

impl Geometry {
    /// Rounds lengths up to pages, and refuses what a ring cannot have.
    pub fn new(slots: u32, slot_bytes: u64, side_bytes: u64) -> Result<Self, RingError> {
        let checks = [
            ("slots", u64::from(slots), u64::from(*SLOTS.start()), u64::from(*SLOTS.end())),
            ("slot_bytes", slot_bytes, PAGE, MAX_SLOT_BYTES),
            ("side_bytes", side_bytes, PAGE, MAX_SIDE_BYTES),
        ];
        for (name, value, low, high) in checks {
            if !(low..=high).contains(&value) {
                return Err(RingError::Settings(format!(
                    "a crash ring with {name} = {value}; choose {low} to {high}"
                )));
            }
        }
        let (slot_bytes, side_bytes) = (paged(slot_bytes) as u32, paged(side_bytes) as u32);
        Ok(Self { slots, slot_bytes, side_bytes })
    }

    /// Where the checkpoints of slot `index` are.
    #[must_use]
    pub fn checkpoints_at(&self, index: u32) -> u64 {
        PAGE + HEADER_BYTES * u64::from(index)
    }

    /// Where the area for scopes and resources is.
    #[must_use]
    pub fn side_at(&self) -> u64 {
        PAGE + self.table_bytes()
    }

    /// Where the slot headers are. From here on the file is mapped.
    #[must_use]
    pub fn headers_at(&self) -> u64 {
        self.side_at() + u64::from(self.side_bytes)
    }

    /// Where the bytes of slot `index` are.
    #[must_use]
    pub fn slot_at(&self, index: u32) -> u64 {
        self.headers_at() + self.table_bytes() + u64::from(self.slot_bytes) * u64::from(index)
    }

    /// Length of the file.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.slot_at(self.slots)
    }

    /// Length of a table with one header for each slot.
    #[must_use]
    pub fn table_bytes(&self) -> u64 {
        paged(HEADER_BYTES * u64::from(self.slots))
    }
}

fn paged(bytes: u64) -> u64 {
    bytes.next_multiple_of(PAGE)
}

/// R3: the header of a file.
#[must_use]
pub fn file_header(owner: Owner, geometry: Geometry) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    header[..8].copy_from_slice(&FILE_MAGIC);
    header[12..14].copy_from_slice(&VERSION.to_le_bytes());
    header[16..24].copy_from_slice(&owner.boot.to_le_bytes());
    header[24..28].copy_from_slice(&owner.process.to_le_bytes());
    header[28..32].copy_from_slice(&geometry.slots.to_le_bytes());
    header[32..40].copy_from_slice(&owner.started.to_le_bytes());
    header[40..44].copy_from_slice(&geometry.slot_bytes.to_le_bytes());
    header[44..48].copy_from_slice(&geometry.side_bytes.to_le_bytes());
    let checksum = crc32fast::hash(&header[12..]);
    header[8..12].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// What a copy of a file's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// An intact one of this version.
    Intact(Owner, Geometry),
    /// An intact one of another version.
    Foreign,
    /// Not what anybody wrote.
    Damaged,
}

/// Reads a copy of a file's header.
#[must_use]
pub fn read_file_header(header: &[u8]) -> Header {
    let is_whole = header.len() == HEADER_BYTES as usize && header.starts_with(&FILE_MAGIC);
    if !is_whole || crc32fast::hash(&header[12..]) != u32_at(header, 8) {
        return Header::Damaged;
    }
    if u32_at(header, 12) != u32::from(VERSION) {
        return Header::Foreign;
    }
    let owner = Owner { boot: u64_at(header, 16), process: u32_at(header, 24), started: u64_at(header, 32) };
    let (slot_bytes, side_bytes) = (u64::from(u32_at(header, 40)), u64::from(u32_at(header, 44)));
    Geometry::new(u32_at(header, 28), slot_bytes, side_bytes)
        .map_or(Header::Damaged, |geometry| Header::Intact(owner, geometry))
}

/// R4: the numbers of a slot's words.
pub mod word {
    /// Magic and version.
    pub const MAGIC: usize = 0;
    /// Rises with each use of any slot.
    pub const EPOCH: usize = 1;
    /// Length in bytes (low half) and records (high half): one word, so that no reader sees one without the other.
    pub const COMMITTED: usize = 2;
    /// Of these, records that shedding must spare.
    pub const PROTECTED: usize = 3;
    /// Sequence number of the first record.
    pub const FIRST_SEQUENCE: usize = 4;
    /// Number of the resource.
    pub const RESOURCE: usize = 5;
    /// Boot of the owner.
    pub const BOOT: usize = 6;
    /// Process of the owner (low half), and the exporters that are done with the slot's records (high half, one bit each).
    pub const PROCESS: usize = 7;
    /// How many there are.
    pub const COUNT: usize = 8;
}

/// R4: a slot header as it was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlotHeader {
    /// See [`word::EPOCH`].
    pub epoch: u64,
    /// Bytes of whole frames.
    pub length: u32,
    /// Records in them.
    pub records: u32,
    /// See [`word::PROTECTED`].
    pub protected_records: u64,
    /// See [`word::FIRST_SEQUENCE`].
    pub first_sequence: u64,
    /// See [`word::RESOURCE`].
    pub resource: u32,
    /// See [`word::PROCESS`].
    pub done: u32,
}

impl SlotHeader {
    /// Reads 64 bytes; what is missing reads as 0.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        let word = |number: usize| u64_at(bytes, number * 8);
        let (length, records) = committed_parts(word(word::COMMITTED));
        Self {
            epoch: word(word::EPOCH),
            length,
            records,
            protected_records: word(word::PROTECTED),
            first_sequence: word(word::FIRST_SEQUENCE),
            resource: word(word::RESOURCE) as u32,
            done: (word(word::PROCESS) >> 32) as u32,
        }
    }

    /// The same header, of a slot of `slot_bytes`: a damaged one tells of no more records than it has room for.
    #[must_use]
    pub fn within(self, slot_bytes: u32) -> Self {
        Self { records: self.records.min(slot_bytes / SMALLEST_FRAME_BYTES), ..self }
    }
}

/// R4: the word of a length and a number of records.
#[inline]
#[must_use]
pub const fn committed(length: u32, records: u32) -> u64 {
    (records as u64) << 32 | length as u64
}

/// The length and the number of records in a word.
#[must_use]
pub const fn committed_parts(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

/// The number at `at`; 0 when it is not there.
#[must_use]
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// The number at `at`; 0 when it is not there.
#[must_use]
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|part| part.try_into().ok()).map_or(0, u64::from_le_bytes)
}
