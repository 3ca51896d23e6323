//! State that the interpreter lock guards. Imports nothing of ours.

use std::cell::UnsafeCell;

/// A value that only a thread attached to the interpreter touches.
///
/// The module is declared `gil_used = true`, so free-threaded interpreters switch the lock on when they load it
/// (ADR 0005): the lock is the synchronisation, and it costs nothing here because callers hold it anyway.
pub struct GilCell<T>(UnsafeCell<T>);

// SAFETY: see `get`: every access happens with the interpreter lock held.
unsafe impl<T> Sync for GilCell<T> {}
// SAFETY: as above; the content may be dropped by another thread, which then holds the lock too.
unsafe impl<T> Send for GilCell<T> {}

impl<T: Default> Default for GilCell<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> GilCell<T> {
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The content.
    ///
    /// # Safety
    /// The caller is attached, and lets go of the reference before anything can run Python code (a call, a
    /// decref of a foreign object, an allocation of a Python object): such code may log again and come here.
    #[inline(always)]
    // The contract stands in for the borrow; the accessor must vanish from the caller's path.
    #[allow(clippy::mut_from_ref, clippy::inline_always)]
    pub unsafe fn get(&self) -> &mut T {
        // SAFETY: exclusive by the contract above.
        unsafe { &mut *self.0.get() }
    }

    /// Puts `value` in and returns what was there; nothing is dropped while the content is borrowed.
    ///
    /// # Safety
    /// The caller is attached.
    pub unsafe fn replace(&self, value: T) -> T {
        // SAFETY: `mem::replace` runs no foreign code.
        unsafe { std::mem::replace(self.get(), value) }
    }
}
