"""Sentry's own SDK before the same server: it takes what that sends too, and both tell an exception alike."""

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys

import sentry_sdk
from fapilog import LoggerProvider
from sentry_sdk import logger as sdk_logger

from sentry_events import SentryExporter


class OrderError(Exception):
    pass


def place(text):
    try:
        return int(text)
    except ValueError as error:
        raise OrderError("not a number") from error


dsn = sys.argv[1]
sentry_sdk.init(dsn=dsn, default_integrations=False, enable_logs=True, release="1.4.2", server_name="web-3")
with LoggerProvider(exporters=[SentryExporter(dsn=dsn, release="1.4.2")]) as provider:
    logger = provider.get_logger("shop")
    try:
        place("many")
    except OrderError as error:
        sentry_sdk.capture_exception(error)
        logger.emit(body="order refused", severity_number=17, exception=error)
    sdk_logger.info("order placed", attributes={"order_id": 42})
    logger.emit(body="order placed", severity_number=9, attributes={"order_id": 42})
    sentry_sdk.flush(30)
    assert provider.force_flush(30_000)
"""


def told(event):
    """What an event says of its exceptions, without what only the SDK sees, such as values of variables."""
    return [
        (
            each.get("module"),
            each["type"],
            each["value"],
            [(frame["function"], frame["lineno"], frame["context_line"].strip()) for frame in frames],
        )
        for each in event["exception"]["values"]
        for frames in [each["stacktrace"]["frames"]]
    ]


def test_the_sdk_and_this_exporter_tell_an_exception_and_a_log_alike(sentry, tmp_path):
    program = tmp_path / "shop.py"
    program.write_text(PROGRAM)
    paths = [str(Path(__file__).parents[1]), *(path for path in sys.path if path)]
    done = subprocess.run(
        [sys.executable, str(program), sentry.dsn],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert (done.returncode, sentry.violations) == (0, []), done.stderr
    ours, sdk = sorted(sentry.events.values(), key=lambda event: "sdk" in event)
    assert told(ours) == told(sdk)
    assert [kind for _, kind, _, _ in told(ours)] == ["ValueError", "OrderError"]
    for key in ("level", "platform", "release"):
        assert ours[key] == sdk[key]
    logs = [
        (log["body"], log["level"], log["attributes"]["order_id"], log["attributes"]["sentry.release"])
        for log in sentry.logs
    ]
    assert len(logs) == 2
    assert logs[0] == logs[1]
