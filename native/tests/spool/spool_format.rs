//! The spool's bytes: what is written, read back, and compared with the golden files of `docs/reference/spool_format.md`.

use fapilog_native::spool::format::{open_segment, BlockHeader, Opening, SegmentHeader};
use fapilog_native::spool::index::{Held, Index, Segment};
use fapilog_native::spool::positions::{Position, Positions, SLOT_BYTES};
use fapilog_native::spool::runs::Runs;
use fapilog_native::spool::Exporters;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn segment_header() -> SegmentHeader {
    SegmentHeader {
        instance: *b"instance-16bytes",
        boot: 0x93c1_f0a2_b4d5_e687,
        segment: 3,
        first_number: 41,
        created_nanos: 1_767_225_600_000_000_000,
        exporters: vec!["otlp".into(), "file".into()],
    }
}

fn block_header(payload: &[u8]) -> BlockHeader {
    BlockHeader {
        number: 41,
        sequence: 1_000,
        written_nanos: 1_767_225_600_000_000_001,
        raw_bytes: 4_096,
        payload_bytes: payload.len() as u32,
        records: 12,
        protected_records: 2,
        payload_checksum: fapilog_native::spool::format::checksum(payload),
        exporters: Exporters::NONE.with(1),
        codec: 1,
        flags: 0,
        key_id: 0,
        salt: segment_header().salt(),
    }
}

fn positions() -> Positions {
    let mut above = Runs::default();
    above.insert(45, 47);
    above.insert(50, 51);
    let mut retired = Runs::default();
    retired.insert(5, 6);
    Positions {
        instance: segment_header().instance,
        first_segment: 3,
        retired,
        exporters: vec![
            Position { name: "otlp".into(), low: 41, above },
            Position { name: "file".into(), low: 52, above: Runs::default() },
        ],
    }
}

fn golden(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/spool").join(name);
    if std::env::var_os("FAPILOG_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, bytes).unwrap();
    }
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name}: the format changed; that needs a new version");
}

#[test]
fn the_golden_segment_is_what_the_code_writes() {
    let mut bytes = segment_header().encode();
    bytes.extend_from_slice(&block_header(b"payload").encode());
    bytes.extend_from_slice(b"payload\0");
    golden("segment.fspl", &bytes);
}

#[test]
fn the_golden_positions_are_what_the_code_writes() {
    golden("positions", &positions().encode(7));
}

#[test]
fn the_salt_is_the_start_of_the_instance() {
    assert_eq!(segment_header().salt(), u32::from_le_bytes(*b"inst"));
}

#[test]
fn a_segment_of_another_version_is_recognised() {
    let mut bytes = segment_header().encode();
    bytes[8] = 2;
    let checksum = fapilog_native::spool::format::checksum(&bytes[8..]);
    bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(open_segment(&bytes), Opening::OtherVersion(2));
}

#[test]
fn a_header_of_another_directory_is_none_of_ours() {
    let bytes = block_header(b"payload").encode();
    assert!(BlockHeader::parse(&bytes, None).is_some());
    assert!(BlockHeader::parse(&bytes, Some(1)).is_none());
}

#[test]
fn exporters_are_a_set_of_sixteen_bits() {
    let all = Exporters::first(16);
    assert_eq!(all.iter().count(), 16);
    assert_eq!(Exporters::first(99), all);
    assert_eq!(Exporters::first(3).without(1).iter().collect::<Vec<_>>(), [0, 2]);
    assert_eq!((all.with(16), all.without(16), all.contains(16)), (all, all, false));
    assert!(Exporters::first(1).and(Exporters::NONE.with(1)).is_empty());
}

#[test]
fn more_runs_than_a_slot_has_room_for_are_forgotten_and_never_made_up() {
    let mut above = Runs::default();
    (0..500).for_each(|number| above.insert(number * 2, number * 2 + 1));
    let exporters: Vec<Position> = (0..16)
        .map(|index| Position { name: format!("{index:064}"), low: 0, above: above.clone() })
        .collect();
    let mut retired = Runs::default();
    (5..37).for_each(|number| retired.insert(number * 2, number * 2 + 1));
    let crowded = Positions { exporters, retired, ..positions() };
    let slot = crowded.encode(1);
    assert_eq!(slot.len(), SLOT_BYTES);
    let (_, read) = Positions::parse(&slot).unwrap();
    assert_eq!(read.retired, crowded.retired);
    for position in &read.exporters {
        assert!(position.above.len() >= 2, "{}", position.above.len());
        assert!(position.above.iter().all(|(start, end)| above.count_within(start, end) == end - start));
    }
}

#[test]
fn one_exporter_has_the_whole_room() {
    let mut above = Runs::default();
    (0..150).for_each(|number| above.insert(number * 2, number * 2 + 1));
    let idle = |name: &str| Position { name: name.into(), ..Position::default() };
    let exporters = vec![idle("a"), Position { name: "otlp".into(), low: 0, above }, idle("b")];
    let full = Positions { exporters, ..positions() };
    assert_eq!(Positions::parse(&full.encode(1)).unwrap(), (1, full));
}

#[test]
fn segments_are_retired_in_any_order_and_only_so_many_apart() {
    let mut positions = Positions::default();
    assert!((1..33).all(|segment| positions.retire(segment * 2)));
    assert!(!positions.retire(66), "a thirty-third run");
    assert!(!positions.is_retired(66));
    assert!(positions.retire(0) && positions.retire(1));
    assert_eq!(positions.first_segment, 3);
    assert!(positions.retire(66) && positions.retire(66));
    assert!([0, 1, 2, 4, 64, 66].iter().all(|segment| positions.is_retired(*segment)));
    assert!([3, 5, 65, 67].iter().all(|segment| !positions.is_retired(*segment)));
}

#[test]
fn low_moves_over_blocks_that_were_never_owed() {
    let mut index = Index::default();
    index.add_segment(0, Segment { bytes: 0, live: 0, begun_nanos: 1, written_nanos: 1, salt: None });
    for number in 0..4 {
        // The second exporter is owed the last one only.
        let owed = Exporters::first(if number == 3 { 2 } else { 1 });
        let held = Held {
            segment: 0,
            offset: 0,
            payload_bytes: 0,
            records: 1,
            protected_records: 0,
            owed,
            unprocessed: false,
            readable: true,
        };
        index.insert(number, held);
    }
    let mut positions =
        Positions { exporters: vec![Position::default(), Position::default()], ..Positions::default() };
    let mut settle = |exporter, number| {
        index.settle(number, exporter).unwrap();
        positions.settle(exporter, number, &index, 4);
        positions.exporters[exporter].clone()
    };
    assert_eq!(settle(1, 3), Position { low: 4, ..Position::default() });
    assert_eq!(settle(0, 2).low, 0);
    assert_eq!(
        settle(0, 0),
        Position {
            low: 1,
            above: {
                let mut runs = Runs::default();
                runs.insert(2, 3);
                runs
            },
            ..Position::default()
        }
    );
    assert_eq!(settle(0, 1), Position { low: 3, ..Position::default() });
}

fn any_segment_header() -> impl Strategy<Value = SegmentHeader> {
    let names = vec(".{0,16}", 0..=16);
    (any::<[u8; 16]>(), any::<u64>(), any::<u32>(), any::<u64>(), any::<u64>(), names).prop_map(
        |(instance, boot, segment, first_number, created_nanos, exporters)| SegmentHeader {
            instance,
            boot,
            segment,
            first_number,
            created_nanos,
            exporters,
        },
    )
}

fn any_block_header() -> impl Strategy<Value = BlockHeader> {
    let sizes = (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>());
    let rest = (any::<u16>(), any::<u8>(), any::<u8>(), any::<u32>(), any::<u32>());
    (any::<[u64; 3]>(), sizes, rest).prop_map(|(longs, sizes, rest)| BlockHeader {
        number: longs[0],
        sequence: longs[1],
        written_nanos: longs[2],
        raw_bytes: sizes.0,
        payload_bytes: sizes.1,
        records: sizes.2,
        protected_records: sizes.3,
        payload_checksum: sizes.4,
        exporters: Exporters::from_bits(rest.0),
        codec: rest.1,
        flags: rest.2,
        key_id: rest.3,
        salt: rest.4,
    })
}

proptest! {
    #[test]
    fn a_segment_header_is_read_as_it_was_written(header in any_segment_header(), behind in vec(any::<u8>(), 0..99)) {
        let mut bytes = header.encode();
        let length = bytes.len() as u64;
        bytes.extend_from_slice(&behind);
        prop_assert_eq!(open_segment(&bytes), Opening::Segment(header, length));
    }

    #[test]
    fn a_block_header_is_read_as_it_was_written(header in any_block_header()) {
        let bytes = header.encode();
        prop_assert_eq!(BlockHeader::parse(&bytes, Some(header.salt)), Some(header));
        prop_assert_eq!(BlockHeader::parse(&bytes[..63], None), None);
    }

    #[test]
    fn a_changed_header_is_no_header(header in any_block_header(), at in 0..64usize, change in 1..=255u8) {
        let mut bytes = header.encode();
        bytes[at] ^= change;
        prop_assert_eq!(BlockHeader::parse(&bytes, None), None);
    }

    #[test]
    fn positions_are_read_as_they_were_written(
        generation in any::<u64>(), first_segment in any::<u32>(), lows in vec(any::<u64>(), 0..=16),
    ) {
        let exporters = lows.into_iter().enumerate();
        let exporters = exporters.map(|(index, low)| Position { name: format!("exporter {index}"), low, ..Position::default() });
        let positions = Positions { first_segment, exporters: exporters.collect(), ..positions() };
        prop_assert_eq!(Positions::parse(&positions.encode(generation)), Some((generation, positions)));
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in vec(any::<u8>(), 0..4096)) {
        let _ = open_segment(&bytes);
        let _ = BlockHeader::parse(&bytes, None);
        let _ = Positions::parse(&bytes);
    }

    #[test]
    fn a_changed_slot_of_positions_does_not_count(at in 0..SLOT_BYTES, change in 1..=255u8) {
        let mut slot = positions().encode(3);
        slot[at] ^= change;
        prop_assert_eq!(Positions::parse(&slot), None);
    }

    #[test]
    fn runs_are_a_set(inserted in vec((0..60u64, 0..6u64), 0..30), floor in 0..60u64, window in (0..70u64, 0..70u64)) {
        let mut runs = Runs::default();
        let mut set = BTreeSet::new();
        for (start, length) in inserted {
            runs.insert(start, start + length);
            set.extend(start..start + length);
        }
        runs.remove_below(floor);
        set.retain(|number| *number >= floor);
        let listed: BTreeSet<u64> = runs.iter().flat_map(|(start, end)| start..end).collect();
        prop_assert_eq!(&listed, &set);
        prop_assert!((0..70).all(|number| runs.contains(number) == set.contains(&number)));
        let ends: Vec<u64> = runs.iter().map(|(_, end)| end).collect();
        let starts: Vec<u64> = runs.iter().map(|(start, _)| start).collect();
        prop_assert!(ends.iter().zip(starts.iter().skip(1)).all(|(end, start)| end < start), "runs touch");
        let within = set.iter().filter(|number| (window.0..window.1).contains(number)).count() as u64;
        prop_assert_eq!(runs.count_within(window.0, window.1), within);
        prop_assert_eq!(runs.is_empty(), set.is_empty());
    }

    #[test]
    fn what_is_settled_is_settled_and_nothing_else(order in btree_set(0..40u64, 0..40)) {
        let mut index = Index::default();
        index.add_segment(0, Segment { bytes: 0, live: 0, begun_nanos: 1, written_nanos: 1, salt: None });
        let held = |_| Held { segment: 0, offset: 0, payload_bytes: 0, records: 1, protected_records: 0, owed: Exporters::first(1), unprocessed: false, readable: true };
        assert!((0..40).all(|number| index.insert(number, held(number))));
        assert!(!index.insert(7, held(7)), "a number names one block");
        let mut positions = Positions { exporters: vec![Position::default()], ..Positions::default() };
        for number in order.iter().rev() {
            index.settle(*number, 0).unwrap();
            positions.settle(0, *number, &index, 40);
        }
        let (_, read) = Positions::parse(&positions.encode(1)).unwrap();
        for number in 0..40 {
            prop_assert_eq!(read.exporters[0].is_settled(number), order.contains(&number));
        }
        prop_assert_eq!(index.pending_records(0), 40 - order.len() as u64);
    }
}
