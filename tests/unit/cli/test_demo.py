"""`fapilog demo` run for real: a child process, a receiver, an application, real requests."""

import doctest
import itertools
import os
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from fapilog.cli import demo, demo_service, loopback, report
from fapilog.cli.demo_service import SECRETS
from fapilog.cli.main import app
from fapilog.errors import MissingDependencyError
from fapilog.ledger import ExporterLedger, Ledger
from fapilog.testing import OtlpReceiver, ReceivedLogRecord

COMMAND = [sys.executable, "-c", "from fapilog.cli.main import main; main()", "demo"]
TITLES = [
    "1. The console of the application: one line per record, the trace id in it",
    "2. What the receiver decoded: 14 log records, 7 spans",
    "3. The ledger: what became of every record",
    "4. Checks",
]


def run(*options: str, measured: bool = False, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command; to measure its coverage takes twice as long, and once is enough."""
    inherited = {k: v for k, v in os.environ.items() if measured or not k.startswith("COVERAGE_")}
    environment = {**inherited, "COLUMNS": "160", **variables}
    return subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, timeout=60, env=environment, check=False
    )


def section(output: str, title: str) -> str:
    return output.partition(f"{title}\n{'-' * len(title)}\n")[2].partition("\n\n")[0]


@pytest.fixture(scope="module")
def finished() -> subprocess.CompletedProcess[str]:
    return run(measured=True)


def test_the_demo_succeeds_and_says_nothing_on_stderr(finished):
    assert (finished.returncode, finished.stderr) == (0, "")


def test_the_sections_stand_in_order_under_their_titles(finished):
    lines = finished.stdout.splitlines()
    underlined = [above for above, below in itertools.pairwise(lines) if above and below == "-" * len(above)]
    assert underlined == TITLES


def test_the_console_shows_trace_ids_redaction_bound_context_and_a_stdlib_record(finished):
    lines = section(finished.stdout, TITLES[0]).splitlines()
    noise = r"^\S+Z |\b[0-9a-f]{8}$| fapilog.correlation_id=[0-9a-f]{32}"
    plain = [re.sub(noise, "", line) for line in lines]
    assert [line for line in plain if " password=[REDACTED:secret] " in line and "signed in" in line]
    warning = (
        "WARN  legacy.billing  invoice R-1 is printed by old code  fapilog.correlation_id=order-7 order_id=1 "
    )
    assert [line[: len(warning)] for line in plain if " legacy.billing " in line] == [warning]
    assert "INFO  shop  receipt of order 1 sent to [REDACTED:email] " in [line[:56] for line in plain]
    assert (
        "INFO  shop  no warehouse, the list is read  url=postgresql://REDACTED:REDACTED@db.internal/stock  "
        in plain
    )
    assert "    | ConnectionResetError: the bank closed the connection for card [REDACTED:pan]" in plain
    traces = {line[-8:] for line in lines if " shop " in line or " legacy.billing " in line}
    assert len(traces) == 4
    assert all(re.fullmatch(r"[0-9a-f]{8}", trace) for trace in traces)


def test_the_receiver_shows_the_records_in_the_order_of_the_calls(finished):
    lines = section(finished.stdout, TITLES[1]).splitlines()
    assert [line[:24].split() for line in lines] == [
        ["severity", "scope"],
        ["INFO", "shop"],
        ["WARN", "legacy.billing"],
        ["INFO", "fapilog.http"],
        ["INFO", "shop"],
        ["INFO", "shop"],
        ["INFO", "fapilog.http"],
        ["INFO", "shop"],
        ["INFO", "fapilog.http"],
        ["INFO", "shop"],
        ["INFO", "fapilog.http"],
        ["WARN", "fapilog.http"],
        ["WARN", "fapilog.http"],
        ["ERROR", "fapilog.http"],
        ["ERROR", "fapilog.http"],
    ]


def test_access_records_stand_in_place_of_uvicorns(finished):
    lines = section(finished.stdout, TITLES[0]).splitlines()
    found = [re.search(r" fapilog\.http  (\S+ \S+ \d+)  ", line) for line in lines]
    assert [match[1] for match in found if match] == [
        "POST /orders 201",
        "GET /orders/{order_id} 200",
        "POST /login 200",
        "GET /stock/{item} 200",
        "POST /orders 422",
        "POST /orders/{order_id}/payment 500",
    ]


def test_both_equations_are_written_out(finished):
    assert finished.stdout.partition(f"{TITLES[2]}\n")[2].partition("\n\n4. Checks")[0].splitlines()[1:] == [
        "offered = filtered + refused + accepted",
        "     16 =        2 +       0 +       14",
        "",
        "otlp: accepted + adopted = delivered + rejected + dropped + pending",
        "            14 +       0 =        14 +        0 +       0 +       0",
        "",
        "console: accepted + adopted = delivered + rejected + dropped + pending",
        "               14 +       0 =        14 +        0 +       0 +       0",
    ]


def test_every_check_holds(finished):
    checks = section(finished.stdout, TITLES[3]).splitlines()
    assert [line.split()[0] for line in checks] == ["ok"] * 7


def test_no_secret_is_anywhere_in_the_output(finished):
    assert [secret for secret in SECRETS if secret in finished.stdout] == []


def test_the_style_is_that_of_the_option_and_outside_settings_do_not_count():
    done = run("--style", "json", "--no-colour", FAPILOG_EXPORTERS="none", OTEL_SDK_DISABLED="true")
    first = section(done.stdout, TITLES[0]).splitlines()[0]
    assert (done.returncode, first[:1]) == (0, "{")


def test_colour_goes_away_with_the_option():
    coloured, plain = run(FORCE_COLOR="1"), run("--no-colour", FORCE_COLOR="1")
    assert "\x1b[" in coloured.stdout
    assert "\x1b[" not in plain.stdout


def test_a_missing_extra_is_named_with_its_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "fapilog.cli.demo_service")
    monkeypatch.delattr("fapilog.cli.demo_service")
    with pytest.raises(MissingDependencyError) as caught:
        demo.load_service()
    assert 'do: pip install "fapilog[fastapi]"' in str(caught.value)


def a_record(**fields) -> ReceivedLogRecord:
    return ReceivedLogRecord(severity_number=9, body="placed", trace_id="ab" * 16, span_id="cd" * 8, **fields)


def test_checks_fail_when_nothing_arrived_and_the_ledger_does_not_add_up():
    ledger = Ledger(3, 0, {}, 2, 0, {"otlp": ExporterLedger(2, 1, 0, {}, 1)})
    with OtlpReceiver() as receiver:
        checks = demo_service.find_checks(receiver, ledger, [200, 500])
    assert [check.holds for check in checks] == [False, False, False, False, False, False, True]


def test_a_failed_check_ends_the_command_with_1(monkeypatch):
    monkeypatch.setattr(demo_service, "run_application", lambda settings: (EMPTY_LEDGER, []))
    result = CliRunner().invoke(app, ["demo"])
    assert result.exit_code == 1
    assert "FAILED  every request got the answer it should" in result.output


EMPTY_LEDGER = Ledger(0, 0, {}, 0, 0, {"otlp": ExporterLedger(0, 0, 0, {}, 0)})


def test_long_cells_are_cut_and_quiet_attributes_counted(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    record = a_record(scope_name="a" * 20, attributes={"fapilog.sequence": 3, "note": "x" * 90})
    assert report.records_table([record]).splitlines()[1] == (
        f"INFO      {'a' * 11}...  abababab  placed                              note={'x' * 20}..."
    )


@pytest.mark.parametrize("module", [report, loopback])
def test_the_examples_of_the_docstrings_run(module):
    result = doctest.testmod(module)
    assert (result.failed, result.attempted > 0) == (0, True)
