//! A key in memory that is overwritten when it is let go of. Threads: any.
//!
//! `ring` keeps keys in values of plain bytes and does not overwrite them. Copies that a compiler made on the stack while
//! a key was set up are beyond reach; so are swapped pages and core dumps.

use std::mem::{needs_drop, MaybeUninit};
use std::ops::Deref;
use zeroize::Zeroize;

/// A value without a destructor of its own, in one place of the heap until it is overwritten there.
pub struct Wiped<T>(Box<MaybeUninit<T>>);

impl<T> Wiped<T> {
    const PLAIN: () = assert!(!needs_drop::<T>(), "what has a destructor must run it instead");

    /// Keeps `value`.
    #[must_use]
    pub fn new(value: T) -> Self {
        let () = Self::PLAIN;
        Self(Box::new(MaybeUninit::new(value)))
    }
}

impl<T> Deref for Wiped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: `new` wrote a value, and only `drop` takes it away again.
        unsafe { self.0.assume_init_ref() }
    }
}

impl<T> Drop for Wiped<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_can_be_read_until_it_is_overwritten() {
        let mut wiped = Wiped::new([7u8; 32]);
        assert_eq!(*wiped, [7; 32]);
        wiped.0.zeroize();
        // Zero bytes are an array too.
        assert_eq!(*wiped, [0; 32]);
    }
}
