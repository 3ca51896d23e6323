"""A server that says when to come back is asked again then, over HTTP and over gRPC alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

import fapilog
from fapilog.testing import OtlpReceiver, Status
from tests.servers.grpc_receiver import GrpcReceiver, Reply

BUSY_ANSWERS = 6
# Far below what the circuit breaker would take.
PATIENCE_SECONDS = 15.0


@contextmanager
def busy_server(protocol: str) -> Iterator[tuple[str, Any]]:
    """A server that asks for a short pause six times; its endpoint, and what waits for so many requests."""
    if protocol == "grpc":
        busy = Reply(grpc.StatusCode.UNAVAILABLE, "busy", retry_delay_seconds=0.01)
        with GrpcReceiver(*[busy] * BUSY_ANSWERS) as server:
            yield server.endpoint, lambda count: server.wait_for_calls(count, PATIENCE_SECONDS)
    else:
        with OtlpReceiver() as server:
            server.answer_with(*[Status(503, retry_after=0)] * BUSY_ANSWERS)
            yield server.logs_endpoint, lambda count: server.wait_for_requests(count, PATIENCE_SECONDS)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_server_that_names_a_pause_again_and_again_is_not_left_alone(protocol):
    with busy_server(protocol) as (endpoint, wait_for_requests):
        retry = {"initial_backoff_millis": 1, "max_backoff_millis": 20}
        otlp = {"protocol": protocol, "endpoint": endpoint, "retry": retry}
        loaded = fapilog.Settings.load(environ={}, otlp=otlp)
        with fapilog.LoggerProvider(settings=loaded) as provider:
            provider.get_logger("shop").emit(body="placed")
            wait_for_requests(BUSY_ANSWERS + 1)
            assert provider.force_flush(10_000)
            assert provider.ledger().exporters["otlp"].delivered == 1
