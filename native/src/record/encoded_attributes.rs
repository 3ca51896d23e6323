//! Stage 2 of 7, capture: attributes that were encoded once and go into many records. Thread: caller.
//!
//! Most records have none of their keys, which two words tell: then all are copied at once. Otherwise each one is
//! looked at alone, and the record is searched only for a key whose bits it has: no two keys are so unlucky that every
//! record is searched for all of them.

use crate::record::fields::KeyBits;
use crate::record::{tag, RecordWriter};
use crate::wire::{messages, Fields, Value};

/// Encoded `LogRecord.attributes` fields with what is needed to keep keys unique.
#[derive(Debug, Clone, Default)]
pub struct EncodedAttributes {
    bytes: Vec<u8>,
    keys: KeyBits,
    each: Vec<Attribute>,
}

/// One of them: where it ends, where its key stands.
#[derive(Debug, Clone, Copy)]
struct Attribute {
    end: usize,
    key: (usize, usize),
    keys: KeyBits,
}

/// What [`EncodedAttributes::append`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// In the record now.
    pub added: usize,
    /// Over the attribute limit.
    pub left_out: u32,
}

impl EncodedAttributes {
    /// Takes whole attribute fields; what is no such field ends them.
    #[must_use]
    pub fn new(mut bytes: Vec<u8>) -> Self {
        let mut walk = Fields::new(&bytes);
        let (mut keys, mut each) = (KeyBits::NONE, Vec::new());
        while let Some((_, Value::Bytes(attribute))) = walk.next() {
            let (key, at) = key_of(attribute).unwrap_or_default();
            let (end, bits) = (walk.offset(), KeyBits::of(key));
            keys = keys.with(bits);
            each.push(Attribute { end, key: (end - attribute.len() + at, key.len()), keys: bits });
        }
        bytes.truncate(each.last().map_or(0, |last| last.end));
        Self { bytes, keys, each }
    }

    /// Their keys.
    #[inline]
    #[must_use]
    pub const fn keys(&self) -> KeyBits {
        self.keys
    }

    /// Copies those whose key is not in the record yet, at most `room`. `present`: the keys of the record.
    #[inline]
    pub fn append(&self, writer: &mut RecordWriter, present: KeyBits, room: usize) -> Written {
        if self.keys.is_disjoint(present) && self.each.len() <= room {
            writer.encoded_attributes(&self.bytes);
            return Written { added: self.each.len(), left_out: 0 };
        }
        self.append_missing(writer, present, room)
    }

    #[inline(never)]
    fn append_missing(&self, writer: &mut RecordWriter, present: KeyBits, room: usize) -> Written {
        let before = writer.len();
        let mut written = Written { added: 0, left_out: 0 };
        let mut start = 0;
        for attribute in &self.each {
            let field = &self.bytes[start..attribute.end];
            start = attribute.end;
            let (at, length) = attribute.key;
            let key = &self.bytes[at..at + length];
            if !attribute.keys.is_disjoint(present) && has_key(&writer.record()[..before], key) {
                continue;
            }
            if written.added == room {
                written.left_out += 1;
                continue;
            }
            writer.encoded_attributes(field);
            written.added += 1;
        }
        written
    }
}

/// True when `record` has an attribute under `key`.
#[must_use]
pub fn has_key(record: &[u8], key: &[u8]) -> bool {
    messages(record, 6).any(|attribute| is_under(attribute, key))
}

/// Whether an attribute's key is `key`. Attributes of ours begin with it.
#[inline]
fn is_under(attribute: &[u8], key: &[u8]) -> bool {
    match attribute {
        [tag::KEY, length @ 0..=0x7f, rest @ ..] if rest.len() >= usize::from(*length) => {
            usize::from(*length) == key.len() && rest.starts_with(key)
        }
        _ => key_of(attribute).is_some_and(|(found, _)| found == key),
    }
}

/// The key of an attribute, and where in it it stands.
fn key_of(attribute: &[u8]) -> Option<(&[u8], usize)> {
    let mut walk = Fields::new(attribute);
    while let Some(field) = walk.next() {
        if let (1, Value::Bytes(key)) = field {
            return Some((key, walk.offset() - key.len()));
        }
    }
    None
}
