"""What providers are given as arguments: lists of names and objects, and the plugins that names stand for.

Threads: the configuring one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry.sdk._logs import LogRecordProcessor

from fapilog.errors import ConfigurationError, OffendingSetting, Problem
from fapilog.plugins import PROCESSORS, Plugins, batch_function, is_log_record_processor
from fapilog.settings import Settings

_BATCH = "an object with `async def process(self, batch)`, or an async function that takes a batch"
_OTEL = "a `LogRecordProcessor` of OpenTelemetry"


def as_tuple(name: str, values: Any) -> tuple[Any, ...]:
    """Return a list as it was given; a text alone is a list of one name.

    Raises:
        ConfigurationError: `setting-invalid`, if it is no list.
    """
    if isinstance(values, str):
        return (values,)
    if not isinstance(values, Iterable):
        raise wrong(name, values, "is no list", f"put it into brackets: {name}=[...]")
    return tuple(values)


def wrong(name: str, value: object, what: str, remedy: str) -> ConfigurationError:
    """Return the error about an argument of a wrong type; the value may be a secret, and is not shown."""
    setting = OffendingSetting(name, f"a {type(value).__name__}", "argument", remedy)
    return ConfigurationError([Problem("setting-invalid", f"{name} {what}", (setting,), remedy)])


def batch_processors(given: Iterable[Any] | None, settings: Settings) -> list[Any]:
    """Return the batch processors that an argument or a setting means, in their order.

    Args:
        given: Names and objects, mixed; None: `settings.batch_processors`.
        settings: For the names, and for plugins that are disabled.

    Raises:
        ConfigurationError: `plugin-unknown`; `setting-invalid`, if one is no batch processor.
    """
    return _chosen("batch_processors", given, settings, _check_batch)


def log_record_processors(given: Iterable[Any] | None, settings: Settings) -> list[LogRecordProcessor]:
    """Return the log record processors that an argument or a setting means; as `batch_processors`."""
    return _chosen("processors", given, settings, _check_otel)


def _chosen(
    name: str, given: Iterable[Any] | None, settings: Settings, check: Callable[[Any, str, str], None]
) -> list[Any]:
    """A plugin that is broken or disabled is left out; it was named on stderr."""
    found: list[Any] = []
    plugins = Plugins(settings.plugins.policy)
    for each in getattr(settings, name) if given is None else as_tuple(name, given):
        by_name = isinstance(each, str)
        origin = settings.origin(name) if by_name and given is None else "argument"
        made = plugins.make(PROCESSORS, each, name, origin) if by_name else each
        if made is not None:
            check(made, repr(each) if by_name else f"<{type(each).__name__}>", origin)
            found.append(made)
    return found


def _check_batch(made: Any, shown: str, origin: str) -> None:
    if batch_function(made) is not None:
        return
    if is_log_record_processor(made):
        what, remedy = f"{shown} is {_OTEL}, no batch processor", "name it in `processors`"
    elif callable(getattr(made, "process", made)) and not isinstance(made, type):
        what = "a batch processor is not async: it would hold up the delivery of every exporter"
        remedy = f"pass {_BATCH}"
    else:
        what, remedy = "this is no batch processor", f"pass {_BATCH}"
    raise _wrong_processor("batch_processors", what, shown, origin, remedy)


def _check_otel(made: Any, shown: str, origin: str) -> None:
    if is_log_record_processor(made):
        return
    if batch_function(made) is not None:
        what, remedy = f"{shown} is a batch processor, not {_OTEL}", "name it in `batch_processors`"
    else:
        what, remedy = "this is no log record processor", f"pass {_OTEL}, or the name of a plugin"
    raise _wrong_processor("processors", what, shown, origin, remedy)


def _wrong_processor(name: str, what: str, shown: str, origin: str, remedy: str) -> ConfigurationError:
    setting = OffendingSetting(name, shown, origin, remedy)
    return ConfigurationError([Problem("setting-invalid", what, (setting,), remedy)])
