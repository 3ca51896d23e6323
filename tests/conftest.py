"""What every test gets: an environment without outside settings, and a list of what did not run."""

import os
import signal
from collections import Counter

import hypothesis
import pytest

# requests prefers these to the authority that a client was given.
CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")

# A shell ignores SIGINT for what it starts in the background, and programs under test would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# On a busy machine any example may take long.
hypothesis.settings.register_profile("suite", deadline=None, print_blob=True)
hypothesis.settings.register_profile("long", hypothesis.settings.get_profile("suite"), max_examples=1_000)
hypothesis.settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _no_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        is_setting = name.startswith(("OTEL_", "FAPILOG_")) or name.lower().endswith("_proxy")
        if is_setting or name in CERTIFICATE_VARIABLES:
            monkeypatch.delenv(name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the long tests to the long run: they need `-m long`."""
    if "long" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("long")]
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints how many tests were skipped for which reason: a skipped test proves nothing."""
    reasons = Counter(_skip_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if reasons:
        terminalreporter.section("tests that did not run")
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"NOT RUN: {count} test{'s' if count > 1 else ''}: {reason}", yellow=True)


def _skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")
