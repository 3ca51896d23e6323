//! Stage 6 of 7, export: blocks as lines at the end of a file. Thread: sender (one for each file, so order holds).
//!
//! Read in this order: `append` (one block, all or nothing), `opening` (which files it will touch), `rotate` (when a
//! new file starts), `housekeeping` (what becomes of old ones). Several processes may write the same path: each
//! block is appended under a lock of the file (flock), and whoever finds that the path names another file by then
//! opens that one. So a rotation by another process or by logrotate is noticed before every block.
//!
//! A block that cannot be written is a `Retry` whatever the reason: a full disk gets space, a permission comes back,
//! and until then records wait in memory, where overflow decides.

mod append;
mod housekeeping;
mod lock;
mod opening;
mod rotate;

use super::http::answer::Answer;
use super::http::{Reply, Transport, TransportError};
use super::unpack::unpack;
use super::watch;
use crate::block::Block;
use crate::encode::{encode_lines, Form, MAX_LINE_BYTES};
use append::Appender;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// When written bytes are forced to the disk, beyond what the operating system does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// Never: a record that counts as delivered survives the end of the process, not that of the machine.
    Never,
    /// When a file is complete, and at a flush: so at the end of the process too.
    Rotation,
    /// After every block, before it counts as delivered.
    Always,
}

/// Stage 6: the file exporter.
#[derive(Debug, Clone)]
pub struct FileSettings {
    /// The file that grows; absolute.
    pub path: PathBuf,
    /// What a block becomes.
    pub form: Form,
    /// Size at which a new file starts, in bytes; `None`: size does not matter.
    pub max_bytes: Option<u64>,
    /// Age at which a new file starts; `None`: age does not matter.
    pub max_age: Option<Duration>,
    /// Whether complete files are compressed with gzip.
    pub compress_rotated: bool,
    /// Complete files kept; `None`: all.
    pub keep_files: Option<usize>,
    /// Time for which complete files are kept; `None`: for ever.
    pub keep_age: Option<Duration>,
    /// When bytes are forced to the disk.
    pub fsync: Fsync,
}

/// How often files that are too old are looked for, where no new file starts meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(3_600);

/// Appends blocks to one path.
pub struct FileTransport {
    settings: FileSettings,
    now: fn() -> SystemTime,
    appender: Mutex<Appender>,
    /// When old files were looked for; `None`: not yet.
    looked: Mutex<Option<SystemTime>>,
}

impl FileTransport {
    /// Opens the file, makes it and its folder where they do not exist. Fails when the path cannot be a log file.
    pub fn new(settings: FileSettings) -> Result<Self, TransportError> {
        Self::with_clock(settings, SystemTime::now)
    }

    /// As `new`, with another clock for ages and names.
    pub fn with_clock(settings: FileSettings, now: fn() -> SystemTime) -> Result<Self, TransportError> {
        let appender = Mutex::new(Appender::new(&settings).map_err(TransportError::new)?);
        Ok(Self { settings, now, appender, looked: Mutex::new(None) })
    }

    /// Appends whole lines, all or nothing, outside of any block.
    pub fn append(&self, text: &str) -> std::io::Result<()> {
        let mut appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        let rotated = appender.append(text.as_bytes(), &self.settings, self.now)?;
        drop(appender);
        if rotated {
            housekeeping::run(&self.settings, (self.now)());
        }
        Ok(())
    }

    /// True when it is time to look for files that are too old: with the first block, and then each hour.
    fn looks_for_old_files(&self, now: SystemTime) -> bool {
        if self.settings.keep_age.is_none() {
            return false;
        }
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back counts as an hour.
        let due = looked.is_none_or(|at| now.duration_since(at).map_or(true, |since| since >= LOOK_AGAIN));
        if due {
            *looked = Some(now);
        }
        due
    }

    fn lines(&self, block: &Block) -> std::io::Result<String> {
        let request = unpack(block)?;
        let mut text = String::new();
        encode_lines(&request, self.settings.form, MAX_LINE_BYTES, &mut text);
        Ok(text)
    }

    fn attempt(&self, block: &Block) -> Answer {
        let text = match self.lines(block) {
            Ok(text) => text,
            Err(error) => {
                return Answer::Rejected { cause: format!("the block cannot be unpacked: {error}") }
            }
        };
        let mut appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        match appender.append(text.as_bytes(), &self.settings, self.now) {
            Ok(rotated) => {
                drop(appender);
                let now = (self.now)();
                let due = self.looks_for_old_files(now) || rotated;
                let warning = due.then(|| housekeeping::run(&self.settings, now)).flatten();
                Answer::Delivered { rejected_records: 0, warning }
            }
            Err(error) => {
                let cause = format!("cannot write to {}: {error}", self.settings.path.display());
                Answer::Retry { after: None, cause }
            }
        }
    }
}

impl Transport for FileTransport {
    fn send(&self, block: &Block) -> Reply {
        watch::block("file", block);
        self.attempt(block).into()
    }

    fn flush(&self) -> bool {
        self.settings.fsync != Fsync::Rotation
            || self.appender.lock().unwrap_or_else(PoisonError::into_inner).sync().is_ok()
    }
}
