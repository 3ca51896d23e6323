"""Errors of pydantic and of parsers in our words: what, the values, their origin, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic_core import ErrorDetails

from fapilog.diagnostics import one_line
from fapilog.errors import MASK, OffendingSetting, Problem
from fapilog.settings.explain import masked_text
from fapilog.settings.variables import ROWS, VARIABLE_NAMES

DEFAULT = "default"
_SHOWN_CHARACTERS = 80
# Error type of pydantic: clause that completes "<name> ...", and the end of "set <name> to ...".
_CLAUSES: Mapping[str, tuple[str, str]] = {
    "literal_error": ("is not one of the allowed words", "{expected}"),
    "int_type": ("is not a whole number", "a whole number of {unit}"),
    "int_from_float": ("is not a whole number", "a whole number of {unit}"),
    "float_type": ("is not a number", "a number ({unit})"),
    "greater_than": ("is too small", "more than {gt}"),
    "greater_than_equal": ("is too small", "{ge} or more"),
    "less_than_equal": ("is too large", "{le} or less"),
    "bool_type": ("is neither true nor false", "true or false"),
    "string_type": ("is not text", "text ({unit})"),
    "path_type": ("is not a path", "a path"),
    "tuple_type": ("is not a list", "a list"),
    "dict_type": ("is not a mapping", "a mapping"),
    "model_type": ("is not a group of settings", "a mapping of its settings"),
}


def shown(name: str, value: object) -> str:
    """The value as errors may show it: secrets masked, one line, not endless."""
    row = ROWS.get(name)
    if row is None or row.secret:
        return MASK
    text = masked_text(name, value) if isinstance(value, str) else value
    line = one_line(repr(text) if isinstance(text, str) else str(text))
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 3]}..."


def setting(name: str, value: object, origin: str, remedy: str) -> OffendingSetting:
    """One offending setting; the origin of a default names its source."""
    if origin == DEFAULT and name in ROWS:
        origin = f"default ({ROWS[name].source})"
    return OffendingSetting(name, shown(name, value), origin, remedy)


def parse_problem(name: str, raw: str, variable: str, clause: str) -> Problem:
    """An environment variable whose text could not be parsed."""
    remedy = f"set {variable} to a value of its kind: {ROWS[name].unit}"
    return Problem("setting-invalid", f"{name} {clause}", (setting(name, raw, variable, remedy),), remedy)


def place(name: str, origin: str) -> str:
    """Where a person changes the value: the variable it came from, else the setting."""
    return origin if origin in VARIABLE_NAMES else name


def value_problem(error: ErrorDetails, name: str, value: object, origin: str) -> Problem:
    """One value that a field does not accept."""
    context: Mapping[str, Any] = error.get("ctx", {})
    where = place(name, origin)
    unit = ROWS[name].unit if name in ROWS else "its kind"
    if error["type"] == "fapilog":
        code, clause, hint = context["code"], context["clause"], context["do"]
    else:
        default = (f"is not accepted: {error['msg']}", "a value of its kind: {unit}")
        clause, template = _CLAUSES.get(error["type"], default)
        code, hint = (
            "setting-invalid",
            template.format_map({"unit": unit, "expected": "", "ge": "", "gt": "", "le": ""} | dict(context)),
        )
    remedy = f"set {where} to {hint}"
    return Problem(code, f"{name} {clause}", (setting(name, value, origin, remedy),), remedy)


def conflict_problem(error: ErrorDetails, group: str, origins: Mapping[str, str]) -> Problem:
    """Settings of one group that contradict each other."""
    context = error["ctx"]
    prefix = f"{group}." if group else ""
    places = {name: place(prefix + name, origins.get(prefix + name, DEFAULT)) for name in context["values"]}
    remedy = str(context["do"]).format_map(places)
    settings = tuple(
        setting(prefix + name, value, origins.get(prefix + name, DEFAULT), remedy)
        for name, value in context["values"].items()
    )
    return Problem(context["code"], context["what"], settings, remedy)


def unknown_problem(name: str, origin: str, known: tuple[str, ...]) -> Problem:
    """A name that is no setting; its value is not shown, it may be a misspelt secret."""
    close = closest(name, known)
    remedy = f"did you mean {close}?" if close else "remove it; names: docs/reference/settings.md"
    offender = OffendingSetting(name, MASK, origin, remedy)
    return Problem("setting-unknown", f"there is no setting {one_line(name)}", (offender,), remedy)


def closest(name: str, known: tuple[str, ...]) -> str | None:
    """The known name that was probably meant: by its whole, else by its last part."""
    whole = get_close_matches(name, known, n=1, cutoff=0.75)
    if whole:
        return whole[0]
    by_last = {item.rpartition(".")[2]: item for item in reversed(known)}
    last = get_close_matches(name.rpartition(".")[2], by_last, n=1, cutoff=0.75)
    return by_last[last[0]] if last else None


def problem_from(error: ErrorDetails, origins: Mapping[str, str], known: tuple[str, ...]) -> Problem:
    """Translate one error of pydantic, found while the whole model was built."""
    parts = [str(part) for part in error["loc"]]
    path = ".".join(parts)
    if "values" in error.get("ctx", {}):
        return conflict_problem(error, path, origins)
    if error["type"] == "extra_forbidden":
        return unknown_problem(path, origins.get(path, "argument"), known)
    # A place inside a value (an item of a list, a key of a mapping) belongs to the setting that holds it.
    while path not in origins and len(parts) > 1:
        path = ".".join(parts := parts[:-1])
    return value_problem(error, path, error["input"], origins.get(path, DEFAULT))
