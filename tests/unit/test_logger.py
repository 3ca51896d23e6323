"""Where loggers come from, and what native capture asks of Python now and then."""

import asyncio
import doctest
import importlib
import pkgutil

import pytest

import fapilog
from fapilog import backpressure, get_logger
from fapilog.logger import default_handle
from tests.unit.recording import Recorder, expected

# Their examples configure the process or need a terminal of their own.
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(fapilog.__path__, "fapilog.")
    if not module.name.startswith(("fapilog.testing", "fapilog.cli", "fapilog._native"))
)


@pytest.fixture
def recorder():
    """A recorder behind the process-wide loggers."""
    with Recorder() as recorder:
        before = default_handle.pipeline
        default_handle.attach(recorder.provider.pipeline)
        yield recorder
        default_handle.attach(before)


def test_a_logger_is_named_after_the_calling_module():
    assert (get_logger().name, get_logger("shop").name, get_logger("").name) == (__name__, "shop", "")


def test_a_name_need_not_be_text():
    assert get_logger(7).name == "7"


def test_attributes_given_are_bound(recorder):
    get_logger("shop", tenant="acme").info("x", a=1)
    assert recorder.only == expected(9, "INFO", "x", attributes={"a": 1, "tenant": "acme"})


def test_loggers_follow_the_pipeline_of_the_process(recorder):
    log = get_logger("shop")
    log.info("first")
    with Recorder() as other:
        default_handle.attach(other.provider.pipeline)
        log.info("second")
        default_handle.attach(recorder.provider.pipeline)
        log.info("third")
        assert [record.body for record in other.records] == ["second"]
    assert [record.body for record in recorder.records] == ["first", "third"]


def test_bound_attributes_are_encoded_anew_under_another_policy(recorder):
    log = get_logger("shop", patient_number=7)
    log.info("x")
    with Recorder(redaction={"secret_keys": ["patient_number"]}) as other:
        default_handle.attach(other.provider.pipeline)
        log.info("x")
        assert other.only.attributes == {"patient_number": "[REDACTED:secret]"}
    assert recorder.only.attributes == {"patient_number": 7}


def test_an_event_is_logged_under_its_source(recorder):
    event = fapilog.LogEvent(message="order placed", source="orders", severity=5)
    get_logger("shop").emit(event)
    record = event.to_record()
    found = recorder.only
    assert (found.scope_name, found.body, found.severity_number) == (
        "orders",
        "order placed",
        record.severity_number,
    )


class Pending:
    """A record that is decided at the third look."""

    def __init__(self) -> None:
        self.attempts = 0

    def is_decided(self) -> bool:
        self.attempts += 1
        return self.attempts == 3


async def test_a_loop_that_watches_no_descriptors_is_yielded_to_with_growing_pauses(monkeypatch):
    pauses = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    pending = Pending()
    await backpressure._look_again(pending, asyncio)
    assert (pending.attempts, pauses) == (3, [0.001, 0.002])


async def test_pauses_do_not_grow_beyond_50_milliseconds(monkeypatch):
    pauses = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    pending = Pending()
    pending.attempts = -10
    await backpressure._look_again(pending, asyncio)
    assert pauses[-3:] == [0.05, 0.05, 0.05]


async def test_an_event_loop_is_noticed_only_in_its_own_thread():
    here, there = backpressure.on_event_loop(), await asyncio.to_thread(backpressure.on_event_loop)
    assert (here, there) == (True, False)


def test_without_a_loop_there_is_none():
    assert backpressure.on_event_loop() is False


def test_the_package_knows_its_version_and_refuses_unknown_names():
    assert fapilog.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="module 'fapilog' has no attribute 'loguru'"):
        _ = fapilog.loguru


@pytest.mark.parametrize("name", ["fapilog", *MODULES])
def test_every_example_in_a_docstring_is_true(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
