//! Stage 6 of 7, export: the block log of one directory. Threads: whoever holds it, one at a time; never a caller.
//!
//! Before: a sealed block. After: `export`, which reads it back. A state machine over a [`Disk`]: no locks, no clock, no
//! thread of its own. What is dropped and why is in `retire`; how a directory is found and locked in `directory`.

use super::crypt::Keys;
use super::disk::{Disk, How};
use super::error::SpoolError;
use super::format::{salt_of, SegmentHeader, UNPROCESSED};
use super::index::{Held, Index, Place, Segment};
use super::owed::Exporters;
use super::positions::Positions;
use super::positions_file::PositionsFile;
use super::reader::Reader;
use super::report::{Kept, Report};
use super::retire::LOCK_FILE;
use super::segment::{frame, framed_bytes, segment_name, Growing, Stamp};
use super::settings::{Fsync, SpoolSettings};
use crate::block::Block;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

/// Blocks that one spool keeps track of, some 80 bytes of memory each.
pub const MAX_BLOCKS: usize = 1 << 20;
/// Names tried for a new segment before giving up.
const TRIES: u32 = 16;

/// What a spool takes and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// Length of all its files.
    pub bytes: u64,
    /// Blocks that somebody has not settled.
    pub blocks: usize,
    /// Since when the oldest of them may be here, in nanoseconds since the Unix epoch.
    pub since_nanos: Option<u64>,
}

/// The block log in one directory that this process has locked.
#[derive(Debug)]
pub struct Spool<D: Disk> {
    pub(super) disk: Arc<D>,
    pub(super) root: Arc<D::Dir>,
    pub(super) dir: Arc<D::Dir>,
    pub(super) name: String,
    pub(super) _noted: D::Noted,
    /// The lock lasts as long as it is open.
    pub(super) lock: D::File,
    pub(super) keys: Arc<Keys>,
    pub(super) settings: SpoolSettings,
    pub(super) index: Index,
    pub(super) positions: Positions,
    pub(super) file: PositionsFile<D>,
    /// Positions changed since they were last written.
    pub(super) unwritten: bool,
    pub(super) kept: Vec<Kept>,
    pub(super) next_number: u64,
    /// `None`: this spool only drains.
    pub(super) writer: Option<Writer<D>>,
    pub(super) report: Report,
    pub(super) owner: u32,
    pub(super) others_bytes: u64,
    pub(super) reader: Arc<Reader<D>>,
}

/// What a spool needs to grow.
#[derive(Debug)]
pub(super) struct Writer<D: Disk> {
    pub(super) boot: u64,
    pub(super) growing: Option<Growing<D>>,
    pub(super) next_segment: u32,
    pub(super) buffer: Vec<u8>,
    /// Blocks written since the file was last forced to the disk.
    pub(super) dirty: bool,
    /// The growing file's name may not be on the disk yet.
    pub(super) unnamed: bool,
    pub(super) synced_nanos: u64,
    pub(super) appended_nanos: u64,
}

impl<D: Disk> Spool<D> {
    /// The directory's name under the root.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names of the exporters, by their positions here.
    pub fn exporters(&self) -> impl Iterator<Item = &str> + '_ {
        self.positions.exporters.iter().map(|position| position.name.as_str())
    }

    /// What was found when the directory was opened.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Every block that somebody has not settled, oldest first.
    pub fn held(&self) -> impl Iterator<Item = (Place, &Held)> + '_ {
        self.index.held().map(|(number, held)| (held.place(number), held))
    }

    /// Records that `exporter` has not settled.
    #[must_use]
    pub fn pending_records(&self, exporter: usize) -> u64 {
        self.index.pending_records(exporter)
    }

    /// What this spool takes and holds.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        let kept = self.kept.iter().fold(0u64, |sum, file| sum.saturating_add(file.bytes));
        let positions = self.file.bytes(&*self.disk);
        let bytes = self.index.bytes().saturating_add(kept).saturating_add(positions);
        let bytes = bytes.saturating_add(self.report.postponed_bytes);
        let live = self.index.segments().filter(|(_, segment)| segment.live > 0);
        let since_nanos = live.map(|(_, segment)| segment.begun_nanos).min();
        Occupancy { bytes, blocks: self.index.len(), since_nanos }
    }

    /// What is to be survived by blocks that are written from now on.
    pub fn set_fsync(&mut self, fsync: Fsync) {
        self.settings.fsync = fsync;
    }

    /// Tells what other directories of the same service take, which counts toward the quota.
    pub fn set_others_bytes(&mut self, bytes: u64) {
        self.others_bytes = bytes;
    }

    /// Writes a block for `exporters`; it survives what [`SpoolSettings::fsync`] says. `now_nanos` since the Unix epoch.
    ///
    /// After an error nothing of it is here: keep the block.
    pub fn append(
        &mut self,
        block: &Block,
        exporters: Exporters,
        now_nanos: u64,
    ) -> Result<Place, SpoolError> {
        self.append_flagged(block, exporters, 0, now_nanos)
    }

    /// As [`Self::append`], of a block that batch processors have not seen: who takes it over shows it to his.
    pub fn append_unprocessed(
        &mut self,
        block: &Block,
        exporters: Exporters,
        now_nanos: u64,
    ) -> Result<Place, SpoolError> {
        self.append_flagged(block, exporters, UNPROCESSED, now_nanos)
    }

    fn append_flagged(
        &mut self,
        block: &Block,
        exporters: Exporters,
        flags: u8,
        now_nanos: u64,
    ) -> Result<Place, SpoolError> {
        self.check_owner()?;
        let exporters = exporters.and(Exporters::first(self.positions.exporters.len()));
        if exporters.is_empty() {
            return Err(SpoolError::Exporters(
                "a block for no exporter of this spool; settle it instead".into(),
            ));
        }
        if self.writer.is_none() {
            return Err(SpoolError::Adopted);
        }
        if self.index.len() >= MAX_BLOCKS {
            return Err(SpoolError::TooManyBlocks { limit: MAX_BLOCKS });
        }
        let framed = framed_bytes(block, &self.keys);
        let growing = self.writer.as_ref().and_then(|writer| writer.growing.as_ref());
        let is_full = growing.is_none_or(|growing| growing.is_full(framed, self.settings.segment_bytes));
        let needed = framed + if is_full { self.header(now_nanos).encode().len() as u64 } else { 0 };
        let free = self.disk.free_bytes(&self.dir).ok();
        let used = self.occupancy().bytes.saturating_add(self.others_bytes);
        self.settings.quota.admit(used, needed, free)?;
        self.make_room(framed, now_nanos)?;
        self.write(block, (exporters, flags), now_nanos)
    }

    fn write(
        &mut self,
        block: &Block,
        (exporters, flags): (Exporters, u8),
        now_nanos: u64,
    ) -> Result<Place, SpoolError> {
        let salt = salt_of(&self.positions.instance);
        let Some(writer) = self.writer.as_mut() else { return Err(SpoolError::Adopted) };
        let Some(growing) = writer.growing.as_mut() else { return Err(SpoolError::Adopted) };
        let stamp = Stamp { number: self.next_number, now_nanos, exporters, salt, flags };
        let framed = match frame(block, stamp, &self.keys, std::mem::take(&mut writer.buffer)) {
            Ok(framed) => framed,
            Err((error, buffer)) => {
                writer.buffer = buffer;
                return Err(error);
            }
        };
        let written = growing.append(&*self.disk, &framed.bytes);
        let header = framed.header;
        writer.buffer = framed.bytes;
        let segment = growing.number;
        let result = written.and_then(|offset| {
            writer.dirty = true;
            writer.appended_nanos = now_nanos;
            if self.settings.fsync != Fsync::Always {
                return Ok(offset);
            }
            let forced = sync_writer(&*self.disk, &self.dir, writer);
            if let (Err(_), Some(growing)) = (&forced, writer.growing.as_mut()) {
                growing.take_back(&*self.disk, offset, growing.bytes);
                growing.spoiled = true;
            }
            forced.map(|()| offset)
        });
        if let Some(growing) = writer.growing.as_ref() {
            if result.is_ok() || growing.spoiled {
                // What could not be taken back may be found later, so its number is not given again.
                self.next_number += 1;
            }
            if let Some(known) = self.index.segment_mut(segment) {
                known.bytes = growing.bytes;
            }
        }
        let offset = result?;
        if let Some(known) = self.index.segment_mut(segment) {
            known.written_nanos = known.written_nanos.max(now_nanos);
        }
        let held = Held {
            segment,
            offset,
            payload_bytes: header.payload_bytes,
            records: header.records,
            protected_records: header.protected_records,
            owed: exporters,
            unprocessed: flags & UNPROCESSED != 0,
            readable: true,
        };
        self.index.insert(header.number, held);
        Ok(held.place(header.number))
    }

    /// Sees to it that a segment with room for `needed` bytes grows.
    fn make_room(&mut self, needed: u64, now_nanos: u64) -> Result<(), SpoolError> {
        let limit = self.settings.segment_bytes;
        let Some(writer) = self.writer.as_mut() else { return Err(SpoolError::Adopted) };
        if let Some(growing) = &writer.growing {
            if !growing.is_full(needed, limit) {
                return Ok(());
            }
            let never = self.settings.fsync == Fsync::Never;
            let forced = if never { Ok(()) } else { sync_writer(&*self.disk, &self.dir, writer) };
            writer.growing = None;
            writer.dirty = false;
            forced?;
        }
        for _ in 0..TRIES {
            match self.start_segment(now_nanos) {
                Err(SpoolError::Io(fault)) if fault.source.kind() == ErrorKind::AlreadyExists => {}
                result => return result,
            }
        }
        Err(SpoolError::Taken { name: self.name.clone() })
    }

    /// The next segment's header.
    fn header(&self, now_nanos: u64) -> SegmentHeader {
        let writer = self.writer.as_ref();
        SegmentHeader {
            instance: self.positions.instance,
            boot: writer.map_or(0, |writer| writer.boot),
            segment: writer.map_or(0, |writer| writer.next_segment),
            first_number: self.next_number,
            created_nanos: now_nanos,
            exporters: self.exporters().map(str::to_owned).collect(),
        }
    }

    fn start_segment(&mut self, now_nanos: u64) -> Result<(), SpoolError> {
        let header = self.header(now_nanos);
        let salt = Some(header.salt());
        let Some(writer) = self.writer.as_mut() else { return Err(SpoolError::Adopted) };
        let made = Growing::create(&*self.disk, &self.dir, &header);
        let bytes = match &made {
            Ok(growing) => growing.bytes,
            Err((error, false)) => {
                let is_taken =
                    matches!(error, SpoolError::Io(fault) if fault.source.kind() == ErrorKind::AlreadyExists);
                writer.next_segment = writer.next_segment.saturating_add(u32::from(is_taken));
                return made.map(drop).map_err(|(error, _)| error);
            }
            // The useless file counts until it can be unlinked.
            Err((_, true)) => {
                let name = segment_name(header.segment);
                let left = self.disk.open(&self.dir, &name, How::Read);
                left.and_then(|file| self.disk.len(&file)).unwrap_or(0)
            }
        };
        let segment = Segment { bytes, live: 0, begun_nanos: now_nanos, written_nanos: 0, salt };
        self.index.add_segment(header.segment, segment);
        writer.next_segment = writer.next_segment.saturating_add(1);
        writer.growing = Some(made.map_err(|(error, _)| error)?);
        writer.unnamed = true;
        Ok(())
    }

    /// What reads blocks of this spool without it.
    #[must_use]
    pub fn reader(&self) -> Arc<Reader<D>> {
        Arc::clone(&self.reader)
    }

    /// Reads a block back. After [`SpoolError::Corrupt`] it is lost: settle it.
    pub fn read(&self, place: Place) -> Result<Block, SpoolError> {
        let Place { number, .. } = place;
        let held = *self.index.get(number).ok_or(SpoolError::NotFound { number })?;
        let records = u64::from(held.records);
        self.reader.block(held.place(number)).map_err(|error| match error {
            SpoolError::Io(fault) if fault.source.kind() == ErrorKind::NotFound => {
                SpoolError::Corrupt { number, records }
            }
            SpoolError::Corrupt { .. } => SpoolError::Corrupt { number, records },
            error => error,
        })
    }

    /// Notes that `exporter` is done with the block `number`; once all are, its space is freed. Settling twice is nothing.
    ///
    /// An error says that this is not on the disk yet. It holds in memory, and the next call or [`Self::tick`] tries again.
    pub fn settle(&mut self, exporter: usize, number: u64) -> Result<(), SpoolError> {
        self.settle_all(&[(exporter, number)])
    }

    /// As [`Self::settle`], of several at once.
    pub fn settle_all(&mut self, settled: &[(usize, u64)]) -> Result<(), SpoolError> {
        self.check_owner()?;
        let mut is_new = false;
        for (exporter, number) in settled {
            if self.index.settle(*number, *exporter).is_some() {
                self.positions.settle(*exporter, *number, &self.index, self.next_number);
                is_new = true;
            }
        }
        if !is_new {
            return Ok(());
        }
        self.unwritten = true;
        self.remember()
    }

    /// Forces everything to the disk, as a flush has to.
    pub fn sync(&mut self, now_nanos: u64) -> Result<(), SpoolError> {
        self.check_owner()?;
        if let Some(writer) = self.writer.as_mut() {
            sync_writer(&*self.disk, &self.dir, writer)?;
            writer.synced_nanos = now_nanos;
        }
        self.sync_positions()
    }

    /// What time asks for: forcing blocks to the disk, what could not be written before, freeing what is settled. Call it
    /// every now and then; for ages see [`Self::expire`]. After [`SpoolError::Gone`] drop the spool and make another one.
    pub fn tick(&mut self, now_nanos: u64) -> Result<(), SpoolError> {
        self.check_owner()?;
        let is_named = self.disk.is_named(&self.dir, LOCK_FILE, &self.lock);
        if !is_named.map_err(|error| SpoolError::io("find", LOCK_FILE, error))? {
            return Err(SpoolError::Gone { name: self.name.clone() });
        }
        self.end_idle_segment(now_nanos);
        if self.unwritten || self.has_settled_segments() {
            self.remember()?;
        }
        let Fsync::Every(interval) = self.settings.fsync else { return Ok(()) };
        let since = self.writer.as_ref().map_or(0, |writer| writer.synced_nanos);
        // A clock that was set back must not put it off.
        if now_nanos < since || Duration::from_nanos(now_nanos - since) >= interval {
            return self.sync(now_nanos);
        }
        Ok(())
    }

    /// Closes this process's copies of the descriptors in a forked child and leaves the files to the parent. Dropping does
    /// the same: nothing is written and the lock is not given back, only closed.
    pub fn leave_to_parent(self) {
        drop(self);
    }

    pub(super) fn check_owner(&self) -> Result<(), SpoolError> {
        if self.disk.process_id() == self.owner {
            return Ok(());
        }
        Err(SpoolError::Forked)
    }
}

/// Forces the growing segment, and its name, to the disk.
pub(super) fn sync_writer<D: Disk>(disk: &D, dir: &D::Dir, writer: &mut Writer<D>) -> Result<(), SpoolError> {
    if let Some(growing) = writer.growing.as_mut().filter(|_| writer.dirty) {
        growing.sync(disk)?;
        if writer.unnamed {
            disk.sync_dir(dir).map_err(|error| SpoolError::io("sync", "the spool directory", error))?;
            writer.unnamed = false;
        }
        writer.dirty = false;
    }
    Ok(())
}
