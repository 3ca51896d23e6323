//! Stage 4 of 7, append: finds whole records in bytes that may be damaged (R8). Threads: any; pure.
//!
//! A receiver refuses a whole request for one byte that is no protobuf, so a record is only passed on if all of it is: lengths,
//! field types and UTF-8. What stands in between is counted and left out. Never panics; work is bounded by the length.

use crate::buffer::chunk::SCOPE_MARK;
use crate::record::tag;
use crate::ring::layout::u64_at;
use crate::wire::{get_varint, Fields, Value};

/// Stands for the scope of records whose mark was damaged.
pub const UNKNOWN_SCOPE: u32 = u32::MAX;
const MARK_BYTES: usize = 5;
/// Messages inside of messages: what protobuf libraries allow. A map takes three, and capture stops at 30 containers.
const MAX_DEPTH: u8 = 100;
/// Bytes looked at while searching, in lengths of the chunk: many false starts must not make a start-up slow.
const EFFORT: usize = 64;

/// What a walk over a chunk found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Scope marks and whole frames, as a sealer takes them. Starts with a mark.
    pub bytes: Vec<u8>,
    /// Frames inside.
    pub records: u64,
    /// Of these, records with [`UNKNOWN_SCOPE`].
    pub unknown_scope_records: u64,
    /// Bytes that are neither a mark nor a whole record.
    pub damaged_bytes: u64,
}

/// Walks `chunk`, which should hold `expected` records.
///
/// Where there is damage, more records than expected are not believed: behind the end lie those of an earlier chunk.
#[must_use]
pub fn salvage(chunk: &[u8], expected: u64) -> Salvaged {
    let mut walk = Walk { chunk, effort: chunk.len().saturating_mul(EFFORT), ..Walk::default() };
    let mut at = 0;
    while at < chunk.len() {
        if walk.found.records == expected && walk.cut.is_none() {
            walk.cut = Some((walk.found.bytes.len(), walk.found.unknown_scope_records));
        }
        at = walk.step(at);
    }
    let mut found = walk.found;
    if let (Some((length, unknown)), true) = (walk.cut, found.damaged_bytes > 0 && found.records > expected) {
        found.bytes.truncate(length);
        found.unknown_scope_records = unknown;
        found.records = expected;
    }
    found
}

#[derive(Default)]
struct Walk<'a> {
    chunk: &'a [u8],
    found: Salvaged,
    /// The scope of the frames that follow, and of those written last.
    scope: Option<u32>,
    written: Option<u32>,
    /// What was found when the expected number of records was reached.
    cut: Option<(usize, u64)>,
    effort: usize,
}

enum Item {
    Mark(u32),
    /// A whole record, up to here.
    Record(usize),
    /// A frame by its length, up to here, of something that is no record.
    Broken(usize),
    Nothing,
}

impl Walk<'_> {
    /// Takes what is at `at`, or skips to the next place where something is. Returns where to go on, behind `at`.
    fn step(&mut self, at: usize) -> usize {
        match item(self.chunk, at) {
            Item::Mark(scope) => {
                self.scope = Some(scope);
                at + MARK_BYTES
            }
            Item::Record(end) => {
                self.keep(at, end);
                end
            }
            // Its length is right if another item follows it, and then no mark is hidden in it.
            Item::Broken(end) if self.spend(end - at) && self.is_start(end) => self.skip(at, end),
            Item::Broken(_) | Item::Nothing => {
                let next = self.search(at + 1);
                self.scope = None;
                self.skip(at, next)
            }
        }
    }

    fn keep(&mut self, start: usize, end: usize) {
        let scope = self.scope.unwrap_or(UNKNOWN_SCOPE);
        if self.written != Some(scope) {
            self.found.bytes.push(SCOPE_MARK);
            self.found.bytes.extend_from_slice(&scope.to_le_bytes());
            self.written = Some(scope);
        }
        self.found.bytes.extend_from_slice(&self.chunk[start..end]);
        self.found.records += 1;
        self.found.unknown_scope_records += u64::from(scope == UNKNOWN_SCOPE);
    }

    fn skip(&mut self, start: usize, end: usize) -> usize {
        self.found.damaged_bytes += (end - start) as u64;
        end
    }

    /// The next place from `from` on where a record starts, or a mark before one; the end when there is none.
    fn search(&mut self, from: usize) -> usize {
        let mut at = from;
        while at < self.chunk.len() {
            let frame = if self.chunk[at] == SCOPE_MARK { at + MARK_BYTES } else { at };
            if self.is_record_with_time(frame) {
                return at;
            }
            if !self.spend(1) {
                break;
            }
            at += 1;
        }
        self.chunk.len()
    }

    /// False when the effort is used up: then nothing more is found.
    fn spend(&mut self, bytes: usize) -> bool {
        let left = self.effort.checked_sub(bytes);
        self.effort = left.unwrap_or(0);
        left.is_some()
    }

    fn is_start(&mut self, at: usize) -> bool {
        let frame = if self.chunk.get(at) == Some(&SCOPE_MARK) { at + MARK_BYTES } else { at };
        at == self.chunk.len() || self.is_record_with_time(frame)
    }

    /// Every record starts with a time, and nothing inside of one looks like a frame that does, texts excepted.
    fn is_record_with_time(&mut self, at: usize) -> bool {
        let chunk = self.chunk;
        let Some(record) = frame(chunk, at).map(|end| content(chunk, at, end)) else { return false };
        if !matches!(record.first(), Some(&(tag::TIME | tag::OBSERVED_TIME))) {
            return false;
        }
        self.spend(record.len()) && is_record(record)
    }
}

fn item(chunk: &[u8], at: usize) -> Item {
    if chunk[at] == SCOPE_MARK {
        let id = chunk.get(at + 1..at + MARK_BYTES).and_then(|id| id.try_into().ok());
        return id.map_or(Item::Nothing, |id| Item::Mark(u32::from_le_bytes(id)));
    }
    match frame(chunk, at) {
        Some(end) if is_record(content(chunk, at, end)) => Item::Record(end),
        Some(end) => Item::Broken(end),
        None => Item::Nothing,
    }
}

/// When the oldest and the newest record of whole frames was logged, in nanoseconds since the Unix epoch; of those with a time.
#[must_use]
pub fn times_of(chunk: &[u8]) -> Option<(u64, u64)> {
    let (mut at, mut found) = (0, None);
    while at < chunk.len() {
        at = match item(chunk, at) {
            Item::Mark(_) => at + MARK_BYTES,
            Item::Record(end) => {
                if let [tag::TIME, rest @ ..] = content(chunk, at, end) {
                    let time = u64_at(rest, 0);
                    let (oldest, newest) = found.unwrap_or((time, time));
                    found = Some((time.min(oldest), time.max(newest)));
                }
                end
            }
            Item::Broken(_) | Item::Nothing => break,
        };
    }
    found
}

/// The end of the frame at `at`.
fn frame(chunk: &[u8], at: usize) -> Option<usize> {
    if chunk.get(at) != Some(&tag::FRAME) {
        return None;
    }
    let mut start = at + 1;
    let length = usize::try_from(get_varint(chunk, &mut start)?).ok()?;
    start.checked_add(length).filter(|end| *end <= chunk.len())
}

/// The record in the frame from `at` to `end`.
fn content(chunk: &[u8], at: usize, end: usize) -> &[u8] {
    let mut start = at + 1;
    get_varint(chunk, &mut start).and_then(|_| chunk.get(start..end)).unwrap_or_default()
}

/// True for one whole `LogRecord` with at least one field: every byte is protobuf of the types that its fields have.
#[must_use]
pub fn is_record(bytes: &[u8]) -> bool {
    !bytes.is_empty() && is_message(bytes, Message::Record, 0)
}

#[derive(Clone, Copy)]
enum Message {
    Record,
    KeyValue,
    AnyValue,
    ArrayValue,
    KeyValueList,
}

fn is_message(bytes: &[u8], message: Message, depth: u8) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    let mut fields = Fields::new(bytes);
    let all = fields.by_ref().all(|(number, value)| is_field(message, number, value, depth));
    all && !fields.malformed()
}

/// The fields of opentelemetry/proto/logs/v1 and common/v1, with their types.
fn is_field(message: Message, number: u32, value: Value<'_>, depth: u8) -> bool {
    let is_text = |bytes| std::str::from_utf8(bytes).is_ok();
    match (message, number, value) {
        (Message::Record, 1 | 11, Value::Fixed64(_))
        | (Message::Record, 2 | 7, Value::Varint(_))
        | (Message::Record, 8, Value::Fixed32(_))
        | (Message::Record, 9 | 10, Value::Bytes(_))
        | (Message::AnyValue, 2 | 3, Value::Varint(_))
        | (Message::AnyValue, 4, Value::Fixed64(_))
        | (Message::AnyValue, 7, Value::Bytes(_)) => true,
        (Message::Record, 3 | 12, Value::Bytes(text))
        | (Message::KeyValue | Message::AnyValue, 1, Value::Bytes(text)) => is_text(text),
        (Message::Record, 5, Value::Bytes(inner))
        | (Message::KeyValue, 2, Value::Bytes(inner))
        | (Message::ArrayValue, 1, Value::Bytes(inner)) => is_message(inner, Message::AnyValue, depth + 1),
        (Message::Record, 6, Value::Bytes(inner)) | (Message::KeyValueList, 1, Value::Bytes(inner)) => {
            is_message(inner, Message::KeyValue, depth + 1)
        }
        (Message::AnyValue, 5, Value::Bytes(inner)) => is_message(inner, Message::ArrayValue, depth + 1),
        (Message::AnyValue, 6, Value::Bytes(inner)) => is_message(inner, Message::KeyValueList, depth + 1),
        _ => false,
    }
}
