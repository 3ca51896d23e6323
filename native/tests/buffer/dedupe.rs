//! Equal records within a window become one with a count: against a model, with an injected clock.

use crate::core::{id_of, sequence_of, Entry};
use crate::records::{int, pair};
use fapilog_native::process::dedupe::{Dedupe, DedupeSettings, Summary, Verdict, COUNT_KEY};
use fapilog_native::record::RecordWriter;
use fapilog_native::redact::{redact, FrameSettings, Policy};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use std::collections::BTreeMap;
use std::time::Duration;

const WINDOW: u64 = 1000;
const SEQUENCED: FrameSettings = FrameSettings { record_bytes: 1 << 16, sequenced: true };

fn dedupe(max_windows: usize) -> Dedupe {
    Dedupe::new(DedupeSettings { window: Duration::from_nanos(WINDOW), max_windows, attributes: true })
}

/// Dedupe, and scratch memory to ask it with.
struct Log {
    dedupe: Dedupe,
    writer: RecordWriter,
}

impl Log {
    fn new(max_windows: usize) -> Self {
        Self { dedupe: dedupe(max_windows), writer: RecordWriter::new() }
    }

    /// The verdict about a record with this key, and the windows that it ended.
    fn log(&mut self, key: u64, entry: Entry, now: u64) -> (Verdict, Vec<Summary>) {
        let meta = entry.write(&mut self.writer);
        let record = redact(&mut self.writer, meta, &Policy::default(), SEQUENCED);
        let answer = self.dedupe.admit(key, &record, entry.scope, now);
        (answer.verdict, answer.ended)
    }
}

/// Scope, id of the last repeat, and how many.
type Told = (u32, i64, u64);

fn told(summary: &Summary) -> Told {
    (summary.scope, id_of(&decoded(summary)) as i64, summary.repeats)
}

fn decoded(summary: &Summary) -> LogRecord {
    LogRecord::decode(summary.counted().redacted().record()).unwrap()
}

#[test]
fn the_first_goes_on_and_the_last_repeat_follows_with_the_number() {
    let mut log = Log::new(8);
    let verdicts: Vec<Verdict> = (0..4).map(|id| log.log(7, Entry::info(id), id).0).collect();
    assert_eq!(verdicts, [Verdict::First, Verdict::Held, Verdict::HeldInstead, Verdict::HeldInstead]);
    assert!(log.dedupe.take_ended(WINDOW - 1).is_empty());
    assert_eq!(log.dedupe.next_end(), Some(WINDOW));
    let ended = log.dedupe.take_ended(WINDOW);
    assert_eq!(ended.iter().map(told).collect::<Vec<_>>(), [(0, 3, 3)]);
    assert_eq!(log.dedupe.next_end(), None);
    assert_eq!(log.log(7, Entry::info(9), WINDOW).0, Verdict::First);
}

#[test]
fn the_number_is_an_attribute_before_the_sequence() {
    let mut log = Log::new(8);
    log.log(7, Entry::info(1), 0);
    log.log(7, Entry::error(2), 0);
    let [summary] = log.dedupe.take_ended(WINDOW).try_into().unwrap();
    let record = decoded(&summary);
    assert_eq!((record.severity_number, id_of(&record), sequence_of(&record)), (17, 2, 0));
    assert_eq!(record.attributes[..record.attributes.len() - 1], [pair(COUNT_KEY, int(1))]);
    assert!(summary.counted().redacted().meta().protected);
}

#[test]
fn a_record_without_repeats_is_followed_by_nothing() {
    let mut log = Log::new(8);
    log.log(1, Entry::info(1), 0);
    assert!(log.dedupe.take_ended(WINDOW).is_empty());
}

#[test]
fn a_window_that_nobody_ended_ends_with_the_next_equal_record() {
    let mut log = Log::new(8);
    log.log(1, Entry::info(1), 0);
    log.log(1, Entry::info(2), 1);
    let (verdict, ended) = log.log(1, Entry::info(3), WINDOW);
    assert_eq!((verdict, ended.iter().map(told).collect()), (Verdict::First, vec![(0, 2, 1)]));
    // What is left of the first window must not end the second one.
    log.log(1, Entry::info(4), WINDOW + 1);
    assert!(log.dedupe.take_ended(WINDOW + 1).is_empty());
    assert_eq!(log.dedupe.take_ended(2 * WINDOW).iter().map(told).collect::<Vec<_>>(), [(0, 4, 1)]);
}

#[test]
fn held_records_that_take_too_much_memory_go_on_early() {
    let mut log = Log::new(1000);
    let mut early = Vec::new();
    for key in 0..200 {
        log.log(key, Entry::info(key).sized(60_000), 0);
        early.extend(log.log(key, Entry::info(key).sized(60_000), 0).1);
    }
    assert!(early.len() > 100, "{} ended early", early.len());
    assert_eq!(early.len() + log.dedupe.take_ended(WINDOW).len(), 200);
}

#[test]
fn windows_that_hold_nothing_make_no_room_for_held_records() {
    let mut log = Log::new(1000);
    for key in 0..1000 {
        log.log(key, Entry::info(key), 0);
    }
    // The newest windows hold large records; before each of them are older ones that hold nothing.
    let (mut repeats, mut early) = (0, 0);
    for key in (500..1000).rev() {
        let (verdict, ended) = log.log(key, Entry::info(key).sized(60_000), 0);
        repeats += usize::from(verdict == Verdict::Held);
        early += ended.len();
    }
    let held = log.dedupe.take_ended(WINDOW);
    let bytes: usize = held.iter().map(|summary| summary.last.bytes()).sum();
    assert!(bytes <= 4 * 1024 * 1024, "{bytes} bytes were held");
    assert_eq!(early + held.len(), repeats);
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Log(u64),
    Sweep,
    TakeHeld,
    Wait(u64),
}

fn action() -> impl Strategy<Value = Action> {
    let wait = prop_oneof![1..10u64, Just(WINDOW / 2), Just(WINDOW)];
    prop_oneof![
        6 => (0..5u64).prop_map(Action::Log),
        1 => Just(Action::Sweep),
        1 => Just(Action::TakeHeld),
        2 => wait.prop_map(Action::Wait),
    ]
}

/// One open window of the model: key, end, repeats, id of the last one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Open {
    key: u64,
    ends: u64,
    repeats: u64,
    last: i64,
}

impl Open {
    fn told(&self) -> Option<Told> {
        (self.repeats > 0).then_some((self.key as u32, self.last, self.repeats))
    }
}

/// The windows in the order in which they were opened, and every summary so far.
#[derive(Debug, Default)]
struct Model {
    open: Vec<Open>,
    told: Vec<Told>,
}

impl Model {
    fn end(&mut self, place: usize) -> Option<Told> {
        let told = self.open.remove(place).told();
        self.told.extend(told);
        told
    }

    fn log(&mut self, key: u64, id: i64, now: u64, max: usize) -> (Verdict, Option<Told>) {
        let place = self.open.iter().position(|open| open.key == key);
        if let Some(open) = place.map(|place| &mut self.open[place]).filter(|open| now < open.ends) {
            (open.repeats, open.last) = (open.repeats + 1, id);
            return (if open.repeats == 1 { Verdict::Held } else { Verdict::HeldInstead }, None);
        }
        let ended = match place {
            Some(place) => self.end(place),
            None if self.open.len() == max => self.end(0),
            None => None,
        };
        self.open.push(Open { key, ends: now + WINDOW, repeats: 0, last: 0 });
        (Verdict::First, ended)
    }

    fn sweep(&mut self, now: u64) -> Vec<Told> {
        let (ended, open) = self.open.iter().partition(|open| open.ends <= now);
        self.open = open;
        self.tell(&ended)
    }

    fn take_held(&mut self) -> Vec<Told> {
        let held = self.open.clone();
        for open in &mut self.open {
            open.repeats = 0;
        }
        self.tell(&held)
    }

    fn tell(&mut self, windows: &[Open]) -> Vec<Told> {
        let told: Vec<Told> = windows.iter().filter_map(Open::told).collect();
        self.told.extend(&told);
        told
    }
}

proptest! {
    #[test]
    fn every_record_goes_on_is_counted_or_is_held(
        actions in vec(action(), 0..150), max in 1..6usize,
    ) {
        let (mut log, mut model) = (Log::new(max), Model::default());
        let (mut now, mut logged) = (0, BTreeMap::new());
        for (id, action) in actions.into_iter().enumerate() {
            let (id, tell) = (id as u64, |summaries: Vec<Summary>| summaries.iter().map(told).collect::<Vec<_>>());
            match action {
                Action::Log(key) => {
                    *logged.entry(key as u32).or_insert(0) += 1;
                    let (verdict, ended) = log.log(key, Entry { scope: key as u32, ..Entry::info(id) }, now);
                    let (expected, window) = model.log(key, id as i64, now, max);
                    prop_assert_eq!((verdict, tell(ended)), (expected, window.into_iter().collect()));
                    model.told.extend((verdict == Verdict::First).then_some((key as u32, id as i64, 1)));
                }
                Action::Sweep => prop_assert_eq!(tell(log.dedupe.take_ended(now)), model.sweep(now)),
                Action::TakeHeld => prop_assert_eq!(tell(log.dedupe.take_held()), model.take_held()),
                Action::Wait(nanos) => now += nanos,
            }
        }
        prop_assert_eq!(log.dedupe.take_held().iter().map(told).collect::<Vec<_>>(), model.take_held());
        // Those that went on stand for all that were logged.
        let mut stand_for = BTreeMap::new();
        for (key, _, count) in &model.told {
            *stand_for.entry(*key).or_insert(0) += count;
        }
        prop_assert_eq!(stand_for, logged);
    }
}
