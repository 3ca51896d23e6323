//! Stage 4 of 7, append: checkpoints, for loss of power (R6). Thread: one that may wait for a disk, never a caller.
//!
//! After a loss of power a file holds any mixture of old and new pages, so a length alone says nothing. A checkpoint says
//! how many bytes of a slot are on the disk, with their checksum. Each slot has two, written in turn: if the power goes while
//! one is written, the other still holds. The bytes are read through the file, not the mapping: callers go on appending.

use super::error::RingError;
use super::layout::{committed_parts, u32_at, u64_at, word, Geometry, SlotHeader, HEADER_BYTES};
use super::recovery::{Reader, Recovered, RecoveredChunk};
use super::slot::get;
use super::store::Ring;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{fence, Ordering};
use std::sync::PoisonError;

/// R6: length of one checkpoint.
pub const CHECKPOINT_BYTES: usize = (HEADER_BYTES / 2) as usize;
const READ_BYTES: usize = 64 << 10;

/// How many bytes of a use of a slot can be trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which use; 0 for no checkpoint.
    pub epoch: u64,
    /// Bytes of whole frames.
    pub length: u32,
    /// Records in them.
    pub records: u32,
    /// Checksum of these bytes.
    pub checksum: u32,
}

impl Checkpoint {
    /// As it is written.
    #[must_use]
    pub fn encoded(&self) -> [u8; CHECKPOINT_BYTES] {
        let mut bytes = [0; CHECKPOINT_BYTES];
        bytes[8..16].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.length.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.records.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.checksum.to_le_bytes());
        let own = crc32fast::hash(&bytes[8..]);
        bytes[..4].copy_from_slice(&own.to_le_bytes());
        bytes
    }

    /// `None` when it is damaged, or none was written.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != CHECKPOINT_BYTES || crc32fast::hash(&bytes[8..]) != u32_at(bytes, 0) {
            return None;
        }
        let checkpoint = Self {
            epoch: u64_at(bytes, 8),
            length: u32_at(bytes, 16),
            records: u32_at(bytes, 20),
            checksum: u32_at(bytes, 24),
        };
        (checkpoint.epoch > 0).then_some(checkpoint)
    }
}

/// What one slot's checkpoints cover so far.
#[derive(Debug, Clone, Default)]
struct Covered {
    epoch: u64,
    length: u32,
    sum: crc32fast::Hasher,
    /// Whether the file has a checkpoint of the slot, of whatever use.
    is_written: bool,
    /// Which of the two is written next.
    turn: u64,
}

impl Covered {
    /// As at the start of a use of the slot.
    fn of(&self, epoch: u64) -> Self {
        Self { epoch, turn: self.turn, is_written: self.is_written, ..Self::default() }
    }
}

enum Change {
    /// Nothing.
    None,
    /// There is nothing to keep any more.
    Settled,
    New(Checkpoint),
}

/// What the checkpoints of a ring cover so far.
#[derive(Debug)]
pub(super) struct Progress {
    slots: Vec<Covered>,
    broken: bool,
}

impl Progress {
    pub(super) fn new(slots: u32) -> Self {
        Self { slots: vec![Covered::default(); slots as usize], broken: false }
    }
}

impl Ring {
    /// Forces everything that was appended before this call to the disk. One `fdatasync`, or none when nothing is new.
    ///
    /// Call it in the interval of durability `power`. After an error the ring promises nothing any more
    /// ([`RingError::Broken`]): the system may have thrown away what it could not write.
    pub fn checkpoint(&self) -> Result<(), RingError> {
        if !self.is_owner() {
            return Err(RingError::Forked);
        }
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if progress.broken {
            return Err(RingError::Broken(self.path.clone()));
        }
        // Closed: nobody appends any more.
        let Some(file) = &*self.file() else { return Ok(()) };
        let result = self.checkpoint_all(file, &mut progress.slots);
        progress.broken = result.is_err();
        result.map_err(RingError::io("sync", &self.path))
    }

    fn checkpoint_all(&self, file: &File, slots: &mut [Covered]) -> std::io::Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        let mut is_new = false;
        for (index, covered) in (0..).zip(slots) {
            let at = self.geometry.checkpoints_at(index);
            match self.advance(file, (index, covered), &mut buffer)? {
                Change::None => continue,
                Change::Settled => {
                    file.write_all_at(&[0; HEADER_BYTES as usize], at)?;
                    covered.is_written = false;
                }
                Change::New(checkpoint) => {
                    let at = at + covered.turn * CHECKPOINT_BYTES as u64;
                    file.write_all_at(&checkpoint.encoded(), at)?;
                    covered.turn ^= 1;
                    covered.is_written = true;
                }
            }
            is_new = true;
        }
        if is_new {
            file.sync_data()?;
        }
        Ok(())
    }

    /// What a slot's checkpoints have to say next.
    fn advance(
        &self,
        file: &File,
        (index, covered): (u32, &mut Covered),
        buffer: &mut [u8],
    ) -> std::io::Result<Change> {
        let epoch = get(&self.shared.mapping, index, word::EPOCH);
        let (length, records) = committed_parts(get(&self.shared.mapping, index, word::COMMITTED));
        if epoch != covered.epoch {
            *covered = covered.of(epoch);
        }
        if length == 0 && covered.is_written {
            // Recycled: what was settled before this checkpoint must not come again.
            *covered = covered.of(epoch);
            return Ok(Change::Settled);
        }
        if length <= covered.length {
            return Ok(Change::None);
        }
        let mut at = covered.length;
        while at < length {
            let part = &mut buffer[..READ_BYTES.min((length - at) as usize)];
            file.read_exact_at(part, self.geometry.slot_at(index) + u64::from(at))?;
            covered.sum.update(part);
            at += part.len() as u32;
        }
        // If the slot was recycled and used again meanwhile, the checksum is of a mixture.
        fence(Ordering::SeqCst);
        let (now, _) = committed_parts(get(&self.shared.mapping, index, word::COMMITTED));
        if get(&self.shared.mapping, index, word::EPOCH) != epoch || now < length {
            *covered = covered.of(0);
            return Ok(Change::None);
        }
        covered.length = length;
        Ok(Change::New(Checkpoint { epoch, length, records, checksum: covered.sum.clone().finalize() }))
    }
}

impl Recovered {
    /// Forces all that was found to the disk, as [`Ring::checkpoint`] would have done, had the process lived. Call it before the
    /// chunks are taken, where a loss of power is to be survived: they may wait here for long. Nothing to do after another boot,
    /// where only what was forced is found.
    pub fn force(&self) -> Result<(), RingError> {
        let Some(geometry) = self.geometry.filter(|_| self.is_same_boot) else { return Ok(()) };
        self.force_all(geometry).map_err(RingError::io("sync", &self.path))
    }

    fn force_all(&self, geometry: Geometry) -> std::io::Result<()> {
        for chunk in &self.chunks {
            self.cover(geometry, chunk)?;
        }
        if self.chunks.is_empty() {
            return Ok(());
        }
        self.file.sync_data()
    }

    /// Writes the checkpoint that a slot lacks, over the older one.
    fn cover(&self, geometry: Geometry, chunk: &RecoveredChunk) -> std::io::Result<()> {
        let reader = Reader { file: &self.file };
        let header_at = geometry.headers_at() + HEADER_BYTES * u64::from(chunk.slot);
        let header = SlotHeader::read(&reader.at_most(header_at, HEADER_BYTES as usize)?);
        let at = geometry.checkpoints_at(chunk.slot);
        let both = reader.at_most(at, HEADER_BYTES as usize)?;
        let known =
            |turn: usize| Checkpoint::read(both.get(turn * CHECKPOINT_BYTES..)?.get(..CHECKPOINT_BYTES)?);
        let rank = |turn: usize| known(turn).map(|known| (known.epoch, known.length));
        let turn = usize::from(rank(0) > rank(1));
        let bytes =
            reader.at_most(geometry.slot_at(chunk.slot), header.length.min(geometry.slot_bytes) as usize)?;
        let (epoch, length, records) = (header.epoch, bytes.len() as u32, header.records);
        if length == 0 || rank(1 - turn) >= Some((epoch, length)) {
            return Ok(());
        }
        let checkpoint = Checkpoint { epoch, length, records, checksum: crc32fast::hash(&bytes) };
        self.file.write_all_at(&checkpoint.encoded(), at + (turn * CHECKPOINT_BYTES) as u64)
    }
}
