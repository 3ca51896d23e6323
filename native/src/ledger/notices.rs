//! Stage 7 of 7, settle: faults that happened off the caller, waiting to be told. Threads: senders write, a caller reads.
//!
//! The native side never calls Python. It prints a friendly line itself, once per run of failures, and leaves the
//! same notice here; the next log call, flush or health check hands it to the application's `on_error`.

use crate::export::sender::SenderEvent;
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Notices kept when nobody reads them; the oldest go first.
const KEEP: usize = 64;

/// One fault: a stable code and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Slug, listed in the error reference.
    pub code: &'static str,
    /// What happened, for people.
    pub message: String,
}

/// What an exporter delivers to, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// URL or path, without credentials; with the exporter's name where there may be several.
    pub shown: String,
    /// What to do when it takes nothing.
    pub remedy: &'static str,
}

/// A bounded mailbox with a cheap "anything there?".
#[derive(Debug, Default)]
pub struct Notices {
    waiting: AtomicBool,
    queue: Mutex<VecDeque<Notice>>,
}

impl Notices {
    /// True when [`Self::take`] would return something. One relaxed load.
    #[inline]
    #[must_use]
    pub fn waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    /// All waiting notices, oldest first.
    pub fn take(&self) -> Vec<Notice> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.store(false, Ordering::Relaxed);
        queue.drain(..).collect()
    }

    /// Prints one line and keeps the notice.
    pub fn say(&self, code: &'static str, message: String) {
        print(&message);
        self.keep(code, message);
    }

    /// Keeps a notice without printing it.
    pub fn keep(&self, code: &'static str, message: String) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() == KEEP {
            queue.pop_front();
        }
        queue.push_back(Notice { code, message });
        self.waiting.store(true, Ordering::Relaxed);
    }

    /// Tells what a sender met.
    pub fn sender(&self, target: &Target, event: &SenderEvent) {
        let Target { shown: endpoint, remedy } = target;
        match event {
            SenderEvent::Unreachable { cause } => self.say(
                "endpoint-unreachable",
                format!(
                    "cannot deliver to {endpoint} ({cause}); records wait in memory and delivery is tried again. \
                     {remedy}"
                ),
            ),
            SenderEvent::CredentialsRefused { cause } => self.say(
                "endpoint-unreachable",
                format!(
                    "{endpoint} refuses the credentials ({cause}); records wait in memory, and the auth function is \
                     asked for others. See that what it returns is valid there."
                ),
            ),
            SenderEvent::Recovered { attempts } => {
                print(&format!("{endpoint} answers again after {attempts} failed attempts."));
            }
            SenderEvent::Rejected { cause, records } => {
                self.say("export-rejected", format!("{endpoint} refused {records} records for good: {cause}"));
            }
            SenderEvent::PartialSuccess { rejected: 0, warning: Some(warning) } => {
                self.say("export-rejected", format!("{endpoint} took a request with a warning: {warning}"));
            }
            SenderEvent::PartialSuccess { rejected, warning } => {
                let warning = warning.as_deref().unwrap_or("no reason given");
                let message = format!("{endpoint} took a request without {rejected} of its records: {warning}");
                self.say("export-rejected", message);
            }
        }
    }
}

/// One line on stderr, in one write. Past std's lock, which a thread that a forked child does not have may hold.
pub fn print(message: &str) {
    // Nothing can be done about a closed stderr, and nobody must be harmed by it.
    if let Ok(stderr) = std::io::stderr().as_fd().try_clone_to_owned() {
        let _ = File::from(stderr).write_all(format!("fapilog: {message}\n").as_bytes());
    }
}
