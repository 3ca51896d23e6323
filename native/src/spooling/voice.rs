//! Stage 7 of 7, settle: what is said about a disk that fails, works, and fails again. Threads: as whoever holds it. Pure.
//!
//! A spool at its quota takes a block whenever the receiver took one: a line for each failure and each end of it would be
//! two lines a second. So the same trouble is said once in a while, with how often it came meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

/// How long the same trouble is not said again.
pub const QUIET: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Said {
    at_nanos: Option<u64>,
    unsaid: u32,
}

/// Remembers what was said. Times are of a clock that does not go back.
#[derive(Debug, Default)]
pub struct Voice {
    said: BTreeMap<&'static str, Said>,
    failing: bool,
    /// What was said of the failures that last.
    now: Vec<&'static str>,
}

impl Voice {
    /// Notes a failure. What to append to the notice, if there is to be one: how many were passed over.
    pub fn failed(&mut self, code: &'static str, now_nanos: u64) -> Option<String> {
        let is_new = !std::mem::replace(&mut self.failing, true);
        let said = self.said.entry(code).or_default();
        let quiet = |at: u64| Duration::from_nanos(now_nanos.saturating_sub(at)) < QUIET;
        if self.now.contains(&code) || said.at_nanos.is_some_and(quiet) {
            said.unsaid = said.unsaid.saturating_add(u32::from(is_new));
            return None;
        }
        self.now.push(code);
        said.at_nanos = Some(now_nanos);
        let passed_over = std::mem::take(&mut said.unsaid);
        Some(if passed_over == 0 {
            String::new()
        } else {
            format!("; it came and went {passed_over} times since this was said last")
        })
    }

    /// Notes a success. True: a failure that was said is over.
    pub fn succeeded(&mut self) -> bool {
        self.failing = false;
        !std::mem::take(&mut self.now).is_empty()
    }
}
