"""A configuration file of OpenTelemetry as settings of ours: what its logs section means for the pipeline.

`distribution.fapilog` holds settings by their names. The sections that OpenTelemetry defines win over it, and
the mapping below an exporter or processor `fapilog` wins over both. Other sections belong to other signals.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel

from fapilog.diagnostics import say
from fapilog.errors import MASK, OffendingSetting, Problem
from fapilog.settings import parse
from fapilog.settings.nesting import leaves
from fapilog.settings.otel_config_document import Document, Keys
from fapilog.severity import LEVEL_NAMES

_SUPPORTED_MAJOR = "1"
_BATCH = {
    "schedule_delay": "buffer.schedule_delay_millis",
    "export_timeout": "buffer.export_timeout_millis",
    "max_queue_size": "buffer.max_queue_records",
    "max_export_batch_size": "buffer.max_block_records",
}
_LIMITS = {
    "attribute_count_limit": "limits.attribute_count",
    "attribute_value_length_limit": "limits.attribute_value_length",
}
_OTLP = {"endpoint": "otlp.endpoint", "compression": "otlp.compression", "timeout": "otlp.timeout_millis"}
_TLS = {
    "insecure": "otlp.insecure",
    "ca_file": "otlp.certificate",
    "key_file": "otlp.client_key",
    "cert_file": "otlp.client_certificate",
}
_NO_LIMIT = 0


def is_declarative(content: Mapping[str, Any]) -> bool:
    """Whether the content of a settings file is in OpenTelemetry's format: only that has `file_format`."""
    return "file_format" in content


@dataclass
class Declared:
    """What a file means.

    Attributes:
        values: Settings by dotted name.
        origins: Where each stands.
        problems: What cannot be used.
        plugins: Exporters that are built by name, with their options and where they stand.
        batched: Numbers of batch processors by setting, with where each stands.
        bridges_events: Whether events become span events too.
        has_otlp: Whether the native OTLP exporter has its settings.
        file_path: Where `otlp_file/development` writes.
    """

    document: Document
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    plugins: list[tuple[str, Mapping[str, Any], Keys]] = field(default_factory=list)
    batched: dict[str, tuple[Any, str]] = field(default_factory=dict)
    bridges_events: bool = False
    has_otlp: bool = False
    file_path: str | None = None

    def put(self, name: str, value: Any, keys: Keys) -> None:
        """Set one setting."""
        self.values[name] = value
        self.origins[name] = self.document.origin(*keys)

    def put_known(self, names: Mapping[str, str], given: Mapping[str, Any], keys: Keys) -> None:
        """Set those settings whose key of OpenTelemetry is given; null counts as not given."""
        for key, name in names.items():
            if given.get(key) is not None:
                self.put(name, given[key], (*keys, key))

    def pairs(self, text: object, keys: Keys) -> dict[str, str]:
        """Read a list of `key=value` pairs; null is an empty one."""
        try:
            return parse.baggage(str(text)) if text else {}
        except ValueError as error:
            self.refuse(f"{keys[-1]} {error}", keys, "write it as key=value,key=value")
            return {}

    def refuse(self, what: str, keys: Keys, remedy: str, shown: str = MASK) -> None:
        """Note a problem. The value is shown only where it cannot be a secret."""
        offender = OffendingSetting(str(keys[-1]), shown, self.document.origin(*keys), remedy)
        self.problems.append(Problem("file-invalid", what, (offender,), remedy))

    def refuse_options(self) -> None:
        """Note exporters of other packages that have options: only the distribution builds those."""
        for name, options, keys in self.plugins:
            if options:
                what = f"the options of the exporter {name} cannot be taken from a settings file"
                self.refuse(what, keys, "run the program with opentelemetry-instrument and OTEL_CONFIG_FILE")


def translate(document: Document, settings: type[BaseModel]) -> Declared:
    """Read what a file says about logs.

    Args:
        document: The file.
        settings: The settings class, for the names of its groups.
    """
    declared, content = Declared(document), document.content
    version = str(content.get("file_format"))
    if version.partition(".")[0] != _SUPPORTED_MAJOR:
        declared.refuse(
            "the file format is not one that this version reads",
            ("file_format",),
            "write it as 1.0 or 1.1",
            repr(version[:20]),
        )
        return declared
    ours = _mapping(content.get("distribution")).get("fapilog")
    _settings(declared, settings, ours, ("distribution", "fapilog"))
    if content.get("disabled") is not None:
        declared.put("disabled", content["disabled"], ("disabled",))
    _resource(declared, _mapping(content.get("resource")))
    declared.put_known(_LIMITS, _mapping(content.get("attribute_limits")), ("attribute_limits",))
    provider = content.get("logger_provider")
    if isinstance(provider, Mapping):
        _provider(declared, settings, provider)
    elif ours is None:
        # OpenTelemetry: a section that is left out leaves the signal out.
        declared.put("exporters", ("none",), ("file_format",))
    return declared


def _provider(declared: Declared, settings: type[BaseModel], provider: Mapping[str, Any]) -> None:
    keys = ("logger_provider",)
    declared.put_known(_LIMITS, _mapping(provider.get("limits")), (*keys, "limits"))
    configurator = provider.get("logger_configurator/development")
    if isinstance(configurator, Mapping):
        declared.put("rules", list(_rules(configurator)), (*keys, "logger_configurator/development"))
    chosen: list[str] = []
    for number, entry in enumerate(_items(provider.get("processors"))):
        for kind, given in _mapping(entry).items():
            place = (*keys, "processors", number, str(kind))
            chosen += _processor(declared, settings, str(kind), _mapping(given), place)
    names = tuple(dict.fromkeys(chosen))
    declared.put("exporters", names or ("none",), (*keys, "processors"))


def _processor(
    declared: Declared, settings: type[BaseModel], kind: str, given: Mapping[str, Any], keys: Keys
) -> list[str]:
    """Read one processor; return the exporters that it leads to."""
    if kind == "fapilog":
        return _ours(declared, settings, given, keys)
    if kind == "event_to_span_event_bridge/development":
        declared.bridges_events = True
        return []
    if kind not in ("batch", "simple"):
        declared.refuse(
            f"there is no log record processor {kind}",
            keys,
            "write batch, simple or fapilog; processors of other packages are added in code",
        )
        return []
    if kind == "batch":
        limited = {
            key: value for key, value in given.items() if value != _NO_LIMIT or key == "schedule_delay"
        }
        _batch(declared, limited, keys)
    names: list[str] = []
    for name, options in _mapping(given.get("exporter")).items():
        names += _exporter(declared, settings, str(name), _mapping(options), (*keys, "exporter", str(name)))
    return names


def _batch(declared: Declared, given: Mapping[str, Any], keys: Keys) -> None:
    """Take the numbers of a processor; of two that differ the smaller: all are upper bounds."""
    for key, name in _BATCH.items():
        value, place = given.get(key), declared.document.origin(*keys, key)
        if value is None:
            continue
        known, elsewhere = declared.batched.setdefault(name, (value, place))
        if type(known) is type(value) is int and known != value:
            least = min(known, value)
            say(
                "batches-share",
                f"{key} is {known} in {elsewhere} and {value} in {place}; one buffer serves all batch"
                f" processors: {least} counts",
                name,
            )
            if least == known:
                continue
            declared.batched[name] = (value, place)
        declared.put(name, value, (*keys, key))


def _exporter(
    declared: Declared, settings: type[BaseModel], name: str, given: Mapping[str, Any], keys: Keys
) -> list[str]:
    if name == "fapilog":
        return _ours(declared, settings, given, keys)
    if name == "console":
        return ["console"]
    if name in ("otlp_http", "otlp_grpc"):
        return _otlp(declared, name, given, keys)
    if name == "otlp_file/development":
        return _file(declared, given.get("output_stream"), (*keys, "output_stream"))
    declared.plugins.append((name, given, keys))
    return [name]


def _ours(declared: Declared, settings: type[BaseModel], given: Mapping[str, Any], keys: Keys) -> list[str]:
    """Settings below our own name; `exporters` among them says where to, else OTLP."""
    _settings(declared, settings, {name: value for name, value in given.items() if name != "exporters"}, keys)
    named = given.get("exporters", ["otlp"])
    return list(named) if isinstance(named, list) else list(parse.names(str(named)))


def _otlp(declared: Declared, name: str, given: Mapping[str, Any], keys: Keys) -> list[str]:
    if declared.has_otlp and name == "otlp_grpc":
        remedy = "let a collector send to the second place, or write it as otlp_http"
        declared.refuse("there is an OTLP exporter already; a second one cannot be grpc", keys, remedy)
        return []
    if declared.has_otlp:
        # One native exporter; another one is built by its name.
        declared.plugins.append((name, given, keys))
        return [name]
    declared.has_otlp = True
    if name == "otlp_grpc":
        declared.put("otlp.protocol", "grpc", keys)
    declared.put_known(_OTLP, given, keys)
    declared.put_known(_TLS, _mapping(given.get("tls")), (*keys, "tls"))
    if given.get("encoding") == "json":
        declared.put("otlp.protocol", "http/json", (*keys, "encoding"))
    declared.pairs(given.get("headers_list"), (*keys, "headers_list"))  # notes what is wrong with it
    headers = header_mapping(given)
    if headers:
        declared.put("otlp.headers", headers, (*keys, "headers" if given.get("headers") else "headers_list"))
    return ["otlp"]


def _file(declared: Declared, stream: object, keys: Keys) -> list[str]:
    """OTLP as JSON lines: on standard output, or in a file; `distribution.fapilog.file` has its rotation."""
    if stream in (None, "stdout"):
        return ["otlp/stdout"]
    try:
        path = _path_of(str(stream))
    except ValueError as error:
        declared.refuse(f"output_stream {error}", keys, "write stdout, or file:///path/to/file.jsonl")
        return []
    if declared.file_path not in (None, path):
        remedy = "let one processor write to a file, or write the same file"
        declared.refuse("there is a file already; records go to one file at most", keys, remedy)
        return []
    declared.file_path = path
    declared.put("file.path", path, keys)
    declared.put("file.form", "otlp_json", keys)
    return ["file"]


def _path_of(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme != "file":
        raise ValueError("is neither stdout nor a file URI")
    if parts.netloc not in ("", "localhost"):
        raise ValueError("names a file on another host; a file URI has three slashes")
    if parts.query or parts.fragment:
        raise ValueError("has a ? or a # in it; write them as %3F and %23")
    path = unquote(parts.path)
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise ValueError("names no file by its whole path")
    return path


def header_mapping(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of an OTLP section; an entry of `headers` wins over `headers_list`."""
    headers: dict[str, str] = {}
    with suppress(ValueError):
        headers |= parse.baggage(str(given.get("headers_list") or ""))
    for pair in _items(given.get("headers")):
        if _mapping(pair).get("value") is not None:
            headers[str(pair.get("name"))] = str(pair["value"])
    return headers


def _rules(configurator: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Rules in order: the first that matches wins, and what matches none follows the default."""
    for entry in _items(configurator.get("loggers")):
        yield _rule(str(_mapping(entry).get("name")), _mapping(_mapping(entry).get("config")))
    if isinstance(configurator.get("default_config"), Mapping):
        yield _rule("*", configurator["default_config"])


def _rule(pattern: str, config: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: config[key] for key in ("enabled", "trace_based") if config.get(key) is not None}
    severity = config.get("minimum_severity")
    if severity is not None:
        given["minimum_severity"] = LEVEL_NAMES.get(str(severity), severity)
    return {"pattern": pattern, **given}


def _resource(declared: Declared, resource: Mapping[str, Any]) -> None:
    attributes = declared.pairs(resource.get("attributes_list"), ("resource", "attributes_list"))
    for entry in _items(resource.get("attributes")):
        if _mapping(entry).get("value") is not None:
            value = entry["value"]
            attributes[str(entry.get("name"))] = value if isinstance(value, str) else str(value).lower()
    if attributes:
        keys = ("resource", "attributes" if resource.get("attributes") else "attributes_list")
        declared.put("service.resource_attributes", attributes, keys)
        if "service.name" in attributes:
            declared.put("service.name", attributes["service.name"], keys)


def _settings(declared: Declared, settings: type[BaseModel], given: Any, keys: Keys) -> None:
    """Take settings by their names, nested as in any settings file."""
    if given is not None and not isinstance(given, Mapping):
        declared.refuse(f"{keys[-1]} is not a mapping of settings", keys, "nest the settings below it")
        return
    for name, value in leaves(settings, {str(key): item for key, item in (given or {}).items()}).items():
        declared.put(name, value, (*keys, *name.split(".")))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
