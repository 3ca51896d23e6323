//! Stage 6 of 7, export: looks at a directory without changing it, and removes one, for people. Threads: any, no logger's.
//!
//! The owner may write meanwhile: a block cut off at the end of a living process's file is no damage, and a file that
//! goes while it is looked at is settled. To tell the dead from the living it takes the lock for a moment; whoever wants
//! to adopt at that moment does so the next time it looks.

use super::disk::{read_full, Disk, How, Kind};
use super::error::SpoolError;
use super::format::{checksum, salt_of, BLOCK_HEADER_BYTES, ENCRYPTED, UNPROCESSED};
use super::gaps::{missing_segments, Gaps};
use super::identity::service_of;
use super::positions::Positions;
use super::positions_file::{PositionsFile, POSITIONS_FILE};
use super::recovery::{scan, Damage, Found, Scan};
use super::reopen::{is_set_aside, FileSource};
use super::retire::LOCK_FILE;
use super::segment::segment_number;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind};
use std::path::Path;

/// What is in one directory. Blocks and records are those that somebody has not settled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Whether a process holds it.
    pub is_alive: bool,
    /// Length of all files.
    pub bytes: u64,
    /// Blocks.
    pub blocks: u64,
    /// Their records.
    pub records: u64,
    /// Records that each exporter has not settled.
    pub owed: BTreeMap<String, u64>,
    /// When the oldest and the newest of the blocks were written, in nanoseconds since the Unix epoch.
    pub written_nanos: Option<(u64, u64)>,
    /// Records that no batch processor has seen.
    pub unprocessed_records: u64,
    /// Blocks that are encrypted.
    pub encrypted_blocks: u64,
    /// The keys that they need.
    pub key_ids: BTreeSet<u32>,
    /// What is not intact between the blocks.
    pub damage: Damage,
    /// Blocks whose payload is not what was written, when it was looked at.
    pub damaged_blocks: u64,
    /// Their records.
    pub damaged_records: u64,
    /// Files that should exist and do not.
    pub missing_segments: u64,
    /// Blocks that the numbers on both sides show to be gone, at most: some may have been delivered.
    pub lost_blocks: u64,
    /// Files in which nothing could be read.
    pub set_aside: Vec<String>,
    /// Files of another version.
    pub other_versions: u64,
    /// Nobody knows what was settled: all would be delivered once more.
    pub positions_lost: bool,
}

/// Names of all directories under `root`, of every service. What else is there is left alone.
pub fn directories<D: Disk>(disk: &D, root: &Path) -> Result<Vec<String>, SpoolError> {
    let dir = open(disk, root)?;
    let entries = disk.list(&dir).map_err(|error| SpoolError::io("list", "the spool root", error))?;
    let ours = entries
        .into_iter()
        .filter(|entry| entry.kind == Kind::Directory && service_of(&entry.name).is_some());
    let mut names: Vec<String> = ours.map(|entry| entry.name).collect();
    names.sort_unstable();
    Ok(names)
}

/// Looks at the directory `name`; with `check` also at every payload's checksum.
pub fn survey<D: Disk>(disk: &D, root: &Path, name: &str, check: bool) -> Result<Survey, SpoolError> {
    let dir = open_named(disk, &open(disk, root)?, name)?;
    let is_alive = matches!(lock(disk, &dir, name)?, Holder::Process);
    let mut survey = Survey { is_alive, ..Survey::default() };
    let entries = disk.list(&dir).map_err(|error| SpoolError::io("list", name, error))?;
    let positions = PositionsFile::peek(disk, &dir).unwrap_or_default();
    let mut segments = BTreeMap::new();
    for entry in entries.into_iter().filter(|entry| entry.kind == Kind::File) {
        survey.bytes = survey.bytes.saturating_add(entry.bytes);
        match segment_number(&entry.name) {
            Some(number) => drop(segments.insert(number, entry)),
            None if is_set_aside(&entry.name) => survey.set_aside.push(entry.name),
            None => {}
        }
    }
    survey.set_aside.sort_unstable();
    survey.positions_lost = positions.is_none() && !segments.is_empty();
    let mut positions = positions.unwrap_or_default();
    if survey.positions_lost {
        // As whoever takes it over does: nobody knows what was before.
        positions.first_segment = segments.keys().next().copied().unwrap_or(0);
    }
    survey.missing_segments = missing_segments(&positions, segments.keys().copied());
    let mut gaps = Gaps::default();
    for (number, entry) in segments.iter().filter(|(number, _)| !positions.is_retired(**number)) {
        let file = match disk.open(&dir, &entry.name, How::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                gaps.pass_over();
                continue;
            }
            Err(_) => {
                survey.damage.read_errors += 1;
                continue;
            }
        };
        let length = disk.len(&file).map_err(|error| SpoolError::io("look at", &entry.name, error))?;
        let salt = (!survey.positions_lost).then(|| salt_of(&positions.instance));
        let found = scan(&FileSource { disk, file: &file, length }, salt);
        survey.add(&found, &positions);
        if !found.found.is_empty() {
            gaps.look(*number, &found, &positions);
        }
        for block in found.found.iter().filter(|block| check && !owed(block, &found, &positions).is_empty()) {
            survey.check(disk, &file, block);
        }
    }
    survey.lost_blocks = gaps.lost_blocks;
    Ok(survey)
}

/// Removes the directory `name` with every file of ours in it. False when a process holds it: then nothing is touched.
pub fn purge<D: Disk>(disk: &D, root: &Path, name: &str) -> Result<bool, SpoolError> {
    let parent = open(disk, root)?;
    let dir = open_named(disk, &parent, name)?;
    let Holder::Us(_lock) = lock(disk, &dir, name)? else { return Ok(false) };
    let entries = disk.list(&dir).map_err(|error| SpoolError::io("list", name, error))?;
    let is_ours = |name: &str| segment_number(name).is_some() || is_set_aside(name);
    let segments = entries.iter().filter(|entry| entry.kind == Kind::File && is_ours(&entry.name));
    // The lock last: whoever finds it held leaves the directory alone.
    for file in segments.map(|entry| entry.name.as_str()).chain([POSITIONS_FILE, LOCK_FILE]) {
        match disk.remove_file(&dir, file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(SpoolError::io("remove", file, error));
            }
            _ => {}
        }
    }
    disk.remove_dir(&parent, name).map_err(|error| SpoolError::io("remove", name, error))?;
    Ok(true)
}

impl Survey {
    fn add(&mut self, found: &Scan, positions: &Positions) {
        self.damage += found.damage;
        self.other_versions += u64::from(found.other_version.is_some());
        for block in &found.found {
            let header = &block.header;
            let owed = owed(block, found, positions);
            if owed.is_empty() {
                continue;
            }
            let records = u64::from(header.records);
            self.blocks += 1;
            self.records = self.records.saturating_add(records);
            for exporter in owed {
                let sum = self.owed.entry(exporter).or_default();
                *sum = sum.saturating_add(records);
            }
            let written = header.written_nanos;
            let (oldest, newest) = self.written_nanos.unwrap_or((written, written));
            self.written_nanos = Some((oldest.min(written), newest.max(written)));
            if header.flags & UNPROCESSED != 0 {
                self.unprocessed_records = self.unprocessed_records.saturating_add(records);
            }
            if header.flags & ENCRYPTED != 0 {
                self.encrypted_blocks += 1;
                self.key_ids.insert(header.key_id);
            }
        }
    }

    /// Whether the payload is the one that was written; it stays encrypted.
    fn check<D: Disk>(&mut self, disk: &D, file: &D::File, block: &Found) {
        let mut payload = vec![0; block.header.payload_bytes as usize];
        let read = read_full(disk, file, block.offset + BLOCK_HEADER_BYTES as u64, &mut payload);
        if read.is_ok_and(|count| count == payload.len())
            && checksum(&payload) == block.header.payload_checksum
        {
            return;
        }
        self.damaged_blocks += 1;
        self.damaged_records = self.damaged_records.saturating_add(u64::from(block.header.records));
    }
}

/// Names of the exporters that have not settled a block.
fn owed(block: &Found, scan: &Scan, positions: &Positions) -> Vec<String> {
    let header = scan.segment.as_ref();
    let name = |bit: usize| match header {
        Some(header) => header.exporters.get(bit).cloned(),
        None => positions.exporters.get(bit).map(|position| position.name.clone()),
    };
    let is_open = |name: &String| {
        let known = positions.exporters.iter().find(|position| position.name == *name);
        known.is_none_or(|position| !position.is_settled(block.header.number))
    };
    block.header.exporters.iter().filter_map(name).filter(is_open).collect()
}

fn open<D: Disk>(disk: &D, root: &Path) -> Result<D::Dir, SpoolError> {
    disk.open_root(root).map_err(|error| SpoolError::io("open", &root.display().to_string(), error))
}

fn open_named<D: Disk>(disk: &D, root: &D::Dir, name: &str) -> Result<D::Dir, SpoolError> {
    if service_of(name).is_none() || name.contains('/') {
        let message = "it is no directory of a spool; `fapilog spool list` names them";
        return Err(SpoolError::io("open", name, Error::new(ErrorKind::InvalidInput, message)));
    }
    disk.open_dir(root, name).map_err(|error| SpoolError::io("open", name, error))
}

/// Who holds a directory.
enum Holder<F> {
    /// A process.
    Process,
    /// Nobody but us, as long as the lock is kept; nothing to keep where there is no file for it.
    Us(Option<F>),
}

fn lock<D: Disk>(disk: &D, dir: &D::Dir, name: &str) -> Result<Holder<D::File>, SpoolError> {
    let failed = |error| SpoolError::io("lock", name, error);
    match disk.open(dir, LOCK_FILE, How::Read) {
        Ok(file) if disk.try_lock(&file).map_err(failed)? => Ok(Holder::Us(Some(file))),
        Ok(_) => Ok(Holder::Process),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Holder::Us(None)),
        Err(error) => Err(failed(error)),
    }
}
