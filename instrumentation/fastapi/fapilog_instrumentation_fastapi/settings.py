"""`RequestLogging`: what one application logs of its requests, checked before the first of them.

Threads: the configuring one. At run time `plan.Plan` holds what these settings mean; nothing per request
reads a pydantic model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from fapilog import Severity
from fapilog_instrumentation_fastapi import exclusions, settings_sources

# A header's name by RFC 9110, 5.1: a token.
HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$")]
Ratio = Annotated[float, Field(ge=0, le=1)]
SpansChoice = Literal["auto", "contrib", "native", "none"]


class Group(BaseModel):
    """A group of settings: frozen, and no name but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Correlation(Group):
    """Where the id that joins the records of one request comes from, and where it is shown.

    Attributes:
        request_headers: Headers asked for the id, in order. Default: `X-Correlation-ID`, then `X-Request-ID`,
            the names that proxies and gateways use (FAPILOG_FASTAPI_CORRELATION_HEADERS).
        response_header: The header that carries the id back; None: no header. Default: `X-Correlation-ID`
            (FAPILOG_FASTAPI_CORRELATION_RESPONSE_HEADER, where an empty value means none).
        accept: Whether ids of callers are used at all. Set it to False where anybody may send one and nobody
            else strips it (FAPILOG_FASTAPI_CORRELATION_ACCEPT).
        traceparent: Whether the trace id of a `traceparent` header (W3C Trace Context) is the id when none of
            the headers has one (FAPILOG_FASTAPI_CORRELATION_TRACEPARENT).
    """

    request_headers: tuple[HeaderName, ...] = ("X-Correlation-ID", "X-Request-ID")
    response_header: HeaderName | None = "X-Correlation-ID"
    accept: bool = True
    traceparent: bool = True


class Access(Group):
    """The access record: one per request, or per WebSocket connection.

    Attributes:
        enabled: Whether it is written (FAPILOG_FASTAPI_ACCESS).
        sample_ratio: The share of successes that is kept, 0 to 1; by trace id where there is one, so that all
            services keep the same traces. Default: 1, all (FAPILOG_FASTAPI_ACCESS_SAMPLE_RATIO).
        slow_seconds: Requests that take this long are never left out, and carry `fapilog.http.slow`; None: no
            request is slow. Default: 1 s, a boundary of the buckets that the conventions advise for
            `http.server.request.duration` (FAPILOG_FASTAPI_SLOW_SECONDS).
        client_error_severity: Of responses 400 to 499. Default: `warn`
            (FAPILOG_FASTAPI_CLIENT_ERROR_SEVERITY).
        exclude_paths: Paths without access record; a trailing `*` stands for any rest
            (FAPILOG_FASTAPI_EXCLUDE_PATHS).
        exclude_routes: Route templates without access record, such as `/items/{item_id}`
            (FAPILOG_FASTAPI_EXCLUDE_ROUTES).
        exclude_patterns: Regular expressions (Python's) that are searched in the path
            (FAPILOG_FASTAPI_EXCLUDE_PATTERNS).
        query: Whether the record has `url.query`; what stage 3 finds in it is hidden
            (FAPILOG_FASTAPI_ACCESS_QUERY).
        client: Whether it has `client.address` and `client.port` (FAPILOG_FASTAPI_ACCESS_CLIENT).
        user_agent: Whether it has `user_agent.original` (FAPILOG_FASTAPI_ACCESS_USER_AGENT).
        silence_uvicorn: Whether the logger `uvicorn.access`, which says the same without trace id, is
            silenced. Default: no (FAPILOG_FASTAPI_SILENCE_UVICORN).
    """

    enabled: bool = True
    sample_ratio: Ratio = 1.0
    slow_seconds: Annotated[float, Field(gt=0)] | None = 1.0
    client_error_severity: Severity = Severity.WARN
    exclude_paths: tuple[str, ...] = ()
    exclude_routes: tuple[str, ...] = ()
    exclude_patterns: tuple[str, ...] = ()
    query: bool = True
    client: bool = True
    user_agent: bool = True
    silence_uvicorn: bool = False

    @field_validator("client_error_severity", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        if isinstance(value, str):
            name = value.strip().upper()
            return Severity[name] if name in Severity.__members__ else value
        return value

    @field_validator("exclude_patterns")
    @classmethod
    def _compiles(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            exclusions.compiled(pattern)
        return value


class RequestLogging(Group):
    """What one application logs of its requests; frozen.

    Attributes:
        logger: Name of the logger of access records, their instrumentation scope. Default: `fapilog.http`
            (FAPILOG_FASTAPI_LOGGER).
        spans: Who makes the server span: `contrib` (`opentelemetry-instrumentation-fastapi`), `native`
            (FastAPI's own telemetry, 0.142 or newer), `none`, or `auto`: who was asked to do it already, else
            contrib. Default: `auto` (FAPILOG_FASTAPI_SPANS).
        correlation: The id that joins the records of one request.
        access: The access record.

    Example:
        >>> RequestLogging(access={"sample_ratio": 0.1}).access.sample_ratio
        0.1
    """

    logger: Annotated[str, Field(min_length=1)] = "fapilog.http"
    spans: SpansChoice = "auto"
    correlation: Correlation = Correlation()
    access: Access = Access()

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Self:
        """Return settings from arguments, which win, and from FAPILOG_FASTAPI_* variables.

        Args:
            environ: Default: the environment of the process.
            **given: Fields; groups as mappings or as objects, whose unset fields the environment may fill.

        Raises:
            ConfigurationError: If something is wrong; it lists values, where they came from and what to do.

        Example:
            >>> loaded = RequestLogging.load({"FAPILOG_FASTAPI_SLOW_SECONDS": "2.5"}, spans="none")
            >>> loaded.access.slow_seconds, loaded.spans
            (2.5, 'none')
        """
        return settings_sources.load(cls, environ, given)
