//! Stage 6 of 7, export: how the spool gives space back: settled segments, too old ones, the oldest. Threads: as the spool.
//!
//! The order that a crash in between cannot harm: first the positions say that a segment is settled, and are forced to
//! the disk; then it is unlinked. So a missing segment below them is normal, and one above is a loss.

use super::disk::Disk;
use super::error::SpoolError;
use super::index::Held;
use super::positions_file::POSITIONS_FILE;
use super::segment::segment_name;
use super::spool::Spool;
use std::io::ErrorKind;
use std::time::Duration;

/// S7: the file whose lock says that the directory's owner lives.
pub const LOCK_FILE: &str = "lock";
/// How long a settled segment stays open for the next block.
const IDLE: Duration = Duration::from_secs(5);

/// Why records were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossReason {
    /// Older than the age limit.
    Age,
    /// They made room for newer ones.
    Room,
}

/// One block's records, given up for one exporter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The exporter's position in this spool.
    pub exporter: usize,
    /// The block.
    pub number: u64,
    /// Its records; those of a block that was settled in parts included.
    pub records: u64,
    /// Of these, records that shedding must spare.
    pub protected_records: u64,
    /// Why.
    pub reason: LossReason,
}

impl<D: Disk> Spool<D> {
    /// Gives up every undecided block of the segments whose newest block is older than the age limit.
    ///
    /// Here and below: what could not be written about it is written by the next [`Spool::tick`].
    pub fn expire(&mut self, now_nanos: u64) -> Vec<Loss> {
        let Some(max_age) = self.settings.max_age.filter(|_| self.check_owner().is_ok()) else {
            return Vec::new();
        };
        let is_old = |since: u64| Duration::from_nanos(now_nanos.saturating_sub(since)) > max_age;
        let segments = self.index.segments().filter(|(_, segment)| segment.live > 0);
        let old: Vec<u32> =
            segments.filter(|(_, segment)| is_old(segment.written_nanos)).map(|(number, _)| number).collect();
        let aside: Vec<String> = self
            .kept
            .iter()
            .filter(|file| is_old(file.modified_nanos))
            .map(|file| file.name.clone())
            .collect();
        for name in aside {
            self.remove_kept(&name);
        }
        old.into_iter().flat_map(|segment| self.drop_segment(segment, LossReason::Age)).collect()
    }

    /// When [`Self::expire`] gives the first of it up, in nanoseconds since the Unix epoch; `None`: never.
    #[must_use]
    pub fn expires_nanos(&self) -> Option<u64> {
        let max_age = u64::try_from(self.settings.max_age?.as_nanos()).unwrap_or(u64::MAX);
        let live = self.index.segments().filter(|(_, segment)| segment.live > 0);
        let segments = live.map(|(_, segment)| segment.written_nanos);
        let first = segments.chain(self.kept.iter().map(|file| file.modified_nanos)).min();
        first.map(|since| since.saturating_add(max_age).saturating_add(1))
    }

    /// Frees space: files set aside first, then the oldest segment with undecided blocks. No losses and no less
    /// [`Spool::occupancy`]: there is nothing left to free.
    pub fn drop_oldest(&mut self) -> Vec<Loss> {
        self.drop_oldest_but(&|_, _| false)
    }

    /// As [`Self::drop_oldest`], of the segments that hold none of the blocks that `is_spared`.
    pub fn drop_oldest_but(&mut self, is_spared: &dyn Fn(u64, &Held) -> bool) -> Vec<Loss> {
        if self.check_owner().is_err() {
            return Vec::new();
        }
        if let Some(name) = self.kept.first().map(|file| file.name.clone()) {
            self.remove_kept(&name);
            if self.kept.first().is_none_or(|file| file.name != name) {
                return Vec::new();
            }
        }
        let spares = |segment: u32| {
            let numbers = self.index.in_segment(segment).into_iter();
            numbers
                .filter_map(|number| Some((number, self.index.get(number)?)))
                .any(|(at, held)| is_spared(at, held))
        };
        let live = self.index.segments().filter(|(_, segment)| segment.live > 0);
        let oldest = live.map(|(number, _)| number).find(|segment| !spares(*segment));
        oldest.map(|segment| self.drop_segment(segment, LossReason::Room)).unwrap_or_default()
    }

    fn drop_segment(&mut self, segment: u32, reason: LossReason) -> Vec<Loss> {
        let numbers = self.index.in_segment(segment);
        let losses = numbers.into_iter().flat_map(|number| self.forget(number, reason)).collect();
        self.end_segment(segment);
        let _ = self.remember();
        losses
    }

    fn forget(&mut self, number: u64, reason: LossReason) -> Vec<Loss> {
        let Some(Held { owed, records, protected_records, .. }) = self.index.get(number).copied() else {
            return Vec::new();
        };
        let loss = |exporter| Loss {
            exporter,
            number,
            records: u64::from(records),
            protected_records: u64::from(protected_records),
            reason,
        };
        for exporter in owed.iter() {
            self.index.settle(number, exporter);
            self.positions.settle(exporter, number, &self.index, self.next_number);
        }
        self.unwritten = true;
        owed.iter().map(loss).collect()
    }

    fn remove_kept(&mut self, name: &str) {
        let removed = self.disk.remove_file(&self.dir, name);
        if removed.is_ok() || removed.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            self.kept.retain(|file| file.name != name);
        }
    }

    /// Lets the next block start a new file, so that this one can be unlinked.
    fn end_segment(&mut self, segment: u32) {
        if let Some(writer) = self.writer.as_mut() {
            if writer.growing.as_ref().is_some_and(|growing| growing.number == segment) {
                writer.growing = None;
                writer.dirty = false;
            }
        }
    }

    /// Ends a growing segment that holds settled blocks only and to which nobody appended for a while.
    pub(super) fn end_idle_segment(&mut self, now_nanos: u64) {
        let Some(writer) = self.writer.as_ref() else { return };
        let Some(growing) = writer.growing.as_ref().map(|growing| growing.number) else { return };
        let is_settled = self.index.segment(growing).is_some_and(|segment| segment.live == 0);
        let idle = Duration::from_nanos(now_nanos.saturating_sub(writer.appended_nanos));
        if is_settled && idle >= IDLE {
            self.end_segment(growing);
        }
    }

    pub(super) fn has_settled_segments(&self) -> bool {
        !self.settled_segments().is_empty()
    }

    /// Segments that nobody needs.
    fn settled_segments(&self) -> Vec<u32> {
        let growing = self.writer.as_ref().and_then(|writer| writer.growing.as_ref());
        let growing = growing.map(|growing| growing.number);
        let settled = self.index.segments().filter(|(_, segment)| segment.live == 0);
        settled.map(|(number, _)| number).filter(|number| Some(*number) != growing).collect()
    }

    /// Writes the positions, then unlinks what they say is settled.
    pub(super) fn remember(&mut self) -> Result<(), SpoolError> {
        let mut settled = self.settled_segments();
        settled.retain(|segment| self.positions.retire(*segment));
        self.file
            .write(&*self.disk, &self.positions)
            .map_err(|error| SpoolError::io("write", POSITIONS_FILE, error))?;
        self.unwritten = false;
        if settled.is_empty() {
            return Ok(());
        }
        self.sync_positions()?;
        let mut result = Ok(());
        for segment in settled {
            let name = segment_name(segment);
            match self.disk.remove_file(&self.dir, &name) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    result = Err(SpoolError::io("unlink", &name, error));
                }
                _ => {
                    self.index.remove_segment(segment);
                    self.reader.forget(segment);
                }
            }
        }
        result
    }

    pub(super) fn sync_positions(&mut self) -> Result<(), SpoolError> {
        self.file.sync(&*self.disk).map_err(|error| SpoolError::io("sync", POSITIONS_FILE, error))
    }

    /// Ends the spool: everything is forced to the disk unless nothing ever is, and the directory removed if nothing is
    /// left in it. True when it was; else the next process that looks adopts it.
    pub fn close(mut self, now_nanos: u64) -> Result<bool, SpoolError> {
        self.check_owner()?;
        if self.settings.fsync != super::settings::Fsync::Never {
            self.sync(now_nanos)?;
        }
        if let Some(writer) = self.writer.as_mut() {
            writer.growing = None;
        }
        self.remember()?;
        let is_empty = self.index.segments().next().is_none() && self.kept.is_empty();
        Ok(is_empty && self.remove_directory()?)
    }

    /// Removes the directory with what makes it one of ours; not when somebody put something into it.
    fn remove_directory(&self) -> Result<bool, SpoolError> {
        let failed = |doing| move |error| SpoolError::io(doing, "the spool directory", error);
        let entries = self.disk.list(&self.dir).map_err(failed("list"))?;
        if entries.iter().any(|entry| entry.name != POSITIONS_FILE && entry.name != LOCK_FILE) {
            return Ok(false);
        }
        for name in [POSITIONS_FILE, LOCK_FILE] {
            match self.disk.remove_file(&self.dir, name) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed("empty")(error)),
                _ => {}
            }
        }
        // Somebody may look at it at this moment and make a lock of his own: then he finds it empty, and removes it.
        Ok(self.disk.remove_dir(&self.root, &self.name).is_ok())
    }
}
