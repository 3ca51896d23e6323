//! Stage 6 of 7, export: one block at the end of the file, all of it or nothing. Thread: sender.

use super::lock::Lock;
use super::opening::{is_named, open, sync_folder};
use super::rotate::{is_due, rename};
use super::{FileSettings, Fsync};
use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::SystemTime;

/// How often the path may turn out to name another file before the block is left for later. Each turn is a rotation
/// by somebody else within microseconds.
const TURNS: usize = 16;

/// The open file.
#[derive(Debug)]
pub(super) struct Appender {
    file: Option<File>,
}

impl Appender {
    /// Opens the file, for the sake of the errors. The text says which path, why, and what to do.
    pub(super) fn new(settings: &FileSettings) -> std::result::Result<Self, String> {
        let file = open(&settings.path).map_err(|error| {
            let path = settings.path.display();
            format!(
                "log file {path} cannot be opened: {error}; name a regular file in a folder that this process may \
                 write to"
            )
        })?;
        Ok(Self { file: Some(file) })
    }

    /// Appends `text`, in a new file when one is due. Returns whether it was.
    ///
    /// After an error nothing of `text` is in the file, or so much of it that the next block starts on a new line.
    pub(super) fn append(
        &mut self,
        text: &[u8],
        settings: &FileSettings,
        clock: fn() -> SystemTime,
    ) -> Result<bool> {
        let mut rotated = false;
        for _ in 0..TURNS {
            let file = match self.file.take() {
                Some(file) => file,
                None => open(&settings.path)?,
            };
            // Whoever compresses a complete file holds its lock for seconds: that one is not worth waiting for.
            if !is_named(&file, &settings.path)? {
                continue;
            }
            let lock = Lock::take(&file)?;
            if !is_named(&file, &settings.path)? {
                continue;
            }
            // Under the lock, so that the names of complete files follow their order.
            let now = clock();
            let metadata = file.metadata()?;
            if !is_due(&metadata, text.len() as u64, settings, now) {
                write(&file, metadata.len(), text, settings.fsync)?;
                if settings.fsync == Fsync::Always && metadata.len() == 0 {
                    sync_folder(&settings.path)?;
                }
                drop(lock);
                self.file = Some(file);
                return Ok(rotated);
            }
            complete(&file, &settings.path, settings.fsync, now)?;
            rotated = true;
        }
        Err(Error::other("it keeps being replaced by other files"))
    }

    /// Forces what was written to the disk.
    pub(super) fn sync(&self) -> Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_data)
    }
}

/// Gives a complete file its final name.
fn complete(file: &File, path: &Path, fsync: Fsync, now: SystemTime) -> Result<()> {
    if fsync != Fsync::Never {
        file.sync_all()?;
    }
    rename(path, now)?;
    if fsync != Fsync::Never {
        sync_folder(path)?;
    }
    Ok(())
}

/// Writes behind `length` bytes. What a full disk leaves half written is taken back.
fn write(file: &File, length: u64, text: &[u8], fsync: Fsync) -> Result<()> {
    let torn = length > 0 && last_byte(file, length)? != b'\n';
    let parts: [&[u8]; 2] = [if torn { b"\n" } else { b"" }, text];
    let mut written = 0;
    let result = parts.iter().try_for_each(|part| write_all(file, part, &mut written));
    let result = result.and_then(|()| if fsync == Fsync::Always { file.sync_data() } else { Ok(()) });
    if result.is_err() && file.metadata().is_ok_and(|metadata| metadata.len() == length + written) {
        // Else somebody without our lock wrote behind us, and those bytes are not ours to cut.
        let _ = file.set_len(length);
    }
    result
}

/// `write_all` that counts.
fn write_all(mut file: &File, mut rest: &[u8], written: &mut u64) -> Result<()> {
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => {
                *written += count as u64;
                rest = &rest[count..];
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn last_byte(file: &File, length: u64) -> Result<u8> {
    let mut byte = [0];
    file.read_exact_at(&mut byte, length - 1)?;
    Ok(byte[0])
}
