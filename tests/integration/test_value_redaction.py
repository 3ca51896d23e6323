"""`redaction="scan"`: sensitive values leave by no carrier, whoever logs."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry._logs import LogRecord

import fapilog
from fapilog.testing import OtlpReceiver

Configure = Callable[..., fapilog.Telemetry]
CARD = "4111 1111 1111 1111"
HIDDEN = "[REDACTED:pan]"


def log_natively() -> None:
    fapilog.get_logger("shop").info(f"paid with {CARD}", card=CARD, number=4_111_111_111_111_111)


def log_by_logging() -> None:
    logging.getLogger("shop").warning("paid with %s", CARD, extra={"card": CARD})


def log_by_the_api() -> None:
    provider = fapilog.get_logger_provider() if hasattr(fapilog, "get_logger_provider") else None
    from opentelemetry._logs import get_logger

    logger = provider.get_logger("shop") if provider else get_logger("shop")
    logger.emit(LogRecord(body=f"paid with {CARD}", attributes={"card": CARD}))


@pytest.mark.parametrize("log", [log_natively, log_by_logging, log_by_the_api])
def test_a_card_number_is_hidden_whoever_logs_it(
    configure: Configure, receiver: OtlpReceiver, log: Callable[[], None]
) -> None:
    telemetry = configure(redaction={"mode": "scan"})
    log()
    assert telemetry.force_flush(10_000)
    [record] = receiver.log_records
    assert record.body == f"paid with {HIDDEN}"
    assert record.attributes["card"] == HIDDEN
    assert "4111" not in repr(record)


def test_exceptions_scopes_and_resources_are_scanned_too(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure(redaction={"mode": "scan"}, resource={"host.owner": f"card {CARD}"})
    log = fapilog.get_logger(f"shop {CARD}")
    try:
        raise ValueError(f"declined: {CARD}")
    except ValueError:
        log.exception("payment failed")
    assert telemetry.force_flush(10_000)
    [record] = receiver.log_records
    shown: Any = repr(record)
    assert "4111" not in shown
    assert record.attributes["exception.message"] == f"declined: {HIDDEN}"
    assert record.scope_name == f"shop {HIDDEN}"


def test_an_action_decides_what_stays(configure: Configure, receiver: OtlpReceiver) -> None:
    telemetry = configure(redaction={"mode": "scan", "actions": {"PAN": "truncate:6:4"}})
    fapilog.get_logger("shop").info("paid", card=CARD)
    assert telemetry.force_flush(10_000)
    assert receiver.log_records[0].attributes["card"] == "[REDACTED:pan:411111...1111]"


def test_without_scan_values_stay(configure: Configure, receiver: OtlpReceiver) -> None:
    telemetry = configure()
    fapilog.get_logger("shop").info(CARD)
    assert telemetry.force_flush(10_000)
    assert receiver.log_records[0].body == CARD
