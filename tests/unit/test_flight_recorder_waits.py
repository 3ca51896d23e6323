"""A promotion ends: whatever is logged meanwhile, without room, with Ctrl-C, in a forked child."""

import asyncio
import os
import signal
import threading
import time
from contextlib import contextmanager

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from tests.unit.flights import Recording, terms
from tests.unit.processing import Processor
from tests.unit.test_backpressure import filled, full_buffer

TEST_TIMEOUT = 30
KEPT = 40
PADDING = "x" * 400


def lost(recording, reason="wait_timeout"):
    return recording.provider.ledger().exporters["otlp"].dropped[reason]


def test_what_a_processor_logs_meanwhile_goes_on_at_once():
    with Recording() as recording:
        log = recording.logger()
        processor = Processor(lambda record: len(processor.seen) < 500 and log.debug("seen"))
        recording.provider.add_log_record_processor(processor)
        with recording.span():
            log.debug("one")
            log.debug("two")
            log.error("three")
        assert recording.shown == [
            ("seen", "error"),
            ("one", "error"),
            ("seen", "error"),
            ("two", "error"),
            ("seen", "error"),
            ("three", None),
        ]
        assert terms(recording.provider.ledger()) == (6, 0, 0, 6)


def test_what_another_thread_logs_meanwhile_goes_on_at_once():
    with Recording() as recording:
        log = recording.logger()

        def elsewhere(record):
            if len(processor.seen) < 500 and record.log_record.body != "elsewhere":
                thread = threading.Thread(target=emit, args=(trace.get_current_span(),))
                thread.start()
                thread.join(TEST_TIMEOUT)

        def emit(span):
            with trace.use_span(span):
                log.debug("elsewhere")

        processor = Processor(elsewhere)
        recording.provider.add_log_record_processor(processor)
        with recording.span():
            log.debug("one")
            log.error("two")
        assert recording.shown == [
            ("elsewhere", "error"),
            ("one", "error"),
            ("elsewhere", "error"),
            ("two", None),
        ]


def test_all_records_of_a_promotion_wait_until_one_deadline():
    with full_buffer(wait_timeout_millis=100, make=Recording) as (recording, _):
        pending = asyncio.run(filled(recording))
        while not pending.is_decided():
            time.sleep(0.01)
        log = recording.logger()
        before = lost(recording)
        with recording.span():
            for _ in range(KEPT):
                log.debug(PADDING)
            began = time.monotonic()
            log.error(PADDING)
            # One after the other they would take four seconds.
            assert time.monotonic() - began < 3
            assert lost(recording) - before == KEPT + 1
        before = lost(recording)
        with recording.span() as span:
            for _ in range(KEPT):
                log.debug(PADDING)
            span.set_status(StatusCode.ERROR)
            began = time.monotonic()
        assert time.monotonic() - began < 3
        assert lost(recording) - before == KEPT
        # The next call has a deadline of its own.
        began = time.monotonic()
        log.error(PADDING)
        assert time.monotonic() - began >= 0.1


def test_what_a_processor_logs_during_a_promotion_waits_until_the_same_deadline():
    with full_buffer(wait_timeout_millis=100, make=Recording) as (recording, _):
        asyncio.run(filled(recording))
        log = recording.logger()
        recording.provider.add_log_record_processor(Processor(lambda _: log.warning(PADDING)))
        with recording.span():
            for _ in range(KEPT):
                log.debug(PADDING)
            began = time.monotonic()
            log.error(PADDING)
        assert time.monotonic() - began < 3


class Pressed(BaseException):
    """What the handler of a signal raises."""


@contextmanager
def signal_while_it_waits(recording, handler):
    """Send a signal to the main thread as soon as one record more waits for room."""

    def pending():
        return recording.provider.ledger().exporters["otlp"].pending

    def watch():
        while pending() <= before and not ended.is_set():
            time.sleep(0.001)
        signal.pthread_kill(main, signal.SIGUSR1)

    before, ended, main = pending(), threading.Event(), threading.main_thread().ident
    outer = signal.signal(signal.SIGUSR1, handler)
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(TEST_TIMEOUT)
        signal.signal(signal.SIGUSR1, outer)


def press(*_):
    raise Pressed


def test_one_interrupt_ends_all_waits_of_a_promotion_and_the_records_stay_in_the_queue():
    with full_buffer(wait_timeout_millis=600_000, make=Recording) as (recording, answered):
        pending = asyncio.run(filled(recording))
        log = recording.logger()
        with recording.span(record_exception=False):
            for _ in range(3):
                log.debug("kept")
            with signal_while_it_waits(recording, press), pytest.raises(Pressed):
                log.error("failed")
        ledger = recording.provider.ledger()
        assert ledger.exporters["otlp"].pending == ledger.accepted
        answered.set()
        assert recording.provider.force_flush(10_000)
        assert pending.is_decided()
        assert recording.provider.ledger().exporters["otlp"].delivered == ledger.accepted


def test_a_signal_handler_that_raises_nothing_ends_no_wait():
    with full_buffer(wait_timeout_millis=600_000, make=Recording) as (recording, answered):
        pending = asyncio.run(filled(recording))
        log = recording.logger()
        with recording.span():
            for _ in range(3):
                log.debug("kept")
            with signal_while_it_waits(recording, lambda *_: answered.set()):
                log.error("failed")
        assert pending.is_decided()
        assert [shown for shown in recording.shown if shown[1]] == [("kept", "error")] * 3
        assert recording.shown[-1] == ("failed", None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_a_child_that_a_signal_handler_forks_during_a_promotion_leaves_the_records_to_its_parent():
    children = []

    def fork(*_):
        children.append(os.fork())
        if children[-1]:
            answered.set()
        else:
            signal.alarm(TEST_TIMEOUT)

    with full_buffer(wait_timeout_millis=600_000, make=Recording) as (recording, answered):
        pending = asyncio.run(filled(recording))
        log = recording.logger()
        with recording.span():
            for _ in range(3):
                log.debug("kept")
            with signal_while_it_waits(recording, fork):
                log.error("failed")
                if children == [0]:
                    os._exit(7 if recording.provider.ledger().offered == 0 else 8)
        _, status = os.waitpid(children[0], 0)
        assert os.waitstatus_to_exitcode(status) == 7
        assert pending.is_decided()
        assert recording.shown[-1] == ("failed", None)
