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
    /// The digits alone.
    #[must_use]
    pub fn digits(&self) -> &[u8] {
        self.digits.get(..self.count).unwrap_or_default()
    }
}

/// A part of a cluster: digits and dashes, as they stand in a run.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: usize,
    end: usize,
    /// What stands before it: a separator, or 0 at the start.
    gap: u8,
    dashed: bool,
}

/// The parts of the cluster that is read, kept from one text to the next.
#[derive(Debug, Default)]
pub struct Pieces(Vec<Piece>);

/// Calls `each` for every window of the text. Their count is linear: a window holds a bounded number of digits.
pub fn windows(context: &Context<'_>, pieces: &mut Pieces, mut each: impl FnMut(&Window)) {
    let pieces = &mut pieces.0;
    pieces.clear();
    for run in &context.anchors.runs {
        if !is_digits(context, run) {
            if !pieces.is_empty() {
                flush(context, pieces, &mut each);
            }
            continue;
        }
        let range = run.range();
        let gap = pieces.last().and_then(|last| gap(context, last.end, range.start));
        if gap.is_none() && !pieces.is_empty() {
            flush(context, pieces, &mut each);
        }
        let dashed = run.holds(class::DASH);
        pieces.push(Piece { start: range.start, end: range.end, gap: gap.unwrap_or(0), dashed });
    }
    flush(context, pieces, &mut each);
}

/// Digits and dashes, with a digit at both ends.
fn is_digits(context: &Context<'_>, run: &Run) -> bool {
    let ends = || [run.start, run.end - 1].iter().all(|end| context.byte(*end as usize).is_ascii_digit());
    run.mask == class::DIGIT || (!run.holds(class::LETTER | class::UNDERSCORE) && ends())
}

/// The separator in `from..to`, if there is one alone.
fn gap(context: &Context<'_>, from: usize, to: usize) -> Option<u8> {
    match context.text.get(from..to)? {
        [byte @ (b' ' | b'.' | b'/')] => Some(*byte),
        // No-break space; figure, thin and narrow no-break space.
        [0xc2, 0xa0] | [0xe2, 0x80, 0x87 | 0x89 | 0xaf] => Some(b' '),
        _ => None,
    }
}

fn flush(context: &Context<'_>, pieces: &mut Vec<Piece>, each: &mut impl FnMut(&Window)) {
    let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return };
    if last.end - first.start < FEWEST_DIGITS {
        return pieces.clear();
    }
    for first in 0..pieces.len() {
        if first > 0 && pieces[first].gap != b' ' {
            continue;
        }
        let mut window = Window {
            start: pieces[first].start,
            end: 0,
            digits: [0; MOST_DIGITS],
            count: 0,
            shape: 0,
            separator: 0,
            alone: false,
        };
        for at in first..pieces.len() {
            if !extend(context, &mut window, &pieces[at], at > first) {
                break;
            }
            window.alone = first == 0 && at + 1 == pieces.len();
            let ends = pieces.get(at + 1).is_none_or(|next| next.gap == b' ');
            if ends && window.count >= FEWEST_DIGITS {
                each(&window);
            }
        }
    }
    pieces.clear();
}

/// Adds a piece; false when the window is full.
fn extend(context: &Context<'_>, window: &mut Window, piece: &Piece, follows: bool) -> bool {
    if follows {
        join(window, piece.gap);
    }
    let text = context.text.get(piece.start..piece.end).unwrap_or_default();
    window.end = piece.end;
    if !piece.dashed {
        return add_group(window, text);
    }
    text.split(|byte| *byte == b'-').enumerate().all(|(place, group)| {
        if place > 0 {
            join(window, b'-');
        }
        !group.is_empty() && add_group(window, group)
    })
}

/// Adds digits without a separator; false when the window is full.
#[inline]
fn add_group(window: &mut Window, group: &[u8]) -> bool {
    let Some(place) = window.digits.get_mut(window.count..window.count + group.len()) else { return false };
    for (to, from) in place.iter_mut().zip(group) {
        *to = *from;
    }
    window.count += group.len();
    window.shape = window.shape << 4 | group.len().min(15) as u64;
    window.shape >> (4 * MOST_GROUPS) == 0
}

fn join(window: &mut Window, separator: u8) {
    window.separator = match window.separator {
        0 => separator,
        same if same == separator => same,
        _ => 1,
    };
}
