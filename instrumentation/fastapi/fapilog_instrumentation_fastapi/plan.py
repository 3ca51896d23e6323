"""`Plan`: what the settings of one application mean, worked out once.

Threads: made by the configuring one, read by all. Here other modules hook in: what `on_request`,
`on_response`, `on_exception` and `on_leave` hold is called for every exchange, in order, each guarded; what
`on_unusual` holds for those that native code does not finish by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fapilog import Logger, LoggerProvider, asgi, get_logger
from fapilog_instrumentation_fastapi.correlation import Correlator
from fapilog_instrumentation_fastapi.exchange import Exchange
from fapilog_instrumentation_fastapi.exclusions import Exclusions
from fapilog_instrumentation_fastapi.own_errors import OwnErrors
from fapilog_instrumentation_fastapi.policy import Policy
from fapilog_instrumentation_fastapi.queries import Queries
from fapilog_instrumentation_fastapi.routes import Routes
from fapilog_instrumentation_fastapi.sampling import Sampler
from fapilog_instrumentation_fastapi.settings import RequestLogging

OPTIONS_ATTRIBUTE = "__fapilog_request_options__"
# Endpoints are functions of the application; somebody may make them without end.
_ENDPOINTS_LIMIT = 4_096

Observer = Callable[[Exchange], object]


class RouteOptions:
    """What counts for the requests of one route; the application's own options are one too.

    Attributes:
        access: Whether there is an access record.
        sampler: Which successes have one.
        slow_seconds: From when on a request is slow; infinite: never.
        client_error_severity: OTel number for responses 400 to 499.
        query, client, user_agent: Whether the record has these attributes.
        capture: Which headers and bodies it has.
        logger: Who writes the records of the request.
        settings: What all of this is made of.
    """

    __slots__ = (
        "access",
        "capture",
        "client",
        "client_error_severity",
        "logger",
        "query",
        "sampler",
        "settings",
        "slow_seconds",
        "user_agent",
    )

    def __init__(self, settings: RequestLogging, logger: Logger) -> None:
        access = settings.access
        self.settings = settings
        self.logger = logger
        self.capture = settings.capture
        self.access = access.enabled
        self.sampler = Sampler(access.sample_ratio)
        self.slow_seconds = float("inf") if access.slow_seconds is None else access.slow_seconds
        self.client_error_severity = int(access.client_error_severity)
        self.query, self.client, self.user_agent = access.query, access.client, access.user_agent


class Plan:
    """What the middleware of one application does.

    Args:
        settings: Of the application.
        logger_provider: Whose logger writes; None: the process's.

    Attributes:
        wanted: Headers that are looked for, lower case, with their place in `Exchange.headers`.
        on_request: Called when an exchange begins, inside the bound context.
        on_response: Called once when the response is complete or the exchange ends, before the access record.
            Where it has any, no access record is written in native code.
        on_unusual: Called before these, unless native code writes the record: the response failed, was slow,
            or something of its path, query string or access record is to be hidden, added or left out.
        on_exception: Called when the application raised `Exchange.error`; before the access record, unless
            the response was complete.
        on_leave: Called when the application has returned, background tasks included.
        undo: Takes back what was done to the application, to mounted ones and to the process: `take_back`.
        own_errors: Counts errors of this package, which never reach the application.
        rules: All of this as native code needs it.
    """

    def __init__(self, settings: RequestLogging, logger_provider: LoggerProvider | None = None) -> None:
        self.settings = settings
        self.logger_provider = logger_provider
        self.logger = self.get_logger(settings.logger)
        self.options = RouteOptions(settings, self.logger)
        correlation, access = settings.correlation, settings.access
        policy = Policy(logger_provider)
        self.correlator = Correlator(
            correlation.request_headers, correlation.accept, correlation.traceparent, policy.shows
        )
        self.wanted = {name: place for place, name in enumerate(self.correlator.wanted)}
        self.user_agent = self.want(b"user-agent")
        self.content_length = self.want(b"content-length")
        self.host = self.want(b"host")
        header = correlation.response_header
        self.echo = header.lower().encode("ascii") if header is not None else None
        self.exclusions = Exclusions(access.exclude_paths, access.exclude_routes, access.exclude_patterns)
        self.routes = Routes()
        self.queries = Queries(policy)
        self.own_errors = OwnErrors()
        self.undo: list[Callable[[], object]] = []
        self.on_request: list[Observer] = []
        self.on_response: list[Observer] = []
        self.on_unusual: list[Observer] = []
        self.on_exception: list[Observer] = []
        self.on_leave: list[Observer] = []
        self.rules: asgi.ExchangePlan
        self._by_endpoint: dict[Any, RouteOptions] = {}

    def want(self, header: bytes) -> int:
        """Ask for a header of every request; returns its place in `Exchange.headers`."""
        return self.wanted.setdefault(header, len(self.wanted))

    def take_back(self) -> None:
        """Do what `undo` holds, from the last to the first, once."""
        while self.undo:
            self.undo.pop()()

    def get_logger(self, name: str, **attributes: Any) -> Logger:
        """Return a logger of the application: of its own provider, or of the process."""
        if self.logger_provider is not None:
            return self.logger_provider.logger(name, **attributes)
        return get_logger(name, **attributes)

    def options_of(self, endpoint: Any) -> RouteOptions:
        """Return the options in force for an endpoint: the application's, changed by its own."""
        try:
            known = self._by_endpoint.get(endpoint)
        except TypeError:
            return self.options
        if known is None:
            known = self._made_for(endpoint)
            if len(self._by_endpoint) < _ENDPOINTS_LIMIT:
                self._by_endpoint[endpoint] = known
        return known

    def _made_for(self, endpoint: Any) -> RouteOptions:
        changes: Mapping[str, Any] | None = getattr(endpoint, OPTIONS_ATTRIBUTE, None)
        if not changes:
            return self.options
        settings = self.settings
        logger = self.logger
        for name, value in changes.items():
            if name == "logger":
                logger = self.get_logger(value)
                continue
            group = getattr(settings, name)
            settings = settings.model_copy(update={name: group.model_copy(update=dict(value))})
        return RouteOptions(settings, logger)
