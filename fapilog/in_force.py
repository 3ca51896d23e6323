"""What the process is configured with: the first `configure_otel()` counts until its `shutdown()`.

What the first record of a process that nobody configured put in place makes room for it; what the
distribution did stays, if both mean the same. Threads: the configuring one, or one that logs first.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Literal

from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.resources import Resource

from fapilog import installation
from fapilog.diagnostics import OnError, say, shown_error
from fapilog.enrichers.base import Enricher
from fapilog.error_codes import CODES
from fapilog.errors import ConfigurationError, ExportError, FapilogError, LifecycleError
from fapilog.exporters import console
from fapilog.exporters.auth import AnyAuth
from fapilog.exporters.base import AnyExporter
from fapilog.otel.provider import LoggerProvider
from fapilog.otel.resource import build_resource
from fapilog.providers import Telemetry
from fapilog.settings import Settings
from fapilog.settings.variables import VARIABLE_NAMES
from fapilog.settings.weaker import hides_less

_EXPORT_CODES = ("endpoint-unreachable", "export-timeout", "export-rejected", "exporter-failed")

_CONFIG_FILE = "OTEL_CONFIG_FILE"


@dataclass(frozen=True)
class GivenObjects:
    """What `configure_otel()` was given as objects, which no setting can hold."""

    exporters: tuple[AnyExporter, ...] = ()
    batch_processors: tuple[Any, ...] | None = None
    processors: tuple[str | LogRecordProcessor, ...] | None = None
    auth: AnyAuth = None
    enrichers: tuple[str | Enricher, ...] | None = None
    on_error: Callable[[FapilogError], object] | None = None


_NOTHING = GivenObjects()


@dataclass(frozen=True)
class _Configured:
    telemetry: Telemetry
    fingerprint: tuple[object, ...]
    by: Literal["call", "defaults", "distribution"]


_lock = threading.RLock()
_current: _Configured | None = None
# Who wants to know what the process is configured with from now on: `fapilog.testing.capture_logs`.
followers: list[Callable[[Telemetry], object]] = []


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603
    # Another thread of the parent may hold it for ever.
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def current() -> Telemetry | None:
    """Return what the process is configured with; None before `configure_otel()` and after `shutdown()`."""
    configured = _current
    return None if configured is None else configured.telemetry


def configure(
    settings: Settings,
    resource: Resource | Mapping[str, object] | None = None,
    given: GivenObjects = _NOTHING,
    *,
    by: Literal["call", "defaults"],
    place: installation.Place = installation.place_new,
) -> Telemetry:
    """Put providers in place for `settings`, or return those that the same arguments put in place before.

    Raises:
        ConfigurationError: If an exporter, a processor or an address cannot be used.
        MissingDependencyError: If a package for traces or metrics is missing.
        LifecycleError: `already-configured`, if the process is configured otherwise.
    """
    global _current  # noqa: PLW0603
    attributes = dict(resource.attributes) if isinstance(resource, Resource) else dict(resource or {})
    fingerprint = (settings, tuple(sorted(attributes.items(), key=str)), given)
    with _lock:
        if _current is not None and _current.by == "distribution":
            return _as_distributed(_current.telemetry, settings, attributes, given)
        if _current is not None and _current.by == "call":
            if _current.fingerprint == fingerprint:
                return _current.telemetry
            raise LifecycleError(
                "already-configured",
                "configure_otel() was called before with other arguments",
                _changes(settings),
            )
        _name_config_file(settings)
        # What is wrong with the arguments shows here, while the defaults that log until now are still in
        # force.
        provider = LoggerProvider(
            build_resource(settings, resource),
            settings=settings,
            exporters=(*chosen_exporters(settings), *given.exporters),
            batch_processors=given.batch_processors,
            processors=given.processors,
            auth=given.auth,
            enrichers=given.enrichers,
        )
        dispatcher = OnError(given.on_error) if given.on_error is not None else None
        _say_what_left(settings)
        _replace()
        telemetry = installation.install(provider, dispatcher, _let_go, place)
        _current = _Configured(telemetry, fingerprint, by)
        _tell(telemetry)
        return telemetry


def _say_what_left(settings: Settings) -> None:
    """Say how many records the defaults took before a stricter policy came."""
    if _current is None or _current.by != "defaults":
        return
    provider, records = _current.telemetry.logger_provider, _current.telemetry.ledger().accepted
    before = provider.settings.redaction_in_force
    if records and hides_less(before, settings.redaction_in_force, provider.exporters):
        what = (
            f"{records} log records were accepted before configure_otel(), under less redaction than it asks"
            " for: call it before the first log call, or set FAPILOG_REDACTION or FAPILOG_COMPLIANCE"
        )
        say("logged-before", what)


def configure_defaults() -> None:
    """Configure the process for a record before `configure_otel()`: console; OTLP when an endpoint is set.

    Never raises: settings that are wrong, for us or for the stock SDK, are said on stderr, and the console
    alone is used.
    """
    with _lock:
        if _current is not None:
            return
        try:
            settings = Settings()
            if settings.exporters is None:
                endpoint_set = settings.origin("otlp.endpoint") != "default"
                chosen = ("otlp", "console") if endpoint_set else ("console",)
                settings = settings.with_changes(exporters=chosen)
            configure(settings, by="defaults")
        except Exception as error:
            until = "only the console is used until configure_otel() is called"
            say("configuration-failed", f"{_in_one_line(error)}; {until}")
            # What was asked for is not known, so nothing of it may be left out.
            asked = any(name in os.environ for name in ("FAPILOG_COMPLIANCE", "FAPILOG_REDACTION"))
            mode = "scan" if asked else "keys"
            fallback = Settings.load(environ={}, exporters=("console",), redaction=mode)
            configure(fallback, by="defaults", place=installation.place_logs_alone)


def _in_one_line(error: Exception) -> str:
    if not isinstance(error, FapilogError):
        return shown_error(error)
    settings = error.settings if isinstance(error, ConfigurationError) else ()
    values = ", ".join(f"{setting.name} = {setting.value} from {setting.origin}" for setting in settings)
    return f"{error.what} ({values})" if values else error.what


def adopt(provider: LoggerProvider) -> Telemetry:
    """Make `provider` serve a process whose three global providers are installed already, it among them.

    For the distribution: OpenTelemetry's own configurator installs them. From here on they are flushed and
    shut down together, as after `configure_otel()`, which returns the same `Telemetry` if it is called later.
    """
    global _current  # noqa: PLW0603
    with _lock:
        _replace()
        telemetry = installation.install(provider, None, _let_go, installation.take_over)
        _current = _Configured(telemetry, (), "distribution")
        _tell(telemetry)
        return telemetry


def _tell(telemetry: Telemetry) -> None:
    for follower in tuple(followers):
        follower(telemetry)


def on_notice(code: str, message: str) -> None:
    """Tell the application's `on_error` what native threads met; called on a thread that logs or flushes."""
    current = _current
    if current is not None and current.telemetry.on_error is not None:
        current.telemetry.on_error(_told(code, message))


def _told(code: str, message: str) -> FapilogError:
    if code in _EXPORT_CODES:
        return ExportError(code, message)
    # A code that nobody described must not keep the message from whoever asked for it.
    return FapilogError(code, message, (), None if code in CODES else "Read the message.")


def _name_config_file(settings: Settings) -> None:
    """Say that a configuration file is set which nobody here reads; its own door is the distribution."""
    path = os.environ.get(_CONFIG_FILE, "").strip()
    if path and not any(row.origin.startswith(path) for row in settings.explain()):
        say(
            "config-file-unread",
            f"{_CONFIG_FILE} is set, but configure_otel() takes arguments and other variables. Start the"
            " program with opentelemetry-instrument and OTEL_PYTHON_DISTRO=fapilog, or pass"
            f" settings=Settings.load({path!r}) for what the file says about logs",
        )


def chosen_exporters(settings: Settings) -> tuple[str, ...]:
    """Return the exporters that settings ask for; by default `otlp`, and `console` on a terminal."""
    if settings.exporters is not None:
        return settings.exporters
    return ("otlp", "console") if console.on_terminal(settings.console) else ("otlp",)


def _replace() -> None:
    """End what was configured by default, so that something else can take its place."""
    global _current
    replaced, _current = _current, None
    if replaced is not None:
        replaced.telemetry.shutdown()


def _let_go(telemetry: Telemetry) -> bool:
    """Take out what the first shutdown of a `Telemetry` ends; the process may be configured again."""
    global _current  # noqa: PLW0603
    with _lock:
        first, telemetry.is_open = telemetry.is_open, False
        if first:
            # Before the next `configure_otel()`, whose providers would be taken out otherwise.
            telemetry.take_back()
        if _current is not None and _current.telemetry is telemetry:
            _current = None
        return first


def _as_distributed(
    telemetry: Telemetry,
    settings: Settings,
    attributes: Mapping[str, object],
    given: GivenObjects,
) -> Telemetry:
    """The answer to `configure_otel()` in an application that the distribution configured before it ran."""
    changes = _changes(settings, only=lambda origin: origin != "default" and origin not in VARIABLE_NAMES)
    known = telemetry.logger_provider.resource.attributes
    for key, value in attributes.items():
        if known.get(key) != value:
            changes.append(f"resource {key}: {known.get(key, 'unset')} before, {value} now")
    if replace(given, on_error=None) != _NOTHING:
        changes.append("exporters, processors and enrichers that are objects cannot be added now")
    if changes:
        raise LifecycleError(
            "already-configured",
            "opentelemetry-instrument has configured this process before configure_otel() was called, and "
            "differently: set the same in its environment, or leave configure_otel() out",
            changes,
        )
    if given.on_error is not None and telemetry.on_error is None:
        telemetry.on_error = OnError(given.on_error)
    return telemetry


def _changes(settings: Settings, only: Callable[[str], bool] = lambda _: True) -> list[str]:
    """What `settings` would change in the settings in force, of those whose origin is wanted."""
    in_force = _current.telemetry.settings if _current else settings
    before = {row.name: str(row.value) for row in in_force.explain()}
    return [
        f"{row.name}: {before[row.name]} before, {row.value} now"
        for row in settings.explain()
        if only(row.origin) and _value(settings, row.name) != _value(in_force, row.name)
    ]


def _value(settings: Settings, name: str) -> object:
    return reduce(getattr, name.split("."), settings)
