//! The spool's small pure parts: names of directories, pauses after errors, quotas.

use fapilog_native::spool::identity::{service_of, Identity};
use fapilog_native::spool::quota::Quota;
use fapilog_native::spool::retry::{Backoff, Recovered};
use proptest::prelude::*;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

#[test]
fn a_minimum_of_free_space_is_left() {
    let quota = Quota { max_bytes: 1_000, min_free_bytes: 500 };
    assert!(quota.admit(900, 100, Some(600)).is_ok());
    assert!(quota.admit(900, 100, None).is_ok());
    assert_eq!(
        quota.admit(0, 100, Some(599)).unwrap_err().to_string(),
        "the file system has 599 bytes free and a block of 100 would leave less than the 500 that the spool must \
         leave; free some, or lower the minimum"
    );
    assert!(quota.admit(u64::MAX, u64::MAX, Some(0)).is_err());
}

#[test]
fn the_disk_is_tried_again_after_pauses_that_grow() {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
    assert!(backoff.may_try(0));
    assert!(backoff.failed(10 * SECOND, 1.0), "the first failure is worth a notice");
    assert_eq!((backoff.may_try(11 * SECOND - 1), backoff.may_try(11 * SECOND)), (false, true));
    assert!(!backoff.failed(11 * SECOND, 0.0), "the second is not");
    assert_eq!((backoff.may_try(12 * SECOND - 1), backoff.may_try(12 * SECOND)), (false, true));
    (0..100).for_each(|_| assert!(!backoff.failed(20 * SECOND, 1.0)));
    assert_eq!((backoff.may_try(25 * SECOND - 1), backoff.may_try(25 * SECOND)), (false, true));
    let ended = Recovered { failures: 102, lasted: Duration::from_secs(20) };
    assert_eq!(backoff.succeeded(30 * SECOND), Some(ended));
    assert_eq!((backoff.succeeded(31 * SECOND), backoff.may_try(0)), (None, true));
    assert!(backoff.failed(u64::MAX, f64::NAN));
}

#[test]
fn a_service_keeps_its_name_where_it_can_and_two_stay_two() {
    let name =
        |service: &str| Identity { service: service.into(), boot: 1, process: 2, started: 3 }.directory(0);
    assert_eq!(name("shop-api.v2"), "shop-api.v2-0000000000000001-2-3");
    let odd =
        ["a/b", "a_b", "a b", "..", ".", "", "../../etc", "é", &"x".repeat(65), &"x".repeat(66), "a\nb"];
    let names: std::collections::BTreeSet<String> = odd.iter().map(|service| name(service)).collect();
    assert_eq!(names.len(), odd.len());
    for name in &names {
        assert!(name.len() <= 128 && !name.starts_with('.') && !name.contains(['/', '\n', ' ']), "{name}");
        assert!(service_of(name).is_some(), "{name}");
    }
}

#[test]
fn only_names_of_ours_are_siblings() {
    let identity = Identity { service: "shop".into(), boot: 1, process: 2, started: 3 };
    assert!(identity.is_sibling(&identity.directory(0)) && identity.is_sibling(&identity.directory(12)));
    let foreign = [
        "shop",
        "shop-1-2-3",
        "shop-api-0000000000000001-2-3",
        "-0000000000000001-2-3",
        "shop-0000000000000001-2-",
        "shop-0000000000000001-x-3",
        "shop-000000000000000g-2-3",
        "shop-0000000000000001-2-3.x",
        "lost+found",
    ];
    assert_eq!(
        foreign.iter().filter(|name| identity.is_sibling(name)).collect::<Vec<_>>(),
        Vec::<&&str>::new()
    );
}

#[test]
fn this_process_has_an_identity() {
    let identity = Identity::of_this_process("shop");
    assert_eq!(identity.process, std::process::id());
    assert_eq!(identity, Identity::of_this_process("shop"));
}

proptest! {
    #[test]
    fn the_service_is_read_back_from_any_name(service in ".{0,80}", boot: u64, process: u32, started: u64, attempt in 0..99u32) {
        let identity = Identity { service, boot, process, started };
        prop_assert!(identity.is_sibling(&identity.directory(attempt)));
    }
}
