//! Stage 3 of 7, redact: digits that stand together. Thread: caller.
//!
//! A *cluster* is digits with single separators between: space, `-`, `.`, `/`, or a space that does not break. Its
//! *windows* are what may be one number: in prose, numbers stand side by side, so a window may start and end at any
//! space; at the other separators it may not, because `12-123-45-6789` holds no `123-45-6789`.

use crate::scan::classes::{class, Run};
use crate::scan::context::Context;

/// Fewest digits of a number that is worth a look.
pub const FEWEST_DIGITS: usize = 7;
/// Most digits that a window holds.
pub const MOST_DIGITS: usize = 22;
/// Digits of a card.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// Most parts between separators.
const MOST_GROUPS: usize = 10;

/// Digits that may be one number.
#[derive(Debug, Clone)]
pub struct Window {
    /// First byte.
    pub start: usize,
    /// First byte behind.
    pub end: usize,
    digits: [u8; MOST_DIGITS],
    count: usize,
    /// How many digits stand between separators, four bits a group, the first group highest: `123-45-6789` is `0x324`.
    pub shape: u64,
    /// `-`, `.`, `/` or space; 0 without any, 1 if they differ.
    pub separator: u8,
    /// No other digits stand a separator away.
    pub alone: bool,
}

impl Window {
    const fn starting_at(start: usize) -> Self {
        Self { start, end: 0, digits: [0; MOST_DIGITS], count: 0, shape: 0, separator: 0, alone: false }
    }

    /// The digits alone.
    #[must_use]
    pub fn digits(&self) -> &[u8] {
        self.digits.get(..self.count).unwrap_or_default()
    }

    /// Adds a run; false when the window is full.
    fn extend(&mut self, text: &[u8], run: &Run) -> bool {
        let text = text.get(run.range()).unwrap_or_default();
        self.end = run.end as usize;
        if !run.holds(class::DASH) {
            return self.add_group(text);
        }
        text.split(|byte| *byte == b'-').enumerate().all(|(place, group)| {
            if place > 0 {
                self.join(b'-');
            }
            !group.is_empty() && self.add_group(group)
        })
    }

    /// Adds digits without a separator; false when the window is full.
    #[inline]
    fn add_group(&mut self, group: &[u8]) -> bool {
        let Some(place) = self.digits.get_mut(self.count..self.count + group.len()) else { return false };
        place.copy_from_slice(group);
        self.count += group.len();
        self.shape = self.shape << 4 | group.len().min(15) as u64;
        self.shape >> (4 * MOST_GROUPS) == 0
    }

    fn join(&mut self, separator: u8) {
        self.separator = match self.separator {
            0 => separator,
            same if same == separator => same,
            _ => 1,
        };
    }
}

/// Calls `each` for every window of the text. Their count is linear: a window holds a bounded number of digits.
pub fn windows(context: &Context<'_>, mut each: impl FnMut(&Window)) {
    let runs = &context.anchors.runs;
    let mut first = 0;
    while first < runs.len() {
        let mut behind = first + 1;
        if is_digits(context, &runs[first]) {
            while runs.get(behind).is_some_and(|next| follows(context, &runs[behind - 1], next)) {
                behind += 1;
            }
            // Most numbers are short and stand alone.
            if behind - first > 1 || runs[first].len() >= FEWEST_DIGITS {
                cluster(context, &runs[first..behind], &mut each);
            }
        }
        first = behind;
    }
}

#[inline]
fn follows(context: &Context<'_>, run: &Run, next: &Run) -> bool {
    next.start - run.end <= WIDEST_GAP && gap(context, run, next).is_some() && is_digits(context, next)
}

/// Bytes of the widest space.
const WIDEST_GAP: u32 = 3;

/// Digits and dashes, with a digit at both ends.
#[inline]
fn is_digits(context: &Context<'_>, run: &Run) -> bool {
    let ends = || [run.start, run.end - 1].iter().all(|end| context.byte(*end as usize).is_ascii_digit());
    run.mask == class::DIGIT || (!run.holds(class::LETTER | class::UNDERSCORE) && ends())
}

/// The separator between two runs, if there is one alone.
#[inline]
fn gap(context: &Context<'_>, run: &Run, next: &Run) -> Option<u8> {
    match context.text.get(run.end as usize..next.start as usize)? {
        [byte @ (b' ' | b'.' | b'/')] => Some(*byte),
        // Between columns, and between the words of a form.
        // No-break space; figure, thin and narrow no-break space.
        [b'\t' | b'+'] | [b' ', b' '] | [0xc2, 0xa0] | [0xe2, 0x80, 0x87 | 0x89 | 0xaf] => Some(b' '),
        _ => None,
    }
}

/// The windows of one cluster.
fn cluster(context: &Context<'_>, runs: &[Run], each: &mut impl FnMut(&Window)) {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return };
    if ((last.end - first.start) as usize) < FEWEST_DIGITS {
        return;
    }
    if let ([run], false) = (runs, first.holds(class::DASH)) {
        let mut window = Window::starting_at(run.start as usize);
        if window.extend(context.text, run) {
            window.alone = true;
            each(&window);
        }
        return;
    }
    let gap_before = |at: usize| gap(context, &runs[at - 1], &runs[at]).unwrap_or(0);
    for first in 0..runs.len() {
        let before = if first == 0 { b' ' } else { gap_before(first) };
        // Behind a slash may stand a card, as a segment of a path: `host:8000/4111111111111111`; behind a dot one with
        // blanks or dashes, as in a numbered list: without, it is a fraction.
        if !matches!(before, b' ' | b'/' | b'.') {
            continue;
        }
        let mut window = Window::starting_at(runs[first].start as usize);
        for at in first..runs.len() {
            if at > first {
                window.join(gap_before(at));
            }
            if !window.extend(context.text, &runs[at]) {
                break;
            }
            window.alone = first == 0 && at + 1 == runs.len();
            let behind = if at + 1 == runs.len() { b' ' } else { gap_before(at + 1) };
            // Behind a card stand its date, its code, or the decimals of a number.
            let ends =
                behind == b' ' || (matches!(behind, b'.' | b'/') && CARD_DIGITS.contains(&window.count));
            let starts = before == b' '
                || (CARD_DIGITS.contains(&window.count)
                    && (before == b'/' || matches!(window.separator, b' ' | b'-')));
            if starts && ends && window.count >= FEWEST_DIGITS {
                each(&window);
            }
        }
    }
}
