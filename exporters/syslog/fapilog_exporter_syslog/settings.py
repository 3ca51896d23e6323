"""`SyslogSettings`: where messages go and how they look, from arguments and FAPILOG_SYSLOG_* variables.

Each field is also the variable `FAPILOG_SYSLOG_<NAME>`; the table in `docs/how-to/syslog.md` is checked
against this file. Threads: the configuring one.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from fapilog.exporters.settings import Millis, TlsSettings
from fapilog_exporter_syslog.priority import FACILITIES

# RFC 5425, 4.1, for TLS; what servers listen on without it (RFC 6587 registers none).
_PORTS = {"tls": 6514, "tcp": 514}


def _endpoint(text: str) -> str:
    """The endpoint with its port."""
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        raise ValueError("its port must be a number from 1 to 65535") from None
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        raise ValueError("it must be tls://HOST:6514, or tcp://HOST:514 for a network that you trust")
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("it takes a host and a port alone")
    if not _is_host(parts.hostname):
        raise ValueError("its host must be a name as DNS has it, or an address")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port or _PORTS[parts.scheme]}"


def _is_host(name: str) -> bool:
    """Whether it can be looked up; what cannot would refuse every record, not make it wait."""
    try:
        return name.isprintable() and " " not in name and bool(name.encode("idna"))
    except UnicodeError:
        return False


def _facility(name: str) -> str:
    if name not in FACILITIES:
        raise ValueError(f"it must be one of {', '.join(FACILITIES)}")
    return name


def _facility_of_category(entry: str) -> str:
    category, found, facility = entry.partition("=")
    if not found or not category:
        raise ValueError("each must be CATEGORY=FACILITY, such as security=authpriv")
    return f"{category}={_facility(facility)}"


Facility = Annotated[str, AfterValidator(_facility)]


class SyslogSettings(TlsSettings):
    """Settings of the exporter `syslog`; frozen.

    Example:
        >>> SyslogSettings(endpoint="tls://syslog.example").endpoint
        'tls://syslog.example:6514'
        >>> variables = {"FAPILOG_SYSLOG_ENDPOINT": "tcp://[::1]:601", "FAPILOG_SYSLOG_FACILITY": "local0"}
        >>> settings = SyslogSettings.load(variables)
        >>> settings.host, settings.port, settings.tls, settings.facility
        ('::1', 601, False, 'local0')
    """

    exporter = "syslog"
    prefix = "FAPILOG_SYSLOG_"
    guide = "docs/how-to/syslog.md"

    endpoint: Annotated[str, AfterValidator(_endpoint)] = Field(
        description="Where the server listens: `tls://HOST:6514`, or `tcp://HOST:514` without encryption."
    )
    server_name: str | None = Field(
        None, description="Name that the server's certificate must have. None: the host of `endpoint`."
    )
    facility: Facility = Field("user", description="Facility of the messages: `user`, `local0`, `auth` …")
    facilities: tuple[Annotated[str, AfterValidator(_facility_of_category)], ...] = Field(
        (), description="Facilities by category of the record: `security=authpriv`, with commas between."
    )
    severities: Literal["application", "opentelemetry"] = Field(
        "application",
        description="`opentelemetry`: the data model's table, where FATAL is an emergency of the machine.",
    )
    hostname: str | None = Field(
        None, description="HOSTNAME where the resource has no `host.name`. None: the machine's name."
    )
    app_name: str | None = Field(None, description="APP-NAME. None: the resource's `service.name`.")
    enterprise_number: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        32_473, description="Private enterprise number in the names of structured data: your organisation's."
    )
    attributes: tuple[str, ...] | None = Field(
        None, description="Attributes to send, `http.*` for all that start so. None: all."
    )
    resource_attributes: tuple[str, ...] | None = Field(
        None, description="Attributes of the resource to send. None: all."
    )
    bom: Literal["auto", "always", "never"] = Field(
        "auto", description="Byte order mark before the text: `auto` where it is not ASCII alone."
    )
    max_message_bytes: Annotated[int, Field(ge=1_024)] = Field(
        8_192, description="Of one message. RFC 5425 wants servers to take as much; rsyslog does."
    )
    oversized: Literal["cut", "drop"] = Field(
        "cut", description="A larger message is cut where it is longest and marked, or dropped and counted."
    )
    settle_millis: Annotated[int, Field(ge=0)] = Field(
        200, description="How long the connection must stand afterwards until records count as delivered."
    )
    connect_timeout_millis: Millis = Field(10_000, description="Of a connection, with its TLS handshake.")
    timeout_millis: Millis = Field(10_000, description="Without progress, a connection is given up.")
    max_in_flight: Annotated[int, Field(ge=1)] = Field(
        16, description="Batches at once: one is sent while others wait until they count as delivered."
    )

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.endpoint.startswith("tls:")

    @property
    def host(self) -> str:
        """The host of the endpoint."""
        return urlsplit(self.endpoint).hostname or ""

    @property
    def port(self) -> int:
        """The port of the endpoint."""
        return urlsplit(self.endpoint).port or _PORTS["tls"]
