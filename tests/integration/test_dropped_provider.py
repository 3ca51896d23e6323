"""A provider that is let go of without `shutdown()` delivers its records and leaves no thread behind."""

import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path

from fapilog import LoggerProvider, Settings
from fapilog.testing import OtlpReceiver

DEADLINE_SECONDS = 10


def native_threads() -> int:
    return sum(name_of(task).startswith("fapilog-") for task in Path("/proc/self/task").iterdir())


def name_of(task: Path) -> str:
    try:
        return task.joinpath("comm").read_text()
    except OSError:  # it ended meanwhile
        return ""


def eventually(holds: Callable[[], bool]) -> bool:
    deadline, pause = time.monotonic() + DEADLINE_SECONDS, threading.Event()
    while not holds() and time.monotonic() < deadline:
        pause.wait(0.01)
    return holds()


def test_a_provider_that_is_dropped_delivers_what_it_has_and_its_threads_end():
    before = native_threads()
    with OtlpReceiver() as receiver:
        settings = Settings(otlp={"endpoint": receiver.endpoint})
        provider = LoggerProvider(settings=settings, exporters=["otlp"])
        provider.get_logger("jobs").emit(body="last words")
        assert eventually(lambda: native_threads() > before)  # a thread takes its name after it has started
        del provider
        gc.collect()
        receiver.wait_for_log_records(1)
        assert [record.body for record in receiver.log_records] == ["last words"]
        assert eventually(lambda: native_threads() == before)
