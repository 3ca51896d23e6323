"""Fallback exporters: they get what another one does not take, in order, once, and nothing else."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fapilog
from fapilog import ExportOutcome, LogBatch, LoggerProvider, Settings
from fapilog.errors import ConfigurationError
from fapilog.testing import OtlpReceiver
from tests.integration.beside import wait_until
from tests.integration.harness import records_in

LIMIT_BYTES = 1 << 20
FAST = {"initial_backoff_millis": 1, "max_backoff_millis": 20}
PADDING = "x" * 500

Make = Callable[..., LoggerProvider]


class Switch:
    """Takes records, or refuses connections, as it is told."""

    def __init__(self, name: str, takes: bool = True) -> None:
        self.name = name
        self.takes = threading.Event()
        if takes:
            self.takes.set()
        self.bodies: list[Any] = []

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        if not self.takes.is_set():
            raise ConnectionRefusedError("nobody there")
        self.bodies += [record.log_record.body for record in batch]
        return ExportOutcome(delivered=len(batch))


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[LoggerProvider] = []

    def provider(*exporters: Any, fallback: dict[str, str], **settings: Any) -> LoggerProvider:
        delivery = {
            "fallback": fallback,
            "fallback_after_millis": 50,
            "breaker_pause_millis": 20,
            "retry": FAST,
            **settings.pop("delivery", {}),
        }
        buffer = {
            "limit_bytes": LIMIT_BYTES,
            "chunk_bytes": 1 << 15,
            "record_bytes": 1 << 14,
            "schedule_delay_millis": 5,
            **settings.pop("buffer", {}),
        }
        loaded = Settings.load(environ={}, buffer=buffer, delivery=delivery, level="trace", **settings)
        made.append(LoggerProvider(settings=loaded, exporters=exporters))
        return made[-1]

    yield provider
    for each in made:
        each.shutdown()
        assert each.ledger().balanced, str(each.ledger())


def log(provider: LoggerProvider, *bodies: str, **attributes: str) -> None:
    logger = provider.get_logger("shop")
    for body in bodies:
        logger.emit(body=body, attributes=attributes)


def numbers(first: int, end: int) -> list[str]:
    return [str(number) for number in range(first, end)]


def log_until_diverted(provider: LoggerProvider, name: str) -> list[str]:
    """Log one record after the other until the fallback gets some; the records."""
    logged: list[str] = []

    def is_diverted() -> int:
        logged.append(str(len(logged)))
        log(provider, logged[-1])
        return provider.ledger().exporters[name].dropped["diverted"]

    wait_until(is_diverted)
    return logged


def arrived(receiver: OtlpReceiver) -> list[str]:
    return [str(record.body) for record in receiver.log_records]


@pytest.mark.parametrize("kind", ["native", "python"])
def test_while_an_exporter_is_down_its_fallback_gets_its_records_in_order_and_none_arrives_twice(
    make: Make, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    other = Switch("other")
    with OtlpReceiver() as receiver:
        main = Switch("main", takes=False)
        receiver.refuse_connections()
        otlp = {"endpoint": receiver.logs_endpoint, "retry": FAST}
        first: Any = "otlp" if kind == "native" else main
        name = "otlp" if kind == "native" else "main"
        provider = make(first, other, fallback={name: "other"}, otlp=otlp)

        logged = log_until_diverted(provider, name)
        (receiver.accept_again if kind == "native" else main.takes.set)()
        wait_until(lambda: provider.ledger().exporters[name].delivered)
        before = provider.ledger().exporters[name].dropped["diverted"]
        log(provider, *numbers(len(logged), len(logged) + 100))
        assert provider.force_flush(30_000)
        taken = arrived(receiver) if kind == "native" else main.bodies

    assert provider.ledger().exporters[name].dropped["diverted"] == before
    assert other.bodies == sorted(other.bodies, key=int)
    assert sorted([*taken, *other.bodies], key=int) == numbers(0, len(logged) + 100)
    assert provider.ledger().exporters["other"].accepted == len(other.bodies) == before
    said = [line for line in capfd.readouterr().err.splitlines() if "other" in line]
    assert [line for line in said if "until it takes them again" in line] == said[:1]
    assert [line for line in said if f"{before} of them went to the exporter other" in line] == said[1:2]


@pytest.mark.parametrize("kind", ["native", "python"])
def test_what_is_left_at_shutdown_goes_to_the_fallback(make: Make, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "rest.jsonl"
    with OtlpReceiver() as receiver:
        receiver.refuse_connections()
        main: Any = "otlp" if kind == "native" else Switch("main", takes=False)
        name = "otlp" if kind == "native" else "main"
        provider = make(
            main,
            fallback={name: "file"},
            otlp={"endpoint": receiver.logs_endpoint},
            file={"path": path},
            delivery={"fallback_after_millis": 3_600_000},
        )
        log(provider, *numbers(0, 20))
        assert not provider.shutdown(2_000)
    sides = provider.ledger().exporters
    assert (sides[name].dropped["diverted"], sides[name].pending) == (20, 0)
    assert (sides["file"].accepted, sides["file"].delivered) == (20, 20)
    text = path.read_text()
    assert [text.count(f'{{"stringValue":"{number}"}}') for number in range(20)] == [1] * 20


def test_standard_error_is_a_fallback_that_needs_no_path(
    make: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    with OtlpReceiver() as receiver:
        receiver.refuse_connections()
        otlp = {"endpoint": receiver.logs_endpoint, "retry": FAST}
        provider = make("otlp", fallback={"otlp": "otlp/stderr"}, otlp=otlp)
        log(provider, *numbers(0, 5))
        assert not provider.shutdown(1_000)
    written = capfd.readouterr()
    lines = [line for line in written.err.splitlines(keepends=True) if not line.startswith("fapilog: ")]
    assert [record.body for record in records_in("".join(lines))] == numbers(0, 5)
    assert written.out == ""
    assert provider.ledger().exporters["otlp"].dropped["diverted"] == 5


def test_at_the_end_of_the_process_the_fallback_gets_the_rest(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "rest.jsonl"
    provider = make(
        Switch("main", takes=False),
        fallback={"main": "file"},
        file={"path": path},
        buffer={"shutdown_timeout_millis": 2_000},
        delivery={"fallback_after_millis": 3_600_000},
    )
    log(provider, "one", "two")
    provider.finish()
    sides = provider.ledger().exporters
    assert (sides["main"].dropped["diverted"], sides["file"].delivered) == (2, 2)


def test_without_room_the_oldest_records_go_to_the_fallback_and_nothing_is_lost(
    make: Make, tmp_path: Path
) -> None:
    provider = make(
        Switch("main", takes=False),
        fallback={"main": "file"},
        file={"path": tmp_path / "rest.jsonl"},
        buffer={"overflow": "wait", "wait_timeout_millis": 60_000},
        delivery={"fallback_after_millis": 3_600_000},
    )
    for number in range(4_000):
        log(provider, str(number), padding=PADDING, random=str(hash((number, "x"))))
        log(provider, str(hash(number + 0.5)) * 20)
    provider.shutdown(8_000)
    sides = provider.ledger().exporters
    assert {reason: count for reason, count in sides["main"].dropped.items() if count} == {"diverted": 8_000}
    assert (sides["file"].accepted, sides["file"].delivered) == (8_000, 8_000)


def test_with_a_spool_records_wait_on_disk_instead(make: Make, tmp_path: Path) -> None:
    main, other = Switch("main", takes=False), Switch("other")
    provider = make(main, other, fallback={"main": "other"}, spool={"directory": tmp_path / "spool"})
    log(provider, *numbers(0, 20))
    assert not provider.shutdown(1_000)
    sides = provider.ledger().exporters
    assert (sides["main"].spooled, sides["main"].dropped["diverted"], sides["other"].accepted) == (20, 0, 0)


def test_records_of_a_fallback_are_not_lost_for_health(make: Make) -> None:
    main, other = Switch("main", takes=False), Switch("other")
    provider = make(main, other, fallback={"main": "other"})
    log(provider, "one", "two")
    provider.shutdown(1_000)
    side = provider.ledger().exporters["main"]
    assert (side.dropped["diverted"], side.lost) == (2, 0)


@pytest.mark.parametrize(
    ("delivery", "what"),
    [
        (
            {"fallback": {"main": "nobody"}},
            "delivery.fallback names an exporter that this provider does not have: nobody",
        ),
        (
            {"fallback": {"main": "console"}},
            "delivery.fallback names an exporter that this provider does not have: console",
        ),
        ({"fallback": {"main": "main"}}, "main is the fallback of main and has one itself"),
        (
            {"fallback": {"main": "other"}, "best_effort": ["other"]},
            "other is best-effort and in delivery.fallback: it cannot be both",
        ),
    ],
)
def test_a_fallback_that_makes_no_sense_is_a_configuration_error(delivery: Any, what: str) -> None:
    settings = Settings.load(environ={}, delivery=delivery)
    with pytest.raises(ConfigurationError) as caught:
        LoggerProvider(settings=settings, exporters=[Switch("main"), Switch("other")])
    assert [problem.what for problem in caught.value.problems] == [what]


def test_the_variable_names_pairs() -> None:
    settings = Settings.load(environ={"FAPILOG_FALLBACK": "otlp=file,webhook=otlp/stdout"})
    assert settings.delivery.fallback == {"otlp": "file", "webhook": "otlp/stdout"}
    assert fapilog.Settings.load(environ={}).delivery.fallback == {}
