//! Stage 4 of 7, append: the mapped part of a ring's file, split into words and regions. Threads: caller, any other.
//!
//! All unsafe memory of the ring is here. The words (slot headers) are atomics that anybody may read. Each region (the bytes
//! of one slot) exists once, is not `Clone`, and can only be written through `&mut`, so the borrow rules hold for it as for a
//! `Vec`. Other threads and processes read slots through the file, never through the mapping.
//!
//! A forked child does not have the mapping (`MADV_DONTFORK`): it cannot write into its parent's ring. A page that the kernel
//! clears in the child (`MADV_WIPEONFORK`) says so, for one load per write; a fork that bypasses every handler is seen too.

use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// Length of the smallest page of any system that has these calls.
const PAGE: usize = 4096;
const IN_OWNER: u64 = 1;

/// A shared, writable mapping of a file, and the page that tells a fork.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
    words: usize,
    guard: Guard,
}

// SAFETY: the pointer is to memory that belongs to this value and is unmapped only when it is dropped. Shared access is by
// atomics (`word`); all other access is through `Region`, each over bytes of its own.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `file` from `offset` on: words of `table_bytes` together, then `count` regions of `region_bytes`.
    ///
    /// The file's bytes are allocated, and every page is touched once: a full disk is an error here and no signal later, and
    /// the first append pays for no page fault. The file must be new: its mapped bytes become zero at each page's start.
    pub fn new(
        file: &File,
        offset: u64,
        table_bytes: usize,
        (region_bytes, count): (usize, usize),
    ) -> io::Result<(Arc<Self>, Vec<Region>)> {
        let bytes = region_bytes.checked_mul(count).and_then(|all| all.checked_add(table_bytes));
        let bytes = bytes.filter(|bytes| *bytes > 0).ok_or(io::ErrorKind::InvalidInput)?;
        system::allocate(file, offset + bytes as u64)?;
        let guard = Guard::new()?;
        let start = system::map_shared(file, offset, bytes)?;
        let mapping = Arc::new(Self { start, bytes, words: table_bytes / 8, guard });
        system::keep_from_children(start, bytes)?;
        for page in (0..bytes).step_by(PAGE) {
            // SAFETY: the page lies inside the mapping, which is aligned to pages, and nobody else knows of it yet.
            unsafe { AtomicU64::from_ptr(start.as_ptr().add(page).cast()) }.store(0, Ordering::Relaxed);
        }
        let region = |index| Region {
            mapping: Arc::clone(&mapping),
            at: table_bytes + index * region_bytes,
            bytes: region_bytes,
        };
        let regions = (0..count).map(region).collect();
        Ok((mapping, regions))
    }

    /// The word with a number, as it lies in the file (little-endian). `None` beyond the table, and in a forked child.
    #[inline]
    #[must_use]
    pub fn word(&self, number: usize) -> Option<&AtomicU64> {
        if number >= self.words || !self.is_owner() {
            return None;
        }
        // SAFETY: the word lies inside the table, at a multiple of 8; the table is only ever accessed as atomics, and this
        // process has the mapping until `self` is dropped.
        Some(unsafe { AtomicU64::from_ptr(self.start.as_ptr().add(number * 8).cast()) })
    }

    /// False in a forked child, which must not touch the mapping. One load.
    #[inline]
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.guard.is_owner()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // In a child, something else may be at these addresses by now.
        if self.is_owner() {
            // SAFETY: exactly the mapping that `new` made, and nothing refers to it any more: regions keep `self` alive.
            unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
        }
    }
}

/// The bytes of one slot. There is one of it for each range, so `&mut` means what it says.
#[derive(Debug)]
pub struct Region {
    mapping: Arc<Mapping>,
    at: usize,
    bytes: usize,
}

impl Region {
    /// Length in bytes.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes
    }

    /// Copies `source` to `at`. False, and nothing happened, when it does not fit or the process was forked.
    #[inline]
    #[must_use]
    pub fn write(&mut self, at: usize, source: &[u8]) -> bool {
        let fits = at <= self.bytes && source.len() <= self.bytes - at;
        if !fits || !self.mapping.is_owner() {
            return false;
        }
        // SAFETY: the range lies inside this region, which lies inside the mapping; `&mut self` is the only access to it. The
        // source is a live slice and, as all slices of a region borrow it, not of this region.
        unsafe {
            let target = self.mapping.start.as_ptr().add(self.at + at);
            std::ptr::copy_nonoverlapping(source.as_ptr(), target, source.len());
        }
        true
    }

    /// The first `length` bytes; empty when there are fewer, or the process was forked.
    #[must_use]
    pub fn read(&self, length: usize) -> &[u8] {
        if length > self.bytes || !self.mapping.is_owner() {
            return &[];
        }
        // SAFETY: the range lies inside the mapping and is initialised (a file's pages are); `&self` keeps writers of this
        // process away, and other processes do not write: the file is this user's alone and locked by its owner.
        unsafe { std::slice::from_raw_parts(self.mapping.start.as_ptr().add(self.at), length) }
    }
}

/// A page that holds [`IN_OWNER`] in the process that made it, and 0 in every child.
#[derive(Debug)]
struct Guard {
    page: NonNull<AtomicU64>,
}

impl Guard {
    fn new() -> io::Result<Self> {
        let page = system::map_guard(PAGE)?.cast::<AtomicU64>();
        let guard = Self { page };
        // SAFETY: the page is mapped, aligned, and accessed as this atomic only.
        unsafe { guard.page.as_ref() }.store(IN_OWNER, Ordering::Relaxed);
        Ok(guard)
    }

    #[inline]
    fn is_owner(&self) -> bool {
        // SAFETY: the page is mapped until `self` is dropped, in a child too.
        unsafe { self.page.as_ref() }.load(Ordering::Relaxed) == IN_OWNER
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: exactly the page that `new` mapped; a child has its own copy of it, at the same address.
        unsafe { libc::munmap(self.page.as_ptr().cast(), PAGE) };
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::ptr::{null_mut, NonNull};

    pub(super) fn allocate(file: &File, bytes: u64) -> io::Result<()> {
        loop {
            // SAFETY: a call on a descriptor that `file` keeps open meanwhile; it touches no memory of ours.
            match unsafe { libc::posix_fallocate64(file.as_raw_fd(), 0, bytes as libc::off64_t) } {
                0 => return Ok(()),
                libc::EINTR => {}
                number => return Err(io::Error::from_raw_os_error(number)),
            }
        }
    }

    pub(super) fn map_shared(file: &File, offset: u64, bytes: usize) -> io::Result<NonNull<u8>> {
        map(libc::MAP_SHARED, file.as_raw_fd(), offset, bytes)
    }

    pub(super) fn map_guard(bytes: usize) -> io::Result<NonNull<u8>> {
        let page = map(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0, bytes)?;
        let result = advise(page, bytes, libc::MADV_WIPEONFORK);
        if result.is_err() {
            // SAFETY: the page was mapped just now and nobody knows of it.
            unsafe { libc::munmap(page.as_ptr().cast(), bytes) };
        }
        result.map(|()| page)
    }

    pub(super) fn keep_from_children(start: NonNull<u8>, bytes: usize) -> io::Result<()> {
        advise(start, bytes, libc::MADV_DONTFORK)
    }

    fn map(flags: i32, descriptor: i32, offset: u64, bytes: usize) -> io::Result<NonNull<u8>> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the kernel chooses an address where nothing is, so no memory of ours changes.
        let start =
            unsafe { libc::mmap64(null_mut(), bytes, access, flags, descriptor, offset as libc::off64_t) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(start.cast()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    fn advise(start: NonNull<u8>, bytes: usize, advice: i32) -> io::Result<()> {
        // SAFETY: the range is a mapping that the caller made; both advices change what a child gets, not its bytes here.
        match unsafe { libc::madvise(start.as_ptr().cast(), bytes, advice) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Elsewhere no call makes a child's page read as zero, so a ring is refused when it is made.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::File;
    use std::io;
    use std::ptr::NonNull;

    pub(super) fn allocate(_: &File, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn map_shared(_: &File, _: u64, _: usize) -> io::Result<NonNull<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn map_guard(_: usize) -> io::Result<NonNull<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn keep_from_children(_: NonNull<u8>, _: usize) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
