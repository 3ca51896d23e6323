"""`SentrySettings`: which project, which records are events. Threads: the configuring one."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from fapilog.exporters.settings import Millis, TlsSettings
from pydantic import AfterValidator, Field, SecretStr

_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LOWEST = {"warning": 13, "error": 17, "critical": 21}


class Dsn(NamedTuple):
    """What an address of a project says.

    Attributes:
        url: Where envelopes are posted to.
        key: The public key.
    """

    url: str
    key: str


def read_dsn(dsn: str) -> Dsn:
    """Read the address of a project, as Sentry shows it.

    Raises:
        ValueError: It is none.

    Example:
        >>> read_dsn("https://public@o1.ingest.sentry.example/42").url
        'https://o1.ingest.sentry.example/api/42/envelope/'
    """
    parts = urlsplit(dsn)
    folder, _, project = parts.path.rpartition("/")
    key = parts.username or ""
    if parts.scheme not in ("http", "https") or not parts.hostname or not project or not _KEY.fullmatch(key):
        raise ValueError("it must be https://KEY@HOST/PROJECT, as Sentry shows it")
    host = parts.netloc.rpartition("@")[2]
    return Dsn(f"{parts.scheme}://{host}{folder}/api/{project}/envelope/", key)


def _dsn(dsn: SecretStr) -> SecretStr:
    read_dsn(dsn.get_secret_value())
    return dsn


class SentrySettings(TlsSettings):
    """Settings of the exporter `sentry`; frozen. The address is never shown.

    Example:
        >>> settings = SentrySettings.load({"SENTRY_DSN": "https://public@sentry.example/42"})
        >>> settings.project.url, settings.lowest_event_severity
        ('https://sentry.example/api/42/envelope/', 17)
    """

    exporter = "sentry"
    prefix = "FAPILOG_SENTRY_"
    # The names that Sentry's own SDK uses.
    usual_variables = {  # noqa: RUF012
        "dsn": "SENTRY_DSN",
        "environment": "SENTRY_ENVIRONMENT",
        "release": "SENTRY_RELEASE",
    }
    guide = "its README"

    dsn: Annotated[SecretStr, AfterValidator(_dsn)] = Field(
        description="Address of the project, such as `https://KEY@HOST/PROJECT`."
    )
    event_level: Literal["warning", "error", "critical"] = Field(
        "error", description="Records from this level on are events, which become issues; others are logs."
    )
    environment: str | None = Field(None, description="None: the resource's `deployment.environment.name`.")
    release: str | None = Field(None, description="None: the resource's `service.version`.")
    fingerprint_attribute: str = Field(
        "sentry.fingerprint", description="Attribute that says what an event is grouped by."
    )
    max_log_items: Annotated[int, Field(ge=1, le=1_000)] = Field(
        100, description="Records of one request, where they are logs. An event has a request of its own."
    )
    compression: Literal["gzip", "none"] = Field("gzip", description="Of bodies from 1,024 bytes on.")
    max_in_flight: Annotated[int, Field(ge=1)] = Field(4, description="Batches on their way at once.")
    timeout_millis: Millis = Field(10_000, description="Of one request.")
    refused_pause_millis: Millis = Field(60_000, description="Pause after an address that is refused.")

    @property
    def project(self) -> Dsn:
        """The address in its parts."""
        return read_dsn(self.dsn.get_secret_value())

    @property
    def lowest_event_severity(self) -> int:
        """Severity number from which on records are events."""
        return _LOWEST[self.event_level]
