"""The native side of Python exporters: cursors, the wake descriptor, batch processors, the ledger."""

import gzip
import select

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk.resources import Resource

from fapilog import Settings, ledger, pipeline
from fapilog._native import Logger, Pipeline, PipelineHandle

PATIENCE_MILLIS = 20_000


def python_exporter(name: str, compression: str = "gzip") -> dict[str, object]:
    return {"name": name, "kind": "python", "compression": compression}


class World:
    """A pipeline whose exporters are the test itself."""

    def __init__(self, *exporters: str, **options) -> None:
        settings = options.pop("settings", {})
        self.pipeline: Pipeline = pipeline.build(
            Settings.load(environ={}, **{"buffer.schedule_delay_millis": 1, "sequence": False} | settings),
            Resource.get_empty(),
            [python_exporter(name) for name in exporters],
            **options,
        )
        handle = PipelineHandle()
        handle.attach(self.pipeline)
        self.logger = Logger(handle, "shop")

    def wait(self) -> None:
        """Wait until the descriptor is readable, and take the wake back."""
        assert select.select([self.pipeline.wake_fd()], [], [], PATIENCE_MILLIS / 1_000)[0]
        assert self.pipeline.clear_wake()

    def claim(self, exporter: str):
        """The next batch; waits for one."""
        while (batch := self.pipeline.claim(exporter)) is None:
            self.wait()
        return batch

    def claim_unprocessed(self):
        while (batch := self.pipeline.claim_unprocessed()) is None:
            self.wait()
        return batch

    def side(self, exporter: str) -> dict[str, int]:
        """The exporter's terms of the ledger that are not zero."""
        counts = ledger.from_native(self.pipeline.ledger(), console=False)
        assert counts.balanced
        side = counts.exporters[exporter]
        terms = {"delivered": side.delivered, "rejected": side.rejected, "pending": side.pending}
        return {name: count for name, count in (terms | dict(side.dropped)).items() if count}


@pytest.fixture
def world():
    made: list[World] = []

    def make(*exporters: str, **options) -> World:
        made.append(World(*exporters, **options))
        return made[-1]

    yield make
    for each in made:
        each.pipeline.shutdown(0)


def bodies(request: bytes) -> list[str]:
    """The bodies of an uncompressed request."""
    parsed = ExportLogsServiceRequest.FromString(request)
    return [
        record.body.string_value
        for resource in parsed.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def test_every_exporter_gets_every_batch_and_answers_for_itself(world):
    world = world("one", "two")
    world.logger.info("hello")
    one, two = world.claim("one"), world.claim("two")
    assert (one.sequence, one.records, one.encoding) == (two.sequence, two.records, two.encoding)
    assert (one.records, one.encoding, bodies(one.otlp_bytes())) == (1, "gzip", ["hello"])
    assert gzip.decompress(one.body) == one.otlp_bytes()
    assert len(one.otlp_bytes()) == one.raw_bytes
    world.pipeline.settle("one", one.sequence, delivered=1)
    assert (world.side("one"), world.side("two")) == ({"delivered": 1}, {"pending": 1})
    world.pipeline.settle("two", two.sequence, dropped={"encode_failed": 1})
    assert world.side("two") == {"encode_failed": 1}
    assert world.pipeline.force_flush(0)


def test_a_released_batch_comes_again(world):
    world = world("one")
    world.logger.info("hello")
    batch = world.claim("one")
    assert world.pipeline.claim("one") is None
    world.pipeline.release("one", batch.sequence)
    world.wait()
    assert world.claim("one").sequence == batch.sequence
    assert world.side("one") == {"pending": 1}


def test_what_is_settled_twice_or_without_a_claim_is_counted_once(world):
    world = world("one", "two")
    world.logger.info("hello")
    batch = world.claim("one")
    world.pipeline.settle("one", batch.sequence, delivered=99)
    world.pipeline.settle("one", batch.sequence, rejected=1)
    world.pipeline.settle("two", batch.sequence, delivered=1)
    world.pipeline.settle("one", 12_345, delivered=1)
    assert (world.side("one"), world.side("two")) == ({"delivered": 1}, {"pending": 1})


def test_no_exporter_sees_a_batch_before_the_processors_gave_it_back(world):
    world = world("one", batch_processors=True)
    world.logger.info("hello")
    batch = world.claim_unprocessed()
    assert (world.pipeline.claim("one"), batch.encoding) == (None, "")
    world.pipeline.processed(batch.sequence, None)
    assert bodies(world.claim("one").otlp_bytes()) == ["hello"]


def test_what_processors_leave_out_is_dropped_as_processed(world):
    world = world("one", "two", batch_processors=True)
    for body in ("keep", "drop", "keep too"):
        world.logger.info(body)
    request = ExportLogsServiceRequest()
    taken = 0
    while taken < 3:
        batch = world.claim_unprocessed()
        taken += batch.records
        request.ParseFromString(batch.otlp_bytes())
        records = request.resource_logs[0].scope_logs[0].log_records
        kept = [record for record in records if record.body.string_value != "drop"]
        del records[:]
        records.extend(kept)
        world.pipeline.processed(batch.sequence, request.SerializeToString())
    for name in ("one", "two"):
        while "pending" in world.side(name):
            batch = world.claim(name)
            assert "drop" not in bodies(batch.otlp_bytes())
            world.pipeline.settle(name, batch.sequence, delivered=batch.records)
        assert world.side(name) == {"delivered": 2, "processed": 1}


def test_processors_cannot_add_records_or_break_the_request(world):
    world = world("one", batch_processors=True)
    world.logger.info("hello")
    batch = world.claim_unprocessed()
    more = ExportLogsServiceRequest.FromString(batch.otlp_bytes())
    more.resource_logs.add().CopyFrom(more.resource_logs[0])
    with pytest.raises(ValueError, match="holds 2 records and the block 1"):
        world.pipeline.processed(batch.sequence, more.SerializeToString())
    with pytest.raises(ValueError, match="not an ExportLogsServiceRequest"):
        world.pipeline.processed(batch.sequence, b"\xff")
    assert (world.side("one"), world.pipeline.claim("one")) == ({"pending": 1}, None)
    world.pipeline.processed(batch.sequence, None)
    assert world.claim("one").records == 1


@pytest.mark.parametrize("name", ["nobody", "otlp"])
def test_only_a_python_exporter_of_the_pipeline_can_claim(name):
    built = pipeline.build(Settings.load(environ={}), Resource.get_empty(), ["otlp"])
    for call in (lambda: built.claim(name), lambda: built.settle(name, 0), lambda: built.release(name, 0)):
        with pytest.raises(ValueError, match=f"exporter {name!r}".replace("'", '"')):
            call()


def test_an_unknown_drop_reason_is_refused_and_changes_nothing(world):
    world = world("one")
    world.logger.info("hello")
    batch = world.claim("one")
    with pytest.raises(ValueError, match='"tired" is unknown; use one of overflow_oldest, '):
        world.pipeline.settle("one", batch.sequence, delivered=1, dropped={"tired": 1})
    assert world.side("one") == {"pending": 1}


def test_on_start_is_called_once_with_the_first_record(world):
    calls: list[str] = []
    world = world("one", on_start=lambda: calls.append("started"))
    assert calls == []
    world.logger.info("one")
    world.logger.info("two")
    assert calls == ["started"]


def test_on_start_that_raises_is_told_and_the_record_is_kept(world, capfd):
    world = world("one", on_start=lambda: 1 / 0)
    world.logger.info("hello")
    assert bodies(world.claim("one").otlp_bytes()) == ["hello"]
    assert "Python exporters and processors do not run" in capfd.readouterr().err


def test_after_shutdown_nothing_is_claimed_and_what_was_left_is_dropped(world):
    world = world("one")
    world.logger.info("hello")
    world.claim("one")
    assert not world.pipeline.closing
    assert not world.pipeline.shutdown(1)
    assert world.pipeline.closing
    assert (world.pipeline.claim("one"), world.side("one")) == (None, {"shutdown": 1})


def test_a_pipeline_that_nobody_can_deliver_from_any_more_says_what_was_lost(capfd):
    world = World("one")
    world.logger.info("hello")
    world.claim("one")
    del world.logger, world.pipeline
    assert "1 records were not delivered: their provider went away" in capfd.readouterr().err


def test_two_exporters_of_one_name_are_refused():
    with pytest.raises(ValueError, match='two exporters are called "one"'):
        World("one", "one")


def test_a_new_resource_describes_what_is_sealed_from_then_on(world):
    world = world("one", on_start=lambda: None)
    resource = Resource({"service.instance.id": "b"})
    world.pipeline.set_resource(pipeline.encode_resource(resource))
    world.logger.info("hello")
    request = ExportLogsServiceRequest.FromString(world.claim("one").otlp_bytes())
    (attribute,) = request.resource_logs[0].resource.attributes
    assert (attribute.key, attribute.value.string_value) == ("service.instance.id", "b")


def test_stats_say_what_is_in_flight_and_held(world):
    world = world("one")
    world.logger.info("hello")
    batch = world.claim("one")
    stats = world.pipeline.exporter_stats()
    one = {
        "in_flight_records": 1,
        "send_nanos": 0,
        "operations": [],
        "operations_left_out": 0,
        "rejected_by": {},
    }
    assert stats["exporters"] == {"one": one}
    assert (stats["seal"]["records"], stats["seal"]["nanos"] > 0) == (1, True)
    place_bytes = 820  # `Block::PLACE_BYTES`
    assert stats["memory"]["block_bytes"] == len(batch.body) + place_bytes
    assert stats["memory"]["scope_bytes"] > 0
