//! Stage 5 of 7, seal: which fields records of a category have to have, and must not. Thread: sealer; the caller where
//! the console is alone; senders report.
//!
//! Compliance profiles ask for it. No caller pays: records are looked at on their way out. Nothing is held back; what is
//! missing, or there against a rule, is counted, and one record of category `compliance` a minute says so for each
//! category and field. Those records are never looked at themselves.

use crate::buffer::chunk::{Chunk, SCOPE_MARK};
use crate::decode::{AnyView, RecordView};
use crate::record::fields::KeyField;
use crate::record::{Meta, RecordWriter};
use crate::seal::field_names::{normal, Path};
use crate::wire::get_varint;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Event name of the records that tell of it.
pub const EVENT_NAME: &str = "fapilog.compliance.violation";
/// Where a record says its category.
const CATEGORY: &str = "fapilog.event.category";
/// Not more than one record in this time for each category and field.
const PAUSE: Duration = Duration::from_secs(60);
/// Severity numbers of `audit()` and `security()`, whose records have chunks of their own.
const AUDIT: i32 = 10;
const SECURITY: i32 = 14;

/// What a rule says of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// One of them has to be there.
    Required,
    /// None of them may be there.
    Forbidden,
}

impl Demand {
    /// In reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Forbidden => "forbidden",
        }
    }
}

/// One field of one category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRule {
    /// `audit`, `security`, `business`, …
    pub category: String,
    /// What is asked.
    pub demand: Demand,
    /// Names of attributes, any of which counts, in any spelling.
    pub names: Vec<String>,
    /// The profile that asks.
    pub profile: String,
    /// Its clause.
    pub clause: String,
}

/// The name of the field that a record has beside its attributes, as [`normal`] writes it.
const EVENT_NAME_FIELD: &str = "eventname";

/// What was counted of one rule.
#[derive(Debug)]
struct Tally {
    rule: FieldRule,
    /// Its names, as [`normal`] writes them.
    names: Vec<String>,
    count: AtomicU64,
    /// What was reported, and when.
    told: Mutex<(u64, Option<Duration>)>,
}

impl Tally {
    fn new(rule: &FieldRule) -> Self {
        let names = rule.names.iter().map(|name| normal(name)).collect();
        Self { rule: rule.clone(), names, count: AtomicU64::new(0), told: Mutex::default() }
    }

    /// Whether a value is what the rule is about: what is required stands where it is said, what is forbidden anywhere.
    fn is_about(&self, path: &Path) -> bool {
        match self.rule.demand {
            Demand::Required => self.names.iter().any(|name| path.is(name)),
            Demand::Forbidden => self.names.iter().any(|name| path.ends_with(name)),
        }
    }
}

/// All rules of a pipeline.
#[derive(Debug, Default)]
pub struct Fields {
    tallies: Vec<Tally>,
    /// Whether only chunks of audit and security records can break one.
    audited_only: bool,
}

impl Fields {
    /// Rules with nothing counted yet.
    #[must_use]
    pub fn new(rules: &[FieldRule]) -> Self {
        let audited_only = rules.iter().all(|rule| matches!(rule.category.as_str(), "audit" | "security"));
        Self { tallies: rules.iter().map(Tally::new).collect(), audited_only }
    }

    /// Looks at the records of a chunk.
    pub fn look(&self, chunk: &Chunk) {
        if self.tallies.is_empty() || (self.audited_only && !chunk.audited) {
            return;
        }
        for record in frames(chunk.content()) {
            self.look_at(&RecordView::parse(record), chunk.audited);
        }
    }

    fn look_at(&self, record: &RecordView<'_>, audited: bool) {
        if record.event_name == EVENT_NAME {
            return;
        }
        let Some(category) = category(record, audited) else { return };
        let asked = self.tallies.iter().filter(|tally| tally.rule.category == category);
        let mut asked: Vec<(&Tally, bool)> = asked.map(|tally| (tally, false)).collect();
        if asked.is_empty() {
            return;
        }
        if !record.event_name.is_empty() {
            let is_named = |tally: &Tally| tally.names.iter().any(|name| name == EVENT_NAME_FIELD);
            for (tally, there) in &mut asked {
                *there |= is_named(tally);
            }
        }
        let mut see = |path: &Path| {
            for (tally, there) in &mut asked {
                *there = *there || tally.is_about(path);
            }
        };
        Path::default().each(record.attributes, &mut see);
        if let Some(AnyView::KvList(body)) = record.body {
            Path::default().each(body, &mut see);
        }
        for (tally, there) in asked {
            if there == (tally.rule.demand == Demand::Forbidden) {
                tally.count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Looks at a record that no exporter gets, so that no chunk of it is ever sealed: the console is alone.
    pub fn look_at_shown(&self, record: &[u8], meta: Meta) {
        let audited = meta.protected && matches!(i32::from(meta.severity), AUDIT | SECURITY);
        if !self.tallies.is_empty() && (audited || !self.audited_only) {
            self.look_at(&RecordView::parse(record), audited);
        }
    }

    /// Each rule with how many records broke it.
    pub fn counts(&self) -> impl Iterator<Item = (&FieldRule, u64)> {
        self.tallies.iter().map(|tally| (&tally.rule, tally.count.load(Ordering::Relaxed)))
    }

    /// Logs, through `log`, what was counted since it was said last, a minute later at the earliest; `log` answers
    /// whether the buffer took the record. `now` is monotonic.
    pub fn report(&self, now: Duration, log: impl Fn(&dyn Fn(&mut RecordWriter)) -> bool) {
        for tally in &self.tallies {
            let count = tally.count.load(Ordering::Relaxed);
            if count == 0 {
                continue;
            }
            let mut told = tally.told.lock().unwrap_or_else(PoisonError::into_inner);
            let (before, at) = *told;
            let new = count.saturating_sub(before);
            let waits = at.is_some_and(|at| now.saturating_sub(at) < PAUSE);
            if new > 0 && !waits && log(&|writer| write(writer, &tally.rule, new)) {
                *told = (count, Some(now));
            }
        }
    }
}

/// What a record is about. In a chunk of audit and security records it is one of the two, unless it says which.
fn category<'a>(record: &RecordView<'a>, audited: bool) -> Option<&'a str> {
    match record.attributes.get(CATEGORY) {
        Some(AnyView::Str(category)) => Some(category),
        _ if audited && record.severity_number == AUDIT => Some("audit"),
        _ if audited && record.severity_number == SECURITY => Some("security"),
        _ => None,
    }
}

fn write(writer: &mut RecordWriter, rule: &FieldRule, new: u64) {
    let body = match rule.demand {
        Demand::Required => "records lack a field that a compliance profile asks for",
        Demand::Forbidden => "records have a field that a compliance profile forbids",
    };
    writer.body_str(body.as_bytes());
    let names = rule.names.join("|");
    let texts = [
        (CATEGORY, "compliance"),
        ("fapilog.compliance.category", rule.category.as_str()),
        ("fapilog.compliance.field", names.as_str()),
        ("fapilog.compliance.demand", rule.demand.word()),
        ("fapilog.compliance.profile", rule.profile.as_str()),
        ("fapilog.compliance.clause", rule.clause.as_str()),
    ];
    for (key, text) in texts {
        writer.attribute_str(&KeyField::new(key.as_bytes()), text.as_bytes());
    }
    let count = KeyField::new(b"fapilog.compliance.records");
    writer.attribute_int(&count, i64::try_from(new).unwrap_or(i64::MAX));
    writer.event_name(EVENT_NAME.as_bytes());
}

/// The records of a chunk, without scope marks, tags and lengths.
pub(crate) fn frames(bytes: &[u8]) -> Frames<'_> {
    Frames { bytes, at: 0 }
}

pub(crate) struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while *self.bytes.get(self.at)? == SCOPE_MARK {
            self.at += 5;
        }
        self.at += 1;
        let length = get_varint(self.bytes, &mut self.at)?;
        let end = self.at.checked_add(usize::try_from(length).ok()?)?;
        let record = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fields::SeverityField;
    use crate::wire::put_bytes;

    fn rule(category: &str, demand: Demand, names: &[&str]) -> FieldRule {
        FieldRule {
            category: category.into(),
            demand,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            profile: "pci".into(),
            clause: "10.2.2".into(),
        }
    }

    fn record(severity: u8, event: &str, attributes: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = RecordWriter::new();
        writer.begin(1, 1, &SeverityField::new(severity, ""), None);
        for (key, text) in attributes {
            writer.attribute_str(&KeyField::new(key.as_bytes()), text.as_bytes());
        }
        if !event.is_empty() {
            writer.event_name(event.as_bytes());
        }
        writer.record().to_vec()
    }

    fn chunk(audited: bool, records: &[Vec<u8>]) -> Chunk {
        let mut bytes = vec![SCOPE_MARK, 0, 0, 0, 0];
        for record in records {
            put_bytes(&mut bytes, crate::record::tag::FRAME, record);
        }
        Chunk { bytes, audited, ..Chunk::default() }
    }

    fn counts(fields: &Fields) -> Vec<u64> {
        fields.counts().map(|(_, count)| count).collect()
    }

    #[test]
    fn records_of_a_category_that_lack_or_have_a_field_are_counted() {
        let fields = Fields::new(&[
            rule("audit", Demand::Required, &["user.id", "actor"]),
            rule("audit", Demand::Required, &["event.name"]),
            rule("security", Demand::Required, &["user.id"]),
            rule("business", Demand::Forbidden, &["religion"]),
        ]);
        let business = (CATEGORY, "business");
        fields.look(&chunk(
            true,
            &[
                record(10, "", &[("actor", "ann")]),
                record(10, "login", &[("user.id", "")]),
                record(14, "", &[("user.id", "7")]),
                record(14, "", &[]),
            ],
        ));
        fields.look(&chunk(
            false,
            &[
                // INFO2 of somebody else is no audit record.
                record(10, "", &[]),
                record(9, "", &[business, ("religion", "x")]),
                record(9, "", &[business]),
                record(9, EVENT_NAME, &[business, ("religion", "x")]),
            ],
        ));
        assert_eq!(counts(&fields), [1, 1, 1, 1]);
    }

    #[test]
    fn a_forbidden_field_is_found_in_any_spelling_and_at_any_depth() {
        let fields = Fields::new(&[rule("business", Demand::Forbidden, &["health_data", "user.faith"])]);
        let nested = |write: &dyn Fn(&mut RecordWriter)| {
            let mut writer = RecordWriter::new();
            writer.begin(1, 1, &SeverityField::new(9, ""), None);
            writer.attribute_str(&KeyField::new(CATEGORY.as_bytes()), b"business");
            write(&mut writer);
            writer.record().to_vec()
        };
        let broken =
            ["health_data", "healthData", "Health-Data", "patient.health_data", "user.faith", "UserFaith"];
        let kept = ["health", "health_data_count", "mental_health", "faith", "superuser.faithful"];
        for key in broken.iter().chain(&kept) {
            fields.look(&chunk(
                false,
                &[nested(&|writer| {
                    writer.attribute_str(&KeyField::new(key.as_bytes()), b"x");
                })],
            ));
        }
        assert_eq!(counts(&fields), [broken.len() as u64]);
    }

    #[test]
    fn a_record_that_only_the_console_gets_is_looked_at_too() {
        let fields = Fields::new(&[rule("audit", Demand::Required, &["user.id"])]);
        let meta = |protected| Meta { severity: 10, protected };
        fields.look_at_shown(&record(10, "", &[("user_id", "7")]), meta(true));
        fields.look_at_shown(&record(10, "", &[]), meta(true));
        fields.look_at_shown(&record(10, "", &[]), meta(false));
        assert_eq!(counts(&fields), [1]);
    }

    #[test]
    fn rules_for_audit_and_security_alone_leave_other_chunks_alone() {
        let fields = Fields::new(&[rule("security", Demand::Required, &["user.id"])]);
        fields.look(&chunk(false, &[record(9, "", &[(CATEGORY, "security")])]));
        assert_eq!(counts(&fields), [0]);
    }

    #[test]
    fn a_damaged_chunk_ends_the_walk() {
        let fields = Fields::new(&[rule("audit", Demand::Required, &["user.id"])]);
        let mut whole = chunk(true, &[record(10, "", &[]), record(10, "", &[])]);
        whole.bytes.truncate(whole.bytes.len() - 1);
        fields.look(&whole);
        assert_eq!(counts(&fields), [1]);
        fields.look(&Chunk { bytes: vec![SCOPE_MARK, 0], audited: true, ..Chunk::default() });
    }

    #[test]
    fn it_is_said_once_a_minute_and_again_only_when_there_is_more() {
        let fields = Fields::new(&[rule("audit", Demand::Required, &["user.id", "actor"])]);
        let said = Mutex::new(Vec::new());
        let report = |seconds: u64, taken: bool| {
            fields.report(Duration::from_secs(seconds), |write| {
                let mut writer = RecordWriter::new();
                writer.begin(1, 1, &SeverityField::new(13, "WARN"), None);
                write(&mut writer);
                let view = RecordView::parse(writer.record());
                let number = match view.attributes.get("fapilog.compliance.records") {
                    Some(AnyView::Int(number)) => number,
                    _ => -1,
                };
                assert_eq!(view.event_name, EVENT_NAME);
                assert!(matches!(
                    view.attributes.get("fapilog.compliance.field"),
                    Some(AnyView::Str("user.id|actor"))
                ));
                said.lock().unwrap_or_else(PoisonError::into_inner).push((seconds, number));
                taken
            });
        };
        let one = chunk(true, &[record(10, "", &[])]);
        report(0, true);
        fields.look(&one);
        report(1, false); // The buffer had no room: nothing is lost of it.
        report(2, true);
        fields.look(&one);
        fields.look(&one);
        report(61, true);
        report(62, true);
        report(200, true);
        assert_eq!(*said.lock().unwrap_or_else(PoisonError::into_inner), [(1, 1), (2, 1), (62, 2)]);
    }
}
