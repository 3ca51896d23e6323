//! Stage 6 of 7, export: one segment file, appended to. Threads: as the spool. Who reads it: `reader`.
//!
//! A block is one write. What a failed one left is cut off; where that fails too, the file is written no more, so that
//! no number stands for two blocks.

use super::crypt::{Keys, OVERHEAD_BYTES};
use super::disk::{Disk, How};
use super::error::SpoolError;
use super::format::{
    aligned, checksum, codec_byte, codec_of, BlockHeader, SegmentHeader, BLOCK_HEADER_BYTES, ENCRYPTED,
    UNPROCESSED,
};
use super::owed::Exporters;
use crate::block::Block;
use std::sync::Arc;

/// Length of a payload at most, in bytes: what a damaged length can make us allocate.
pub const MAX_PAYLOAD_BYTES: u64 = 1 << 30;

/// S1: the name of a segment file.
#[must_use]
pub fn segment_name(number: u32) -> String {
    format!("seg-{number:010}.fspl")
}

/// The number in the name of a segment file.
#[must_use]
pub fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("seg-")?.strip_suffix(".fspl")?;
    let is_ours = digits.len() == 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_ours.then(|| digits.parse().ok()).flatten()
}

/// What is written for one block: header, payload and padding.
#[derive(Debug)]
pub struct Framed {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The header among them.
    pub header: BlockHeader,
}

/// Frames a block, in `buffer`'s memory. S4, S5.
pub fn frame(
    block: &Block,
    stamp: Stamp,
    keys: &Keys,
    mut buffer: Vec<u8>,
) -> Result<Framed, (SpoolError, Vec<u8>)> {
    let key = keys.current();
    let overhead = if key.is_some() { OVERHEAD_BYTES } else { 0 };
    let payload = (block.body.len() + overhead) as u64;
    let narrow = |size: u64| u32::try_from(size).map_err(|_| too_large(size, u64::from(u32::MAX)));
    let sizes = (|| {
        if payload > MAX_PAYLOAD_BYTES {
            return Err(too_large(payload, MAX_PAYLOAD_BYTES));
        }
        let raw = narrow(block.raw_bytes as u64)?;
        Ok((narrow(payload)?, raw, narrow(block.records)?, narrow(block.protected_records)?))
    })();
    let (payload_bytes, raw_bytes, records, protected_records) = match sizes {
        Ok(sizes) => sizes,
        Err(error) => return Err((error, buffer)),
    };
    let mut header = BlockHeader {
        number: stamp.number,
        sequence: block.sequence,
        written_nanos: stamp.now_nanos,
        raw_bytes,
        payload_bytes,
        records,
        protected_records,
        payload_checksum: 0,
        exporters: stamp.exporters,
        codec: codec_byte(block.codec),
        flags: stamp.flags | if key.is_some() { ENCRYPTED } else { 0 },
        key_id: key.unwrap_or(0),
        salt: stamp.salt,
    };
    buffer.clear();
    buffer.resize(BLOCK_HEADER_BYTES, 0);
    match key {
        None => buffer.extend_from_slice(&block.body),
        Some(id) => {
            if keys.seal(id, &header.authenticated(), &block.body, &mut buffer).is_none() {
                let what =
                    format!("spool key {id} could not encrypt a block: the system gave no random bytes");
                return Err((SpoolError::Keys(what), buffer));
            }
        }
    }
    header.payload_checksum = checksum(&buffer[BLOCK_HEADER_BYTES..]);
    buffer[..BLOCK_HEADER_BYTES].copy_from_slice(&header.encode());
    buffer.resize(aligned(buffer.len() as u64) as usize, 0);
    Ok(Framed { bytes: buffer, header })
}

/// What a block gets when it is framed.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// Its number.
    pub number: u64,
    /// When.
    pub now_nanos: u64,
    /// For whom.
    pub exporters: Exporters,
    /// The directory's.
    pub salt: u32,
    /// S4: those that do not come with encryption.
    pub flags: u8,
}

const fn too_large(size: u64, limit: u64) -> SpoolError {
    SpoolError::TooLarge { size, limit }
}

/// Bytes that a block takes in a segment.
#[must_use]
pub fn framed_bytes(block: &Block, keys: &Keys) -> u64 {
    let overhead = if keys.current().is_some() { OVERHEAD_BYTES } else { 0 };
    aligned((BLOCK_HEADER_BYTES + block.body.len() + overhead) as u64)
}

/// The segment that grows.
#[derive(Debug)]
pub struct Growing<D: Disk> {
    /// The number in its name.
    pub number: u32,
    /// Shared with readers.
    pub file: Arc<D::File>,
    /// Length of the file.
    pub bytes: u64,
    /// Of these, the header's.
    pub header_bytes: u64,
    /// Set when what a failed write left could not be cut off.
    pub spoiled: bool,
}

impl<D: Disk> Growing<D> {
    /// Makes the file and writes its header. The error says whether a useless file of that name was left.
    pub fn create(disk: &D, dir: &D::Dir, header: &SegmentHeader) -> Result<Self, (SpoolError, bool)> {
        let name = segment_name(header.segment);
        let file = disk
            .open(dir, &name, How::CreateNew)
            .map_err(|error| (SpoolError::io("make", &name, error), false))?;
        let bytes = header.encode();
        if let Err(error) = disk.write_at(&file, 0, &bytes) {
            let left = disk.remove_file(dir, &name).is_err();
            return Err((SpoolError::io("write", &name, error), left));
        }
        let bytes = bytes.len() as u64;
        Ok(Self { number: header.segment, file: Arc::new(file), bytes, header_bytes: bytes, spoiled: false })
    }

    /// Whether a block of `needed` bytes belongs into another file, when files have `limit` bytes at most.
    #[must_use]
    pub const fn is_full(&self, needed: u64, limit: u64) -> bool {
        self.spoiled || (self.bytes.saturating_add(needed) > limit && self.bytes > self.header_bytes)
    }

    /// Appends; returns the offset.
    pub fn append(&mut self, disk: &D, bytes: &[u8]) -> Result<u64, SpoolError> {
        let offset = self.bytes;
        match disk.write_at(&self.file, offset, bytes) {
            Ok(()) => {
                self.bytes += bytes.len() as u64;
                Ok(offset)
            }
            Err(error) => {
                self.take_back(disk, offset, offset + bytes.len() as u64);
                Err(SpoolError::io("write", &segment_name(self.number), error))
            }
        }
    }

    /// Cuts the file back to `bytes`, from at most `most`, which counts when the disk does not even tell the length.
    pub fn take_back(&mut self, disk: &D, bytes: u64, most: u64) {
        self.bytes = bytes;
        if disk.truncate(&self.file, bytes).is_err() {
            self.spoiled = true;
            self.bytes = disk.len(&self.file).unwrap_or(most);
        }
    }

    /// Forces the file to the disk. After an error the system may have thrown away what it could not write, so the
    /// file is written no more.
    pub fn sync(&mut self, disk: &D) -> Result<(), SpoolError> {
        disk.sync_data(&self.file).map_err(|error| {
            self.spoiled = true;
            SpoolError::io("sync", &segment_name(self.number), error)
        })
    }
}

/// The key that is missing to read blocks like this one.
#[must_use]
pub fn missing_key(header: &BlockHeader, keys: &Keys) -> Option<u32> {
    let is_encrypted = header.flags & !UNPROCESSED == ENCRYPTED;
    (is_encrypted && !keys.knows(header.key_id)).then_some(header.key_id)
}

/// Whether this process can read blocks like this one.
#[must_use]
pub fn is_readable(header: &BlockHeader, keys: &Keys) -> bool {
    let is_open = match header.flags & !UNPROCESSED {
        0 => true,
        ENCRYPTED => keys.knows(header.key_id),
        _ => false,
    };
    is_open && codec_of(header.codec).is_some()
}
