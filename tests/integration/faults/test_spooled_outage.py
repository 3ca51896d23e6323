"""`make outage`, short: below the quota nothing is lost, above it what is lost is counted exactly."""

import subprocess
import sys

import pytest

from tests.integration.faults.soak import ROOT


@pytest.mark.parametrize(
    ("quota_mib", "is_lost"), [pytest.param(64, False, id="below"), pytest.param(1, True, id="above")]
)
def test_an_outage_longer_than_memory_lasts_is_on_disk_up_to_the_quota(quota_mib: int, is_lost: bool) -> None:
    # A process of its own: what other tests left behind would count.
    command = [sys.executable, "-m", "tests.integration.faults.outage"]
    command += ["--records", "100000", "--quota-mib", str(quota_mib)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert ("lost        0 counted, 0 missing" in run.stdout) is not is_lost, run.stdout
