"""uvicorn and gunicorn, with and without `opentelemetry-instrument`, ended by a signal: every record once."""

import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from fapilog.testing import OtlpReceiver
from tests.integration.zero_code import start
from tests.servers.ports import free_ports

ORDERS = range(12)


class Server(NamedTuple):
    """How a server is started, what says that it listens, and how it ends."""

    command: str
    listens: str
    signal: signal.Signals
    status: int
    route: str = "orders"
    zero_code: bool = True


UVICORN = "uvicorn zero_code_asgi:app --port PORT"
ASGI = "gunicorn -w 2 -b 127.0.0.1:PORT -k uvicorn_worker.UvicornWorker zero_code_asgi:app"
CONFIGURED = ASGI.replace("zero_code_asgi", "served")
WSGI = "gunicorn -w 2 -b 127.0.0.1:PORT zero_code_wsgi:app"
SERVERS = {
    "uvicorn, SIGTERM": Server(UVICORN, "Uvicorn running", signal.SIGTERM, -signal.SIGTERM),
    "uvicorn, SIGINT": Server(UVICORN, "Uvicorn running", signal.SIGINT, 0),
    "uvicorn, threads": Server(UVICORN, "Uvicorn running", signal.SIGTERM, -signal.SIGTERM, "threads"),
    "uvicorn, two workers": Server(f"{UVICORN} --workers 2", "Uvicorn running", signal.SIGTERM, 0),
    "uvicorn worker": Server(ASGI, "Listening at", signal.SIGTERM, 0),
    "uvicorn worker, quiet, threads": Server(f"{ASGI} --log-level warning", "", signal.SIGTERM, 0, "threads"),
    "uvicorn worker, preload": Server(f"{ASGI} --preload", "Listening at", signal.SIGTERM, 0),
    "uvicorn worker, configured by a call": Server(
        CONFIGURED, "Listening at", signal.SIGTERM, 0, zero_code=False
    ),
    "uvicorn worker, preload, configured by a call": Server(
        f"{CONFIGURED} --preload", "Listening at", signal.SIGTERM, 0, zero_code=False
    ),
    "sync worker, SIGTERM": Server(WSGI, "Listening at", signal.SIGTERM, 0),
    "sync worker, SIGINT": Server(WSGI, "Listening at", signal.SIGINT, 0),
    "sync worker, preload": Server(f"{WSGI} --preload", "Listening at", signal.SIGTERM, 0),
}


# Spans too, so that instrumentations ask for the parent of a request.
CONFIG_FILE = """\
file_format: "1.0"
tracer_provider:
  processors: [{batch: {exporter: {otlp_http: {endpoint: "${RECEIVER}/v1/traces"}}}}]
logger_provider:
  processors: [{batch: {exporter: {otlp_http: {endpoint: "${RECEIVER}/v1/logs"}}}}]
"""


class Served(NamedTuple):
    """What came of a server: exit status, stderr, the answers, and the receiver."""

    status: int
    err: str
    answers: list[dict[str, int]]
    receiver: OtlpReceiver


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Server:
    """One way to serve and to end."""
    return SERVERS[request.param]


@pytest.fixture(scope="module")
def served(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that answered some requests and was ended by its signal."""
    home = str(tmp_path_factory.mktemp("home"))
    with OtlpReceiver() as receiver:
        process, port, first = _started(server, receiver, home, FAPILOG_EXIT_REPORT="true")
        try:
            answers = _ask(port, server.route)
            process.send_signal(server.signal)
            _, rest = process.communicate(timeout=40)
        finally:
            process.kill()
        yield Served(process.returncode, first + rest, answers, receiver)


@pytest.mark.parametrize("propagator", ["", "propagator: {composite: [{tracecontext: {}}]}\n"])
def test_a_configuration_file_serves_requests_with_and_without_a_propagator(
    propagator: str, tmp_path: Path
) -> None:
    (tmp_path / "otel.yaml").write_text(propagator + CONFIG_FILE)
    with OtlpReceiver() as receiver:
        file = {"OTEL_CONFIG_FILE": str(tmp_path / "otel.yaml"), "RECEIVER": receiver.endpoint}
        process, port, err = _started(SERVERS["uvicorn, SIGINT"], receiver, str(tmp_path), **file)
        try:
            parent = f"00-{'ab' * 16}-{'cd' * 8}-01"
            answer = httpx.get(
                f"http://127.0.0.1:{port}/orders/1", headers={"traceparent": parent}, timeout=20
            )
            process.send_signal(signal.SIGINT)
            _, rest = process.communicate(timeout=40)
        finally:
            process.kill()
        records = [record for record in receiver.log_records if record.scope_name == "served"]
    assert (answer.status_code, process.returncode, "Traceback" in err + rest) == (200, 0, False)
    [record] = records
    assert record.attributes["number"] == 1
    assert (record.trace_id == "ab" * 16) == bool(propagator)


def _started(
    server: Server, receiver: OtlpReceiver, home: str, **more: str
) -> tuple["subprocess.Popen[str]", int, str]:
    [port] = free_ports(1)
    command = server.command.replace("PORT", str(port)).split()
    process = start(command, receiver, zero_code=server.zero_code, HOME=home, **more)
    read = ""
    while server.listens and server.listens not in read:
        line = process.stderr.readline() if process.stderr else ""
        assert line, f"the server ended:\n{read}"
        read += line
    return process, port, read


def _ask(port: int, route: str) -> list[dict[str, int]]:
    # A quiet server does not say when it listens: the client tries again until it does.
    transport = httpx.HTTPTransport(retries=6)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=20) as client:
        client.get(f"/{route}/{ORDERS[0]}")
    with ThreadPoolExecutor(4) as pool:
        urls = [f"http://127.0.0.1:{port}/{route}/{number}" for number in ORDERS[1:]]
        return list(pool.map(lambda url: httpx.get(url, timeout=20).json(), urls))


def test_every_record_arrives_once(served: Served) -> None:
    assert [answer["number"] for answer in served.answers] == list(ORDERS[1:])
    arrived = Counter(
        (record.scope_name, record.attributes.get("number", record.body))
        for record in served.receiver.log_records
        if record.scope_name in ("served", "legacy")
    )
    assert arrived == Counter(
        [("served", number) for number in ORDERS] + [("legacy", f"order {number}") for number in ORDERS]
    )


def test_every_process_has_an_id_of_its_own(served: Served) -> None:
    of_process: dict[int, set[str]] = {}
    for record in served.receiver.log_records:
        if "process" in record.attributes:
            instance = record.resource["service.instance.id"]
            of_process.setdefault(record.attributes["process"], set()).add(instance)
    assert {answer["process"] for answer in served.answers} <= set(of_process)
    assert [len(instances) for instances in of_process.values()] == [1] * len(of_process)
    assert len(set().union(*of_process.values())) == len(of_process)


def test_every_record_belongs_to_a_span_that_arrived_too(served: Served) -> None:
    spans = {
        span.span_id.hex()
        for request in served.receiver.requests
        if request.path == "/v1/traces" and request.message is not None
        for resource in request.message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
    logged = {record.span_id for record in served.receiver.log_records if record.scope_name == "served"}
    assert len(logged) == len(ORDERS)
    assert logged <= spans


def test_each_process_that_logged_reports_its_own_ledger_once(served: Served) -> None:
    report = r"^fapilog: offered .*\notlp: accepted (\d+) = delivered \1 \+ rejected 0 \+ pending 0$"
    reported = [int(accepted) for accepted in re.findall(report, served.err, re.MULTILINE)]
    logged = Counter(record.resource["service.instance.id"] for record in served.receiver.log_records)
    assert sorted(accepted for accepted in reported if accepted) == sorted(logged.values())


def test_the_process_ends_as_it_would_without_us(served: Served, server: Server) -> None:
    assert served.status == server.status
    said = [line for line in served.err.splitlines() if not line.startswith("fapilog: offered")]
    noise = [line for line in said if "fapilog" in line or "telemetry" in line.lower()]
    assert noise == []
