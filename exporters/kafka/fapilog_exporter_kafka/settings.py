"""`KafkaSettings`: where messages go and how, from arguments and FAPILOG_KAFKA_* variables.

Each field is also the variable `FAPILOG_KAFKA_<NAME>`; the table in `docs/how-to/kafka.md` is checked against
this file. Threads: the configuring one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from fapilog.exporters.settings import Millis, TlsSettings
from fapilog_exporter_kafka.addresses import broker_address, is_private

# Of librdkafka's properties, those that a setting stands for, or that the guarantees rest on.
OWN_PROPERTIES = frozenset({
    "acks",
    "bootstrap.servers",
    "client.id",
    "compression.codec",
    "compression.type",
    "delivery.report.only.error",
    "delivery.timeout.ms",
    "enable.idempotence",
    "enable.ssl.certificate.verification",
    "message.max.bytes",
    "message.timeout.ms",
    "metadata.broker.list",
    "request.required.acks",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "transactional.id",
})  # fmt: skip
_COMPRESSED_BYTES, _PLAIN_BYTES = 2_000_000, 1_000_000


def _topic(name: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", name) or name in (".", ".."):
        raise ValueError("it must have 1 to 249 letters, digits, dots, underscores and hyphens: Kafka's rule")
    return name


def _properties(given: Any) -> Any:
    """Read `NAME=VALUE, NAME=VALUE`, as a variable has it; values are texts."""
    if isinstance(given, str):
        pairs = [pair.partition("=") for pair in given.split(",") if pair.strip()]
        if not all(name.strip() and sign for name, sign, _ in pairs):
            raise ValueError("it must be NAME=VALUE, with commas between several")
        return {name.strip(): value.strip() for name, _, value in pairs}
    if isinstance(given, Mapping):
        return {name: _text(value) for name, value in given.items()}
    return given


def _text(value: object) -> object:
    if isinstance(value, SecretStr):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


class KafkaSettings(TlsSettings):
    """Settings of the exporter `kafka`; frozen. Passwords are never shown, nor values of `properties`.

    Example:
        >>> KafkaSettings(brokers=["kafka-1.example", "kafka-2.example:9093"], tls=True).brokers
        ('kafka-1.example:9092', 'kafka-2.example:9093')
        >>> variables = {"FAPILOG_KAFKA_KEY": "trace", "FAPILOG_KAFKA_PROPERTIES": "linger.ms=20"}
        >>> settings = KafkaSettings.load(variables)
        >>> settings.key, settings.limit_bytes, settings.librdkafka()["linger.ms"]
        ('trace', 2000000, '20')
    """

    exporter = "kafka"
    prefix = "FAPILOG_KAFKA_"
    guide = "docs/how-to/kafka.md"

    brokers: tuple[Annotated[str, AfterValidator(broker_address)], ...] = Field(
        ("localhost:9092",),
        description="`HOST:PORT` of some of the cluster's brokers; they name the others.",
        min_length=1,
    )
    topic: Annotated[str, AfterValidator(_topic)] = Field(
        "otlp_logs", description="Where messages go. The default of the Collector's receiver."
    )
    key: Literal["none", "service", "trace"] = Field(
        "none",
        description="Key of messages, and so their partition: none (spread evenly), the service's name,"
        " or the trace id, with a message for each trace in a batch.",
    )
    tls: bool = Field(False, description="Speak TLS.")
    client_key_password: SecretStr | None = Field(None, description="Of `client_key`. Secret.")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = Field(
        None, description="How to log in; none: not at all, or by `client_certificate`."
    )
    username: str | None = Field(None, description="For `PLAIN` and `SCRAM`.")
    password: SecretStr | None = Field(None, description="Of `username`. Secret.")
    allow_plaintext: bool = Field(
        False, description="To other machines without TLS too: anybody on the way can read and change."
    )
    compression: Literal["zstd", "lz4", "gzip", "snappy", "none"] = Field(
        "zstd", description="Of messages, in librdkafka's threads."
    )
    max_message_bytes: Annotated[int, Field(ge=1_024, le=1_000_000_000)] | None = Field(
        None,
        description="Of a message before compression; larger batches are split. None: 2,000,000, or"
        " 1,000,000 where nothing is compressed: brokers limit what they store, to 1,048,588 by default.",
    )
    max_in_flight: Annotated[int, Field(ge=1)] = Field(
        4, description="Batches on their way at once, as `otlp.max_in_flight`."
    )
    acknowledgement_wait_millis: Millis = Field(
        20_000, description="Wait of one call for reports; below `delivery.timeout_millis` (30,000)."
    )
    delivery_timeout_millis: Millis = Field(
        300_000,
        description="How long librdkafka tries a message without repeating it; then it is sent anew,"
        " and may be there twice. Its own default.",
    )
    client_id: Annotated[str, Field(min_length=1)] = Field(
        "fapilog", description="Name in the brokers' logs and quotas."
    )
    properties: Annotated[dict[str, SecretStr], BeforeValidator(_properties)] = Field(
        {}, description="More properties of librdkafka, `NAME=VALUE` with commas between. Never shown."
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        own = sorted(OWN_PROPERTIES.intersection(self.properties))
        if own:
            raise ValueError(
                f"properties must not hold {', '.join(own)}: a setting, or a guarantee, is behind it"
            )
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together")
        named = self.sasl_mechanism not in (None, "OAUTHBEARER")
        if named != (self.username is not None):
            raise ValueError("sasl_mechanism PLAIN or SCRAM and username belong together")
        certificates = (self.certificate, self.client_certificate, self.client_key_password)
        if not self.tls and any(each is not None for each in certificates):
            raise ValueError("certificates are for TLS: set tls, or leave them out")
        strangers = [address for address in self.brokers if not is_private(address)]
        if strangers and not self.tls and not self.allow_plaintext:
            raise ValueError(
                f"records would go to {strangers[0]} without TLS: set tls, or set allow_plaintext"
            )
        return self

    @property
    def limit_bytes(self) -> int:
        """Bytes of one message at most, key included, before compression."""
        usual = _PLAIN_BYTES if self.compression == "none" else _COMPRESSED_BYTES
        return self.max_message_bytes or usual

    def librdkafka(self) -> dict[str, Any]:
        """Return librdkafka's properties, with passwords."""
        chosen = {name: value.get_secret_value() for name, value in self.properties.items()}
        return {
            # As Kafka's own client does, so that equal keys of others meet in the same partition.
            "partitioner": "murmur2_random",
            "socket.keepalive.enable": True,
            **chosen,
            "bootstrap.servers": ",".join(self.brokers),
            "client.id": self.client_id,
            # Written by all replicas in sync before it counts, and by librdkafka's own retries not twice.
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": self.compression,
            "message.max.bytes": self.limit_bytes,
            "message.timeout.ms": self.delivery_timeout_millis,
            **self._security(),
        }

    def secrets(self) -> list[str]:
        """Return what must not be shown, the longest first."""
        known = (self.password, self.client_key_password, *self.properties.values())
        return sorted((each.get_secret_value() for each in known if each is not None), key=len)[::-1]

    def _security(self) -> dict[str, Any]:
        protocol = ("sasl_" if self.sasl_mechanism else "") + ("ssl" if self.tls else "plaintext")
        password, key_password = self.password, self.client_key_password
        found = {
            "security.protocol": protocol,
            "sasl.mechanism": self.sasl_mechanism,
            "sasl.username": self.username,
            "sasl.password": password.get_secret_value() if password is not None else None,
            "ssl.ca.location": self.certificate,
            "ssl.certificate.location": self.client_certificate,
            "ssl.key.location": self.client_key,
            "ssl.key.password": key_password.get_secret_value() if key_password is not None else None,
        }
        return {name: str(value) for name, value in found.items() if value is not None}
