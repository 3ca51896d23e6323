"""Where settings come from: arguments, then FAPILOG_ELASTICSEARCH_* variables, then defaults.

Threads: the configuring one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from fapilog.errors import MASK, ConfigurationError, OffendingSetting, Problem

PREFIX = "FAPILOG_ELASTICSEARCH_"
_LISTS = ("urls",)
_SECRETS = ("api_key", "password")
_log = logging.getLogger("fapilog_exporter_elasticsearch")
_Model = TypeVar("_Model", bound=BaseModel)


def load(model: type[_Model], environ: Mapping[str, str] | None, given: Mapping[str, Any]) -> _Model:
    """Build `model` from arguments and variables.

    Raises:
        ConfigurationError: With one problem per value that is wrong.
    """
    values, origins = _from_environment(model, os.environ if environ is None else environ)
    values |= given
    origins |= dict.fromkeys(given, "argument")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [_problem(item, origins, values, model) for item in error.errors()]
        raise ConfigurationError(problems) from None


def _from_environment(
    model: type[BaseModel], environ: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    variables = {PREFIX + name.upper(): name for name in model.model_fields}
    strangers = sorted(name for name in environ if name.startswith(PREFIX) and name not in variables)
    if strangers:
        _log.warning("no setting has the variable %s: it has no effect", ", ".join(strangers))
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for variable, name in variables.items():
        text = environ.get(variable, "").strip()
        if text:  # empty is as good as unset
            values[name], origins[name] = _read(model, name, text), variable
    return values, origins


def _read(model: type[BaseModel], name: str, text: str) -> Any:
    if name in _LISTS:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    optional = type(None) in get_args(model.model_fields[name].annotation)
    return None if optional and text.lower() == "none" else text


def _problem(
    item: Any, origins: Mapping[str, str], values: Mapping[str, Any], model: type[BaseModel]
) -> Problem:
    message = str(item["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if not item["loc"]:  # settings that do not go together
        remedy = f"correct the settings of elasticsearch: {message}"
        return Problem("setting-invalid", message, (), remedy)
    name = str(item["loc"][0])
    origin = origins.get(name, "argument")
    if name not in model.model_fields:
        shown = OffendingSetting(
            name, MASK, origin, "use a name of the table in docs/how-to/elasticsearch.md"
        )
        return Problem("setting-unknown", f"{name} is no setting of elasticsearch", (shown,), shown.remedy)
    remedy = f"{'give' if origin == 'argument' else f'set {origin} to'} another value: {message}"
    shown = OffendingSetting(name, _shown(name, values.get(name)), origin, remedy)
    return Problem(
        "setting-invalid", f"{name} of elasticsearch has a value that is not allowed", (shown,), remedy
    )


def _shown(name: str, value: Any) -> str:
    """A value for people; a URL may hold a password, where none is allowed."""
    hidden = name in _SECRETS or isinstance(value, SecretStr) or (name == "urls" and "@" in str(value))
    return MASK if hidden else repr(value)
