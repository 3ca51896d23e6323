"""Stage 6 of 7, export: exporters by name and as objects, side by side. Threads: the configuring one.

Names that are built in come first; every other name is looked up in the entry-point group
`opentelemetry_logs_exporter`, where packages register their OpenTelemetry exporters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from types import MappingProxyType
from typing import Any

from fapilog.errors import ConfigurationError, OffendingSetting, Problem, configuration_error
from fapilog.exporters import duties
from fapilog.exporters.auth import DEFAULT_EXPORTER, AnyAuth, Auth, AuthFunction, checked_functions
from fapilog.exporters.base import Exporter, NativeExporter, is_exporter, is_otel_exporter
from fapilog.exporters.otel_adapter import OtelExporterAdapter
from fapilog.plugins import AUTH, EXPORTERS, Plugins, PluginUnusableError
from fapilog.settings import Settings
from fapilog.settings.types import BUILT_IN_EXPORTERS

# Where a built-in exporter comes from: a function of the settings, loaded when it is chosen. The console is
# no exporter with a cursor: it writes on the caller.
_MAKERS: Mapping[str, str] = MappingProxyType(
    {
        "otlp": "fapilog.exporters.otlp:make_exporter",
        "otlp/stdout": "fapilog.exporters.streams:make_stdout",
        "otlp/stderr": "fapilog.exporters.streams:make_stderr",
        "file": "fapilog.exporters.file:make_exporter",
        "webhook": "fapilog.exporters.webhook:make_exporter",
        "memory": "fapilog.exporters.memory:make_exporter",
    }
)
CONSOLE, NONE = "console", "none"


@dataclass(frozen=True)
class Chosen:
    """The exporters of one provider.

    Attributes:
        native: As the native side takes them, in order: those it delivers to itself, and a cursor for each
            of `python`.
        python: By the name of their cursor, which is the key of their side of the ledger.
        console: Whether records are written to the console too.
        auth: Of native exporters, by the name of their cursor: what keeps their headers good.
    """

    native: tuple[Mapping[str, object], ...]
    python: Mapping[str, Exporter]
    console: bool
    auth: Mapping[str, Auth] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the ledger, in order."""
        cursors = tuple(str(exporter["name"]) for exporter in self.native)
        return (*cursors, CONSOLE) if self.console else cursors

    def native_auth(self) -> dict[str, tuple[Auth, Sequence[tuple[str, str]]]]:
        """Return what keeps headers of native exporters good, with their headers that never change."""
        fixed: dict[str, Any] = {str(each["name"]): each.get("headers", ()) for each in self.native}
        return {name: (auth, fixed[name]) for name, auth in self.auth.items()}


def choose(
    exporters: Iterable[object],
    settings: Settings,
    auth: AnyAuth = None,
) -> Chosen:
    """Turn names and objects, mixed, into what a pipeline delivers to.

    A name that comes twice counts once. An object whose name is taken already gets `name/2`, and so on.

    Args:
        exporters: Names; exporters of fapilog, with `export_batch`; OpenTelemetry `LogRecordExporter`s.
        settings: For the exporters that are chosen by name.
        auth: Functions that return headers, by exporter; a single one is for `otlp`. Only for exporters that
            are chosen by name.

    Raises:
        ConfigurationError: `setting-invalid`, if there is none; `auth-invalid`, `exporter-unknown` (also when
            a setting of `delivery` or `redaction` names one that is not among them), `exporter-invalid`, or
            what is wrong with an exporter's own settings; all problems at once.
    """
    given, functions = list(exporters), checked_functions(auth)
    standing_by = [name for name in settings.delivery.fallback.values() if name in _MAKERS]
    if not given:
        remedy = "pass ['none'] to export nothing"
        raise _problem("setting-invalid", "exporters names no exporter", "[]", remedy)
    # A fallback that is built in needs no second mention.
    given += [name for name in standing_by if name not in given]
    problems: list[Problem] = []
    found: list[Exporter | NativeExporter] = []
    names = list(dict.fromkeys(each for each in given if isinstance(each, str)))
    for position, each in enumerate(given):
        if isinstance(each, str):
            if each not in names:
                continue  # it came before
            names.remove(each)
            if each in (CONSOLE, NONE):
                continue
        try:
            if isinstance(each, str):
                found.append(_named(each, settings, functions))
            else:
                found.append(_given(each, position))
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise configuration_error(problems)
    arranged = _arranged(found, console=CONSOLE in given)
    console = (CONSOLE,) if arranged.console else ()
    return replace(arranged, native=duties.assigned(arranged.native, settings, console))


def _arranged(found: Sequence[Exporter | NativeExporter], *, console: bool) -> Chosen:
    native: list[Mapping[str, object]] = []
    python: dict[str, Exporter] = {}
    auth: dict[str, Auth] = {}
    taken = {CONSOLE} if console else set()
    for exporter in found:
        name = _free_name(_name_of(exporter), taken)
        taken.add(name)
        if isinstance(exporter, NativeExporter):
            native.append({**exporter.settings, "name": name})
            if exporter.auth is not None:
                auth[name] = exporter.auth
        else:
            native.append({"name": name, "kind": "python", "compression": "gzip"})
            python[name] = exporter
    return Chosen(tuple(native), MappingProxyType(python), console, MappingProxyType(auth))


def _name_of(exporter: Any) -> str:
    name = getattr(exporter, "name", None)
    return name if isinstance(name, str) and name else type(exporter).__name__


def _free_name(name: str, taken: set[str]) -> str:
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name}/{number}"
    return free


def _named(name: str, settings: Settings, functions: Mapping[str, AuthFunction]) -> Exporter | NativeExporter:
    """The exporter of a name: built in, or of an installed package."""
    if name in _MAKERS:
        module, _, maker = _MAKERS[name].partition(":")
        function = functions.get(name) or (_auth_plugin(settings) if name == DEFAULT_EXPORTER else None)
        extra = (Auth(function),) if function is not None else ()
        made: Exporter | NativeExporter = getattr(import_module(module), maker)(settings, *extra)
        return made
    plugins = Plugins(settings.plugins.policy)
    plugin = plugins.find(EXPORTERS, name)
    if plugin is None:
        known = ", ".join(dict.fromkeys((*BUILT_IN_EXPORTERS, *plugins.names(EXPORTERS))))
        what = f"exporters names an exporter that does not exist: {name}"
        raise _problem(
            "exporter-unknown", what, repr(name), f"set exporters to one or more of {known}", settings
        )
    try:
        exporter = plugins.require(EXPORTERS, name)
    except PluginUnusableError as error:
        what = f"the exporter {name} ({plugin.target}) cannot be made: {error}"
        remedy = "set what it needs in its own variables, or pass the exporter as an object"
        raise _problem("exporter-invalid", what, repr(name), remedy, settings) from error
    return _adapted(exporter, name)


def _auth_plugin(settings: Settings) -> AuthFunction | None:
    """The function that `otlp.auth` names. Without it records would be refused, so it is never left out."""
    name = settings.otlp.auth
    if name is None:
        return None
    origin = settings.origin("otlp.auth")
    made: AuthFunction | None = Plugins(settings.plugins.policy).make(AUTH, name, "otlp.auth", origin)
    if made is None:
        remedy = "correct the plugin; `fapilog plugins list --check` says what is wrong with it"
        setting = OffendingSetting("otlp.auth", repr(name), origin, remedy)
        what = f"the auth plugin {name} is broken or disabled"
        raise ConfigurationError([Problem("auth-invalid", what, (setting,), remedy)])
    return made


def _given(exporter: object, position: int) -> Exporter | NativeExporter:
    """An exporter that was passed as an object."""
    if isinstance(exporter, NativeExporter) or is_exporter(exporter):
        return exporter  # type: ignore[return-value]
    if is_otel_exporter(exporter):
        return OtelExporterAdapter(exporter)
    raise _invalid(exporter, f"exporters[{position}]")


def _adapted(exporter: object, name: str) -> Exporter | NativeExporter:
    if is_exporter(exporter):
        return exporter  # type: ignore[return-value]
    if is_otel_exporter(exporter):
        return OtelExporterAdapter(exporter, name)
    raise _invalid(exporter, name)


def _invalid(exporter: object, place: str) -> ConfigurationError:
    if isinstance(exporter, type):
        what, remedy = f"{place} is the class {exporter.__name__}, not an exporter", "pass an object of it"
    else:
        missing = [name for name in ("export", "shutdown") if not hasattr(exporter, name)]
        what = (
            f"{place} is no exporter: {type(exporter).__name__} has no export_batch(), as an exporter of"
            f" fapilog has, and no {'() and no '.join(missing)}(), as one of OpenTelemetry has"
        )
        remedy = "pass a name, an object with `async def export_batch(self, batch)`, or a LogRecordExporter"
    return _problem("exporter-invalid", what, f"<{type(exporter).__name__}>", remedy)


def _problem(
    code: str, what: str, value: str, remedy: str, settings: Settings | None = None
) -> ConfigurationError:
    origin = settings.origin("exporters") if settings is not None else "argument"
    setting = OffendingSetting("exporters", value, "argument" if origin == "default" else origin, remedy)
    return configuration_error([Problem(code, what, (setting,), remedy)])
