//! Stage 6 of 7, export: complete files are compressed, then deleted when there are too many. Thread: sender, after the
//! block that began a new file, and once an hour where files are kept for a time; records wait in memory meanwhile.
//!
//! Whatever fails here is a warning: the block is written. What an end of the process leaves undone is done after the
//! next rotation. Two processes may be at it at once; each file is compressed under its lock.

use super::lock::Lock;
use super::opening::{create_beside, is_named, open_complete, sync_folder};
use super::rotate::{with_suffix, Complete, Names, GZIP};
use super::{FileSettings, Fsync};
use flate2::write::GzEncoder;
use flate2::Compression;
use std::fs::{remove_file, rename};
use std::io::{copy, ErrorKind, Result};
use std::path::Path;
use std::time::SystemTime;

/// While it is written, a compressed file has this at the end of its name too.
const UNFINISHED: &str = ".tmp";

/// Compresses and deletes as the settings say; returns what could not be done.
pub(super) fn run(settings: &FileSettings, now: SystemTime) -> Option<String> {
    let packed = if settings.compress_rotated { pack_all(settings) } else { Ok(()) };
    let deleted = delete(settings, now);
    let folder = settings.path.parent().unwrap_or_else(|| Path::new(".")).display();
    match (packed, deleted) {
        (Ok(()), Ok(())) => None,
        (Err(error), _) => Some(format!("complete files in {folder} could not be compressed: {error}")),
        (_, Err(error)) => Some(format!("complete files in {folder} could not be deleted: {error}")),
    }
}

fn pack_all(settings: &FileSettings) -> Result<()> {
    let complete = Names::of(&settings.path)?.existing()?;
    let results = complete.iter().filter(|file| !file.packed).map(|file| pack(&file.path, settings.fsync));
    first_error(results)
}

/// Does all of it, whatever fails: one bad file must not keep the others.
fn first_error(results: impl Iterator<Item = Result<()>>) -> Result<()> {
    results.fold(Ok(()), Result::and)
}

fn pack(path: &Path, fsync: Fsync) -> Result<()> {
    let mut file = match open_complete(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        result => result?,
    };
    let held = file.try_clone()?;
    // Somebody else compresses it now, or has done so and removed it.
    let Some(_lock) = Lock::try_take(&held) else { return Ok(()) };
    if !is_named(&file, path)? {
        return Ok(());
    }
    let target = with_suffix(path, GZIP);
    let unfinished = with_suffix(&target, UNFINISHED);
    let mut encoder = GzEncoder::new(create_beside(&unfinished)?, Compression::fast());
    let done = copy(&mut file, &mut encoder).and_then(|_| encoder.finish()).and_then(|packed| {
        if fsync == Fsync::Never {
            Ok(())
        } else {
            packed.sync_all()
        }
    });
    if let Err(error) = done {
        let _ = remove_file(&unfinished);
        return Err(error);
    }
    rename(&unfinished, &target)?;
    if fsync != Fsync::Never {
        // The new name first: a crash must not leave neither.
        sync_folder(path)?;
    }
    remove(path)
}

/// Removes a file, unless another process was faster.
fn remove(path: &Path) -> Result<()> {
    match remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Deletes the oldest files beyond `keep_files`, and those older than `keep_age`.
fn delete(settings: &FileSettings, now: SystemTime) -> Result<()> {
    if settings.keep_files.is_none() && settings.keep_age.is_none() {
        return Ok(());
    }
    let complete = Names::of(&settings.path)?.existing()?;
    let too_many = settings.keep_files.map_or(0, |kept| complete.len().saturating_sub(kept));
    let oldest = settings.keep_age.and_then(|age| now.checked_sub(age));
    let is_too_old = |file: &Complete| oldest.is_some_and(|oldest| file.is_before(oldest));
    let unwanted = complete.iter().enumerate().filter(|(index, file)| *index < too_many || is_too_old(file));
    first_error(unwanted.map(|(_, file)| remove(&file.path)))
}
