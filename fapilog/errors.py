"""Every exception of fapilog, with stable codes.

```
FapilogError                                 code: a slug that never changes its meaning
├── ConfigurationError (ValueError)          which settings are wrong, where each came from, what to do
│   ├── UnknownExporterError                 an exporter name that nobody registered
│   └── UnsupportedSettingError              a setting whose work is not in this version
├── MissingDependencyError (ImportError)     the pip line that fixes it
├── ExportError                              a destination refused or could not be reached
└── LifecycleError                           used too early, too late or twice
```

The logger never raises these into the application: at run time they reach the `on_error` callback and the
counters. Configuration always raises. This module imports nothing of fapilog.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

MASK = "***"


class CodeEntry(NamedTuple):
    """One row of the table of codes."""

    exception: str
    meaning: str
    remedy: str


# The one table of codes. `docs/reference/errors.md` is generated from it; a code is never reused or renamed.
CODES: Mapping[str, CodeEntry] = MappingProxyType(
    {
        "settings-wrong": CodeEntry(
            "ConfigurationError",
            "Several settings are wrong; the message lists each with its own code.",
            "Work through the list: every entry has its own `do:` line.",
        ),
        "setting-invalid": CodeEntry(
            "ConfigurationError",
            "A value has the wrong type, is out of range or is not one of the allowed words.",
            "Change the value where the message says it came from.",
        ),
        "setting-unknown": CodeEntry(
            "ConfigurationError",
            "An argument or a key in the settings file is not the name of a setting.",
            "Use the name that the message suggests, or look it up in the settings reference.",
        ),
        "file-unreadable": CodeEntry(
            "ConfigurationError",
            "The settings file is missing or may not be read.",
            "Check the path and the permissions.",
        ),
        "file-invalid": CodeEntry(
            "ConfigurationError",
            "The settings file is not YAML or JSON, or its top level is not a mapping.",
            "Correct the file; its name must end in .yaml, .yml or .json.",
        ),
        "queue-smaller-than-batch": CodeEntry(
            "ConfigurationError",
            "The buffer may hold fewer records than one block may.",
            "Raise the queue or lower the batch.",
        ),
        "sampling-incomplete": CodeEntry(
            "ConfigurationError",
            "Sampling by the sampled flag says nothing about records outside of spans.",
            "Set `sampling.ratio` too.",
        ),
        "enricher-unknown": CodeEntry(
            "ConfigurationError",
            "An enricher that is neither built in nor a plugin of an installed package.",
            "Correct the name, or install the package; the error lists the known ones.",
        ),
        "enricher-invalid": CodeEntry(
            "ConfigurationError",
            "An object given as an enricher is neither a mapping nor a function.",
            "Pass a name, a mapping, or a function without arguments.",
        ),
        "buffer-smaller-than-chunk": CodeEntry(
            "ConfigurationError",
            "The buffer may hold fewer bytes than one chunk.",
            "Raise the buffer or lower the chunk.",
        ),
        "chunk-smaller-than-record": CodeEntry(
            "ConfigurationError",
            "One record may be larger than the chunk that has to hold it.",
            "Raise the chunk or lower the record.",
        ),
        "backoff-out-of-order": CodeEntry(
            "ConfigurationError",
            "The first pause between attempts is longer than the longest pause.",
            "Raise the longest pause or lower the first.",
        ),
        "client-key-incomplete": CodeEntry(
            "ConfigurationError",
            "Of the client certificate and its key, only one is given.",
            "Give both, or neither.",
        ),
        "preset-incomplete": CodeEntry(
            "ConfigurationError",
            "A vendor's preset needs a key, a parameter or an auth function that was not given.",
            "Give what the message names; `docs/how-to/send_to_vendors.md` lists all.",
        ),
        "protocol-conflict": CodeEntry(
            "ConfigurationError",
            "A setting of the OTLP exporter does not fit its protocol.",
            "Change one of the two; the message names both.",
        ),
        "auth-invalid": CodeEntry(
            "ConfigurationError",
            "`auth` is no function, or names an exporter that takes none.",
            "Pass a function without arguments that returns headers (`docs/how-to/send_to_vendors.md`).",
        ),
        "webhook-not-private": CodeEntry(
            "ConfigurationError",
            "The URL of the webhook is plain HTTP to another machine.",
            "Use https://, or allow it with `webhook.allow_http` (FAPILOG_WEBHOOK_ALLOW_HTTP).",
        ),
        "webhook-secret-missing": CodeEntry(
            "ConfigurationError",
            "The webhook has an old secret, but no current one.",
            "Set `webhook.secret` (FAPILOG_WEBHOOK_SECRET).",
        ),
        "webhook-url-missing": CodeEntry(
            "ConfigurationError",
            "The exporter `webhook` was chosen, and no URL was given.",
            "Set `webhook.url` (FAPILOG_WEBHOOK_URL).",
        ),
        "exporters-conflict": CodeEntry(
            "ConfigurationError",
            "The exporter `none` stands next to other exporters.",
            "Use `none` alone, or remove it.",
        ),
        "callback-invalid": CodeEntry(
            "ConfigurationError",
            "`on_error` is not an ordinary function.",
            "Pass a callable that takes one error and returns at once.",
        ),
        "file-path-missing": CodeEntry(
            "ConfigurationError",
            "The exporter `file` is chosen, and nobody said where it writes.",
            "Set `file.path` (FAPILOG_FILE_PATH).",
        ),
        "exporter-unknown": CodeEntry(
            "UnknownExporterError",
            "An exporter is named that is neither built in nor installed.",
            "Correct the name, or install the package that provides it.",
        ),
        "plugin-unknown": CodeEntry(
            "ConfigurationError",
            "A setting names a plugin that no installed package provides.",
            "Correct the name, or install the package; `fapilog plugins list` shows what is there.",
        ),
        "exporter-invalid": CodeEntry(
            "ConfigurationError",
            "An object that was passed as an exporter is none, or an installed exporter cannot be made.",
            "Pass a name, an object with `async def export_batch(self, batch)`, or an OpenTelemetry"
            " LogRecordExporter.",
        ),
        "not-in-this-version": CodeEntry(
            "UnsupportedSettingError",
            "The setting has a name, but the work behind it comes with a later version.",
            "Remove the setting, or use the value that the message names.",
        ),
        "dependency-missing": CodeEntry(
            "MissingDependencyError",
            "A feature was called whose package is not installed.",
            "Run the pip line in the message.",
        ),
        "endpoint-unreachable": CodeEntry(
            "ExportError",
            "No connection to the destination; records stay in the buffer and are tried again.",
            "Check the endpoint and that the collector runs.",
        ),
        "export-timeout": CodeEntry(
            "ExportError",
            "The destination did not answer in time; the request is tried again.",
            "Check the load of the collector, or raise the timeout.",
        ),
        "export-rejected": CodeEntry(
            "ExportError",
            "The destination refused records for good; they are counted as rejected.",
            "Read the answer in the message; credentials and sizes are the usual causes.",
        ),
        "exporter-failed": CodeEntry(
            "ExportError",
            "An exporter written in Python raised something else than a connection error, or broke its"
            " contract; the records of that batch are counted as rejected.",
            "Read the exception in the message; docs/how-to/write_an_exporter.md lists what is expected.",
        ),
        "capture-failed": CodeEntry(
            "FapilogError",
            "A record given as an object could not be read; it is counted as refused.",
            "Look at the message; the object's own methods raised.",
        ),
        "processor-failed": CodeEntry(
            "FapilogError",
            "A log record processor raised; the record goes on as the processor left it.",
            "Look at the message; correct the processor, or take it off the provider.",
        ),
        "thread-not-started": CodeEntry(
            "FapilogError",
            "The operating system refused a native thread; records wait in memory.",
            "Raise the process's thread limit.",
        ),
        "start-failed": CodeEntry(
            "FapilogError",
            "With the first record of a process, Python exporters and processors, or an exporter of a forked"
            " process, could not be started.",
            "Look at the message; all other exporters deliver meanwhile.",
        ),
        "records-lost": CodeEntry(
            "FapilogError",
            "Records were still waiting for an exporter when nobody could deliver them any more.",
            "Call `shutdown()` on the provider, and raise its timeout if it ran out.",
        ),
        "already-configured": CodeEntry(
            "LifecycleError",
            "`configure_otel()` was called again with other arguments.",
            "Call `shutdown()` on the first Telemetry before, or use the same arguments.",
        ),
        "memory-exporter-missing": CodeEntry(
            "LifecycleError",
            "`fapilog.exporters.memory.newest()` was called, and no exporter was made by the name `memory`.",
            "Set `FAPILOG_EXPORTERS=memory` or pass `exporters=['memory']`, before the first record.",
        ),
        "provider-shut-down": CodeEntry(
            "LifecycleError",
            "The provider was used after `shutdown()`.",
            "Create a new provider.",
        ),
    }
)


def _see(code: str) -> str:
    return f"see: docs/reference/errors.md#{code}"


class FapilogError(Exception):
    """Base of every exception that fapilog raises or reports.

    Args:
        code: A key of `CODES`.
        what: One clause that says what is wrong, without a full stop.
        details: The values involved and where they came from, one line each.
        remedy: What to do about it; None takes the general remedy of the code.

    Example:
        >>> print(FapilogError("provider-shut-down", "the provider is shut down"))
        the provider is shut down [provider-shut-down]
          do: Create a new provider.
          see: docs/reference/errors.md#provider-shut-down
    """

    def __init__(self, code: str, what: str, details: Iterable[str] = (), remedy: str | None = None) -> None:
        self.code = code
        self.what = what
        self.details = tuple(details)
        self.remedy = remedy if remedy is not None else CODES[code].remedy
        # All arguments positional and kept in `args`, so that the exception survives pickling.
        super().__init__(code, what, self.details, self.remedy)

    def __str__(self) -> str:
        lines = [f"{self.what} [{self.code}]", *self.details, f"do: {self.remedy}", _see(self.code)]
        return "\n  ".join(lines)


@dataclass(frozen=True)
class OffendingSetting:
    """One setting that is wrong, or that a wrong one was compared with.

    Attributes:
        name: Dotted name, such as `buffer.limit_bytes`.
        value: The value as text; `***` where it is a secret.
        origin: `argument`, an environment variable, a file or `default (<source>)`.
        remedy: What to do.
    """

    name: str
    value: str
    origin: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name} = {self.value}   from {self.origin}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the configuration: a code, a clause, the settings and the remedy."""

    code: str
    what: str
    settings: tuple[OffendingSetting, ...]
    remedy: str

    def lines(self) -> tuple[str, ...]:
        """The problem as lines of text without its `see:` line."""
        inner = [*(str(setting) for setting in self.settings), f"do: {self.remedy}"]
        return (f"{self.what} [{self.code}]", *(f"  {line}" for line in inner))


class ConfigurationError(FapilogError, ValueError):
    """Settings are wrong: every problem at once, each with values, origins and a remedy.

    Attributes:
        problems: The problems, in the order of the settings.
        settings: All offending settings of all problems.

    Example:
        >>> size = OffendingSetting("buffer.limit_bytes", "-1", "FAPILOG_BUFFER_BYTES", "give 1 or more")
        >>> problem = Problem("setting-invalid", "a size is negative", (size,), size.remedy)
        >>> print(ConfigurationError([problem]))
        a size is negative [setting-invalid]
          buffer.limit_bytes = -1   from FAPILOG_BUFFER_BYTES
          do: give 1 or more
          see: docs/reference/errors.md#setting-invalid
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        self.settings = tuple(setting for problem in self.problems for setting in problem.settings)
        if len(self.problems) == 1:
            (only,) = self.problems
            super().__init__(only.code, only.what, [str(setting) for setting in only.settings], only.remedy)
        else:
            details = [line for problem in self.problems for line in problem.lines()]
            super().__init__("settings-wrong", f"{len(self.problems)} settings are wrong", details)
        self.args = (self.problems,)


class UnknownExporterError(ConfigurationError):
    """An exporter is named that is neither built in nor installed."""


class UnsupportedSettingError(ConfigurationError):
    """A setting asks for work that is not in this version."""


def configuration_error(problems: Iterable[Problem]) -> ConfigurationError:
    """Build the most specific `ConfigurationError` that is true of all `problems`."""
    found = tuple(problems)
    codes = {problem.code for problem in found}
    if codes == {"exporter-unknown"}:
        return UnknownExporterError(found)
    if codes == {"not-in-this-version"}:
        return UnsupportedSettingError(found)
    return ConfigurationError(found)


class MissingDependencyError(FapilogError, ImportError):
    """A feature needs a package that is not installed.

    Args:
        package: The distribution to install.
        feature: What was asked for.

    Example:
        >>> print(MissingDependencyError("fapilog-instrumentation-fastapi", "fapilog.instrument_fastapi"))
        fapilog.instrument_fastapi needs the package fapilog-instrumentation-fastapi [dependency-missing]
          do: pip install fapilog-instrumentation-fastapi
          see: docs/reference/errors.md#dependency-missing
    """

    def __init__(self, package: str, feature: str) -> None:
        what = f"{feature} needs the package {package}"
        super().__init__("dependency-missing", what, (), f"pip install {package}")
        self.package = package
        self.feature = feature
        self.args = (package, feature)


class ExportError(FapilogError):
    """A destination refused records or could not be reached.

    Attributes:
        retryable: True when the same request may succeed later.
        retry_after_millis: The pause that the destination asked for, in milliseconds; None when it did not.
    """

    def __init__(
        self,
        code: str,
        what: str,
        details: Iterable[str] = (),
        retryable: bool = False,
        retry_after_millis: int | None = None,
    ) -> None:
        super().__init__(code, what, details)
        self.retryable = retryable
        self.retry_after_millis = retry_after_millis
        self.args = (code, what, self.details, retryable, retry_after_millis)


class LifecycleError(FapilogError):
    """A provider or telemetry was used too early, too late or twice."""
