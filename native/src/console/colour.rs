//! Stage 6 of 7, export: ANSI colours of the pretty style. Thread: caller.

/// Secondary text: scope, keys, trace id, folded frames.
pub(super) const DIM: &str = "\x1b[2m";
/// The exception in a traceback.
pub(super) const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";

/// Runs `write` between `code` and a reset; without either when `on` is false or `code` is empty.
pub(super) fn painted(out: &mut String, on: bool, code: &str, write: impl FnOnce(&mut String)) {
    if !on || code.is_empty() {
        return write(out);
    }
    out.push_str(code);
    write(out);
    out.push_str(RESET);
}

/// The colour of a severity's range; empty outside 1 to 24.
pub(super) const fn of_severity(number: i32) -> &'static str {
    match number {
        1..=4 => DIM,
        5..=8 => "\x1b[36m",
        9..=12 => "\x1b[32m",
        13..=16 => "\x1b[33m",
        17..=20 => RED,
        21..=24 => "\x1b[1;31m",
        _ => "",
    }
}
