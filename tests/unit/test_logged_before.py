"""Records that left under the defaults before `configure_otel()` asked for more redaction: that is said."""

import subprocess
import sys

import pytest

from tests.integration.harness import environment

SCRIPT = """
import fapilog

if {logs_before}:
    fapilog.get_logger("shop").info("before ann@example.org")
    fapilog.get_logger("shop").info("again")
telemetry = fapilog.configure_otel("shop", exporters=["none"], {arguments})
telemetry.shutdown()
"""


def said(arguments: str, *, logs_before: bool = True, **variables: str) -> list[str]:
    """The notices of a process that logs, and then is configured."""
    script = SCRIPT.format(logs_before=logs_before, arguments=arguments)
    given = environment("http://127.0.0.1:1/v1/logs", OTEL_EXPORTER_OTLP_LOGS_ENDPOINT="", **variables)
    ended = subprocess.run(
        [sys.executable, "-c", script], check=True, env=given, capture_output=True, text=True, timeout=60
    )
    return [line for line in ended.stderr.splitlines() if "[logged-before]" in line]


@pytest.mark.parametrize(
    "arguments", ["redaction='scan'", "minimise=True", "redaction={'secret_keys': ('a',)}"]
)
def test_records_before_a_stricter_policy_are_counted_in_a_notice(arguments: str) -> None:
    assert said(arguments) == [
        "fapilog: 2 log records were accepted before configure_otel(), under less redaction than it asks for:"
        " call it before the first log call, or set FAPILOG_REDACTION or FAPILOG_COMPLIANCE [logged-before]"
    ]


def test_nothing_is_said_without_records_or_without_a_stricter_policy() -> None:
    assert said("redaction='scan'", logs_before=False) == []
    assert said("level='debug'") == []
    assert said("redaction='scan'", FAPILOG_REDACTION="scan") == []
