//! Stage 3 of 7, redact: the frame without secrets. Thread: caller.
//!
//! Before: `record`. After: `buffer`, which accepts only [`Redacted`], and only this module makes one: what is
//! stored, spooled, retried or printed has passed here.
//!
//! Two things are hidden without a word of configuration: values under secret key names (decided once per key,
//! by [`Policy::decide`], and cached by capture) and credentials in URLs, wherever a text holds one. With
//! [`Policy::with_values`], sensitive values too, wherever they stand.
//!
//! In this room: [`values`] hides what the scanner finds, by [`actions`], and what users describe by [`rules`]; [`inventory`] counts it; [`mod@rewrite`] copies a record while editing its texts, `walk` is what all who do such things share, [`lengths`] bounds one text, [`truncate`] fits a record into its cap, [`scope_secrets`] does a logger's scope;
//! [`stricter`] removes more for one destination, on the way there.

pub mod actions;
pub mod inventory;
pub mod lengths;
pub mod rewrite;
pub mod rules;
pub mod scope_secrets;
pub mod stricter;
pub mod truncate;
pub mod values;
pub(crate) mod walk;

use crate::record::fields::{KeyField, SeverityField};
use crate::record::{tag, Meta, RecordWriter, SEQUENCE_ATTRIBUTE_BYTES};
use crate::redact::rewrite::rewrite;
use crate::redact::stricter::Stricter;
use crate::redact::values::{Pass, ValuePolicy};
use std::sync::Arc;

/// Stands where a value was whose key names a secret. It carries the type, never the value.
pub const SECRET_MARKER: &str = "[REDACTED:secret]";
/// Stands where `user:password` was in a URL (OTel semantic conventions, `url.full`).
const USERINFO_MARKER: &[u8] = b"REDACTED:REDACTED";

/// What to do with the value under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyDecision {
    /// Encode it.
    Keep,
    /// Write [`SECRET_MARKER`] in its place; the value is never encoded.
    Hide,
}

/// The policy common to all destinations, compiled once (`fapilog/redaction/policy.py` holds the words).
#[derive(Debug, Clone, Default)]
pub struct Policy {
    anywhere: Vec<String>,
    last: Vec<String>,
    exact: Vec<String>,
    exempt: Vec<String>,
    kept: Vec<String>,
    values: Option<Arc<ValuePolicy>>,
    value_length: Option<usize>,
    later: Vec<Arc<ValuePolicy>>,
}

impl Policy {
    /// Compiles a policy.
    ///
    /// `anywhere`: words that make a key secret wherever they stand in it (`password` in `old_password_hash`).
    /// `last`: words that do so only at the end (`token`: not in `token_count`).
    /// `exact`: whole names, compared without case and separators.
    #[must_use]
    pub fn new(anywhere: &[String], last: &[String], exact: &[String]) -> Self {
        Self {
            anywhere: anywhere.to_vec(),
            last: last.to_vec(),
            exact: exact.iter().map(|name| words(name).concat()).collect(),
            exempt: Vec::new(),
            kept: Vec::new(),
            values: None,
            value_length: None,
            later: Vec::new(),
        }
    }

    /// The same policy, which takes no name among `exempt` for that of a secret; compared as [`Self::new`] says of `exact`.
    #[must_use]
    pub fn with_exempt(self, exempt: &[String]) -> Self {
        Self { exempt: exempt.iter().map(|name| words(name).concat()).collect(), ..self }
    }

    /// The same policy, which takes the names `kept`, in just this spelling, for those of secrets only where they are exact ones.
    #[must_use]
    pub fn with_kept(self, kept: &[String]) -> Self {
        Self { kept: kept.to_vec(), ..self }
    }

    /// The same policy, which also hides sensitive values under any key.
    #[must_use]
    pub fn with_values(self, values: ValuePolicy) -> Self {
        Self { values: Some(Arc::new(values)), ..self }
    }

    /// The same policy, which cuts attribute values of records behind all else: see [`lengths::limit`].
    #[must_use]
    pub fn with_value_length(self, value_length: Option<usize>) -> Self {
        Self { value_length, ..self }
    }

    /// The same policy, whose cuts go through nothing that `destinations` look for: they see what is stored.
    #[must_use]
    pub fn with_later<'a>(self, destinations: impl IntoIterator<Item = &'a Stricter>) -> Self {
        let later = destinations.into_iter().filter_map(|each| each.policy().values.clone());
        Self { later: later.collect(), ..self }
    }

    /// Which values destinations look for.
    pub fn later(&self) -> impl Iterator<Item = &ValuePolicy> + Clone {
        self.later.iter().map(Arc::as_ref)
    }

    /// Which values are hidden wherever they stand; `None`: values are not looked at.
    #[inline]
    #[must_use]
    pub fn values(&self) -> Option<&ValuePolicy> {
        self.values.as_deref()
    }

    /// Decides by the name of a key, in any spelling: `API-Key`, `apiKey`, `DBPassword1`, `X_AUTH_TOKEN`.
    #[must_use]
    pub fn decide(&self, key: &str) -> KeyDecision {
        let words = words(key);
        let numbered =
            words.iter().rev().take_while(|word| word.bytes().all(|byte| byte.is_ascii_digit())).count();
        let words_before = &words[..words.len() - numbered];
        let tails =
            (1..=words_before.len().min(3)).map(|count| words_before[words_before.len() - count..].concat());
        let pairs = words.windows(2).map(<[String]>::concat);
        let by_words = words.iter().cloned().chain(pairs).any(|word| names(&self.anywhere, &word))
            || tails.into_iter().any(|tail| names(&self.last, &tail));
        let kept = self.kept.iter().any(|kept| kept == key);
        let secret = (by_words && !kept) || self.exact.contains(&words.concat());
        if secret && !self.exempt.contains(&words.concat()) {
            KeyDecision::Hide
        } else {
            KeyDecision::Keep
        }
    }
}

/// True when `word` is one of `known`, or runs together with one that is long enough to be meant: `dbpassword`.
fn names(known: &[String], word: &str) -> bool {
    known.iter().any(|known| word == known || (known.len() >= 5 && word.ends_with(known.as_str())))
}

/// Splits a key at separators, between letters and digits, at lower-to-upper case changes, and before the last
/// capital of an acronym (`DBPassword`); words come out in lower case.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous = ' ';
    let mut rest = key.chars().peekable();
    while let Some(character) = rest.next() {
        let next_lower = rest.peek().is_some_and(|next| next.is_lowercase());
        let capital =
            character.is_uppercase() && (previous.is_lowercase() || (previous.is_uppercase() && next_lower));
        let digits = previous.is_alphanumeric() && character.is_numeric() != previous.is_numeric();
        if capital || digits || !character.is_alphanumeric() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (character.is_alphanumeric(), words.last_mut()) {
            word.extend(character.to_lowercase());
        }
        previous = character;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A frame that may be stored: `0x12 <length> record`, with its facts.
#[derive(Debug)]
pub struct Redacted<'a> {
    frame: &'a mut [u8],
    meta: Meta,
    sequenced: bool,
    dropped: bool,
}

impl Redacted<'_> {
    /// The policy wants the record to go no further; its frame is not clean then.
    #[inline]
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        self.dropped
    }

    /// The bytes, tag and length included.
    #[must_use]
    pub fn frame(&self) -> &[u8] {
        self.frame
    }

    /// What shedding and the ledger decide by.
    #[must_use]
    pub fn meta(&self) -> Meta {
        self.meta
    }

    /// True when the frame ends with the padded number that stage 4 fills in.
    #[must_use]
    pub fn sequenced(&self) -> bool {
        self.sequenced
    }

    /// Copies the frame, to try again later.
    #[must_use]
    pub fn park(&self) -> Parked {
        Parked { frame: self.frame.to_vec(), meta: self.meta, sequenced: self.sequenced }
    }

    /// The record inside the frame, without tag and length.
    #[must_use]
    pub fn record(&self) -> &[u8] {
        record_of(self.frame)
    }

    /// The record without the number that stage 4 fills in.
    #[must_use]
    pub fn without_number(&self) -> &[u8] {
        let record = self.record();
        let number = if self.sequenced { SEQUENCE_ATTRIBUTE_BYTES } else { 0 };
        &record[..record.len() - number]
    }

    /// The frame, for writing the sequence number.
    pub fn frame_mut(&mut self) -> &mut [u8] {
        self.frame
    }
}

/// The record behind tag and length.
fn record_of(frame: &[u8]) -> &[u8] {
    let mut at = 1;
    let _ = crate::wire::get_varint(frame, &mut at);
    &frame[at..]
}

/// A frame that waits outside of scratch memory.
#[derive(Debug)]
pub struct Parked {
    frame: Vec<u8>,
    meta: Meta,
    sequenced: bool,
}

impl Parked {
    /// The frame, for another attempt.
    pub fn redacted(&mut self) -> Redacted<'_> {
        Redacted { frame: &mut self.frame, meta: self.meta, sequenced: self.sequenced, dropped: false }
    }

    /// Waits with another frame from now on, in the same memory.
    pub fn replace(&mut self, other: &Redacted<'_>) {
        self.frame.clear();
        self.frame.extend_from_slice(other.frame);
        (self.meta, self.sequenced) = (other.meta, other.sequenced);
    }

    /// Memory of the frame, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.frame.len()
    }

    /// The record with a number of ours as a further attribute, framed anew.
    #[must_use]
    pub fn with_count(&self, key: &str, count: u64) -> Self {
        let record = record_of(&self.frame);
        let number = if self.sequenced { SEQUENCE_ATTRIBUTE_BYTES } else { 0 };
        let mut writer = RecordWriter::new();
        writer.begin(0, 0, &SeverityField::NONE, None);
        writer.replace(&record[..record.len() - number]);
        writer.attribute_int(&KeyField::new(key.as_bytes()), i64::try_from(count).unwrap_or(i64::MAX));
        Self { frame: writer.frame(self.sequenced).to_vec(), ..*self }
    }
}

/// Settings of this stage that are not policy.
#[derive(Debug, Clone, Copy)]
pub struct FrameSettings {
    /// Cap of one record, in bytes.
    pub record_bytes: usize,
    /// Whether records carry a sequence number.
    pub sequenced: bool,
}

/// Takes the secrets out of the record in `writer`, fits it into its cap and frames it.
#[inline]
pub fn redact<'a>(
    writer: &'a mut RecordWriter,
    meta: Meta,
    policy: &Policy,
    settings: FrameSettings,
) -> Redacted<'a> {
    let dropped = clean(writer, policy, settings);
    Redacted { frame: writer.frame(settings.sequenced), meta, sequenced: settings.sequenced, dropped }
}

/// Takes the secrets out of the record in `writer` and fits it into its cap: what processors may see. True: the policy
/// wants it to go no further; then it is as it was.
#[inline]
#[must_use]
pub fn clean(writer: &mut RecordWriter, policy: &Policy, settings: FrameSettings) -> bool {
    lengths::bound(writer, policy);
    if holds_url(behind_times(writer.record())) {
        hide_url_credentials(writer);
    }
    if let Some(values) = policy.values() {
        if values.hide(writer, Pass::Record) {
            return true;
        }
    }
    if let Some(length) = policy.value_length {
        lengths::limit(writer, length, policy);
    }
    if writer.len() + 128 > settings.record_bytes {
        if let Some(shorter) = truncate::fit(writer.record(), settings.record_bytes, policy) {
            writer.replace(&shorter);
        }
    }
    false
}

/// Takes the secrets out of what stands in `writer` and is no record: it is neither dropped nor cut.
pub fn clean_parts(writer: &mut RecordWriter, policy: &Policy, pass: Pass) {
    if holds_url(behind_times(writer.record())) {
        hide_url_credentials(writer);
    }
    if let Some(values) = policy.values() {
        let dropped = values.hide(writer, pass);
        debug_assert!(!dropped, "only records are dropped");
    }
}

/// A record without the two times that it begins with: they hold no text, and a colon now and then.
#[inline]
fn behind_times(record: &[u8]) -> &[u8] {
    match (record.first(), record.get(9), record.get(18..)) {
        (Some(&tag::TIME), Some(&tag::OBSERVED_TIME), Some(rest)) => rest,
        _ => record,
    }
}

/// True when a URL may be inside. One byte is looked for: most records have no colon at all.
#[inline]
fn holds_url(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b':', bytes).any(|colon| authority(bytes, colon).is_some())
}

/// Where the authority behind `scheme:` starts, if a URL's colon is at `colon`; JSON may write `/` as `\/`.
fn authority(bytes: &[u8], colon: usize) -> Option<usize> {
    let rest = &bytes[colon + 1..];
    [&b"//"[..], br"\/\/"]
        .iter()
        .find(|slashes| rest.starts_with(slashes))
        .map(|slashes| colon + 1 + slashes.len())
}

/// Writes the record again without credentials. What cannot be parsed is left out then, not left in: fail closed.
#[cold]
fn hide_url_credentials(writer: &mut RecordWriter) {
    let mut found = false;
    let mut out = Vec::with_capacity(writer.len() + 64);
    rewrite(writer.record(), &mut out, &mut |_, text, out| found |= without_userinfo(text, out));
    if found || out.len() < writer.len() {
        writer.replace(&out);
    }
}

/// Appends `text` to `out` with every URL's userinfo replaced. True when there was one.
pub(crate) fn without_userinfo(text: &[u8], out: &mut Vec<u8>) -> bool {
    let mut copied = 0;
    for start in memchr::memchr_iter(b':', text).filter_map(|colon| authority(text, colon)) {
        let rest = &text[start..];
        let end = rest.iter().position(|byte| ends_authority(*byte)).unwrap_or(rest.len());
        if let Some(length @ 1..) = memchr::memrchr(b'@', &rest[..end]) {
            if start < copied {
                continue;
            }
            out.extend_from_slice(&text[copied..start]);
            out.extend_from_slice(USERINFO_MARKER);
            copied = start + length;
        }
    }
    out.extend_from_slice(&text[copied..]);
    copied > 0
}

pub(crate) const fn ends_authority(byte: u8) -> bool {
    matches!(byte, b'/' | b'?' | b'#' | b'"' | b'<' | b'>' | b'\\' | b'`') || byte <= b' '
}
