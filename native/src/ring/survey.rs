//! Stage 4 of 7, append: looks at a ring without changing it, and removes a dead one, for people. Threads: any, no logger's.
//!
//! A living process's ring is counted, not checked: its bytes change meanwhile. To tell the dead from the living this takes the
//! lock for a moment; whoever wants to take the ring over then does so the next time it looks.

use super::error::RingError;
use super::files;
use super::frames::times_of;
use super::layout::{Header, Owner, SlotHeader};
use super::place::tidy;
use super::recovery::{is_done, read_content, read_header, read_slots, Report};
use super::side::Found;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// What a file's header is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    /// Nobody used the ring yet.
    #[default]
    Unused,
    /// Intact.
    Intact,
    /// Another version of fapilog wrote it.
    OtherVersion,
    /// Both copies are damaged: nothing can be read.
    Damaged,
}

/// What is in a ring.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Whether a process holds it.
    pub is_alive: bool,
    /// What its header is.
    pub state: State,
    /// Length of the file.
    pub bytes: u64,
    /// Slots with records.
    pub slots: u64,
    /// Records in them.
    pub records: u64,
    /// Records that each exporter has not settled.
    pub owed: BTreeMap<String, u64>,
    /// When the oldest and the newest record was logged, in nanoseconds since the Unix epoch. Not known of a living process.
    pub logged_nanos: Option<(u64, u64)>,
    /// What was damaged; nothing of a living process.
    pub report: Report,
    /// Whose it is.
    pub owner: Option<Owner>,
}

/// Looks at the ring at `path`. `None`: nothing is there. `boot`: as for [`super::recover`].
pub fn survey(path: &Path, boot: u64) -> Result<Option<Survey>, RingError> {
    let Some((file, is_alive)) = files::look(path)? else { return Ok(None) };
    let bytes = file.metadata().map_err(RingError::io("look at", path))?.len();
    let mut found = Survey { is_alive, bytes, ..Survey::default() };
    let (owner, geometry) = match read_header(&file, path)? {
        Some(Header::Intact(owner, geometry)) => (owner, geometry),
        None => return Ok(Some(found)),
        Some(Header::Foreign) => return Ok(Some(Survey { state: State::OtherVersion, ..found })),
        Some(Header::Damaged) => return Ok(Some(Survey { state: State::Damaged, ..found })),
    };
    (found.state, found.owner) = (State::Intact, Some(owner));
    if is_alive {
        let (side, slots) = read_slots(&file, path, geometry)?;
        for SlotHeader { records, done, .. } in slots {
            found.add(&side, u64::from(records), done);
        }
        return Ok(Some(found));
    }
    let content = read_content(&file, path, (owner, geometry), boot)?;
    found.report = content.report;
    for chunk in content.chunks {
        found.add(&content.side, chunk.records, chunk.done);
        if let Some((oldest, newest)) = times_of(&chunk.bytes) {
            let known = found.logged_nanos.unwrap_or((oldest, newest));
            found.logged_nanos = Some((known.0.min(oldest), known.1.max(newest)));
        }
    }
    Ok(Some(found))
}

/// Removes a dead process's ring with all records in it. False when a process holds it: then nothing is touched.
pub fn purge(path: &Path) -> Result<bool, RingError> {
    let Some(_held) = files::adopt(path)? else { return Ok(false) };
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(RingError::io("remove", path)(error))
        }
        _ => {}
    }
    tidy(path);
    Ok(true)
}

impl Survey {
    fn add(&mut self, side: &Found, records: u64, done: u32) {
        self.slots += 1;
        self.records = self.records.saturating_add(records);
        let owing = side.exporters.iter().filter(|(number, _)| !is_done(done, **number));
        for name in owing.map(|(_, name)| name) {
            let sum = self.owed.entry(String::from_utf8_lossy(name).into_owned()).or_default();
            *sum = sum.saturating_add(records);
        }
    }
}
