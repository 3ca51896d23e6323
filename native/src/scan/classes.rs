//! Stage 3 of 7, redact: one pass over the bytes of a text that leaves anchors for the detectors. Thread: caller.
//!
//! A *run* is a maximal stretch of `[A-Za-z0-9_-]`. Runs of plain words say nothing and are not kept; a text without
//! anchors is done after this pass.

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
    /// A letter that is no hexadecimal digit; set beside `LOWER` or `UPPER`.
    pub const NOT_HEX: u8 = 32;
    /// A byte that leaves an anchor or a flag; never in a run.
    pub const MARK: u8 = 64;
    /// `a-z` or `A-Z`
    pub const LETTER: u8 = LOWER | UPPER;
    /// What runs are made of.
    pub const RUN: u8 = LETTER | DIGIT | DASH | UNDERSCORE;
}

use class::{DASH, DIGIT, LETTER, LOWER, MARK, NOT_HEX, RUN, UNDERSCORE, UPPER};

/// What a text holds somewhere; says which views and rare detectors are worth their time.
pub mod flag {
    /// A byte above 0x7f.
    pub const NON_ASCII: u16 = 1;
    /// `%` and two hexadecimal digits.
    pub const PERCENT: u16 = 2;
    /// `\`
    pub const BACKSLASH: u16 = 4;
    /// `<<`
    pub const CHEVRONS: u16 = 8;
    /// `-----`
    pub const DASHES: u16 = 16;
    /// `^`
    pub const CARET: u16 = 32;
    /// `;` and a digit
    pub const SEMICOLON_DIGIT: u16 = 64;
    /// Twelve or more words of lower-case letters in a row.
    pub const MANY_WORDS: u16 = 128;
    /// Two colons with nothing but hexadecimal digits between, or none.
    pub const COLONS: u16 = 256;
    /// `/home/`, `/Users/` or `\Users\` may be inside: a slash or backslash before a letter `h`, `U` or `u`.
    pub const USER_PATH: u16 = 512;
}

/// A maximal stretch of `[A-Za-z0-9_-]` that holds a digit, or at least 15 bytes, or five dashes.
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
    /// Bytes that it covers.
    #[inline]
    #[must_use]
    pub fn range(&self) -> std::ops::Range<usize> {
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

/// What the pass left, in the order of the text.
#[derive(Debug, Default, Clone)]
pub struct Anchors {
    /// Runs that may be something.
    pub runs: Vec<Run>,
    /// `@`
    pub ats: Vec<u32>,
    /// The colon of `://`
    pub schemes: Vec<u32>,
    /// `=`, and `:` other than that of `://`, that a letter, digit, quote, `]` or a space stands before.
    pub assigns: Vec<u32>,
    /// See [`flag`].
    pub flags: u16,
}

impl Anchors {
    /// True when a flag of these is set.
    #[inline]
    #[must_use]
    pub fn has(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }

    fn clear(&mut self) {
        self.runs.clear();
        self.ats.clear();
        self.schemes.clear();
        self.assigns.clear();
        self.flags = 0;
    }

    /// Reads `text` anew.
    pub fn read(&mut self, text: &[u8]) {
        self.clear();
        let mut at = 0;
        let mut words = 0u32;
        while let Some(&byte) = text.get(at) {
            let class = CLASS[usize::from(byte)];
            if class & RUN != 0 {
                let start = at;
                let mut mask = 0;
                while let Some(&byte) = text.get(at) {
                    let class = CLASS[usize::from(byte)];
                    if class & RUN == 0 {
                        break;
                    }
                    mask |= class;
                    at += 1;
                }
                if mask & DIGIT != 0 || at - start >= 15 || (mask == DASH && at - start >= 5) {
                    self.runs.push(Run { start: start as u32, end: at as u32, mask });
                    self.flags |=
                        if mask & (LETTER | DIGIT) == 0 && at - start >= 5 { flag::DASHES } else { 0 };
                }
                words = if mask & !(LOWER | NOT_HEX) == 0 { words + 1 } else { 0 };
                if words >= 12 {
                    self.flags |= flag::MANY_WORDS;
                }
            } else {
                if class & MARK != 0 {
                    self.mark(text, at, byte);
                }
                at += 1;
            }
        }
    }

    /// Notes a byte that is an anchor in itself.
    #[inline]
    fn mark(&mut self, text: &[u8], at: usize, byte: u8) {
        let next = text.get(at + 1).copied().unwrap_or(0);
        match byte {
            b'@' => self.ats.push(at as u32),
            b':' if next == b'/' && text.get(at + 2) == Some(&b'/') => self.schemes.push(at as u32),
            b':' | b'=' => {
                if next == b':' || colon_pair(text, at) {
                    self.flags |= flag::COLONS;
                }
                self.assigns.push(at as u32);
            }
            b'%' if next.is_ascii_hexdigit() && text.get(at + 2).is_some_and(u8::is_ascii_hexdigit) => {
                self.flags |= flag::PERCENT;
            }
            b'\\' => {
                self.flags |=
                    flag::BACKSLASH | if matches!(next, b'U' | b'u' | b'\\') { flag::USER_PATH } else { 0 };
            }
            b'/' if matches!(next, b'h' | b'U') => self.flags |= flag::USER_PATH,
            b'<' if next == b'<' => self.flags |= flag::CHEVRONS,
            b'^' => self.flags |= flag::CARET,
            b';' if next.is_ascii_digit() => self.flags |= flag::SEMICOLON_DIGIT,
            0x80.. => self.flags |= flag::NON_ASCII,
            _ => {}
        }
    }
}

/// True when one to four hexadecimal digits and another colon follow the colon at `at`.
fn colon_pair(text: &[u8], at: usize) -> bool {
    let rest = &text[at + 1..text.len().min(at + 6)];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    digits > 0 && rest.get(digits) == Some(&b':')
}

/// The class of every byte.
pub static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'f' => LOWER,
            b'g'..=b'z' => LOWER | NOT_HEX,
            b'A'..=b'F' => UPPER,
            b'G'..=b'Z' => UPPER | NOT_HEX,
            b'0'..=b'9' => DIGIT,
            b'-' => DASH,
            b'_' => UNDERSCORE,
            b'@' | b':' | b'=' | b'%' | b'\\' | b'/' | b'<' | b'^' | b';' | 0x80.. => MARK,
            _ => 0,
        };
        byte += 1;
    }
    table
};
