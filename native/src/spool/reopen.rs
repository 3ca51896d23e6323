//! Stage 6 of 7, export: opens what a dead process left. Threads: as the spool.
//!
//! What is on disk is believed only as far as it is intact: sizes and counts are those of the files, never of a note. A
//! file that is missing is a fact, not something to wait for. Every loss is in the [`Report`].

use super::crypt::Keys;
use super::disk::{read_full, Disk, Entry, How, Kind};
use super::error::SpoolError;
use super::format::{open_segment, Opening, BLOCK_HEADER_BYTES, MAX_SEGMENT_HEADER_BYTES, UNPROCESSED};
use super::gaps::{missing_segments, Gaps};
use super::index::{Held, Index, Segment};
use super::owed::{Exporters, MAX_EXPORTERS};
use super::positions::{Position, Positions};
use super::positions_file::{PositionsFile, POSITIONS_FILE};
use super::recovery::{scan, Damage, Found, Scan, Source};
use super::report::{Kept, Report};
use super::segment::{is_readable, missing_key, segment_name, segment_number};
use super::spool::MAX_BLOCKS;
use std::collections::BTreeSet;
use std::io;

/// S9: what is appended to the name of a file in which nothing can be read.
pub const CORRUPT_SUFFIX: &str = ".corrupt";

/// The instance of positions that were begun again.
const NOBODY: [u8; 16] = [0; 16];

/// What a directory holds.
#[derive(Debug)]
pub struct Reopened<D: Disk> {
    pub(super) index: Index,
    pub(super) positions: Positions,
    pub(super) file: PositionsFile<D>,
    pub(super) kept: Vec<Kept>,
    pub(super) next_number: u64,
    pub(super) report: Report,
}

impl<D: Disk> Reopened<D> {
    /// S4: what every block repeats; `None`: no file says it any more.
    pub(super) fn salt(&self) -> Option<u32> {
        let instance = self.positions.instance;
        (instance != NOBODY).then(|| super::format::salt_of(&instance))
    }
}

struct Opened<'a, D: Disk> {
    disk: &'a D,
    dir: &'a D::Dir,
    keys: &'a Keys,
    /// Who gets blocks of which nobody knows any more for whom they were.
    fallback: &'a [String],
    force: bool,
    reopened: Reopened<D>,
    /// Segments that wait for a later start.
    kept_back: BTreeSet<u32>,
    gaps: Gaps,
}

/// Opens the directory `dir`, which this process has locked. `force`: what the dead process did not force to the disk any
/// more is forced now.
pub fn reopen<D: Disk>(
    disk: &D,
    dir: &D::Dir,
    keys: &Keys,
    fallback: &[String],
    force: bool,
) -> Result<Reopened<D>, SpoolError> {
    let entries = disk.list(dir).map_err(|error| SpoolError::io("list", "the spool directory", error))?;
    let (file, positions) = open_positions(disk, dir)?;
    // Without segments nothing is lost: the process ended while it made the directory, or removed it.
    let positions_lost =
        positions.is_none() && entries.iter().any(|entry| segment_number(&entry.name).is_some());
    let report = Report { positions_lost, ..Report::default() };
    let reopened = Reopened {
        index: Index::default(),
        positions: positions.unwrap_or_default(),
        file,
        kept: Vec::new(),
        next_number: 0,
        report,
    };
    let mut opened = Opened {
        disk,
        dir,
        keys,
        fallback,
        force,
        reopened,
        kept_back: BTreeSet::new(),
        gaps: Gaps::default(),
    };
    let mut segments: Vec<(u32, &Entry)> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind == Kind::File) {
        match segment_number(&entry.name) {
            Some(number) => segments.push((number, entry)),
            None if is_set_aside(&entry.name) => opened.keep(entry.name.clone(), entry),
            None => {}
        }
    }
    segments.sort_unstable_by_key(|(number, _)| *number);
    if opened.reopened.report.positions_lost {
        opened.begin_again(&segments);
    }
    let numbers = segments.iter().map(|(number, _)| *number);
    opened.reopened.report.missing_segments = missing_segments(&opened.reopened.positions, numbers);
    for (number, entry) in &segments {
        opened.segment(*number, entry)?;
    }
    opened.write_off(&segments);
    if force {
        let _ = disk.sync_dir(dir);
    }
    opened.reopened.report.lost_blocks = opened.gaps.lost_blocks;
    let lows = opened.reopened.positions.exporters.iter().map(|position| position.low);
    opened.reopened.next_number = lows.fold(opened.gaps.next_number, u64::max);
    Ok(opened.reopened)
}

pub(super) fn is_set_aside(name: &str) -> bool {
    name.strip_suffix(CORRUPT_SUFFIX).and_then(segment_number).is_some()
}

/// The positions, unless they are missing or damaged.
fn open_positions<D: Disk>(
    disk: &D,
    dir: &D::Dir,
) -> Result<(PositionsFile<D>, Option<Positions>), SpoolError> {
    match PositionsFile::open(disk, dir) {
        Ok((file, Some(positions))) => Ok((file, Some(positions))),
        Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound) && !is_media_error(&error) => {
            Err(SpoolError::io("open", POSITIONS_FILE, error))
        }
        _ => {
            // A new file, because a damaged place on the disk may stay damaged.
            let _ = disk.remove_file(dir, POSITIONS_FILE);
            Ok((PositionsFile::create(disk, dir, &Positions::default())?, None))
        }
    }
}

/// The disk itself fails, as opposed to a lack of descriptors, memory or rights, which may pass.
fn is_media_error(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EIO)
}

impl<D: Disk> Opened<'_, D> {
    fn keep(&mut self, name: String, entry: &Entry) {
        let (bytes, modified_nanos) = (entry.bytes, entry.modified_nanos);
        self.reopened.kept.push(Kept { name, bytes, modified_nanos });
    }

    /// What the first intact segment header says stands in for lost positions; segments before the first one that is
    /// there count as settled.
    fn begin_again(&mut self, segments: &[(u32, &Entry)]) {
        self.reopened.positions.first_segment = segments.first().map_or(0, |(number, _)| *number);
        for (_, entry) in segments {
            let mut start = vec![0; MAX_SEGMENT_HEADER_BYTES];
            let file = self.disk.open(self.dir, &entry.name, How::Read);
            let read = file.and_then(|file| read_full(self.disk, &file, 0, &mut start));
            if let Opening::Segment(header, _) = open_segment(&start[..read.unwrap_or(0)]) {
                self.reopened.positions.instance = header.instance;
                self.table(Some(header.exporters));
                return;
            }
        }
    }

    /// Notes segments that are missing or set aside as settled: their loss is told once. What finds no room is told again.
    fn write_off(&mut self, segments: &[(u32, &Entry)]) {
        let is_there =
            |number: &u32| self.reopened.index.segment(*number).is_some() || self.is_postponed(*number);
        let there: Vec<u64> =
            segments.iter().map(|(number, _)| *number).filter(is_there).map(u64::from).collect();
        let mut start = u64::from(self.reopened.positions.first_segment);
        let end = segments.last().map_or(0, |(number, _)| u64::from(*number) + 1);
        for next in there.into_iter().chain([end]) {
            if start < next {
                self.reopened.positions.retire_all(start, next);
            }
            start = start.max(next + 1);
        }
    }

    /// Whether a segment waits for a later start, or for another version.
    fn is_postponed(&self, number: u32) -> bool {
        let name = segment_name(number);
        self.kept_back.contains(&number) || self.reopened.kept.iter().any(|kept| kept.name == name)
    }

    fn segment(&mut self, number: u32, entry: &Entry) -> Result<(), SpoolError> {
        let name = &entry.name;
        if self.reopened.positions.is_retired(number) {
            // Settled; the process ended before it was unlinked.
            self.add(number, entry, None);
            return Ok(());
        }
        if self.reopened.index.len() >= MAX_BLOCKS {
            self.reopened.report.postponed_segments += 1;
            self.reopened.report.postponed_bytes += entry.bytes;
            self.kept_back.insert(number);
            return Ok(());
        }
        let file = match self.disk.open(self.dir, name, How::Write) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if is_media_error(&error) => {
                self.set_aside(entry);
                return Ok(());
            }
            Err(error) => return Err(SpoolError::io("open", name, error)),
        };
        let length = self.disk.len(&file).map_err(|error| SpoolError::io("open", name, error))?;
        let scan = scan(&FileSource { disk: self.disk, file: &file, length }, self.reopened.salt());
        self.reopened.report.damage += scan.damage;
        let end = self.cut(&file, length, &scan);
        if self.force {
            // What fails here is no worse than before.
            let _ = self.disk.sync_data(&file);
        }
        self.enter(number, entry, &scan, end);
        Ok(())
    }

    /// Cuts off what is torn; what could not be read stays, because it may be readable later. Returns the length.
    fn cut(&self, file: &D::File, length: u64, scan: &Scan) -> u64 {
        let is_certain = scan.damage.read_errors == 0 && !scan.found.is_empty();
        if is_certain && scan.end < length && self.disk.truncate(file, scan.end).is_ok() {
            return scan.end;
        }
        length
    }

    fn enter(&mut self, number: u32, entry: &Entry, scan: &Scan, bytes: u64) {
        let Damage { read_errors, torn_bytes, torn_records, .. } = scan.damage;
        // The process ended while it made the file, or wrote the first block.
        let is_begun = scan.is_stub || torn_records > 0 || torn_bytes < BLOCK_HEADER_BYTES as u64;
        if scan.other_version.is_some() {
            self.reopened.report.other_versions += 1;
            self.keep(entry.name.clone(), entry);
        } else if scan.found.is_empty() && (read_errors > 0 || !is_begun) {
            self.set_aside(entry);
        } else {
            self.gaps.look(number, scan, &self.reopened.positions);
            self.add(number, &Entry { bytes, ..entry.clone() }, Some(scan));
        }
    }

    fn add(&mut self, number: u32, entry: &Entry, scan: Option<&Scan>) {
        let found = scan.map(|scan| scan.found.as_slice()).unwrap_or_default();
        let written = || found.iter().map(|found| found.header.written_nanos);
        let segment = Segment {
            bytes: entry.bytes,
            live: 0,
            begun_nanos: written().min().unwrap_or(entry.modified_nanos),
            written_nanos: written().max().unwrap_or(entry.modified_nanos),
            salt: scan.and_then(|scan| scan.salt),
        };
        self.reopened.index.add_segment(number, segment);
        if found.is_empty() {
            return;
        }
        let names = scan.and_then(|scan| scan.segment.as_ref()).map(|header| header.exporters.clone());
        let table = self.table(names);
        for found in found {
            self.hold(number, found, table.as_deref());
        }
    }

    /// Notes a block, for those who have not settled it.
    fn hold(&mut self, segment: u32, found: &Found, table: Option<&[usize]>) {
        let header = &found.header;
        let exporters = &self.reopened.positions.exporters;
        let owed: Vec<usize> = match table {
            Some(table) => header.exporters.iter().filter_map(|bit| table.get(bit)).copied().collect(),
            // Nobody knows any more for whom it was.
            None => (0..exporters.len()).collect(),
        };
        let is_open = |one: &usize| !exporters[*one].is_settled(header.number);
        let held = Held {
            segment,
            offset: found.offset,
            payload_bytes: header.payload_bytes,
            records: header.records,
            protected_records: header.protected_records,
            owed: owed.into_iter().filter(is_open).fold(Exporters::NONE, Exporters::with),
            unprocessed: header.flags & UNPROCESSED != 0,
            readable: is_readable(header, self.keys),
        };
        let report = &mut self.reopened.report;
        if !self.reopened.index.insert(header.number, held) {
            // Two blocks of one number: somebody copied files.
            report.damage.corrupt_bytes += header.end(found.offset) - found.offset;
            report.damage.corrupt_places += 1;
        } else if !held.owed.is_empty() {
            let records = u64::from(header.records);
            report.blocks += 1;
            report.records += records;
            if !held.readable {
                report.unreadable_records += records;
                report.missing_keys.extend(missing_key(header, self.keys));
            }
        }
    }

    /// Which position each bit in the segment's blocks means. The segment's own names count; without them those of the
    /// positions, in which they stand in the same order. `None`: nobody knows, and this process's exporters stand in.
    fn table(&mut self, names: Option<Vec<String>>) -> Option<Vec<usize>> {
        // Without an instance, the positions were begun again and no file said who the exporters were.
        let is_known = names.is_some() || self.reopened.positions.instance != NOBODY;
        let exporters = &mut self.reopened.positions.exporters;
        if names.is_none() && is_known {
            return Some((0..exporters.len()).collect());
        }
        let mut table = Vec::new();
        for name in names.unwrap_or_else(|| self.fallback.to_vec()) {
            let known = exporters.iter().position(|position| position.name == name);
            if known.is_none() && exporters.len() >= MAX_EXPORTERS {
                break;
            }
            table.push(known.unwrap_or_else(|| {
                exporters.push(Position { name, ..Position::default() });
                exporters.len() - 1
            }));
        }
        is_known.then_some(table)
    }

    /// Renames a file in which nothing can be read, so that it is looked at once.
    fn set_aside(&mut self, entry: &Entry) {
        self.reopened.report.renamed.push(entry.name.clone());
        let aside = format!("{}{CORRUPT_SUFFIX}", entry.name);
        let renamed = self.disk.rename(self.dir, &entry.name, &aside).is_ok();
        self.keep(if renamed { aside } else { entry.name.clone() }, entry);
    }
}

pub(super) struct FileSource<'a, D: Disk> {
    pub disk: &'a D,
    pub file: &'a D::File,
    pub length: u64,
}

impl<D: Disk> Source for FileSource<'_, D> {
    fn len(&self) -> u64 {
        self.length
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        read_full(self.disk, self.file, offset, buffer)
    }
}
