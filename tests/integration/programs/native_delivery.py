"""A pipeline whose Python exporter is this program: forks, or ends with records that nobody took."""

import os
import pathlib
import select
import sys

from opentelemetry.sdk.resources import Resource

from fapilog import Settings, pipeline
from fapilog._native import Logger, Pipeline, PipelineHandle


def claim(built: Pipeline) -> bytes:
    """The next block; waits for one."""
    while (batch := built.claim("loop")) is None:
        assert select.select([built.wake_fd()], [], [], 20)[0]
        built.clear_wake()
    built.settle("loop", batch.sequence, delivered=batch.records)
    return batch.otlp_bytes()


def build(exporters: list[object]) -> tuple[Pipeline, Logger]:
    """A pipeline that describes each process by its number when it starts there."""

    def on_start() -> None:
        resource = Resource({"process": "parent" if os.getpid() == parent else "child"})
        built.set_resource(pipeline.encode_resource(resource))
        print("started in", "parent" if os.getpid() == parent else "child", flush=True)

    parent = os.getpid()
    settings = Settings.load(buffer={"schedule_delay_millis": 1})
    python = {"name": "loop", "kind": "python", "compression": "gzip"}
    built = pipeline.build(settings, Resource({}), [*exporters, python], on_start=on_start)
    handle = PipelineHandle()
    handle.attach(built)
    return built, Logger(handle, "program")


def fork() -> None:
    """The child starts with nothing of the parent's but its changes."""
    built, logger = build(["otlp"])
    built.set_headers("otlp", [("authorization", "renewed")])
    logger.info("parent's")
    claim(built)
    fd = built.wake_fd()
    built.clear_wake()
    logger.info("parent's second")
    assert select.select([fd], [], [], 20)[0]
    child = os.fork()
    if child == 0:
        assert built.claim("loop") is None
        logger.info("child's")
        other = built.wake_fd()
        assert other != fd, "the parent's would wake the parent"
        request = claim(built)
        assert b"child's" in request
        assert b"child" in request.split(b"child's")[0]
        assert built.force_flush(20_000)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    # Nothing that the child did took the parent's wake.
    assert select.select([fd], [], [], 0)[0]
    assert b"parent's second" in claim(built)
    assert built.force_flush(20_000)


def lost_certificate() -> None:
    """The child cannot build the exporter again, and goes without it."""
    built, logger = build(["otlp"])
    pathlib.Path(os.environ["OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE"]).unlink()
    child = os.fork()
    if child == 0:
        logger.info("child's")
        assert b"child's" in claim(built)
        assert list(built.ledger()["exporters"]) == ["loop"]
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def end() -> None:
    """Nobody takes what the Python exporter should have delivered."""
    built, logger = build(["otlp"])
    logger.info("for both")
    assert not built.force_flush(200)
    # Kept, as a provider keeps it.
    sys.modules["__main__"].kept = (built, logger)


if __name__ == "__main__":
    {"fork": fork, "end": end, "lost_certificate": lost_certificate}[sys.argv[1]]()
