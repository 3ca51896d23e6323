//! Stage 3 of 7, redact: what the name of a key says about its value. Thread: caller, once per key.

use crate::scan::detect::{credentials, worded};
use crate::scan::keywords;
use crate::scan::kind::Kind;
use crate::scan::words::Words;

/// What is known of a value before it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyPlan {
    /// The keywords in the name.
    pub words: Words,
    /// The whole value is of this kind, unless it is a placeholder.
    pub hide: Option<Kind>,
    /// The name is of a property of a secret: only what looks like one is hidden.
    pub property: bool,
    /// The name speaks for a whole value, whatever it looks like.
    pub whole: bool,
    /// There is a key: the text is a value, not a message.
    pub keyed: bool,
}

impl KeyPlan {
    /// Of a text without a key.
    pub const NONE: Self =
        Self { words: Words::NONE, hide: None, property: false, whole: false, keyed: false };

    /// Reads a name in any spelling: `user.ssn`, `dateOfBirth`, `X-Api-Key`.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let words = keywords::in_key(name);
        let hide = credentials::whole_value(words);
        let property = hide.is_some() && credentials::is_property(name.as_bytes());
        let whole = (hide.is_some() && !property) || words.any(worded::WHOLE_WORDS);
        Self { words, hide, property, whole, keyed: true }
    }

    /// True when the name says something: then short numbers are worth a look too.
    #[must_use]
    pub fn speaks(&self) -> bool {
        self.hide.is_some() || !self.words.is_empty()
    }
}
