"""`SplunkHecSettings`: where events go and how, from arguments and FAPILOG_SPLUNK_* variables.

Each field is also the variable `FAPILOG_SPLUNK_<NAME>`; the table in `docs/how-to/splunk.md` is checked
against this file. Threads: the configuring one.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, Field, SecretStr

from fapilog.exporters.settings import Millis, TlsSettings

_COLLECTOR_PATH = "/services/collector"


def _base_url(url: str) -> str:
    """The URL without the collector's path, which all endpoints have in common."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it must be https://HOST:8088, with or without /services/collector behind it")
    if parts.query or parts.fragment or parts.username or parts.password is not None:
        raise ValueError("it takes no query and no credentials: the token has a setting of its own")
    path, found, _ = parts.path.partition(_COLLECTOR_PATH)
    return f"{parts.scheme}://{parts.netloc}{path.rstrip('/') if found else parts.path.rstrip('/')}"


def _one_word(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("it must be the token alone: printable, without the word Splunk before it")
    return token


class SplunkHecSettings(TlsSettings):
    """Settings of the exporter `splunk_hec`; frozen. A token is never shown.

    Example:
        >>> SplunkHecSettings(url="https://splunk.example:8088/services/collector/event", token="t").url
        'https://splunk.example:8088'
        >>> variables = {"SPLUNK_HEC_URL": "https://h:8088", "FAPILOG_SPLUNK_TOKEN": "t"}
        >>> SplunkHecSettings.load(variables, ack=True).in_flight
        16
    """

    exporter = "splunk_hec"
    prefix = "FAPILOG_SPLUNK_"
    # The names that Splunk's own distributions of OpenTelemetry use.
    usual_variables = {"url": "SPLUNK_HEC_URL", "token": "SPLUNK_HEC_TOKEN"}  # noqa: RUF012 # nosec B105 - names
    guide = "docs/how-to/splunk.md"

    url: Annotated[str, AfterValidator(_base_url)] = Field(
        description="Where the collector listens, such as `https://splunk.example:8088`."
    )
    token: Annotated[SecretStr, AfterValidator(_one_word)] = Field(
        description="The token of the HTTP Event Collector."
    )
    endpoint: Literal["event", "raw"] = Field(
        "event", description="`raw` sends bodies alone, as lines of text; attributes do not go with them."
    )
    index: str | None = Field(None, description="Index of events whose attributes name none.")
    source: str | None = Field(None, description="Source of events whose attributes name none.")
    sourcetype: str | None = Field(None, description="Source type of events whose attributes name none.")
    host: str | None = Field(None, description="Host of events whose attributes name none; else `unknown`.")
    index_attribute: str = Field("com.splunk.index", description="Attribute that names the index.")
    source_attribute: str = Field("com.splunk.source", description="Attribute that names the source.")
    sourcetype_attribute: str = Field("com.splunk.sourcetype", description="… the source type.")
    host_attribute: str = Field("host.name", description="… the host.")
    event_form: Literal["body", "object"] = Field(
        "body", description="`object`: the event is an object of body and fields, read at search time."
    )
    fields: tuple[str, ...] | None = Field(
        None, description="Fields to index, `http.*` for all that start so. None: all. Each costs disk."
    )
    incorrect_index: Literal["reject", "without_index"] = Field(
        "reject", description="An event whose index is refused: drop it, or send it once more without one."
    )
    refused_token: Literal["wait", "reject"] = Field(
        "wait", description="A token that is refused: records wait, or are dropped."
    )
    refused_token_pause_millis: Millis = Field(60_000, description="Pause before it is tried again.")
    compression: Literal["gzip", "none"] = Field("gzip", description="Of bodies from 1,024 bytes on.")
    max_request_bytes: Annotated[int, Field(ge=1_024)] = Field(
        1_000_000, description="Of a request, before compression. What Splunk advises."
    )
    max_request_events: Annotated[int, Field(ge=1)] = Field(1_000, description="Of a request.")
    max_event_bytes: Annotated[int, Field(ge=1_024)] = Field(
        5_000_000, description="Of one event; a larger one is dropped. Splunk's `maxEventSize` is 5 MB."
    )
    ack: bool = Field(False, description="Wait until indexers have written the events (`useACK`).")
    ack_poll_millis: Millis = Field(1_000, description="Pause between two questions for acknowledgements.")
    ack_wait_millis: Millis = Field(
        20_000, description="Wait of one call; below `delivery.timeout_millis` (30,000)."
    )
    ack_timeout_millis: Millis = Field(180_000, description="After it events are sent again.")
    channel: UUID | None = Field(None, description="Channel of requests. Default: a new one per process.")
    max_in_flight: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Batches on their way at once. Default: 4, with `ack` 16."
    )
    timeout_millis: Millis = Field(10_000, description="Of one request. The Collector's default.")
    not_found_retry_millis: Annotated[int, Field(ge=0)] = Field(
        300_000, description="How long 404 means a rolling restart; then events are dropped."
    )
    health_check: bool = Field(False, description="Ask for the collector's health before the first request.")

    @property
    def in_flight(self) -> int:
        """Batches on their way at once."""
        return self.max_in_flight or (16 if self.ack else 4)
