//! Stage 6 of 7, export: what the numbers show to be gone: files, and blocks between two that are there. Threads: any; pure.

use super::positions::Positions;
use super::recovery::Scan;

/// Segments between the first one that should exist and the last one of `there`, which is in order. By counting, not by
/// going through the numbers, which may be any.
#[must_use]
pub fn missing_segments(positions: &Positions, there: impl Iterator<Item = u32>) -> u64 {
    let expected: Vec<u32> = there.filter(|number| !positions.is_retired(*number)).collect();
    let Some(last) = expected.last() else { return 0 };
    let (first, end) = (u64::from(positions.first_segment), u64::from(*last) + 1);
    let retired = positions.retired.count_within(first, end);
    (end - first).saturating_sub(retired).saturating_sub(expected.len() as u64)
}

/// Counts along the segments, from the oldest to the newest.
#[derive(Debug, Default)]
pub struct Gaps {
    /// The segment looked at last, and the number behind its last block.
    last: Option<(u32, u64)>,
    /// Blocks that the numbers on both sides show to be lost, at most: some may have been settled.
    pub lost_blocks: u64,
    /// The number behind the last block.
    pub next_number: u64,
}

impl Gaps {
    /// Numbers have no gaps: what is missing between two blocks is lost, unless a settled segment was there.
    pub fn look(&mut self, number: u32, scan: &Scan, positions: &Positions) {
        let is_next = |last: u32| positions.retired.count_within(u64::from(last), u64::from(number)) == 0;
        let from_last = self.last.filter(|(last, _)| is_next(*last)).map(|(_, expected)| expected);
        let from_header = scan.segment.as_ref().map(|header| header.first_number);
        let mut expected = from_last.or(from_header);
        for found in &scan.found {
            let (start, end) = (expected.unwrap_or(found.header.number), found.header.number);
            let lost = end.saturating_sub(start).saturating_sub(settled_by_all(positions, start, end));
            self.lost_blocks = self.lost_blocks.saturating_add(lost);
            expected = Some(end.saturating_add(1).max(start));
        }
        self.last = expected.map(|expected| (number, expected));
        self.next_number = self.next_number.max(expected.unwrap_or(0));
    }

    /// A segment went while it was to be looked at: its process is done with it.
    pub fn pass_over(&mut self) {
        self.last = None;
    }
}

/// Numbers of `start..end` that every exporter settled.
fn settled_by_all(positions: &Positions, start: u64, end: u64) -> u64 {
    let settled = positions.exporters.iter().map(|position| {
        let low = position.low.clamp(start, end.max(start));
        (low - start).saturating_add(position.above.count_within(low, end))
    });
    settled.min().unwrap_or(0)
}
