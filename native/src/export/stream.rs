//! Stage 6 of 7, export: blocks as lines on standard output or standard error, for platforms that collect them (`otlp/stdout`,
//! `otlp/stderr`). Thread: sender.
//!
//! Past Python's own buffer, straight to the descriptor, whatever it is by then. A reader that is slow holds the sender
//! up for a while; then the block is tried again later, from where it stopped, so that no line is written twice or torn.

use super::http::answer::Answer;
use super::http::{Reply, Transport};
use super::unpack::unpack;
use super::watch;
use crate::block::Block;
use crate::encode::{encode_lines, Form, MAX_LINE_BYTES};
use std::fs::File;
use std::io::{stderr, stdout, ErrorKind, Result, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait for a reader in one attempt, so that the sender can be told to stop.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause between two looks at an output that takes nothing and does not block.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Gives the output as it is now.
type Open = Box<dyn Fn() -> Result<File> + Send + Sync>;

/// An output that a process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2, which fapilog says its own lines on too.
    Stderr,
}

impl Output {
    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "standard output",
            Self::Stderr => "standard error",
        }
    }

    /// The output as it is now. Past std's lock, which a thread that a forked child does not have may hold.
    fn open(self) -> Result<File> {
        Ok(match self {
            Self::Stdout => stdout().as_fd().try_clone_to_owned()?.into(),
            Self::Stderr => stderr().as_fd().try_clone_to_owned()?.into(),
        })
    }
}

/// Writes blocks to an output that is there already.
pub struct StreamTransport {
    form: Form,
    name: &'static str,
    open: Open,
    unfinished: Mutex<Option<Unfinished>>,
}

/// The block of the last attempt, when it did not end.
struct Unfinished {
    sequence: u64,
    /// How much of its text is out.
    written: usize,
    /// Whether that ends within a line.
    torn: bool,
}

impl StreamTransport {
    /// Writes to an output of the process.
    #[must_use]
    pub fn new(form: Form, output: Output) -> Self {
        Self::to(form, output.name(), Box::new(move || output.open()))
    }

    /// Writes to what `open` gives before each block.
    #[must_use]
    pub fn to(form: Form, name: &'static str, open: Open) -> Self {
        Self { form, name, open, unfinished: Mutex::new(None) }
    }

    /// Writes what is left of `text`. A block that was given up half written ends its line first.
    fn resume(
        &self,
        text: &[u8],
        sequence: u64,
        unfinished: &mut Option<Unfinished>,
        written: &mut usize,
    ) -> Result<()> {
        if let Some(earlier) = unfinished.take() {
            if earlier.sequence == sequence {
                *written = earlier.written;
            } else if earlier.torn {
                self.write(b"\n", &mut 0).inspect_err(|_| *unfinished = Some(earlier))?;
            }
        }
        self.write(text, written)
    }

    /// Writes `text` behind its first `written` bytes, and counts.
    fn write(&self, text: &[u8], written: &mut usize) -> Result<()> {
        let mut output = (self.open)()?;
        let begun = Instant::now();
        while *written < text.len() {
            match output.write(&text[*written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => *written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && begun.elapsed() < PATIENCE => {
                    std::thread::sleep(LOOK_AGAIN);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn attempt(&self, block: &Block) -> Answer {
        let request = match unpack(block) {
            Ok(request) => request,
            Err(error) => {
                return Answer::Rejected { cause: format!("the block cannot be unpacked: {error}") }
            }
        };
        let mut text = String::new();
        encode_lines(&request, self.form, MAX_LINE_BYTES, &mut text);
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        let mut written = 0;
        match self.resume(text.as_bytes(), block.sequence, &mut unfinished, &mut written) {
            Ok(()) => Answer::Delivered { rejected_records: 0, warning: None },
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                Answer::Rejected { cause: format!("{} has no reader any more", self.name) }
            }
            Err(error) => {
                if written > 0 {
                    let torn = text.as_bytes().get(written - 1) != Some(&b'\n');
                    *unfinished = Some(Unfinished { sequence: block.sequence, written, torn });
                }
                Answer::Retry { after: None, cause: format!("cannot write to {}: {error}", self.name) }
            }
        }
    }
}

impl Transport for StreamTransport {
    fn send(&self, block: &Block) -> Reply {
        watch::block("stream", block);
        self.attempt(block).into()
    }
}
