//! Stage 3 of 7, redact: one finding, and the list that detectors write to. Thread: caller.

use crate::scan::kind::{Kind, Kinds};

/// A piece of a text that must not leave as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// First byte.
    pub start: u32,
    /// First byte behind.
    pub end: u32,
    /// What it is.
    pub kind: Kind,
    /// Which rule saw it, for explanations: `pan.luhn`.
    pub rule: &'static str,
}

impl Finding {
    /// Bytes that it covers.
    #[must_use]
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Where detectors put what they find. Kinds that are switched off do not get in.
#[derive(Debug)]
pub struct Findings<'a> {
    list: &'a mut Vec<Finding>,
    kinds: Kinds,
}

impl<'a> Findings<'a> {
    /// Appends to `list` what is in `kinds`.
    pub(super) fn new(list: &'a mut Vec<Finding>, kinds: Kinds) -> Self {
        Self { list, kinds }
    }

    /// True when the kind is looked for; ask before costly work.
    #[inline]
    #[must_use]
    pub fn wants(&self, kind: Kind) -> bool {
        self.kinds.has(kind)
    }

    /// Notes that `start..end` holds a value of `kind`. Overlaps with other findings are allowed: `resolve` unites them.
    #[inline]
    pub fn push(&mut self, start: usize, end: usize, kind: Kind, rule: &'static str) {
        if self.kinds.has(kind) && start < end {
            self.list.push(Finding { start: start as u32, end: end as u32, kind, rule });
        }
    }

    /// True when one of the last findings covers the byte at `at`.
    #[must_use]
    pub fn covers(&self, at: usize) -> bool {
        self.list.iter().rev().take(4).any(|finding| finding.range().contains(&at))
    }
}
