//! Stage 6 of 7, export: when a file is complete, and the name that it gets then. Thread: sender.
//!
//! `app.jsonl` becomes `app-2026-11-21T12-34-56.789.jsonl`, in UTC: names sort by time, and no file is renamed
//! twice, as `.1`, `.2`, … would be.

use super::FileSettings;
use crate::console::time::push_rfc3339;
use std::fs::Metadata;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A digit for each digit.
const SHAPE: &str = "0000-00-00T00-00-00.000";
/// What gzip appends.
pub(super) const GZIP: &str = ".gz";

/// True when the file is complete before `added` more bytes. An empty file never is: a block larger than the limit gets a
/// file of its own.
pub(super) fn is_due(metadata: &Metadata, added: u64, settings: &FileSettings, now: SystemTime) -> bool {
    if metadata.len() == 0 {
        return false;
    }
    let too_large = settings.max_bytes.is_some_and(|limit| metadata.len().saturating_add(added) > limit);
    // Where the file system does not tell when a file was made, it counts as made when it was last written.
    let born = || metadata.created().or_else(|_| metadata.modified()).ok();
    let age = || born().and_then(|born| now.duration_since(born).ok());
    too_large || settings.max_age.is_some_and(|limit| age().is_some_and(|age| age >= limit))
}

/// Moves the file at `path` to a name with the time, one that nothing has. The caller holds the file's lock.
pub(super) fn rename(path: &Path, now: SystemTime) -> Result<()> {
    let names = Names::of(path)?;
    let mut time = now;
    for _ in 0..1_000 {
        let target = names.at(time);
        let packed = with_suffix(&target, GZIP);
        if target.symlink_metadata().is_err() && packed.symlink_metadata().is_err() {
            return std::fs::rename(path, target);
        }
        time += Duration::from_millis(1);
    }
    Err(Error::new(ErrorKind::AlreadyExists, "no free name for the complete file"))
}

/// The names that complete files of one path have.
#[derive(Debug)]
pub(super) struct Names {
    folder: PathBuf,
    prefix: String,
    suffix: String,
}

impl Names {
    pub(super) fn of(path: &Path) -> Result<Self> {
        let text = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
        let stem = text(path.file_stem()).ok_or(ErrorKind::InvalidInput)?;
        let suffix = text(path.extension()).map_or(String::new(), |extension| format!(".{extension}"));
        let folder = path.parent().unwrap_or_else(|| Path::new(".")).to_path_buf();
        Ok(Self { folder, prefix: format!("{stem}-"), suffix })
    }

    fn at(&self, time: SystemTime) -> PathBuf {
        self.folder.join(format!("{}{}{}", self.prefix, stamp(time), self.suffix))
    }

    /// The complete files that exist, oldest first.
    pub(super) fn existing(&self) -> Result<Vec<Complete>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if let Some(name) = entry.file_name().to_str() {
                found.extend(self.read(name));
            }
        }
        found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(found)
    }

    /// What `name` says, if it is one that [`rename`] gives.
    fn read(&self, name: &str) -> Option<Complete> {
        let rest = name.strip_prefix(&self.prefix)?;
        let stamp_of = |rest: &str| {
            rest.strip_suffix(self.suffix.as_str()).filter(|stamp| is_stamp(stamp)).map(str::to_owned)
        };
        // As it is first: the log file itself may be called `.gz`.
        let plain = stamp_of(rest).map(|stamp| (stamp, false));
        let (stamp, packed) = plain.or_else(|| Some((stamp_of(rest.strip_suffix(GZIP)?)?, true)))?;
        Some(Complete { path: self.folder.join(name), stamp, packed })
    }
}

/// One complete file.
#[derive(Debug)]
pub(super) struct Complete {
    pub(super) path: PathBuf,
    stamp: String,
    /// Whether it is compressed.
    pub(super) packed: bool,
}

impl Complete {
    /// True when it was completed before `time`.
    pub(super) fn is_before(&self, time: SystemTime) -> bool {
        self.stamp < stamp(time)
    }
}

/// `path` with more text at the end.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    text.into()
}

/// `2026-11-21T12-34-56.789`: as texts, stamps compare as their times do.
fn stamp(time: SystemTime) -> String {
    let nanos = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let mut stamp = String::new();
    push_rfc3339(&mut stamp, u64::try_from(nanos).unwrap_or(u64::MAX));
    stamp.truncate(SHAPE.len());
    stamp.replace(':', "-")
}

fn is_stamp(text: &str) -> bool {
    let fits = |(byte, shape): (u8, u8)| if shape == b'0' { byte.is_ascii_digit() } else { byte == shape };
    text.len() == SHAPE.len() && text.bytes().zip(SHAPE.bytes()).all(fits)
}
