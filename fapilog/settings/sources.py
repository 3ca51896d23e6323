"""Where values come from: argument, then environment, then file. Each value remembers its origin.

The sources are those of pydantic-settings. A source offers only settings that no earlier one gave, so that a
mapping such as `otlp.headers` is replaced as a whole and has one origin.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from fapilog import diagnostics
from fapilog.compliance import load as load_profiles
from fapilog.errors import OffendingSetting, Problem
from fapilog.settings import (
    compliance_retention,
    otel_config_document,
    otel_config_translation,
    parse,
    presets,
    problems,
)
from fapilog.settings.groups import nested
from fapilog.settings.key_provider import KEY_VARIABLE, TOKEN_KEY_VARIABLE
from fapilog.settings.nesting import leaves, nest
from fapilog.settings.parse import Noted
from fapilog.settings.variables import ROWS, VARIABLE_NAMES, Row, Variable

ARGUMENT = "argument"
# Read by packages of their own: instrumentation/fastapi, exporters/*.
_OTHERS = ("FAPILOG_FASTAPI_", "FAPILOG_ELASTICSEARCH_", "FAPILOG_SPLUNK_")
_PREFIX = "FAPILOG_"
# Variables that hold keys, which are no settings.
_KEYS = (KEY_VARIABLE, TOKEN_KEY_VARIABLE)
# Unknown variables named in one line.
_SHOWN_STRANGERS = 8
# Besides the headers, which are added one by one.
_PRESET_FIELDS = ("endpoint", "protocol", "compression", "max_request_bytes")


@dataclass
class Load:
    """What one loading of settings reads, and what it finds out on the way."""

    environ: Mapping[str, str]
    path: Path | None = None
    declared: otel_config_translation.Declared | None = None
    origins: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    preset_headers: frozenset[str] = frozenset()
    problems: list[Problem] = field(default_factory=list)


def with_header_mapping(flat: dict[str, Any]) -> dict[str, Any]:
    """Turn headers given as text into a mapping, to which a preset can add; wrong ones stay as they are."""
    text = flat.get("otlp.headers")
    if isinstance(text, str):
        with suppress(ValueError):
            return flat | {"otlp.headers": parse.headers(text)}
    return flat


@cache
def _adapter(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    """Validates the value of one setting alone, as its field would."""
    group, _, rest = name.partition(".")
    info: FieldInfo = model.model_fields[group]
    inner = nested(info.annotation)
    if inner is not None:
        return _adapter(inner, rest)
    annotation: Any = info.annotation
    return TypeAdapter(Annotated[annotation, *info.metadata] if info.metadata else annotation)


class _Source(PydanticBaseSettingsSource):
    """A source that answers for the whole model at once."""

    def __init__(self, settings_cls: type[BaseSettings], load: Load) -> None:
        super().__init__(settings_cls)
        self.load = load

    def _value(self, name: str) -> Any:
        """The value of a setting as its field takes it; None when it is not given, or wrong."""
        if name not in self.load.values:
            return None
        try:
            return _adapter(self.settings_cls, name).validate_python(self.load.values[name])
        except (KeyError, ValidationError):  # KeyError: there is no such setting, which the model refuses
            return None

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError("this source answers for the whole model: call it")


class EnvironmentSource(_Source):
    """Variables of the table in `variables.py`; an empty one counts as unset."""

    def __call__(self) -> dict[str, Any]:
        """Read and check every variable of a setting that has no value yet."""
        found: dict[str, Any] = {}
        for row in ROWS.values():
            if row.name in self.load.origins:
                continue
            for variable in row.variables:
                if not self.load.environ.get(variable.name, "").strip():
                    continue
                if self._read(row, variable, found):
                    self.load.origins[row.name] = variable.name
                    break
        self._name_unknown()
        self.load.values |= found
        return nest(found)

    def _read(self, row: Row, variable: Variable, found: dict[str, Any]) -> bool:
        raw = self.load.environ[variable.name]
        problem = None
        try:
            value = variable.parse(raw)
            if isinstance(value, Noted):
                diagnostics.say(value.code, f"{variable.name} {value.message}", variable.name)
                value = value.value
            found[row.name] = _adapter(self.settings_cls, row.name).validate_python(value)
        except ValidationError as error:
            problem = problems.value_problem(error.errors()[0], row.name, raw, variable.name)
            known = self._known_names(row, value) if variable.lenient else ()
            if known and problem.code == "exporter-unknown":
                found[row.name] = known
                clause = problem.what.partition(" ")[2]
                message = f"{variable.name} {clause}: that name is ignored; {problem.remedy}"
                diagnostics.say("variable-ignored", message, variable.name)
                return True
        except ValueError as error:
            problem = problems.parse_problem(row.name, raw, variable.name, str(error))
        if problem is None:
            return True
        if variable.lenient and problem.code != "not-in-this-version":
            _say_ignored(problem, variable)
            return False
        self.load.problems.append(problem)
        return True

    def _known_names(self, row: Row, value: object) -> tuple[str, ...]:
        """Those names of a list that can be used; none if they contradict each other."""
        names = value if isinstance(value, (tuple, list)) else ()
        usable = tuple(name for name in names if self._is_usable(row, [name]))
        return usable if self._is_usable(row, usable) else ()

    def _is_usable(self, row: Row, value: object) -> bool:
        try:
            _adapter(self.settings_cls, row.name).validate_python(value)
        except ValidationError:
            return False
        return True

    def _name_unknown(self) -> None:
        """Say which variables look like ours and are not: each that was misspelt, the others in one line."""
        known, strangers = tuple(sorted(VARIABLE_NAMES)), []
        for name in sorted(self.load.environ):
            if not name.startswith(_PREFIX) or name in VARIABLE_NAMES or name in _KEYS:
                continue
            if name.startswith(_OTHERS):
                continue
            close = problems.closest(name, known)
            if close is None:
                strangers.append(name)
            else:
                message = f"{name} is not a variable of fapilog; did you mean {close}?"
                diagnostics.say("variable-unknown", message, name)
        if strangers:
            more = len(strangers) - _SHOWN_STRANGERS
            shown = ", ".join(strangers[:_SHOWN_STRANGERS]) + (f" and {more} more" if more > 0 else "")
            message = f"no setting of fapilog has the variable {shown}; `fapilog config explain` lists all"
            diagnostics.say("variable-unknown", message)


def _say_ignored(problem: Problem, variable: Variable) -> None:
    value = problem.settings[0].value
    clause = problem.what.partition(" ")[2]
    message = f"{variable.name} = {value} {clause}: it is ignored; {problem.remedy}"
    diagnostics.say("variable-ignored", message, variable.name)


class FileSource(_Source):
    """A YAML or JSON file whose keys are the names of the settings, nested; or one of OpenTelemetry's."""

    def __call__(self) -> dict[str, Any]:
        """Read the file, if one was given."""
        declared = self.load.declared
        if self.load.path is not None:
            content = self._content(self.load.path)
            if not otel_config_translation.is_declarative(content):
                return self._take(leaves(self.settings_cls, content), {})
            document = otel_config_document.read(self.load.path, self.load.environ)
            declared = otel_config_translation.translate(document, self.settings_cls)
            declared.refuse_options()
        if declared is None:
            return {}
        self.load.problems += declared.problems
        return self._take(declared.values, declared.origins)

    def _take(self, values: Mapping[str, Any], origins: Mapping[str, str]) -> dict[str, Any]:
        found = {name: value for name, value in values.items() if name not in self.load.origins}
        self.load.origins |= {name: origins.get(name, str(self.load.path)) for name in found}
        self.load.values |= found
        return nest(with_header_mapping(found))

    def _content(self, path: Path) -> Mapping[str, Any]:
        try:
            content = _decoded(path)
        except OSError as error:
            self._refuse("file-unreadable", f"the settings file cannot be read: {error.strerror}")
        except ValueError as error:
            self._refuse("file-invalid", f"the settings file is not valid: {_where(error)}")
        else:
            if content is None:
                return {}
            if isinstance(content, dict) and all(isinstance(key, str) for key in content):
                return content
            self._refuse("file-invalid", "the top level of the settings file is not a mapping of names")
        return {}

    def _refuse(self, code: str, what: str) -> None:
        remedy = "check the path and the permissions" if code == "file-unreadable" else "correct the file"
        offender = OffendingSetting("path", repr(str(self.load.path)), ARGUMENT, remedy)
        self.load.problems.append(Problem(code, what, (offender,), remedy))


class PresetSource(_Source):
    """What `otlp.preset` says about the settings that nobody set. `presets.toml` holds the data."""

    def __call__(self) -> dict[str, Any]:
        """Fill in the preset, if one was chosen."""
        name = self._value("otlp.preset")
        if name is None or name not in presets.load():
            return {}  # the field itself refuses an unknown name
        preset = presets.load()[name]
        explicit = {str(key).lower() for key in self._value("otlp.headers") or {}}
        wanted = {field for field in _PRESET_FIELDS if f"otlp.{field}" not in self.load.origins}
        wanted |= {f"headers.{header}" for header in preset.headers if header not in explicit}
        key = self._value("otlp.api_key")
        facts = dict(self._value("otlp.preset_parameters") or {})
        facts |= {"api_key": key.get_secret_value()} if key is not None else {}
        gaps = presets.gaps(preset, facts, wanted)
        self.load.problems += [self._problem(preset, gap) for gap in gaps]
        if gaps:
            return {}
        found = presets.values(preset, facts, wanted)
        self.load.preset_headers = frozenset(found.get("headers", ()))
        for field_name in found:
            self.load.origins.setdefault(f"otlp.{field_name}", f"preset {name}")
        return {"otlp": found}

    def _problem(self, preset: presets.Preset, gap: presets.Gap) -> Problem:
        origin = self.load.origins["otlp.preset"]
        setting = problems.setting("otlp.preset", preset.name, origin, gap.remedy)
        return Problem("preset-incomplete", f"the preset {preset.name} {gap.what}", (setting,), gap.remedy)


class ProfileSource(_Source):
    """What compliance profiles say about the settings that nobody set: how long stores keep records."""

    def __call__(self) -> dict[str, Any]:
        """Fill in what the profiles ask for, if any is named."""
        named = self._value("compliance")
        if not named:
            return {}  # the field itself refuses profiles that cannot be used
        given = {name: self._value(name) for name in self.load.origins}
        found = compliance_retention.defaults(load_profiles(named), given)
        for name, (_, profile) in found.items():
            self.load.origins[name] = f"profile {profile}"
        return nest({name: value for name, (value, _) in found.items()})


def _decoded(path: Path) -> object:
    if path.suffix not in {".yaml", ".yml", ".json"}:
        raise ValueError("its name does not end in .yaml, .yml or .json")
    content = path.read_text(encoding="utf-8")
    return json.loads(content) if path.suffix == ".json" else _decoded_yaml(content)


def _decoded_yaml(content: str) -> object:
    import yaml  # noqa: PLC0415 - 20 ms that only a YAML file is worth

    try:
        return yaml.safe_load(content)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise ValueError(f"{error.problem}{place}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"it is not YAML: {type(error).__name__}") from None


def _where(error: Exception) -> str:
    """The place of a syntax error without the text around it, which may hold a secret."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, line {error.lineno}, column {error.colno}"
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
