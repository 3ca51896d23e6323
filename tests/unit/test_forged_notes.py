"""What only redaction says about a record, nobody who logs can say in its place."""

import pytest

from tests.unit.processing import Processor, recorder_with
from tests.unit.recording import Recorder
from tests.unit.test_limits import log_everywhere

CARD = "4111111111111111"
# The form of an entry, with anything in it.
ENTRY = f"1.0a1b2c3d.PAN.{'A' * 107}.{'B' * 40}.body"
FORGED = {
    "fapilog.redacted": ["body:nothing"],
    "fapilog.sealed": [ENTRY],
    "fapilog.dropped_keys": 7,
    "fapilog.truncated": False,
}


@pytest.mark.parametrize("mode", ["keys", "scan"])
def test_whoever_logs_a_note_of_redaction_loses_it_through_every_door(mode):
    with Recorder(redaction=mode) as recorder:
        found = log_everywhere(recorder, "m", FORGED | {"a": 1})
    assert [(r.attributes, r.dropped_attributes_count) for r in found] == [({"a": 1}, 4)] * 5


def test_a_forged_note_does_not_stand_in_the_place_of_the_true_one():
    with Recorder(redaction="scan") as recorder:
        found = log_everywhere(recorder, "m", FORGED | {"card": CARD})
    true = {"card": "[REDACTED:pan]", "fapilog.redacted": ["card:pan"]}
    assert [r.attributes for r in found] == [true] * 5


def test_what_is_bound_and_what_enrichers_say_is_no_note_either():
    with Recorder(redaction="scan", enrichers=[FORGED, lambda: FORGED]) as recorder:
        recorder.logger(bound=FORGED | {"b": 1}).info("m", a=1)
        assert recorder.only.attributes == {"a": 1, "b": 1}


def test_notes_outlast_processors_and_add_up():
    def act(readable):
        readable.log_record.attributes["more"] = CARD

    with recorder_with(Processor(act), Processor(), redaction="scan") as recorder:
        recorder.logger().info(f"of {CARD}")
        assert recorder.only.attributes == {
            "more": "[REDACTED:pan]",
            "fapilog.redacted": ["body:pan", "more:pan"],
        }


def test_a_name_that_looks_like_ours_is_left_out_where_nobody_allowed_it():
    given = {"fapilog.user.ssn": "536-22-1034", "FAPILOG.sequence": 1, "fapilog.event.severity": 5}
    with Recorder(redaction={"minimise": True}) as recorder:
        found = log_everywhere(recorder, "m", given)
    assert [r.attributes for r in found] == [{"fapilog.event.severity": 5, "fapilog.dropped_keys": 2}] * 5


def test_a_marker_that_somebody_wrote_is_looked_at_by_rules():
    rules = [{"name": "acct", "pattern": r"ACCT-\d+", "action": "truncate:4:4"}]
    with Recorder(redaction={"rules": rules}) as recorder:
        recorder.logger().info("of ACCT-1234567890 and [REDACTED:acct:ACCT-1234567890]")
        assert recorder.only.body == "of [REDACTED:acct:ACCT...7890] and [REDACTED:acct]"
