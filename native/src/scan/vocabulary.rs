//! Stage 3 of 7, redact: the keywords, in the languages that services write. Thread: none; data.
//!
//! A space matches `_`, `-`, `.` and nothing as well: `date of birth` is `dateOfBirth` too. `*` at an end: more
//! letters may follow there. `=` in front: counts only as a name, in an attribute's key or before `=` or `:`.

use crate::scan::words::Word;

/// What each keyword says.
pub static VOCABULARY: &[(Word, &[&str])] = &[(Word::Ssn, &["ssn", "social security"])];
