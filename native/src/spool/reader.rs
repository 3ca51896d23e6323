//! Stage 6 of 7, export: blocks read back, independent of the spool: nobody waits while it writes. Threads: senders,
//! Python's delivery loop.

use super::crypt::Keys;
use super::disk::{read_full, Disk, How};
use super::error::{SpoolError, Unreadable};
use super::format::{checksum, codec_of, BlockHeader, BLOCK_HEADER_BYTES, ENCRYPTED, UNPROCESSED};
use super::index::Place;
use super::segment::{segment_name, MAX_PAYLOAD_BYTES};
use crate::block::Block;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Reads the blocks of one directory.
#[derive(Debug)]
pub struct Reader<D: Disk> {
    disk: Arc<D>,
    dir: Arc<D::Dir>,
    keys: Arc<Keys>,
    /// S4; `None`: it is not known.
    salt: Option<u32>,
    /// The file that was read last.
    last: Mutex<Option<(u32, Arc<D::File>)>>,
}

impl<D: Disk> Reader<D> {
    pub(super) const fn new(disk: Arc<D>, dir: Arc<D::Dir>, keys: Arc<Keys>, salt: Option<u32>) -> Self {
        Self { disk, dir, keys, salt, last: Mutex::new(None) }
    }

    /// Reads and checks the block that lies at `place`. A missing file is [`SpoolError::Io`].
    pub fn block(&self, place: Place) -> Result<Block, SpoolError> {
        let read = self.read(place);
        if matches!(read, Err(SpoolError::Io(_))) {
            // An opening may be stale; the next one need not be.
            self.forget(place.segment);
        }
        read
    }

    fn read(&self, place: Place) -> Result<Block, SpoolError> {
        let Place { number, segment, offset } = place;
        let failed = |error| SpoolError::io("read", &segment_name(segment), error);
        let file = self.file(segment)?;
        let mut start = [0; BLOCK_HEADER_BYTES];
        let count = read_full(&*self.disk, &file, offset, &mut start).map_err(failed)?;
        let header = BlockHeader::parse(&start[..count], self.salt).filter(|header| header.number == number);
        let is_sane = |header: &BlockHeader| u64::from(header.payload_bytes) <= MAX_PAYLOAD_BYTES;
        let header = header.filter(is_sane).ok_or(SpoolError::Corrupt { number, records: 0 })?;
        let mut payload = vec![0; header.payload_bytes as usize];
        let count = read_full(&*self.disk, &file, offset + BLOCK_HEADER_BYTES as u64, &mut payload);
        if count.map_err(failed)? < payload.len() || header.payload_checksum != checksum(&payload) {
            return Err(SpoolError::Corrupt { number, records: u64::from(header.records) });
        }
        self.open(&header, payload)
    }

    fn open(&self, header: &BlockHeader, payload: Vec<u8>) -> Result<Block, SpoolError> {
        let unreadable = |why| SpoolError::Unreadable { number: header.number, why };
        let codec = codec_of(header.codec).ok_or_else(|| unreadable(Unreadable::Newer))?;
        let body = match header.flags & !UNPROCESSED {
            0 => payload,
            ENCRYPTED => {
                let authenticated = header.authenticated();
                self.keys.open(header.key_id, &authenticated, payload).map_err(unreadable)?
            }
            _ => return Err(unreadable(Unreadable::Newer)),
        };
        Ok(Block {
            sequence: header.sequence,
            records: u64::from(header.records),
            protected_records: u64::from(header.protected_records),
            raw_bytes: header.raw_bytes as usize,
            codec,
            body,
        })
    }

    /// Opened without the lock, so that a slow disk holds nobody up who reads another file.
    fn file(&self, segment: u32) -> Result<Arc<D::File>, SpoolError> {
        let known =
            self.last().as_ref().filter(|(last, _)| *last == segment).map(|(_, file)| Arc::clone(file));
        if let Some(file) = known {
            return Ok(file);
        }
        let name = segment_name(segment);
        let opened = self.disk.open(&self.dir, &name, How::Read);
        let file = Arc::new(opened.map_err(|error| SpoolError::io("open", &name, error))?);
        *self.last() = Some((segment, Arc::clone(&file)));
        Ok(file)
    }

    /// Closes a file that was unlinked.
    pub(super) fn forget(&self, segment: u32) {
        let mut last = self.last();
        *last = last.take().filter(|(known, _)| *known != segment);
    }

    fn last(&self) -> MutexGuard<'_, Option<(u32, Arc<D::File>)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
