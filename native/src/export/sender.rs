//! Stage 6 of 7, export: the loop of one sender. Threads: sender (several, one `Pace` between them).
//!
//! Claims a block, sends it until it is settled, says what became of each record.

use super::answer::Answer;
use super::http::{Reply, Transport};
use super::pace::{Pace, Permit, Ticket};
use super::{retry, split};
use crate::block::Block;
use crate::meters::{Operation, SendMeter};
use crate::settings::{OtlpSettings, RetrySettings};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a sender looks whether its transport has become ready.
const READY_POLL: Duration = Duration::from_millis(20);

/// Where blocks come from and where their fate is recorded.
pub trait BlockSource: Send + Sync {
    /// The next block to send, waiting for one; `None` stops the sender.
    fn claim(&self) -> Option<Arc<Block>>;

    /// The claimed block is done with; `outcome.total()` is its number of records.
    fn settle(&self, sequence: u64, outcome: Outcome);

    /// The claimed block goes back unsent, because the sender stops. Of a block that had been split, a part
    /// may have been delivered already; it counts as pending all the same (delivery is at least once).
    fn release(&self, sequence: u64);

    /// Waits; `false` means stop now, at once when that is known already.
    fn pause(&self, duration: Duration) -> bool;

    /// Something that people should hear of; rare by construction.
    fn note(&self, event: SenderEvent);

    /// The endpoint refused the request's headers, and somebody else can renew them.
    fn headers_refused(&self) {}

    /// The clock that pauses and ages are measured with.
    fn now(&self) -> Instant {
        Instant::now()
    }
}

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

/// What a sender needs to know beyond its transport.
#[derive(Debug, Clone)]
pub struct SenderSettings {
    /// How failed attempts are repeated.
    pub retry: RetrySettings,
    /// Largest request before compression, in bytes; larger blocks are split before they are sent.
    pub max_request_bytes: usize,
    /// Whether shedding must spare an encoded `LogRecord`: recounted when a block is split.
    pub is_protected: fn(&[u8]) -> bool,
    /// Uniform in 0..1, for the jitter.
    pub random: fn() -> f64,
}

impl SenderSettings {
    /// The sender's part of the exporter's settings.
    #[must_use]
    pub fn new(settings: &OtlpSettings, is_protected: fn(&[u8]) -> bool) -> Self {
        Self {
            retry: settings.retry.clone(),
            max_request_bytes: settings.max_request_bytes,
            is_protected,
            random: fastrand::f64,
        }
    }
}

/// One sender thread's view of its exporter.
pub struct Sender<'a> {
    /// How blocks are sent.
    pub transport: &'a dyn Transport,
    /// Where they come from.
    pub source: &'a dyn BlockSource,
    /// Shared with the other senders of this exporter.
    pub pace: &'a Pace,
    /// Limits and retries.
    pub settings: &'a SenderSettings,
    /// What it costs.
    pub meter: &'a SendMeter,
}

/// How the last attempt with one request went.
struct Last {
    status: u16,
    error: Cow<'static, str>,
}

/// What becomes of a block, request by request.
#[derive(Default)]
struct Tally {
    outcome: Outcome,
    /// Rejected records by the kind of failure.
    rejected: Vec<(Cow<'static, str>, u64)>,
}

/// How the attempts with one request ended.
enum Attempts {
    Answered(Answer),
    Expired,
    Stopped,
}

/// How a wait ended.
enum Waited {
    Enough,
    /// The block is as old as `max_elapsed`.
    Expired,
    Stopped,
}

impl Sender<'_> {
    /// Sends until the source has no more or says stop.
    pub fn run(&self) {
        while self.wait_until_open() {
            let Some(block) = self.source.claim() else { return };
            let Some(outcome) = self.deliver(&block) else {
                self.source.release(block.sequence);
                return;
            };
            self.source.settle(block.sequence, outcome);
        }
    }

    /// While the endpoint fails, blocks stay in the backlog, where shedding can still choose among them.
    fn wait_until_open(&self) -> bool {
        while !self.transport.is_ready(self.source.now()) {
            if !self.source.pause(READY_POLL) {
                return false;
            }
        }
        while let Some(wait) = self.pace.closed_for(self.source.now()) {
            if !self.source.pause(wait) {
                return false;
            }
        }
        true
    }

    /// Settles every record of `block`; `None` when told to stop before that.
    fn deliver(&self, block: &Block) -> Option<Outcome> {
        let started = self.source.now();
        let mut tally = Tally::default();
        // A stack whose top is the next request in order; OTLP clients do not send empty ones.
        let mut requests = Vec::new();
        if block.records > 0 {
            requests.push(self.transport.prepare(block));
        }
        while let Some(request) = requests.pop() {
            let records = request.records;
            let (ended, error) = self.operate(&request, started);
            match ended {
                Attempts::Stopped => return None,
                Attempts::Expired => tally.outcome.dropped_max_elapsed += records,
                Attempts::Answered(Answer::TooLarge { cause }) => {
                    match split::split(&request, self.settings.is_protected) {
                        Some((first, second)) => requests.extend([Cow::Owned(second), Cow::Owned(first)]),
                        None => self.reject(&mut tally, records, error, cause),
                    }
                }
                Attempts::Answered(Answer::Delivered { rejected_records, warning }) => {
                    self.accept(&mut tally, records, rejected_records, warning);
                }
                Attempts::Answered(Answer::Rejected { cause } | Answer::Retry { cause, .. }) => {
                    self.reject(&mut tally, records, error, cause);
                }
            }
        }
        for (error, records) in tally.rejected {
            self.meter.rejected(error, records);
        }
        Some(tally.outcome)
    }

    fn accept(&self, tally: &mut Tally, records: u64, rejected: u64, warning: Option<String>) {
        // A server may claim to have refused more than it was sent.
        let rejected = rejected.min(records);
        tally.outcome.rejected += rejected;
        tally.outcome.delivered += records - rejected;
        if rejected == 0 && warning.is_none() {
            return;
        }
        tally.rejected.push((Cow::Borrowed("rejected"), rejected));
        if let Some(rejected) = self.pace.note_partial(self.source.now(), rejected) {
            self.source.note(SenderEvent::PartialSuccess { rejected, warning });
        }
    }

    fn reject(&self, tally: &mut Tally, records: u64, error: Cow<'static, str>, cause: String) {
        tally.outcome.rejected += records;
        tally.rejected.push((error, records));
        if let Some(records) = self.pace.note_rejected(self.source.now(), records) {
            self.source.note(SenderEvent::Rejected { cause, records });
        }
    }

    /// All attempts with one request, metered; with the kind of failure that the last one met.
    fn operate(&self, request: &Block, started: Instant) -> (Attempts, Cow<'static, str>) {
        let begun = self.source.now();
        let mut last = Last { status: 0, error: Cow::Borrowed("") };
        let ended = self.send(request, started, &mut last);
        let Last { status, error } = last;
        if matches!(ended, Attempts::Answered(_) | Attempts::Expired) {
            let duration = self.source.now().saturating_duration_since(begun);
            let (error, records) = (error.clone(), request.records);
            self.meter.finished(Operation { duration, status, error, records });
        }
        (ended, error)
    }

    /// Attempts until there is an answer that settles the request.
    fn send(&self, request: &Block, started: Instant, last: &mut Last) -> Attempts {
        let limit = self.settings.max_request_bytes;
        if request.raw_bytes > limit {
            let size = request.raw_bytes;
            let cause = format!("the request has {size} bytes, the exporter sends {limit} at most");
            last.error = Cow::Borrowed("request_too_large");
            return Attempts::Answered(Answer::TooLarge { cause });
        }
        let mut attempt = 0;
        loop {
            let now = self.source.now();
            let permit =
                if self.transport.is_ready(now) { self.pace.enter(now) } else { Permit::Wait(READY_POLL) };
            let wait = match permit {
                Permit::Wait(wait) => wait,
                Permit::Go(ticket) => match self.attempt(request, ticket, attempt, last) {
                    Ok(answer) => return Attempts::Answered(answer),
                    Err((wait, next)) => {
                        attempt = next;
                        wait
                    }
                },
            };
            match self.wait(wait, started) {
                Waited::Enough => {}
                Waited::Expired => return Attempts::Expired,
                Waited::Stopped => return Attempts::Stopped,
            }
        }
    }

    /// One attempt, reported to the pace: an answer that settles, or this request's own pause and the number of
    /// its next failure. The pause is its own so that one request that always fails does not slow the others.
    fn attempt(
        &self,
        request: &Block,
        ticket: Ticket,
        attempt: u32,
        last: &mut Last,
    ) -> Result<Answer, (Duration, u32)> {
        let Reply { answer, status, error, headers_refused } =
            self.meter.time(|| self.transport.send(request));
        *last = Last { status, error };
        if headers_refused {
            self.source.headers_refused();
        }
        let (after, cause) = match answer {
            Answer::Retry { after, cause } => (after, cause),
            answer => {
                if let Some(attempts) = self.pace.answered(ticket) {
                    self.source.note(SenderEvent::Recovered { attempts });
                }
                return Ok(answer);
            }
        };
        let settings = &self.settings.retry;
        let random = (self.settings.random)();
        if self.pace.failed(ticket, after, self.source.now(), settings, random) {
            self.source.note(if headers_refused {
                SenderEvent::CredentialsRefused { cause }
            } else {
                SenderEvent::Unreachable { cause }
            });
        }
        let wait = retry::pause(attempt, after, settings, random);
        Err((wait, retry::next_attempt(attempt, after, settings)))
    }

    /// Waits, but not beyond the age at which the block is given up.
    fn wait(&self, wait: Duration, started: Instant) -> Waited {
        let age = self.source.now().saturating_duration_since(started);
        let left = self.settings.retry.max_elapsed.map(|limit| limit.saturating_sub(age));
        match left {
            Some(left) if left.is_zero() => Waited::Expired,
            _ if self.source.pause(left.map_or(wait, |left| left.min(wait))) => Waited::Enough,
            _ => Waited::Stopped,
        }
    }
}
