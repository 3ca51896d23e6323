//! Stage 3 of 7, redact: finds what stands on a card beside its number. Thread: caller.
//!
//! PCI DSS 3.3.1 forbids to keep tracks, verification values and PIN blocks after authorisation, even encrypted.

use crate::scan::check;
use crate::scan::classes::{flag, Run};
use crate::scan::context::Context;
use crate::scan::finding::Findings;
use crate::scan::kind::Kind;

/// Most bytes of a track.
const TRACK_BYTES: usize = 110;

/// Appends what it finds.
pub fn detect(context: &Context<'_>, findings: &mut Findings<'_>) {
    if context.anchors.has(flag::CARET) {
        tracks(context, findings, b"%B", b'^');
    }
    if context.anchors.has(flag::SEMICOLON_DIGIT) {
        tracks(context, findings, b";", b'=');
    }
}

/// `%B4111111111111111^NAME^2512...?` and `;4111111111111111=2512...?`
fn tracks(context: &Context<'_>, findings: &mut Findings<'_>, before: &[u8], behind: u8) {
    for run in &context.anchors.runs {
        let range = run.range();
        let start = if before == b"%B" { range.start + 1 } else { range.start };
        let digits = context.text.get(start..range.end).unwrap_or_default();
        if !(12..=19).contains(&digits.len())
            || context.byte(range.end) != behind
            || !context.text[..start].ends_with(before)
            || !digits.iter().all(u8::is_ascii_digit)
            || !check::is_luhn(digits)
        {
            continue;
        }
        let rest = context.text.get(range.end..).unwrap_or_default();
        let rest = &rest[..rest.len().min(TRACK_BYTES)];
        let end = rest.iter().position(|byte| *byte == b'?').map_or_else(
            || rest.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'"').unwrap_or(rest.len()),
            |end| end + 1,
        );
        if rest[..end].iter().filter(|byte| byte.is_ascii_digit()).count() >= 7 {
            findings.push(start - before.len(), range.end + end, Kind::CardTrack, "track");
        }
    }
}

/// A card number that a sign joins to something: `order_4111111111111111`, `-4111111111111111`, `4111_1111_1111_1111`.
pub fn joined(context: &Context<'_>, run: &Run, findings: &mut Findings<'_>) {
    if run.len() < 14 {
        return;
    }
    // The digits of up to four parts of four, which stand side by side.
    let (mut four, mut parts) = ([0u8; 16], 0);
    let mut start = run.start as usize;
    for part in context.text.get(run.range()).unwrap_or_default().split(|byte| matches!(byte, b'_' | b'-')) {
        let end = start + part.len();
        if (13..=19).contains(&part.len()) && is_card(part) {
            findings.push(start, end, Kind::Pan, "pan.joined");
        }
        parts = if part.len() == 4 { (parts + 1).min(4) } else { 0 };
        if parts > 0 {
            four.rotate_left(4);
            four[12..].copy_from_slice(part);
        }
        if parts == 4 && is_card(&four) {
            findings.push(end - 19, end, Kind::Pan, "pan.joined");
        }
        start = end + 1;
    }
}

fn is_card(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_digit) && check::is_pan(digits) && !check::payment::is_maestro(digits)
}
