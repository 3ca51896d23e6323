//! Stage 6 of 7, export: keys of the spool that change, and blocks whose key is not there. Threads: any.
//!
//! Such a block is not lost. One of another process stays in its directory, which is looked at again when the keys have
//! changed; one of our own stays pending, and is read again then. Each missing key is said once.

use crate::backlog::entries::Spot;
use crate::backlog::shelf::Unread;
use crate::backlog::Backlog;
use crate::spool::crypt::Keys;
use crate::spool::disk::Disk;
use crate::spool::error::Unreadable;
use crate::spool::report::Report;
use crate::spooling::shelving::Rooms;
use crate::spooling::spooler::{News, Spooler};

const MISSING: &str = "spool-key-missing";
const REMEDY: &str = "they wait on disk until the key provider gives it, or until the age limit";

impl<D: Disk> Spooler<D> {
    /// Encrypts new blocks with the current key of `keys`, and reads old ones with all of them, from now on.
    pub fn set_keys(&self, keys: &Keys) {
        self.keys.replace(keys);
        self.rooms().missing_keys.retain(|id| !keys.knows(*id));
    }

    /// What follows when keys have changed. Returns what is to be said about keys that are not there.
    pub fn look_after_keys(&self, backlog: &Backlog) -> Vec<News> {
        backlog.retry_locked(self.keys.version());
        std::mem::take(&mut self.rooms().news)
    }
}

impl<D: Disk> Rooms<D> {
    /// What to say about blocks in the directory `name` that cannot be read.
    pub(crate) fn say_missing(&mut self, name: &str, report: &Report) -> Option<News> {
        let new: Vec<u32> =
            report.missing_keys.iter().copied().filter(|id| self.missing_keys.insert(*id)).collect();
        let records = report.unreadable_records;
        let ids: Vec<String> = new.iter().map(u32::to_string).collect();
        let keys = ids.join(", ");
        let what = format!(
            "{records} records in the spool {name} are encrypted with a key that was not given: {keys}; {REMEDY}"
        );
        (!new.is_empty()).then_some((MISSING, what))
    }

    /// A block that was to be delivered and is encrypted, or newer than this version: what becomes of it.
    pub(crate) fn unreadable(&mut self, spot: Spot, why: Unreadable, version: u64) -> Unread {
        if let Unreadable::UnknownKey(id) | Unreadable::WrongKey(id) = why {
            if self.missing_keys.insert(id) {
                self.news.push((MISSING, format!("records in the spool cannot be read: {why}; {REMEDY}")));
            }
        }
        if self.own == Some(spot.store) {
            return Unread::Locked(version);
        }
        Unread::Foreign
    }
}
