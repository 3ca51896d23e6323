//! Stage 3 of 7, redact: finds a patient's data in a segment of an HL7 message, version 2: `PID|1||…`. Thread: caller.

use crate::scan::context::Context;
use crate::scan::finding::Findings;
use crate::scan::keywords::Hit;
use crate::scan::kind::Kind;

/// Longest segment that is looked at.
const SEGMENT_BYTES: usize = 1024;

/// The fields of a segment about a patient (HL7 2.5.1, 3.4.2), by their number.
const FIELDS: &[(usize, Kind)] = &[
    (2, Kind::Mrn),
    (3, Kind::Mrn),
    (4, Kind::Mrn),
    (5, Kind::PersonName),
    (6, Kind::PersonName),
    (7, Kind::DateOfBirth),
    (9, Kind::PersonName),
    (11, Kind::Address),
    (13, Kind::Phone),
    (14, Kind::Phone),
    (18, Kind::Mrn),
    (19, Kind::UsSsn),
    (20, Kind::DriverLicense),
    (21, Kind::Mrn),
];

/// Hides the fields behind `PID|`.
pub(super) fn patient(context: &Context<'_>, hit: &Hit, findings: &mut Findings<'_>) {
    let (start, end) = (hit.start as usize, hit.end as usize);
    if context.byte(end) != b'|' || &context.text[start..end] != b"PID" {
        return;
    }
    let rest = &context.text[end + 1..context.text.len().min(end + 1 + SEGMENT_BYTES)];
    let length = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n' | b'"')).unwrap_or(rest.len());
    // No byte is read for two segments.
    let length = memchr::memmem::find(&rest[..length], b"PID|").unwrap_or(length);
    let mut from = end + 1;
    for (place, field) in rest[..length].split(|byte| *byte == b'|').enumerate() {
        // `\r` between the segments may be written as an escape.
        let given = field.iter().position(|byte| *byte == b'\\').map_or(field, |end| &field[..end]);
        let kind = FIELDS.iter().find(|(number, _)| *number == place + 1);
        if let Some((_, kind)) = kind.filter(|_| given.iter().any(u8::is_ascii_alphanumeric)) {
            findings.push(from, from + given.len(), *kind, "hl7.pid");
        }
        if given.len() < field.len() {
            break;
        }
        from += field.len() + 1;
    }
}
