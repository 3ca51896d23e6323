"""The user's pipeline with exporters that end in this process: what each of them gets is looked at.

| exporter | where it ends | what is looked at |
|---|---|---|
| `otlp` over HTTP | a receiver on loopback | request bodies as received, uncompressed |
| `console` | a stream in memory | the text |
| `file` | a temporary directory | the text that was appended |
| every other one | an exporter in memory of the same name | the batches that it would be given |
| the spool | a temporary directory; nobody answers | blocks as they are written, before their encryption |
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from opentelemetry.sdk.resources import Resource

from fapilog.batch import LogBatch
from fapilog.controls import left_out
from fapilog.errors import ConfigurationError, Problem
from fapilog.exporters.base import ExportOutcome
from fapilog.otel.provider import LoggerProvider
from fapilog.settings import Settings
from fapilog.testing.exported import decoded, record_ways
from fapilog.testing.forms import Reading
from fapilog.testing.leaks import readable, texts_of
from fapilog.testing.receiver import OtlpReceiver

SPOOL = "spool"
# Between texts that have nothing to do with each other: more than may stand between digits of one number.
_APART = "\n\n\n\n"
_NOBODY = "http://127.0.0.1:9"
# What keeps records back would keep the vectors back.
_NOTHING_LEFT_OUT: dict[str, Any] = {
    "level": "trace",
    "levels": {},
    "rules": [],
    "sequence": True,
    "disabled": False,
    "sampling": {},
    "first_occurrence": {},
    "rate_limit": {},
    "dedupe": {},
    "flight_recorder": {"enabled": False},
}


class Places:
    """A provider under test; made by `places` and `spool_place`."""

    def __init__(self, settings: Settings, exporters: list[Any], resource: Resource) -> None:
        self.provider = LoggerProvider(
            resource, settings=settings, exporters=exporters, shutdown_on_exit=False
        )
        self.names = self.provider.exporters
        self.sources: dict[str, Any] = {}

    def take(self, timeout_millis: int = 10_000) -> dict[str, Reading]:
        """Flush, and return what each exporter got since the last call."""
        self.provider.force_flush(timeout_millis)
        return {name: Reading(_APART.join(self.sources[name]())) for name in self.names}

    def settled(self) -> dict[str, int]:
        """Return how many records each exporter took so far, or was not to get: its policy drops them."""
        ledger = self.provider.ledger()
        dropped = left_out.count(self.provider.settings.redaction_in_force, ledger)
        return {name: side.delivered + dropped[name] for name, side in ledger.exporters.items()}

    def dropped(self) -> dict[str, int]:
        """Return how many records each exporter did not get because a policy drops them."""
        return left_out.count(self.provider.settings.redaction_in_force, self.provider.ledger())


class _Recorder:
    """Stands for an exporter whose destination cannot be here."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._requests: list[bytes] = []

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        self._requests.append(batch.otlp_bytes())
        return ExportOutcome(delivered=len(batch))

    def take(self) -> Iterator[str]:
        requests, self._requests = self._requests, []
        return _texts(requests)


@contextmanager
def places(settings: Settings, resource: Resource) -> Iterator[Places]:
    """Build the pipeline of the settings with exporters that end here."""
    names = settings.exporters if settings.exporters is not None else ("otlp",)
    if set(names) <= {"none"}:
        raise ConfigurationError(
            [
                Problem(
                    "setting-invalid",
                    "the settings have no exporter: there is nothing to look at",
                    (),
                    "name the exporters of the service in exporters (FAPILOG_EXPORTERS)",
                )
            ]
        )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fapilog-controls-")))
        changes, exporters, sources = _rerouted(settings, names, folder, stack)
        made = Places(settings.with_changes(**_NOTHING_LEFT_OUT, **changes), exporters, resource)
        stack.callback(made.provider.shutdown, 2_000)
        made.sources = sources
        yield made


def _rerouted(
    settings: Settings, names: tuple[str, ...], folder: Path, stack: ExitStack
) -> tuple[dict[str, Any], list[Any], dict[str, Any]]:
    """Changes of settings, exporters, and by exporter what tells what it got."""
    changes: dict[str, Any] = {"delivery": _kept_here(settings, folder)}
    if settings.spool.directory is not None:
        changes["spool"] = settings.spool.model_dump() | {"directory": folder / "spool"}
    if settings.durability != "memory":
        changes["ring"] = settings.ring.model_dump() | {"directory": folder / "ring"}
    exporters: list[Any] = []
    sources: dict[str, Any] = {}
    for name in dict.fromkeys(names):
        if name == "otlp" and settings.otlp.protocol != "grpc":
            receiver = stack.enter_context(OtlpReceiver())
            changes["otlp"] = _local(settings, receiver.endpoint)
            sources[name] = _Requests(receiver).take
            exporters.append(name)
        elif name == "file":
            changes["file"] = settings.file.model_dump() | {"path": folder / "log", "max_bytes": None}
            sources[name] = _File(folder / "log").take
            exporters.append(name)
        elif name == "console":
            sources[name] = _Console(stack).take
            exporters.append(name)
        elif name != "none":
            recorder = _Recorder(name)
            sources[name] = recorder.take
            exporters.append(recorder)
    return changes, exporters, sources


def _kept_here(settings: Settings, folder: Path) -> dict[str, Any]:
    kept = settings.delivery.model_dump()
    if settings.delivery.dead_letters is not None:
        kept["dead_letters"] = folder / "dead_letters"
    return kept


def _local(settings: Settings, endpoint: str) -> dict[str, Any]:
    """The OTLP settings toward a receiver of this process: its address, and no files of the real one."""
    plain = {"certificate": None, "client_certificate": None, "client_key": None, "auth": None}
    known = settings.otlp.model_dump()
    return known | {name: value for name, value in plain.items() if name in known} | {"endpoint": endpoint}


class _Requests:
    def __init__(self, receiver: OtlpReceiver) -> None:
        self._receiver = receiver
        self._seen = 0

    def take(self) -> Iterator[str]:
        requests = self._receiver.requests[self._seen :]
        self._seen += len(requests)
        return _texts([each.message.SerializeToString() for each in requests if each.message is not None])


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def take(self) -> Iterator[str]:
        text = self._path.read_bytes() if self._path.exists() else b""
        self._read, start = len(text), self._read
        yield text[start:].decode("utf-8", "replace")


class _Console:
    """Both streams of the process, while the provider writes to one of them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stream = StringIO()
        stack.enter_context(redirect_stdout(self._stream))
        stack.enter_context(redirect_stderr(self._stream))

    def take(self) -> Iterator[str]:
        text = self._stream.getvalue()
        self._stream.seek(0)
        self._stream.truncate()
        yield text


@contextmanager
def spool_place(settings: Settings, resource: Resource) -> Iterator[Places]:
    """Build the pipeline with a spool in a temporary directory, and a receiver that does not answer."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fapilog-controls-")))
        changes: dict[str, Any] = {
            "spool": settings.spool.model_dump() | {"directory": folder / "spool"},
            "otlp": _local(settings, _NOBODY) | {"protocol": "http/protobuf"},
            "delivery": {},
            "durability": "memory",
            # The spool holds what the common policy leaves.
            "redaction": settings.redaction.model_dump() | {"destinations": {}},
        }
        ways = stack.enter_context(record_ways())
        made = Places(settings.with_changes(**_NOTHING_LEFT_OUT, **changes), ["otlp"], resource)
        made.sources = {"otlp": lambda: _pieces(ways.take()[0], SPOOL)}
        stack.callback(made.provider.shutdown, 200)
        yield made


def _pieces(pieces: list[tuple[str, bytes]], wanted: str) -> Iterator[str]:
    return _texts([piece for way, piece in pieces if way == wanted])


def _texts(requests: list[bytes]) -> Iterator[str]:
    """Every text and number of requests, each apart; and the bytes as they are."""
    for request in requests:
        yield request.decode("utf-8", "replace")
        for piece in decoded("request", request):
            for part, value in piece.values.items():
                yield from (text for _, text in texts_of(readable(value), part))
