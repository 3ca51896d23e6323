//! Stage 7 of 7, settle: one record that says what was lost, when pressure ends. Thread: sender.
//!
//! A gap must be visible where the logs are read, not only in the ledger: so the first block that settles after
//! the buffer has room again is followed by one WARN record of scope `fapilog` with the counts since the last one.

use crate::ledger::{DropReason, Drops};
use crate::record::fields::{KeyField, SeverityField};
use crate::record::{Meta, RecordWriter};
use crate::scopes::Scope;
use std::sync::Mutex;

/// Scope of the record.
pub const SCOPE: &str = "fapilog";
/// Its event name.
pub const EVENT_NAME: &str = "fapilog.records_lost";
const BODY: &str = "records were lost while the buffer was full";
/// Reasons that pressure causes; a shutdown or an expired block has its own line elsewhere.
const REASONS: [(&str, DropReason); 4] = [
    ("overflow_oldest", DropReason::OverflowOldest),
    ("overflow_newest", DropReason::OverflowNewest),
    ("wait_timeout", DropReason::WaitTimeout),
    ("not_awaited", DropReason::NotAwaited),
];

/// Losses by reason, shed records first.
type Counts = [u64; REASONS.len() + 1];

/// What the ledger knows of losses at one moment; cheap to read, because it is read with every settled block.
#[derive(Debug)]
pub struct Lost {
    /// Records that the severity floor refused.
    pub shed: u64,
    /// Each exporter's drops, those on the way to it included.
    pub dropped: Vec<Drops>,
}

/// What was reported so far.
#[derive(Debug, Default)]
pub struct Losses {
    reported: Mutex<Counts>,
}

impl Losses {
    /// Logs, through `log`, what was lost since the last report, if anything was; `log` answers whether the buffer
    /// took the record.
    pub fn report(&self, lost: &Lost, log: impl FnOnce(&Scope, &dyn Fn(&mut RecordWriter)) -> bool) {
        // Two senders may come here together; the second one has nothing to add.
        let Ok(mut reported) = self.reported.try_lock() else { return };
        let now = counts(lost);
        let new: Vec<u64> =
            now.iter().zip(*reported).map(|(now, before)| now.saturating_sub(before)).collect();
        let scope = Scope { name: SCOPE.to_owned(), ..Scope::default() };
        if new.iter().any(|count| *count > 0) && log(&scope, &|writer| write(writer, &new)) {
            *reported = now;
        }
    }
}

/// Facts of the record: shedding spares it.
pub const META: Meta = Meta { severity: 13, protected: true };
/// Its severity, encoded.
pub const SEVERITY: SeverityField = SeverityField::new(13, "WARN");

/// By the exporter that lost most: what is dropped for three exporters is one record all the same.
fn counts(lost: &Lost) -> Counts {
    let mut counts = Counts::default();
    counts[0] = lost.shed;
    for (count, (_, reason)) in counts[1..].iter_mut().zip(REASONS) {
        *count = lost.dropped.iter().map(|dropped| dropped.get(reason)).max().unwrap_or(0);
    }
    counts
}

fn write(writer: &mut RecordWriter, new: &[u64]) {
    writer.body_str(BODY.as_bytes());
    let names = std::iter::once("shed").chain(REASONS.iter().map(|(name, _)| *name));
    for (name, count) in names.zip(new).filter(|(_, count)| **count > 0) {
        let key = KeyField::new(format!("fapilog.lost.{name}").as_bytes());
        writer.attribute_int(&key, i64::try_from(*count).unwrap_or(i64::MAX));
    }
    writer.event_name(EVENT_NAME.as_bytes());
}
