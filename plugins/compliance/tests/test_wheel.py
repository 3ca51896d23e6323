"""The built wheel installs without a network, and fapilog finds its profiles there."""

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
PROGRAM = """
import json, sys
import fapilog_compliance
from fapilog.compliance import installed, load
from fapilog.settings import Settings

counts = {name: len(load([name]).profiles[0].clauses) for name in installed()}
mode = Settings.load(environ={"FAPILOG_COMPLIANCE": "pci-dss,hipaa"}).redaction_in_force.mode
print(json.dumps([fapilog_compliance.__file__, sorted(counts), min(counts.values()), mode]))
"""


@pytest.mark.long
def test_the_wheel_brings_the_profiles(tmp_path: Path):
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [
        "wheel",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--wheel-dir",
        tmp_path / "dist",
        HERE,
    ]
    subprocess.run([*pip, *build], check=True, timeout=110)
    [wheel] = (tmp_path / "dist").glob("fapilog_compliance-*.whl")
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    subprocess.run(
        [*pip, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True, timeout=110
    )
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(where, check=True, capture_output=True, text=True).stdout.strip())
    # fapilog and what it needs come from the environment of the tests; the profiles from the wheel.
    (site / "outer.pth").write_text(f"{sysconfig.get_path('purelib')}\n{HERE.parents[1]}\n")
    answer = subprocess.run([python, "-c", PROGRAM], check=True, capture_output=True, text=True, cwd=tmp_path)
    file, names, least, mode = json.loads(answer.stdout)
    assert Path(file).is_relative_to(site)
    assert (names, least > 0, mode) == (["gdpr", "hipaa", "pci-dss", "soc2", "sox"], True, "scan")
