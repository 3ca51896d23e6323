//! Stage 2: uids of records: ULIDs, unique, in the order of time.

use fapilog_native::record::fields::{KeyField, SeverityField};
use fapilog_native::record::uid::{Uids, KEY};
use fapilog_native::record::RecordWriter;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

const MILLI: u64 = 1_000_000;

fn text(uid: [u8; 26]) -> String {
    String::from_utf8(uid.to_vec()).unwrap()
}

#[test]
fn a_uid_is_a_ulid_of_the_records_time() {
    // The example of the ULID specification.
    let uid = text(Uids::draw().next(1_469_918_176_385 * MILLI));
    assert_eq!(&uid[..10], "01ARYZ6S41");
    assert_eq!(&uid[20..], "000000");
    assert_eq!(uid.len(), 26);
    assert!(uid.bytes().all(|byte| b"0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(&byte)), "{uid}");
}

#[test]
fn two_processes_draw_different_bits() {
    let drawn: BTreeSet<String> = (0..1_000).map(|_| text(Uids::draw().next(0))[10..20].to_owned()).collect();
    assert_eq!(drawn.len(), 1_000);
}

#[test]
fn threads_that_share_a_pipeline_never_share_a_uid() {
    let uids = Arc::new(Uids::draw());
    let draw = |uids: Arc<Uids>| move || (0..20_000).map(|_| uids.next(5 * MILLI)).collect::<Vec<_>>();
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw(Arc::clone(&uids)))).collect();
    let all: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn a_record_that_has_a_uid_keeps_it() {
    let mut writer = RecordWriter::new();
    writer.begin(1, 2, &SeverityField::new(9, "INFO"), None);
    writer.attribute_str(&KeyField::new(KEY.as_bytes()), b"from elsewhere");
    let before = writer.record().to_vec();
    Uids::draw().identify(&mut writer);
    assert_eq!(writer.record(), before);
}

#[test]
fn what_only_looks_like_a_uid_keeps_none_out() {
    let mut writer = RecordWriter::new();
    writer.begin(1, 2, &SeverityField::new(9, "INFO"), None);
    writer.body_str(b"\n\x0elog.record.uid");
    writer.attribute_str(&KeyField::new(b"forwarded"), b"\n\x0elog.record.uid\x12\x02\n\x00");
    let before = writer.record().to_vec();
    Uids::draw().identify(&mut writer);
    assert!(writer.record().len() > before.len());
}

proptest! {
    #[test]
    fn uids_of_one_process_are_unique_and_rise_with_time(mut millis in vec(0..1_u64 << 44, 1..200)) {
        millis.sort_unstable();
        let uids = Uids::draw();
        let drawn: Vec<String> = millis.iter().map(|millis| text(uids.next(millis * MILLI))).collect();
        prop_assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]), "{drawn:?}");
    }
}
