"""Start and stop the receivers: our null receiver, and the real OpenTelemetry Collector when it is built."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT_SECONDS = 20.0

COLLECTOR_CONFIG = """\
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}
exporters:
  debug: {{verbosity: basic, sampling_initial: 1000000, sampling_thereafter: 1}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{sampling: {{enabled: false}}}}}}
  pipelines:
    logs: {{receivers: [otlp], exporters: [debug]}}
"""


@dataclass
class Server:
    """A running receiver."""

    endpoint: str
    process: subprocess.Popen[Any]
    output: Path | None = None

    def stats(self) -> dict[str, Any]:
        """Return the null receiver's counts."""
        with urllib.request.urlopen(f"{self.endpoint}/stats", timeout=60) as answer:
            counts: dict[str, Any] = json.loads(answer.read())
            return counts

    def collector_records(self) -> int:
        """Return the log records that the Collector's debug exporter reported."""
        assert self.output is not None
        text = self.output.read_text(encoding="utf-8", errors="replace")
        return sum(int(count) for count in re.findall(r'"log records": (\d+)', text))


@contextmanager
def null_receiver(mode: str = "count", delay_seconds: float = 0.0) -> Iterator[Server]:
    """Run the null receiver on a free port of the loopback."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.null_receiver",
        "--mode",
        mode,
        "--delay-seconds",
        str(delay_seconds),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield Server(f"http://127.0.0.1:{port}", process)
    finally:
        stop(process)


def collector_binary() -> Path | None:
    """Return the newest Collector built by `tests/servers/otelcol/build.py`, or None."""
    named = os.environ.get("OTELCOL_BINARY")
    if named:
        return Path(named)
    found = sorted(ROOT.glob(".cache/otelcol/*/otelcol-test"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None


@contextmanager
def collector(binary: Path, configuration: str = COLLECTOR_CONFIG) -> Iterator[Server]:
    """Run the real Collector: OTLP/HTTP in, debug exporter out (it prints the record count of each batch).

    Args:
        binary: Of the Collector.
        configuration: Another one; `{port}` in it is where OTLP comes in.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        config.write_text(configuration.format(port=port), encoding="utf-8")
        output = Path(folder, "output.txt")
        with output.open("wb") as sink:
            process = subprocess.Popen([binary, "--config", config], stdout=sink, stderr=subprocess.STDOUT)
        try:
            wait_for_port(port, process, output)
            yield Server(f"http://127.0.0.1:{port}", process, output)
        finally:
            stop(process)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[Any], output: Path) -> None:
    """Return once the port accepts a connection."""
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(
        f"the Collector did not open port {port}: {output.read_text(errors='replace')[-2000:]}"
    )


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process that this module started."""
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
