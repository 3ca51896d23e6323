//! Stage 3 of 7, redact: anchors for the detectors, from the maps of a text. Thread: caller.
//!
//! A *run* is a maximal stretch of `[A-Za-z0-9_-]`. Runs of plain words say nothing and are not kept.

use std::ops::Range;

use crate::scan::blocks::{bits_of, class as map, Blocks};
use crate::scan::quiet;

/// Bits of a byte's class, and of a run's mask.
pub mod class {
    /// `a-z`
    pub const LOWER: u8 = 1;
    /// `A-Z`
    pub const UPPER: u8 = 2;
    /// `0-9`
    pub const DIGIT: u8 = 4;
    /// `-`
    pub const DASH: u8 = 8;
    /// `_`
    pub const UNDERSCORE: u8 = 16;
    /// `a-z` or `A-Z`
    pub const LETTER: u8 = LOWER | UPPER;
    /// What runs are made of.
    pub const RUN: u8 = LETTER | DIGIT | DASH | UNDERSCORE;
}

use class::{DASH, DIGIT, LOWER, UNDERSCORE, UPPER};

/// What a text holds somewhere; says which views and rare detectors are worth their time.
pub mod flag {
    /// A byte above 0x7f.
    pub const NON_ASCII: u16 = 1;
    /// `%` and two hexadecimal digits.
    pub const PERCENT: u16 = 2;
    /// `\u`, `\x` or `\/`
    pub const ESCAPE: u16 = 4;
    /// `<<`
    pub const CHEVRONS: u16 = 8;
    /// `^`
    pub const CARET: u16 = 32;
    /// `;` and a digit
    pub const SEMICOLON_DIGIT: u16 = 64;
    /// Two colons with one to four hexadecimal digits between, or none.
    pub const COLONS: u16 = 256;
    /// A space, tab or end of line.
    pub const SPACE: u16 = 128;
    /// `?` or `&`
    pub const QUERY: u16 = 1024;
    /// Small letters and spaces, as long as twelve short words.
    pub const MANY_WORDS: u16 = 512;
}

/// A maximal stretch of `[A-Za-z0-9_-]` that holds a digit, or has at least 15 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// First byte.
    pub start: u32,
    /// First byte behind.
    pub end: u32,
    /// Union of its bytes' classes.
    pub mask: u8,
}

impl Run {
    /// The run that holds the byte at `place` of a block.
    #[inline]
    fn around(blocks: &Blocks, block: usize, place: usize) -> Self {
        let maps = blocks.maps(block);
        let others = !maps[map::RUN];
        let (before, behind) = (others << (63 - place), others >> place);
        if before == 0 || behind == 0 {
            return Self::across(blocks, block * 64 + place);
        }
        // Mostly all of it is in the block, and is digits alone.
        let start = place + 1 - before.leading_zeros() as usize;
        let end = place + behind.trailing_zeros() as usize;
        let bits = u64::MAX << start & u64::MAX >> (64 - end);
        let mask = if bits & !maps[map::DIGIT] == 0 { DIGIT } else { mask_of(maps, bits) };
        Self { start: (block * 64 + start) as u32, end: (block * 64 + end) as u32, mask }
    }

    /// The same of a run that may begin or end in another block.
    fn across(blocks: &Blocks, at: usize) -> Self {
        let (start, end) = (blocks.start_of(map::RUN, at), blocks.end_of(map::RUN, at));
        let masks = (start / 64..=(end - 1) / 64)
            .map(|block| mask_of(blocks.maps(block), bits_of(start, end, block)));
        Self { start: start as u32, end: end as u32, mask: masks.fold(0, |union, mask| union | mask) }
    }

    /// Bytes that it covers.
    #[inline]
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// True when it holds a byte of these classes.
    #[inline]
    #[must_use]
    pub fn holds(&self, classes: u8) -> bool {
        self.mask & classes != 0
    }

    /// Its length.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Never: a run has a byte at least.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

/// The classes of the bytes that are set in `bits`.
#[inline]
fn mask_of(maps: &[u64; map::COUNT], bits: u64) -> u8 {
    let [letters, upper, digits, dashes] =
        [map::LETTER, map::UPPER, map::DIGIT, map::DASH].map(|class| maps[class] & bits);
    let held = [
        (letters != upper, LOWER),
        (upper != 0, UPPER),
        (digits != 0, DIGIT),
        (dashes != 0, DASH),
        (letters | digits | dashes != bits, UNDERSCORE),
    ];
    held.iter().fold(0, |mask, (holds, class)| mask | (u8::from(*holds) * class))
}

/// What was found, in the order of the text.
#[derive(Debug, Default, Clone)]
pub struct Anchors {
    /// Runs that may be something.
    pub runs: Vec<Run>,
    /// `@`
    pub ats: Vec<u32>,
    /// The colon of `://`
    pub schemes: Vec<u32>,
    /// `=`, and `:` other than that of `://`.
    pub assigns: Vec<u32>,
    /// See [`flag`].
    pub flags: u16,
    /// The last moment.
    moment: Range<usize>,
}

impl Anchors {
    /// True when a flag of these is set.
    #[inline]
    #[must_use]
    pub fn has(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }

    /// Reads `text` anew; `blocks` are its maps.
    pub fn read(&mut self, text: &[u8], blocks: &Blocks) {
        self.runs.clear();
        self.ats.clear();
        self.schemes.clear();
        self.assigns.clear();
        self.flags = 0;
        self.moment = 0..0;
        let mut behind = 0;
        for block in 0..blocks.len() {
            let maps = blocks.maps(block);
            self.flags |= if maps[map::ODD] == 0 { 0 } else { flag::NON_ASCII };
            self.flags |= if maps[map::SPACE] == 0 { 0 } else { flag::SPACE };
            behind = self.read_runs(text, blocks, block, behind);
            let mut marks = maps[map::MARK];
            if self.moment.end > block * 64 {
                marks &= !bits_of(self.moment.start, self.moment.end, block);
            }
            while marks != 0 {
                self.mark(text, block * 64 + marks.trailing_zeros() as usize);
                marks &= marks - 1;
            }
        }
        if text.len() >= MANY_WORDS && self.has(flag::SPACE) && blocks.has_prose(MANY_WORDS) {
            self.flags |= flag::MANY_WORDS;
        }
    }

    /// Keeps the runs that a digit or a long stretch of the block is in. Answers the first byte behind the last one.
    #[inline]
    fn read_runs(&mut self, text: &[u8], blocks: &Blocks, block: usize, mut behind: usize) -> usize {
        let first = block * 64;
        let maps = blocks.maps(block);
        let mut left = maps[map::DIGIT] | long_runs(maps[map::RUN], blocks.map(map::RUN, block + 1));
        if behind > first {
            left &= !bits_of(first, behind, block);
        }
        while left != 0 {
            let run = Run::around(blocks, block, left.trailing_zeros() as usize);
            behind = run.end as usize;
            if let Some(end) = moment_end(text, run.start as usize) {
                self.moment = run.start as usize..end;
                behind = end;
            } else if !is_nothing(text, &run) {
                self.runs.push(run);
            }
            if behind >= first + 64 {
                break;
            }
            left &= u64::MAX << (behind % 64);
        }
        behind
    }

    /// Notes a byte that is an anchor in itself.
    #[inline]
    fn mark(&mut self, text: &[u8], at: usize) {
        let next = text.get(at + 1).copied().unwrap_or(0);
        match text[at] {
            b'@' => self.ats.push(at as u32),
            b':' if next == b'/' && text.get(at + 2) == Some(&b'/') => self.schemes.push(at as u32),
            b':' => {
                if next == b':' || colon_pair(text, at) {
                    self.flags |= flag::COLONS;
                }
                self.assigns.push(at as u32);
            }
            b'=' => self.assigns.push(at as u32),
            b'%' if next.is_ascii_hexdigit() && text.get(at + 2).is_some_and(u8::is_ascii_hexdigit) => {
                self.flags |= flag::PERCENT;
            }
            b'\\' if matches!(next, b'u' | b'x' | b'/' | b'n' | b't' | b'r') => self.flags |= flag::ESCAPE,
            b'<' if next == b'<' => self.flags |= flag::CHEVRONS,
            b'?' | b'&' => self.flags |= flag::QUERY,
            b'^' => self.flags |= flag::CARET,
            b';' if next.is_ascii_digit() => self.flags |= flag::SEMICOLON_DIGIT,
            _ => {}
        }
    }
}

/// True of a run that no detector takes: short, with a letter; or an identifier of machines.
#[inline]
fn is_nothing(text: &[u8], run: &Run) -> bool {
    (run.len() < SHORTEST_LETTERED && run.mask != DIGIT) || quiet::is_id(text, run)
}

/// Shortest run with letters that is a part of something.
const SHORTEST_LETTERED: usize = 4;

/// The end of the moment that starts at `start`: `2026-11-29T14:05:06.123Z`, `2026-11-29 14:05:06,123`. Most messages
/// begin with one, and its numbers are nobody's. A date alone stays.
#[inline]
#[must_use]
pub fn moment_end(text: &[u8], start: usize) -> Option<usize> {
    let century = matches!(text[start..], [b'1', b'9', ..] | [b'2', b'0', ..]);
    if century {
        whole_moment_end(text, start)
    } else {
        None
    }
}

fn whole_moment_end(text: &[u8], start: usize) -> Option<usize> {
    let head = text.get(start..start + MOMENT.len())?;
    let alike = head.iter().zip(MOMENT).all(|(byte, sign)| match sign {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        sign => byte == sign,
    });
    if !alike {
        return None;
    }
    let mut at = start + MOMENT.len();
    if text.get(at) == Some(&b':') {
        at += 1 + digits(text, at + 1).min(2);
    }
    if matches!(text.get(at), Some(b'.' | b',')) && digits(text, at + 1) <= 9 {
        at += 1 + digits(text, at + 1);
    }
    at += zone_length(text.get(at..).unwrap_or_default());
    // Glued to more, it is something else.
    (!text.get(at).is_some_and(u8::is_ascii_alphanumeric)).then_some(at)
}

/// How a moment begins; `0` is any digit.
const MOMENT: &[u8; 16] = b"0000-00-00T00:00";

/// The length of `Z`, `+01:00` or `+0100`.
fn zone_length(text: &[u8]) -> usize {
    match text {
        [b'Z' | b'z', ..] => 1,
        [b'+' | b'-', ..] if digits(text, 1) == 2 && text.get(3) == Some(&b':') && digits(text, 4) == 2 => 6,
        [b'+' | b'-', ..] if digits(text, 1) == 4 => 5,
        _ => 0,
    }
}

fn digits(text: &[u8], at: usize) -> usize {
    text.get(at..).unwrap_or_default().iter().take(10).take_while(|byte| byte.is_ascii_digit()).count()
}

/// Shortest run that is kept without a digit.
pub const LONG_RUN: usize = 15;

/// Twelve words of three letters, with spaces between.
const MANY_WORDS: usize = 12 * 4 - 1;

/// Where a stretch of `LONG_RUN` starts in a block; the next one follows.
#[inline]
fn long_runs(map: u64, next: u64) -> u64 {
    let one = u128::from(next) << 64 | u128::from(map);
    let two = one & one >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    (eight & eight >> (LONG_RUN - 8)) as u64
}

/// True when one to four hexadecimal digits and another colon follow the colon at `at`.
fn colon_pair(text: &[u8], at: usize) -> bool {
    let rest = &text[at + 1..text.len().min(at + 6)];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    digits > 0 && rest.get(digits) == Some(&b':')
}
