"""`fapilog spool replay`: what no batch processor has seen does not leave as it is, unless asked."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

import fapilog
from fapilog.settings import Settings
from fapilog.testing import OtlpReceiver
from tests.integration.test_spool import BUFFER, OTLP
from tests.integration.test_spool_commands import only, run, spool
from tests.unit.distributions import install

__all__ = ["run", "spool"]

Run = Callable[..., tuple[int, str, str]]
HIDING = """
    class Hide:
        async def process(self, batch):
            return [record for record in batch if "4111" not in record.log_record.body]
"""


async def never(batch: fapilog.LogBatch) -> fapilog.LogBatch:
    await asyncio.Event().wait()
    return batch


@pytest.fixture
def left(receiver: OtlpReceiver, spool: Path) -> str:
    """The directory of a process that ended before its batch processor was done."""
    overrides = {"buffer": {**BUFFER, "shutdown_timeout_millis": 100}, "otlp": OTLP}
    provider = fapilog.LoggerProvider(settings=Settings.load(**overrides), batch_processors=[never])
    for body in ("card 4111", "order 7"):
        provider.get_logger("orders").emit(body=body)
    provider.shutdown()
    return only(spool)


def bodies(receiver: OtlpReceiver) -> list[object]:
    return [record.body for record in receiver.log_records]


def test_records_that_no_batch_processor_has_seen_wait_unless_asked_for(
    left: str, receiver: OtlpReceiver, spool: Path, run: Run
) -> None:
    code, _, err = run("replay", left, "--timeout", "9")
    assert (code, bodies(receiver)) == (1, [])
    assert "not delivered: 2 records that no batch processor has seen" in err
    assert f"2 records still wait in {left}" in err
    assert run("replay", left, "--unprocessed")[0] == 0
    assert bodies(receiver) == ["card 4111", "order 7"]
    assert list(spool.iterdir()) == []


def test_records_go_through_the_batch_processors_of_the_settings(
    left: str, receiver: OtlpReceiver, spool: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    install(site, "hiding", {"fapilog.processors": {"hide": "hiding:Hide"}}, HIDING)
    monkeypatch.setenv("FAPILOG_BATCH_PROCESSORS", "hide")
    assert run("replay", left)[0] == 0
    assert bodies(receiver) == ["order 7"]
    assert list(spool.iterdir()) == []


def test_a_batch_processor_that_does_not_exist_is_an_error_and_nothing_is_delivered(
    left: str, receiver: OtlpReceiver, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAPILOG_BATCH_PROCESSORS", "none-such")
    code, _, err = run("replay", left)
    assert (code > 0, bodies(receiver)) == (True, [])
    assert "none-such" in err
