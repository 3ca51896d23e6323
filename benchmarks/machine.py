"""What a reader needs to judge the figures: machine, versions, commit, date."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from benchmarks.servers import ROOT

DISTRIBUTIONS = (
    "fapilog",
    "opentelemetry-sdk",
    "protobuf",
    "structlog",
    "loguru",
    "picologging",
    "logfire",
    "fastapi",
    "uvicorn",
    "elasticsearch",
    "opensearch-py",
    "splunk-handler",
    "splunk-hec-handler",
    "confluent-kafka",
)


def describe() -> dict[str, str]:
    """Return the facts as text, in the order of the report."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "cpu": cpu_model(),
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **{name: version(name) for name in DISTRIBUTIONS},
    }


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


def version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
