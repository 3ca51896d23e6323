"""For every reason a record can be lost for: the gap at the receiver is as large as the ledger's count."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource

from fapilog import LoggerProvider, Settings
from fapilog.testing import Answer, Ok, OtlpReceiver, Status
from fapilog.testing.gaps import find_gaps
from tests.integration.beside import wait_until
from tests.integration.harness import sequence
from tests.integration.losses import LOSSES, PATIENCE_MILLIS, Lines, World, missing, shutdown


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path)
    yield found
    found.end()


@pytest.mark.parametrize("lose", LOSSES, ids=lambda lose: str(lose.__name__))
def test_what_is_missing_at_the_receiver_is_what_the_ledger_counts(
    world: World, lose: Callable[[World], None]
) -> None:
    lose(world)
    provider = world.made[0]
    # The record that tells of a loss may still be under way.
    provider.shutdown(0 if lose is shutdown else PATIENCE_MILLIS)
    ledger = provider.ledger()
    side = ledger.exporters["lines"]
    lost = {"rejected": side.rejected, "shed": ledger.refused["shed"], **side.dropped}
    # Others may be among them: when the sealer takes a chunk decides whether a record is shed or finds no
    # room.
    assert lost[lose.__name__]
    assert missing(world.out.lines, side.accepted + ledger.refused["shed"]) == sum(lost.values())


def test_a_record_that_is_too_large_for_the_receiver_leaves_a_gap() -> None:
    answers: dict[str, Answer] = {"first": Ok(), "large": Status(413), "last": Ok()}
    with OtlpReceiver() as receiver:
        settings = Settings.load(environ={}, otlp={"endpoint": receiver.endpoint})
        with LoggerProvider(Resource.get_empty(), settings=settings, exporters=["otlp"]) as provider:
            for body, answer in answers.items():
                receiver.answer_always_with(answer)
                provider.get_logger("shop").emit(body=body)
                assert provider.force_flush(PATIENCE_MILLIS)
        side = provider.ledger().exporters["otlp"]
        numbers = [sequence(record) for record in receiver.log_records]
    assert (side.delivered, side.rejected, numbers) == (2, 1, [0, 2])


def test_what_is_adopted_keeps_its_numbers_beside_those_of_who_adopts(world: World) -> None:
    spool = {"directory": world.folder / "spool", "min_free_bytes": 0}
    left = world.provider(Lines(otherwise="away"), instance="ended", spool=spool)
    world.log(left, *"abcde")
    assert not left.shutdown(1)
    out = Lines()
    heir = world.provider(out, instance="heir", spool=spool)
    world.log(heir, "x", "y")
    wait_until(lambda: len(out.bodies) == 7)
    wait_until(lambda: not heir.ledger().exporters["lines"].pending)
    found = {
        process.instance: (process.first, process.last, process.complete) for process in find_gaps(out.lines)
    }
    assert found == {"ended": (0, 4, True), "heir": (0, 1, True)}
    assert heir.ledger().exporters["lines"].adopted == 5
