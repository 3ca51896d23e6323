"""A process in which not even settings can be read: it logs nothing, says so, counts, and goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.harness import ROOT, environment

# What stands in the place of a package of which settings are made.
BROKEN = {
    "a plugin that raises": "raise RuntimeError('a plugin is broken')",
    "a package that is missing": "raise ModuleNotFoundError('no such package')",
}
SCRIPT = """
import fapilog, os

log = fapilog.get_logger("shop")
for number in range(3):
    log.info("placed", number=number)
fapilog.get_logger("other").error("refused")
child = os.fork()
if child == 0:
    log.info("in the child")
    raise SystemExit
os.waitpid(child, 0)
print("the application goes on")
"""


@pytest.mark.parametrize("how", BROKEN)
def test_what_cannot_be_configured_is_said_once_and_every_call_is_counted(tmp_path: Path, how: str) -> None:
    (tmp_path / "pydantic_settings.py").write_text(BROKEN[how])
    variables = environment("http://127.0.0.1:1/v1/logs", PYTHONPATH=f"{tmp_path}:{ROOT}")
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=False, env=variables, capture_output=True, text=True, timeout=60
    )
    error = BROKEN[how].removeprefix("raise ").replace("('", ": ").removesuffix("')")
    lost = "log calls went nowhere, because the process could not be configured [records-lost]"
    assert ended.stderr.splitlines() == [
        f"fapilog: {error}; nothing is logged until configure_otel() succeeds [configuration-failed]",
        f"fapilog: 1 {lost}",
        f"fapilog: 4 {lost}",
    ]
    assert (ended.stdout, ended.returncode) == ("the application goes on\n", 0)
