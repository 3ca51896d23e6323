"""Presets: what vendors that take OTLP want, as data (`presets.toml`), filled in where nobody set it."""

from __future__ import annotations

import base64
import tomllib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, Literal, NamedTuple

FILE = Path(__file__).with_name("presets.toml")


@dataclass(frozen=True)
class Parameter:
    """What a preset needs to know besides the key.

    Attributes:
        about: What it is, for people.
        default: Taken when it is not given; None: it must be given.
        choices: What people write, and what takes its place in a template; empty: anything, as it stands.
    """

    about: str
    default: str | None = None
    choices: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Preset:
    """One vendor. `presets.toml` explains the fields."""

    name: str
    title: str
    endpoint: str
    protocols: tuple[str, ...]
    auth: Literal["api_key", "basic", "function", "none"]
    headers: Mapping[str, str]
    source: str
    username: str = ""
    compression: str | None = None
    max_request_bytes: int | None = None
    note: str = ""
    unverified: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


class Gap(NamedTuple):
    """Why a preset cannot be filled in: `what` completes "the preset x ..."."""

    what: str
    remedy: str


@cache
def load() -> Mapping[str, Preset]:
    """Return the presets by name, read once."""
    found = {}
    for name, raw in tomllib.loads(FILE.read_text(encoding="utf-8")).items():
        parameters = {key: Parameter(**value) for key, value in raw.pop("parameters", {}).items()}
        protocols = tuple(raw.pop("protocols"))
        found[name] = Preset(name=name, protocols=protocols, parameters=parameters, **raw)
    return found


def gaps(preset: Preset, facts: Mapping[str, str], wanted: Container[str]) -> list[Gap]:
    """Return what the wanted templates need and was not given, and parameters that were given in vain.

    Args:
        preset: Which one.
        facts: The parameters, and the key as `api_key`.
        wanted: Of `endpoint`, `protocol`, `compression`, `max_request_bytes`, and `headers.<name>`.
    """
    known = ", ".join(preset.parameters) or "none"
    found = [
        Gap(f"has no parameter {name}", f"remove it; known: {known}")
        for name in facts
        if name not in preset.parameters and name != "api_key"
    ]
    needed = dict.fromkeys(
        name for template in _templates(preset, wanted) for name in _names(preset, template)
    )
    return found + [gap for name in needed if (gap := _gap(preset, name, facts)) is not None]


def values(preset: Preset, facts: Mapping[str, str], wanted: Container[str]) -> dict[str, Any]:
    """Return what a preset sets of what is wanted; arguments as for `gaps`, which found none."""
    filled = {name: _sent(parameter, facts.get(name)) for name, parameter in preset.parameters.items()}
    filled["api_key"] = facts.get("api_key", "")
    pair = f"{preset.username.format_map(filled)}:{filled['api_key']}"
    filled["basic"] = base64.b64encode(pair.encode()).decode("ascii")
    headers = {
        name: template.format_map(filled)
        for name, template in preset.headers.items()
        if f"headers.{name}" in wanted
    }
    others = {
        "endpoint": preset.endpoint.format_map(filled),
        "protocol": preset.protocols[0],
        "compression": preset.compression,
        "max_request_bytes": preset.max_request_bytes,
    }
    found: dict[str, Any] = {"headers": headers} if headers else {}
    return found | {name: value for name, value in others.items() if value is not None and name in wanted}


def _templates(preset: Preset, wanted: Container[str]) -> Iterator[str]:
    if "endpoint" in wanted:
        yield preset.endpoint
    yield from (template for name, template in preset.headers.items() if f"headers.{name}" in wanted)


def _names(preset: Preset, template: str) -> Iterator[str]:
    for _, name, _, _ in Formatter().parse(template):
        if name == "basic":
            yield from (*_names(preset, preset.username), "api_key")
        elif name is not None:
            yield name


def _gap(preset: Preset, name: str, facts: Mapping[str, str]) -> Gap | None:
    value = facts.get(name)
    if name == "api_key":
        return None if value else Gap("needs an API key", "set otlp.api_key (FAPILOG_OTLP_API_KEY)")
    parameter = preset.parameters[name]
    if value is None and parameter.default is None:
        place = "otlp.preset_parameters (FAPILOG_OTLP_PRESET_PARAMETERS)"
        return Gap(f"needs the parameter {name}", f"add {name}=... to {place}: {parameter.about}")
    if value is not None and parameter.choices and value not in parameter.choices:
        known = ", ".join(parameter.choices)
        return Gap(f"does not know this {name}", f"set {name} of otlp.preset_parameters to one of {known}")
    return None


def _sent(parameter: Parameter, given: str | None) -> str:
    value = given if given is not None else parameter.default or ""
    return parameter.choices.get(value, value)
