"""Any record of `logging`, structlog or loguru: kept, harmless, and the same on either path."""

import contextlib
import logging
from types import SimpleNamespace
from typing import Any

import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.bridges import loguru
from fapilog.bridges.stdlib import FapilogHandler
from fapilog.bridges.structlog import FapilogProcessor
from fapilog.testing.decoding import decode_log_record
from tests.property import hostile
from tests.property.conftest import Bench
from tests.property.neighbours import between_neighbours
from tests.property.values import values

ADDED = ["message", "taskName", "otelTraceID", "otel.event.name", "event.name"]
FIELDS = [*vars(logging.makeLogRecord({})), *ADDED]
EVENT = st.sampled_from(["event", "level", "timestamp", "exc_info", "a"]) | st.text()
LOGURU = st.sampled_from(["message", "level", "extra", "exception", "time", "name"])
anything = values | st.sampled_from(list(hostile.VALUES.values())).map(lambda made: made[0]())
records = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), anything, max_size=6)


def made(fields: dict[str, Any]) -> logging.LogRecord:
    record = logging.LogRecord("shop", logging.INFO, "f.py", 1, "%s", ("x",), None, "sell")
    vars(record).update(fields)
    return record


@given(fields=records)
@settings(deadline=None)
def test_a_record_with_any_attributes_is_kept_and_left_as_it_was(bench: Bench, fields: dict[str, Any]):
    record = made(fields)
    before = dict(vars(record))
    handler = FapilogHandler(bench.provider.handle)
    with between_neighbours(bench) as between:
        handler.handle(record)
        handler.handle(record)
    assert len(between) == 1
    assert [name for name in before if vars(record)[name] is not before[name]] == []
    assert vars(record).keys() == before.keys()


@given(fields=records)
@settings(deadline=None)
def test_a_record_that_the_hook_offers_never_raises(bench: Bench, fields: dict[str, Any]):
    from fapilog import _native

    logger, record = logging.getLogger("shop"), made(fields)
    # What logging itself makes of such a record is its own business.
    call_handlers = _native.call_handlers(logging.Logger, lambda logger, record: None)
    _native.hook_handlers([FapilogHandler(bench.provider.handle)])
    try:
        with between_neighbours(bench):
            call_handlers(logger, record)
            call_handlers(logger, logger)
    finally:
        _native.hook_handlers([])
        _native.call_handlers(logging.Logger, logging.Logger.callHandlers)


plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()


@given(
    extra=st.dictionaries(st.text(max_size=8), plain | st.lists(plain, max_size=3), max_size=5),
    msg=plain,
    args=st.tuples() | st.tuples(plain) | st.none(),
    levelno=st.integers(-5, 70),
    created=st.floats(0, 2e9),
    texts=st.fixed_dictionaries({}, optional={"stack_info": st.text(), "exc_text": st.text()}),
)
@settings(deadline=None)
def test_both_paths_make_the_same_record(bench: Bench, extra, msg, args, levelno, created, texts):
    fields = {"msg": msg, "args": args, "levelno": levelno, "created": created} | texts
    record = made({key: value for key, value in extra.items() if key not in FIELDS} | fields)
    handler = FapilogHandler(bench.provider.handle)
    bench.encoded.clear()
    handler.handle(record)
    handler._take_carefully(record, None)
    native, careful = (decode_log_record(encoded) for encoded in bench.encoded)
    bench.encoded.clear()
    assert native == careful


@given(
    event=st.dictionaries(
        st.sampled_from(["event", "level", "timestamp", "exc_info", "a"]) | st.text(), anything
    )
)
@settings(deadline=None)
def test_any_event_of_structlog_does_no_harm(bench: Bench, event: dict[str, Any]):
    processor = FapilogProcessor(bench.provider.handle)
    with between_neighbours(bench), contextlib.suppress(structlog.DropEvent):
        processor(None, "info", event)


@given(
    record=st.dictionaries(
        st.sampled_from(["message", "level", "extra", "exception", "time", "name"]), anything
    )
)
@settings(deadline=None)
def test_any_record_of_loguru_does_no_harm(bench: Bench, record: dict[str, Any]):
    with between_neighbours(bench):
        loguru.Sink(bench.provider.handle)(SimpleNamespace(record=record))
