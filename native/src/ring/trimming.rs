//! Stage 4 of 7, append: space that a dead process's ring holds for nothing. Threads: any, never a caller.

use super::checkpoint::{Checkpoint, CHECKPOINT_BYTES};
use super::error::RingError;
use super::files;
use super::layout::{Geometry, Header, SlotHeader, HEADER_BYTES, PAGE};
use super::recovery::{read_header, Reader, Recovered};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// As `stat` counts.
const STAT_BLOCK_BYTES: u64 = 512;

impl Recovered {
    /// Gives the space back that holds nothing: a ring takes its full length from the start, and of many processes that died
    /// early only their records should wait. Where the file system cannot do that, nothing changes.
    pub fn trim(&self) {
        if let Some(geometry) = self.geometry {
            trim_file(&self.file, geometry);
        }
    }
}

/// [`Recovered::trim`] of a ring whose owner is dead, without taking it over. Nothing when most of it is given back already.
pub fn trim(path: &Path) -> Result<(), RingError> {
    let is_large = |found: fs::Metadata| found.blocks() * STAT_BLOCK_BYTES > found.len() / 2;
    if !fs::symlink_metadata(path).is_ok_and(is_large) {
        return Ok(());
    }
    let Some(file) = files::adopt(path)? else { return Ok(()) };
    if let Some(Header::Intact(_, geometry)) = read_header(&file, path)? {
        trim_file(&file, geometry);
    }
    Ok(())
}

fn trim_file(file: &File, geometry: Geometry) {
    let reader = Reader { file };
    let punch = |at: u64, bytes: u32, kept: u64| {
        let kept = kept.next_multiple_of(PAGE).min(u64::from(bytes));
        files::punch(file, at + kept, u64::from(bytes) - kept);
    };
    if let Ok(area) = reader.at_most(geometry.side_at(), geometry.side_bytes as usize) {
        let used = area.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        punch(geometry.side_at(), geometry.side_bytes, used);
    }
    for index in 0..geometry.slots {
        // What cannot be read stays as it is.
        if let Some(written) = reader.written(geometry, index) {
            punch(geometry.slot_at(index), geometry.slot_bytes, written);
        }
    }
}

impl Reader<'_> {
    /// How much of a slot its header or a checkpoint speaks of; `None`: nobody knows.
    fn written(&self, geometry: Geometry, index: u32) -> Option<u64> {
        let header_at = geometry.headers_at() + HEADER_BYTES * u64::from(index);
        let header = self.at_most(header_at, HEADER_BYTES as usize).ok()?;
        let checkpoints = self.at_most(geometry.checkpoints_at(index), 2 * CHECKPOINT_BYTES).ok()?;
        if header.len() < HEADER_BYTES as usize || checkpoints.len() < 2 * CHECKPOINT_BYTES {
            return None;
        }
        let header = SlotHeader::read(&header);
        if header.length == 0 && header.records > 0 {
            return None;
        }
        let forced = checkpoints.chunks(CHECKPOINT_BYTES).filter_map(Checkpoint::read);
        Some(forced.map(|one| u64::from(one.length)).fold(u64::from(header.length), u64::max))
    }
}
