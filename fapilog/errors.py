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
counters. Configuration always raises. `error_codes` has the table of the codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fapilog.error_codes import CODES

MASK = "***"


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
