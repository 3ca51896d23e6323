"""Hostile exceptions, and hostile records of `LogEvent`, `logging` and the OTel API: kept and harmless."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber

import fapilog
from fapilog.bridges.stdlib import FapilogHandler
from tests.property import hostile
from tests.property.conftest import Bench
from tests.property.neighbours import between_neighbours
from tests.property.values import values


class UnhappyError(Exception):
    __str__ = __repr__ = hostile.refuse


class OddNamesError(Exception):
    pass


OddNamesError.__module__ = 7  # type: ignore[assignment]


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def in_a_circle() -> BaseException:
    one, two = raised(ValueError("one")), raised(ValueError("two"))
    one.__cause__, two.__cause__ = two, one
    one.__context__, two.__context__ = one, two
    return one


def long_chain() -> BaseException:
    error: BaseException = raised(ValueError("first"))
    for number in range(2_000):
        following = raised(ValueError(str(number)))
        following.__cause__ = error
        error = following
    return error


def deep_group() -> BaseException:
    error: Exception = ValueError("innermost")
    for _ in range(500):
        error = ExceptionGroup("group", [error, UnhappyError()])
    return raised(error)


def deep_traceback() -> BaseException:
    def recurse() -> None:
        recurse()

    try:
        recurse()
    except RecursionError as error:
        return error
    raise AssertionError


def odd_notes() -> BaseException:
    error = raised(ValueError("x"))
    error.__notes__ = hostile.RaisesEverywhere()  # type: ignore[assignment]
    return error


@pytest.mark.parametrize(
    "make",
    [
        UnhappyError,
        OddNamesError,
        in_a_circle,
        long_chain,
        deep_group,
        deep_traceback,
        odd_notes,
        lambda: raised(ValueError("\ud800" * 50_000)),
        lambda: raised(ValueError("x" * 10_000_000)),
        lambda: ExceptionGroup("x", [in_a_circle()]),  # type: ignore[list-item]
        lambda: BaseExceptionGroup("x", [KeyboardInterrupt()]),
        lambda: SyntaxError("x", ("f", -1, 10**9, "\ud800", None, None)),
        lambda: KeyError(hostile.RaisesEverywhere()),
        lambda: UnicodeDecodeError("utf-8", b"x", 0, 1, "reason"),
    ],
)
def test_a_hostile_exception_keeps_its_type(bench: Bench, make: Callable[[], BaseException]):
    error = make()
    with between_neighbours(bench) as between:
        bench.log.error("x", exc_info=error)
        bench.log.emit_record(body="x", exception=error)
        try:
            raise error
        except BaseException:
            bench.log.exception("x")
    assert [record.body for record in between] == ["x"] * 3
    assert {type(error).__qualname__ in record.attributes["exception.type"] for record in between} == {True}


def test_logging_an_exception_where_there_is_none_keeps_the_record(bench: Bench):
    with between_neighbours(bench) as between:
        bench.log.exception("x")
        for odd in (True, False, None, 7, "text", (1, 2, 3), (None, None, None), object()):
            bench.log.info("x", exc_info=odd)
    assert [(record.body, record.attributes) for record in between] == [("x", {})] * 9


EVENT_FIELDS = ["message", "level", "source", "context", "tags", "severity", "timestamp"]


@given(
    fields=st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("message", "level", "source", "context", "tags", "severity", "timestamp"), values
        ),
    )
)
@settings(deadline=None)
def test_a_log_event_that_was_never_validated_does_no_harm(bench: Bench, fields: dict[str, Any]):
    event = fapilog.LogEvent.model_construct(**{"message": "x"} | fields)
    with between_neighbours(bench):
        bench.log.emit(event)


@pytest.mark.parametrize(
    "event", [None, 7, "text", hostile.RaisesEverywhere(), object], ids=lambda event: type(event).__name__
)
def test_what_is_no_log_event_is_refused_and_counted(bench: Bench, event: Any):
    before = bench.provider.ledger().refused["capture_failed"]
    with between_neighbours(bench) as between:
        bench.log.emit(event)
    assert between == []
    assert bench.provider.ledger().refused["capture_failed"] == before + 1


def stdlib_record(**fields: Any) -> logging.LogRecord:
    record = logging.LogRecord("shop", logging.INFO, "f.py", 1, "x", None, None)
    vars(record).update(fields)
    return record


@pytest.mark.parametrize(
    "fields",
    [
        {"msg": "%s %s", "args": (1,)},
        {"msg": "%d", "args": ("one",)},
        {"msg": hostile.RaisesEverywhere()},
        {"msg": hostile.RaisesEverywhere(), "args": (1,)},
        {"name": "\ud800"},
        {"name": None},
        {"name": hostile.RaisesEverywhere()},
        {"levelno": "high"},
        {"levelno": None},
        {"levelno": 10**30},
        {"levelno": -5},
        {"levelno": float("nan")},
        {"created": float("nan")},
        {"created": -1.0},
        {"created": None},
        {"created": 1e300},
        {"exc_info": (1, 2, 3)},
        {"exc_info": True},
        {"exc_info": (UnhappyError, UnhappyError(), None)},
        {"stack_info": 7},
        {"extra": hostile.RaisesEverywhere(), "list": hostile.RaisingList()},
        {"\ud800": 1, 7: 2},
    ],
    ids=lambda fields: " ".join(map(ascii, fields)),
)
def test_a_hostile_record_of_logging_is_kept(bench: Bench, fields: dict[Any, Any]):
    record = stdlib_record() if 7 in fields else stdlib_record(**fields)
    vars(record).update(fields)
    with between_neighbours(bench) as between:
        FapilogHandler(bench.provider.handle).handle(record)
    assert len(between) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"timestamp": -1},
        {"timestamp": 2**64},
        {"timestamp": 1.5},
        {"timestamp": "now"},
        {"observed_timestamp": -1},
        {"severity_number": 9},
        {"severity_number": 999},
        {"severity_number": "high"},
        {"severity_text": 7},
        {"severity_text": "\ud800"},
        {"event_name": "\ud800"},
        {"event_name": 7},
        {"event_name": hostile.StrIsNoText()},
        {"attributes": 7},
        {"attributes": [1]},
        {"attributes": hostile.RaisingMapping()},
        {"attributes": hostile.ItemsAreNoPairs()},
        {"attributes": {None: 1, 7: 2, hostile.HashableUnprintable(): 3}},
        {"body": hostile.RaisesEverywhere()},
        {"context": 7},
        {"context": {}},
        {"exception": 7},
        {"exception": UnhappyError()},
    ],
    ids=" ".join,
)
def test_a_hostile_record_of_the_otel_api_is_kept(bench: Bench, fields: dict[str, Any]):
    logger = bench.provider.get_logger("otel")
    record = LogRecord(body="x", severity_number=SeverityNumber.INFO)
    for name, value in fields.items():
        setattr(record, name, value)
    with between_neighbours(bench) as between:
        logger.emit(record)
        logger.emit(**({"body": "x"} | fields))
    assert len(between) == 2


@pytest.mark.parametrize("name", ["\ud800", "", "x" * 100_000, 7, None])
def test_a_logger_of_any_name_logs(bench: Bench, name: Any):
    with between_neighbours(bench) as between:
        bench.provider.get_logger(name, version="\ud800", schema_url="\ud800").emit(body="x")
    assert [record.body for record in between] == ["x"]
    assert fapilog.get_logger(name) is not None
