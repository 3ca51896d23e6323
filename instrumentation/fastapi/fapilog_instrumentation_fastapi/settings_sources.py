"""Where settings come from: arguments, then FAPILOG_FASTAPI_* variables, then defaults.

Threads: the configuring one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from fapilog.errors import ConfigurationError, OffendingSetting, Problem

PREFIX = "FAPILOG_FASTAPI_"
# Variable without its prefix -> path of the field. A module that adds a group adds its variables here.
VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "LOGGER": "logger",
        "SPANS": "spans",
        "CORRELATION_HEADERS": "correlation.request_headers",
        "CORRELATION_RESPONSE_HEADER": "correlation.response_header",
        "CORRELATION_ACCEPT": "correlation.accept",
        "CORRELATION_TRACEPARENT": "correlation.traceparent",
        "ACCESS": "access.enabled",
        "ACCESS_SAMPLE_RATIO": "access.sample_ratio",
        "SLOW_SECONDS": "access.slow_seconds",
        "CLIENT_ERROR_SEVERITY": "access.client_error_severity",
        "EXCLUDE_PATHS": "access.exclude_paths",
        "EXCLUDE_ROUTES": "access.exclude_routes",
        "EXCLUDE_PATTERNS": "access.exclude_patterns",
        "ACCESS_QUERY": "access.query",
        "ACCESS_CLIENT": "access.client",
        "ACCESS_USER_AGENT": "access.user_agent",
        "SILENCE_UVICORN": "access.silence_uvicorn",
    }
)
_Model = TypeVar("_Model", bound=BaseModel)


def load(model: type[_Model], environ: Mapping[str, str] | None, given: Mapping[str, Any]) -> _Model:
    """Build `model` from arguments and variables.

    Raises:
        ConfigurationError: With one problem per value that is wrong.
    """
    values, origins = _from_environment(model, os.environ if environ is None else environ)
    _merge(values, given)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError([_problem(item, origins) for item in error.errors()]) from None


def _from_environment(
    model: type[BaseModel], environ: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The nested values of the variables that are set, and which variable gave each path."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, path in VARIABLES.items():
        text = environ.get(PREFIX + name)
        if text is None or (not text.strip() and path != "correlation.response_header"):
            continue
        place, leaf = values, path
        if "." in path:
            group, _, leaf = path.partition(".")
            place = values.setdefault(group, {})
        place[leaf] = _read(_default(model, path), text)
        origins[path] = PREFIX + name
    return values, origins


def _default(model: type[BaseModel], path: str) -> Any:
    first, *rest = path.split(".")
    value: Any = model.model_fields[first].default
    for name in rest:
        value = type(value).model_fields[name].default
    return value


def _read(default: Any, text: str) -> Any:
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text.strip() or None


def _merge(values: dict[str, Any], given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        fields = value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
        if isinstance(fields, Mapping) and isinstance(values.get(name), dict):
            values[name].update(fields)
        else:
            values[name] = fields


def _problem(item: Any, origins: Mapping[str, str]) -> Problem:
    path = ".".join(str(part) for part in item["loc"] if isinstance(part, str))
    origin = origins.get(path, "argument")
    if item["type"] == "extra_forbidden":
        remedy = "use a name of the settings reference"
        return Problem(
            "setting-unknown",
            f"{path} is not the name of a setting",
            (OffendingSetting(path, repr(item["input"]), origin, remedy),),
            remedy,
        )
    message = str(item["msg"])
    remedy = f"give a value of {path} that is allowed: {message[:1].lower()}{message[1:]}"
    offending = OffendingSetting(path, repr(item["input"]), origin, remedy)
    return Problem("setting-invalid", f"{path} has a value that is not allowed", (offending,), remedy)
