//! Stage 1: the built-in processors against small models, with a clock and randomness that the tests inject.

use fapilog_native::ledger::Refusal;
use fapilog_native::process::first_occurrence::{FirstOccurrence, FirstOccurrenceSettings};
use fapilog_native::process::hash::HashKey;
use fapilog_native::process::lru::LruTable;
use fapilog_native::process::rate_limit::{RateLimit, RateLimitSettings};
use fapilog_native::process::sampling::{threshold, InSpan, OutsideSpan, Sampler, SamplingSettings};
use fapilog_native::process::{CallFacts, ProcessSettings, Processors};
use fapilog_native::record::fields::TraceFields;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;
const INFO: u8 = 9;
const ERROR: u8 = 17;

/// A span in the trace whose id ends with these 56 bits.
fn span(randomness: u64, sampled: bool) -> TraceFields {
    let mut id = [0xab; 16];
    id[9..].copy_from_slice(&randomness.to_be_bytes()[1..]);
    TraceFields::new(id, [1; 8], u8::from(sampled))
}

fn sampler(ratio: f64) -> SamplingSettings {
    SamplingSettings {
        ratio,
        keep_severity: ERROR,
        in_span: InSpan::TraceId,
        outside_span: OutsideSpan::Ratio,
    }
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * right.abs().max(1.0)
}

#[test]
fn thresholds_are_those_of_opentelemetry() {
    let known =
        [(1.0, 0), (0.5, 0x80_0000_0000_0000), (0.25, 0xc0_0000_0000_0000), (0.0, 0x100_0000_0000_0000)];
    assert_eq!(known.map(|(ratio, _)| threshold(ratio)), known.map(|(_, threshold)| threshold));
}

#[test]
fn a_trace_is_kept_from_the_threshold_on_and_stands_for_the_others() {
    let sampler = Sampler::new(sampler(0.25), 1);
    let at = 0xc0_0000_0000_0000;
    assert_eq!(sampler.admit(INFO, Some(&span(at - 1, true))), Err(Refusal::Sampled));
    assert_eq!(sampler.admit(INFO, Some(&span(at, false))), Ok(4.0));
    assert_eq!(sampler.admit(INFO, Some(&span(0xff_ffff_ffff_ffff, true))), Ok(4.0));
}

#[test]
fn severe_records_are_kept_and_stand_for_themselves() {
    let never = Sampler::new(sampler(0.0), 1);
    let all_severities = Sampler::new(SamplingSettings { keep_severity: 25, ..sampler(0.0) }, 1);
    for in_span in [None, Some(span(0, false))] {
        assert_eq!(never.admit(ERROR, in_span.as_ref()), Ok(1.0));
        assert_eq!(never.admit(ERROR - 1, in_span.as_ref()), Err(Refusal::Sampled));
        assert_eq!(all_severities.admit(24, in_span.as_ref()), Err(Refusal::Sampled));
    }
}

#[test]
fn the_sampled_flag_decides_when_it_is_asked_to() {
    let settings = SamplingSettings { in_span: InSpan::SampledFlag, ..sampler(0.5) };
    let sampler = Sampler::new(settings, 1);
    assert_eq!(sampler.admit(INFO, Some(&span(0, true))), Ok(1.0));
    assert_eq!(sampler.admit(INFO, Some(&span(0xff_ffff_ffff_ffff, false))), Err(Refusal::Sampled));
}

#[test]
fn records_without_a_trace_are_sampled_by_chance_or_kept() {
    let chance = Sampler::new(sampler(0.1), 7);
    let kept: Vec<f64> = (0..100_000).filter_map(|_| chance.admit(INFO, None).ok()).collect();
    assert!((9_500..10_500).contains(&kept.len()), "{} of 100000 kept", kept.len());
    assert!(kept.iter().all(|weight| close(*weight, 10.0)));
    let keep = Sampler::new(SamplingSettings { outside_span: OutsideSpan::Keep, ..sampler(0.0) }, 7);
    assert_eq!(keep.admit(INFO, None), Ok(1.0));
}

#[test]
fn a_bucket_lets_its_burst_pass_and_then_one_record_per_token() {
    let settings = RateLimitSettings { records_per_second: 2.0, burst: 3, max_templates: 8 };
    let limit = RateLimit::new(settings);
    let now = 5 * SECOND;
    let answers: Vec<_> = (0..5).map(|_| limit.admit(1, now, 1.0)).collect();
    let refused = Err(Refusal::RateLimited);
    assert_eq!(answers, [Ok(1.0), Ok(1.0), Ok(1.0), refused, refused]);
    assert_eq!(limit.admit(1, now + SECOND / 2 - 1, 1.0), refused);
    // It stands for the three that were refused.
    assert_eq!(limit.admit(1, now + SECOND / 2, 1.0), Ok(4.0));
    assert_eq!(limit.admit(2, now, 1.0), Ok(1.0));
}

#[test]
fn weights_pass_from_one_processor_to_the_next() {
    let settings = ProcessSettings {
        sampling: Some(sampler(0.5)),
        first_occurrence: Some(FirstOccurrenceSettings {
            interval: Some(Duration::from_secs(1)),
            max_templates: 8,
        }),
        ..ProcessSettings::default()
    };
    let processors = Processors::new(&settings).unwrap();
    let span = span(0xff_ffff_ffff_ffff, true);
    let call = CallFacts { severity: INFO, span: Some(&span), template: processors.template(0, b"m") };
    assert_eq!(processors.admit(&call, || 0), Ok(2.0));
    assert_eq!(processors.admit(&call, || 1), Err(Refusal::Repeated));
    assert_eq!(processors.admit(&call, || SECOND), Ok(4.0));
}

#[test]
fn without_settings_there_are_no_processors() {
    assert!(Processors::new(&ProcessSettings::default()).is_none());
}

#[test]
fn the_clock_is_asked_only_where_time_counts() {
    let settings = ProcessSettings { sampling: Some(sampler(1.0)), ..ProcessSettings::default() };
    let processors = Processors::new(&settings).unwrap();
    let call = CallFacts { severity: INFO, span: None, template: 0 };
    assert_eq!(processors.admit(&call, || panic!("nobody needs the time")), Ok(1.0));
}

#[test]
fn hashes_tell_lengths_parts_and_keys_apart() {
    let key = HashKey::new(0x1234_5678_9abc_def1, 0x0fed_cba9_8765_4321);
    let texts: Vec<Vec<u8>> = (0..64).map(|length| vec![0; length]).collect();
    let hashes: BTreeSet<u64> = texts.iter().map(|text| key.hash(0, text)).collect();
    assert_eq!(hashes.len(), texts.len());
    assert_ne!(key.hash(0, b"ab"), key.hash(key.hash(0, b"a"), b"b"));
    assert_ne!(key.hash(0, b"a"), key.hash(1, b"a"));
    assert_ne!(key.hash(0, b"a"), HashKey::random().hash(0, b"a"));
}

#[derive(Debug, Clone, Copy)]
struct Step {
    template: u64,
    wait_nanos: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![Just(0), 1..1000u64, 1..SECOND, Just(10 * SECOND)];
    vec((0..6u64, wait).prop_map(|(template, wait_nanos)| Step { template, wait_nanos }), 0..200)
}

proptest! {
    #[test]
    fn a_smaller_ratio_keeps_a_part_of_the_same_traces(
        randomness in 0..1u64 << 56, low in 0.0..1.0f64, high in 0.0..1.0f64,
    ) {
        let (low, high) = if low < high { (low, high) } else { (high, low) };
        let kept = |ratio| Sampler::new(sampler(ratio), 1).admit(INFO, Some(&span(randomness, true))).is_ok();
        prop_assert!(!kept(low) || kept(high));
    }

    #[test]
    fn the_table_is_a_list_whose_oldest_entry_leaves(
        capacity in 1..6usize, keys in vec(0..10u64, 0..200),
    ) {
        let mut table = LruTable::new(capacity);
        let mut model: Vec<(u64, u64)> = Vec::new();
        for (turn, key) in keys.into_iter().enumerate() {
            let turn = turn as u64;
            let found = model.iter().position(|(other, _)| *other == key).map(|place| model.remove(place));
            if found.is_none() && model.len() == capacity {
                model.remove(0);
            }
            let expected = found.map_or(turn, |(_, value)| value);
            model.push((key, expected));
            prop_assert_eq!(*table.entry(key, || turn), expected);
            prop_assert_eq!(table.len(), model.len());
        }
    }

    #[test]
    fn a_bucket_is_one_that_fills_up_token_by_token(
        steps in steps(), per_second in prop::sample::select(vec![1u32, 2, 4, 1000]), burst in 1..5u64,
    ) {
        let settings =
            RateLimitSettings { records_per_second: f64::from(per_second), burst, max_templates: 16 };
        let limit = RateLimit::new(settings);
        // The model counts in units of a token times a nanosecond per second, so that nothing is rounded.
        let full = burst * SECOND;
        let mut model: BTreeMap<u64, (u64, u64, f64)> = BTreeMap::new();
        let mut now = SECOND;
        for step in steps {
            now += step.wait_nanos;
            let (level, since, refused) = model.entry(step.template).or_insert((full, now, 0.0));
            *level = full.min(*level + (now - *since) * u64::from(per_second));
            *since = now;
            let expected = if *level >= SECOND {
                *level -= SECOND;
                Ok(1.0 + std::mem::take(refused))
            } else {
                *refused += 1.0;
                Err(Refusal::RateLimited)
            };
            prop_assert_eq!(limit.admit(step.template, now, 1.0), expected);
        }
    }

    #[test]
    fn the_first_of_an_interval_stands_for_those_refused_before(
        steps in steps(), interval in prop::option::of(0..2 * SECOND),
    ) {
        let settings =
            FirstOccurrenceSettings { interval: interval.map(Duration::from_nanos), max_templates: 16 };
        let first = FirstOccurrence::new(settings);
        let mut model: BTreeMap<u64, (u64, f64)> = BTreeMap::new();
        let (mut now, mut kept, mut open) = (SECOND, 0.0, 0.0);
        let calls = f64::from(u32::try_from(steps.len()).unwrap());
        for step in steps {
            now += step.wait_nanos;
            let (since, refused) = model.entry(step.template).or_insert((0, 0.0));
            let over = *since == 0 || interval.is_some_and(|interval| now - *since >= interval);
            let expected = if over {
                *since = now;
                Ok(1.0 + std::mem::take(refused))
            } else {
                *refused += 1.0;
                Err(Refusal::Repeated)
            };
            prop_assert_eq!(first.admit(step.template, now, 1.0), expected);
            kept += expected.unwrap_or(0.0);
        }
        for (_, refused) in model.values() {
            open += refused;
        }
        prop_assert!(close(kept + open, calls), "{kept} kept and {open} open of {calls}");
    }
}
