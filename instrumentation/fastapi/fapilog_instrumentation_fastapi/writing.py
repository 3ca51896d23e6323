"""How this package writes a record of an exchange. Thread: caller."""

from __future__ import annotations

from collections.abc import Mapping
from time import time_ns
from typing import Any

from fapilog import Logger, Severity

_TEXTS = {int(severity): severity.name for severity in Severity}


def write(  # noqa: PLR0913 - what a record has
    logger: Logger,
    severity: int,
    event_name: str,
    body: str,
    attributes: Mapping[str, Any],
    *,
    context: Any,
    exception: BaseException | None = None,
) -> None:
    """Write a record that has happened now, with the span of a context."""
    logger.emit_record(
        body=body,
        severity_number=severity,
        severity_text=_TEXTS[severity],
        time_unix_nano=time_ns(),
        attributes=attributes,
        event_name=event_name,
        exception=exception,
        context=context,
    )
