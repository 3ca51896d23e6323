//! How requests follow the receiver: bounds, yielding, recovery, and where it settles.
#![allow(clippy::cast_precision_loss)] // Rates are small.

use fapilog_native::export::flow::{Bounds, Flow, LARGEST_GAP, RECOVERY, SMALLEST_REQUEST_BYTES};
use proptest::prelude::*;
use std::time::{Duration, Instant};

const MIB: usize = 1024 * 1024;
const BOUNDS: Bounds =
    Bounds { in_flight: 4, request_bytes: 4 * MIB, timeout: Some(Duration::from_secs(10)) };

const fn millis(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// Everything that a flow decides.
fn state(flow: &Flow) -> (usize, Duration, usize) {
    (flow.limit(), flow.gap(), flow.request_bytes())
}

fn answered(flow: &mut Flow, times: usize, took: Duration, bytes: usize, now: Instant) {
    for _ in 0..times {
        let cuts = flow.cuts();
        flow.taken(cuts, took, bytes, now);
    }
}

#[test]
fn it_starts_as_fast_as_its_bounds_allow() {
    assert_eq!(state(&Flow::new(BOUNDS)), (4, Duration::ZERO, 4 * MIB));
    let nothing = Bounds { in_flight: 0, request_bytes: 0, timeout: None };
    assert_eq!(state(&Flow::new(nothing)), (1, Duration::ZERO, 0));
}

#[test]
fn a_throttle_halves_the_requests_at_once_and_parts_them_and_counts_once_for_all_that_were_under_way() {
    let (mut flow, now) = (Flow::new(BOUNDS), Instant::now());
    let before = flow.cuts();
    for _ in 0..4 {
        flow.throttled(before, None, now);
    }
    assert_eq!(state(&flow), (2, millis(20), 4 * MIB));
    flow.throttled(flow.cuts(), None, now);
    assert_eq!(
        state(&flow),
        (1, millis(20), 4 * MIB),
        "nothing was taken meanwhile: its own pauses are enough"
    );
    answered(&mut flow, 1, millis(1), MIB, now);
    flow.throttled(flow.cuts(), None, now);
    assert_eq!(state(&flow), (1, millis(35), 4 * MIB));
    assert_eq!(flow.wait(now), millis(35));
}

#[test]
fn a_request_that_began_before_a_cut_does_not_take_it_back() {
    let (mut flow, now) = (Flow::new(BOUNDS), Instant::now());
    let before = flow.cuts();
    flow.throttled(before, None, now);
    let cut = state(&flow);
    for _ in 0..100 {
        flow.taken(before, millis(1), MIB, now);
    }
    assert_eq!(state(&flow), cut);
}

#[test]
fn good_answers_bring_back_all_requests_at_once_without_a_gap() {
    let (mut flow, now) = (Flow::new(BOUNDS), Instant::now());
    for _ in 0..5 {
        answered(&mut flow, 1, millis(1), MIB, now);
        flow.throttled(flow.cuts(), None, now);
    }
    assert_eq!((flow.limit(), flow.gap() > millis(100)), (1, true));
    answered(&mut flow, 24, millis(100), MIB, now);
    assert!(flow.limit() >= 3, "{flow:?}");
    answered(&mut flow, 200, millis(100), MIB, now);
    assert_eq!(state(&flow), (4, Duration::ZERO, 4 * MIB));
}

#[test]
fn thirty_seconds_without_trouble_bring_back_everything_at_once() {
    let (mut flow, now) = (Flow::new(BOUNDS), Instant::now());
    for _ in 0..5 {
        flow.throttled(flow.cuts(), None, now);
    }
    flow.begin(now + millis(29_999));
    assert_eq!(flow.limit(), 1);
    flow.begin(now + RECOVERY);
    assert_eq!(state(&flow), (4, Duration::ZERO, 4 * MIB));
    assert_eq!(flow.wait(now + RECOVERY), Duration::ZERO);
}

#[test]
fn the_next_request_keeps_the_distance() {
    let (mut flow, now) = (Flow::new(BOUNDS), Instant::now());
    flow.begin(now);
    assert_eq!(flow.wait(now), Duration::ZERO);
    flow.throttled(flow.cuts(), None, now);
    let later = now + millis(500);
    assert_eq!(flow.wait(later), Duration::ZERO);
    flow.begin(later);
    assert_eq!(flow.wait(later + millis(5)), millis(15));
}

#[test]
fn a_request_without_an_answer_in_time_makes_the_next_ones_smaller_and_quick_answers_larger_again() {
    let (mut flow, now) = (Flow::new(BOUNDS), Instant::now());
    flow.timed_out(flow.cuts(), MIB, now);
    assert_eq!(state(&flow), (2, Duration::ZERO, MIB / 2));
    for _ in 0..10 {
        flow.timed_out(flow.cuts(), flow.request_bytes(), now);
    }
    assert_eq!(state(&flow), (1, Duration::ZERO, SMALLEST_REQUEST_BYTES));
    answered(&mut flow, 10, millis(2_501), SMALLEST_REQUEST_BYTES, now);
    assert_eq!(
        flow.request_bytes(),
        SMALLEST_REQUEST_BYTES,
        "more would take longer than half of the timeout"
    );
    answered(&mut flow, 10, millis(100), SMALLEST_REQUEST_BYTES / 4, now);
    assert_eq!(flow.request_bytes(), SMALLEST_REQUEST_BYTES, "they say nothing about full ones");
    for _ in 0..6 {
        let bytes = flow.request_bytes();
        answered(&mut flow, 1, millis(100), bytes, now);
    }
    assert_eq!(flow.request_bytes(), 4 * MIB);
}

#[test]
fn a_size_that_was_refused_is_not_tried_again_for_ten_minutes() {
    let (mut flow, now) = (Flow::new(BOUNDS), Instant::now());
    flow.too_large(MIB, now);
    assert_eq!(state(&flow), (4, Duration::ZERO, MIB / 2));
    assert_eq!(flow.split_above(), MIB / 32 * 17);
    answered(&mut flow, 100, millis(1), MIB / 2, now);
    assert_eq!(flow.request_bytes(), MIB / 8 * 7);
    for _ in 0..10 {
        let bytes = flow.request_bytes();
        answered(&mut flow, 1, millis(1), bytes, now + Duration::from_secs(600));
    }
    assert_eq!((flow.request_bytes(), flow.split_above()), (4 * MIB, usize::MAX));
}

#[test]
fn a_fixed_flow_never_changes() {
    let (mut flow, now) = (Flow::fixed(BOUNDS), Instant::now());
    let before = state(&flow);
    flow.throttled(0, None, now);
    flow.timed_out(0, MIB, now);
    flow.too_large(MIB, now);
    answered(&mut flow, 1, Duration::from_secs(9), MIB, now);
    assert_eq!((state(&flow), flow.wait(now), flow.is_slow()), (before, Duration::ZERO, false));
}

#[test]
fn a_request_is_slow_when_it_takes_long_or_when_fewer_are_wanted() {
    let (mut flow, now) = (Flow::new(BOUNDS), Instant::now());
    assert!(!flow.is_slow());
    answered(&mut flow, 3, millis(1), MIB, now);
    assert!(!flow.is_slow());
    answered(&mut flow, 3, Duration::from_secs(1), MIB, now);
    assert!(flow.is_slow());
    answered(&mut flow, 50, millis(1), MIB, now);
    assert!(!flow.is_slow());
    flow.throttled(flow.cuts(), None, now);
    assert!(flow.is_slow());
}

/// A receiver that takes so many requests a second and says 429, with a pause of a second, to the others.
fn throttled_share(requests_per_second: u64) -> (f64, f64) {
    let (mut flow, start) = (Flow::new(BOUNDS), Instant::now());
    let (mut now, mut tokens, mut paused_until) = (start, requests_per_second as f64, start);
    let (mut taken, mut refused) = (0u32, 0u32);
    for step in 0..120_000u64 {
        now = start + millis(step);
        tokens = (tokens + requests_per_second as f64 / 1_000.0).min(requests_per_second as f64);
        if now < paused_until || !flow.wait(now).is_zero() {
            continue;
        }
        let cuts = flow.cuts();
        flow.begin(now);
        let settled = step >= 60_000;
        if tokens >= 1.0 {
            tokens -= 1.0;
            flow.taken(cuts, millis(1), MIB, now);
            taken += u32::from(settled);
        } else {
            flow.throttled(cuts, None, now);
            paused_until = now + Duration::from_secs(1);
            refused += u32::from(settled);
        }
    }
    assert!(now > start);
    let share = f64::from(refused) / f64::from(taken + refused);
    (share, f64::from(taken) / (60.0 * requests_per_second as f64))
}

#[test]
fn it_settles_near_the_rate_of_a_receiver_that_counts_requests() {
    for rate in [2, 5, 20] {
        let (refused, used) = throttled_share(rate);
        println!("{rate} a second: {refused:.3} refused, {used:.2} of the rate used");
        assert!(refused < 0.12, "{rate} a second: {refused} of the requests are refused");
        assert!(used > 0.5, "{rate} a second: {used} of the rate is used");
    }
}

#[test]
fn the_gap_is_no_longer_than_the_pause_that_was_asked_for() {
    let (mut flow, now) = (Flow::new(BOUNDS), Instant::now());
    for _ in 0..20 {
        flow.throttled(flow.cuts(), Some(millis(1)), now);
        answered(&mut flow, 1, millis(1), MIB, now);
    }
    assert_eq!(state(&flow), (1, Duration::ZERO, 4 * MIB));
    for _ in 0..20 {
        flow.throttled(flow.cuts(), Some(millis(200)), now);
        answered(&mut flow, 1, millis(1), MIB, now);
    }
    assert!((millis(100)..=millis(200)).contains(&flow.gap()), "{:?}", flow.gap());
}

#[test]
fn a_503_now_and_then_costs_nothing_and_one_behind_the_other_fewer_requests_at_once() {
    let (mut flow, now) = (Flow::new(BOUNDS), Instant::now());
    for _ in 0..100 {
        flow.unavailable(flow.cuts(), now);
        answered(&mut flow, 1, millis(1), MIB, now);
    }
    assert_eq!(state(&flow), (4, Duration::ZERO, 4 * MIB));
    for expected in [4, 2, 1, 1] {
        flow.unavailable(flow.cuts(), now);
        assert_eq!(state(&flow), (expected, Duration::ZERO, 4 * MIB));
    }
}

/// Requests that one bad server of `servers` refuses, in ten minutes, each of 5 ms and with a pause of 100 ms after a refusal.
fn requests_past_a_bad_server(servers: u64, adapts: bool) -> u32 {
    let (mut flow, start) = (if adapts { Flow::new(BOUNDS) } else { Flow::fixed(BOUNDS) }, Instant::now());
    let (mut millisecond, mut taken) = (0u64, 0u32);
    for request in 0.. {
        let now = start + millis(millisecond);
        millisecond += 5 + u64::try_from(flow.wait(now).as_millis()).unwrap();
        if millisecond > 600_000 {
            break;
        }
        flow.begin(now);
        // Fixed, but without a pattern: the low bits of a multiplicative hash.
        if (u64::wrapping_mul(request, 0x9e37_79b9_7f4a_7c15) >> 32) % servers == 0 {
            flow.unavailable(flow.cuts(), now);
            millisecond += 100;
        } else {
            flow.taken(flow.cuts(), millis(5), MIB, now);
            taken += 1;
        }
    }
    taken
}

#[test]
fn one_bad_server_behind_a_balancer_does_not_slow_the_others_down() {
    for servers in [2, 5, 10] {
        let (adaptive, fixed) =
            (requests_past_a_bad_server(servers, true), requests_past_a_bad_server(servers, false));
        assert!(adaptive * 10 >= fixed * 9, "1 of {servers} is bad: {adaptive} requests where {fixed} fit");
    }
}

#[derive(Debug, Clone)]
enum Event {
    Begin,
    Taken { old: bool, took: u64, bytes: usize },
    Throttled { old: bool, pause: Option<u64> },
    Unavailable { old: bool },
    TimedOut { old: bool, bytes: usize },
    TooLarge { bytes: usize },
    Later { millis: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    let bytes = || prop_oneof![0..100usize, 0..16 * MIB, Just(usize::MAX)];
    prop_oneof![
        Just(Event::Begin),
        (any::<bool>(), 0..30_000u64, bytes()).prop_map(|(old, took, bytes)| Event::Taken {
            old,
            took,
            bytes
        }),
        (any::<bool>(), prop::option::of(0..20_000u64))
            .prop_map(|(old, pause)| Event::Throttled { old, pause }),
        any::<bool>().prop_map(|old| Event::Unavailable { old }),
        (any::<bool>(), bytes()).prop_map(|(old, bytes)| Event::TimedOut { old, bytes }),
        bytes().prop_map(|bytes| Event::TooLarge { bytes }),
        (0..700_000u64).prop_map(|millis| Event::Later { millis }),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_it_stays_in_its_bounds_never_starves_and_recovers(
        in_flight in 0..20usize,
        request_bytes in prop_oneof![0..200_000usize, Just(usize::MAX)],
        timeout in prop::option::of((1..60_000u64).prop_map(millis)),
        events in prop::collection::vec(event(), 0..200),
    ) {
        let mut flow = Flow::new(Bounds { in_flight, request_bytes, timeout });
        let mut now = Instant::now();
        for event in events {
            let cuts = |old: bool| flow.cuts().wrapping_sub(u32::from(old));
            match event {
                Event::Begin => flow.begin(now),
                Event::Taken { old, took, bytes } => flow.taken(cuts(old), millis(took), bytes, now),
                Event::Throttled { old, pause } => flow.throttled(cuts(old), pause.map(millis), now),
                Event::Unavailable { old } => flow.unavailable(cuts(old), now),
                Event::TimedOut { old, bytes } => flow.timed_out(cuts(old), bytes, now),
                Event::TooLarge { bytes } => flow.too_large(bytes, now),
                Event::Later { millis: passed } => now += millis(passed),
            }
            prop_assert!((1..=in_flight.max(1)).contains(&flow.limit()));
            prop_assert!(flow.gap() <= LARGEST_GAP && flow.wait(now) <= LARGEST_GAP);
            prop_assert!(flow.request_bytes() <= request_bytes);
            prop_assert!(flow.request_bytes() >= SMALLEST_REQUEST_BYTES.min(request_bytes));
        }
        // The receiver is well again: a refused size is forgotten, and every full request is answered at once.
        now += Duration::from_secs(600);
        flow.begin(now);
        for _ in 0..64 {
            let bytes = flow.request_bytes();
            answered(&mut flow, 1, Duration::ZERO, bytes, now);
        }
        prop_assert_eq!(state(&flow), (in_flight.max(1), Duration::ZERO, request_bytes));
        prop_assert_eq!(flow.wait(now), Duration::ZERO);
    }
}
