"""Exporters written in Python behind a provider: side by side, failing, hanging, forked, at the end."""

import asyncio
import gc
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter

import fapilog
from fapilog import ExportOutcome, LogBatch, LoggerProvider, Settings, _native
from fapilog.errors import ConfigurationError, FapilogError
from fapilog.testing import OtlpReceiver

PATIENCE_SECONDS = 20.0
PATIENCE_MILLIS = 20_000
FAST = {"initial_backoff_millis": 1, "max_backoff_millis": 5}

Make = Callable[..., LoggerProvider]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes providers that do not read the environment; at the end threads are gone and ledgers add up."""
    made: list[LoggerProvider] = []

    def provider(*exporters: Any, batch_processors: Any = (), **settings: Any) -> LoggerProvider:
        settings.setdefault("delivery", {"retry": FAST})
        settings.setdefault("buffer", {"schedule_delay_millis": 5, "shutdown_timeout_millis": 2_000})
        settings = {"sequence": False, "level": "trace", **settings}
        loaded = Settings.load(environ={}, **settings)
        made.append(LoggerProvider(settings=loaded, exporters=exporters, batch_processors=batch_processors))
        return made[-1]

    yield provider
    for each in made:
        each.shutdown()
        assert each.ledger().balanced, str(each.ledger())
    assert [thread.name for thread in threading.enumerate() if thread.name == "fapilog-deliver"] == []


class Collecting:
    """Keeps the bodies; before that it awaits, or raises, what it is told."""

    def __init__(self, name: str = "collecting", before: Callable[[], Any] = lambda: None) -> None:
        self.name = name
        self.before = before
        self.bodies: list[Any] = []
        self.ended: list[str] = []

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        outcome = self.before()
        if asyncio.iscoroutine(outcome):
            outcome = await outcome
        if isinstance(outcome, ExportOutcome):
            return outcome
        self.bodies += [record.log_record.body for record in batch]
        return ExportOutcome(delivered=len(batch))

    async def force_flush(self, timeout_millis: int) -> bool:
        self.ended.append("force_flush")
        return True

    async def shutdown(self, timeout_millis: int) -> None:
        self.ended.append("shutdown")


def log(provider: LoggerProvider, *bodies: Any, **fields: Any) -> None:
    for body in bodies:
        provider.get_logger("shop").emit(body=body, **fields)


def refuse() -> None:
    raise ConnectionRefusedError("nobody there")


def test_three_exporters_of_which_one_is_dead(make: Make):
    ours, theirs, dead = Collecting(), InMemoryLogRecordExporter(), Collecting("dead", refuse)
    with OtlpReceiver() as receiver:
        provider = make("otlp", ours, theirs, dead, otlp={"endpoint": receiver.endpoint})
        log(provider, *range(100))
        assert provider.force_flush(500) is False  # the dead one still has its records
        receiver.wait_for_log_records(100)
        assert ours.bodies == list(range(100))
        assert [record.log_record.body for record in theirs.get_finished_logs()] == list(range(100))
        ledger = provider.ledger()
        sides = {name: (side.delivered, side.pending) for name, side in ledger.exporters.items()}
        assert ledger.balanced
        assert sides == {
            "otlp": (100, 0),
            "collecting": (100, 0),
            "InMemoryLogRecordExporter": (100, 0),
            "dead": (0, 100),
        }
        dead.before = lambda: None
        assert provider.force_flush(PATIENCE_MILLIS)
        assert dead.bodies == list(range(100))


def test_equal_names_get_numbers(make: Make):
    provider = make(Collecting(), Collecting(), "console", Collecting("console"))
    assert provider.exporters == ("collecting", "collecting/2", "console/2", "console")


def test_an_object_that_is_no_exporter_says_what_is_missing():
    with pytest.raises(ConfigurationError) as caught:
        LoggerProvider(settings=Settings.load(environ={}), exporters=[Collecting(), 42])  # type: ignore[list-item]
    assert str(caught.value).splitlines()[:3] == [
        "exporters[1] is no exporter: int has no export_batch(), as an exporter of fapilog has,"
        " and no export() and no shutdown(), as one of OpenTelemetry has [exporter-invalid]",
        "  exporters = <int>   from argument",
        "  do: pass a name, an object with `async def export_batch(self, batch)`, or a LogRecordExporter",
    ]
    with pytest.raises(ConfigurationError, match=r"is the class Collecting, not an exporter"):
        LoggerProvider(settings=Settings.load(environ={}), exporters=[Collecting])  # type: ignore[list-item]


def test_an_exporter_is_named_by_an_entry_point(make: Make, monkeypatch: pytest.MonkeyPatch):
    from importlib import metadata

    point = metadata.EntryPoint(
        "memory-of-otel",
        "opentelemetry.sdk._logs.export:InMemoryLogRecordExporter",
        "opentelemetry_logs_exporter",
    )
    broken = metadata.EntryPoint("broken", "tests.nowhere:Exporter", "opentelemetry_logs_exporter")

    def points(*, group: str) -> list[metadata.EntryPoint]:
        return [point, broken] if group == "opentelemetry_logs_exporter" else []

    for module in ("fapilog.plugins.registry", "fapilog.settings.types"):
        monkeypatch.setattr(f"{module}.entry_points", points)
    provider = make("memory-of-otel")
    log(provider, "one")
    assert provider.force_flush(PATIENCE_MILLIS)
    assert provider.ledger().exporters["memory-of-otel"].delivered == 1
    with pytest.raises(
        ConfigurationError, match=r"exporter broken \(tests\.nowhere:Exporter\) cannot be made"
    ):
        make("broken")
    with pytest.raises(ConfigurationError, match=r"otlp, .*console, none, broken, memory-of-otel"):
        Settings.load(environ={"FAPILOG_EXPORTERS": "zipkin"})


def test_a_retry_and_a_slow_exporter_delay_nobody_else(make: Make):
    answers = [ExportOutcome(retry=True, cause="busy"), ConnectionResetError("gone")]
    hang = threading.Event()

    def flaky() -> Any:
        answer = answers.pop() if answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def hanging() -> None:
        await asyncio.to_thread(hang.wait, PATIENCE_SECONDS)

    quick, flaky_one, slow = Collecting("quick"), Collecting("flaky", flaky), Collecting("slow", hanging)
    provider = make(slow, quick, flaky_one)
    log(provider, "one")
    assert not provider.force_flush(300)
    assert (quick.bodies, flaky_one.bodies, slow.bodies) == (["one"], ["one"], [])
    hang.set()
    assert provider.force_flush(PATIENCE_MILLIS)
    assert slow.bodies == ["one"]


def test_exceptions_are_said_once_and_reach_on_error(
    make: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    errors: list[FapilogError] = []

    def broken() -> None:
        raise ZeroDivisionError("a bug of this test")

    exporter = Collecting("broken-in-tests", broken)
    with fapilog.configure_otel("shop", exporters=[exporter], on_error=errors.append) as telemetry:
        for number in range(3):
            fapilog.get_logger("shop").info("lost", number=number)
            assert telemetry.force_flush(PATIENCE_MILLIS)
        side = telemetry.ledger().exporters["broken-in-tests"]
    assert (side.rejected, side.pending) == (3, 0)
    lines = [line for line in capsys.readouterr().err.splitlines() if "a bug of this test" in line]
    assert len(lines) == 1
    assert (
        "exporter broken-in-tests: ZeroDivisionError: a bug of this test; 1 records are rejected" in lines[0]
    )
    assert {error.code for error in errors} == {"exporter-failed"}


def test_configure_otel_with_other_objects_is_another_configuration(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    exporter = Collecting()
    with fapilog.configure_otel("shop", exporters=["none", exporter]) as telemetry:
        assert fapilog.configure_otel("shop", exporters=["none", exporter]) is telemetry
        with pytest.raises(fapilog.errors.LifecycleError, match="other arguments"):
            fapilog.configure_otel("shop", exporters=["none", Collecting()])
        assert telemetry.logger_provider.exporters == ("collecting",)
    assert exporter.ended[-1] == "shutdown"


def test_force_flush_calls_the_exporters_own_and_shutdown_ends_them_once(make: Make):
    exporter = Collecting()
    provider = make(exporter)
    log(provider, "one")
    assert provider.force_flush(PATIENCE_MILLIS)
    assert provider.shutdown()
    assert provider.shutdown()
    assert exporter.ended == ["force_flush", "shutdown"]


def test_a_hanging_exporter_does_not_hold_a_shutdown_and_its_records_are_counted(make: Make):
    async def for_ever() -> None:
        await asyncio.sleep(3_600)

    hanging, fine = Collecting("hanging", for_ever), Collecting("fine")
    provider = make(hanging, fine)
    log(provider, "one", "two")
    begun = time.monotonic()
    assert provider.shutdown(1_000) is False
    assert time.monotonic() - begun < 5.0
    ledger = provider.ledger()
    assert ledger.balanced
    assert {name: count for name, count in ledger.exporters["hanging"].dropped.items() if count} == {
        "shutdown": 2
    }
    assert (ledger.exporters["fine"].delivered, fine.bodies) == (2, ["one", "two"])
    assert (hanging.ended, fine.ended) == (["shutdown"], ["shutdown"])


def test_an_exporter_that_blocks_the_loop_is_left_behind_and_said(capsys: pytest.CaptureFixture[str]):
    release, begun = threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        release.wait(PATIENCE_SECONDS)

    settings = Settings.load(environ={}, buffer={"schedule_delay_millis": 5})
    provider = LoggerProvider(settings=settings, exporters=[Collecting("blocking", block)])
    log(provider, "one")
    assert begun.wait(PATIENCE_SECONDS)
    start = time.monotonic()
    assert provider.shutdown(300) is False
    assert time.monotonic() - start < 5.0
    assert "delivery-not-ended" in capsys.readouterr().err
    assert provider.ledger().balanced
    release.set()
    for thread in threading.enumerate():
        if thread.name == "fapilog-deliver":
            thread.join(PATIENCE_SECONDS)


def test_a_cancelled_call_settles_nothing_twice(make: Make):
    calls: list[int] = []

    async def too_slow_at_first() -> None:
        calls.append(1)
        if len(calls) == 1:
            await asyncio.sleep(3_600)

    exporter = Collecting(before=too_slow_at_first)
    provider = make(exporter, delivery={"timeout_millis": 50, "retry": FAST})
    log(provider, "one")
    assert provider.force_flush(PATIENCE_MILLIS)
    assert (exporter.bodies, len(calls)) == (["one"], 2)
    assert provider.ledger().exporters["collecting"].delivered == 1


def test_records_too_old_are_dropped_as_expired(make: Make):
    provider = make(Collecting("dead", refuse), delivery={"retry": {**FAST, "max_elapsed_millis": 30}})
    log(provider, "one")
    assert provider.force_flush(PATIENCE_MILLIS)
    assert provider.ledger().exporters["dead"].dropped["expired"] == 1


def test_what_an_exporter_logs_does_not_come_back(make: Make):
    """Neither from its loop, nor from a thread that it asks, nor from a stock exporter's worker."""
    bodies: list[Any] = []

    class Chatty(InMemoryLogRecordExporter):
        def export(self, batch: Any) -> Any:
            logging.getLogger("shop.chatty").warning("exported %d", len(batch))
            return super().export(batch)

    async def talk() -> None:
        logging.getLogger("shop.exporter").warning("from the loop")
        provider.get_logger("shop.exporter").emit(body="over the API")
        _native.Logger(provider.handle, "shop.exporter").error("by a logger of ours")
        await asyncio.to_thread(logging.getLogger("shop.exporter").warning, "from a thread")

    exporter = Collecting(before=talk)
    from fapilog.bridges import stdlib

    provider = make(exporter, Chatty())
    undo = stdlib.install(provider.handle)
    try:
        logging.getLogger("shop").warning("one")
        for _ in range(3):
            assert provider.force_flush(PATIENCE_MILLIS)
        bodies = exporter.bodies
    finally:
        undo()
    assert bodies == ["one"]
    assert (provider.ledger().offered, provider.ledger().accepted) == (1, 1)


def test_an_exporter_that_flushes_its_own_provider_does_not_wait_for_itself(make: Make):
    answers: list[bool] = []
    exporter = Collecting(before=lambda: answers.append(provider.force_flush()))
    provider = make(exporter)
    log(provider, "one")
    assert provider.force_flush(PATIENCE_MILLIS)
    assert (answers, exporter.bodies) == ([False], ["one"])


def test_calls_under_way_follow_the_exporters_own_limit(make: Make):
    together = threading.Barrier(3, timeout=PATIENCE_SECONDS)

    async def meet() -> None:
        await asyncio.to_thread(together.wait)

    exporter = Collecting(before=meet)
    exporter.max_in_flight = 3  # type: ignore[attr-defined]
    one_each = {
        "max_block_records": 1,
        "chunk_bytes": 2_048,
        "record_bytes": 1_024,
        "schedule_delay_millis": 1,
    }
    provider = make(exporter, buffer=one_each)
    log(provider, 1, 2, 3)
    assert provider.force_flush(PATIENCE_MILLIS)
    assert sorted(exporter.bodies) == [1, 2, 3]


def test_the_time_spent_in_exporters_and_processors_is_added_up(make: Make):
    async def look(batch: LogBatch) -> None: ...

    provider = make(Collecting(), batch_processors=[look])
    log(provider, "one")
    provider.force_flush(PATIENCE_MILLIS)
    spent = provider.timings.snapshot()
    assert {key: (each.calls, each.failures) for key, each in spent.items()} == {
        ("exporter", "collecting"): (1, 0),
        ("batch_processor", "look"): (1, 0),
    }


def test_a_dropped_provider_delivers_what_it_has_and_its_thread_ends():
    exporter = Collecting()
    settings = Settings.load(environ={}, buffer={"schedule_delay_millis": 60_000})
    provider = LoggerProvider(settings=settings, exporters=[exporter])
    log(provider, "last words")
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "fapilog-deliver"]
    del provider
    gc.collect()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    assert (exporter.bodies, exporter.ended) == (["last words"], ["shutdown"])


def test_a_logger_keeps_the_exporters_of_its_provider():
    exporter = Collecting()
    settings = Settings.load(environ={}, buffer={"schedule_delay_millis": 1})
    logger = LoggerProvider(settings=settings, exporters=[exporter]).get_logger("shop")
    gc.collect()
    logger.emit(body="still there")
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "fapilog-deliver"]
    del logger
    gc.collect()
    thread.join(PATIENCE_SECONDS)
    assert exporter.bodies == ["still there"]


def test_a_forked_child_has_its_own_loop_and_delivers_its_own_records(make: Make):
    read, write = os.pipe()
    seen: list[tuple[str, int]] = []

    def note() -> None:
        seen.append((threading.current_thread().name, os.getpid()))

    exporter = Collecting(before=note)
    provider = make(exporter)
    log(provider, "parent")
    assert provider.force_flush(PATIENCE_MILLIS)
    child = os.fork()
    if child == 0:
        exporter.bodies.clear()
        seen.clear()
        log(provider, "child")
        flushed = provider.force_flush(PATIENCE_MILLIS)
        balanced = provider.ledger().balanced
        provider.shutdown()
        done = flushed and balanced and seen == [("fapilog-deliver", os.getpid())]
        os.write(write, f"{done} {exporter.bodies}".encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert pipe.read() == "True ['child']"
    os.waitpid(child, 0)
    log(provider, "parent again")
    assert provider.force_flush(PATIENCE_MILLIS)
    assert exporter.bodies == ["parent", "parent again"]


def test_a_child_that_logs_nothing_does_not_end_the_exporters_of_its_parent(make: Make):
    exporter = Collecting()
    provider = make(exporter)
    log(provider, "parent")
    assert provider.force_flush(PATIENCE_MILLIS)
    child = os.fork()
    if child == 0:
        ended = provider.shutdown()
        os._exit(0 if ended and "shutdown" not in exporter.ended else 1)
    assert os.waitpid(child, 0)[1] == 0
