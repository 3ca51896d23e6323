//! Stage 6 of 7, export: a set of numbers kept as runs of neighbours. Threads: as the spool, which owns it.

use std::collections::BTreeMap;

/// Disjoint runs, never touching each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs {
    /// First number to one past the last.
    runs: BTreeMap<u64, u64>,
}

impl Runs {
    /// Adds `start..end`.
    pub fn insert(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let (mut start, mut end) = (start, end);
        // From the right: every run that overlaps or touches the new one becomes part of it.
        while let Some((other, stop)) =
            self.runs.range(..=end).next_back().map(|(other, stop)| (*other, *stop))
        {
            if stop < start {
                break;
            }
            self.runs.remove(&other);
            start = start.min(other);
            end = end.max(stop);
        }
        self.runs.insert(start, end);
    }

    /// Forgets everything below `floor`.
    pub fn remove_below(&mut self, floor: u64) {
        while let Some((start, end)) = self.runs.first_key_value().map(|(start, end)| (*start, *end)) {
            if start >= floor {
                return;
            }
            self.runs.remove(&start);
            if end > floor {
                self.runs.insert(floor, end);
                return;
            }
        }
    }

    /// Whether `number` is in the set.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        self.end_of(number).is_some()
    }

    /// One past the end of the run that `number` is in.
    #[must_use]
    pub fn end_of(&self, number: u64) -> Option<u64> {
        let (_, end) = self.runs.range(..=number).next_back()?;
        (*end > number).then_some(*end)
    }

    /// How many runs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many numbers of `start..end` are in the set.
    #[must_use]
    pub fn count_within(&self, start: u64, end: u64) -> u64 {
        let overlap = |(from, to): (&u64, &u64)| (*to).min(end).saturating_sub((*from).max(start));
        self.runs.range(..end).map(overlap).fold(0, u64::saturating_add)
    }

    /// Every run as (start, end), in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.runs.iter().map(|(start, end)| (*start, *end))
    }
}
