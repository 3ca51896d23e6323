"""Fixtures for tests of applications that log with fapilog; pytest loads them wherever fapilog is installed.

What a fixture needs is imported when a test asks for it, so that a test run that asks for none pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fapilog.telemetry import Telemetry
    from fapilog.testing.capture import CapturedLogs
    from fapilog.testing.leaks import NoLeaks
    from fapilog.testing.receiver import OtlpReceiver
    from fapilog_instrumentation_fastapi.testing import RequestLogs


@pytest.fixture
def fapilog_logs() -> Iterator[CapturedLogs]:
    """The records logged during the test, as `fapilog.testing.capture_logs` captures them."""
    from fapilog.testing.capture import capture_logs  # noqa: PLC0415

    with capture_logs() as logs:
        yield logs


@pytest.fixture
def no_leaks() -> Iterator[NoLeaks]:
    """Fails the test when something sensitive leaves the process during it: `fapilog.testing.no_leaks`."""
    from fapilog.testing.leaks import no_leaks as watching  # noqa: PLC0415

    with watching() as leaks:
        yield leaks


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """What left during the call fails the test itself; what leaves at its teardown is an error there."""
    yield
    watching = getattr(item, "funcargs", {}).get("no_leaks")
    if watching is not None and hasattr(watching, "check"):
        watching.check()


@pytest.fixture
def otlp_receiver() -> Iterator[OtlpReceiver]:
    """An OTLP/HTTP receiver on loopback, closed after the test."""
    from fapilog.testing.receiver import OtlpReceiver  # noqa: PLC0415

    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
def fapilog_telemetry(otlp_receiver: OtlpReceiver) -> Iterator[Telemetry]:
    """A `Telemetry` whose logs, spans and metrics go to `otlp_receiver`; shut down after the test.

    The environment is not read: the service is `test`, the level TRACE, everything else has its default.

    Raises:
        LifecycleError: `already-configured`, if the process was configured outside of the test.
    """
    from fapilog.settings import Settings  # noqa: PLC0415
    from fapilog.telemetry import configure_otel  # noqa: PLC0415

    settings = Settings.load(
        environ={},
        level="trace",
        service={"name": "test"},
        exporters=("otlp",),
        otlp={"endpoint": otlp_receiver.endpoint},
    )
    with configure_otel(settings=settings) as telemetry:
        yield telemetry


@pytest.fixture
def fapilog_requests(fapilog_logs: CapturedLogs) -> RequestLogs:
    """The records of `fapilog_logs` by request: `fapilog_instrumentation_fastapi.testing.RequestLogs`.

    Raises:
        MissingDependencyError: The package is not installed; the message has the pip line.
    """
    from fapilog.instrumentation import load_fastapi  # noqa: PLC0415

    requests: RequestLogs = load_fastapi("testing", "the fixture fapilog_requests").RequestLogs(fapilog_logs)
    return requests
