//! Stage 3 of 7, redact: what rules and the scanner found in one text, as places that do not overlap. Thread: caller.

use crate::redact::actions::{Action, MARKER_START, MAX_MARKER_BYTES};
use crate::redact::rules::actions::RuleAction;
use crate::redact::rules::{Match, RuleId, Rules};
use crate::redact::values::ValuePolicy;
use crate::scan::finding::Finding;
use crate::scan::keys::KeyPlan;
use crate::scan::kind::{Kind, Kinds};
use crate::scan::{Scanner, Scratch, Settings};
use std::ops::Range;

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A value of a type, and the rule of the scanner that saw it.
    Kind(Kind, &'static str),
    /// What a rule of the user is about.
    Rule(RuleId),
}

impl What {
    /// The rule before the type, the earlier before the later: that one names the marker.
    fn order(self) -> (u8, u16) {
        match self {
            Self::Rule(rule) => (0, rule),
            Self::Kind(kind, _) => (1, kind as u16),
        }
    }
}

/// A place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// Where.
    pub range: Range<usize>,
    /// What.
    pub what: What,
    /// Several met here: then nothing of it is let through, whatever their actions say.
    pub mixed: bool,
}

/// What never stays, whoever keeps it: what a card's owner and its bank share (PCI DSS 3.3.1).
pub const NEVER_KEPT: [Kind; 3] = [Kind::CardTrack, Kind::Cvv, Kind::PinBlock];

/// Unites what the scanner found with what `rules` that stand before `end` find.
#[must_use]
pub fn unite(policy: &ValuePolicy, text: &str, end: RuleId, findings: &[Finding]) -> Vec<Spot> {
    let Some(rules) = policy.rules() else { return findings.iter().map(Spot::of).collect() };
    let mut matches = Vec::new();
    rules.find(text, end, &mut matches);
    let kept: Vec<Match> =
        matches.iter().filter(|one| rules.action(one.rule) == RuleAction::Keep).cloned().collect();
    matches.retain(|one| {
        rules.action(one.rule) != RuleAction::Keep && !is_kept(&kept, &one.range, Some(one.rule))
    });
    let findings = findings
        .iter()
        .filter(|finding| NEVER_KEPT.contains(&finding.kind) || !is_kept(&kept, &finding.range(), None))
        .map(Spot::of);
    let mut spots: Vec<Spot> = findings.collect();
    let markers = if matches.is_empty() { Vec::new() } else { markers(text) };
    spots.extend(matches.into_iter().filter_map(|one| swallowing(rules, text, &markers, one)));
    merged(policy, spots)
}

impl Spot {
    /// Of a finding of the scanner.
    #[must_use]
    pub fn of(finding: &Finding) -> Self {
        Self { range: finding.range(), what: What::Kind(finding.kind, finding.rule), mixed: false }
    }
}

/// Whether a rule that keeps things, and stands before `rule`, covers all of it.
fn is_kept(kept: &[Match], range: &Range<usize>, rule: Option<RuleId>) -> bool {
    let covers = |keep: &&Match| keep.range.start <= range.start && keep.range.end >= range.end;
    kept.iter().filter(covers).any(|keep| rule.is_none_or(|rule| keep.rule < rule))
}

/// What an earlier pass wrote into the text.
fn markers(text: &str) -> Vec<Range<usize>> {
    let starts = memchr::memmem::find_iter(text.as_bytes(), MARKER_START);
    let behind = |start: usize| &text.as_bytes()[start..text.len().min(start + MAX_MARKER_BYTES)];
    let end = |start: usize| memchr::memchr(b']', behind(start)).map(|length| start..start + length + 1);
    starts.filter_map(end).collect()
}

/// A match that touches a marker takes all of it: a marker in a marker would tell nobody anything. `None`: it is what the
/// rule itself let through.
fn swallowing(rules: &Rules, text: &str, markers: &[Range<usize>], one: Match) -> Option<Spot> {
    let (action, name) = (rules.action(one.rule), rules.name(one.rule));
    let mut found = Spot { range: one.range, what: What::Rule(one.rule), mixed: false };
    for marker in markers {
        let touches = marker.start < found.range.end && found.range.start < marker.end;
        let within = marker.start <= found.range.start && found.range.end <= marker.end;
        if within && action.has_written(name, &text[marker.clone()]) {
            return None;
        }
        if touches {
            found.mixed = true;
            found.range = found.range.start.min(marker.start)..found.range.end.max(marker.end);
        }
    }
    Some(found)
}

/// Sorted, without overlaps: a union is never narrower than what it is made of.
fn merged(policy: &ValuePolicy, mut spots: Vec<Spot>) -> Vec<Spot> {
    // What costs the whole record comes first.
    let order = |what: What| (!policy.is_dropped(what), what.order());
    spots.sort_unstable_by_key(|spot| (spot.range.start, spot.range.end, order(spot.what)));
    let mut kept: Vec<Spot> = Vec::with_capacity(spots.len());
    for next in spots {
        match kept.last_mut() {
            Some(last) if next.range.start < last.range.end => {
                last.mixed |= next.mixed || last.what != next.what;
                if order(next.what) < order(last.what) {
                    last.what = next.what;
                }
                last.range.end = last.range.end.max(next.range.end);
            }
            _ => kept.push(next),
        }
    }
    kept
}

/// The action, but for what the standard of cards forbids: of codes and tracks nothing stays, of numbers six and four digits.
#[must_use]
pub fn bounded(action: RuleAction, found: &str) -> RuleAction {
    if action.takes_all() || action == RuleAction::Keep {
        return action;
    }
    let kinds = NEVER_KEPT.into_iter().chain([Kind::Pan]).collect::<Kinds>();
    let mut scratch = Scratch::default();
    let findings = Scanner::new(Settings { kinds }).scan(found, &KeyPlan::NONE, &mut scratch);
    if findings.is_empty() {
        return action;
    }
    match action {
        _ if findings.iter().any(|finding| NEVER_KEPT.contains(&finding.kind)) => RuleAction::Remove,
        RuleAction::Mask { keep_last } => RuleAction::Mask { keep_last: keep_last.min(4) },
        RuleAction::Truncate { first, last } => {
            RuleAction::Truncate { first: first.min(6), last: last.min(4) }
        }
        other => other,
    }
}

/// Appends what stands in place of a spot, whose text is `found`.
pub fn replace(policy: &ValuePolicy, spot: &Spot, found: &str, out: &mut Vec<u8>) {
    match (spot.what, policy.rules()) {
        (What::Rule(rule), Some(rules)) => {
            let action = if spot.mixed { RuleAction::Remove } else { bounded(rules.action(rule), found) };
            action.replace(rules.name(rule), found, out);
        }
        (What::Kind(kind, _), _) if !spot.mixed => policy.action(kind).replace(kind, found, out),
        (What::Kind(kind, _), _) => Action::Remove.replace(kind, found, out),
        (What::Rule(_), None) => {}
    }
}
