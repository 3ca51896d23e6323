"""The root conftest, in a test run of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = """
import os
import pytest

@pytest.mark.parametrize("number", range(3))
def test_skipped(number):
    pytest.skip("Go is not installed")

@pytest.mark.skip(reason="Linux only")
def test_marked():
    raise AssertionError

def test_environment():
    names = ("OTEL_SERVICE_NAME", "FAPILOG_LEVEL", "HTTPS_PROXY", "no_proxy", "SSL_CERT_FILE", "KEPT")
    assert [name for name in names if name in os.environ] == ["KEPT"]
"""
ENVIRONMENT = {
    "OTEL_SERVICE_NAME": "x",
    "FAPILOG_LEVEL": "x",
    "HTTPS_PROXY": "x",
    "no_proxy": "x",
    "SSL_CERT_FILE": "x",
    "KEPT": "x",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}


def test_a_run_lists_what_did_not_run_and_hides_outside_settings(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parents[2] / "conftest.py", tmp_path)
    (tmp_path / "test_sample.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | ENVIRONMENT,
        cwd=tmp_path,
        check=False,
    )
    not_run = [line for line in run.stdout.splitlines() if line.startswith("NOT RUN")]
    assert not_run == ["NOT RUN: 3 tests: Go is not installed", "NOT RUN: 1 test: Linux only"]
    assert "1 passed, 4 skipped" in run.stdout
