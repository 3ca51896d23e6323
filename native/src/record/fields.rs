//! Stage 2 of 7, capture: fields that are encoded once and copied into many records. Thread: caller.
//!
//! Keys, severities and trace context. [`crate::record`] copies them as blocks of fixed size.

use crate::record::tag;
use crate::wire::{put_bytes, Appender};

/// Encoded trace context: flags, trace id and span id as three fields, ready to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceFields(pub(crate) [u8; 33]);

impl TraceFields {
    /// Encodes the three fields of an active span.
    #[must_use]
    pub fn new(trace_id: [u8; 16], span_id: [u8; 8], flags: u8) -> Self {
        let mut bytes = [0; 33];
        bytes[0] = tag::FLAGS;
        bytes[1] = flags;
        bytes[5] = tag::TRACE_ID;
        bytes[6] = 16;
        bytes[7..23].copy_from_slice(&trace_id);
        bytes[23] = tag::SPAN_ID;
        bytes[24] = 8;
        bytes[25..].copy_from_slice(&span_id);
        Self(bytes)
    }

    /// Whether the span is sampled (W3C trace flags, bit 0).
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.0[1] & 1 == 1
    }

    /// The trace id as a number.
    #[must_use]
    pub fn trace(&self) -> u128 {
        u128::from_be_bytes(self.trace_id().try_into().unwrap_or_default())
    }

    /// The 16 bytes of the trace id.
    #[must_use]
    pub fn trace_id(&self) -> &[u8] {
        &self.0[7..23]
    }
}

/// An encoded key, `0x0a <length> key`: how a key stands in every `KeyValue`.
// A key field is never empty: it has a tag and a length.
#[allow(clippy::len_without_is_empty)]
pub trait Key {
    /// Bytes it takes.
    fn len(&self) -> usize;
    /// Appends it.
    fn put(&self, out: &mut Appender<'_>);
}

/// An encoded key of any length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyField(Vec<u8>);

impl KeyField {
    /// Room that a [`ShortKey`] may write beyond its length.
    pub(crate) const SIZE: usize = 64;

    /// Encodes a key.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        let mut field = Vec::with_capacity(4 + key.len());
        put_bytes(&mut field, tag::KEY, key);
        Self(field)
    }

    /// The encoded bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Key for KeyField {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn put(&self, out: &mut Appender<'_>) {
        out.slice(&self.0);
    }
}

/// An encoded key that is known when we are compiled.
#[derive(Debug, Clone, Copy)]
pub struct EncodedKey(pub &'static [u8]);

impl Key for EncodedKey {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn put(&self, out: &mut Appender<'_>) {
        out.slice(self.0);
    }
}

/// An encoded key that fits one cache line, and is copied as one.
#[derive(Debug, Clone, Copy)]
pub struct ShortKey {
    bytes: [u8; KeyField::SIZE],
    length: u8,
}

impl ShortKey {
    /// A key that was not filled in yet.
    pub const EMPTY: Self = Self { bytes: [0; KeyField::SIZE], length: 0 };

    /// The same key in fixed memory; `None` when it is too long.
    #[must_use]
    pub fn new(field: &KeyField) -> Option<Self> {
        let mut bytes = [0; KeyField::SIZE];
        bytes.get_mut(..field.0.len())?.copy_from_slice(&field.0);
        Some(Self { bytes, length: field.0.len() as u8 })
    }

    /// The same key in memory of its own, for use across a call of Python code.
    #[must_use]
    pub fn to_field(&self) -> KeyField {
        KeyField(self.bytes[..usize::from(self.length)].to_vec())
    }
}

impl Key for ShortKey {
    #[inline]
    fn len(&self) -> usize {
        usize::from(self.length)
    }

    #[inline]
    fn put(&self, out: &mut Appender<'_>) {
        out.block(&self.bytes, usize::from(self.length));
    }
}

/// A set of keys that may err to one side: what it says is not inside, is not.
///
/// Each key is one bit in either half, by two parts of its hash (FNV-1a). Five keys and three others share both halves
/// once in twenty times; one bit of 64 would be shared once in five.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyBits(u64, u64);

impl KeyBits {
    /// No key.
    pub const NONE: Self = Self(0, 0);

    /// One key.
    #[must_use]
    pub const fn of(key: &[u8]) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut index = 0;
        while index < key.len() {
            hash = (hash ^ key[index] as u64).wrapping_mul(0x0100_0000_01b3);
            index += 1;
        }
        Self(1 << ((hash ^ (hash >> 32)) & 63), 1 << ((hash >> 16 ^ hash >> 48) & 63))
    }

    /// The keys of both.
    #[inline]
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0, self.1 | other.1)
    }

    /// True when no key is in both; false says nothing.
    #[inline]
    #[must_use]
    pub const fn is_disjoint(self, other: Self) -> bool {
        self.0 & other.0 == 0 || self.1 & other.1 == 0
    }
}

/// The severity fields of a record, number and text, encoded once per level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeverityField {
    pub(crate) bytes: [u8; 32],
    pub(crate) length: u8,
}

impl SeverityField {
    /// Neither number nor text.
    pub const NONE: Self = Self { bytes: [0; 32], length: 0 };

    /// Longest text that fits.
    pub const TEXT_BYTES: usize = 28;

    /// Encodes number (0: unspecified, left out) and text (empty: left out; cut to [`Self::TEXT_BYTES`]).
    #[must_use]
    pub const fn new(number: u8, text: &str) -> Self {
        let mut field = Self::NONE;
        let mut at = 0;
        if number > 0 {
            field.bytes[0] = tag::SEVERITY_NUMBER;
            field.bytes[1] = number;
            at = 2;
        }
        let text = text.as_bytes();
        let mut kept = if text.len() > Self::TEXT_BYTES { Self::TEXT_BYTES } else { text.len() };
        // Not in the middle of a character.
        while kept > 0 && kept < text.len() && text[kept] & 0xc0 == 0x80 {
            kept -= 1;
        }
        if kept > 0 {
            field.bytes[at] = tag::SEVERITY_TEXT;
            field.bytes[at + 1] = kept as u8;
            at += 2;
            let mut index = 0;
            while index < kept {
                field.bytes[at + index] = text[index];
                index += 1;
            }
        }
        field.length = (at + kept) as u8;
        field
    }
}
