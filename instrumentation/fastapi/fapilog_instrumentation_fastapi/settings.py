"""`RequestLogging`: what one application logs of its requests, checked before the first of them.

Threads: the configuring one. At run time `plan.Plan` holds what these settings mean; nothing per request
reads a pydantic model. `docs/reference/fastapi_settings.md` is made from this file.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from fapilog import Severity
from fapilog_instrumentation_fastapi import exclusions, settings_sources
from fapilog_instrumentation_fastapi.setting_types import Group, HeaderName, Ratio, Seconds, SeverityName
from fapilog_instrumentation_fastapi.settings_capture import Baggage, Capture, Exceptions, Watch
from fapilog_instrumentation_fastapi.settings_sources import setting

SpansChoice = Literal["auto", "contrib", "native", "none"]


def _patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    exclusions.searcher(patterns)
    return patterns


class Correlation(Group):
    """Where the id that joins the records of one request comes from, and where it is shown."""

    request_headers: tuple[HeaderName, ...] = setting(
        ("X-Correlation-ID", "X-Request-ID"),
        variable="CORRELATION_HEADERS",
        source="what gateways and clients send most",
        about="Headers that are asked for the id, in order. The first valid one counts: 1 to 128 visible"
        " ASCII characters without separators, and nothing that redaction hides.",
    )
    response_header: HeaderName | None = setting(
        "X-Correlation-ID",
        variable="CORRELATION_RESPONSE_HEADER",
        source="the first of the request headers",
        about="The header that carries the id back, unless the application sets it.",
    )
    accept: bool = setting(
        True,
        variable="CORRELATION_ACCEPT",
        source="ids should survive the way through several services",
        about="Whether ids of callers are used: not where anybody may send one and no gateway replaces it.",
    )
    traceparent: bool = setting(
        True,
        variable="CORRELATION_TRACEPARENT",
        source="W3C Trace Context",
        about="Whether the trace id of `traceparent` is the id where none of the headers has one.",
    )


class Access(Group):
    """The access record: one per request, or per WebSocket connection."""

    enabled: bool = setting(
        True, variable="ACCESS", source="what this package is for", about="Whether it is written."
    )
    sample_ratio: Ratio = setting(
        1.0,
        variable="ACCESS_SAMPLE_RATIO",
        source="nothing is left out unasked",
        about="The share of successes (below 400) that is written, 0 to 1; by trace id where there is one, so"
        " that every service keeps the same traces. Errors and slow requests are always written.",
    )
    slow_seconds: Seconds | None = setting(
        1.0,
        variable="SLOW_SECONDS",
        source="a boundary of the buckets advised for `http.server.request.duration`",
        about="From this duration on a request is slow: always written, with `fapilog.http.slow`.",
        unit="seconds",
    )
    client_error_severity: SeverityName = setting(
        Severity.WARN,
        variable="CLIENT_ERROR_SEVERITY",
        source="the caller's mistake, no failure of ours",
        about="Severity of responses 400 to 499. Those of 500 and more, and unhandled exceptions, are ERROR.",
    )
    exclude_paths: tuple[str, ...] = setting(
        (),
        variable="EXCLUDE_PATHS",
        source="nothing is left out unasked",
        about="Paths without access record; a `*` at the end stands for any rest.",
    )
    exclude_routes: tuple[str, ...] = setting(
        (),
        variable="EXCLUDE_ROUTES",
        source="nothing is left out unasked",
        about="Route templates without access record, such as `/items/{item_id}`, with `root_path` in front"
        " where there is one, as in `http.route`.",
    )
    exclude_patterns: Annotated[tuple[str, ...], AfterValidator(_patterns)] = setting(
        (),
        variable="EXCLUDE_PATTERNS",
        source="nothing is left out unasked",
        about="Regular expressions that are searched in the path: those of Rust's crate `regex`, which take"
        " linear time on any path. None may match an empty text.",
    )
    query: bool = setting(
        True,
        variable="ACCESS_QUERY",
        source="semantic conventions: required where there is one",
        about="Whether the record has `url.query`. What redaction finds in it is hidden.",
    )
    client: bool = setting(
        True,
        variable="ACCESS_CLIENT",
        source="semantic conventions: recommended",
        about="Whether it has `client.address` and `client.port`.",
    )
    user_agent: bool = setting(
        True,
        variable="ACCESS_USER_AGENT",
        source="semantic conventions: recommended",
        about="Whether it has `user_agent.original`.",
    )
    silence_uvicorn: bool = setting(
        False,
        variable="SILENCE_UVICORN",
        source="another logger is the application's",
        about="Whether `uvicorn.access`, which logs each request a second time, is silenced for all"
        " handlers.",
    )


class Lifecycle(Group):
    """What `fapilog_lifespan` does when the application starts and stops."""

    events: bool = setting(
        True,
        variable="LIFECYCLE_EVENTS",
        source="a restart explains much of what the records around it say",
        about="Whether start, stop and failure of the application are records: `fapilog.application.started`,"
        " `.stopped`, `.failed`.",
    )
    drain_timeout_millis: Annotated[int, Field(ge=0)] | None = setting(
        None,
        variable="DRAIN_TIMEOUT_MILLIS",
        source="`buffer.shutdown_timeout_millis` of the pipeline, 5 000",
        about="How long the end of the lifespan waits for logs, spans and metrics to leave. None: as long as"
        " the pipeline's own end.",
        unit="milliseconds",
    )


class Health(Group):
    """The routes of `health_router`."""

    live_path: Annotated[str, Field(pattern="^/")] | None = setting(
        "/healthz",
        variable="HEALTH_LIVE_PATH",
        source="the name that Kubernetes made common",
        about="The path that answers 200 while the process serves requests at all. None: no such route.",
    )
    ready_path: Annotated[str, Field(pattern="^/")] | None = setting(
        "/readyz",
        variable="HEALTH_READY_PATH",
        source="the name that Kubernetes made common",
        about="The path that answers with the health of the pipeline: 200 or 503. None: no such route.",
    )
    unready_when: tuple[Literal["pressure", "losing", "shut_down", "unconfigured"], ...] = setting(
        ("shut_down",),
        variable="HEALTH_UNREADY_WHEN",
        source="a service that answers should not leave the balance because its collector is away",
        about="The states of the pipeline in which the ready path answers 503. `losing` stays until the"
        " process ends.",
    )
    in_schema: bool = setting(
        False,
        variable="HEALTH_IN_SCHEMA",
        source="probes are no part of an API",
        about="Whether the routes are in the OpenAPI schema.",
    )
    access: bool = setting(
        False,
        variable="HEALTH_ACCESS",
        source="probes ask every few seconds",
        about="Whether requests for these routes have access records.",
    )


class Outgoing(Group):
    """The correlation id in calls to other services: of clients that were named, or to hosts that were."""

    clients: tuple[Literal["httpx", "httpx2", "requests", "aiohttp"], ...] = setting(
        (),
        variable="OUTGOING_CLIENTS",
        source="an id tells strangers which calls belong together, so none leaves unasked",
        about="Libraries all of whose clients carry the id to `hosts`. Without any, only clients that were"
        " given to `propagate_correlation` carry it.",
    )
    hosts: tuple[Annotated[str, Field(min_length=1)], ...] = setting(
        (),
        variable="OUTGOING_HOSTS",
        source="which hosts are your own, only you know",
        about="Hosts that get it: names, `*.` before a domain for all names below it, or `*`. With `clients`"
        " it must not be empty; for clients of `propagate_correlation` empty means every host.",
    )
    header: HeaderName | None = setting(
        "X-Correlation-ID",
        variable="OUTGOING_HEADER",
        source="the first of the headers that requests are asked for",
        about="The header that carries it. A header that the caller sets stays.",
    )
    baggage: HeaderName | None = setting(
        "fapilog.correlation_id",
        variable="OUTGOING_BAGGAGE",
        source="the attribute of records",
        about="The member of the header `baggage` (W3C) that carries it too, for services behind it.",
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.clients and not self.hosts:
            raise ValueError("clients need hosts: name those that may get the id, or * for every host")
        missing = [name for name in self.clients if importlib.util.find_spec(name) is None]
        if missing:
            raise ValueError(f"clients that are not installed: pip install {' '.join(missing)}")
        return self


class RequestLogging(Group):
    """What one application logs of its requests; frozen.

    Example:
        >>> RequestLogging(access={"sample_ratio": 0.1}).access.sample_ratio
        0.1
    """

    logger: Annotated[str, Field(min_length=1)] = setting(
        "fapilog.http",
        variable="LOGGER",
        source="a name that rules and levels can match",
        about="The logger of access records, their instrumentation scope.",
    )
    spans: SpansChoice = setting(
        "auto",
        variable="SPANS",
        source="who was asked already does it",
        about="Who makes the server span: `contrib` (opentelemetry-instrumentation-fastapi), `native`"
        " (FastAPI's own telemetry), `none`, or `auto`: an instrumentation that is there, else FastAPI"
        " where its `telemetry` was configured, else contrib. `native` and `none` take contrib off.",
    )
    correlation: Correlation = Correlation()
    access: Access = Access()
    exceptions: Exceptions = Exceptions()
    capture: Capture = Capture()
    baggage: Baggage = Baggage()
    watch: Watch = Watch()
    lifecycle: Lifecycle = Lifecycle()
    health: Health = Health()
    outgoing: Outgoing = Outgoing()

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
