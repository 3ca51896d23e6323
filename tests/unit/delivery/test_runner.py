"""One exporter's cursor: what is claimed, called, tried again and settled, in virtual time."""

import asyncio
import itertools
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fapilog.delivery.breaker import BreakerState
from fapilog.delivery.runner import Runner
from fapilog.errors import ConfigurationError, ExportError
from fapilog.exporters.base import ExportOutcome
from fapilog.settings import DeliverySettings, RetrySettings
from fapilog.timings import Timings
from tests.unit.delivery.fakes import FakePipeline, ScriptedExporter, Told, blocks, run

RETRY = ExportOutcome(retry=True, cause="503")


def options(**changes: Any) -> DeliverySettings:
    """Settings with pauses of whole seconds."""
    retry = changes.pop("retry", {})
    return DeliverySettings(
        **{"timeout_millis": 10_000, **changes},
        retry=RetrySettings(**{"initial_backoff_millis": 1_000, "max_backoff_millis": 4_000, **retry}),
    )


class Scene:
    """One runner with the longest jitter, and what it met."""

    def __init__(self, exporter: Any, *pipelines: FakePipeline, **changes: Any) -> None:
        self.told = Told()
        self.timings = Timings()
        self.exporter = exporter
        self.pipelines = pipelines
        self.runner = Runner(
            exporter.name,
            exporter,
            options(**changes),
            tell=self.told,
            timings=self.timings,
            jitter=lambda: 1.0,
        )

    async def drain(self) -> None:
        """Serve until everything is decided."""
        for pipeline in self.pipelines:
            self.runner.serve(pipeline)
        while any(pipeline.blocks or pipeline.in_flight for pipeline in self.pipelines):
            await asyncio.sleep(0.1)

    def run(self) -> float:
        """Drain, and return how long it took."""

        async def main() -> float:
            await self.drain()
            return asyncio.get_running_loop().time()

        return run(main())


def test_every_block_is_delivered_in_order():
    pipeline = FakePipeline(blocks(1, 2, 3))
    scene = Scene(ScriptedExporter(), pipeline)
    scene.run()
    assert [len(batch) for batch in scene.exporter.batches] == [1, 2, 3]
    assert (pipeline.delivered, pipeline.decided, scene.told.said) == (6, 6, [])


def test_calls_under_way_are_limited():
    pipeline = FakePipeline(blocks(*[1] * 10))
    exporter = ScriptedExporter(always=1.0)
    exporter.max_in_flight = 3
    assert Scene(exporter, pipeline).run() == pytest.approx(4.0, abs=0.11)
    assert exporter.most_running == 3


def test_a_retry_waits_longer_each_time_up_to_the_longest_pause():
    exporter = ScriptedExporter(RETRY, RETRY, RETRY, RETRY)
    Scene(exporter, pipeline := FakePipeline(blocks(5))).run()
    assert exporter.times == pytest.approx([0.0, 1.0, 3.0, 7.0, 11.0])
    assert pipeline.delivered == 5


def test_a_pause_that_the_destination_asks_for_is_a_floor_and_holds_for_all_blocks():
    exporter = ScriptedExporter(ExportOutcome(retry=True, retry_after_millis=20_000))
    exporter.max_in_flight = 2
    scene = Scene(exporter, pipeline := FakePipeline(blocks(1, 1, 1)))
    scene.run()
    assert exporter.times[:2] == [0.0, 0.0]
    assert min(exporter.times[2:]) == pytest.approx(20.0)
    assert pipeline.delivered == 3


def test_of_a_batch_that_comes_again_only_what_was_left_counts():
    exporter = ScriptedExporter(ExportOutcome(delivered=2, rejected=1, retry=True))
    exporter.script.append(ExportOutcome(delivered=2))
    Scene(exporter, pipeline := FakePipeline(blocks(5))).run()
    assert (pipeline.delivered, pipeline.rejected) == (4, 1)
    assert exporter.batches[0] is exporter.batches[1]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionRefusedError("refused"), "endpoint-unreachable"),
        (TimeoutError("slow"), "export-timeout"),
        (ExportError("endpoint-unreachable", "busy", retryable=True), "endpoint-unreachable"),
    ],
)
def test_a_connection_that_fails_is_tried_again(error: Exception, code: str):
    scene = Scene(ScriptedExporter(error), pipeline := FakePipeline(blocks(2)))
    scene.run()
    assert (pipeline.delivered, pipeline.rejected, scene.told.codes) == (2, 0, [code])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("a bug"), "exporter-failed"),
        (SystemExit(1), "exporter-failed"),
        (KeyboardInterrupt(), "exporter-failed"),
        (ExportError("export-rejected", "no"), "export-rejected"),
    ],
)
def test_any_other_exception_rejects_the_batch_and_the_next_one_goes_on(error: BaseException, code: str):
    scene = Scene(ScriptedExporter(error), pipeline := FakePipeline(blocks(2, 3)))
    scene.run()
    assert (pipeline.delivered, pipeline.rejected, scene.told.codes) == (3, 2, [code])


def test_a_call_that_is_too_slow_is_cancelled_and_the_batch_comes_again():
    scene = Scene(ScriptedExporter(1_000.0), pipeline := FakePipeline(blocks(2)))
    scene.run()
    assert scene.exporter.times == pytest.approx([0.0, 11.0])
    assert (pipeline.delivered, scene.told.codes) == (2, ["export-timeout"])
    spent = scene.timings.snapshot()["exporter", "scripted"]
    assert (spent.calls, spent.failures) == (2, 1)


def test_a_call_that_cannot_be_cancelled_is_never_joined_by_a_second_one():
    async def deaf(batch: Any) -> ExportOutcome:
        for _ in range(100):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.5)
        return ExportOutcome(delivered=len(batch))

    scene = Scene(ScriptedExporter(deaf), pipeline := FakePipeline(blocks(2, 1)))
    scene.run()
    assert scene.exporter.most_running == 1
    assert scene.exporter.times[1] > 49.0
    # The slow call had said that it delivered, but too late: at least once, and settled once.
    assert pipeline.delivered == 3


def test_an_exporter_that_retries_itself_is_not_called_again_with_the_same_batch():
    exporter = ScriptedExporter(1_000.0)
    exporter.retries_itself = True
    Scene(exporter, pipeline := FakePipeline(blocks(2, 1))).run()
    assert (pipeline.delivered, pipeline.rejected, len(exporter.batches)) == (1, 2, 2)


def test_records_that_an_outcome_forgets_are_rejected_and_the_exporter_is_named():
    scene = Scene(ScriptedExporter(ExportOutcome(delivered=1)), pipeline := FakePipeline(blocks(4)))
    scene.run()
    assert (pipeline.delivered, pipeline.rejected) == (1, 3)
    assert scene.told.said == [
        (
            "exporter-failed",
            "exporter scripted: export_batch() accounted for 1 of 4 records; 3 records are rejected",
            "scripted",
        )
    ]


def test_an_answer_that_is_no_outcome_rejects_the_batch():
    scene = Scene(ScriptedExporter(lambda _: "ok"), pipeline := FakePipeline(blocks(4)))
    scene.run()
    assert (pipeline.rejected, scene.told.codes) == (4, ["exporter-failed"])


def test_an_outcome_cannot_decide_more_records_than_there_are():
    Scene(ScriptedExporter(ExportOutcome(delivered=9, rejected=9)), pipeline := FakePipeline(blocks(4))).run()
    assert (pipeline.delivered, pipeline.rejected) == (4, 0)


def test_records_that_are_too_old_are_dropped_as_expired():
    scene = Scene(
        ScriptedExporter(always=RETRY),
        pipeline := FakePipeline(blocks(3)),
        retry={"max_elapsed_millis": 5_000},
    )
    assert scene.run() == pytest.approx(5.0, abs=0.11)
    assert pipeline.dropped == {"expired": 3}


def test_a_dead_exporter_is_left_alone_and_its_blocks_wait_unclaimed():
    exporter = ScriptedExporter(always=ConnectionRefusedError("down"))
    pipeline = FakePipeline(blocks(*[1] * 20))
    scene = Scene(exporter, pipeline, breaker_failures=3, breaker_pause_millis=60_000)

    async def main() -> None:
        scene.runner.serve(pipeline)
        await asyncio.sleep(50.0)
        assert scene.runner.breaker.state is BreakerState.OPEN
        assert (exporter.times, pipeline.claimed) == (pytest.approx([0.0, 1.0, 3.0]), [0])
        exporter.always = None
        await asyncio.sleep(20.0)
        assert pipeline.delivered == 20

    run(main())


def test_a_raising_exporter_does_not_burn_through_the_whole_backlog():
    exporter = ScriptedExporter(always=ValueError("a bug"))
    pipeline = FakePipeline(blocks(*[1] * 20))
    scene = Scene(exporter, pipeline, breaker_failures=3, breaker_pause_millis=60_000)

    async def main() -> None:
        scene.runner.serve(pipeline)
        await asyncio.sleep(50.0)
        assert (pipeline.rejected, len(pipeline.blocks)) == (3, 17)

    run(main())


def test_a_flush_ends_our_own_pauses():
    exporter = ScriptedExporter(RETRY, RETRY, RETRY)
    pipeline = FakePipeline(blocks(1))
    scene = Scene(exporter, pipeline, breaker_failures=3, breaker_pause_millis=60_000)

    async def main() -> None:
        scene.runner.serve(pipeline)
        await asyncio.sleep(10.0)
        assert scene.runner.breaker.state is BreakerState.OPEN
        scene.runner.hurry()
        await asyncio.sleep(0.1)
        assert (pipeline.delivered, exporter.times[-1]) == (1, pytest.approx(10.0))

    run(main())


def test_a_destination_that_names_its_pauses_is_called_at_its_pace_however_often_it_does():
    exporter = ScriptedExporter(*[ExportOutcome(retry=True, retry_after_millis=500)] * 10)
    retry = {"initial_backoff_millis": 100, "max_backoff_millis": 200}
    scene = Scene(exporter, pipeline := FakePipeline(blocks(1)), breaker_failures=3, retry=retry)
    scene.run()
    gaps = [after - before for before, after in itertools.pairwise(exporter.times)]
    assert gaps == pytest.approx([0.6] + [0.7] * 9)
    assert pipeline.delivered == 1


def test_the_longest_backoff_of_an_exporter_bounds_how_long_it_is_left_alone():
    exporter = ScriptedExporter(always=ConnectionRefusedError("down"))
    exporter.retry = RetrySettings(initial_backoff_millis=1_000, max_backoff_millis=2_000)
    scene = Scene(exporter, pipeline := FakePipeline(blocks(1)), breaker_failures=3)

    async def main() -> None:
        scene.runner.serve(pipeline)
        await asyncio.sleep(9.5)

    run(main())
    assert exporter.times == pytest.approx([0.0, 1.0, 3.0, 5.0, 7.0, 9.0])


def test_a_flush_does_not_end_a_pause_that_the_destination_asked_for():
    exporter = ScriptedExporter(ExportOutcome(retry=True, retry_after_millis=30_000))
    pipeline = FakePipeline(blocks(1))
    scene = Scene(exporter, pipeline)

    async def main() -> None:
        scene.runner.serve(pipeline)
        await asyncio.sleep(10.0)
        scene.runner.hurry()
        await scene.drain()

    run(main())
    assert exporter.times == pytest.approx([0.0, 30.0])


def test_stopping_gives_claimed_blocks_back_and_calls_nobody_again():
    exporter = ScriptedExporter(always=100.0)
    exporter.max_in_flight = 2
    pipeline = FakePipeline(blocks(1, 1, 1))
    scene = Scene(exporter, pipeline)

    async def main() -> None:
        scene.runner.serve(pipeline)
        await asyncio.sleep(1.0)
        await scene.runner.stop()
        scene.runner.wake()
        await asyncio.sleep(10.0)

    run(main())
    assert (sorted(pipeline.released), pipeline.in_flight, len(exporter.batches)) == ([0, 1], {}, 2)
    assert exporter.running == 0


def test_two_pipelines_take_turns():
    first, second = FakePipeline(blocks(1, 1, 1)), FakePipeline(blocks(2, 2, 2))
    scene = Scene(ScriptedExporter(always=1.0), first, second)
    scene.run()
    assert [len(batch) for batch in scene.exporter.batches] == [1, 1, 2, 1, 2, 2]


class Flushable(ScriptedExporter):
    """Has the optional methods; `ending` is awaited in both."""

    def __init__(self, ending: Any) -> None:
        super().__init__()
        self.ending = ending
        self.asked: list[tuple[str, int]] = []

    async def force_flush(self, timeout_millis: int) -> Any:
        self.asked.append(("force_flush", timeout_millis))
        return await self.ending()

    async def shutdown(self, timeout_millis: int) -> Any:
        self.asked.append(("shutdown", timeout_millis))
        return await self.ending()


def ended_with(ending: Any) -> tuple[list[bool], list[tuple[str, int]], list[str], float]:
    """Flush and shut down an exporter with 2 seconds each."""
    exporter = Flushable(ending)
    scene = Scene(exporter)

    async def main() -> tuple[list[bool], float]:
        results = [await scene.runner.flush(2.0), await scene.runner.shut_down(2.0)]
        return results, asyncio.get_running_loop().time()

    results, seconds = run(main())
    return results, exporter.asked, scene.told.codes, seconds


ASKED = [("force_flush", 2_000), ("shutdown", 2_000)]


def test_flush_and_shutdown_are_passed_on_with_their_time():
    async def ending() -> None: ...

    assert ended_with(ending) == ([True, True], ASKED, [], 0.0)


def test_a_flush_that_says_no_has_failed():
    async def ending() -> bool:
        return False

    assert ended_with(ending)[0] == [False, False]


def test_a_flush_that_hangs_or_raises_has_failed_and_is_said():
    async def hanging() -> None:
        await asyncio.sleep(1_000.0)

    async def raising() -> None:
        raise ValueError("a bug")

    assert ended_with(hanging) == ([False, False], ASKED, ["export-timeout"] * 2, 4.0)
    assert ended_with(raising) == ([False, False], ASKED, ["exporter-failed"] * 2, 0.0)


def test_an_exporter_without_the_optional_methods_is_flushed_and_ended():
    scene = Scene(ScriptedExporter())

    async def main() -> list[bool]:
        return [await scene.runner.flush(2.0), await scene.runner.shut_down(2.0)]

    assert run(main()) == [True, True]


steps = st.one_of(
    st.none(),
    st.sampled_from([0.5, 3.0, 100.0]),
    st.sampled_from([ConnectionError("down"), ValueError("a bug"), SystemExit(1)]),
    st.builds(
        ExportOutcome,
        delivered=st.integers(-1, 12),
        rejected=st.integers(-1, 12),
        retry=st.booleans(),
        retry_after_millis=st.none() | st.integers(-5, 50_000),
    ),
    st.just(lambda _: None),
)


@settings(max_examples=150, deadline=None)
@given(
    script=st.lists(steps, max_size=25),
    sizes=st.lists(st.integers(1, 10), max_size=10),
    in_flight=st.integers(1, 3),
    age=st.none() | st.integers(1, 60_000),
    hurries=st.lists(st.floats(0.0, 100.0), max_size=3),
)
def test_whatever_an_exporter_does_each_record_is_decided_once(
    script: list[Any], sizes: list[int], in_flight: int, age: int | None, hurries: list[float]
):
    exporter = ScriptedExporter(*script)
    exporter.max_in_flight = in_flight
    pipeline = FakePipeline(blocks(*sizes))
    scene = Scene(exporter, pipeline, retry={"max_elapsed_millis": age})

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for when in hurries:
            loop.call_later(when, scene.runner.hurry)
        await scene.drain()
        await scene.runner.stop()

    run(main())  # FakePipeline.settle asserts that nothing is decided twice
    assert pipeline.decided == sum(sizes)
    assert exporter.most_running <= in_flight
    assert exporter.running == 0


@settings(max_examples=100, deadline=None)
@given(
    script=st.lists(steps, max_size=15),
    sizes=st.lists(st.integers(1, 10), max_size=6),
    when=st.floats(0.0, 60.0),
)
def test_whenever_it_is_stopped_each_block_is_settled_or_given_back(
    script: list[Any], sizes: list[int], when: float
):
    pipeline = FakePipeline(blocks(*sizes))
    exporter = ScriptedExporter(*script)
    scene = Scene(exporter, pipeline)

    async def main() -> None:
        scene.runner.serve(pipeline)
        await asyncio.sleep(when)
        await scene.runner.stop()

    run(main())
    assert (pipeline.in_flight, exporter.running) == ({}, 0)


@pytest.mark.parametrize(("name", "value"), [("retry", {"max_elapsed_millis": 5}), ("max_in_flight", "4")])
def test_an_exporter_with_a_member_of_the_wrong_type_is_refused_before_it_has_a_block(name: str, value: Any):
    exporter = ScriptedExporter()
    setattr(exporter, name, value)
    with pytest.raises(ConfigurationError) as caught:
        Scene(exporter)
    [setting] = caught.value.settings
    assert (caught.value.code, setting.name) == ("setting-invalid", f"scripted.{name}")
