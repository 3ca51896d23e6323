"""What OpenTelemetry looks up by the name `fapilog` in its variables. Threads: whichever asks first."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from fapilog import otel_private
from fapilog.otel.provider import LoggerProvider
from fapilog.settings import LoggerRule, Settings


def make_logger_provider() -> LoggerProvider:
    """Make a provider from the environment, for `OTEL_PYTHON_LOGGER_PROVIDER=fapilog`.

    The API asks for it with the first `get_logger_provider()` of a program that configured nothing. Leave the
    variable unset under `opentelemetry-instrument`.
    """
    return LoggerProvider()


def logger_configurator(scope: Any) -> Any:
    """Configure a logger of any SDK provider by `FAPILOG_RULES` (`OTEL_PYTHON_LOGGER_CONFIGURATOR=fapilog`).

    The SDK knows `enabled` alone so far; on `fapilog.LoggerProvider` rules count without this variable.

    Args:
        scope: The instrumentation scope of the logger.
    """
    for rule in _rules():
        if fnmatchcase(scope.name, rule.pattern):
            return otel_private.new_logger_config(rule.enabled)
    return otel_private.new_logger_config(True)


@cache
def _rules() -> tuple[LoggerRule, ...]:
    return Settings().rules
