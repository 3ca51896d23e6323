//! Stage 6 of 7, export: the file that remembers where each exporter stands. Threads: as the spool.
//!
//! Three slots, each with a checksum; the intact one with the highest generation counts. A write goes to the slot that is
//! neither the newest nor the newest known to be on the disk: so a write torn by the end of the process leaves the one
//! before it, and a loss of power leaves the last that was forced to the disk. The whole file is written when it is made:
//! a full disk does not stop it.

use super::disk::{read_full, Disk, How};
use super::error::SpoolError;
use super::positions::{Positions, SLOT_BYTES};

/// S7: its name in a process directory.
pub const POSITIONS_FILE: &str = "positions";
const SLOTS: usize = 3;
/// Length of the file, in bytes.
pub const POSITIONS_BYTES: u64 = (SLOTS * SLOT_BYTES) as u64;

/// The open file.
#[derive(Debug)]
pub struct PositionsFile<D: Disk> {
    file: D::File,
    generation: u64,
    newest: usize,
    synced: usize,
    /// Whether something was written since it was last forced to the disk.
    unsynced: bool,
}

impl<D: Disk> PositionsFile<D> {
    /// Makes the file and forces it to the disk.
    pub fn create(disk: &D, dir: &D::Dir, positions: &Positions) -> Result<Self, SpoolError> {
        let failed = |doing| move |error| SpoolError::io(doing, POSITIONS_FILE, error);
        let file = disk.open(dir, POSITIONS_FILE, How::Create).map_err(failed("make"))?;
        let mut bytes = positions.encode(1);
        bytes.resize(SLOTS * SLOT_BYTES, 0);
        disk.write_at(&file, 0, &bytes).map_err(failed("write"))?;
        disk.truncate(&file, POSITIONS_BYTES).map_err(failed("write"))?;
        disk.sync_data(&file).map_err(failed("sync"))?;
        Ok(Self { file, generation: 1, newest: 0, synced: 0, unsynced: false })
    }

    /// Opens the file for writing and reads it. No positions: none is intact.
    pub fn open(disk: &D, dir: &D::Dir) -> std::io::Result<(Self, Option<Positions>)> {
        let file = disk.open(dir, POSITIONS_FILE, How::Write)?;
        let (newest, generation, positions) = newest(disk, &file)?;
        Ok((Self { file, generation, newest, synced: newest, unsynced: true }, positions))
    }

    /// Reads what the file says, without a right to write it.
    pub fn peek(disk: &D, dir: &D::Dir) -> std::io::Result<Option<Positions>> {
        Ok(newest(disk, &disk.open(dir, POSITIONS_FILE, How::Read)?)?.2)
    }

    /// Writes the positions; they survive the end of the process.
    pub fn write(&mut self, disk: &D, positions: &Positions) -> std::io::Result<()> {
        let slot = (0..SLOTS).find(|slot| *slot != self.newest && *slot != self.synced).unwrap_or(0);
        // A failed write may be whole all the same: its generation is not given again.
        self.generation = self.generation.saturating_add(1);
        disk.write_at(&self.file, (slot * SLOT_BYTES) as u64, &positions.encode(self.generation))?;
        self.newest = slot;
        self.unsynced = true;
        Ok(())
    }

    /// Forces what was written to the disk; it survives a loss of power.
    pub fn sync(&mut self, disk: &D) -> std::io::Result<()> {
        if self.unsynced {
            disk.sync_data(&self.file)?;
            self.synced = self.newest;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Length of the file.
    pub fn bytes(&self, disk: &D) -> u64 {
        disk.len(&self.file).unwrap_or(POSITIONS_BYTES)
    }
}

/// The slot that counts, its generation and what it says.
fn newest<D: Disk>(disk: &D, file: &D::File) -> std::io::Result<(usize, u64, Option<Positions>)> {
    let mut bytes = vec![0; SLOTS * SLOT_BYTES];
    let length = read_full(disk, file, 0, &mut bytes)?;
    bytes.truncate(length);
    let slots = bytes.chunks(SLOT_BYTES).enumerate();
    let intact = slots.filter_map(|(slot, bytes)| {
        Positions::parse(bytes).map(|(generation, found)| (generation, slot, found))
    });
    let best = intact.max_by_key(|(generation, _, _)| *generation);
    Ok(best.map_or((0, 0, None), |(generation, slot, found)| (slot, generation, Some(found))))
}
