"""Stage 1 of 7, emit: the loggers of a provider, one per scope, and what configures them. Thread: caller."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from fapilog import _native, otel_private
from fapilog.diagnostics import say
from fapilog.otel.logger import OtelLogger
from fapilog.otel.processors import ProcessorChain
from fapilog.values import valid_text

# Loggers kept for the next `get_logger`; a program that makes scopes without end gets new ones beyond it.
_LOGGERS_LIMIT = 65_536
_PLAIN = {str, int, float, bool}
Configurator = Callable[[InstrumentationScope], Any]


class Loggers:
    """Gives the same logger for the same scope, and keeps every logger as a `LoggerConfigurator` wants it.

    Args:
        handle: Where their records go.
        chain: The processors of their provider.
        outlet: Kept alive as long as there is a logger.
        configurator: Of the SDK; None: the rules alone decide.
    """

    def __init__(
        self,
        handle: _native.PipelineHandle,
        chain: ProcessorChain,
        outlet: object,
        configurator: Configurator | None,
    ) -> None:
        self._handle = handle
        self._chain = chain
        self._outlet = outlet
        self._configurator = configurator
        self._shared: dict[Any, OtelLogger] = {}
        # Those that are made anew for each call, as long as somebody has them.
        self._unshared: weakref.WeakValueDictionary[int, OtelLogger] = weakref.WeakValueDictionary()

    def get(
        self, name: object, version: object, schema_url: object, attributes: Mapping[str, Any] | None
    ) -> OtelLogger:
        """Return the logger of a scope; a name that is empty or no text is said."""
        key = _key(name, version, schema_url, attributes)
        known = self._shared.get(key) if key is not None else None
        if known is not None:
            return known
        if not isinstance(name, str) or not name:
            shown = repr(name) if isinstance(name, (str, type(None))) else valid_text(name)
            say("scope-without-name", f"a logger was asked for with the name {shown}; it works")
        scope = _scope(name, version, schema_url, attributes)
        return self._configured(OtelLogger(self._handle, scope, self._chain, self._outlet), key)

    def configure(self, configurator: Configurator) -> None:
        """Let a new configurator decide about each logger, those that were returned before too."""
        self._configurator = configurator
        unshared = (known() for known in self._unshared.valuerefs())
        for logger in (*self._shared.values(), *unshared):
            if logger is not None:
                _configure(logger, configurator)

    def _configured(self, logger: OtelLogger, key: Any) -> OtelLogger:
        configurator = self._configurator
        if configurator is not None:
            _configure(logger, configurator)
        if key is None or len(self._shared) >= _LOGGERS_LIMIT:
            self._unshared[id(logger)] = logger
        else:
            logger = self._shared.setdefault(key, logger)
        if self._configurator is not None and self._configurator is not configurator:
            # A new one came before the logger was known.
            _configure(logger, self._configurator)
        return logger


def _configure(logger: OtelLogger, configurator: Callable[[InstrumentationScope], Any]) -> None:
    try:
        logger.configure(*otel_private.logger_config(configurator(logger.instrumentation_scope)))
    except Exception as error:
        what = f"the logger configurator failed for {logger.instrumentation_scope.name!r}"
        say("configurator-failed", f"{what}: {valid_text(error)}; its logger stays as it is", "")


def _key(name: object, version: object, schema_url: object, attributes: Mapping[str, Any] | None) -> Any:
    """What makes two scopes one; None where that cannot be told."""
    try:
        items = [(key, type(value), value) for key, value in attributes.items()] if attributes else []
        key = (name, version, schema_url, frozenset(items))
        hash(key)
    except Exception:
        return None
    return key if all(kind in _PLAIN for _, kind, _ in items) else None


def _scope(
    name: object, version: object, schema_url: object, attributes: Mapping[str, Any] | None
) -> InstrumentationScope:
    """The scope; what cannot be used becomes text, attributes that cannot be read are left out."""
    texts = (
        valid_text(name),
        None if version is None else valid_text(version),
        None if schema_url is None else valid_text(schema_url),
    )
    try:
        return InstrumentationScope(*texts, attributes)
    except Exception:
        return InstrumentationScope(*texts)
