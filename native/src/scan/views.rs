//! Stage 3 of 7, redact: a text as its reader will see it: percent signs, escapes of JSON and odd characters undone. Thread: caller.
//!
//! A view is scanned beside the text, never instead of it, and only where the text holds something to undo. One level
//! is undone: what was encoded twice was meant to stay so.

use crate::scan::classes::flag;

/// A decoded text, and where its bytes come from.
#[derive(Debug, Default)]
pub struct View {
    /// The decoded bytes; UTF-8 unless percent signs say otherwise.
    pub bytes: Vec<u8>,
    /// Of each byte, and of the end, its first byte in the text.
    places: Vec<u32>,
}

impl View {
    /// Decodes `text`. False when nothing was to undo: then the view is of no use.
    pub fn read(&mut self, text: &str, flags: u16) -> bool {
        if flags & (flag::NON_ASCII | flag::PERCENT | flag::ESCAPE) == 0 {
            return false;
        }
        if flags & (flag::PERCENT | flag::ESCAPE) == 0 && text.bytes().all(is_plain) {
            return false;
        }
        self.bytes.clear();
        self.places.clear();
        let mut changed = false;
        let mut at = 0;
        loop {
            at = self.push_plain(text.as_bytes(), at);
            let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) else { break };
            let step = match character {
                '%' => percent(text.as_bytes(), at).map(|byte| (Decoded::Byte(byte), 3)),
                '\\' => escape(text.as_bytes(), at),
                '\x1b' => Some((Decoded::Nothing, 1 + control(text.as_bytes(), at + 1))),
                '\0'..='\x7f' => None,
                odd => plain(odd).map(|decoded| (decoded, odd.len_utf8())),
            };
            changed |= step.is_some();
            let (decoded, length) = step.unwrap_or((Decoded::Character(character), character.len_utf8()));
            self.push(decoded, at);
            at += length;
        }
        self.places.push(text.len() as u32);
        changed
    }

    /// Copies what needs no look: ASCII without `%` and backslashes. Answers the first byte behind.
    fn push_plain(&mut self, text: &[u8], at: usize) -> usize {
        let rest = &text[at..];
        let length =
            rest.iter().take_while(|byte| byte.is_ascii() && !matches!(byte, b'%' | b'\\' | 0x1b)).count();
        self.bytes.extend_from_slice(&rest[..length]);
        self.places.extend(at as u32..(at + length) as u32);
        at + length
    }

    fn push(&mut self, decoded: Decoded, at: usize) {
        match decoded {
            Decoded::Nothing => {}
            Decoded::Byte(byte) => {
                self.bytes.push(byte);
                self.places.push(at as u32);
            }
            Decoded::Character(character) => {
                let mut buffer = [0; 4];
                let encoded = character.encode_utf8(&mut buffer).as_bytes();
                self.bytes.extend_from_slice(encoded);
                self.places.extend(encoded.iter().map(|_| at as u32));
            }
        }
    }

    /// The range of the text that a range of the view comes from.
    #[must_use]
    pub fn source(&self, text: &[u8], start: u32, end: u32) -> (u32, u32) {
        let place = |at: u32| self.places.get(at as usize).or(self.places.last()).copied().unwrap_or(0);
        let last = end.saturating_sub(1);
        // What stands as it is ends behind itself: a colour that ends there stays.
        let same = |byte: &u8| byte.is_ascii() && text.get(place(last) as usize) == Some(byte);
        if self.bytes.get(last as usize).is_some_and(same) {
            return (place(start), place(last) + 1);
        }
        (place(start), place(end).max(place(last) + 1))
    }
}

/// True of ASCII, and of letters that stand for themselves: Latin, Greek, Cyrillic.
const fn is_plain(byte: u8) -> bool {
    byte < 0xc0 || matches!(byte, 0xc3..=0xd1)
}

#[derive(Debug, Clone, Copy)]
enum Decoded {
    Nothing,
    Byte(u8),
    Character(char),
}

fn hex(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |value, byte| Some(value << 4 | char::from(*byte).to_digit(16)?))
}

/// The byte that `%hh` is.
fn percent(text: &[u8], at: usize) -> Option<u8> {
    text.get(at + 1..at + 3).and_then(hex).map(|value| value as u8)
}

/// Bytes of a colour, or of another command to a terminal, whose escape stands before `at` (ECMA-48, CSI).
fn control(text: &[u8], at: usize) -> usize {
    const LONGEST: usize = 32;
    let command = text.get(at..).unwrap_or_default().iter().take(LONGEST);
    match text.get(at) {
        Some(b'[') => command.skip(1).position(|byte| matches!(byte, 0x40..=0x7e)).map_or(0, |end| end + 2),
        _ => 0,
    }
}

/// The character that `\u0040` or `\/` is, and the length of the escape. Others are signs that end a value as they stand.
fn escape(text: &[u8], at: usize) -> Option<(Decoded, usize)> {
    match text.get(at + 1)? {
        b'/' => Some((Decoded::Byte(b'/'), 2)),
        // Glued to a word, they would make another one of it.
        b'n' | b't' | b'r' => Some((Decoded::Byte(b' '), 2)),
        b'u' => {
            let character = char::from_u32(hex(text.get(at + 2..at + 6)?)?)?;
            if character == '\x1b' {
                return Some((Decoded::Nothing, 6 + control(text, at + 6)));
            }
            Some((plain(character).unwrap_or(Decoded::Character(character)), 6))
        }
        b'x' => Some((Decoded::Byte(hex(text.get(at + 2..at + 4)?)? as u8), 4)),
        _ => None,
    }
}

/// The first of ten digits in a row, of the scripts that have their own (Unicode's decimal digits, where people write them).
const ZEROS: [u32; 23] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20,
    0x1040, 0x17e0, 0x1810, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6,
];

/// What an odd character stands for; none of letters that are themselves.
fn plain(character: char) -> Option<Decoded> {
    let code = u32::from(character);
    match code {
        // Soft hyphen; zero width; joiners; marks of direction; byte order mark.
        0xad | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xfe00..=0xfe0f | 0xfeff => {
            Some(Decoded::Nothing)
        }
        0xa0 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => Some(Decoded::Byte(b' ')),
        0x2010..=0x2015 | 0x2212 | 0xfe63 => Some(Decoded::Byte(b'-')),
        0x3002 | 0xff61 => Some(Decoded::Byte(b'.')),
        // The full-width forms of ASCII.
        0xff01..=0xff5e => Some(Decoded::Byte((code - 0xff01) as u8 + b'!')),
        _ => ZEROS
            .iter()
            .find(|zero| (**zero..**zero + 10).contains(&code))
            .map(|zero| Decoded::Byte(b'0' + (code - zero) as u8)),
    }
}
