//! Levels, rules and time boxes, against a slow reference.

use fapilog_native::rules::{matches, Chosen, Levels, Rule, Rules, Verdict};
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn rule(pattern: &str, enabled: bool, minimum_severity: Option<u8>, trace_based: bool) -> Rule {
    Rule { pattern: pattern.to_owned(), enabled, minimum_severity, trace_based }
}

fn levels(default: u8) -> Levels {
    Levels { default, by_name: vec![("shop.orders".to_owned(), 5)], chosen: true }
}

/// `*` and `?` by recursion: slow, and right by inspection.
fn reference(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['*', rest @ ..], _) => (0..=name.len()).any(|eaten| reference(rest, &name[eaten..])),
        (['?', rest @ ..], [_, after @ ..]) => reference(rest, after),
        ([c, rest @ ..], [d, after @ ..]) => c == d && reference(rest, after),
        _ => false,
    }
}

proptest! {
    #[test]
    fn a_pattern_matches_as_the_recursive_reference_says(pattern in "[ab*?.ä]{0,8}", name in "[ab.ä]{0,8}") {
        let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
        prop_assert_eq!(matches(&pattern, &name), reference(&p, &n));
    }
}

#[test]
fn the_first_matching_rule_applies_and_takes_the_place_of_the_level_only_if_it_names_one() {
    let rules = vec![
        rule("shop.noisy", false, None, false),
        rule("shop.*", true, None, true),
        rule("*", true, Some(17), false),
    ];
    let rules = Rules::new(levels(9), rules);
    let verdict = |enabled, threshold, trace_based| Verdict { enabled, threshold, trace_based };
    assert_eq!(rules.verdict("shop.noisy"), verdict(false, 9, false));
    assert_eq!(rules.verdict("shop.orders.a"), verdict(true, 5, true));
    assert_eq!(rules.verdict("shop.x"), verdict(true, 9, true));
    assert_eq!(rules.verdict("shop"), verdict(true, 17, false));
}

#[test]
fn the_checks_come_in_the_order_of_the_specification() {
    let open = Verdict { enabled: true, threshold: 9, trace_based: true };
    assert!(open.keeps(9, || false) && open.keeps(0, || false));
    assert!(!open.keeps(9, || true) && !open.keeps(0, || true));
    let unasked = || -> bool { unreachable!("the span is asked last") };
    assert!(!open.keeps(8, unasked));
    assert!(!Verdict { enabled: false, ..open }.keeps(24, unasked));
}

#[test]
fn a_time_box_ends_at_its_moment_and_leaves_what_was_set_for_good_meanwhile() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut rules = Rules::new(levels(9), Vec::new());
    assert_eq!(rules.until(), None);
    rules.set_levels(levels(1), Some(at(600)));
    rules.set_rules(vec![rule("*", false, None, false)], Some(at(300)));
    assert_eq!((rules.verdict("a").threshold, rules.verdict("a").enabled), (1, false));
    assert_eq!(rules.until(), Some(at(300)));
    rules.expire(at(299));
    assert!(!rules.verdict("a").enabled);
    rules.expire(at(300));
    assert_eq!((rules.verdict("a").threshold, rules.verdict("a").enabled), (1, true));
    rules.set_rules(vec![rule("*", true, None, true)], None);
    rules.expire(at(600));
    assert_eq!((rules.verdict("a").threshold, rules.verdict("a").trace_based), (9, true));
    assert_eq!(rules.until(), None);
}

#[test]
fn a_change_for_good_ends_the_time_box_of_its_kind() {
    let mut rules = Rules::new(levels(9), Vec::new());
    rules.set_levels(levels(1), Some(Instant::now() + Duration::from_secs(600)));
    rules.set_levels(levels(13), None);
    assert_eq!((rules.verdict("a").threshold, rules.until()), (13, None));
}

#[test]
fn the_floor_of_a_scope_names_who_chose_it() {
    let rules = |chosen, rules| Rules::new(Levels { chosen, ..levels(9) }, rules);
    assert_eq!(rules(false, vec![]).floor("shop"), (9, Chosen::Default));
    assert_eq!(rules(true, vec![]).floor("shop"), (9, Chosen::ForAll));
    assert_eq!(rules(false, vec![]).floor("shop.orders.a"), (5, Chosen::ByName));
    assert_eq!(rules(true, vec![rule("*", true, Some(1), false)]).floor("shop.orders"), (1, Chosen::ForAll));
    assert_eq!(rules(true, vec![rule("s*", true, Some(1), false)]).floor("shop.orders"), (1, Chosen::ByName));
    assert_eq!(rules(true, vec![rule("s*", true, None, true)]).floor("shop"), (9, Chosen::ForAll));
    let off = rules(true, vec![rule("s*", false, Some(1), false)]).floor("shop");
    assert_eq!(off, (Rules::NOTHING, Chosen::ByName));
}

#[test]
fn a_scope_of_the_api_has_no_minimum_where_nobody_chose_one() {
    let threshold =
        |chosen, rules, name| Rules::new(Levels { chosen, ..levels(9) }, rules).api_verdict(name).threshold;
    assert_eq!(threshold(false, vec![], "shop"), 0);
    assert_eq!(threshold(true, vec![], "shop"), 9);
    assert_eq!(threshold(false, vec![], "shop.orders"), 5);
    assert_eq!(threshold(false, vec![rule("shop", true, Some(13), false)], "shop"), 13);
    let own = Rules::new(Levels { chosen: false, ..levels(9) }, vec![]).verdict("shop");
    assert_eq!(own.threshold, 9);
}
