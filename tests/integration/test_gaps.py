"""What is lost leaves a gap in the file that arrives, and `fapilog gaps` names it."""

import threading
from collections.abc import Callable
from pathlib import Path

import fapilog
from fapilog.testing import Hold, OtlpReceiver
from fapilog.testing.gaps import find_gaps
from tests.integration.harness import ONE_RECORD_PER_BLOCK, sequence

Configure = Callable[..., fapilog.Telemetry]
PATIENCE_MILLIS = 20_000


async def without_secrets(batch: fapilog.LogBatch) -> list[object]:
    """A batch processor that leaves records out."""
    return [record for record in batch if record.log_record.body != "secret"]


def test_the_file_shows_what_a_processor_left_out(
    configure: Configure, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    path = tmp_path / "records.jsonl"
    telemetry = configure(exporters=["otlp", "file"], file={"path": path}, batch_processors=[without_secrets])
    log = fapilog.get_logger("orders")
    for body in ["a", "secret", "secret", "b", "c", "secret", "d"]:
        log.info(body)
    assert telemetry.shutdown(PATIENCE_MILLIS)
    with path.open("rb") as lines:
        [process] = find_gaps(lines)
    assert (process.gaps, process.duplicates, process.records) == (((1, 2), (5, 5)), (), 4)
    assert process.missing == telemetry.ledger().exporters["file"].dropped["processed"]


def test_a_record_that_waited_in_vain_leaves_a_gap(configure: Configure, receiver: OtlpReceiver) -> None:
    release = threading.Event()
    receiver.answer_always_with(Hold(release))
    limits = ONE_RECORD_PER_BLOCK | {"max_queue_records": 3, "overflow": "wait", "wait_timeout_millis": 20}
    telemetry = configure(otlp={"max_in_flight": 1}, buffer=limits)
    log = fapilog.get_logger("orders")
    for number in range(5):
        log.info(str(number))
    release.set()
    assert telemetry.force_flush(PATIENCE_MILLIS)
    log.info("after")
    assert telemetry.force_flush(PATIENCE_MILLIS)
    numbers = {sequence(record) for record in receiver.log_records}
    assert telemetry.ledger().exporters["otlp"].dropped["wait_timeout"] == 2
    assert {3, 4} & numbers == set()
    assert {0, 1, 2} <= numbers
