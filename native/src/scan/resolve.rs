//! Stage 3 of 7, redact: findings become ranges that do not overlap. Thread: caller.

use crate::scan::finding::Finding;
use crate::scan::kind::Kind;

/// Sorts, unites what overlaps and moves the ends to borders of characters. The union is never narrower than a
/// finding; its kind is the most severe (the order of `Kind`).
pub fn resolve(text: &str, findings: &mut Vec<Finding>) {
    for finding in findings.iter_mut() {
        while !text.is_char_boundary(finding.start as usize) {
            finding.start -= 1;
        }
        while !text.is_char_boundary(finding.end as usize) {
            finding.end += 1;
        }
    }
    findings.retain(|finding| !is_network(text, finding));
    if findings.len() < 2 {
        return;
    }
    findings.sort_unstable_by_key(|finding| (finding.start, finding.end, finding.kind));
    let mut kept = 0;
    for at in 1..findings.len() {
        let next = findings[at];
        let last = &mut findings[kept];
        if next.start < last.end {
            if next.kind < last.kind {
                (last.kind, last.rule) = (next.kind, next.rule);
            }
            last.end = last.end.max(next.end);
        } else {
            kept += 1;
            findings[kept] = next;
        }
    }
    findings.truncate(kept + 1);
}

/// True of a network that an earlier pass left of an address: `[REDACTED:ip:203.0.113.0/24]`.
fn is_network(text: &str, finding: &Finding) -> bool {
    let range = finding.range();
    matches!(finding.kind, Kind::Ipv4 | Kind::Ipv6)
        && text[..range.start].ends_with("[REDACTED:ip:")
        && (text[range.end..].starts_with("/24]") || text[range.end..].starts_with("/48]"))
}
