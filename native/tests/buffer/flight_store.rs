//! What the flight recorder keeps, against a model: bounds, order, each record exactly once.

use fapilog_native::flight::store::{Counts, Limits, Store, TRACE_BYTES};
use fapilog_native::flight::Trigger;
use fapilog_native::record::Meta;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const META: Meta = Meta { severity: 5, protected: false };
const AGE: u64 = 100;

#[derive(Debug, Clone)]
enum Step {
    Keep { trace: u128, size: usize },
    Take { trace: u128 },
    Begin { trace: u128 },
    End { trace: u128 },
    Wait { nanos: u64 },
}

fn steps(traces: u128, sizes: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    let trace = 1..=traces;
    let step = prop_oneof![
        6 => (trace.clone(), sizes).prop_map(|(trace, size)| Step::Keep { trace, size }),
        1 => trace.clone().prop_map(|trace| Step::Take { trace }),
        1 => trace.clone().prop_map(|trace| Step::Begin { trace }),
        1 => trace.prop_map(|trace| Step::End { trace }),
        1 => (0..AGE).prop_map(|nanos| Step::Wait { nanos }),
    ];
    vec(step, 1..200)
}

fn limits(bytes: usize, trace_records: usize, traces: usize) -> Limits {
    Limits { bytes, trace_records, traces, age: Duration::from_nanos(AGE) }
}

/// A record that says which one it is.
fn record(id: u64, size: usize) -> Vec<u8> {
    let mut record = id.to_le_bytes().to_vec();
    record.resize(8 + size, 0xaa);
    record
}

/// Which records a trace had, oldest first, and that everything about them came back.
fn take(store: &mut Store, trace: u128, now: u64) -> Option<(Vec<u64>, u64)> {
    let taken = store.take(trace, Trigger::Error, now)?;
    let ids = taken.iter().map(|kept| {
        let id = u64::from_le_bytes(kept.record[..8].try_into().unwrap());
        assert!(kept.record[8..].iter().all(|byte| *byte == 0xaa));
        assert_eq!((kept.meta, kept.scope, kept.before), (META, id as u32, id * 2));
        id
    });
    Some((ids.collect(), taken.evicted))
}

#[derive(Debug, Default, Clone)]
struct Trace {
    records: VecDeque<(u64, u64)>,
    roots: u32,
    triggered: bool,
    touched: u64,
}

/// The traces in the order in which they logged, those silent for longest first.
#[derive(Debug)]
struct Model {
    limits: Limits,
    order: Vec<(u128, Trace)>,
    counts: Counts,
}

impl Model {
    fn expire(&mut self, now: u64) {
        while self.order.first().is_some_and(|(_, trace)| trace.touched + AGE < now) {
            self.evict();
        }
    }

    fn evict(&mut self) {
        self.counts.evicted += self.order.remove(0).1.records.len() as u64;
    }

    fn touch(&mut self, id: u128, now: u64) -> &mut Trace {
        let known = self.order.iter().position(|(known, _)| *known == id);
        let mut entry = known.map(|at| self.order.remove(at)).unwrap_or((id, Trace::default()));
        if known.is_none() {
            while self.order.len() >= self.limits.traces {
                self.evict();
            }
        }
        entry.1.touched = now;
        self.order.push(entry);
        &mut self.order.last_mut().unwrap().1
    }

    fn keep(&mut self, id: u128, record: u64, now: u64) {
        self.expire(now);
        let most = self.limits.trace_records;
        let trace = self.touch(id, now);
        trace.records.push_back((record, now));
        let over = trace.records.len().saturating_sub(most);
        trace.records.drain(..over);
        self.counts.recorded += 1;
        self.counts.evicted += over as u64;
    }

    fn take(&mut self, id: u128, now: u64) -> Option<Vec<u64>> {
        self.expire(now);
        let trace = self.touch(id, now);
        let old = trace.records.iter().filter(|(_, at)| at + AGE < now).count();
        trace.records.drain(..old);
        let ids: Vec<u64> = std::mem::take(&mut trace.records).into_iter().map(|(id, _)| id).collect();
        trace.triggered = true;
        self.counts.evicted += old as u64;
        self.counts.promoted += ids.len() as u64;
        (!ids.is_empty()).then_some(ids)
    }

    fn end(&mut self, id: u128) {
        let Some(at) = self.order.iter().position(|(known, _)| *known == id) else { return };
        self.order[at].1.roots = self.order[at].1.roots.saturating_sub(1);
        if self.order[at].1.roots == 0 {
            self.counts.discarded += self.order.remove(at).1.records.len() as u64;
        }
    }

    fn counts(&self, bytes: usize) -> Counts {
        let records = self.order.iter().map(|(_, trace)| trace.records.len() as u64).sum();
        Counts { records, bytes, traces: self.order.len() as u64, ..self.counts }
    }
}

proptest! {
    #[test]
    fn with_room_for_every_byte_it_does_what_the_model_does(
        steps in steps(6, 0..40), trace_records in 1_usize..6, traces in 1_usize..5,
    ) {
        let limits = limits(1 << 20, trace_records, traces);
        let mut store = Store::new(limits);
        let mut model = Model { limits, order: Vec::new(), counts: Counts::default() };
        // Time begins late enough for something to be too old.
        let mut now = 1_000;
        for (id, step) in steps.into_iter().enumerate() {
            let id = id as u64;
            match step {
                Step::Keep { trace, size } => {
                    store.keep(trace, &record(id, size), (META, id as u32, id * 2), now);
                    model.keep(trace, id, now);
                }
                Step::Take { trace } => {
                    let taken = take(&mut store, trace, now);
                    prop_assert_eq!(taken.map(|(ids, _)| ids), model.take(trace, now));
                }
                Step::Begin { trace } => {
                    store.begin(trace, now);
                    model.expire(now);
                    model.touch(trace, now).roots += 1;
                }
                Step::End { trace } => {
                    store.end(trace);
                    model.end(trace);
                }
                Step::Wait { nanos } => now += nanos,
            }
            prop_assert_eq!(store.counts(), model.counts(store.counts().bytes));
            let triggered = model.order.iter().filter(|(_, trace)| trace.triggered).count();
            prop_assert_eq!(store.triggered(), triggered);
            for (trace, known) in &model.order {
                prop_assert_eq!(store.trigger(*trace).is_some(), known.triggered);
            }
        }
    }

    #[test]
    fn it_never_takes_more_memory_than_it_may_and_gives_each_record_at_most_once_in_order(
        steps in steps(40, 0..3_000), bytes in 8_192_usize..65_536,
    ) {
        let mut store = Store::new(limits(bytes, 100, 16));
        let mut offered: BTreeMap<u128, Vec<u64>> = BTreeMap::new();
        let mut now = 1_000;
        for (id, step) in steps.into_iter().enumerate() {
            let id = id as u64;
            match step {
                Step::Keep { trace, size } => {
                    store.keep(trace, &record(id, size), (META, id as u32, id * 2), now);
                    offered.entry(trace).or_default().push(id);
                }
                Step::Take { trace } => {
                    let had = offered.remove(&trace).unwrap_or_default();
                    if let Some((ids, _)) = take(&mut store, trace, now) {
                        // A record that is too large alone is left out; all others are the newest ones.
                        let mut rest = had.iter();
                        prop_assert!(ids.iter().all(|id| rest.any(|had| had == id)), "{ids:?} of {had:?}");
                    }
                }
                Step::Begin { trace } => store.begin(trace, now),
                Step::End { trace } => store.end(trace),
                Step::Wait { nanos } => now += nanos,
            }
            let counts = store.counts();
            prop_assert!(counts.bytes <= bytes, "{} of {bytes}", counts.bytes);
            let decided = counts.records + counts.promoted + counts.discarded + counts.evicted;
            prop_assert_eq!(counts.recorded, decided);
        }
        store.clear();
        let counts = store.counts();
        prop_assert_eq!((counts.records, counts.bytes, counts.traces), (0, 0, 0));
        prop_assert_eq!(counts.recorded, counts.promoted + counts.discarded + counts.evicted);
    }
}

#[test]
fn the_newest_records_of_an_endless_trace_stay_and_other_traces_too() {
    let mut store = Store::new(limits(64 << 10, 10_000, 16));
    store.keep(1, &record(0, 100), (META, 0, 0), 1_000);
    for id in 1..1_000 {
        store.keep(2, &record(id, 100), (META, id as u32, id * 2), 1_000);
    }
    let (ids, evicted) = take(&mut store, 2, 1_000).unwrap();
    assert_eq!(ids, (1_000 - ids.len() as u64..1_000).collect::<Vec<_>>());
    assert_eq!(evicted, 999 - ids.len() as u64);
    assert!(ids.len() > 60, "{}", ids.len());
    assert_eq!(take(&mut store, 1, 1_000), Some((vec![0], 0)));
}

#[test]
fn the_first_take_marks_the_trace_so_that_nobody_has_to_take_again() {
    let mut store = Store::new(limits(64 << 10, 10, 16));
    store.keep(1, &record(1, 10), (META, 1, 2), 1_000);
    assert_eq!(store.trigger(1), None);
    assert_eq!(take(&mut store, 1, 1_000), Some((vec![1], 0)));
    assert_eq!((store.trigger(1), store.triggered()), (Some(Trigger::Error), 1));
    assert_eq!(take(&mut store, 1, 1_000), None);
    assert_eq!(store.triggered(), 1);
}

#[test]
fn a_record_larger_than_the_share_of_a_trace_is_left_out_and_counted() {
    let mut store = Store::new(limits(8_192, 10, 16));
    store.keep(1, &record(1, 10), (META, 1, 2), 1_000);
    store.keep(1, &record(2, 4_096), (META, 2, 4), 1_000);
    assert_eq!(take(&mut store, 1, 1_000), Some((vec![1], 1)));
}

#[test]
fn memory_of_a_trace_that_ended_serves_the_next_one() {
    let mut store = Store::new(limits(1 << 20, 100, 16));
    let run = |store: &mut Store, trace| {
        store.begin(trace, 1_000);
        store.keep(trace, &record(1, 500), (META, 1, 2), 1_000);
        let bytes = store.counts().bytes;
        store.end(trace);
        bytes
    };
    let first = run(&mut store, 1);
    for trace in 2..100 {
        assert_eq!(run(&mut store, trace), first);
    }
    assert_eq!(store.counts().bytes, first - TRACE_BYTES);
}
