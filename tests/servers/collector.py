"""Runs the real OpenTelemetry Collector on loopback and reads back what its file exporter wrote."""

import base64
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from fapilog.testing.decoding import ReceivedLogRecord, decode_log_records
from tests.servers.certificates import Certificates
from tests.servers.ports import free_ports

START_TIMEOUT_SECONDS = 20.0
STOP_TIMEOUT_SECONDS = 10.0
POLL_SECONDS = 0.02
# Another process may take a port between its choice and its use.
START_ATTEMPTS = 3
SIGNALS = ("logs", "traces", "metrics")
Item = TypeVar("Item")


class CollectorError(RuntimeError):
    """The Collector did not start, or ended by itself; the message holds the end of what it wrote."""


class Collector:
    """A running Collector: OTLP over HTTP and gRPC in, one file of JSON lines per signal out.

    Args:
        binary: The path that `tests.servers.otelcol.build.build` answers.
        directory: An empty directory for its configuration, output and log.
        certificates: Use TLS with the server certificate in it. None: plain.
        client_certificates_required: Take only clients with a certificate signed by the same authority.
        extra: More configuration, merged into the one below: mappings key by key, lists appended.
    """

    def __init__(
        self,
        binary: Path,
        directory: Path,
        *,
        certificates: Certificates | None = None,
        client_certificates_required: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self._binary = binary
        self._directory = directory
        self._certificates = certificates
        self._client_certificates_required = client_certificates_required
        self._extra = extra or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._offsets = dict.fromkeys(SIGNALS, 0)
        self.http_port = 0
        self.grpc_port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """The base URL of OTLP/HTTP."""
        return f"{'https' if self._certificates else 'http'}://127.0.0.1:{self.http_port}"

    @property
    def logs_endpoint(self) -> str:
        """The URL of OTLP/HTTP for logs."""
        return f"{self.endpoint}/v1/logs"

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None, "the Collector is not running"
        return self._process.pid

    @property
    def grpc_endpoint(self) -> str:
        """The URL of OTLP/gRPC."""
        return f"{'https' if self._certificates else 'http'}://127.0.0.1:{self.grpc_port}"

    def start_again(self) -> None:
        """Starts it after `stop` or `kill` on the ports that it had; raises as `start`."""
        for name in SIGNALS:
            _end_last_line(self._directory / f"{name}.jsonl")
        self._launch()
        self._wait_until_ready()

    def kill(self) -> None:
        """Ends it at once (SIGKILL), with all that it had not written yet."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def start(self) -> None:
        """Starts it and returns when both ports accept connections; also after `stop`, then on new ports.

        Raises:
            CollectorError: It ended, or its ports were not open in time.
        """
        for attempt in range(1, START_ATTEMPTS + 1):
            self.http_port, self.grpc_port = free_ports(2)
            self._launch()
            try:
                self._wait_until_ready()
            except CollectorError as error:
                self.stop()
                if attempt == START_ATTEMPTS or "address already in use" not in str(error):
                    raise
            else:
                return

    def stop(self) -> None:
        """Ends it in an orderly way, so that all it received is written; kills it if that takes too long."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def written(self) -> str:
        """The end of what the Collector wrote about itself, for messages of tests that fail."""
        log = self._directory / "collector.log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else "(nothing)"

    def lines(self, signal_name: str = "logs") -> list[dict[str, Any]]:
        """The requests of a signal that were written since `forget_records`, as OTLP JSON."""
        path = self._directory / f"{signal_name}.jsonl"
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._offsets[signal_name])
            # The last line may be half written.
            whole = [line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]
        return [json.loads(line) for line in whole]

    def records(self) -> list[dict[str, Any]]:
        """Each log record as OTLP JSON, with its "resource" and "scope" added to it."""
        return [
            record | {"resource": resource_logs.get("resource", {}), "scope": scope_logs.get("scope", {})}
            for line in self.lines()
            for resource_logs in line["resourceLogs"]
            for scope_logs in resource_logs["scopeLogs"]
            for record in scope_logs["logRecords"]
        ]

    def log_records(self) -> list[ReceivedLogRecord]:
        """Each log record in plain Python values, in the form that `OtlpReceiver.log_records` has too."""
        return [record for line in self.lines() for record in decode_log_records(_message(line))]

    def spans(self) -> list[dict[str, Any]]:
        """Each span as OTLP JSON."""
        return [
            span
            for line in self.lines("traces")
            for resource_spans in line["resourceSpans"]
            for scope_spans in resource_spans["scopeSpans"]
            for span in scope_spans["spans"]
        ]

    def wait_for_spans(self, count: int, timeout_seconds: float = 10.0) -> list[dict[str, Any]]:
        """Blocks until at least so many spans are written, and answers all, as `spans` does."""
        return self._wait_for(self.spans, count, timeout_seconds)

    def wait_for_records(self, count: int, timeout_seconds: float = 10.0) -> list[dict[str, Any]]:
        """Blocks until at least so many log records are written, and answers all, as `records` does."""
        return self._wait_for(self.records, count, timeout_seconds)

    def wait_for_log_records(self, count: int, timeout_seconds: float = 10.0) -> list[ReceivedLogRecord]:
        """Blocks until at least so many log records are written, and answers all, as `log_records` does."""
        return self._wait_for(self.log_records, count, timeout_seconds)

    def wait_for_lines(
        self, signal_name: str, count: int, timeout_seconds: float = 10.0
    ) -> list[dict[str, Any]]:
        """Blocks until at least so many requests of a signal are written, and answers all of them."""
        return self._wait_for(lambda: self.lines(signal_name), count, timeout_seconds)

    def forget_records(self) -> None:
        """Hides what is written so far, so that the next test begins with nothing."""
        for name in SIGNALS:
            path = self._directory / f"{name}.jsonl"
            # To the end of a whole line: one may be half written.
            self._offsets[name] = path.read_bytes().rfind(b"\n") + 1 if path.exists() else 0

    def configuration(self) -> dict[str, Any]:
        """The configuration it is started with."""
        exporters = {
            f"file/{name}": {
                "path": str(self._directory / f"{name}.jsonl"),
                "append": True,
                "flush_interval": "20ms",
            }
            for name in SIGNALS
        }
        pipelines = {name: {"receivers": ["otlp"], "exporters": [f"file/{name}"]} for name in SIGNALS}
        protocols = {
            "http": {"endpoint": f"127.0.0.1:{self.http_port}"} | self._tls_settings(),
            "grpc": {"endpoint": f"127.0.0.1:{self.grpc_port}"} | self._tls_settings(),
        }
        base = {
            "receivers": {"otlp": {"protocols": protocols}},
            "exporters": exporters,
            # Its own metrics would listen on a fixed port.
            "service": {"telemetry": {"metrics": {"level": "none"}}, "pipelines": pipelines},
        }
        merged: dict[str, Any] = _merged(base, self._extra)
        return merged

    def _tls_settings(self) -> dict[str, Any]:
        if self._certificates is None:
            return {}
        tls = {
            "cert_file": str(self._certificates.server_certificate),
            "key_file": str(self._certificates.server_key),
        }
        if self._client_certificates_required:
            tls["client_ca_file"] = str(self._certificates.ca)
        return {"tls": tls}

    def _launch(self) -> None:
        path = self._directory / "collector.yaml"
        path.write_text(yaml.safe_dump(self.configuration()))
        # Nothing of the test run's environment (proxies, OTEL_*) may reach it.
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        with (self._directory / "collector.log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(self._binary), "--config", str(path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not (_accepts(self.http_port) and _accepts(self.grpc_port)):
            self._check_running()
            if time.monotonic() > deadline:
                raise CollectorError(f"no open ports within {START_TIMEOUT_SECONDS} s:\n{self.written()}")
            time.sleep(POLL_SECONDS)
        # Somebody else may have taken the port that answered.
        self._check_running()

    def _wait_for(self, read: Callable[[], list[Item]], count: int, timeout_seconds: float) -> list[Item]:
        deadline = time.monotonic() + timeout_seconds
        while len(found := read()) < count:
            self._check_running()
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{len(found)} of {count} within {timeout_seconds} s; the Collector wrote:\n"
                    f"{self.written()}"
                )
            time.sleep(POLL_SECONDS)
        return found

    def _check_running(self) -> None:
        if self._process is None:
            raise CollectorError("the Collector is not running; call start()")
        status = self._process.poll()
        if status is not None:
            raise CollectorError(f"the Collector ended with status {status}:\n{self.written()}")


def _end_last_line(path: Path) -> None:
    """Ends a line that a kill left without its end, or takes it away if it is not whole: nobody was told."""
    if not path.exists():
        return
    data = path.read_bytes()
    start = data.rfind(b"\n") + 1
    if data[start:]:
        try:
            json.loads(data[start:])
        except ValueError:
            path.write_bytes(data[:start])
        else:
            path.write_bytes(data + b"\n")


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _merged(base: Any, extra: Any) -> Any:
    if isinstance(base, Mapping) and isinstance(extra, Mapping):
        shared = {key: _merged(base[key], extra[key]) for key in base.keys() & extra.keys()}
        return {**base, **extra, **shared}
    if isinstance(base, list) and isinstance(extra, list):
        return base + extra
    return extra


def _message(line: dict[str, Any]) -> ExportLogsServiceRequest:
    """Parses OTLP JSON, which writes ids in hex where protobuf's own JSON has base64."""
    for resource_logs in line["resourceLogs"]:
        for scope_logs in resource_logs["scopeLogs"]:
            for record in scope_logs["logRecords"]:
                for name in ("traceId", "spanId"):
                    if name in record:
                        record[name] = base64.b64encode(bytes.fromhex(record[name])).decode()
    return json_format.ParseDict(line, ExportLogsServiceRequest(), ignore_unknown_fields=False)
