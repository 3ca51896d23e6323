"""The handler for `logging` behaves as a handler should, and ignores what delivers records."""

import contextvars
import gc
import logging
import logging.config
import threading
import weakref

import pytest
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

from fapilog import diagnostics
from fapilog.bridges import stdlib
from tests.unit.bridges.records import from_stdlib, handled, record
from tests.unit.recording import Recorder


@pytest.fixture
def recorder():
    with Recorder() as recorder:
        yield recorder


def test_with_a_formatter_the_body_is_what_it_makes(recorder):
    class Adding(logging.Formatter):
        def format(self, made):
            made.added = 1
            return super().format(made)

    handler = stdlib.FapilogHandler(recorder.provider.handle)
    handler.setFormatter(Adding("%(name)s: %(message)s"))
    handler.handle(record(msg="%d items", args=(2,)))
    assert recorder.only == from_stdlib(9, "INFO", "shop: 2 items", attributes={"added": 1})


def test_a_handler_of_a_dict_config_uses_the_pipeline_of_the_process(configure):
    telemetry = configure(capture_stdlib=False)
    logging.config.dictConfig(
        {
            "version": 1,
            "incremental": False,
            "disable_existing_loggers": False,
            "handlers": {"otel": {"class": "fapilog.bridges.stdlib.FapilogHandler", "level": "INFO"}},
            "loggers": {"billing": {"handlers": ["otel"], "level": "DEBUG", "propagate": False}},
        }
    )
    logging.getLogger("billing").debug("below")
    logging.getLogger("billing").info("x")
    logging.getLogger("billing").handlers.clear()
    assert telemetry.ledger().accepted == 1


def test_filters_decide_and_may_put_another_record_in_place(recorder):
    handler = stdlib.FapilogHandler(recorder.provider.handle)
    handler.addFilter(lambda made: made.msg != "refused")
    assert handler.handle(record(msg="refused")) is False
    assert handler.handle(record(msg="kept")) is True
    assert recorder.only.body == "kept"


def test_a_filter_that_raises_is_said_and_lets_the_record_pass(recorder, capsys):
    def broken(made):
        raise ValueError("no")

    diagnostics._voice.forget()
    handler = stdlib.FapilogHandler(recorder.provider.handle)
    handler.addFilter(broken)
    handler.handle(record(msg="x"))
    said = "fapilog: a filter of the logging bridge raised ValueError [stdlib-filter-failed]\n"
    assert (recorder.only.body, capsys.readouterr().err) == ("x", said)


def test_a_handler_is_called_as_logging_and_as_people_do(recorder):
    handler = stdlib.FapilogHandler(recorder.provider.handle)
    assert handler.handle(record=record(msg="a")) is True
    assert handler.emit(record(msg="b")) is None
    for wrong in ((), (record(), record())):
        with pytest.raises(TypeError, match="takes one argument"):
            handler.handle(*wrong)
    assert repr(handler) == "<FapilogHandler (NOTSET)>"
    assert [found.body for found in recorder.records] == ["a", "b"]


def test_structlog_s_message_for_its_formatter_is_read_as_an_event(recorder):
    event = {"event": "order placed", "level": "info", "order_id": 42, "timestamp": "2020-01-01T00:00:00Z"}
    found = handled(recorder, msg=event, _logger=logging.getLogger("shop"), _name="info")
    assert found == from_stdlib(9, "INFO", "order placed", attributes={"order_id": 42})


@pytest.mark.parametrize("thread", ["fapilog-deliver", "fapilog-export-x", "OtelBatchSpanRecordProcessor"])
def test_what_a_delivering_thread_logs_is_no_record(recorder, thread):
    handler = stdlib.FapilogHandler(recorder.provider.handle)
    for name in ("shop", "urllib3.connectionpool"):
        handler.handle(record(name=name, threadName=thread))
    assert recorder.records == []


def test_a_library_that_delivers_is_silent_only_while_it_delivers(recorder):
    handler = stdlib.FapilogHandler(recorder.provider.handle)
    handler.handle(record(name="urllib3.connectionpool", msg="of the application"))
    token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        handler.handle(record(name="urllib3.connectionpool", msg="of an exporter"))
        handler.handle(record(name="shop", msg="of the application, too"))
    finally:
        detach(token)
    assert [found.body for found in recorder.records] == ["of the application", "of the application, too"]


def test_code_that_runs_on_behalf_of_an_exporter_is_silent(recorder):
    def deliver():
        diagnostics.mark_delivering()
        stdlib.FapilogHandler(recorder.provider.handle).handle(record(name="my.exporter"))

    thread = threading.Thread(target=contextvars.Context().run, args=(deliver,), name="somebody's")
    thread.start()
    thread.join(10)
    assert recorder.records == []


def test_more_names_than_are_remembered_do_no_harm(recorder):
    handler = stdlib.FapilogHandler(recorder.provider.handle)
    for number in range(5_000):
        handler.handle(record(name=f"request-{number}", levelno=10))
    assert len({found.scope_name for found in recorder.records}) == 5_000


def test_handlers_and_their_loggers_can_be_collected(recorder):
    handler = stdlib.FapilogHandler(recorder.provider.handle)
    handler.handle(record())
    handler.itself = handler
    gone = weakref.ref(handler)
    del handler
    gc.collect()
    assert gone() is None


def test_a_record_is_not_kept_alive(recorder):
    made = record(msg="x")
    stdlib.FapilogHandler(recorder.provider.handle).handle(made)
    gone = weakref.ref(made)
    del made
    assert gone() is None
