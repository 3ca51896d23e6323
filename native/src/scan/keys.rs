//! Stage 3 of 7, redact: what the name of a key says about its value. Thread: caller, once per key.

use crate::scan::keywords;
use crate::scan::kind::Kind;
use crate::scan::words::Words;

/// What is known of a value before it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyPlan {
    /// The keywords in the name.
    pub words: Words,
    /// The whole value is of this kind, whatever it holds.
    pub hide: Option<Kind>,
}

impl KeyPlan {
    /// Of a text without a key.
    pub const NONE: Self = Self { words: Words::NONE, hide: None };

    /// Reads a name in any spelling: `user.ssn`, `dateOfBirth`, `X-Api-Key`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { words: keywords::in_key(name), hide: None }
    }
}
