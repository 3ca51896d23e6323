"""Every answer of a receiver, and every way to have none: what is sent again, and what is counted."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.metadata import version
from platform import python_version

import pytest

import fapilog
from fapilog.testing import (
    Answer,
    CloseWithoutAnswer,
    Exchange,
    Garbage,
    Hold,
    Ok,
    OtlpReceiver,
    ResetMidBody,
    SlowBody,
    Status,
)
from tests.integration.harness import ONE_RECORD_PER_BLOCK, bodies, counts, run
from tests.servers.proxy import ConnectProxy

Configure = Callable[..., fapilog.Telemetry]
ALL_IN_TIME_MILLIS = 10_000


@dataclass(frozen=True)
class OkThenClose:
    """Takes the records and closes the connection after its answer, without saying so in a header."""

    def send(self, exchange: Exchange) -> None:
        exchange.accept_records()
        exchange.respond(200)
        exchange.close()


def log_records(count: int) -> None:
    log = fapilog.get_logger("orders")
    for number in range(count):
        log.info("order", number=number)


def numbers(receiver: OtlpReceiver) -> list[int]:
    return [record.attributes["number"] for record in receiver.log_records]


def sent_and_delivered(count: int, **more: int) -> dict[str, int]:
    return {"offered": count, "accepted": count, "delivered": count} | more


# Sent again


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_passing_fault_is_sent_again_until_it_passes(
    configure: Configure, receiver: OtlpReceiver, status: int
) -> None:
    telemetry = configure()
    receiver.answer_with(Status(status), Status(status), Status(status))
    log_records(3)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert len(receiver.requests) == 4
    assert len({request.body for request in receiver.requests}) == 1
    assert numbers(receiver) == [0, 1, 2]
    assert counts(telemetry.ledger()) == sent_and_delivered(3)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_waited_for(
    configure: Configure, receiver: OtlpReceiver, status: int, form: str
) -> None:
    telemetry = configure()
    # A date has whole seconds: two ahead are more than one away.
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    receiver.answer_with(Status(status, retry_after=1 if form == "seconds" else date))
    log_records(1)
    telemetry.force_flush(1)
    receiver.wait_for_requests(1)
    first = time.monotonic()
    receiver.wait_for_requests(2)
    waited = time.monotonic() - first
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert 0.9 < waited < 5
    assert counts(telemetry.ledger()) == sent_and_delivered(1)


def test_a_long_retry_after_is_cut_to_the_setting(configure: Configure, receiver: OtlpReceiver) -> None:
    telemetry = configure(otlp={"retry": {"max_retry_after_millis": 10}})
    receiver.answer_with(Status(503, retry_after=86_400), Status(429, retry_after="tomorrow"))
    log_records(1)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert counts(telemetry.ledger()) == sent_and_delivered(1)


@pytest.mark.parametrize(
    "fault",
    [CloseWithoutAnswer(), Garbage(instead_of_http=True), CloseWithoutAnswer(take_records=True)],
    ids=["close without an answer", "no HTTP", "close after taking the records"],
)
def test_no_answer_means_that_the_request_is_sent_again(
    configure: Configure, receiver: OtlpReceiver, fault: Answer
) -> None:
    telemetry = configure()
    receiver.answer_with(fault)
    log_records(2)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert [request.body for request in receiver.requests] == [receiver.requests[0].body] * 2
    # Delivery is at least once: an answer that was lost cannot be told from a request that was lost.
    taken_twice = fault != CloseWithoutAnswer()
    assert numbers(receiver) == [0, 1] * (2 if taken_twice else 1)
    assert counts(telemetry.ledger()) == sent_and_delivered(2)


@pytest.mark.parametrize(
    "answer",
    [ResetMidBody(take_records=True), Garbage(), SlowBody(pause_seconds=0.2)],
    ids=["reset in the body", "a body that is no protobuf", "a body slower than the timeout"],
)
def test_a_200_counts_even_if_its_body_cannot_be_read(
    configure: Configure, receiver: OtlpReceiver, answer: Answer
) -> None:
    telemetry = configure(otlp={"timeout_millis": 500})
    receiver.answer_with(answer)
    log_records(2)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert (len(receiver.requests), numbers(receiver)) == (1, [0, 1])
    assert counts(telemetry.ledger()) == sent_and_delivered(2)


def test_an_answer_that_does_not_come_is_given_up_and_asked_for_again(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure(otlp={"timeout_millis": 100})
    receiver.answer_with(Hold(threading.Event()))
    log_records(2)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert (len(receiver.requests), numbers(receiver)) == (2, [0, 1])
    assert counts(telemetry.ledger()) == sent_and_delivered(2)


def test_records_wait_for_an_endpoint_that_is_down(
    configure: Configure, receiver: OtlpReceiver, capfd: pytest.CaptureFixture[str]
) -> None:
    told = threading.Event()
    telemetry = configure(on_error=lambda error: told.set())
    receiver.refuse_connections()
    log_records(3)
    while not told.is_set():
        telemetry.force_flush(10)
    assert counts(telemetry.ledger()) == {"offered": 3, "accepted": 3, "pending": 3}
    receiver.accept_again()
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert numbers(receiver) == [0, 1, 2]
    assert counts(telemetry.ledger()) == sent_and_delivered(3)
    down, up = capfd.readouterr().err.splitlines()
    assert down.startswith(f"fapilog: cannot deliver to {receiver.logs_endpoint} (")
    assert up.startswith(f"fapilog: {receiver.logs_endpoint} answers again after ")


def test_records_older_than_the_longest_age_are_dropped_as_expired(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure(otlp={"retry": {"max_elapsed_millis": 50}})
    receiver.answer_always_with(Status(503))
    log_records(2)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert counts(telemetry.ledger()) == {"offered": 2, "accepted": 2, "dropped.expired": 2}
    assert telemetry.health().status == "losing"


# Not sent again


@pytest.mark.parametrize("status", [302, 400, 401, 404, 500])
def test_a_lasting_fault_is_not_sent_again_and_counted(
    configure: Configure, receiver: OtlpReceiver, capfd: pytest.CaptureFixture[str], status: int
) -> None:
    telemetry = configure()
    receiver.answer_always_with(Status(status, headers={"Location": "/v1/logs"} if status == 302 else {}))
    for _ in range(3):
        log_records(2)
        assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert (len(receiver.requests), receiver.log_records) == (3, [])
    assert counts(telemetry.ledger()) == {"offered": 6, "accepted": 6, "rejected": 6}
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith(f"fapilog: {receiver.logs_endpoint} refused 2 records for good: ")
    assert str(status) in line


def test_a_request_that_is_too_large_is_sent_in_halves(configure: Configure, receiver: OtlpReceiver) -> None:
    telemetry = configure()
    receiver.answer_with(Status(413), Ok(), Status(413))
    log_records(8)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert (len(receiver.requests), numbers(receiver)) == (5, list(range(8)))
    assert counts(telemetry.ledger()) == sent_and_delivered(8)


def test_a_single_record_that_is_too_large_is_rejected_and_the_others_arrive(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure()
    receiver.answer_with(Status(413), Ok(), Status(413))
    log_records(2)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert numbers(receiver) == [0]
    assert counts(telemetry.ledger()) == {"offered": 2, "accepted": 2, "delivered": 1, "rejected": 1}


def test_a_request_larger_than_the_setting_is_split_before_it_is_sent(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure(otlp={"max_request_bytes": 1_500})
    log_records(50)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert len(receiver.requests) > 3
    assert numbers(receiver) == list(range(50))
    assert counts(telemetry.ledger()) == sent_and_delivered(50)


@pytest.mark.parametrize(("claimed", "rejected"), [(2, 2), (99, 5)])
def test_a_partial_success_is_counted_and_not_sent_again(
    configure: Configure,
    receiver: OtlpReceiver,
    capfd: pytest.CaptureFixture[str],
    claimed: int,
    rejected: int,
) -> None:
    telemetry = configure()
    receiver.answer_with(Ok(rejected=claimed, message="too old"))
    log_records(5)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert len(receiver.requests) == 1
    terms = {"offered": 5, "accepted": 5, "delivered": 5 - rejected, "rejected": rejected}
    assert counts(telemetry.ledger()) == {name: count for name, count in terms.items() if count}
    assert capfd.readouterr().err == (
        f"fapilog: {receiver.logs_endpoint} took a request without {rejected} of its records: too old\n"
    )


# Connections and headers


def test_a_connection_that_the_server_closed_meanwhile_is_replaced_in_silence(
    configure: Configure, receiver: OtlpReceiver, capfd: pytest.CaptureFixture[str]
) -> None:
    telemetry = configure(otlp={"max_in_flight": 1})
    receiver.answer_always_with(OkThenClose())
    for _ in range(5):
        log_records(1)
        assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert (len(receiver.requests), receiver.connections) == (5, 5)
    assert counts(telemetry.ledger()) == sent_and_delivered(5)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("max_in_flight", [1, 3])
def test_connections_are_kept_and_no_more_than_requests_may_be_in_flight(
    configure: Configure, receiver: OtlpReceiver, max_in_flight: int
) -> None:
    telemetry = configure(otlp={"max_in_flight": max_in_flight}, buffer=ONE_RECORD_PER_BLOCK)
    log_records(60)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert len(receiver.requests) == 60
    assert 1 <= receiver.connections <= max_in_flight
    assert sorted(numbers(receiver)) == list(range(60))
    assert counts(telemetry.ledger()) == sent_and_delivered(60)


@pytest.mark.parametrize("max_in_flight", [1, 4])
def test_as_many_requests_as_allowed_are_in_flight_at_once(
    configure: Configure, receiver: OtlpReceiver, max_in_flight: int
) -> None:
    release = threading.Event()
    receiver.answer_always_with(Hold(release))
    telemetry = configure(otlp={"max_in_flight": max_in_flight}, buffer=ONE_RECORD_PER_BLOCK)
    log_records(10)
    receiver.wait_for_requests(max_in_flight)
    assert not telemetry.force_flush(50)
    assert len(receiver.requests) == max_in_flight
    release.set()
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    assert counts(telemetry.ledger()) == sent_and_delivered(10)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_the_request_says_what_it_is(configure: Configure, receiver: OtlpReceiver, compression: str) -> None:
    telemetry = configure(otlp={"compression": compression, "headers": {"Authorization": "Bearer t0ken"}})
    log_records(1)
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    [request] = receiver.requests
    exporter = version("opentelemetry-exporter-otlp-proto-http")
    encoding = {} if compression == "none" else {"content-encoding": compression}
    assert (request.path, dict(request.headers)) == (
        "/v1/logs",
        {
            "host": f"127.0.0.1:{receiver.port}",
            "user-agent": (
                f"fapilog/{version('fapilog')} OTel-OTLP-Exporter-Python/{exporter} Python/{python_version()}"
            ),
            "accept": "application/x-protobuf",
            "content-type": "application/x-protobuf",
            "content-length": str(len(request.body)),
            "authorization": "Bearer t0ken",
            **encoding,
        },
    )


def test_the_proxy_of_the_environment_is_used_unless_no_proxy_names_the_host(
    configure: Configure, receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConnectProxy(receiver.port) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        telemetry = configure("http://collector.test:4318/v1/logs")
        log_records(2)
        assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
        telemetry.shutdown()
        direct = configure()
        log_records(1)
        assert direct.force_flush(ALL_IN_TIME_MILLIS)
        direct.shutdown()
    assert proxy.tunnels == ["collector.test:4318"]
    assert [request.headers["host"] for request in receiver.requests] == [
        "collector.test:4318",
        f"127.0.0.1:{receiver.port}",
    ]
    assert numbers(receiver) == [0, 1, 0]


# What people are told


def test_an_unreachable_endpoint_is_said_once_and_not_again_while_it_lasts(receiver: OtlpReceiver) -> None:
    receiver.refuse_connections()
    ended = run("unreachable.py", receiver.logs_endpoint)
    lines = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout) == (0, "{'endpoint-unreachable': 1}\n")
    assert [line.split(" (")[0] for line in lines] == [
        f"fapilog: cannot deliver to {receiver.logs_endpoint}",
    ]
    assert lines[0].endswith("Start a collector there or set OTEL_EXPORTER_OTLP_ENDPOINT.")


def test_on_error_is_called_and_its_own_errors_harm_nobody(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    told: list[fapilog.FapilogError] = []

    def on_error(error: fapilog.FapilogError) -> None:
        told.append(error)
        fapilog.get_logger("callback").info("told", number=-1)
        raise RuntimeError("the callback is broken")

    telemetry = configure(on_error=on_error)
    receiver.answer_with(Status(400), Ok(rejected=1))
    for _ in range(3):
        log_records(1)
        assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    # Both faults have one code, and a code is told at most once a second.
    assert [(type(error).__name__, error.code) for error in told] == [("ExportError", "export-rejected")]
    assert "refused 1 records for good" in str(told[0])
    assert sorted(numbers(receiver))[:1] == [-1]


def test_health_tells_pressure_losses_and_the_end(configure: Configure, receiver: OtlpReceiver) -> None:
    release = threading.Event()
    receiver.answer_always_with(Hold(release))
    telemetry = configure(
        otlp={"compression": "none", "max_in_flight": 1},
        buffer={"limit_bytes": 16_384, "chunk_bytes": 2_048, "record_bytes": 1_024},
    )
    assert (telemetry.health().status, telemetry.health().buffer_bytes) == ("ok", 0)
    log = fapilog.get_logger("orders")
    while telemetry.health().shedding_below == 0:
        log.error("x" * 500)
        telemetry.force_flush(1)  # sealed before the next: what waits for the sealer is no pressure yet
    under_pressure = telemetry.health()
    assert (under_pressure.status, under_pressure.lost) == ("pressure", 0)
    assert 0.75 * 16_384 <= under_pressure.buffer_bytes <= under_pressure.buffer_limit_bytes == 16_384
    log.debug("filtered")
    while telemetry.health().lost == 0:
        log.error("x" * 500)
    assert telemetry.health().status == "losing"
    release.set()
    assert telemetry.force_flush(ALL_IN_TIME_MILLIS)
    after = telemetry.health()
    # A sender logs the report of the losses, so it may be on its way still.
    assert (after.status, after.pending <= 1, after.shedding_below) == ("losing", True, 0)
    telemetry.shutdown()
    assert telemetry.health().status == "shut_down"
    assert set(bodies(receiver)) == {"x" * 500}
