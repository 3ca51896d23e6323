"""Stage 6 of 7, export: OTLP over gRPC, from bytes that are encoded already. Threads: delivery loop.

A call is started with gRPC's own `.future()` and awaited: gRPC's threads do the work, none of ours waits, and
several event loops in one process do not disturb each other, as they do with `grpc.aio`.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

# Neither of the two ships types.
import grpc  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from fapilog.batch import LogBatch
from fapilog.diagnostics import say
from fapilog.errors import ConfigurationError, Problem
from fapilog.exporters.auth import Auth, AuthError
from fapilog.exporters.base import ExportOutcome
from fapilog.exporters.masking import sent_secrets, without
from fapilog.exporters.otlp import MAX_RESPONSE_BYTES, user_agent
from fapilog.exporters.requests import Answer, Part, Requests, shown
from fapilog.settings import OtlpSettings

EXPORT_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
DEFAULT_PORT = 4317

# OTLP specification, "OTLP/gRPC Response": these may be retried. RESOURCE_EXHAUSTED is one of them only when
# the server says when to come back.
RETRYABLE = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_CREDENTIALS_REFUSED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
# No status says "this message is too large for me"; servers say it in words (Go, C++, Java, .NET, Rust).
_TOO_LARGE_CODES = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OUT_OF_RANGE)
_TOO_LARGE = re.compile(
    r"larger than max|exceeds (the )?(maximum|configured)|message length too large", re.IGNORECASE
)
_HINTS = {
    grpc.StatusCode.UNAUTHENTICATED: "check the credentials in the exporter's headers",
    grpc.StatusCode.PERMISSION_DENIED: "check the credentials in the exporter's headers",
    grpc.StatusCode.UNIMPLEMENTED: "check that the endpoint takes OTLP over gRPC, usually port 4317",
}
_STATUS_DETAILS = "grpc-status-details-bin"


class OtlpGrpcExporter:
    """Sends batches to an OTLP/gRPC receiver.

    The channel is made at the first batch, and made anew in a forked child. Retries, pauses and the order of
    batches are the delivery loop's.

    Args:
        settings: Endpoint, headers, TLS files, limits.
        auth: Headers that change; they win over those of the settings.
        name: Key of its side of the ledger.

    Raises:
        ConfigurationError: `setting-invalid`, if a certificate or a key cannot be used.
    """

    def __init__(self, settings: OtlpSettings, auth: Auth | None = None, name: str = "otlp") -> None:
        self.name = name
        self.max_in_flight = settings.max_in_flight
        self.retry = settings.retry
        check_files(settings)
        self._settings = settings
        self._auth = auth
        self._requests = Requests(self._send, settings.max_request_bytes)
        self._channel: grpc.Channel | None = None
        self._export: Any = None
        self._process = 0
        self._under_way = 0

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        """Send the batch, in several requests where one is too large."""
        return await self._requests.export(batch)

    async def shutdown(self, timeout_millis: int) -> None:
        """Close the channel; calls under way end as cancelled."""
        del timeout_millis  # closing takes no time
        self._let_go()

    async def _send(self, _batch: LogBatch, part: Part) -> Answer:
        headers = dict(self._settings.header_pairs())
        if self._auth is None:
            return answer_of(await self._call(part, headers), headers)
        try:
            credentials = await self._auth.credentials()
        except AuthError as error:
            return Answer("retry", cause=str(error))
        headers |= credentials.headers
        call = await self._call(part, headers)
        answer = answer_of(call, headers)
        if call.code() not in _CREDENTIALS_REFUSED:
            self._auth.accepted(credentials)
        elif self._auth.refused(credentials):
            return replace(answer, kind="retry", cause=f"{answer.cause}; asking for new ones")
        return answer

    async def _call(self, part: Part, headers: dict[str, str]) -> Any:
        timeout = self._settings.timeout_millis / 1_000 or None
        method = self._method()
        self._under_way += 1
        try:
            call = await _finished(method.future(part.request, timeout, _metadata(headers)))
        finally:
            self._under_way -= 1
        if call.code() is grpc.StatusCode.UNAVAILABLE and not self._under_way:
            self._let_go()  # else gRPC's own pauses come on top of ours, and calls fail without an attempt
        return call

    def _let_go(self) -> None:
        """Close the channel; one that was inherited through a fork is the parent's."""
        if self._channel is not None and self._process == os.getpid():
            self._channel.close()
        self._channel = None

    def _method(self) -> Any:
        if self._channel is None or self._process != os.getpid():
            # A channel that was inherited through a fork is neither used nor closed: it is the parent's.
            if self._process != os.getpid():
                self._process, self._under_way = os.getpid(), 0
            self._channel = make_channel(self._settings)
            self._export = self._channel.unary_unary(EXPORT_METHOD)  # no serialisers: bytes in, bytes out
        return self._export


async def _finished(call: Any) -> Any:
    """Wait for a gRPC call without a thread; when nobody waits any more, the call is broken off."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    def on_done(_: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(end)

    call.add_done_callback(on_done)
    try:
        await ended
    except asyncio.CancelledError:
        call.cancel()
        raise
    return call


def answer_of(call: Any, headers: Mapping[str, str]) -> Answer:
    """Read what a finished call says (OTLP specification, "OTLP/gRPC Response").

    Args:
        call: The call.
        headers: What was sent with it: a server that repeats a value of them is not quoted.
    """
    secrets = sent_secrets("", headers.values())
    code, details = call.code(), shown(without(call.details() or "", secrets))
    if code is grpc.StatusCode.OK:
        return _taken(call.result(), secrets)
    cause = f"gRPC {code.name}: {details}" if details else f"gRPC {code.name}"
    if code in _HINTS:
        cause = f"{cause} ({_HINTS[code]})"
    if code in _TOO_LARGE_CODES and _TOO_LARGE.search(details):
        return Answer("too_large", cause=cause, error_type=code.name)
    after = retry_delay_millis(call.trailing_metadata())
    if code in RETRYABLE or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and after is not None):
        return Answer("retry", retry_after_millis=after, cause=cause, error_type=code.name)
    return Answer("refused", cause=cause, error_type=code.name)


def _taken(response: bytes, secrets: Sequence[str]) -> Answer:
    try:
        partial = ExportLogsServiceResponse.FromString(response).partial_success
    except DecodeError:
        return Answer("taken")  # it said OK; what else it wanted to say is lost
    message = shown(without(partial.error_message, secrets))
    if partial.rejected_log_records > 0:
        cause = f"the receiver refused {partial.rejected_log_records} records of a request"
        return Answer(
            "taken", partial.rejected_log_records, cause=f"{cause}: {message}" if message else cause
        )
    if message:
        say("export-warning", f"the receiver took all records of a request and says: {message}", "grpc")
    return Answer("taken")


def retry_delay_millis(metadata: Sequence[tuple[str, Any]] | None) -> int | None:
    """The pause that the server asks for: `google.rpc.RetryInfo` in the status details; None without one."""
    for key, value in metadata or ():
        if key != _STATUS_DETAILS or not isinstance(value, bytes):
            continue
        try:
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.RetryInfo()
                if detail.Is(info.DESCRIPTOR):
                    detail.Unpack(info)
                    return max(0, int(info.retry_delay.ToMilliseconds()))
        except DecodeError:
            return None
    return None


def _metadata(headers: dict[str, str]) -> list[tuple[str, str | bytes]]:
    return [
        (name, value.encode() if name.endswith("-bin") else value)  # gRPC takes bytes under such names alone
        for name, value in headers.items()
    ]


def make_channel(settings: OtlpSettings) -> grpc.Channel:
    """Make the channel: it connects at the first call."""
    scheme, _, address = settings.endpoint.rpartition("://")
    is_plain = scheme == "http" or (not scheme and settings.insecure)
    port = {"http": 80, "https": 443}.get(scheme, DEFAULT_PORT)
    has_port = re.search(r":\d+$", address) is not None
    target = f"dns:///{address}" if has_port else f"dns:///{address}:{port}"
    options = _options(settings)
    compression = grpc.Compression.Gzip if settings.compression == "gzip" else grpc.Compression.NoCompression
    if is_plain:
        return grpc.insecure_channel(target, options=options, compression=compression)
    return grpc.secure_channel(target, _credentials(settings), options=options, compression=compression)


def _options(settings: OtlpSettings) -> list[tuple[str, object]]:
    return [
        ("grpc.primary_user_agent", user_agent("grpc")),
        # The limit is ours: a request beyond it is split before.
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
        # One call is one attempt, for which the delivery loop decides; nothing is asked of DNS beyond
        # addresses.
        ("grpc.enable_retries", 0),
        ("grpc.service_config_disable_resolution", 1),
        # The first of these is also the time for one attempt to connect.
        ("grpc.min_reconnect_backoff_ms", settings.connect_timeout_millis),
        ("grpc.initial_reconnect_backoff_ms", settings.retry.initial_backoff_millis),
        ("grpc.max_reconnect_backoff_ms", settings.retry.max_backoff_millis),
    ]


def _credentials(settings: OtlpSettings) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=_read(settings.certificate) or _platform_authorities(),
        private_key=_read(settings.client_key),
        certificate_chain=_read(settings.client_certificate),
    )


def check_files(settings: OtlpSettings) -> None:
    """Raise for a file that TLS cannot use: gRPC itself would only never connect."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    path = settings.certificate
    try:
        if path is not None:
            context.load_verify_locations(path)
        path = settings.client_certificate
        if path is not None and settings.client_key is not None:
            context.load_cert_chain(path, settings.client_key)
    except (OSError, ValueError) as error:
        what = f"{path} cannot be used for TLS: {error}"
        problem = Problem("setting-invalid", what, (), "correct the file: PEM, and a key that belongs to it")
        raise ConfigurationError([problem]) from error


def _read(path: Path | None) -> bytes | None:
    return None if path is None else path.read_bytes()


def _platform_authorities() -> bytes | None:
    """The platform's authorities, as for HTTP; None leaves gRPC its own list."""
    file = ssl.get_default_verify_paths().cafile
    try:
        return None if file is None else Path(file).read_bytes()
    except OSError:
        return None
