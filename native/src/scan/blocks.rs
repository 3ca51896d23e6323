//! Stage 3 of 7, redact: classes of bytes as bit maps, 64 bytes a block. Thread: caller.
//!
//! The class of each byte comes from comparisons of 16 bytes at a time; finding where words and numbers start and end is then arithmetic on 64 bits, without a branch per byte.

/// The classes that have a map.
pub mod class {
    /// `a-zA-Z`, and every byte of a character that is not ASCII.
    pub const LETTER: usize = 0;
    /// `A-Z`
    pub const UPPER: usize = 1;
    /// `0-9`
    pub const DIGIT: usize = 2;
    /// `[A-Za-z0-9_-]`
    pub const RUN: usize = 3;
    /// `-`
    pub const DASH: usize = 4;
    /// `: ; < = > ? @ % & \ ^`
    pub const MARK: usize = 5;
    /// Spaces, tabs, ends of lines.
    pub const SPACE: usize = 6;
    /// Every byte of a character that is not ASCII.
    pub const ODD: usize = 7;
    /// How many there are.
    pub const COUNT: usize = 8;
}

use wide::{i8x16, CmpEq, CmpGt};

use class::{COUNT, DASH, DIGIT, LETTER, MARK, ODD, RUN, SPACE, UPPER};

/// Bytes of a block.
const BLOCK: usize = 64;

/// The maps of one text.
#[derive(Debug, Default, Clone)]
pub struct Blocks {
    maps: Vec<[u64; COUNT]>,
}

impl Blocks {
    /// Reads `text` anew.
    pub fn read(&mut self, text: &[u8]) {
        self.maps.clear();
        let mut chunks = text.chunks_exact(BLOCK);
        for chunk in &mut chunks {
            if let Some(block) = chunk.first_chunk() {
                self.maps.push(maps(block, BLOCK));
            }
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            // The last 64 bytes again, moved down; or, of a short text, a copy with zeros behind.
            self.maps.push(match text.last_chunk() {
                Some(block) => maps(block, BLOCK).map(|map| map >> (BLOCK - rest.len())),
                None => maps(&padded(rest), rest.len()),
            });
        }
    }

    /// How many blocks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.maps.len()
    }

    /// True of an empty text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.maps.is_empty()
    }

    /// The maps of one block, by class; nothing outside.
    #[inline]
    #[must_use]
    pub fn maps(&self, block: usize) -> &[u64; COUNT] {
        self.maps.get(block).unwrap_or(&[0; COUNT])
    }

    /// The map of one class in one block; nothing outside.
    #[inline]
    #[must_use]
    pub fn map(&self, class: usize, block: usize) -> u64 {
        self.maps(block)[class]
    }

    /// True when so many bytes in a row, 64 at most, are small letters or spaces.
    #[must_use]
    pub fn has_prose(&self, length: usize) -> bool {
        let mut carried = 0;
        self.maps.iter().any(|maps| {
            let prose = maps[LETTER] & !maps[UPPER] | maps[SPACE];
            let found =
                carried + (!prose).trailing_zeros() as usize >= length || holds_stretch(prose, length);
            carried = if prose == u64::MAX { carried + BLOCK } else { (!prose).leading_zeros() as usize };
            found
        })
    }

    /// The first byte at or behind `at` that is not of the class.
    #[inline]
    #[must_use]
    pub fn end_of(&self, class: usize, at: usize) -> usize {
        let mut block = at / BLOCK;
        let others = !self.map(class, block) >> (at % BLOCK);
        if others != 0 {
            return at + others.trailing_zeros() as usize;
        }
        loop {
            block += 1;
            let others = !self.map(class, block);
            if others != 0 {
                return block * BLOCK + others.trailing_zeros() as usize;
            }
        }
    }

    /// The first byte of the stretch of the class that holds `at`.
    #[inline]
    #[must_use]
    pub fn start_of(&self, class: usize, at: usize) -> usize {
        let mut block = at / BLOCK;
        let others = !self.map(class, block) << (BLOCK - 1 - at % BLOCK);
        if others != 0 {
            return at + 1 - others.leading_zeros() as usize;
        }
        while block > 0 {
            block -= 1;
            let others = !self.map(class, block);
            if others != 0 {
                return (block + 1) * BLOCK - others.leading_zeros() as usize;
            }
        }
        0
    }
}

/// True when so many bits stand in a row.
fn holds_stretch(map: u64, length: usize) -> bool {
    let (mut starts, mut covered) = (map, 1);
    while covered < length && starts != 0 {
        let step = covered.min(length - covered);
        starts &= starts >> step;
        covered += step;
    }
    starts != 0
}

/// The bits of `start..end` in one block.
#[inline]
#[must_use]
pub const fn bits_of(start: usize, end: usize, block: usize) -> u64 {
    below(end.saturating_sub(block * BLOCK)) & !below(start.saturating_sub(block * BLOCK))
}

/// So many of the lowest bits.
const fn below(count: usize) -> u64 {
    if count >= BLOCK {
        u64::MAX
    } else {
        (1 << count) - 1
    }
}

/// Less than a block, with zeros behind. Copies of fixed sizes that overlap are cheaper than one of any size.
#[inline]
fn padded(text: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let copied = copy::<32>(text, &mut block) || copy::<16>(text, &mut block) || copy::<8>(text, &mut block);
    if !copied {
        for (to, from) in block.iter_mut().zip(text) {
            *to = *from;
        }
    }
    block
}

/// Copies the first and the last `N` bytes, if there are as many.
#[inline]
fn copy<const N: usize>(text: &[u8], block: &mut [u8; BLOCK]) -> bool {
    let (Some(first), Some(last)) = (text.first_chunk::<N>(), text.last_chunk::<N>()) else { return false };
    block[..N].copy_from_slice(first);
    block[text.len() - N..text.len()].copy_from_slice(last);
    true
}

/// The maps of a block, of its first `length` bytes at least.
fn maps(block: &[u8; BLOCK], length: usize) -> [u64; COUNT] {
    let mut maps = [0; COUNT];
    for (lane, bytes) in block.chunks_exact(16).take(length.div_ceil(16)).enumerate() {
        let mut signed = [0i8; 16];
        for (to, from) in signed.iter_mut().zip(bytes) {
            *to = *from as i8;
        }
        for (map, bits) in maps.iter_mut().zip(lane_maps(i8x16::new(signed))) {
            *map |= u64::from(bits) << (lane * 16);
        }
    }
    maps
}

/// The maps of 16 bytes; bytes above 0x7f are negative.
#[inline]
fn lane_maps(bytes: i8x16) -> [u16; COUNT] {
    // Moved up until `last` is the highest of all.
    let within = |bytes: i8x16, first: u8, last: u8| {
        (bytes + i8x16::splat((127 - last) as i8)).cmp_gt(i8x16::splat((126 - (last - first)) as i8))
    };
    let is = |byte: u8| bytes.cmp_eq(i8x16::splat(byte as i8));
    let letter = within(bytes | i8x16::splat(0x20), b'a', b'z');
    let upper = within(bytes, b'A', b'Z');
    let digit = within(bytes, b'0', b'9');
    let mark = within(bytes, b':', b'@') | within(bytes, b'%', b'&') | is(b'\\') | is(b'^');
    let dash = is(b'-');
    let mut maps = [0; COUNT];
    maps[LETTER] = (letter | bytes).move_mask() as u16;
    maps[UPPER] = upper.move_mask() as u16;
    maps[DIGIT] = digit.move_mask() as u16;
    maps[RUN] = (letter | digit | dash | is(b'_')).move_mask() as u16;
    maps[DASH] = dash.move_mask() as u16;
    maps[MARK] = mark.move_mask() as u16;
    maps[SPACE] = within(bytes, b'\t', b' ').move_mask() as u16;
    maps[ODD] = bytes.move_mask() as u16;
    maps
}
