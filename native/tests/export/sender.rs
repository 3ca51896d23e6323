//! The sender's loop: every record of every block is accounted for, whatever the endpoint answers.
//!
//! reason: one world of scripted answers and virtual time, for every way in which a request can end.

use crate::sending::{block_of, is_error, numbered_block, request, request_of, retry_settings};
use fapilog_native::block::{Block, Codec};
use fapilog_native::export::flow::{Bounds, Flow};
use fapilog_native::export::http::answer::Answer;
use fapilog_native::export::http::{Reply, Transport};
use fapilog_native::export::pace::Pace;
use fapilog_native::export::sender::{BlockSource, Outcome, Sender, SenderEvent, SenderSettings};
use fapilog_native::ledger::meters::SendMeter;
use fapilog_native::settings::RetrySettings;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const fn seconds(value: u64) -> Duration {
    Duration::from_secs(value)
}

/// What the sender did, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Deed {
    Sent(u64),
    Paused(Duration),
    Settled(u64, Outcome),
    Released(u64),
    Noted(SenderEvent),
}

/// A source and a transport with a clock that only pauses move.
struct World {
    start: Instant,
    elapsed: Mutex<Duration>,
    stop_after: Option<Duration>,
    waiting: Mutex<VecDeque<Block>>,
    answer: Box<dyn Fn(&Block) -> Reply + Send + Sync>,
    pace: Pace,
    took: Duration,
    deeds: Mutex<Vec<Deed>>,
    meter: SendMeter,
}

impl World {
    fn new(blocks: Vec<Block>, answer: impl Fn(&Block) -> Answer + Send + Sync + 'static) -> Self {
        let numbered = blocks.into_iter().zip(0..).map(|(block, sequence)| Block { sequence, ..block });
        Self {
            start: Instant::now(),
            elapsed: Mutex::default(),
            stop_after: None,
            waiting: Mutex::new(numbered.collect()),
            answer: Box::new(move |block| answer(block).into()),
            pace: Pace::new(),
            took: Duration::ZERO,
            deeds: Mutex::default(),
            meter: SendMeter::default(),
        }
    }

    fn scripted(blocks: Vec<Block>, answers: Vec<Answer>) -> Self {
        let answers = Mutex::new(VecDeque::from(answers));
        Self::new(blocks, move |_| answers.lock().unwrap().pop_front().unwrap_or_else(delivered))
    }

    fn did(&self, deed: Deed) {
        let mut deeds = self.deeds.lock().unwrap();
        assert!(deeds.len() < 10_000, "the sender goes round in circles");
        deeds.push(deed);
    }

    fn run(&self, settings: &SenderSettings) -> Vec<Deed> {
        Sender { transport: self, source: self, pace: &self.pace, settings, meter: &self.meter }.run();
        self.deeds.lock().unwrap().clone()
    }
}

impl Transport for World {
    fn send(&self, block: &Block) -> Reply {
        self.did(Deed::Sent(block.records));
        *self.elapsed.lock().unwrap() += self.took;
        (self.answer)(block)
    }
}

impl BlockSource for World {
    fn claim(&self) -> Option<Arc<Block>> {
        self.waiting.lock().unwrap().pop_front().map(Arc::new)
    }

    fn claim_besides(&self) -> Option<Arc<Block>> {
        self.claim()
    }

    fn settle(&self, sequence: u64, outcome: Outcome) {
        self.did(Deed::Settled(sequence, outcome));
    }

    fn release(&self, sequence: u64) {
        self.did(Deed::Released(sequence));
    }

    fn pause(&self, duration: Duration) -> bool {
        self.did(Deed::Paused(duration));
        let mut elapsed = self.elapsed.lock().unwrap();
        *elapsed += duration;
        self.stop_after.is_none_or(|stop| *elapsed < stop)
    }

    fn note(&self, event: SenderEvent) {
        self.did(Deed::Noted(event));
    }

    fn now(&self) -> Instant {
        self.start + *self.elapsed.lock().unwrap()
    }
}

fn settings(retry: RetrySettings) -> SenderSettings {
    SenderSettings { retry, max_request_bytes: 64 * 1024 * 1024, is_protected: is_error, random: || 1.0 }
}

const fn delivered() -> Answer {
    Answer::Delivered { rejected_records: 0, warning: None }
}

fn retry(after: Option<Duration>) -> Answer {
    Answer::Retry { after, cause: "down".into() }
}

fn too_large() -> Answer {
    Answer::TooLarge { cause: "big".into() }
}

fn rejected() -> Answer {
    Answer::Rejected { cause: "no".into() }
}

const fn outcome(delivered: u64, rejected: u64, dropped_max_elapsed: u64) -> Outcome {
    Outcome { delivered, rejected, dropped_max_elapsed }
}

#[test]
fn an_outage_is_retried_with_growing_pauses_and_told_once() {
    let world = World::scripted(vec![numbered_block(3)], vec![retry(None), retry(None), retry(None)]);
    assert_eq!(
        world.run(&settings(retry_settings())),
        [
            Deed::Sent(3),
            Deed::Noted(SenderEvent::Unreachable { cause: "down".into() }),
            Deed::Paused(seconds(1)),
            Deed::Sent(3),
            Deed::Paused(seconds(2)),
            Deed::Sent(3),
            Deed::Paused(seconds(4)),
            Deed::Sent(3),
            Deed::Noted(SenderEvent::Recovered { attempts: 3 }),
            Deed::Settled(0, outcome(3, 0, 0)),
        ]
    );
}

#[test]
fn a_retry_after_is_waited_out() {
    let world = World::scripted(vec![numbered_block(1)], vec![retry(Some(seconds(7)))]);
    assert_eq!(world.run(&settings(retry_settings()))[2], Deed::Paused(seconds(8)));
}

#[test]
fn a_flapping_endpoint_is_told_once_a_minute() {
    let answers = (0..200).map(|number| if number % 2 == 0 { retry(None) } else { delivered() }).collect();
    let world = World::scripted((0..100).map(|_| numbered_block(1)).collect(), answers);
    let deeds = world.run(&settings(retry_settings()));
    let notes = deeds.iter().filter(|deed| matches!(deed, Deed::Noted(_))).count();
    assert_eq!(notes, 4, "100 outages of a second each are two minutes' worth of news: {deeds:?}");
    assert_eq!(deeds.iter().filter(|deed| matches!(deed, Deed::Settled(..))).count(), 100);
}

#[test]
fn a_long_outage_soon_after_a_short_one_is_told_within_a_minute() {
    let mut answers = vec![retry(None), delivered()];
    answers.extend((0..20).map(|_| retry(None)));
    let world = World::scripted(vec![numbered_block(1), numbered_block(1)], answers);
    let notes: Vec<_> = world
        .run(&settings(retry_settings()))
        .into_iter()
        .filter(|deed| matches!(deed, Deed::Noted(_)))
        .collect();
    let unreachable = Deed::Noted(SenderEvent::Unreachable { cause: "down".into() });
    let recovered = |attempts| Deed::Noted(SenderEvent::Recovered { attempts });
    assert_eq!(notes, [unreachable.clone(), recovered(1), unreachable, recovered(20)]);
}

#[test]
fn a_stop_during_a_retry_gives_the_block_back_unsettled() {
    let mut world = World::new(vec![numbered_block(3), numbered_block(2)], |_| retry(None));
    world.stop_after = Some(seconds(2));
    let deeds = world.run(&settings(retry_settings()));
    assert_eq!(deeds.last(), Some(&Deed::Released(0)));
    assert!(!deeds.iter().any(|deed| matches!(deed, Deed::Settled(..))));
}

#[test]
fn a_block_is_dropped_at_the_age_of_max_elapsed() {
    let world = World::new(vec![numbered_block(3)], |_| retry(None));
    let retry = RetrySettings { max_elapsed: Some(seconds(5)), ..retry_settings() };
    let deeds = world.run(&settings(retry));
    assert_eq!(
        deeds[2..],
        [
            Deed::Paused(seconds(1)),
            Deed::Sent(3),
            Deed::Paused(seconds(2)),
            Deed::Sent(3),
            Deed::Paused(seconds(2)),
            Deed::Settled(0, outcome(0, 0, 3)),
            // The endpoint's own backoff of four seconds goes on before the next block is claimed.
            Deed::Paused(seconds(2)),
        ]
    );
}

#[test]
fn a_block_that_is_too_large_is_split_until_it_passes_and_order_is_kept() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let bodies = seen.clone();
    let world = World::new(vec![numbered_block(21)], move |block| {
        if block.records > 3 {
            return too_large();
        }
        let scopes = request_of(block).resource_logs.remove(0).scope_logs.remove(0);
        bodies.lock().unwrap().extend(scopes.log_records);
        delivered()
    });
    let deeds = world.run(&settings(retry_settings()));
    assert_eq!(deeds.last(), Some(&Deed::Settled(0, outcome(21, 0, 0))));
    let whole = request_of(&numbered_block(21)).resource_logs.remove(0).scope_logs.remove(0);
    assert_eq!(*seen.lock().unwrap(), whole.log_records);
    assert!(!deeds.iter().any(|deed| matches!(deed, Deed::Noted(_))), "a split is no news");
}

#[test]
fn a_single_record_that_is_too_large_is_rejected_and_the_others_are_delivered() {
    let mut records: Vec<_> = (0..7).map(|number| (format!("{number}"), 9)).collect();
    records[4].0 = "x".repeat(10_000);
    let world = World::new(vec![block_of(&request(&[("scope".into(), records)]), Codec::Gzip)], |block| {
        if block.raw_bytes > 5_000 {
            too_large()
        } else {
            delivered()
        }
    });
    let deeds = world.run(&settings(retry_settings()));
    assert!(deeds.contains(&Deed::Noted(SenderEvent::Rejected { cause: "big".into(), records: 1 })));
    assert_eq!(deeds.last(), Some(&Deed::Settled(0, outcome(6, 1, 0))));
}

#[test]
fn a_request_beyond_the_own_limit_is_split_before_it_is_sent() {
    let block = numbered_block(16);
    let limit = block.raw_bytes / 2 + 100;
    let world = World::new(vec![block], |_| delivered());
    let settings = SenderSettings { max_request_bytes: limit, ..settings(retry_settings()) };
    assert_eq!(world.run(&settings), [Deed::Sent(8), Deed::Sent(8), Deed::Settled(0, outcome(16, 0, 0))]);
}

#[test]
fn an_empty_block_is_settled_without_a_request() {
    let world = World::new(vec![numbered_block(0)], |_| rejected());
    assert_eq!(world.run(&settings(retry_settings())), [Deed::Settled(0, outcome(0, 0, 0))]);
}

#[test]
fn refusals_are_counted_each_time_and_told_once_a_minute() {
    let world = World::new((0..50).map(|_| numbered_block(2)).collect(), |_| rejected());
    let deeds = world.run(&settings(retry_settings()));
    let notes: Vec<_> = deeds.iter().filter(|deed| matches!(deed, Deed::Noted(_))).collect();
    assert_eq!(notes, [&Deed::Noted(SenderEvent::Rejected { cause: "no".into(), records: 2 })]);
    let settled: Vec<_> = deeds.iter().filter(|deed| matches!(deed, Deed::Settled(..))).cloned().collect();
    assert_eq!(settled, (0..50).map(|number| Deed::Settled(number, outcome(0, 2, 0))).collect::<Vec<_>>());
}

#[test]
fn a_partial_success_is_counted_and_a_server_that_refuses_more_than_it_got_cannot_break_the_sum() {
    let partial =
        |rejected_records| Answer::Delivered { rejected_records, warning: Some("too old".to_owned()) };
    let world = World::scripted(vec![numbered_block(5), numbered_block(5)], vec![partial(2), partial(99)]);
    assert_eq!(
        world.run(&settings(retry_settings())),
        [
            Deed::Sent(5),
            Deed::Noted(SenderEvent::PartialSuccess { rejected: 2, warning: Some("too old".into()) }),
            Deed::Settled(0, outcome(3, 2, 0)),
            Deed::Sent(5),
            Deed::Settled(1, outcome(0, 5, 0)),
        ]
    );
}

const MIB: usize = 1024 * 1024;

/// A world whose sender adapts, alone, and whose first answer showed that requests are slow.
fn slow_world(blocks: Vec<Block>, reply: impl Fn(&Block) -> Reply + Send + Sync + 'static) -> World {
    let timeout = Some(seconds(10));
    let flow = Flow::new(Bounds { in_flight: 1, request_bytes: MIB, timeout });
    World {
        answer: Box::new(reply),
        pace: Pace::following(flow),
        took: seconds(1),
        ..World::new(blocks, |_| delivered())
    }
}

fn sent(deeds: &[Deed]) -> Vec<u64> {
    deeds
        .iter()
        .filter_map(|deed| if let Deed::Sent(records) = deed { Some(*records) } else { None })
        .collect()
}

#[test]
fn waiting_blocks_share_a_request_once_requests_are_slow_and_each_is_settled_with_its_own_records() {
    let whole = request(&[("scope".into(), (0..8).map(|number| (format!("record {number}"), 9)).collect())]);
    let bodies = Mutex::new(Vec::new());
    let bodies = Arc::new(bodies);
    let seen = Arc::clone(&bodies);
    let blocks = [2, 8, 3, 0, 1].map(numbered_block).to_vec();
    let world = slow_world(blocks, move |block| {
        seen.lock().unwrap().push(request_of(block));
        delivered().into()
    });
    let deeds = world.run(&settings(retry_settings()));
    assert_eq!(sent(&deeds), [2, 12]);
    let settled = [2, 8, 3, 0, 1].into_iter().zip(0..);
    let settled: Vec<_> =
        settled.map(|(records, number)| Deed::Settled(number, outcome(records, 0, 0))).collect();
    assert_eq!(
        deeds.into_iter().filter(|deed| matches!(deed, Deed::Settled(..))).collect::<Vec<_>>(),
        settled
    );
    let bodies = bodies.lock().unwrap();
    assert_eq!(bodies[1].resource_logs.len(), 4, "the resource of each block stays with its records");
    assert_eq!(bodies[1].resource_logs[0], whole.resource_logs[0]);
}

#[test]
fn a_quick_receiver_gets_blocks_as_they_were_sealed() {
    let mut world = slow_world([1, 2, 3].map(numbered_block).to_vec(), |_| delivered().into());
    world.took = Duration::from_millis(1);
    assert_eq!(sent(&world.run(&settings(retry_settings()))), [1, 2, 3]);
}

#[test]
fn a_block_that_is_refused_takes_no_other_with_it() {
    let world = slow_world([1, 4, 9, 5, 6].map(numbered_block).to_vec(), |block| {
        if request_of(block)
            .resource_logs
            .iter()
            .any(|resource| resource.scope_logs[0].log_records.len() == 9)
        {
            Answer::Rejected { cause: "no".into() }.into()
        } else {
            delivered().into()
        }
    });
    let deeds = world.run(&settings(retry_settings()));
    assert_eq!(sent(&deeds), [1, 24, 13, 4, 9, 11]);
    let lost: Vec<_> = deeds
        .iter()
        .filter(|deed| matches!(deed, Deed::Settled(_, outcome) if outcome.rejected > 0))
        .collect();
    assert_eq!(lost, [&Deed::Settled(2, outcome(0, 9, 0))]);
}

#[test]
fn records_that_a_partial_success_leaves_out_of_a_shared_request_are_counted_once() {
    let partial = |block: &Block| {
        let rejected_records = if block.records > 1 { 5 } else { 0 };
        Answer::Delivered { rejected_records, warning: None }.into()
    };
    let world = slow_world([1, 4, 3].map(numbered_block).to_vec(), partial);
    let deeds = world.run(&settings(retry_settings()));
    assert_eq!(
        deeds[deeds.len() - 2..],
        [Deed::Settled(1, outcome(0, 4, 0)), Deed::Settled(2, outcome(2, 1, 0))]
    );
    assert_eq!(world.meter.rejections().values().sum::<u64>(), 5);
}

#[test]
fn a_request_without_an_answer_in_time_is_sent_in_parts_and_later_ones_are_small_at_once() {
    // 8,000 records of some 35 bytes; the receiver never answers more than 4,000 in time.
    let world = slow_world(vec![numbered_block(8_000), numbered_block(8_000)], |block| {
        let cause = "slow".into();
        match block.records {
            ..=4_000 => delivered().into(),
            _ => Reply { error: "timeout".into(), ..Answer::Retry { after: None, cause }.into() },
        }
    });
    let deeds = world.run(&settings(retry_settings()));
    assert_eq!(sent(&deeds), [8_000, 4_000, 4_000, 8_000, 4_000, 4_000]);
    assert_eq!(deeds.iter().filter(|deed| matches!(deed, Deed::Settled(..))).count(), 2, "{deeds:?}");
}

#[test]
fn a_size_that_was_refused_is_not_sent_again() {
    let world = slow_world((0..4).map(|_| numbered_block(8_000)).collect(), |block| match block.records {
        ..=4_000 => delivered().into(),
        _ => too_large().into(),
    });
    let deeds = world.run(&settings(retry_settings()));
    assert_eq!(sent(&deeds).into_iter().filter(|records| *records > 4_000).count(), 1, "{deeds:?}");
    assert_eq!(deeds.iter().filter(|deed| matches!(deed, Deed::Settled(..))).count(), 4);
}

#[test]
fn after_a_throttle_requests_keep_a_distance() {
    let answers = Mutex::new(VecDeque::from([
        Reply { status: 429, ..retry(Some(seconds(2))).into() },
        delivered().into(),
        delivered().into(),
    ]));
    let world = World {
        took: Duration::ZERO,
        ..slow_world([1, 1].map(numbered_block).to_vec(), move |_| {
            answers.lock().unwrap().pop_front().unwrap()
        })
    };
    let deeds = world.run(&SenderSettings { random: || 0.0, ..settings(retry_settings()) });
    let pauses: Vec<_> = deeds
        .iter()
        .filter_map(|deed| if let Deed::Paused(pause) = deed { Some(*pause) } else { None })
        .collect();
    assert_eq!(pauses, [seconds(2), Duration::from_millis(20), Duration::from_micros(17_500)]);
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        (0u64..9).prop_map(|rejected_records| Answer::Delivered { rejected_records, warning: None }),
        proptest::option::of(0u64..400).prop_map(|after| retry(after.map(seconds))),
        Just(too_large()),
        Just(rejected()),
    ]
}

proptest! {
    #[test]
    fn every_record_of_a_claimed_block_is_settled_once_or_its_block_is_released(
        records in proptest::collection::vec(0u64..12, 0..6),
        script in proptest::collection::vec(answers(), 0..60),
        stop_after in proptest::option::of(0u64..200),
        max_elapsed in proptest::option::of(0u64..60),
        max_request_bytes in prop_oneof![Just(usize::MAX), 0usize..400],
        adapts in any::<bool>(),
    ) {
        let blocks: Vec<_> = records.iter().map(|records| numbered_block(*records)).collect();
        let mut world = World::scripted(blocks, script);
        if adapts {
            let bounds = Bounds { in_flight: 1, request_bytes: 10_000, timeout: None };
            world.pace = Pace::following(Flow::new(bounds));
            world.took = seconds(1);
        }
        world.stop_after = stop_after.map(seconds);
        let retry = RetrySettings { max_elapsed: max_elapsed.map(seconds), ..retry_settings() };
        let deeds = world.run(&SenderSettings { max_request_bytes, ..settings(retry) });

        let claimed = records.len() - world.waiting.lock().unwrap().len();
        let (mut next, mut rejected) = (0, 0);
        for deed in &deeds {
            match deed {
                Deed::Settled(sequence, outcome) => {
                    prop_assert_eq!(*sequence, next);
                    prop_assert_eq!(outcome.total(), records[next as usize]);
                    next += 1;
                    rejected += outcome.rejected;
                }
                Deed::Released(sequence) => {
                    prop_assert!(stop_after.is_some());
                    prop_assert_eq!(*sequence, next);
                    next += 1;
                }
                _ => {}
            }
        }
        prop_assert_eq!(next as usize, claimed);
        prop_assert_eq!(world.meter.rejections().values().sum::<u64>(), rejected, "each has a cause");
        prop_assert!(stop_after.is_some() || claimed == records.len());
    }
}
