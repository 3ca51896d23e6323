"""`SplunkHecSettings`: where events go and how, from arguments and FAPILOG_SPLUNK_* variables.

Each field is also the variable `FAPILOG_SPLUNK_<NAME>`; the table in `docs/how-to/splunk.md` is checked
against this file. Threads: the configuring one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from fapilog.errors import MASK, ConfigurationError, OffendingSetting, Problem

PREFIX = "FAPILOG_SPLUNK_"
# The names that Splunk's own distributions of OpenTelemetry use; ours win.
_USUAL_NAMES = {"url": "SPLUNK_HEC_URL", "token": "SPLUNK_HEC_TOKEN"}
_COLLECTOR_PATH = "/services/collector"
_SECRETS = ("token",)
_log = logging.getLogger("fapilog_exporter_splunk")

Millis = Annotated[int, Field(ge=1)]


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


class SplunkHecSettings(BaseModel):
    """Settings of the exporter `splunk_hec`; frozen. A token is never shown.

    Example:
        >>> SplunkHecSettings(url="https://splunk.example:8088/services/collector/event", token="t").url
        'https://splunk.example:8088'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

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
    certificate: Path | None = Field(None, description="PEM file of trusted authorities. None: the system's.")
    client_certificate: Path | None = Field(None, description="PEM file of our certificate chain.")
    client_key: Path | None = Field(None, description="PEM file of its key.")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("client_certificate and client_key belong together")
        return self

    @property
    def in_flight(self) -> int:
        """Batches on their way at once."""
        return self.max_in_flight or (16 if self.ack else 4)

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Self:
        """Build the settings from arguments, then variables, then defaults.

        Args:
            environ: Instead of `os.environ`.
            **given: Settings by their names.

        Raises:
            ConfigurationError: With one problem per value that is missing or wrong.

        Example:
            >>> variables = {"SPLUNK_HEC_URL": "https://h:8088", "FAPILOG_SPLUNK_TOKEN": "t"}
            >>> SplunkHecSettings.load(variables, ack=True).in_flight
            16
        """
        values, origins = _from_environment(cls, os.environ if environ is None else environ)
        values |= given
        origins |= dict.fromkeys(given, "argument")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigurationError([_problem(item, origins, values) for item in error.errors()]) from None


def _from_environment(
    model: type[BaseModel], environ: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    variables = {PREFIX + name.upper(): name for name in model.model_fields}
    strangers = sorted(name for name in environ if name.startswith(PREFIX) and name not in variables)
    if strangers:
        _log.warning("no setting has the variable %s: it has no effect", ", ".join(strangers))
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    usual = ((variable, name) for name, variable in _USUAL_NAMES.items())
    for variable, name in (*usual, *variables.items()):
        text = environ.get(variable, "").strip()
        if text:  # empty is as good as unset
            values[name], origins[name] = _read(model, name, text), variable
    return values, origins


def _read(model: type[BaseModel], name: str, text: str) -> Any:
    takes = get_args(model.model_fields[name].annotation)
    if type(None) in takes and text.lower() == "none":
        return None
    return tuple(part.strip() for part in text.split(",") if part.strip()) if name == "fields" else text


def _problem(item: Any, origins: Mapping[str, str], values: Mapping[str, Any]) -> Problem:
    name = str(item["loc"][0]) if item["loc"] else "client_certificate"
    message = str(item["msg"]).removeprefix("Value error, ")
    variable = PREFIX + name.upper()
    if item["type"] == "missing":
        remedy = f"set {variable}, or pass {name}"
        shown = OffendingSetting(name, "None", "default", remedy)
        return Problem("setting-invalid", f"the exporter splunk_hec needs {name}", (shown,), remedy)
    if item["type"] == "extra_forbidden":
        remedy = "use a name of docs/how-to/splunk.md"
        return Problem("setting-unknown", f"{name} is not the name of a setting of splunk_hec", (), remedy)
    origin = origins.get(name, "argument")
    remedy = (
        f"give {name if origin == 'argument' else origin} another value: {message[:1].lower()}{message[1:]}"
    )
    value = MASK if name in _SECRETS or name == "url" else repr(values.get(name))
    shown = OffendingSetting(name, value, origin, remedy)
    return Problem(
        "setting-invalid", f"{name} of splunk_hec has a value that is not allowed", (shown,), remedy
    )
