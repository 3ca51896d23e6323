//! Stage 3 of 7, redact: checks of numbers: length, ranges, dates, checksums. Thread: caller.
//!
//! Every check takes the ASCII digits (or upper-case letters and digits) of a number without its separators, and looks
//! at everything itself, the length included.
