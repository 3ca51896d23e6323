"""The pytest plugin: its fixtures in a project of their own, and what loading it costs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import fapilog

SOURCE = str(Path(fapilog.__file__).parents[1])
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "test_your_logs.md"
SUITE = """
import fapilog
from fapilog.in_force import current

def test_logs(fapilog_logs):
    fapilog.get_logger("orders").info("placed", order_id=7)
    assert fapilog_logs.find(body="placed").attributes == {"order_id": 7}

def test_telemetry(fapilog_telemetry, otlp_receiver, fapilog_logs):
    fapilog.get_logger("orders").trace("placed")
    assert fapilog_telemetry.force_flush()
    [record] = otlp_receiver.wait_for_log_records(1)
    assert (record.body, record.resource["service.name"]) == ("placed", "test")
    assert fapilog_logs.bodies == ["placed"]
    assert current() is fapilog_telemetry

def test_again(fapilog_telemetry):
    assert fapilog_telemetry.ledger().offered == 0

def test_after():
    assert current() is None
"""


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": SOURCE, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_suite(suite: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "test_orders.py").write_text(suite, encoding="utf-8")
    plugin = ["-p", "fapilog.testing.pytest_plugin", "-p", "no:cacheprovider"]
    return run(["-m", "pytest", "-q", *plugin], folder)


def test_the_fixtures_work_in_a_project_of_their_own(tmp_path: Path):
    result = run_suite(SUITE, tmp_path)
    assert (result.returncode, "4 passed" in result.stdout) == (0, True), result.stdout + result.stderr


def test_the_examples_on_the_page_pass(tmp_path: Path):
    examples = re.findall(
        r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    suite = "\n\n".join(examples)
    result = run_suite(suite, tmp_path)
    passed = f"{len(re.findall(r'^def test_', suite, re.MULTILINE))} passed"
    assert (result.returncode, passed in result.stdout) == (0, True), result.stdout + result.stderr


def test_loading_the_plugin_loads_no_native_module_and_no_opentelemetry(tmp_path: Path):
    script = (
        "import sys, json, pytest; before = set(sys.modules); import fapilog.testing.pytest_plugin;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    loaded = json.loads(run(["-c", script], tmp_path).stdout)
    assert loaded == ["fapilog", "fapilog.testing", "fapilog.testing.pytest_plugin"]


LEAKY = """
import fapilog

def test_clean(no_leaks):
    fapilog.get_logger("orders").info("placed", order_id=7)

def test_leaky(no_leaks):
    fapilog.get_logger("orders").info("paid with 4111 1111 1111 1111")
"""


def test_a_leak_fails_the_test_itself_and_is_not_shown(tmp_path: Path):
    result = run_suite(LEAKY, tmp_path)
    assert "1 failed, 1 passed" in result.stdout, result.stdout + result.stderr
    assert "body: PAN" in result.stdout
    assert "error" not in result.stdout.splitlines()[-1]
