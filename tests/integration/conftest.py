"""The real Collector (one plain, one with TLS per test run), a receiver, `configure_otel` that is undone."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import fapilog
from fapilog.testing import Hold, OtlpReceiver
from tests.integration.harness import LIMIT_RECORDS, ONE_RECORD_PER_BLOCK, settings_for
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.collector import Collector
from tests.servers.go_program import GoBuildError, GoMissing
from tests.servers.otelcol.build import build as build_collector
from tests.servers.toxiproxy.build import build as build_toxiproxy
from tests.servers.toxiproxy.control import Toxiproxy

# Which fixture needs which Go program; its marker is the program's name.
PROGRAMS: dict[str, tuple[str, Callable[[], Path]]] = {
    "collector_binary": ("collector", build_collector),
    "toxiproxy_binary": ("toxiproxy", build_toxiproxy),
}
BUILD_ERRORS = pytest.StashKey[dict[str, Exception]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test that uses a Go program, so that `-m "not collector"` finds them all."""
    for item in items:
        for fixture, (marker, _) in PROGRAMS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Builds the programs before the first test: a cold build takes longer than a test may."""
    config = session.config
    errors = config.stash.setdefault(BUILD_ERRORS, {})
    if config.option.collectonly:
        return
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        for fixture, (marker, build) in PROGRAMS.items():
            if any(item.get_closest_marker(marker) for item in session.items):
                try:
                    build()
                except (GoMissing, GoBuildError) as error:
                    errors[fixture] = error


def _binary(config: pytest.Config, fixture: str) -> Path:
    error = config.stash.get(BUILD_ERRORS, {}).get(fixture)
    if isinstance(error, GoMissing):
        pytest.skip(str(error))
    if error is not None:
        raise error
    return PROGRAMS[fixture][1]()


@pytest.fixture(scope="session")
def collector_binary(request: pytest.FixtureRequest) -> Path:
    """The Collector's binary; the test is skipped where it cannot be built because Go is missing."""
    return _binary(request.config, "collector_binary")


@pytest.fixture(scope="session")
def toxiproxy_binary(request: pytest.FixtureRequest) -> Path:
    """Toxiproxy's binary; the test is skipped where it cannot be built because Go is missing."""
    return _binary(request.config, "toxiproxy_binary")


@pytest.fixture(scope="session")
def toxiproxy(toxiproxy_binary: Path) -> Iterator[Toxiproxy]:
    """One toxiproxy for the whole test run; a test makes its own proxies."""
    with Toxiproxy(toxiproxy_binary) as running:
        yield running


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate authority of this test run, with a server and a client certificate."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def shared_collector(collector_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """One plain Collector for the whole test run; tests use `collector`."""
    with Collector(collector_binary, tmp_path_factory.mktemp("collector")) as running:
        yield running


@pytest.fixture(scope="session")
def shared_tls_collector(
    collector_binary: Path, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Collector]:
    """One Collector with TLS for the whole test run; tests use `tls_collector`."""
    directory = tmp_path_factory.mktemp("tls-collector")
    with Collector(collector_binary, directory, certificates=certificates) as running:
        yield running


@pytest.fixture
def collector(shared_collector: Collector) -> Collector:
    """The plain Collector, with no records in it yet."""
    shared_collector.forget_records()
    return shared_collector


@pytest.fixture
def tls_collector(shared_tls_collector: Collector) -> Collector:
    """The Collector with TLS, with no records in it yet."""
    shared_tls_collector.forget_records()
    return shared_tls_collector


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver that takes everything until the test tells it otherwise."""
    with OtlpReceiver() as running:
        yield running


@pytest.fixture
def configure(
    receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., fapilog.Telemetry]]:
    """`configure_otel` with short pauses, to `receiver` unless told; shut down and balanced at the end."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    made: list[fapilog.Telemetry] = []

    def configured(endpoint: str = receiver.logs_endpoint, **overrides: Any) -> fapilog.Telemetry:
        made.append(fapilog.configure_otel("shop", **settings_for(endpoint, **overrides)))
        return made[-1]

    yield configured
    for telemetry in made:
        telemetry.shutdown()
    for telemetry in made:
        ledger = telemetry.ledger()
        assert ledger.balanced, ledger
        assert ledger.exporters["otlp"].pending == 0, ledger


@pytest.fixture
def release(receiver: OtlpReceiver) -> Iterator[threading.Event]:
    """The receiver answers nothing until this is set."""
    event = threading.Event()
    receiver.answer_always_with(Hold(event))
    yield event
    event.set()


@pytest.fixture
def full(
    configure: Callable[..., fapilog.Telemetry], receiver: OtlpReceiver, release: threading.Event
) -> Callable[..., fapilog.Telemetry]:
    """Telemetry whose buffer is full of ten errors, the first one in a request that is not answered."""

    def configured(
        overflow: str = "wait", flight_recorder: Mapping[str, Any] | None = None, **buffer: Any
    ) -> fapilog.Telemetry:
        limits = ONE_RECORD_PER_BLOCK | {"max_queue_records": LIMIT_RECORDS, "overflow": overflow} | buffer
        others = {"flight_recorder": flight_recorder} if flight_recorder else {}
        telemetry = configure(otlp={"max_in_flight": 1}, buffer=limits, **others)
        log = fapilog.get_logger("orders")
        log.error("0")
        telemetry.force_flush(1)
        receiver.wait_for_requests(1)
        for number in range(1, LIMIT_RECORDS):
            log.error(str(number))
        return telemetry

    return configured
