//! Stage 6 of 7, export: what was found in a dead process's directory, and what is lost. Threads: any; values.

use super::recovery::Damage;
use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result};

/// What was found, and what is lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Blocks that somebody has not settled.
    pub blocks: u64,
    /// Their records.
    pub records: u64,
    /// Of these, records that this process has no key for, or does not know how to read.
    pub unreadable_records: u64,
    /// Ids of keys that such records are encrypted with, and that were not given.
    pub missing_keys: BTreeSet<u32>,
    /// What is not intact, over all segments.
    pub damage: Damage,
    /// Segments that should exist and do not.
    pub missing_segments: u64,
    /// Blocks that the numbers on both sides show to be lost, at most: some may have been settled.
    pub lost_blocks: u64,
    /// Files in which nothing could be read, by their old names.
    pub renamed: Vec<String>,
    /// Files of another version, left alone.
    pub other_versions: u64,
    /// Whether it is unknown what was settled: everything is delivered once more.
    pub positions_lost: bool,
    /// Whether the group could write to the directory, which it cannot any more.
    pub was_open: bool,
    /// Segments left for the next start, because there are more blocks than can be kept track of.
    pub postponed_segments: u64,
    /// Their length.
    pub postponed_bytes: u64,
}

impl Report {
    /// Whether nothing is lost, but for a block that is cut off at the end: the crash ring of its process may have it. Blocks
    /// that wait for their key, or for a newer version of fapilog, are no loss.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        let Damage { corrupt_bytes, read_errors, .. } = self.damage;
        let lost = self.missing_segments + self.lost_blocks + corrupt_bytes + u64::from(read_errors);
        let unread = self.other_versions + u64::from(self.positions_lost);
        lost + unread == 0 && self.renamed.is_empty()
    }
}

/// The losses, for people.
impl Display for Report {
    fn fmt(&self, to: &mut Formatter<'_>) -> Result {
        let Damage { corrupt_bytes, corrupt_places, torn_bytes, torn_records, read_errors } = self.damage;
        let facts = [
            (self.missing_segments, format!("{} files are missing", self.missing_segments)),
            (self.lost_blocks, format!("{} blocks are missing between others", self.lost_blocks)),
            (corrupt_bytes, format!("{corrupt_bytes} bytes at {corrupt_places} places belong to no block")),
            (torn_bytes, format!("{torn_records} records in the last {torn_bytes} bytes are cut off")),
            (u64::from(read_errors), format!("the disk could not read {read_errors} times")),
            (self.renamed.len() as u64, format!("nothing can be read in {}", self.renamed.join(", "))),
            (self.other_versions, format!("{} files are of another version of fapilog", self.other_versions)),
            (
                u64::from(self.positions_lost),
                "nobody knows what was delivered, so all of it is delivered once more".to_owned(),
            ),
        ];
        let said: Vec<&str> =
            facts.iter().filter(|(count, _)| *count > 0).map(|(_, fact)| fact.as_str()).collect();
        write!(to, "{}; {} records in {} blocks are intact", said.join(", "), self.records, self.blocks)
    }
}

/// A file that stays for people or other versions until the age limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Since when.
    pub modified_nanos: u64,
}
