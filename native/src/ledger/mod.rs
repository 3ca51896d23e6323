//! Stage 7 of 7, settle: what became of every record. Threads: all; a snapshot is taken under the locks it needs.
//!
//! Two equations hold in every snapshot:
//!
//! * offered = filtered + refused{reason} + accepted
//! * accepted + adopted = delivered + rejected + dropped{reason} + pending, for every exporter
//!
//! `pending` is counted where the records lie (chunks, blocks), not computed from the other terms: so the second
//! equation is a check, and the tests use it as one.
//!
//! In this room: [`emit_counts`] for stage 1, [`losses`] tells the receiver what was lost, [`meters`] and [`notices`] tell the operator.

pub mod emit_counts;
pub mod losses;
pub mod meters;
pub mod notices;

/// Why a record was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Refusal {
    /// The buffer was under pressure and the severity below its floor.
    Shed,
    /// Logged after `shutdown`.
    ShutDown,
    /// Capture failed; the fault itself is reported through `on_error`.
    CaptureFailed,
    /// Outside of the sample.
    Sampled,
    /// Its template had no token left.
    RateLimited,
    /// A later repeat within the window stands for it.
    Deduplicated,
    /// Its template was logged before.
    Repeated,
    /// A rule of redaction wants such records to go no further.
    Redacted,
}

/// Why an accepted record was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum DropReason {
    /// The buffer was full and the oldest records made room.
    OverflowOldest,
    /// The buffer was full and the record being logged was dropped.
    OverflowNewest,
    /// The buffer was full until the record's deadline.
    WaitTimeout,
    /// The buffer was full, nobody waits for the record any more, and such records fill a chunk already.
    NotAwaited,
    /// Delivery did not succeed within the longest age.
    Expired,
    /// Still undelivered when the deadline of `shutdown` passed.
    Shutdown,
    /// A batch processor left it out.
    Processed,
    /// An exporter could not put it into its own format.
    EncodeFailed,
    /// Its bytes on disk were damaged, or could not be read.
    Damaged,
    /// A best-effort exporter was behind.
    BestEffort,
    /// Its fallback got it instead.
    Diverted,
    /// The exporter's own redaction policy leaves it out.
    Withheld,
    /// The exporter's own redaction policy could not be applied to it.
    Unredacted,
}

impl DropReason {
    /// Every reason, in order.
    pub const ALL: [Self; DROPS.len()] = [
        Self::OverflowOldest,
        Self::OverflowNewest,
        Self::WaitTimeout,
        Self::NotAwaited,
        Self::Expired,
        Self::Shutdown,
        Self::Processed,
        Self::EncodeFailed,
        Self::Damaged,
        Self::BestEffort,
        Self::Diverted,
        Self::Withheld,
        Self::Unredacted,
    ];

    /// The reason called `name` in [`DROPS`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        DROPS.iter().zip(Self::ALL).find(|(known, _)| **known == name).map(|(_, reason)| reason)
    }
}

/// The names of [`Refusal`], in order.
pub const REFUSALS: [&str; 8] = [
    "shed",
    "shut_down",
    "capture_failed",
    "sampled",
    "rate_limited",
    "deduplicated",
    "repeated",
    "redacted",
];
/// The names of [`DropReason`], in order.
pub const DROPS: [&str; 13] = [
    "overflow_oldest",
    "overflow_newest",
    "wait_timeout",
    "not_awaited",
    "expired",
    "shutdown",
    "processed",
    "encode_failed",
    "damaged",
    "best_effort",
    "diverted",
    "withheld",
    "unredacted",
];

/// Records lost by one exporter, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drops([u64; DROPS.len()]);

impl Drops {
    /// Adds `records` to `reason`.
    pub fn add(&mut self, reason: DropReason, records: u64) {
        self.0[reason as usize] = self.0[reason as usize].saturating_add(records);
    }

    /// Puts `records` in the place of what was counted for `reason`.
    pub fn set(&mut self, reason: DropReason, records: u64) {
        self.0[reason as usize] = records;
    }

    /// Records lost for `reason`.
    #[must_use]
    pub fn get(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// Counts with their names, in the order of [`DROPS`].
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        DROPS.iter().copied().zip(self.0)
    }

    /// Adds every count of `other`.
    pub fn merge(&mut self, other: &Self) {
        for reason in DropReason::ALL {
            self.add(reason, other.get(reason));
        }
    }

    /// Sum over all reasons.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// What became of a block, or of a part of it, at one exporter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settlement {
    /// Acknowledged records.
    pub delivered: u64,
    /// Records the receiver refused for good.
    pub rejected: u64,
    /// Records given up.
    pub dropped: Drops,
}

impl Settlement {
    /// Records this settlement decides.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.delivered.saturating_add(self.rejected).saturating_add(self.dropped.total())
    }

    /// The part that a block with `left` undecided records can take, so that no record is decided twice.
    #[must_use]
    pub fn at_most(self, mut left: u64) -> Self {
        let mut take = |records: u64| {
            let taken = records.min(left);
            left -= taken;
            taken
        };
        let (delivered, rejected) = (take(self.delivered), take(self.rejected));
        let mut dropped = Drops::default();
        for reason in DropReason::ALL {
            dropped.add(reason, take(self.dropped.get(reason)));
        }
        Self { delivered, rejected, dropped }
    }
}

/// One exporter's side of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExporterCounts {
    /// Exporter name, such as `otlp`.
    pub name: String,
    /// Of a fallback: records that other exporters handed over, which are all that it answers for.
    pub handed_over: Option<u64>,
    /// Records this exporter answers for.
    pub accepted: u64,
    /// Taken over from other processes, for this exporter.
    pub adopted: u64,
    /// Acknowledged by the receiver.
    pub delivered: u64,
    /// Refused by the receiver for good.
    pub rejected: u64,
    /// Lost, by reason.
    pub dropped: Drops,
    /// Held in memory or on disk, undecided.
    pub pending: u64,
    /// Of these, records in a block that the exporter works on.
    pub in_flight: u64,
    /// Of the pending ones, records in blocks on disk: they survive this process.
    pub spooled: u64,
    /// Of the pending ones, those in memory that a crash ring keeps for the next process.
    pub kept: u64,
}

impl ExporterCounts {
    /// Pending records that do not survive this process.
    #[must_use]
    pub const fn unsafe_records(&self) -> u64 {
        self.pending.saturating_sub(self.spooled + self.kept)
    }
}

/// Every term of both equations at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Calls that reached the logger.
    pub offered: u64,
    /// Below the logger's level.
    pub filtered: u64,
    /// Not accepted, by reason, in the order of [`REFUSALS`].
    pub refused: [u64; REFUSALS.len()],
    /// Past stage 3.
    pub accepted: u64,
    /// Records taken over from other processes, whoever they were for.
    pub adopted: u64,
    /// One entry per exporter.
    pub exporters: Vec<ExporterCounts>,
}
