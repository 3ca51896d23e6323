"""How a value gets into a log record: one function for each carrier, which answers whether it could."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from opentelemetry._logs import Logger as ApiLogger

from fapilog._native import Logger
from fapilog.controls.vectors import Vector
from fapilog.otel.provider import LoggerProvider

_SCOPE = "fapilog.controls"
# The largest integer of OTLP.
_LARGEST = 2**63 - 1


class Bench:
    """The loggers of the provider under test."""

    def __init__(self, provider: LoggerProvider) -> None:
        self.provider = provider
        self.log = Logger(provider.handle, _SCOPE)

    def named(self, name: str) -> Logger:
        """Return a logger whose scope has this name."""
        return Logger(self.provider.handle, name)

    def api(self, **attributes: str) -> ApiLogger:
        """Return a logger of the OpenTelemetry API."""
        return self.provider.get_logger(_SCOPE, attributes=attributes or None)


Send = Callable[[Bench, Vector], bool]


def _body_str(bench: Bench, vector: Vector) -> bool:
    return bool(vector.text) and _sent(bench.log.info(vector.text))


def _body_dict(bench: Bench, vector: Vector) -> bool:
    bench.api().emit(body={"event": "control", vector.key: vector.field})
    return True


def _body_list(bench: Bench, vector: Vector) -> bool:
    if vector.text:
        bench.api().emit(body=["control", vector.text])
    return bool(vector.text)


def _body_bytes(bench: Bench, vector: Vector) -> bool:
    if vector.text:
        bench.api().emit(body=vector.text.encode())
    return bool(vector.text)


def _attribute_str(bench: Bench, vector: Vector) -> bool:
    return _sent(bench.log.info("control", **{vector.key: vector.field}))


def _attribute_text(bench: Bench, vector: Vector) -> bool:
    return bool(vector.text) and _sent(bench.log.info("control", note=vector.text))


def _attribute_int(bench: Bench, vector: Vector) -> bool:
    digits = vector.value.replace(" ", "").replace("-", "")
    if not digits.isascii() or not digits.isdecimal() or digits.startswith("0") or int(digits) > _LARGEST:
        return False
    return _sent(bench.log.info("control", **{vector.key: int(digits)}))


def _attribute_list(bench: Bench, vector: Vector) -> bool:
    return _sent(bench.log.info("control", **{vector.key: ["first", vector.field]}))


def _attribute_nested(bench: Bench, vector: Vector) -> bool:
    return _sent(bench.log.info("control", outer={"inner": [{vector.key: vector.field}]}))


def _attribute_json(bench: Bench, vector: Vector) -> bool:
    if not vector.text or not vector.text.isprintable():
        return False
    return _sent(bench.log.info("control", payload=f'{{"note": "{vector.text}"}}'))


def _attribute_key(bench: Bench, vector: Vector) -> bool:
    return bool(vector.text) and _sent(bench.log.info("control", **{vector.text: 1}))


def _attribute_api(bench: Bench, vector: Vector) -> bool:
    bench.api().emit(body="control", attributes={vector.key: vector.field})
    return True


def _event_name(bench: Bench, vector: Vector) -> bool:
    return bool(vector.text) and _sent(bench.log.info("control", event_name=vector.text))


def _exception_message(bench: Bench, vector: Vector) -> bool:
    return _failed(bench, vector, lambda: _fail(vector.text))


def _exception_cause(bench: Bench, vector: Vector) -> bool:
    def fail() -> None:
        try:
            _fail(vector.text)
        except ValueError as error:
            raise RuntimeError("control") from error

    return _failed(bench, vector, fail)


def _fail(text: str) -> None:
    raise ValueError(text)


def _failed(bench: Bench, vector: Vector, fail: Callable[[], None]) -> bool:
    """Message and stack of an exception, and those of its causes, are attributes of the record."""
    if not vector.text:
        return False
    try:
        fail()
    except Exception:
        bench.log.exception("control failed")
    return True


def _scope_name(bench: Bench, vector: Vector) -> bool:
    return bool(vector.text) and _sent(bench.named(vector.text).info("control"))


def _scope_attribute(bench: Bench, vector: Vector) -> bool:
    bench.api(**{vector.key: vector.field}).emit(body="control")
    return True


def _sent(_pending: object) -> bool:
    return True


CARRIERS: Mapping[str, Send] = MappingProxyType(
    {
        "body.str": _body_str,
        "body.dict": _body_dict,
        "body.list": _body_list,
        "body.bytes": _body_bytes,
        "attribute.str": _attribute_str,
        "attribute.text": _attribute_text,
        "attribute.int": _attribute_int,
        "attribute.list": _attribute_list,
        "attribute.nested": _attribute_nested,
        "attribute.json": _attribute_json,
        "attribute.key": _attribute_key,
        "attribute.api": _attribute_api,
        "event.name": _event_name,
        "exception.message": _exception_message,
        "exception.cause": _exception_cause,
        "scope.name": _scope_name,
        "scope.attribute": _scope_attribute,
    }
)
RESOURCE = "resource.attribute"
"""The resource is one for the whole provider: `running` makes a provider for it."""
