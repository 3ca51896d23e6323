"""LogEvent: validated, frozen, and mapped to the logs data model by the documented table."""

import importlib
import pkgutil
from datetime import UTC, datetime, timedelta, timezone

import opentelemetry.semconv._incubating.attributes as incubating
import opentelemetry.semconv.attributes as stable
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fapilog.category import EventCategory
from fapilog.event import CONTEXT_NAMES, EventRecord, LogEvent
from fapilog.severity import Severity


def test_a_full_event_becomes_a_record_of_the_data_model():
    event = LogEvent(
        message="order placed",
        level="Notice",
        timestamp=datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=UTC),
        source="shop.orders",
        category="business",
        severity=4,
        tags={"shop": "berlin"},
        context={
            "user_id": 7,
            "client_ip": "10.0.0.1",
            "method": "POST",
            "path": "/o",
            "status_code": 201,
            "x": [],
        },
        metrics={"duration": 12},
        correlation_id="c-1",
        event_name="order.placed",
    )
    assert event.to_record() == EventRecord(
        severity_number=10,
        severity_text="Notice",
        body="order placed",
        time_unix_nano=1_795_248_000_123_456_000,
        scope_name="shop.orders",
        event_name="order.placed",
        attributes={
            "user.id": 7,
            "client.address": "10.0.0.1",
            "http.request.method": "POST",
            "url.path": "/o",
            "http.response.status_code": 201,
            "x": [],
            "fapilog.tag.shop": "berlin",
            "fapilog.metric.duration": 12.0,
            "fapilog.event.severity": 4,
            "fapilog.event.category": "business",
            "fapilog.correlation_id": "c-1",
        },
    )


def test_a_bare_event_leaves_time_scope_and_name_to_the_logger():
    assert LogEvent(message="m").to_record() == EventRecord(9, "INFO", "m", None, None, None, {})


@pytest.mark.parametrize(
    ("given_level", "given_severity", "number", "text"),
    [
        (None, None, 9, "INFO"),
        ("warning", None, 13, "warning"),
        (Severity.ERROR3, None, 19, "ERROR3"),
        (None, 8, 19, "ERROR3"),
        ("debug", 10, 5, "debug"),
    ],
)
def test_level_decides_the_severity_number_and_the_scale_to_ten_only_without_it(
    given_level, given_severity, number, text
):
    record = LogEvent(message="m", level=given_level, severity=given_severity).to_record()
    assert (record.severity_number, record.severity_text) == (number, text)


def test_semantic_names_are_those_of_the_conventions():
    names = set()
    for package in (stable, incubating):
        for module in pkgutil.iter_modules(package.__path__):
            constants = vars(importlib.import_module(f"{package.__name__}.{module.name}")).values()
            names |= {value for value in constants if isinstance(value, str)}
    assert set(CONTEXT_NAMES.values()) - names == set()


def test_a_context_key_keeps_its_own_name_when_the_semantic_one_is_taken():
    context = {"user_id": 1, "user.id": 2, "client_ip": "a", "client_address": "b"}
    assert LogEvent(message="m", context=context).to_record().attributes == {
        "user_id": 1,
        "user.id": 2,
        "client.address": "a",
        "client_address": "b",
    }


def test_fields_of_the_event_win_over_context_keys_of_the_same_name():
    event = LogEvent(message="m", severity=1, context={"fapilog.event.severity": "forged"})
    assert event.to_record().attributes == {"fapilog.event.severity": 1}


def test_an_event_is_frozen_and_does_not_share_the_callers_mappings():
    tags = {"a": "1"}
    event = LogEvent(message="m", tags=tags)
    tags["a"] = "2"
    assert event.tags == {"a": "1"}
    with pytest.raises(ValidationError):
        event.message = "other"


@pytest.mark.parametrize(
    "wrong",
    [
        {"level": "loud"},
        {"level": 30},
        {"severity": 0},
        {"severity": 11},
        {"severity": "5"},
        {"timestamp": datetime(2026, 1, 1)},
        {"timestamp": datetime(1969, 12, 31, tzinfo=UTC)},
        {"timestamp": -1},
        {"timestamp": 2**64},
        {"timestamp": 1.5},
        {"timestamp": True},
        {"timestamp": "1767225600"},
        {"category": "weather"},
        {"metrics": {"a": "many"}},
        {"unknown": 1},
    ],
    ids=str,
)
def test_what_has_no_representation_is_refused(wrong):
    with pytest.raises(ValidationError):
        LogEvent(message="m", **wrong)


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_nanoseconds_are_kept_as_they_are(nanoseconds):
    assert LogEvent(message="m", timestamp=nanoseconds).to_record().time_unix_nano == nanoseconds


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2500, 1, 1)),
    st.integers(min_value=-14 * 60, max_value=14 * 60),
)
def test_a_datetime_becomes_nanoseconds_without_rounding(naive, offset_minutes):
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    nanoseconds = LogEvent(message="m", timestamp=moment).to_record().time_unix_nano
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert epoch + timedelta(microseconds=nanoseconds // 1_000) == moment
    assert nanoseconds % 1_000 == 0


def test_an_event_can_be_read_from_json():
    event = LogEvent.model_validate_json(
        '{"message": "m", "timestamp": "2026-01-01T00:00:00Z", "category": "error"}'
    )
    assert (event.category, event.to_record().time_unix_nano) == (
        EventCategory.ERROR,
        1_767_225_600_000_000_000,
    )


def test_the_six_categories_are_their_own_text():
    assert [str(category) for category in EventCategory] == [
        *("error", "performance", "security", "business", "system", "compliance"),
    ]
