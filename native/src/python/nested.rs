//! How deep a thread is in reading values whose methods log themselves. Thread: caller.

use std::cell::Cell;

thread_local! {
    /// Emissions of this thread that are reading a value.
    static NESTED: Cell<u8> = const { Cell::new(0) };
}
/// More than a value's method that logs needs; each level takes some kilobytes of stack.
const MAX_NESTED: u8 = 8;

/// One level of reading values.
pub struct Nested;

impl Nested {
    /// `None`: this thread is too deep already.
    pub fn enter() -> Option<Self> {
        let depth = NESTED.get();
        if depth >= MAX_NESTED {
            return None;
        }
        NESTED.set(depth + 1);
        Some(Self)
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        NESTED.set(NESTED.get() - 1);
    }
}
