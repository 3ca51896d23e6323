"""The resource detector: what it says, and that it can be loaded while the SDK itself is being imported."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from fapilog.resource_detector import FapilogResourceDetector

DISTRIBUTION = {"telemetry.distro.name": "fapilog", "telemetry.distro.version": version("fapilog")}


def test_it_names_the_distribution_and_nothing_else():
    assert dict(FapilogResourceDetector().detect().attributes) == DISTRIBUTION


@pytest.mark.parametrize("detectors", ["fapilog", "*"])
def test_it_is_found_while_the_logs_sdk_is_being_imported(detectors):
    program = (
        "from opentelemetry.sdk._logs import LoggerProvider\n"
        "print(LoggerProvider(shutdown_on_exit=False).resource.attributes['telemetry.distro.name'])"
    )
    environment = {"OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": detectors}
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, env=environment, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("fapilog\n", "")


def test_it_imports_nothing_of_the_logs_sdk():
    program = (
        "import sys, fapilog.resource_detector\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk._logs', 'pydantic'))])\n"
        "print(sorted(name for name in sys.modules if name.startswith('fapilog')))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.stdout == "[]\n['fapilog', 'fapilog.resource_detector']\n"
