"""What the tests of the zero-code doors share: programs under `opentelemetry-instrument`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from fapilog.testing import OtlpReceiver
from tests.integration.harness import PROGRAMS, environment
from tests.servers.collector import Collector

BIN = Path(sys.executable).parent
# Nothing leaves by itself: what arrives, arrived because the end of the process delivered it.
NO_SCHEDULE = {
    "OTEL_BLRP_SCHEDULE_DELAY": "60000",
    "OTEL_BSP_SCHEDULE_DELAY": "60000",
    "OTEL_METRIC_EXPORT_INTERVAL": "60000",
}
# What the programs do not use, and half of what starting one takes. The test of all doors and those of traps
# between distributions load `EVERYTHING`.
UNUSED = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "fapilog_fastapi,fastapi,httpx,httpx2,requests"}
EVERYTHING = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ""}


def variables(receiver: OtlpReceiver | Collector, **more: str) -> dict[str, str]:
    """The environment of a program under the distribution, all three signals going to the receiver."""
    given = environment(receiver.logs_endpoint)
    for name in ("FAPILOG_EXPORTERS", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OTEL_TRACES_EXPORTER"):
        del given[name]
    del given["OTEL_METRICS_EXPORTER"]
    given["PATH"] = f"{BIN}:{given['PATH']}"
    return given | {
        "OTEL_PYTHON_DISTRO": "fapilog",
        "OTEL_SERVICE_NAME": "orders",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        **NO_SCHEDULE,
        **more,
    }


def start(
    command: list[str], receiver: OtlpReceiver, *, zero_code: bool = True, **more: str
) -> subprocess.Popen[str]:
    """Starts a command in the folder of the programs, under `opentelemetry-instrument` or as it stands."""
    return subprocess.Popen(
        [str(BIN / "opentelemetry-instrument"), *command]
        if zero_code
        else [str(BIN / command[0]), *command[1:]],
        cwd=PROGRAMS,
        env=variables(receiver, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(
    name: str,
    receiver: OtlpReceiver,
    arguments: dict[str, Any] | None = None,
    *,
    zero_code: bool = True,
    measured: bool = False,
    **more: str,
) -> Any:
    """Runs a function of `programs/zero_code.py`: exit status, what it found, and stderr.

    The doors of `fapilog.distro` are opened in such programs only, so the coverage of some is `measured`.
    That takes half as long again.
    """
    command = [sys.executable, "zero_code.py", name, json.dumps(arguments or {})]
    coverage = {key: value for key, value in os.environ.items() if key.startswith("COVERAGE_") and measured}
    process = start(command, receiver, zero_code=zero_code, **UNUSED | coverage | more)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, json.loads(out.splitlines()[-1]) if out else None, err
