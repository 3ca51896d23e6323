"""The environment of a process that is measured."""

from __future__ import annotations

import os


def clean_environment() -> dict[str, str]:
    """Return this process's variables without settings of OpenTelemetry and of ours.

    logfire registers a plugin that pydantic loads whoever uses pydantic; nobody else is to pay for that.
    """
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "FAPILOG_"))}
    return clean | {"PYDANTIC_DISABLE_PLUGINS": "logfire-plugin"}
