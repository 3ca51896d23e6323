//! Stage 2: ids of requests: UUIDs of version 7 without dashes, unique, in the order of time.

use fapilog_native::record::correlation::Ids;
use std::collections::BTreeSet;

const MILLI: u64 = 1_000_000;

fn text(id: [u8; 32]) -> String {
    String::from_utf8(id.to_vec()).unwrap()
}

#[test]
fn an_id_begins_with_its_time_and_says_version_and_variant() {
    // The example of RFC 9562, A.6.
    let mut ids = Ids::draw();
    for _ in 0..1_000 {
        let id = text(ids.next(0x017f_22e2_79b0 * MILLI + 999_999));
        assert_eq!(&id[..13], "017f22e279b07");
        assert!("89ab".contains(&id[16..17]), "{id}");
        assert!(id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)), "{id}");
    }
}

#[test]
fn ids_of_one_moment_differ_and_those_of_a_later_one_sort_behind() {
    let mut ids = Ids::draw();
    let now: BTreeSet<_> = (0..10_000).map(|_| text(ids.next(5 * MILLI))).collect();
    assert_eq!(now.len(), 10_000);
    assert!(now.last().unwrap() < &text(ids.next(6 * MILLI)));
}

#[test]
fn processes_draw_different_ids_and_a_child_knows_that_it_is_one() {
    let drawn: BTreeSet<_> = (0..1_000).map(|_| text(Ids::draw().next(0))).collect();
    assert_eq!(drawn.len(), 1_000);
    assert!(!Ids::draw().are_inherited());
}

#[test]
fn the_largest_time_fits() {
    assert_eq!(text(Ids::draw().next(u64::MAX)).len(), 32);
}
