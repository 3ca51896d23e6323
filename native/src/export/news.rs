//! Stage 6 of 7, export: what a sender says: what became of records, and what people should hear of. Thread: sender.

/// What became of the records of one block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Taken by the server.
    pub delivered: u64,
    /// Refused by the server for good, or larger than it takes.
    pub rejected: u64,
    /// Given up after `RetrySettings::max_elapsed`.
    pub dropped_max_elapsed: u64,
}

impl Outcome {
    /// All records that the outcome accounts for.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.delivered + self.rejected + self.dropped_max_elapsed
    }
}

/// Why records of a request are not delivered.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'a> {
    /// Status of the answer; 0: there was none.
    pub status: u16,
    /// The kind of failure.
    pub error: &'a str,
    /// What the endpoint says.
    pub cause: &'a str,
    /// Records of the request that it refused.
    pub rejected: u64,
}

/// News for people. Each kind comes at most once a minute per exporter, `Recovered` only after one of the first two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderEvent {
    /// The endpoint does not take requests for now; records wait.
    Unreachable {
        /// Why the latest attempt failed.
        cause: String,
    },
    /// As `Unreachable`: it refuses the credentials, and somebody is asked for new ones.
    CredentialsRefused {
        /// Why the latest attempt failed.
        cause: String,
    },
    /// It takes requests again.
    Recovered {
        /// Attempts that had failed.
        attempts: u32,
    },
    /// The endpoint refused requests for good.
    Rejected {
        /// Why the latest one was refused.
        cause: String,
        /// Records refused this way since the last such event.
        records: u64,
    },
    /// The endpoint took requests without some of their records, or with a warning.
    PartialSuccess {
        /// Records left out since the last such event; 0 when it only warned.
        rejected: u64,
        /// What the endpoint said.
        warning: Option<String>,
    },
}
