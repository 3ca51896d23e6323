"""A test of what a service logs, against a real receiver. Run it: pytest testing_example.py."""

from collections.abc import Iterator

import pytest

import fapilog
from fapilog.testing import OtlpReceiver

log = fapilog.get_logger("orders")


def place_order(order_id: int, token: str) -> None:
    """The code under test."""
    log.info("order placed", order_id=order_id, token=token)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """Receive what is logged during the test."""
    with OtlpReceiver() as receiver:
        endpoint = {"endpoint": receiver.logs_endpoint}
        with fapilog.configure_otel("orders", exporters=["otlp"], otlp=endpoint, sequence=False):
            yield receiver


def test_an_order_is_logged_without_its_token(receiver: OtlpReceiver) -> None:
    place_order(42, token="t-123")

    [record] = receiver.wait_for_log_records(1)

    assert (record.body, record.attributes) == (
        "order placed",
        {"order_id": 42, "token": "[REDACTED:secret]"},
    )
