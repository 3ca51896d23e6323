"""Where settings come from: arguments, then FAPILOG_FASTAPI_* variables, then defaults.

Each field names its variable where it is defined (`setting`), and the reference page is made of the same
rows. Threads: the configuring one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, Field, ValidationError

from fapilog.errors import ConfigurationError, OffendingSetting, Problem

PREFIX = "FAPILOG_FASTAPI_"
_log = logging.getLogger("fapilog_instrumentation_fastapi")
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Row:
    """One setting: its path, its variable, and what the reference says about it."""

    path: str
    variable: str
    default: Any
    about: str
    source: str
    unit: str
    takes_none: bool


def setting(default: Any, *, variable: str, source: str, about: str, unit: str = "") -> Any:
    """Define a field: its default and where that comes from, its variable without prefix, what it does."""
    extra: dict[str, Any] = {"variable": variable, "source": source, "unit": unit}
    return Field(default, description=about, json_schema_extra=extra)


def rows(model: type[BaseModel], prefix: str = "") -> Iterator[Row]:
    """Yield the settings of a model and of its groups, in order."""
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(field.default, BaseModel):
            yield from rows(type(field.default), f"{prefix}{name}.")
        elif isinstance(extra, Mapping):
            variable, source, unit = (str(extra[key]) for key in ("variable", "source", "unit"))
            about, takes_none = field.description or "", type(None) in get_args(field.annotation)
            yield Row(prefix + name, PREFIX + variable, field.default, about, source, unit, takes_none)


def load(model: type[_Model], environ: Mapping[str, str] | None, given: Mapping[str, Any]) -> _Model:
    """Build `model` from arguments and variables.

    Raises:
        ConfigurationError: With one problem per value that is wrong.
    """
    values, origins = _from_environment(model, os.environ if environ is None else environ)
    _merge(values, origins, given)
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
    known = {row.variable: row for row in rows(model)}
    _name_unknown(environ, known)
    for row in known.values():
        text = environ.get(row.variable)
        if text is None:
            continue
        if not text.strip():
            # OpenTelemetry, environment variables: empty is the same as unset.
            continue
        value = _read(row, text.strip())
        *groups, leaf = row.path.split(".")
        place = values
        for group in groups:
            place = place.setdefault(group, {})
        place[leaf] = value
        origins[row.path] = row.variable
    return values, origins


def _read(row: Row, text: str) -> Any:
    if isinstance(row.default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return None if row.takes_none and text.lower() == "none" else text


def _name_unknown(names: Iterable[str], known: Collection[str]) -> None:
    strangers = sorted(name for name in names if name.startswith(PREFIX) and name not in known)
    if strangers:
        _log.warning("no setting has the variable %s: it has no effect", ", ".join(strangers))


def _merge(values: dict[str, Any], origins: dict[str, str], given: Mapping[str, Any]) -> None:
    """Arguments win; fields of a group that they leave open stay as the environment has them."""
    for name, value in given.items():
        fields = value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
        if isinstance(fields, Mapping):
            for field in fields:
                origins.pop(f"{name}.{field}", None)
            values[name] = {**values.get(name, {}), **fields}
        else:
            origins.pop(name, None)
            values[name] = fields


def _problem(item: Any, origins: Mapping[str, str]) -> Problem:
    path = ".".join(str(part) for part in item["loc"] if isinstance(part, str))
    origin = origins.get(path, "argument")
    if item["type"] == "extra_forbidden":
        code, what = "setting-unknown", f"{path} is not the name of a setting"
        remedy = "use a name of the reference of settings"
    else:
        code, what = "setting-invalid", f"{path} has a value that is not allowed"
        message = str(item["msg"]).removeprefix("Value error, ")
        remedy = f"give another value: {message[:1].lower()}{message[1:]}"
        if origin != "argument":
            remedy = f"set {origin} to another value: {message[:1].lower()}{message[1:]}"
    shown = OffendingSetting(path, repr(item["input"]), origin, remedy)
    return Problem(code, what, (shown,), remedy)
