"""Records that left under the defaults before `configure_otel()` asked for more redaction: that is said."""

import subprocess
import sys

import pytest

from fapilog.settings.redaction import RedactionSettings
from fapilog.settings.weaker import hides_less
from tests.integration.harness import environment

SCRIPT = """
import fapilog

fapilog.get_logger("shop").info("before ann@example.org")
fapilog.get_logger("shop").info("again")
telemetry = fapilog.configure_otel("shop", exporters=["console"], {arguments})
telemetry.shutdown()
"""
NOTICE = (
    "fapilog: 2 log records were accepted before configure_otel(), under less redaction than it asks for:"
    " call it before the first log call, or set FAPILOG_REDACTION or FAPILOG_COMPLIANCE [logged-before]"
)


def said(arguments: str) -> list[str]:
    """The notices of a process that logs to the console, and then is configured."""
    given = environment("", FAPILOG_EXPORTERS="console")
    script = SCRIPT.format(arguments=arguments)
    ended = subprocess.run(
        [sys.executable, "-c", script], check=True, env=given, capture_output=True, text=True, timeout=60
    )
    return [line for line in ended.stderr.splitlines() if "[logged-before]" in line]


@pytest.mark.parametrize(
    ("arguments", "notices"),
    [
        ("redaction='scan'", [NOTICE]),
        ("redaction={'destinations': {'console': {'secret_keys': ('a',)}}}", [NOTICE]),
        ("level='debug'", []),
    ],
)
def test_records_before_a_stricter_policy_are_counted_in_a_notice(arguments: str, notices: list[str]) -> None:
    assert said(arguments) == notices


KEYS, SCAN = RedactionSettings(), RedactionSettings(mode="scan")
RULE = {"name": "ticket", "paths": ("ticket",)}


def to(**destinations: object) -> RedactionSettings:
    return RedactionSettings.model_validate({"destinations": destinations})


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        (KEYS, SCAN),
        (KEYS, RedactionSettings(minimise=True)),
        (KEYS, RedactionSettings(secret_keys=("a",))),
        (KEYS, RedactionSettings.model_validate({"rules": (RULE,)})),
        (SCAN, RedactionSettings(mode="scan", actions={"PAN": "mask:4"})),
        (KEYS, to(console="scan")),
        (KEYS, to(console={"minimise": True})),
        (KEYS, to(console={"secret_keys": ("a",)})),
        (KEYS, to(console={"rules": (RULE,)})),
        (to(console="scan"), to(console={"mode": "scan", "secret_keys": ("a",)})),
    ],
)
def test_a_policy_that_leaves_out_what_another_one_hides_is_weaker(
    before: RedactionSettings, asked: RedactionSettings
) -> None:
    assert hides_less(before, asked, ("console",))


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        (KEYS, KEYS),
        (SCAN, SCAN),
        (SCAN, KEYS),
        (SCAN, to(console="scan")),
        (to(console="scan"), to(console="scan")),
        # Nothing went to the file before.
        (KEYS, to(file="scan")),
    ],
)
def test_a_policy_that_hides_all_of_another_one_is_not_weaker(
    before: RedactionSettings, asked: RedactionSettings
) -> None:
    assert not hides_less(before, asked, ("console",))
