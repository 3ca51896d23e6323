"""The nested groups of the settings, each with the stage it belongs to. Data and its checks only.

Which environment variable fills a field, its unit and the source of its default stand in `variables.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator

from fapilog.settings import presets, types
from fapilog.settings.parse import DefaultUrl
from fapilog.settings.types import FrozenDict, Group, NotNegative, Positive, conflict

MIB = 1_048_576


class ServiceSettings(Group):
    """What the records say about the process that wrote them."""

    name: str | None = Field(None, description="`service.name` of the resource.")
    resource_attributes: types.Attributes = Field(
        default_factory=FrozenDict, description="Attributes of the resource; `service.name` wins."
    )


class BufferSettings(Group):
    """Stages 4 and 5: memory between the caller and the exporters."""

    limit_bytes: Positive = Field(
        64 * MIB, description="Bytes held at most, open chunks and sealed blocks together."
    )
    overflow: Literal["drop_oldest", "drop_newest", "wait"] = Field(
        "drop_oldest",
        description="What happens when the buffer is full: the oldest unsent records make room, the new"
        " record is dropped, or the caller waits. Every drop is counted.",
    )
    wait_timeout_millis: NotNegative = Field(
        5_000,
        description="Longest time one record waits for room: every one when `overflow` is `wait`, audit and"
        " security records always.",
    )
    audit_reserve_bytes: Positive | None = Field(
        None,
        description="Room on top of `limit_bytes` for audit and security records; at least one chunk. None: a"
        " sixteenth of `limit_bytes`.",
    )
    chunk_bytes: Positive = Field(
        MIB, description="Size of one append chunk, and so of one block before compression."
    )
    record_bytes: Positive = Field(
        65_536, description="Size of one record at most; a larger one is truncated and marked."
    )
    schedule_delay_millis: NotNegative = Field(
        1_000, description="Longest time a record stays in an open chunk before it is sealed."
    )
    max_queue_records: Positive | None = Field(
        None, description="Records held at most; None: only `limit_bytes` counts."
    )
    max_block_records: Positive | None = Field(
        None, description="Records in one block at most; None: only `chunk_bytes` counts."
    )
    shutdown_timeout_millis: NotNegative = Field(
        5_000, description="Time that the end of the process gives to what is still in the buffer."
    )
    export_timeout_millis: Positive = Field(
        30_000,
        description="Default of `force_flush`: longest wait for delivery of everything emitted before.",
    )

    @property
    def reserve_bytes(self) -> int:
        """`audit_reserve_bytes`, or what stands in its place."""
        return self.limit_bytes // 16 if self.audit_reserve_bytes is None else self.audit_reserve_bytes

    @model_validator(mode="after")
    def _sizes_fit(self) -> BufferSettings:
        if self.chunk_bytes < self.record_bytes:
            raise conflict(
                "chunk-smaller-than-record",
                "a chunk is smaller than a record may be",
                f"raise {{chunk_bytes}} to {self.record_bytes} or more, or lower {{record_bytes}}",
                chunk_bytes=self.chunk_bytes,
                record_bytes=self.record_bytes,
            )
        if self.limit_bytes < self.chunk_bytes:
            raise conflict(
                "buffer-smaller-than-chunk",
                "the buffer is smaller than a chunk",
                f"raise {{limit_bytes}} to {self.chunk_bytes} or more, or lower {{chunk_bytes}}",
                limit_bytes=self.limit_bytes,
                chunk_bytes=self.chunk_bytes,
            )
        return self

    @model_validator(mode="after")
    def _counts_fit(self) -> BufferSettings:
        queue, block = self.max_queue_records, self.max_block_records
        if queue is not None and block is not None and queue < block:
            raise conflict(
                "queue-smaller-than-batch",
                "the queue is smaller than a batch",
                f"raise {{max_queue_records}} to {block} or more, or lower {{max_block_records}}",
                max_queue_records=queue,
                max_block_records=block,
            )
        return self


class RetrySettings(Group):
    """Stage 6: how failed requests are repeated: exponential backoff with full jitter (OTLP 2.1)."""

    initial_backoff_millis: Positive = Field(1_000, description="Upper bound of the first pause.")
    max_backoff_millis: Positive = Field(30_000, description="Upper bound of every later pause.")
    max_retry_after_millis: NotNegative = Field(
        300_000, description="Longest `Retry-After` of a server that is honoured."
    )
    max_elapsed_millis: Positive | None = Field(
        None,
        description="Age at which undeliverable records are dropped; None: only the buffer decides.",
    )

    @model_validator(mode="after")
    def _pauses_grow(self) -> RetrySettings:
        if self.max_backoff_millis < self.initial_backoff_millis:
            raise conflict(
                "backoff-out-of-order",
                "the longest pause is shorter than the first",
                f"raise {{max_backoff_millis}} to {self.initial_backoff_millis} or more",
                initial_backoff_millis=self.initial_backoff_millis,
                max_backoff_millis=self.max_backoff_millis,
            )
        return self


class OtlpSettings(Group):
    """Stage 6: the OTLP exporter of logs. Traces and metrics read OTEL variables themselves."""

    preset: types.Preset | None = Field(
        None,
        description="A vendor: its endpoint, headers, compression and limits, where nobody set them.",
    )
    api_key: SecretStr | None = Field(None, description="The vendor's key, for the preset. Secret.")
    auth: str | None = Field(
        None,
        description="Plugin (`fapilog.auth`) that returns request headers which expire, where no function is"
        " passed as the argument `auth`.",
    )
    preset_parameters: types.Attributes = Field(
        default_factory=FrozenDict, description="What else the preset asks for, such as `region` or `site`."
    )
    protocol: Literal["http/protobuf", "http/json", "grpc"] = Field(
        "http/protobuf",
        description="How requests travel. Native threads send `http/protobuf` and `http/json`, the delivery"
        " loop `grpc`. JSON costs a second encoding and about twice the bytes before compression.",
    )
    endpoint: types.Endpoint = Field(
        DefaultUrl("http://localhost:4318/v1/logs"),
        validate_default=True,
        description="URL that logs are posted to. As an argument or in a file it is used as it stands, with"
        " `/v1/logs` where it has no path. The general variable is a base URL, `/v1/logs` is appended; the"
        " variable for logs is used as it stands. With gRPC only scheme, host and port count, and the default"
        " is `http://localhost:4317`.",
    )
    headers: types.Headers = Field(
        default_factory=FrozenDict, description="Request headers: a W3C Baggage list or a mapping. Secret."
    )
    compression: Literal["gzip", "none", "zstd"] = Field(
        "gzip", description="Of request bodies. OpenTelemetry knows `none` and `gzip`; `zstd` is ours."
    )
    timeout_millis: NotNegative = Field(
        10_000,
        description="Time for one attempt; 0: no limit. The OTEL variables are read as **seconds**, as"
        " OpenTelemetry for Python does; 1000 and more are taken as milliseconds, with a warning.",
    )
    connect_timeout_millis: Positive = Field(
        5_000, description="Time for the TCP and TLS handshake of one attempt."
    )
    max_in_flight: Positive = Field(4, description="Requests under way at the same time at most.")
    adaptive: types.Flag = Field(
        True,
        description="Whether requests follow the receiver: fewer at once and further apart after 429,"
        " smaller after 413 and timeouts, several blocks in one while requests are slow.",
    )
    merge_bytes: Positive = Field(
        4 * MIB,
        description="Largest request before compression that waiting blocks are put together to, where"
        " `adaptive` does.",
    )
    certificate: types.PemFile | None = Field(
        None, description="PEM file of trusted authorities; None: the platform's."
    )
    client_certificate: types.PemFile | None = Field(
        None, description="PEM file of the client's certificate chain."
    )
    client_key: types.PemFile | None = Field(None, description="PEM file of the client's private key.")
    insecure: types.Flag = Field(
        False,
        description="No TLS for gRPC and an endpoint without a scheme. Else its scheme decides about TLS.",
    )
    max_request_bytes: Positive = Field(
        64 * MIB, description="Largest request before compression; larger ones are split."
    )
    retry: RetrySettings = Field(default_factory=RetrySettings, description="See the group below.")

    @model_validator(mode="after")
    def _key_has_certificate(self) -> OtlpSettings:
        if (self.client_certificate is None) != (self.client_key is None):
            raise conflict(
                "client-key-incomplete",
                "a client certificate needs its key, and a key its certificate",
                "set both {client_certificate} and {client_key}, or neither",
                client_certificate=self.client_certificate,
                client_key=self.client_key,
            )
        return self

    @model_validator(mode="after")
    def _protocol_knows_compression(self) -> OtlpSettings:
        if self.protocol == "grpc" and self.compression == "zstd":
            raise conflict(
                "protocol-conflict",
                "gRPC does not know the compression zstd",
                "set {compression} to gzip or none, or {protocol} to http/protobuf",
                protocol=self.protocol,
                compression=self.compression,
            )
        return self

    @model_validator(mode="after")
    def _vendor_takes_protocol(self) -> OtlpSettings:
        taken = presets.load()[self.preset].protocols if self.preset is not None else (self.protocol,)
        if self.protocol not in taken:
            raise conflict(
                "protocol-conflict",
                f"the vendor does not take OTLP over {self.protocol}",
                f"set {{protocol}} to {' or '.join(taken)}",
                preset=self.preset,
                protocol=self.protocol,
            )
        return self

    def header_pairs(self) -> tuple[tuple[str, str], ...]:
        """The headers with their secret values, in order, for the native exporter."""
        return tuple((name, value.get_secret_value()) for name, value in self.headers.items())


class ConsoleSettings(Group):
    """Stage 6: the console exporter, synchronous, for people."""

    style: Literal["pretty", "json", "logfmt", "minimal"] = Field("pretty", description="Form of one line.")
    stream: Literal["stderr", "stdout"] = Field(
        "stderr",
        description="Where lines go. stderr, as `logging` does: stdout belongs to the program's output.",
    )
    colour: Literal["auto", "always", "never"] = Field(
        "auto", description="`auto`: on a terminal. NO_COLOR and FORCE_COLOR count when set to anything."
    )


class LimitSettings(Group):
    """Stage 2: limits of one record's attributes, as the OpenTelemetry specification defines them."""

    attribute_count: NotNegative = Field(
        128, description="Attributes kept; those added later are discarded and counted."
    )
    attribute_value_length: NotNegative | None = Field(
        None,
        description="Length at which a text or bytes value is cut, behind redaction; None: no limit.",
    )
    depth: Annotated[int, Field(strict=True, ge=1, le=30)] = Field(
        30,
        description="Depth of nesting, below which values become empty. The OpenTelemetry specification says"
        " 64, but protobuf decoders refuse a whole request beyond 31.",
    )


def nested(annotation: Any) -> type[Group] | None:
    """The group that a field holds, or None for a plain field."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, Group) else None
