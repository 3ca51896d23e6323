//! Stage 6 of 7, export: reads of the disk that are not tried for a while. Threads: as `shelving`, which locks. Pure.
//!
//! A read that the system refuses says nothing about the bytes: the process may be out of descriptors or memory, the file
//! server may be away. So the block rests, however often it is tried, until the age limit; it is lost only when its file is
//! missing, or its bytes are not what was written. A directory in which no file opens is left alone for pauses that double;
//! a place that cannot be read holds up only itself. Time is counted in rounds of [`Backlog::retry_reads`].
//!
//! [`Backlog::retry_reads`]: crate::backlog::Backlog::retry_reads

use crate::backlog::entries::Spot;
use crate::backlog::shelf::Unread;
use crate::spool::SpoolError;
use std::collections::BTreeMap;
use std::io::ErrorKind;

/// How often a block whose file is missing is looked for. It may have been unlinked just now, which the backlog hears in
/// a moment.
const MISSING_TRIES: u32 = 3;
const LONGEST_ROUNDS: u64 = 16;

#[derive(Debug, Default, Clone, Copy)]
struct Pause {
    failures: u32,
    until: u64,
}

impl Pause {
    fn lengthen(&mut self, round: u64) {
        let rounds = 1 << self.failures.min(LONGEST_ROUNDS.ilog2());
        self.failures = self.failures.saturating_add(1);
        self.until = round + rounds;
    }
}

/// What is not read for now.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    round: u64,
    stores: BTreeMap<u64, Pause>,
    /// By spool and number: a place that could not be read,
    places: BTreeMap<(u64, u64), Pause>,
    /// and a file that was not there.
    missing: BTreeMap<(u64, u64), u32>,
}

impl Pauses {
    /// Time passes.
    pub fn next_round(&mut self) {
        self.round += 1;
    }

    pub fn may_read(&self, spot: Spot) -> bool {
        let is_over = |pause: Option<&Pause>| pause.is_none_or(|pause| pause.until <= self.round);
        is_over(self.stores.get(&spot.store)) && is_over(self.places.get(&key(spot)))
    }

    /// Notes that the system refused a read, and says what becomes of the block.
    pub fn failed(&mut self, spot: Spot, error: &SpoolError) -> Unread {
        let (SpoolError::Io(fault) | SpoolError::NoSpace(fault) | SpoolError::ReadOnly(fault)) = error else {
            return Unread::Later;
        };
        if fault.source.kind() == ErrorKind::NotFound {
            let tries = self.missing.entry(key(spot)).or_default();
            *tries += 1;
            return if *tries < MISSING_TRIES { Unread::Later } else { Unread::Lost };
        }
        if fault.doing == "open" {
            self.stores.entry(spot.store).or_default().lengthen(self.round);
        } else {
            self.places.entry(key(spot)).or_default().lengthen(self.round);
        }
        Unread::Later
    }

    pub fn succeeded(&mut self, spot: Spot) {
        self.stores.remove(&spot.store);
        self.places.remove(&key(spot));
    }

    /// Somebody is done with a block.
    pub fn forget(&mut self, spot: Spot) {
        self.places.remove(&key(spot));
        self.missing.remove(&key(spot));
    }

    /// A spool was let go.
    pub fn leave(&mut self, store: u64) {
        self.stores.remove(&store);
        self.places.retain(|(known, _), _| *known != store);
        self.missing.retain(|(known, _), _| *known != store);
    }
}

const fn key(spot: Spot) -> (u64, u64) {
    (spot.store, spot.place.number)
}
