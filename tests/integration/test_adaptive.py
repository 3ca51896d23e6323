"""Requests follow the receiver: how many at once, how far apart, how large, over real sockets."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import fapilog
from fapilog.testing import Hold, Ok, OtlpReceiver, Status
from fapilog.testing.answers import Exchange

PATIENCE_MILLIS = 60_000
RETRY = {"initial_backoff_millis": 1, "max_backoff_millis": 20}


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


def provider(receiver: OtlpReceiver, *, block_records: int = 1, **otlp: Any) -> fapilog.LoggerProvider:
    """One block for so many records, and quick retries."""
    settings = fapilog.Settings.load(
        environ={},
        otlp={"endpoint": receiver.logs_endpoint, "retry": RETRY, **otlp},
        buffer={"max_block_records": block_records},
    )
    return fapilog.LoggerProvider(settings=settings)


def log(provider: fapilog.LoggerProvider, count: int) -> None:
    logger = provider.get_logger("shop")
    for number in range(count):
        logger.emit(body=f"order {number}")


def bodies(receiver: OtlpReceiver) -> list[str]:
    return sorted(str(record.body) for record in receiver.log_records)


def delivered(provider: fapilog.LoggerProvider) -> int:
    return provider.ledger().exporters["otlp"].delivered


class Concurrency:
    """Takes one request at a time and answers 429 to what comes meanwhile."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self.refused = 0

    def send(self, exchange: Exchange) -> None:
        if not self._busy.acquire(blocking=False):
            self.refused += 1
            Status(429).send(exchange)
            return
        try:
            exchange.pause(0.02)
            Ok().send(exchange)
        finally:
            self._busy.release()


@pytest.mark.parametrize("adaptive", [True, False])
def test_blocks_that_wait_for_a_throttled_receiver_share_requests_unless_switched_off(receiver, adaptive):
    gate = threading.Event()
    receiver.answer_with(*[Status(429, retry_after=0)] * 3, Hold(gate))
    with provider(receiver, adaptive=adaptive, max_in_flight=1) as logs:
        log(logs, 1)
        receiver.wait_for_requests(4)  # the last one is held: what follows waits
        log(logs, 50)
        gate.set()
        assert logs.force_flush(PATIENCE_MILLIS)
        assert delivered(logs) == 51
    assert len(set(bodies(receiver))) == 50
    requests = len(receiver.requests)
    assert requests < 20 if adaptive else requests == 54


def test_a_receiver_that_takes_one_request_at_a_time_is_not_pressed_for_more(receiver):
    answer = Concurrency()
    receiver.answer_always_with(answer)
    with provider(receiver, max_in_flight=4) as logs:
        log(logs, 400)
        assert logs.force_flush(PATIENCE_MILLIS)
        assert delivered(logs) == 400
    assert len(bodies(receiver)) == 400
    assert answer.refused < 40, "each refusal halves what is sent at once"


def test_a_block_in_a_shared_request_that_is_refused_takes_no_other_with_it(receiver):
    class Picky:
        def send(self, exchange: Exchange) -> None:
            poisoned = b"poison" in raw(exchange)
            (Status(400) if poisoned else Ok()).send(exchange)

    def raw(exchange: Exchange) -> bytes:
        return exchange.request.body

    gate = threading.Event()
    receiver.answer_with(*[Status(429, retry_after=0)] * 3, Hold(gate))
    with provider(receiver, compression="none", max_in_flight=1) as logs:
        log(logs, 1)
        receiver.wait_for_requests(4)
        log(logs, 10)
        logs.get_logger("shop").emit(body="poison")
        log(logs, 10)
        receiver.answer_always_with(Picky())
        gate.set()
        assert logs.force_flush(PATIENCE_MILLIS)
        side = logs.ledger().exporters["otlp"]
    assert (side.delivered, side.rejected) == (21, 1)


def test_a_size_that_was_refused_is_learned(receiver):
    class Small:
        refused = 0

        def send(self, exchange: Exchange) -> None:
            if len(exchange.request.body) > 150_000:
                Small.refused += 1
                Status(413).send(exchange)
            else:
                Ok().send(exchange)

    receiver.answer_always_with(Small())
    with provider(receiver, block_records=2_000, compression="none", max_in_flight=1) as logs:
        logger = logs.get_logger("shop")
        for _ in range(10_000):
            logger.emit(body="x" * 100)
        assert logs.force_flush(PATIENCE_MILLIS)
        assert delivered(logs) == 10_000
    assert 1 <= Small.refused <= 3, "later blocks are split before they are sent"


def test_metrics_show_what_the_receiver_allows(receiver):
    receiver.answer_with(*[Status(429, retry_after=0)] * 4)
    with provider(receiver, max_in_flight=4) as logs:
        log(logs, 1)
        assert logs.force_flush(PATIENCE_MILLIS)
        stats = logs.outlet.stats()["exporters"]["otlp"]
    assert 1 <= stats["requests_at_once"] < 4
    assert stats["gap_seconds"] > 0.0
