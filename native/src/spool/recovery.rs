//! Stage 6 of 7, export: finds every intact block in a segment file, whatever happened to it. Threads: as the spool; pure.
//!
//! Reads headers only; a payload's checksum is looked at when the block is read. Behind damage it looks for the next
//! header at every multiple of 8. Each byte is looked at a bounded number of times and at most one window is in memory, so
//! time and memory have bounds whatever the bytes are. It never panics.

use super::format::{
    aligned, open_segment, u32_at, BlockHeader, Opening, SegmentHeader, ALIGNMENT, BLOCK_HEADER_BYTES,
    BLOCK_MAGIC, MAX_SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES, SEGMENT_MAGIC,
};
use super::segment::MAX_PAYLOAD_BYTES;
use std::io;
use std::ops::AddAssign;

/// Bytes read at once while looking for the next header: few at first, so that many small gaps cost no more than
/// one large one.
const FIRST_WINDOW_BYTES: usize = 512;
const WINDOW_BYTES: usize = 64 * 1024;
/// What is passed over where the disk cannot be read.
const PAGE_BYTES: u64 = 4096;
/// Read errors after which the rest of a file is given up: a dying disk answers slowly.
const MAX_READ_ERRORS: u32 = 16;

/// Bytes to look through: a file, or a slice.
pub trait Source {
    /// How many there are.
    fn len(&self) -> u64;
    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Fills `buffer` from `offset`; less at the end.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl Source for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// An intact block header, and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What it says.
    pub header: BlockHeader,
    /// Where it starts.
    pub offset: u64,
}

/// What is not intact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Damage {
    /// Bytes before the last intact block that belong to none.
    pub corrupt_bytes: u64,
    /// Places where they are.
    pub corrupt_places: u64,
    /// Bytes behind the last intact block: as a rule the block that was being written.
    pub torn_bytes: u64,
    /// Records of blocks that are cut off, where their headers say so.
    pub torn_records: u64,
    /// Errors of the disk while reading.
    pub read_errors: u32,
}

impl AddAssign for Damage {
    fn add_assign(&mut self, other: Self) {
        self.corrupt_bytes = self.corrupt_bytes.saturating_add(other.corrupt_bytes);
        self.corrupt_places = self.corrupt_places.saturating_add(other.corrupt_places);
        self.torn_bytes = self.torn_bytes.saturating_add(other.torn_bytes);
        self.torn_records = self.torn_records.saturating_add(other.torn_records);
        self.read_errors = self.read_errors.saturating_add(other.read_errors);
    }
}

/// What is in a segment file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// Its header, if that is intact.
    pub segment: Option<SegmentHeader>,
    /// Its version, if it is not ours; then nothing else was looked at.
    pub other_version: Option<u16>,
    /// Whether it ends within its own header: the process ended while it made the file.
    pub is_stub: bool,
    /// Every intact block header, in the order of offsets and of numbers.
    pub found: Vec<Found>,
    /// Everything else.
    pub damage: Damage,
    /// Where the last intact block or the header ends; the file may be cut there.
    pub end: u64,
    /// The salt of its blocks, if known.
    pub salt: Option<u32>,
}

/// Looks through a segment file. `salt` is that of its directory, if known from elsewhere.
pub fn scan<S: Source + ?Sized>(source: &S, salt: Option<u32>) -> Scan {
    let mut scan = Scan { salt, ..Scan::default() };
    let mut start = vec![0; MAX_SEGMENT_HEADER_BYTES];
    let opening = if let Ok(count) = source.read(0, &mut start) {
        open_segment(&start[..count])
    } else {
        scan.damage.read_errors += 1;
        Opening::Unknown
    };
    match opening {
        Opening::OtherVersion(version) => {
            scan.other_version = Some(version);
            return scan;
        }
        Opening::Segment(header, end) => {
            scan.salt = Some(header.salt());
            scan.segment = Some(header);
            scan.end = end.min(source.len());
        }
        Opening::Unknown => scan.is_stub = is_stub(&start, source.len()),
    }
    walk(source, &mut scan);
    scan
}

/// Whether `length` is less than the header that starts here says, or than any header.
fn is_stub(start: &[u8], length: u64) -> bool {
    let declared = u32_at(start, 12).map_or(0, u64::from).min(MAX_SEGMENT_HEADER_BYTES as u64);
    length < SEGMENT_HEADER_BYTES as u64 || (start.starts_with(&SEGMENT_MAGIC) && length < declared)
}

/// From block to block; a search where there is none.
fn walk<S: Source + ?Sized>(source: &S, scan: &mut Scan) {
    let length = source.len();
    let mut at = scan.end;
    while at < length {
        let next = match header_at(source, at, scan) {
            Some(header) => Some(Found { header, offset: at }),
            None => search(source, at.saturating_add(ALIGNMENT), scan),
        };
        let Some(found) = next else { break };
        if found.offset > scan.end {
            let gap = found.offset - scan.end;
            // The padding behind a block is no damage.
            if found.offset != aligned(scan.end) {
                scan.damage.corrupt_bytes += gap;
                scan.damage.corrupt_places += 1;
            }
        }
        // What looked cut off was not the end.
        scan.damage.torn_records = 0;
        scan.salt = Some(found.header.salt);
        scan.found.push(found);
        scan.end = found.header.end(found.offset);
        at = aligned(scan.end);
    }
    scan.damage.torn_bytes = length.saturating_sub(scan.end);
    if at >= length {
        // Only the padding is cut off.
        scan.damage.torn_bytes = 0;
    }
}

/// The header at `at`, if an intact one of this directory with a whole block behind it is there.
fn header_at<S: Source + ?Sized>(source: &S, at: u64, scan: &mut Scan) -> Option<BlockHeader> {
    let mut bytes = [0; BLOCK_HEADER_BYTES];
    match source.read(at, &mut bytes) {
        Ok(count) => accept(bytes.get(..count)?, at, source.len(), scan),
        // The search behind it counts the error.
        Err(_) => None,
    }
}

fn accept(bytes: &[u8], at: u64, length: u64, scan: &mut Scan) -> Option<BlockHeader> {
    let header = BlockHeader::parse(bytes, scan.salt)?;
    let in_order = scan.found.last().is_none_or(|last| header.number > last.header.number);
    if !in_order || u64::from(header.payload_bytes) > MAX_PAYLOAD_BYTES {
        return None;
    }
    if header.end(at) > length {
        scan.damage.torn_records = u64::from(header.records);
        return None;
    }
    Some(header)
}

/// The next block from `from` on, which is a multiple of 8.
fn search<S: Source + ?Sized>(source: &S, from: u64, scan: &mut Scan) -> Option<Found> {
    let length = source.len();
    let mut window = vec![0; FIRST_WINDOW_BYTES];
    let mut at = from;
    while at.saturating_add(BLOCK_HEADER_BYTES as u64) <= length {
        let count = match source.read(at, &mut window) {
            Ok(count) if count >= BLOCK_HEADER_BYTES => count,
            Ok(_) => return None,
            Err(_) => {
                scan.damage.read_errors += 1;
                if scan.damage.read_errors >= MAX_READ_ERRORS {
                    return None;
                }
                at = (at / PAGE_BYTES + 1) * PAGE_BYTES;
                continue;
            }
        };
        let candidates = (0..=count - BLOCK_HEADER_BYTES).step_by(ALIGNMENT as usize);
        for index in candidates {
            let bytes = &window[index..index + BLOCK_HEADER_BYTES];
            if bytes.starts_with(&BLOCK_MAGIC) {
                let offset = at + index as u64;
                if let Some(header) = accept(bytes, offset, length, scan) {
                    return Some(Found { header, offset });
                }
            }
        }
        // Headers that start before the window's end were not whole in it.
        at += ((count - BLOCK_HEADER_BYTES) as u64 / ALIGNMENT + 1) * ALIGNMENT;
        window.resize((window.len() * 2).min(WINDOW_BYTES), 0);
    }
    None
}
