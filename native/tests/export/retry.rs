//! The pauses between attempts.

use crate::sending::retry_settings;
use fapilog_native::export::retry::{next_attempt, pause};
use proptest::prelude::*;
use std::time::Duration;

const fn seconds(value: u64) -> Duration {
    Duration::from_secs(value)
}

#[test]
fn the_ceiling_doubles_from_the_initial_backoff_to_the_maximum() {
    let ceilings: Vec<_> =
        (0..7).map(|attempt| pause(attempt, None, &retry_settings(), 1.0).as_secs()).collect();
    assert_eq!(ceilings, [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(pause(u32::MAX, None, &retry_settings(), 1.0), seconds(30));
}

#[test]
fn the_jitter_is_full() {
    assert_eq!(pause(3, None, &retry_settings(), 0.0), Duration::ZERO);
    assert_eq!(pause(3, None, &retry_settings(), 0.25), seconds(2));
}

#[test]
fn a_retry_after_is_waited_for_and_the_backoff_then_grows_from_it() {
    let settings = retry_settings();
    assert_eq!(pause(0, Some(seconds(10)), &settings, 0.5), Duration::from_millis(10_500));
    let next = next_attempt(0, Some(seconds(10)), &settings);
    assert_eq!(pause(next, None, &settings, 1.0), seconds(16));
    assert_eq!(next_attempt(next, None, &settings), next + 1);
    assert_eq!(next_attempt(6, Some(seconds(1)), &settings), 7);
}

#[test]
fn a_retry_after_beyond_the_maximum_is_cut() {
    assert_eq!(pause(0, Some(Duration::MAX), &retry_settings(), 0.0), seconds(300));
    let settings = retry_settings();
    assert_eq!(pause(next_attempt(0, Some(Duration::MAX), &settings), None, &settings, 1.0), seconds(30));
}

proptest! {
    #[test]
    fn a_pause_lies_between_what_the_server_asked_for_and_that_plus_the_ceiling(
        attempt in any::<u32>(),
        after_millis in proptest::option::of(0u64..1_000_000),
        initial_millis in 0u64..100_000,
        max_millis in 0u64..100_000,
        random in 0.0f64..1.0,
    ) {
        let settings = fapilog_native::settings::RetrySettings {
            initial_backoff: Duration::from_millis(initial_millis),
            max_backoff: Duration::from_millis(max_millis),
            ..retry_settings()
        };
        let after = after_millis.map(Duration::from_millis);
        let floor = after.unwrap_or_default().min(settings.max_retry_after);
        let pause = pause(attempt, after, &settings, random);
        prop_assert!(pause >= floor);
        prop_assert!(pause <= floor + settings.max_backoff);
        prop_assert!(next_attempt(attempt, after, &settings) > attempt || attempt == u32::MAX);
    }

    #[test]
    fn more_failures_never_lead_to_a_shorter_pause(attempt in 0u32..100, random in 0.0f64..1.0) {
        let settings = retry_settings();
        prop_assert!(pause(attempt, None, &settings, random) <= pause(attempt + 1, None, &settings, random));
    }
}
