"""What a living process says, counts and repairs of what it finds in the spool of an ended one."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import fapilog
from fapilog.self_observability import observe
from fapilog.settings import Settings
from fapilog.testing import OtlpReceiver
from tests.integration.beside import wait_until
from tests.integration.test_spool import BUFFER, OTLP
from tests.integration.test_spool_commands import RECORDS, leave, only, segment, spool

__all__ = ["spool"]


@pytest.fixture
def following(
    receiver: OtlpReceiver, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[fapilog.LoggerProvider]:
    """The next process of the service."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", receiver.logs_endpoint)
    provider = fapilog.LoggerProvider(settings=Settings.load(buffer=BUFFER, otlp=OTLP))
    yield provider
    provider.shutdown()


def takes_over(provider: fapilog.LoggerProvider) -> tuple[int, int]:
    """The records that it delivered, but for its own, and those that were damaged; both together are all."""
    provider.get_logger("orders").emit(body="new")

    def counts() -> tuple[int, int]:
        found = provider.ledger().exporters["otlp"]
        assert found.balanced
        return found.delivered - 1, found.dropped.get("damaged", 0)

    wait_until(lambda: sum(counts()) == RECORDS)
    return counts()


def damaged_spools(provider: fapilog.LoggerProvider) -> float:
    reader = InMemoryMetricReader()
    observe(provider, MeterProvider([reader]))
    found = reader.get_metrics_data()
    assert found is not None
    metrics = [
        metric for each in found.resource_metrics for scope in each.scope_metrics for metric in scope.metrics
    ]
    (damaged,) = [metric for metric in metrics if metric.name == "fapilog.spool.damaged"]
    return sum(point.value for point in damaged.data.data_points)


def test_records_cut_off_at_the_end_are_counted_and_said(
    receiver: OtlpReceiver, spool: Path, following: fapilog.LoggerProvider, capfd: pytest.CaptureFixture[str]
) -> None:
    leave(receiver)
    name, path = only(spool), segment(spool)
    path.write_bytes(path.read_bytes()[:-10])
    delivered, damaged = takes_over(following)
    assert damaged > 0
    said: list[str] = []
    wait_until(lambda: said.append(capfd.readouterr().err) or "is damaged" in "".join(said))
    (line,) = [line for line in "".join(said).splitlines() if "is damaged" in line]
    assert f"the spool {name} of another process is damaged: {damaged} records in the last " in line
    assert line.endswith(f"bytes are cut off; {delivered} records in {line.split()[-4]} blocks are intact")
    assert damaged_spools(following) == 1


def test_a_block_whose_bytes_changed_is_counted_and_said(
    receiver: OtlpReceiver, spool: Path, following: fapilog.LoggerProvider, capfd: pytest.CaptureFixture[str]
) -> None:
    leave(receiver)
    path = segment(spool)
    content = bytearray(path.read_bytes())
    content[content.index(b"FSPB") + 64 + 5] ^= 0xFF
    path.write_bytes(content)
    _, damaged = takes_over(following)
    said: list[str] = []
    wait_until(lambda: said.append(capfd.readouterr().err) or "is damaged" in "".join(said))
    assert f"of the spool with {damaged} records is damaged and lost" in "".join(said)
    wait_until(lambda: damaged_spools(following) == 1)


def test_what_a_group_may_write_to_is_closed_and_delivered(
    receiver: OtlpReceiver, spool: Path, following: fapilog.LoggerProvider, capfd: pytest.CaptureFixture[str]
) -> None:
    """Kubernetes does this to a volume with `fsGroup`, at each mount."""
    leave(receiver)
    directory = spool / only(spool)
    for path in [*directory.iterdir(), directory]:
        path.chmod(path.stat().st_mode | (stat.S_ISGID | 0o070 if path.is_dir() else 0o060))
    assert takes_over(following) == (RECORDS, 0)
    assert "the group could write to the spool" in capfd.readouterr().err
