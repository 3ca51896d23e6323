//! The list of names that fapilog gives attributes holds those that the stages write.

use fapilog_native::flight::{BEFORE_KEY, EVICTED_KEY, REASON_KEY};
use fapilog_native::process::dedupe::COUNT_KEY;
use fapilog_native::process::WEIGHT_KEY;
use fapilog_native::record::own::{is_note, is_ours};
use fapilog_native::record::SEQUENCE_KEY;
use fapilog_native::redact::actions::seal::SEALED_KEY;
use fapilog_native::redact::truncate::TRUNCATED_KEY;
use fapilog_native::redact::values::{DROPPED_KEYS_KEY, REDACTED_KEY};

#[test]
fn every_name_of_a_stage_is_in_the_list() {
    let notes = [DROPPED_KEYS_KEY, REDACTED_KEY, SEALED_KEY, TRUNCATED_KEY];
    let others = [BEFORE_KEY, COUNT_KEY, EVICTED_KEY, REASON_KEY, SEQUENCE_KEY, WEIGHT_KEY];
    for name in notes {
        assert!(is_note(name) && is_ours(name), "{name}");
    }
    for name in others {
        assert!(!is_note(name) && is_ours(name), "{name}");
    }
}

#[test]
fn a_name_is_known_by_its_exact_spelling_alone() {
    for name in ["fapilog", "fapilog.", "Fapilog.sequence", "fapilog.sequence.x", "fapilog.tag.sequence", ""]
    {
        assert!(!is_ours(name) && !is_note(name), "{name}");
    }
}
