"""The table of errors, row by row."""

import pytest
from confluent_kafka import KafkaError

from fapilog_exporter_kafka.reports import TAKEN, Fate, Report, read

ROWS = [
    (KafkaError.MSG_SIZE_TOO_LARGE, Fate.TOO_LARGE, "message_too_large", False),
    (KafkaError.RECORD_LIST_TOO_LARGE, Fate.TOO_LARGE, "message_too_large", False),
    (KafkaError.INVALID_RECORD, Fate.REFUSED, "INVALID_RECORD", False),
    (KafkaError.POLICY_VIOLATION, Fate.REFUSED, "POLICY_VIOLATION", False),
    (KafkaError.TOPIC_EXCEPTION, Fate.REFUSED, "TOPIC_EXCEPTION", False),
    (KafkaError.INVALID_TIMESTAMP, Fate.REFUSED, "INVALID_TIMESTAMP", False),
    (KafkaError.UNSUPPORTED_COMPRESSION_TYPE, Fate.REFUSED, "UNSUPPORTED_COMPRESSION_TYPE", False),
    (KafkaError.TOPIC_AUTHORIZATION_FAILED, Fate.LATER, "TOPIC_AUTHORIZATION_FAILED", False),
    (KafkaError.CLUSTER_AUTHORIZATION_FAILED, Fate.LATER, "CLUSTER_AUTHORIZATION_FAILED", False),
    (KafkaError.UNKNOWN_TOPIC_OR_PART, Fate.LATER, "UNKNOWN_TOPIC_OR_PART", False),
    (KafkaError.NOT_ENOUGH_REPLICAS, Fate.LATER, "NOT_ENOUGH_REPLICAS", False),
    (KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND, Fate.LATER, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", True),
    (KafkaError.REQUEST_TIMED_OUT, Fate.LATER, "REQUEST_TIMED_OUT", True),
    (KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, Fate.LATER, "OUT_OF_ORDER_SEQUENCE_NUMBER", True),
    (KafkaError.UNKNOWN, Fate.LATER, "UNKNOWN", True),
    (KafkaError._MSG_TIMED_OUT, Fate.LATER, "_MSG_TIMED_OUT", True),
    (KafkaError._TRANSPORT, Fate.LATER, "_TRANSPORT", True),
    (KafkaError._PURGE_QUEUE, Fate.LATER, "_PURGE_QUEUE", False),
    (KafkaError._PURGE_INFLIGHT, Fate.LATER, "_PURGE_INFLIGHT", True),
    (KafkaError._UNKNOWN_TOPIC, Fate.LATER, "_UNKNOWN_TOPIC", False),
]


@pytest.mark.parametrize(("code", "fate", "reason", "uncertain"), ROWS)
def test_each_error_has_its_fate(code, fate, reason, uncertain):
    report = read(KafkaError(code))
    assert (report.fate, report.reason, report.uncertain) == (fate, reason, uncertain)
    assert report.cause


def test_no_error_is_delivered():
    assert read(None) == TAKEN == Report(Fate.TAKEN)


def test_an_error_that_nobody_knows_never_drops_a_record():
    known = {row[2] for row in ROWS} | {
        "INVALID_REQUIRED_ACKS",
        "UNSUPPORTED_FOR_MESSAGE_FORMAT",
        "_INVALID_ARG",
    }
    reports = [read(KafkaError(code)) for code in range(-210, 150) if code]
    assert [each for each in reports if each.fate is not Fate.LATER and each.reason not in known] == []


def test_secrets_are_hidden_in_what_is_shown():
    error = KafkaError(KafkaError._AUTHENTICATION, "the password was pass-phrase")
    report = read(error, lambda text: text.replace("pass-phrase", "***"))
    assert "pass-phrase" not in report.cause
    assert "check sasl_mechanism" in report.cause


def test_a_fatal_error_is_one_for_the_producer():
    assert read(KafkaError(KafkaError._FATAL, fatal=True)).fatal
