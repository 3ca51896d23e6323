//! Stage 6 of 7, export: console lines, rendered on the caller.
