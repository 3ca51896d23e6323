//! Stage 6 of 7, export: which files the file exporter opens, and how. Thread: sender, and the configuring one.
//!
//! A log file's name often lies where others may write. So a symbolic link in its place is not followed, and what is
//! no regular file (a pipe, a device, a folder) is not written to. Links among the folders above are the operator's.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Owner only: logs hold what their readers may see, which is for the operator to widen.
const FILE_MODE: u32 = 0o600;
/// As for files.
const FOLDER_MODE: u32 = 0o700;

/// Opens the file for appending; makes it, and the folders above it, where they do not exist.
pub(super) fn open(path: &Path) -> Result<File> {
    match open_existing_folder(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if let Some(folder) = path.parent() {
                DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
            }
            open_existing_folder(path)
        }
        result => result,
    }
}

fn open_existing_folder(path: &Path) -> Result<File> {
    // Without O_NONBLOCK a pipe in the place of the file would block the caller; regular files ignore it.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let options = OpenOptions::new()
        .read(true) // for the last byte
        .append(true)
        .create(true)
        .mode(FILE_MODE)
        .custom_flags(flags)
        .open(path);
    let file = options.map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => Error::other("it is a symbolic link, which is not followed"),
        Some(libc::EISDIR) => Error::other("it is a folder"),
        _ => error,
    })?;
    if !file.metadata()?.is_file() {
        return Err(Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// Makes a file of ours beside a log file; the leavings of an earlier try, or of somebody else, go first.
pub(super) fn create_beside(path: &Path) -> Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Opens a complete file to read it.
pub(super) fn open_complete(path: &Path) -> Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// True when `path` still names `file`: nobody renamed or removed it.
pub(super) fn is_named(file: &File, path: &Path) -> Result<bool> {
    let ours = file.metadata()?;
    match path.symlink_metadata() {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Forces a rename or a new name to the disk.
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
