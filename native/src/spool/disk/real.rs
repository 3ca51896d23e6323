//! Stage 6 of 7, export: the machine's file system, as the spool uses it. Threads: as the spool.
//!
//! Descriptors close at exec (`O_CLOEXEC`). A forked child inherits them, and with them the lock: it lets go of it at once
//! ([`crate::spooling::forked_locks`]) and of the others when it can ([`crate::spool::Spool::leave_to_parent`]).

use super::{Disk, Entry, How, Kind};
use crate::spooling::forked_locks::Noted;
use ring::rand::{SecureRandom, SystemRandom};
use std::ffi::{CStr, CString};
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const DIRECTORY_MODE: libc::mode_t = 0o700;
const FILE_MODE: libc::c_uint = 0o600;
/// Everybody could exchange what is in it. The group is another matter: Kubernetes gives it what `fsGroup` asks for, at each
/// mount, and who runs the service chose it.
const WRITABLE_BY_ALL: u32 = 0o002;
const OPEN_TO_OTHERS: u32 = 0o077;

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

/// An open directory, and where it was found.
#[derive(Debug)]
pub struct RealDir {
    descriptor: File,
    path: PathBuf,
}

impl RealDir {
    /// Where it was found; for people.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Disk for RealDisk {
    type Dir = RealDir;
    type File = File;
    type Noted = Noted;

    fn open_root(&self, path: &Path) -> io::Result<RealDir> {
        make_all(path)?;
        let descriptor = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECTORY | libc::O_CLOEXEC | libc::O_NONBLOCK)
            .open(path)?;
        Ok(RealDir { descriptor, path: path.to_owned() })
    }

    fn create_dir(&self, parent: &RealDir, name: &str) -> io::Result<RealDir> {
        let text = c_string(name)?;
        // SAFETY: `text` ends in NUL and the descriptor stays open during the call.
        check(unsafe { libc::mkdirat(parent.fd(), text.as_ptr(), DIRECTORY_MODE) })?;
        self.open_dir(parent, name)
    }

    fn open_dir(&self, parent: &RealDir, name: &str) -> io::Result<RealDir> {
        let descriptor = open_at(parent, name, libc::O_RDONLY | libc::O_DIRECTORY)?;
        let metadata = descriptor.metadata()?;
        // SAFETY: a call without arguments that cannot fail.
        let user = unsafe { libc::geteuid() };
        let mode = metadata.mode() & 0o7777;
        if metadata.uid() != user {
            let message = format!("it belongs to user {} and has mode {mode:o}", metadata.uid());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        if mode & WRITABLE_BY_ALL != 0 {
            let message =
                format!("everybody may write to it (mode {mode:o}); if you trust what is in it: chmod 700");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(RealDir { descriptor, path: parent.path.join(name) })
    }

    fn remove_dir(&self, parent: &RealDir, name: &str) -> io::Result<()> {
        unlink_at(parent, name, libc::AT_REMOVEDIR)
    }

    fn list(&self, dir: &RealDir) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for name in names_in(dir)? {
            match entry_of(dir, &name) {
                Ok(entry) => entries.push(entry),
                // Removed since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    fn sync_dir(&self, dir: &RealDir) -> io::Result<()> {
        dir.descriptor.sync_all()
    }

    fn free_bytes(&self, dir: &RealDir) -> io::Result<u64> {
        let mut found = MaybeUninit::<libc::statvfs>::uninit();
        // SAFETY: `found` is valid for writing and the descriptor stays open during the call.
        check(unsafe { libc::fstatvfs(dir.fd(), found.as_mut_ptr()) })?;
        // SAFETY: the call succeeded, so it filled the value.
        let found = unsafe { found.assume_init() };
        #[allow(clippy::unnecessary_cast, clippy::useless_conversion)] // The width differs between platforms.
        Ok((found.f_bavail as u64).saturating_mul(found.f_frsize as u64))
    }

    fn make_private(&self, dir: &RealDir) -> io::Result<bool> {
        let is_open = dir.descriptor.metadata()?.mode() & OPEN_TO_OTHERS != 0;
        if is_open {
            dir.descriptor.set_permissions(Permissions::from_mode(DIRECTORY_MODE))?;
        }
        Ok(is_open)
    }

    fn open(&self, dir: &RealDir, name: &str, how: How) -> io::Result<File> {
        let flags = match how {
            How::Read => libc::O_RDONLY,
            How::Write => libc::O_RDWR,
            How::CreateNew => libc::O_RDWR | libc::O_CREAT | libc::O_EXCL,
            How::Create => libc::O_RDWR | libc::O_CREAT,
        };
        let file = open_at(dir, name, flags)?;
        if file.metadata()?.is_file() {
            return Ok(file);
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
    }

    fn is_named(&self, dir: &RealDir, name: &str, file: &File) -> io::Result<bool> {
        let open = file.metadata()?;
        match stat_at(dir, &c_string(name)?) {
            #[allow(clippy::unnecessary_cast)] // The width differs between platforms.
            Ok(named) => Ok((named.st_dev as u64, named.st_ino as u64) == (open.dev(), open.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn rename(&self, dir: &RealDir, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (c_string(from)?, c_string(to)?);
        // SAFETY: both names end in NUL and the descriptor stays open during the call.
        check(unsafe { libc::renameat(dir.fd(), from.as_ptr(), dir.fd(), to.as_ptr()) })
    }

    fn remove_file(&self, dir: &RealDir, name: &str) -> io::Result<()> {
        unlink_at(dir, name, 0)
    }

    fn len(&self, file: &File) -> io::Result<u64> {
        Ok(file.metadata()?.len())
    }

    fn read_at(&self, file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match file.read_at(buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn write_at(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn truncate(&self, file: &File, bytes: u64) -> io::Result<()> {
        file.set_len(bytes)
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn try_lock(&self, file: &File) -> io::Result<bool> {
        loop {
            // SAFETY: a call on a descriptor that `file` keeps open meanwhile; it touches no memory of ours.
            match check(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }) {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn note_lock(&self, file: &File) -> Noted {
        Noted::new(file)
    }

    fn random(&self, bytes: &mut [u8]) -> io::Result<()> {
        let filled = SystemRandom::new().fill(bytes);
        filled.map_err(|_| io::Error::other("the system gave no random bytes"))
    }

    fn process_id(&self) -> u32 {
        std::process::id()
    }
}

impl RealDir {
    fn fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

/// Makes a directory and those above it that are missing, so that a loss of power does not take them with what is in them.
fn make_all(path: &Path) -> io::Result<()> {
    let above = path.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists());
    let made: Vec<&Path> = above.collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for parent in made.iter().filter_map(|made| made.parent()) {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        // A file system that cannot do it says so where something has to survive: [`Disk::sync_dir`].
        let _ = File::open(parent).and_then(|parent| parent.sync_all());
    }
    Ok(())
}

fn c_string(name: &str) -> io::Result<CString> {
    CString::new(name).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a name with a NUL byte"))
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn open_at(dir: &RealDir, name: &str, flags: libc::c_int) -> io::Result<File> {
    let name = c_string(name)?;
    // Without `O_NONBLOCK`, opening a pipe that somebody put there would wait for its other end.
    let flags = flags | libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: `name` ends in NUL and the directory's descriptor stays open during the call.
    let descriptor = unsafe { libc::openat(dir.fd(), name.as_ptr(), flags, FILE_MODE) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call returned a new descriptor, which nobody else owns.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

fn unlink_at(dir: &RealDir, name: &str, flags: libc::c_int) -> io::Result<()> {
    let name = c_string(name)?;
    // SAFETY: `name` ends in NUL and the directory's descriptor stays open during the call.
    check(unsafe { libc::unlinkat(dir.fd(), name.as_ptr(), flags) })
}

fn stat_at(dir: &RealDir, name: &CStr) -> io::Result<libc::stat> {
    let mut found = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `name` ends in NUL, `found` is valid for writing, and the descriptor stays open during the call.
    let result =
        unsafe { libc::fstatat(dir.fd(), name.as_ptr(), found.as_mut_ptr(), libc::AT_SYMLINK_NOFOLLOW) };
    check(result)?;
    // SAFETY: the call succeeded, so it filled the value.
    Ok(unsafe { found.assume_init() })
}

fn entry_of(dir: &RealDir, name: &CStr) -> io::Result<Entry> {
    let found = stat_at(dir, name)?;
    let kind = match found.st_mode & libc::S_IFMT {
        libc::S_IFREG => Kind::File,
        libc::S_IFDIR => Kind::Directory,
        _ => Kind::Other,
    };
    #[allow(clippy::unnecessary_cast)] // The width differs between platforms.
    let modified = (found.st_mtime as i64, found.st_mtime_nsec as i64);
    let seconds = u64::try_from(modified.0).unwrap_or(0);
    let nanos = u64::try_from(modified.1).unwrap_or(0);
    Ok(Entry {
        name: name.to_string_lossy().into_owned(),
        kind,
        bytes: u64::try_from(found.st_size).unwrap_or(0),
        modified_nanos: seconds.saturating_mul(1_000_000_000).saturating_add(nanos),
    })
}

/// Every name in the directory but `.` and `..`.
fn names_in(dir: &RealDir) -> io::Result<Vec<CString>> {
    // An opening of its own, because reading moves its position.
    let own = open_at(dir, ".", libc::O_RDONLY | libc::O_DIRECTORY)?;
    let descriptor = std::os::fd::IntoRawFd::into_raw_fd(own);
    // SAFETY: `descriptor` is open and belongs to nobody else; on success the stream owns it.
    let stream = unsafe { libc::fdopendir(descriptor) };
    if stream.is_null() {
        let error = io::Error::last_os_error();
        // SAFETY: the call failed, so the descriptor is still ours alone.
        drop(unsafe { File::from_raw_fd(descriptor) });
        return Err(error);
    }
    let mut names = Vec::new();
    let result = loop {
        clear_errno();
        // SAFETY: `stream` is open, and only this thread knows it.
        let entry = unsafe { libc::readdir(stream) };
        if entry.is_null() {
            // The end and an error look the same but for errno; a listing cut short must not pass for a whole one.
            break match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(0) => Ok(()),
                error => Err(error),
            };
        }
        // SAFETY: a non-null entry is valid until the next call on the stream, and its name ends in NUL.
        let name = unsafe { CStr::from_ptr((*entry).d_name.as_ptr()) };
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    };
    // SAFETY: `stream` is open and not used after this.
    unsafe { libc::closedir(stream) };
    result.map(|()| names)
}

fn clear_errno() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: the pointer is valid for this thread, which alone reads and writes it.
    unsafe {
        *libc::__errno_location() = 0;
    }
    #[cfg(target_vendor = "apple")]
    // SAFETY: as above.
    unsafe {
        *libc::__error() = 0;
    }
}
