//! Stage 4 of 7, append: what a dead process left in its ring (R7). Threads: any, never a caller.
//!
//! Read through the file, not a mapping: a file that is cut short gives less, and no signal.

use super::checkpoint::{Checkpoint, CHECKPOINT_BYTES};
use super::error::RingError;
use super::files::{self, Held};
use super::frames::{salvage, Salvaged};
use super::layout::{
    read_file_header, word, Geometry, Header, Owner, SlotHeader, HEADER_BYTES, PAGE, SECOND_COPY,
};
use super::place::SET_ASIDE;
use super::side::{self, Found};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{ErrorKind, Result as IoResult};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The records of one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredChunk {
    /// Scope marks and whole frames in call order, as a sealer takes them. Damage is left out.
    pub bytes: Vec<u8>,
    /// Frames inside.
    pub records: u64,
    /// Of these, records that shedding must spare; at most as many as there are.
    pub protected_records: u64,
    /// Sequence number of the slot's first record in the dead process; 0 when it is not known.
    pub first_sequence: u64,
    /// Number of the resource, for [`Recovered::resource`]; 0 when it is not known.
    pub resource: u32,
    /// Position among all uses of slots in the dead process.
    pub epoch: u64,
    /// Which slot it was.
    pub slot: u32,
    /// Exporters that are done with the records, one bit each: [`Recovered::is_done`].
    pub done: u32,
}

/// What was found, and what was not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Records in all chunks.
    pub records: u64,
    /// Of these, records whose scope is not known any more.
    pub unknown_scope_records: u64,
    /// Records that slots or checkpoints count and that were not found whole.
    pub missing_records: u64,
    /// Records of an earlier boot behind the last checkpoint, as far as it is known: what a loss of power may take.
    pub unsynced_records: u64,
    /// Records of slots that were settled when the power went; nothing is lost with them.
    pub superseded_records: u64,
    /// Bytes inside of chunks that are no record.
    pub damaged_bytes: u64,
    /// Bytes among scopes and resources that are neither.
    pub damaged_side_bytes: u64,
    /// Slots of which something could not be read: an error of the disk, or a file cut short.
    pub unreadable_slots: u32,
}

/// A dead process's ring. Its records stay in the file, and others cannot take it, until [`Self::remove`].
///
/// Dropping it instead leaves everything as it was. So whoever dies between delivering and removing makes duplicates, no losses.
#[derive(Debug)]
pub struct Recovered {
    pub(super) chunks: VecDeque<RecoveredChunk>,
    side: Found,
    report: Report,
    owner: Option<Owner>,
    pub(super) geometry: Option<Geometry>,
    pub(super) path: PathBuf,
    pub(super) file: Held,
    pub(super) is_same_boot: bool,
}

impl Recovered {
    /// The chunks, oldest first; again: none.
    pub fn take_chunks(&mut self) -> VecDeque<RecoveredChunk> {
        std::mem::take(&mut self.chunks)
    }

    /// What stands before the records of a scope in a request. `None`: damaged, or there was no room for it.
    #[must_use]
    pub fn scope(&self, id: u32) -> Option<&[u8]> {
        self.side.scopes.get(&id).map(Vec::as_slice)
    }

    /// The fields of a resource. If it is not there, those of the newest one: it is the same process.
    #[must_use]
    pub fn resource(&self, number: u32) -> Option<&[u8]> {
        let newest = || self.side.resources.last_key_value().map(|(_, fields)| fields);
        self.side.resources.get(&number).or_else(newest).map(Vec::as_slice)
    }

    /// Whether the exporter called `name` was done with a chunk when the process died. False when it is not known.
    #[must_use]
    pub fn is_done(&self, chunk: &RecoveredChunk, name: &str) -> bool {
        self.exporter(name).is_some_and(|number| is_done(chunk.done, number))
    }

    /// The number of the exporter called `name` in the dead process. `None` when it had none of that name.
    #[must_use]
    pub fn exporter(&self, name: &str) -> Option<u32> {
        let mut known = self.side.exporters.iter();
        known.find(|(_, known)| known.as_slice() == name.as_bytes()).map(|(number, _)| *number)
    }

    /// Notes which exporters are done with the records of a slot, one bit each, for whoever takes the file over. What fails
    /// here makes duplicates, no losses.
    pub fn note_done(&self, slot: u32, done: u32) -> Result<(), RingError> {
        let Some(geometry) = self.geometry.filter(|geometry| slot < geometry.slots) else { return Ok(()) };
        // The high half of the word.
        let at = geometry.headers_at() + HEADER_BYTES * u64::from(slot) + 8 * word::PROCESS as u64 + 4;
        self.file.write_all_at(&done.to_le_bytes(), at).map_err(RingError::io("write", &self.path))
    }

    /// Notes that the records of a slot are delivered, or written elsewhere as safely: who takes the file over does not find
    /// them again. What fails here makes duplicates, no losses.
    pub fn recycle(&self, slot: u32) -> Result<(), RingError> {
        let Some(geometry) = self.geometry.filter(|geometry| slot < geometry.slots) else { return Ok(()) };
        let header_at = geometry.headers_at() + HEADER_BYTES * u64::from(slot);
        let committed_at = header_at + 8 * word::COMMITTED as u64;
        let slot_at = geometry.slot_at(slot);
        let written = self
            .file
            .write_all_at(&[0; HEADER_BYTES as usize], geometry.checkpoints_at(slot))
            .and_then(|()| self.file.write_all_at(&[0; 8], committed_at));
        if written.is_ok() {
            files::punch(&self.file, slot_at, u64::from(geometry.slot_bytes));
        }
        written.map_err(RingError::io("write", &self.path))
    }

    /// Whether its owner forced it to the disk, or whoever took it over did: of any slot there is a checkpoint.
    #[must_use]
    pub fn was_forced(&self) -> bool {
        let Some(geometry) = self.geometry else { return false };
        let reader = Reader { file: &self.file };
        let table = reader.at_most(geometry.checkpoints_at(0), geometry.table_bytes() as usize);
        table.is_ok_and(|table| table.chunks(CHECKPOINT_BYTES).any(|one| Checkpoint::read(one).is_some()))
    }

    /// What was found, and what was not.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report
    }

    /// Whose it was. `None` when the process died before it used the ring.
    #[must_use]
    pub fn owner(&self) -> Option<Owner> {
        self.owner
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file. Call it when every record is delivered, or written elsewhere as safely.
    pub fn remove(&self) -> Result<(), RingError> {
        if !files::is_named(&self.path, &self.file) {
            return Ok(());
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(RingError::io("remove", &self.path)(error))
            }
            _ => Ok(()),
        }
    }
}

/// Takes over the ring at `path`, if its owner is dead. `None`: it lives, somebody was faster, or nothing is there.
///
/// `boot` is the hash of this machine's boot id; 0 where there is none. In a ring of the same boot, or in memory, all that was
/// committed counts; in another only what a checkpoint covers. A file without an intact header is renamed, and an error once.
pub fn recover(path: &Path, boot: u64) -> Result<Option<Recovered>, RingError> {
    let Some(file) = files::adopt(path)? else { return Ok(None) };
    let header = read_header(&file, path)?.map(|header| known(header, path)).transpose()?;
    let found = match header {
        Some((owner, geometry)) => read_content(&file, path, (owner, geometry), boot)?,
        None => Content::default(),
    };
    let (owner, geometry) = header.unzip();
    let is_same_boot = owner.is_some_and(|owner| is_same_boot(&file, owner, boot));
    let Content { chunks, side, report } = found;
    let (chunks, path) = (chunks.into(), path.to_owned());
    Ok(Some(Recovered { chunks, side, report, owner, geometry, path, file, is_same_boot }))
}

/// What stands behind the header.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub chunks: Vec<RecoveredChunk>,
    pub side: Found,
    pub report: Report,
}

/// The better copy of the header; `None` when nobody ever wrote one.
pub(super) fn read_header(file: &File, path: &Path) -> Result<Option<Header>, RingError> {
    Reader { file }.header().map_err(RingError::io("read", path))
}

/// The exporters' names, and the headers of slots in which something is; for a ring that is in use.
pub(super) fn read_slots(
    file: &File,
    path: &Path,
    geometry: Geometry,
) -> Result<(Found, Vec<SlotHeader>), RingError> {
    let reader = Reader { file };
    let side = reader.side(geometry).map_err(RingError::io("read", path))?;
    let table = reader.at_most(geometry.headers_at(), (HEADER_BYTES * u64::from(geometry.slots)) as usize);
    let table = table.map_err(RingError::io("read", path))?;
    let headers = table.chunks(HEADER_BYTES as usize).map(SlotHeader::read);
    Ok((side, headers.filter(|header| header.records > 0).collect()))
}

pub(super) fn read_content(
    file: &File,
    path: &Path,
    (owner, geometry): (Owner, Geometry),
    boot: u64,
) -> Result<Content, RingError> {
    let reader = Reader { file };
    let is_same_boot = is_same_boot(file, owner, boot);
    let side = reader.side(geometry).map_err(RingError::io("read", path))?;
    let mut report = Report { damaged_side_bytes: side.damaged_bytes, ..Report::default() };
    let mut chunks = Vec::new();
    for index in 0..geometry.slots {
        chunks.extend(reader.slot(geometry, index, is_same_boot, &mut report));
    }
    chunks.sort_by_key(|chunk| chunk.epoch);
    Ok(Content { chunks, side, report })
}

/// Whether the machine runs since the ring was made, so that its file holds all that was written.
fn is_same_boot(file: &File, owner: Owner, boot: u64) -> bool {
    (boot != 0 && owner.boot == boot) || files::is_memory(file)
}

fn known(header: Header, path: &Path) -> Result<(Owner, Geometry), RingError> {
    match header {
        Header::Intact(owner, geometry) => Ok((owner, geometry)),
        Header::Foreign => {
            let why = "another version of fapilog wrote it";
            Err(RingError::NotARing { path: path.to_owned(), why })
        }
        Header::Damaged => {
            // So that it is told once, and not at every start.
            let aside = path.with_extension(SET_ASIDE);
            fs::rename(path, &aside).map_err(RingError::io("rename", path))?;
            Err(RingError::NotARing { path: aside, why: "both copies of its header are damaged" })
        }
    }
}

/// Whether the bit of the exporter with this number is set.
pub(super) fn is_done(done: u32, exporter: u32) -> bool {
    done.checked_shr(exporter).unwrap_or(0) & 1 != 0
}

pub(super) struct Reader<'a> {
    pub file: &'a File,
}

impl Reader<'_> {
    /// The better copy of the header; `None` when nobody ever wrote one.
    fn header(&self) -> IoResult<Option<Header>> {
        let page = self.at_most(0, PAGE as usize)?;
        if page.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let copy = |at: u64| {
            let at = at as usize;
            page.get(at..at + HEADER_BYTES as usize).map_or(Header::Damaged, read_file_header)
        };
        let first = copy(0);
        Ok(Some(if first == Header::Damaged { copy(SECOND_COPY) } else { first }))
    }

    fn side(&self, geometry: Geometry) -> IoResult<Found> {
        self.at_most(geometry.side_at(), geometry.side_bytes as usize).map(|area| side::read(&area))
    }

    /// The chunk of a slot, if there is one.
    fn slot(
        &self,
        geometry: Geometry,
        index: u32,
        is_same_boot: bool,
        report: &mut Report,
    ) -> Option<RecoveredChunk> {
        let header_at = geometry.headers_at() + HEADER_BYTES * u64::from(index);
        let header = self.at_most(header_at, HEADER_BYTES as usize).unwrap_or_default();
        if header.len() < HEADER_BYTES as usize {
            report.unreadable_slots += 1;
            return None;
        }
        let header = SlotHeader::read(&header).within(geometry.slot_bytes);
        let slot =
            SlotReader { reader: self, at: geometry.slot_at(index), limit: geometry.slot_bytes, header };
        let (found, expected, epoch) = if is_same_boot {
            slot.committed(report)?
        } else {
            slot.checkpointed(geometry.checkpoints_at(index), report)?
        };
        report.records += found.records;
        report.unknown_scope_records += found.unknown_scope_records;
        report.missing_records += expected.saturating_sub(found.records);
        report.damaged_bytes += found.damaged_bytes;
        // A header that is older than its checkpoint says nothing of these records.
        let header = if header.epoch == epoch { header } else { SlotHeader::default() };
        (found.records > 0).then(|| RecoveredChunk {
            protected_records: header.protected_records.min(found.records),
            records: found.records,
            bytes: found.bytes,
            first_sequence: header.first_sequence,
            resource: header.resource,
            done: header.done,
            epoch,
            slot: index,
        })
    }

    /// The bytes at `at`; fewer where the file ends.
    pub fn at_most(&self, at: u64, length: usize) -> IoResult<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut read = 0;
        while read < length {
            match self.file.read_at(&mut bytes[read..], at + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(read);
        Ok(bytes)
    }
}

struct SlotReader<'a> {
    reader: &'a Reader<'a>,
    at: u64,
    limit: u32,
    header: SlotHeader,
}

impl SlotReader<'_> {
    /// Within one boot: what the header says was committed.
    fn committed(&self, report: &mut Report) -> Option<(Salvaged, u64, u64)> {
        let expected = u64::from(self.header.records);
        let length = match self.header.length {
            0 if expected == 0 => return None,
            // A slot is recycled by one store for both, so this is damage. The number of records bounds what is found.
            0 => self.limit,
            length => length,
        };
        let bytes = self.bytes(length, report);
        Some((salvage(&bytes, expected), expected, self.header.epoch))
    }

    /// After another boot: what the newest checkpoint covers that matches the bytes.
    fn checkpointed(&self, at: u64, report: &mut Report) -> Option<(Salvaged, u64, u64)> {
        let both = self.reader.at_most(at, 2 * CHECKPOINT_BYTES).unwrap_or_default();
        let mut checkpoints: Vec<Checkpoint> =
            both.chunks(CHECKPOINT_BYTES).filter_map(Checkpoint::read).collect();
        checkpoints.sort_by_key(|checkpoint| std::cmp::Reverse((checkpoint.epoch, checkpoint.length)));
        let Some(newest) = checkpoints.first().copied() else {
            report.unsynced_records += u64::from(self.header.records);
            return None;
        };
        if self.header.epoch > newest.epoch {
            report.superseded_records += u64::from(newest.records);
            report.unsynced_records += u64::from(self.header.records);
            return None;
        }
        let bytes = self.bytes(newest.length, report);
        // One of an earlier use is of records that were settled.
        for checkpoint in checkpoints.into_iter().filter(|one| one.epoch == newest.epoch) {
            let part = bytes.get(..checkpoint.length as usize);
            let Some(part) = part.filter(|part| crc32fast::hash(part) == checkpoint.checksum) else {
                continue;
            };
            let behind = self.header.records.saturating_sub(checkpoint.records);
            report.unsynced_records += u64::from(behind);
            let expected = u64::from(checkpoint.records);
            return Some((salvage(part, expected), expected, checkpoint.epoch));
        }
        report.missing_records += u64::from(newest.records);
        None
    }

    fn bytes(&self, length: u32, report: &mut Report) -> Vec<u8> {
        let wanted = length.min(self.limit) as usize;
        let bytes = self.reader.at_most(self.at, wanted).unwrap_or_default();
        report.unreadable_slots += u32::from(bytes.len() < wanted);
        bytes
    }
}
