//! Stage 6 of 7, export: the loop of one sender. Threads: sender (several, one `Pace` between them).
//!
//! Claims a block, or several for one request, sends until they are settled, says what became of each record.

use super::bundle::{together, Load, Share, Shares, MOST_BLOCKS};
use super::flow::Heard;
use super::http::answer::Answer;
use super::http::{Reply, Transport};
pub use super::news::{Outcome, Refusal, SenderEvent};
use super::pace::{Pace, Permit, Ticket};
use super::retry;
use crate::block::Block;
use crate::ledger::meters::{Operation, SendMeter};
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

    /// A further block that waits already, to go with the one that was claimed.
    fn claim_besides(&self) -> Option<Arc<Block>> {
        None
    }

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

    /// The endpoint refused a request, or a part of it.
    fn refused(&self, _request: &Block, _refusal: &Refusal<'_>) {}

    /// An attempt failed; no attempt has succeeded for so long.
    fn failing(&self, _for_so_long: Duration) {}

    /// An attempt got an answer that settles a request.
    fn answered(&self) {}

    /// The clock that pauses and ages are measured with.
    fn now(&self) -> Instant {
        Instant::now()
    }
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

/// How the attempts with one request ended.
enum Attempts {
    Answered(Answer),
    Expired,
    Stopped,
    /// Meanwhile the receiver is known to want smaller ones.
    TooMuch,
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
            let claimed = self.with_more(block);
            let goes_on = self.deliver(&claimed);
            self.pace.let_go();
            if !goes_on {
                return;
            }
        }
    }

    /// The claimed block, with those that wait behind it when requests are slow and nobody else may send them.
    fn with_more(&self, block: Arc<Block>) -> Vec<Arc<Block>> {
        let room = self.pace.hold();
        let (mut bytes, mut claimed) = (block.raw_bytes, vec![block]);
        // The next one will be about as large as the last.
        while claimed.len() < MOST_BLOCKS && bytes + claimed.last().map_or(0, |last| last.raw_bytes) <= room {
            let Some(next) = self.source.claim_besides() else { break };
            bytes += next.raw_bytes;
            claimed.push(next);
        }
        claimed
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

    /// Settles every record of `claimed`, or gives back what it did not get to; false when told to stop.
    fn deliver(&self, claimed: &[Arc<Block>]) -> bool {
        let started = self.source.now();
        let mut shares = Shares::new(claimed);
        // A stack whose top is the next request in order; OTLP clients do not send empty ones.
        let mut loads = vec![Load::Blocks(0..claimed.len())];
        let mut goes_on = true;
        while let (true, Some(load)) = (goes_on, loads.pop()) {
            let is_large = load.raw_bytes(claimed) > self.pace.split_above();
            let request =
                if is_large && load.block_halves().is_some() { None } else { self.request(&load, claimed) };
            let Some(request) = request else {
                loads.extend(load.block_halves().into_iter().flatten().rev());
                continue;
            };
            if request.records == 0 {
                continue;
            }
            let parts = if is_large { load.halves(&request, self.settings.is_protected) } else { None };
            match parts {
                Some(parts) => loads.extend(parts.into_iter().rev()),
                None => goes_on = self.settle_load(&load, &request, started, &mut shares, &mut loads),
            }
            self.hand_back(shares.take_decided());
        }
        self.hand_back(shares.take_decided());
        for block in shares.undecided() {
            self.source.release(block.sequence);
        }
        goes_on
    }

    /// What goes over the wire for `load`; `None` when its blocks cannot be put together.
    fn request<'a>(&self, load: &'a Load, claimed: &'a [Arc<Block>]) -> Option<Cow<'a, Block>> {
        match load {
            Load::Part(_, block) => Some(Cow::Borrowed(block)),
            Load::Blocks(places) if places.len() > 1 => {
                let block = together(&claimed[places.clone()])?;
                Some(Cow::Owned(self.transport.prepare(&block).into_owned()))
            }
            Load::Blocks(places) => Some(self.transport.prepare(&claimed[places.start])),
        }
    }

    /// Sends one request and notes what became of its records, or puts the parts that are to be sent in its place onto
    /// `loads`. False when told to stop.
    fn settle_load(
        &self,
        load: &Load,
        request: &Block,
        started: Instant,
        shares: &mut Shares<'_>,
        loads: &mut Vec<Load>,
    ) -> bool {
        let (ended, last) = self.operate(request, started);
        let outcome = match ended {
            Attempts::Stopped => return false,
            Attempts::TooMuch => {
                let halves = load.halves(request, self.settings.is_protected);
                loads
                    .extend(halves.map_or_else(|| vec![load.clone()], |[first, second]| vec![second, first]));
                return true;
            }
            Attempts::Expired => Outcome { dropped_max_elapsed: request.records, ..Outcome::default() },
            Attempts::Answered(Answer::Delivered { rejected_records, warning }) => {
                let outcome = self.accept(request, last.status, rejected_records, warning);
                shares.add(load, outcome, &Cow::Borrowed("rejected"));
                return true;
            }
            Attempts::Answered(Answer::TooLarge { cause }) => {
                if let Some(halves) = load.halves(request, self.settings.is_protected) {
                    loads.extend(halves.into_iter().rev());
                    return true;
                }
                self.reject(request, &last, &cause)
            }
            Attempts::Answered(Answer::Rejected { cause } | Answer::Retry { cause, .. }) => {
                // One block that the receiver refuses must not take others with it.
                if let Some(halves) = load.block_halves() {
                    loads.extend(halves.into_iter().rev());
                    return true;
                }
                self.reject(request, &last, &cause)
            }
        };
        shares.add(load, outcome, &last.error);
        true
    }

    /// Settles blocks that are decided: at once, because a process that is killed meanwhile leaves the others only.
    fn hand_back<'a>(&self, decided: impl IntoIterator<Item = (&'a Arc<Block>, Share)>) {
        for (block, share) in decided {
            for (error, records) in share.rejected {
                self.meter.rejected(error, records);
            }
            self.source.settle(block.sequence, share.outcome);
        }
    }

    fn accept(&self, request: &Block, status: u16, rejected: u64, warning: Option<String>) -> Outcome {
        let records = request.records;
        // A server may claim to have refused more than it was sent.
        let rejected = rejected.min(records);
        if rejected > 0 {
            let cause = warning.as_deref().unwrap_or_default();
            self.source.refused(request, &Refusal { status, error: "rejected", cause, rejected });
        }
        if rejected > 0 || warning.is_some() {
            if let Some(rejected) = self.pace.note_partial(self.source.now(), rejected) {
                self.source.note(SenderEvent::PartialSuccess { rejected, warning });
            }
        }
        Outcome { delivered: records - rejected, rejected, ..Outcome::default() }
    }

    fn reject(&self, request: &Block, last: &Last, cause: &str) -> Outcome {
        let records = request.records;
        let refusal = Refusal { status: last.status, error: &last.error, cause, rejected: records };
        self.source.refused(request, &refusal);
        if let Some(records) = self.pace.note_rejected(self.source.now(), records) {
            self.source.note(SenderEvent::Rejected { cause: cause.to_owned(), records });
        }
        Outcome { rejected: records, ..Outcome::default() }
    }

    /// All attempts with one request, metered; with how the last one went.
    fn operate(&self, request: &Block, started: Instant) -> (Attempts, Last) {
        let begun = self.source.now();
        let mut last = Last { status: 0, error: Cow::Borrowed("") };
        let ended = self.send(request, started, &mut last);
        // A request that is cut in two goes on as its halves.
        if !matches!(ended, Attempts::Stopped | Attempts::TooMuch) {
            let duration = self.source.now().saturating_duration_since(begun);
            let (status, error, records) = (last.status, last.error.clone(), request.records);
            self.meter.finished(Operation { duration, status, error, records });
        }
        (ended, last)
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
            if attempt > 0 && request.records > 1 && request.raw_bytes > self.pace.split_above() {
                return Attempts::TooMuch;
            }
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
        let heard = heard(&answer, status, &error, headers_refused);
        self.pace.learn(&ticket, heard, request.raw_bytes, self.source.now());
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
                self.source.answered();
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
        self.source.failing(self.pace.failing_for(self.source.now()));
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

/// What an answer says about how much the receiver bears.
fn heard(answer: &Answer, status: u16, error: &str, headers_refused: bool) -> Heard {
    match answer {
        Answer::Delivered { .. } => Heard::Taken,
        Answer::TooLarge { .. } => Heard::TooLarge,
        _ if headers_refused => Heard::Nothing,
        // "At once" names no pause.
        Answer::Retry { after: Some(pause), .. } if !pause.is_zero() => Heard::Throttled(Some(*pause)),
        Answer::Retry { .. } => match (status, error) {
            (429, _) => Heard::Throttled(None),
            (503, _) => Heard::Unavailable,
            (504, _) | (_, "timeout") => Heard::TimedOut,
            _ => Heard::Nothing,
        },
        Answer::Rejected { .. } => Heard::Nothing,
    }
}
