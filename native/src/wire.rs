//! Protobuf wire primitives: varints, tags and a borrowing field reader. Imports nothing of ours.
//!
//! Written by hand because the hot path encodes from Python objects straight into one buffer: a generated
//! encoder would first build an owned tree (a dozen allocations for five attributes).

/// Wire type of a protobuf field, the low three bits of its tag.
pub const VARINT: u8 = 0;
/// Eight bytes, little endian.
pub const FIXED64: u8 = 1;
/// A varint length, then that many bytes.
pub const LENGTH: u8 = 2;
/// Four bytes, little endian.
pub const FIXED32: u8 = 5;

/// Number of bytes that `value` takes as a varint (1 to 10).
#[inline]
#[must_use]
pub const fn varint_len(value: u64) -> usize {
    // 9/64 approximates 1/7 exactly for 1..=64 significant bits.
    let bits = 64 - (value | 1).leading_zeros() as usize;
    (bits * 9 + 64) / 64
}

/// Appends `value` as a varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length-delimited field: tag, length, bytes. `tag` is the whole one-byte tag.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends to a `Vec` without a capacity check for each field: one reservation stands for all of them.
///
/// The hot path writes a dozen small fields per record; checked pushes cost more than the copies themselves.
pub struct Appender<'a> {
    bytes: &'a mut Vec<u8>,
    length: usize,
}

impl<'a> Appender<'a> {
    /// Reserves `room` bytes; no more may be appended before [`Self::finish`].
    #[inline]
    #[must_use]
    pub fn new(bytes: &'a mut Vec<u8>, room: usize) -> Self {
        bytes.reserve(room);
        let length = bytes.len();
        Self { bytes, length }
    }

    /// Appends one byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.copy(&[byte], 1);
    }

    /// Appends `bytes`. Short texts, which most are, are copied by two overlapping blocks instead of a call.
    #[inline]
    pub fn slice(&mut self, bytes: &[u8]) {
        match bytes.len() {
            8..=16 => self.overlapping::<8>(bytes),
            17..=32 => self.overlapping::<16>(bytes),
            4..=7 => self.overlapping::<4>(bytes),
            33..=64 => self.overlapping::<32>(bytes),
            _ => self.copy(bytes, bytes.len()),
        }
    }

    /// Copies between `HALF` and twice `HALF` bytes.
    #[inline]
    fn overlapping<const HALF: usize>(&mut self, bytes: &[u8]) {
        if let (Some(head), Some(tail)) = (bytes.first_chunk::<HALF>(), bytes.last_chunk::<HALF>()) {
            let end = self.length + bytes.len();
            self.copy(head, HALF);
            self.length = end - HALF;
            self.copy(tail, HALF);
        }
    }

    /// Copies a block of fixed size, of which only `count` bytes count: a fixed size needs no loop and no call.
    #[inline]
    pub fn block<const SIZE: usize>(&mut self, block: &[u8; SIZE], count: usize) {
        self.copy(block, count);
    }

    /// Appends `value` as a varint.
    #[inline]
    pub fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte((value as u8) | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    /// Makes what was appended part of the `Vec`.
    ///
    /// # Panics
    /// When more was appended than reserved: a defect of ours, never of a record.
    #[inline]
    pub fn finish(self) {
        assert!(self.length <= self.bytes.capacity());
        // SAFETY: `copy` initialised every byte up to `length`, and the capacity was just checked.
        unsafe { self.bytes.set_len(self.length) };
    }

    #[inline]
    fn copy(&mut self, source: &[u8], count: usize) {
        debug_assert!(self.length + source.len() <= self.bytes.capacity() && count <= source.len());
        // SAFETY: the reservation covers every byte that is written: `new`'s callers pass an upper bound of their
        // fields, which the assertion above checks in every debug and test build.
        unsafe {
            let end = self.bytes.as_mut_ptr().add(self.length);
            std::ptr::copy_nonoverlapping(source.as_ptr(), end, source.len());
        }
        self.length += count;
    }
}

/// Reads one varint at `*at` and moves `*at` behind it. `None` when it is cut off or longer than ten bytes.
#[inline]
#[must_use]
pub fn get_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    let mut shift = 0;
    loop {
        let byte = *bytes.get(*at)?;
        *at += 1;
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
        shift += 7;
        if shift > 63 {
            return None;
        }
    }
}

/// One field of a message, borrowed from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

/// Iterates the fields of one message in wire order; stops at the end or at the first malformed byte.
///
/// `malformed()` tells the two apart after the iteration ended.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
    malformed: bool,
}

impl<'a> Fields<'a> {
    /// Starts at the first byte of `message`.
    #[must_use]
    pub const fn new(message: &'a [u8]) -> Self {
        Self { bytes: message, at: 0, malformed: false }
    }

    /// True when the iteration stopped before the end of the message.
    #[must_use]
    pub const fn malformed(&self) -> bool {
        self.malformed
    }

    /// Offset of the next unread byte.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.at
    }

    fn read(&mut self) -> Option<(u32, Value<'a>)> {
        let tag = get_varint(self.bytes, &mut self.at)?;
        let number = u32::try_from(tag >> 3).ok()?;
        let value = match (tag & 7) as u8 {
            VARINT => Value::Varint(get_varint(self.bytes, &mut self.at)?),
            FIXED64 => Value::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            LENGTH => {
                let length = usize::try_from(get_varint(self.bytes, &mut self.at)?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            FIXED32 => Value::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((number, value))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let slice = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(slice)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u32, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // Mostly a short text or message: one byte for the tag, one for the length.
        if let Some([tag, length]) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            if tag & 0x87 == LENGTH && *length < 0x80 {
                let start = self.at + 2;
                if let Some(inner) = self.bytes.get(start..start + usize::from(*length)) {
                    self.at = start + inner.len();
                    return Some((u32::from(tag >> 3), Value::Bytes(inner)));
                }
            }
        }
        self.next_of_any_form()
    }
}

impl<'a> Fields<'a> {
    fn next_of_any_form(&mut self) -> Option<(u32, Value<'a>)> {
        if self.malformed || self.at == self.bytes.len() {
            return None;
        }
        let field = self.read();
        if field.is_none() {
            (self.malformed, self.at) = (true, self.bytes.len());
        }
        field
    }
}

/// The fields `wanted` of a message, as far as they have a length; stops where it is malformed.
#[inline]
pub fn messages(message: &[u8], wanted: u32) -> impl Iterator<Item = &[u8]> {
    Fields::new(message).filter_map(move |(number, value)| match value {
        Value::Bytes(inner) if number == wanted => Some(inner),
        _ => None,
    })
}

/// Reads the fields of a message; `None` when it is malformed, or when `read` says so, which ends the reading.
pub fn each_field<'a>(message: &'a [u8], read: impl FnMut((u32, Value<'a>)) -> Option<()>) -> Option<()> {
    let mut fields = Fields::new(message);
    fields.by_ref().try_for_each(read)?;
    (!fields.malformed()).then_some(())
}
