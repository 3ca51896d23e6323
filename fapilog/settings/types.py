"""Field types of the settings: checks that a type alone cannot say, each with its own remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

from fapilog.settings import parse, presets
from fapilog.settings.explain import masked
from fapilog.severity import Severity

BUILT_IN_EXPORTERS = ("otlp", "otlp/stdout", "otlp/stderr", "file", "webhook", "memory", "console", "none")
# Where packages register OpenTelemetry exporters of logs by name.
LOGS_EXPORTER_GROUP = "opentelemetry_logs_exporter"
# Names of that group whose work our pipeline does itself. The first one is ours, for other pipelines.
_SAME_EXPORTERS = {"fapilog": "otlp", "otlp_proto_http": "otlp"}
_STDLIB_LEVELS = (10, 20, 30, 40, 50)
_LARGEST = 2**63 - 1  # the native side counts in 64 bits

K = TypeVar("K")
V = TypeVar("V")


class FrozenDict(dict[K, V]):
    """A dict that cannot be changed, so that frozen settings are frozen to the bottom."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("settings are frozen; make new ones with Settings.load(...)")

    __setitem__ = __delitem__ = update = setdefault = pop = popitem = clear = _refuse
    __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type, tuple[dict[K, V]]]:
        return (FrozenDict, (dict(self),))


class Group(BaseModel):
    """Base of the groups: frozen, strict about names, secrets masked in `repr`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        yield from ((name, masked(name, getattr(self, name))) for name in type(self).model_fields)


def refuse(clause: str, do: str, code: str = "setting-invalid") -> PydanticCustomError:
    """An error about one value: a clause that completes "<name> ..." and the end of "set <name> to ..."."""
    return PydanticCustomError("fapilog", "{clause}", {"clause": clause, "do": do, "code": code})


def conflict(code: str, what: str, do: str, **values: object) -> PydanticCustomError:
    """An error between settings of a group: `values` by name; `{name}` in `do` becomes where it is set."""
    return PydanticCustomError("fapilog", "{what}", {"what": what, "do": do, "code": code, "values": values})


def _level(value: object) -> object:
    if isinstance(value, str):
        try:
            return Severity.from_level_name(value)
        except ValueError:
            raise refuse(
                "is not the name of a level", "trace, debug, info, warning, error or critical"
            ) from None
    if isinstance(value, Severity):
        return value
    if isinstance(value, int) and value in _STDLIB_LEVELS and not isinstance(value, bool):
        return Severity.from_stdlib(value)
    # 9 is INFO for OpenTelemetry and less than DEBUG for logging: only the constants of logging are clear.
    raise refuse("is not the name of a level", "a name such as info, or a constant of logging such as 20")


def _exporters(value: object) -> object:
    items = _listed(value)
    if not isinstance(items, (tuple, list)) or not all(isinstance(item, str) for item in items):
        return items
    chosen = tuple(dict.fromkeys(_exporter_name(item) for item in items))
    if not chosen:
        raise refuse("names no exporter", "none, to export nothing")
    unknown = [name for name in chosen if name not in BUILT_IN_EXPORTERS]
    installed = tuple(point.name for point in entry_points(group=LOGS_EXPORTER_GROUP)) if unknown else ()
    for name in unknown:
        if name not in installed:
            known = f"one or more of {', '.join(dict.fromkeys((*BUILT_IN_EXPORTERS, *sorted(installed))))}"
            raise refuse(f"names an exporter that does not exist: {name}", known, "exporter-unknown")
    if "none" in chosen and len(chosen) > 1:
        raise refuse("names none next to other exporters", "none alone, or the others", "exporters-conflict")
    return chosen


def _exporter_name(item: str) -> str:
    name = _SAME_EXPORTERS.get(item.lower(), item.lower())
    return name if name in BUILT_IN_EXPORTERS else item


def _listed(value: object) -> object:
    return parse.names(value) if isinstance(value, str) else value


def _paired(value: object) -> object:
    return _checked(parse.pairs, value, "key=value,key=value") if isinstance(value, str) else value


def _attributes(value: object) -> object:
    return _checked(parse.baggage, value, "key=value,key=value") if isinstance(value, str) else value


def _headers(value: object) -> object:
    hint = "name=value pairs with percent-encoded values, such as authorization=Basic%20abc"
    if isinstance(value, str):
        return _checked(parse.headers, value, hint)
    if isinstance(value, Mapping):
        revealed = {k: v.get_secret_value() if isinstance(v, SecretStr) else v for k, v in value.items()}
        if all(isinstance(item, str) for pair in revealed.items() for item in pair):
            return _checked(parse.checked_headers, revealed, hint)
    return value


def _endpoint(value: object, info: ValidationInfo) -> str:
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    if info.field_name is None:  # read from a variable: its meaning depends on settings that are not read yet
        return value
    protocol = str(info.data.get("protocol", "http/protobuf"))
    hint = "http://localhost:4317" if protocol == "grpc" else "http://localhost:4318/v1/logs"
    return str(_checked(lambda raw: parse.endpoint(raw, protocol), value, f"a full URL, such as {hint}"))


def _web_url(value: str) -> str:
    return str(_checked(parse.web_url, value, "a full URL, such as https://hooks.example.com/logs"))


def _checked(check: Any, value: object, hint: str) -> object:
    try:
        return check(value)
    except ValueError as error:
        raise refuse(str(error), hint) from None


def _existing(value: Path) -> Path:
    if not value.is_file():
        raise refuse("is not a file that exists", "the path of a PEM file")
    return value


def _preset(value: object) -> object:
    name = value.strip().lower() if isinstance(value, str) else value
    if isinstance(name, str) and name not in presets.load():
        raise refuse("names a preset that does not exist", f"one of {', '.join(presets.load())}")
    return name


Level = Annotated[Severity, BeforeValidator(_level)]
Levels = Annotated[dict[str, Level], BeforeValidator(_paired), AfterValidator(FrozenDict)]
Exporters = Annotated[tuple[str, ...], BeforeValidator(_exporters)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
NamePairs = Annotated[dict[str, str], BeforeValidator(_paired), AfterValidator(FrozenDict)]
Attributes = Annotated[dict[str, str], BeforeValidator(_attributes), AfterValidator(FrozenDict)]
Headers = Annotated[dict[str, SecretStr], BeforeValidator(_headers), AfterValidator(FrozenDict)]
Endpoint = Annotated[str, PlainValidator(_endpoint)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
PemFile = Annotated[Path, AfterValidator(_existing)]
Flag = Annotated[bool, Field(strict=True)]
Positive = Annotated[int, Field(strict=True, ge=1, le=_LARGEST)]
NotNegative = Annotated[int, Field(strict=True, ge=0, le=_LARGEST)]
Preset = Annotated[str, BeforeValidator(_preset)]
