"""`fapilog bench`: the quick run for real, and what it does when records are lost."""

import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import typer

from fapilog.cli import bench
from fapilog.ledger import ExporterLedger

COMMAND = [sys.executable, "-c", "from fapilog.cli.main import main; main()", "bench", "--quick"]


def test_the_quick_run_prints_costs_and_rates_as_ratios():
    done = subprocess.run(
        COMMAND, capture_output=True, text=True, timeout=100, check=False, env={**os.environ}
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = re.findall(r"^  (.+?) {2,}[\d,]+ (ns|/s) +([\d.]+) x$", done.stdout, re.MULTILINE)
    assert [(name, unit) for name, unit, _ in rows] == [
        ("empty function", "ns"),
        ("fapilog, below the level", "ns"),
        ("fapilog", "ns"),
        ("logging with a NullHandler", "ns"),
        ("opentelemetry-sdk", "/s"),
        ("fapilog", "/s"),
    ]
    ratios = [float(ratio) for _, _, ratio in rows]
    assert (ratios[0], ratios[4]) == (1.0, 1.0)
    assert ratios[5] > 1


def test_the_receiver_ends_with_the_command():
    with bench.receiver() as endpoint:
        assert endpoint.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("flushed", [True, False])
def test_a_rate_of_records_that_did_not_arrive_is_not_printed(flushed, capsys):
    side = ExporterLedger(10, 9, 0, {}, 1)
    telemetry = SimpleNamespace(
        ledger=lambda: SimpleNamespace(exporters={"otlp": side}), force_flush=lambda timeout: flushed
    )
    log = SimpleNamespace(info=lambda *arguments, **attributes: None)
    with pytest.raises(typer.Exit):
        bench.delivered_per_second(telemetry, log, 10)
    assert capsys.readouterr().err.startswith("fapilog bench: 10 records were offered and 0 delivered: ")
