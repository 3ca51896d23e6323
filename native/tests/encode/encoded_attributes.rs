//! Attributes that were encoded once, against the plain way of keeping keys unique.

use fapilog_native::record::encoded_attributes::{has_key, EncodedAttributes, Written};
use fapilog_native::record::fields::{KeyBits, KeyField, SeverityField};
use fapilog_native::record::RecordWriter;
use fapilog_native::wire::{Fields, Value};
use proptest::prelude::*;

type Pair = (String, i64);

fn writer_with(pairs: &[Pair]) -> RecordWriter {
    let mut writer = RecordWriter::new();
    writer.begin(1, 2, &SeverityField::new(9, "INFO"), None);
    writer.body_str(b"a body");
    for (key, value) in pairs {
        writer.attribute_int(&KeyField::new(key.as_bytes()), *value);
    }
    writer
}

fn encoded(pairs: &[Pair]) -> Vec<u8> {
    let empty = writer_with(&[]).len();
    writer_with(pairs).record()[empty..].to_vec()
}

fn keys_of(pairs: &[Pair]) -> KeyBits {
    pairs.iter().fold(KeyBits::NONE, |keys, (key, _)| keys.with(KeyBits::of(key.as_bytes())))
}

/// What should be there: those of the call, then those whose key the call has not, as far as there is room.
fn expected(call: &[Pair], bound: &[Pair], room: usize) -> (Vec<Pair>, Written) {
    let mut all = call.to_vec();
    let mut written = Written { added: 0, left_out: 0 };
    for pair in bound {
        if call.iter().any(|(key, _)| *key == pair.0) {
            continue;
        }
        if written.added == room {
            written.left_out += 1;
        } else {
            written.added += 1;
            all.push(pair.clone());
        }
    }
    (all, written)
}

/// Few short names, so that keys meet; and long ones, whose length takes two bytes.
fn pairs(most: usize) -> impl Strategy<Value = Vec<Pair>> {
    let key = prop_oneof!["[a-d]{0,2}", "[a-z_.]{1,12}", "x{126,130}", "[a-c]é"];
    prop::collection::vec((key, any::<i64>()), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn attributes_of_the_call_win_and_the_others_follow_as_far_as_there_is_room(
        call in pairs(12), bound in pairs(12), room in 0usize..14,
    ) {
        let mut writer = writer_with(&call);
        let written = EncodedAttributes::new(encoded(&bound)).append(&mut writer, keys_of(&call), room);
        let (all, counted) = expected(&call, &bound, room);
        prop_assert_eq!(written, counted);
        let model = writer_with(&all);
        prop_assert_eq!(writer.record(), model.record());
    }

    #[test]
    fn a_key_is_found_exactly_when_the_record_has_it(call in pairs(12), wanted in "[a-d]{0,2}|x{126,130}") {
        let writer = writer_with(&call);
        prop_assert_eq!(has_key(writer.record(), wanted.as_bytes()), call.iter().any(|(key, _)| *key == wanted));
    }

    #[test]
    fn a_set_never_denies_a_key_that_is_inside(call in pairs(12)) {
        for (key, _) in &call {
            prop_assert!(!keys_of(&call).is_disjoint(KeyBits::of(key.as_bytes())));
        }
    }

    #[test]
    fn bytes_that_are_no_attributes_end_them(call in pairs(4), noise in prop::collection::vec(any::<u8>(), 0..20)) {
        let good = encoded(&call);
        let attributes = EncodedAttributes::new([good.as_slice(), &noise].concat());
        let mut writer = writer_with(&[]);
        let (before, before_fields) = (writer.len(), Fields::new(writer.record()).count());
        attributes.append(&mut writer, KeyBits::NONE, usize::MAX);
        prop_assert!(writer.record()[before..].starts_with(&good));
        let mut walk = Fields::new(writer.record());
        prop_assert!(walk.by_ref().skip(before_fields).all(|(_, value)| matches!(value, Value::Bytes(_))));
        prop_assert!(!walk.malformed());
    }
}

#[test]
fn two_keys_of_one_bound_mapping_that_read_the_same_both_stay() {
    let twice = [("a".to_owned(), 1), ("a".to_owned(), 2)];
    let mut writer = writer_with(&[]);
    EncodedAttributes::new(encoded(&twice)).append(&mut writer, KeyBits::NONE, 8);
    assert_eq!(writer.record(), writer_with(&twice).record());
}
