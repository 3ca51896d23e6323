//! When the senders of one exporter may send: backoff, throttles and probes shared by several threads.

use crate::sending::{is_error, numbered_block, retry_settings};
use fapilog_native::block::Block;
use fapilog_native::export::http::answer::Answer;
use fapilog_native::export::http::{Reply, Transport};
use fapilog_native::export::pace::{Pace, Permit, Ticket};
use fapilog_native::export::sender::{BlockSource, Outcome, Sender, SenderEvent, SenderSettings};
use fapilog_native::ledger::meters::SendMeter;
use fapilog_native::settings::RetrySettings;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::time::{Duration, Instant};

const fn seconds(value: u64) -> Duration {
    Duration::from_secs(value)
}

fn ticket(pace: &Pace, now: Instant) -> Ticket {
    match pace.enter(now) {
        Permit::Go(ticket) => ticket,
        Permit::Wait(wait) => panic!("had to wait {wait:?}"),
    }
}

fn wait(pace: &Pace, now: Instant) -> Duration {
    match pace.enter(now) {
        Permit::Wait(wait) => wait,
        Permit::Go(ticket) => panic!("got {ticket:?}"),
    }
}

#[test]
fn attempts_that_fail_together_count_as_one_failure() {
    let (pace, now, retry) = (Pace::new(), Instant::now(), retry_settings());
    let tickets: Vec<_> = (0..4).map(|_| ticket(&pace, now)).collect();
    let told: Vec<_> =
        tickets.into_iter().map(|ticket| pace.failed(ticket, None, now, &retry, 1.0)).collect();
    assert_eq!(told, [true, false, false, false]);
    assert_eq!(wait(&pace, now), seconds(1));
}

#[test]
fn a_failing_endpoint_is_probed_by_one_sender_at_a_time_until_it_answers() {
    let (pace, start, retry) = (Pace::new(), Instant::now(), retry_settings());
    assert!(pace.failed(ticket(&pace, start), None, start, &retry, 1.0));
    let later = start + seconds(1);
    let probe = ticket(&pace, later);
    assert_eq!(wait(&pace, later), Duration::from_millis(100));
    assert_eq!(pace.closed_for(later), Some(Duration::from_millis(100)));
    assert!(!pace.failed(probe, None, later, &retry, 1.0));
    assert_eq!(wait(&pace, later), seconds(2));
    let probe = ticket(&pace, later + seconds(2));
    assert_eq!(pace.answered(probe), Some(2));
    let together = [ticket(&pace, later), ticket(&pace, later)];
    assert_eq!(together.map(|ticket| pace.answered(ticket)), [None, None]);
}

#[test]
fn a_throttle_pauses_all_senders_and_an_older_success_does_not_lift_it() {
    let (pace, now, retry) = (Pace::new(), Instant::now(), retry_settings());
    let (throttled, older) = (ticket(&pace, now), ticket(&pace, now));
    assert!(pace.failed(throttled, Some(seconds(20)), now, &retry, 0.0));
    assert_eq!(pace.answered(older), None);
    assert_eq!(wait(&pace, now), seconds(20));
    assert_eq!(pace.closed_for(now + seconds(20)), None);
}

#[test]
fn a_later_throttle_of_an_older_attempt_still_lengthens_the_pause() {
    let (pace, now, retry) = (Pace::new(), Instant::now(), retry_settings());
    let (first, second) = (ticket(&pace, now), ticket(&pace, now));
    assert!(pace.failed(first, None, now, &retry, 1.0));
    assert!(!pace.failed(second, Some(seconds(20)), now, &retry, 0.0));
    assert_eq!(wait(&pace, now), seconds(20));
}

/// A source for real threads: its pauses wait on a condition that nobody signals before the stop.
struct Shared {
    waiting: Mutex<VecDeque<Arc<Block>>>,
    settled: Mutex<Vec<(u64, Outcome)>>,
    stop: (Mutex<bool>, Condvar),
}

impl BlockSource for Shared {
    fn claim(&self) -> Option<Arc<Block>> {
        self.waiting.lock().unwrap().pop_front()
    }
    fn settle(&self, sequence: u64, outcome: Outcome) {
        self.settled.lock().unwrap().push((sequence, outcome));
    }
    fn release(&self, sequence: u64) {
        panic!("block {sequence} came back although nobody stopped");
    }
    fn pause(&self, duration: Duration) -> bool {
        let stopped = self.stop.0.lock().unwrap();
        !*self.stop.1.wait_timeout(stopped, duration).unwrap().0
    }
    fn note(&self, _: SenderEvent) {}
}

/// Fails the first `failing` attempts; the first four start together.
struct Outage {
    failing: usize,
    calls: AtomicUsize,
    probes: AtomicUsize,
    most_probes: AtomicUsize,
    together: Barrier,
}

impl Transport for Outage {
    fn send(&self, _: &Block) -> Reply {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if call < 4 {
            self.together.wait();
        } else if call < self.failing {
            let probes = self.probes.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_probes.fetch_max(probes, Ordering::SeqCst);
            std::thread::yield_now();
            self.probes.fetch_sub(1, Ordering::SeqCst);
        }
        if call < self.failing {
            Answer::Retry { after: None, cause: "down".into() }.into()
        } else {
            Answer::Delivered { rejected_records: 0, warning: None }.into()
        }
    }
}

#[test]
fn four_threads_do_not_hammer_a_dead_endpoint_and_all_go_on_when_it_is_back() {
    let transport = Outage {
        failing: 40,
        calls: AtomicUsize::new(0),
        probes: AtomicUsize::new(0),
        most_probes: AtomicUsize::new(0),
        together: Barrier::new(4),
    };
    let blocks = (0..100).map(|sequence| Arc::new(Block { sequence, ..numbered_block(2) })).collect();
    let source = Shared { waiting: Mutex::new(blocks), settled: Mutex::default(), stop: Default::default() };
    let millis = Duration::from_millis;
    let retry = RetrySettings { initial_backoff: millis(1), max_backoff: millis(2), ..retry_settings() };
    let max_request_bytes = usize::MAX;
    let settings = SenderSettings { retry, max_request_bytes, is_protected: is_error, random: || 1.0 };
    let (pace, meter) = (Pace::new(), SendMeter::default());
    let delivered = Outcome { delivered: 2, ..Outcome::default() };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let sender = Sender {
                    transport: &transport,
                    source: &source,
                    pace: &pace,
                    settings: &settings,
                    meter: &meter,
                };
                sender.run();
            });
        }
    });
    let mut settled = source.settled.lock().unwrap().clone();
    settled.sort_by_key(|(sequence, _)| *sequence);
    assert_eq!(settled, (0..100).map(|sequence| (sequence, delivered)).collect::<Vec<_>>());
    assert_eq!(transport.calls.load(Ordering::SeqCst), 140);
    assert_eq!(transport.most_probes.load(Ordering::SeqCst), 1);
}
