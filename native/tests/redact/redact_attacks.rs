//! Records made to be slow: none is larger than its cap, and nothing hides behind what is in front of it.
//! How long they take is looked at in Python (`tests/property/test_attacks.py`), which knows the time of one thread.

use fapilog_native::record::fields::SeverityField;
use fapilog_native::record::RecordWriter;
use fapilog_native::redact::values::ValuePolicy;
use fapilog_native::redact::{clean, FrameSettings, Policy};
use fapilog_native::scan::Settings;

const RECORD_BYTES: usize = 64 * 1024;
const PIECES: &[&str] = &[
    "1",
    "a@",
    ":::",
    "eyJ",
    "<",
    "%",
    "{\"",
    "-----BEGIN",
    "-----BEGIN PRIVATE KEY-----",
    "0x",
    "a.b.c",
    "://",
    "https://a:b@",
    "4111 1111 1111 1111 ",
    "password=",
    "[REDACTED:",
    "\u{ff11}",
    "\\\"",
];

fn policy() -> Policy {
    Policy::default().with_values(ValuePolicy::new(Settings::default(), []))
}

/// Writes and cleans one record.
fn cleaned(policy: &Policy, body: &str, record_bytes: usize) -> RecordWriter {
    let mut writer = RecordWriter::new();
    writer.begin(1, 2, &SeverityField::new(9, "INFO"), None);
    writer.body_str(body.as_bytes());
    let _ = clean(&mut writer, policy, FrameSettings { record_bytes, sequenced: false });
    writer
}

#[test]
fn a_record_of_a_mebibyte_is_cleaned_and_fits_into_its_cap() {
    let policy = policy();
    for piece in PIECES {
        let writer = cleaned(&policy, &piece.repeat((1 << 20) / piece.len()), RECORD_BYTES);
        assert!(writer.len() <= RECORD_BYTES, "{piece:?}: {}", writer.len());
    }
}

#[test]
fn a_card_behind_much_of_anything_is_gone() {
    let policy = policy();
    for piece in PIECES.iter().filter(|piece| !piece.starts_with('4')) {
        let text = format!("{} 5105 1051 0510 5100", piece.repeat((1 << 18) / piece.len()));
        let writer = cleaned(&policy, &text, usize::MAX / 2);
        assert!(memchr::memmem::find(writer.record(), b"5105 1051").is_none(), "{piece:?}");
    }
}
