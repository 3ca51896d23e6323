//! Stage 6 of 7, export: blocks as lines on standard output, for platforms that collect it (`otlp/stdout`). Thread: sender.
//!
//! Past Python's own buffer, straight to descriptor 1, whatever it is by then. A reader that is slow holds the sender
//! up for a while; then the block is tried again later, from where it stopped, so that no line is written twice or torn.

use super::http::answer::Answer;
use super::http::{Reply, Transport};
use super::unpack::unpack;
use crate::block::Block;
use crate::encode::{encode_lines, Form, MAX_LINE_BYTES};
use std::fs::File;
use std::io::{stdout, ErrorKind, Result, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait for a reader in one attempt, so that the sender can be told to stop.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause between two looks at an output that takes nothing and does not block.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Gives the output as it is now.
type Open = Box<dyn Fn() -> Result<File> + Send + Sync>;

/// Writes blocks to an output that is there already.
pub struct StreamTransport {
    form: Form,
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
    /// Writes to standard output.
    #[must_use]
    pub fn new(form: Form) -> Self {
        Self::to(form, Box::new(|| Ok(stdout().as_fd().try_clone_to_owned()?.into())))
    }

    /// Writes to what `open` gives before each block.
    #[must_use]
    pub fn to(form: Form, open: Open) -> Self {
        Self { form, open, unfinished: Mutex::new(None) }
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
                Answer::Rejected { cause: "standard output has no reader any more".to_owned() }
            }
            Err(error) => {
                if written > 0 {
                    let torn = text.as_bytes().get(written - 1) != Some(&b'\n');
                    *unfinished = Some(Unfinished { sequence: block.sequence, written, torn });
                }
                Answer::Retry { after: None, cause: format!("cannot write to standard output: {error}") }
            }
        }
    }
}

impl Transport for StreamTransport {
    fn send(&self, block: &Block) -> Reply {
        self.attempt(block).into()
    }
}
