"""Stage 6 of 7, export: which exporters must have every record, and which get what others do not take.

`native/src/backlog/roles.rs` does what is said here: a block waits for required exporters, not for
best-effort ones, and a fallback gets nothing but what is handed over to it. Threads: the configuring one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from fapilog.errors import OffendingSetting, Problem, configuration_error
from fapilog.settings import Settings
from fapilog.settings.destinations import check_together

_BEST_EFFORT, _FALLBACK = "delivery.best_effort", "delivery.fallback"
_DESTINATIONS = "redaction.destinations"


def assigned(
    exporters: Sequence[Mapping[str, object]], settings: Settings, console: Sequence[str] = ()
) -> tuple[Mapping[str, object], ...]:
    """Add to exporters, as the native side takes them, what they are to the records.

    Args:
        exporters: Those with a queue.
        settings: Which name them.
        console: The name of the console, if there is one.

    Raises:
        ConfigurationError: `exporter-unknown`, if a setting names an exporter that is not among them;
            `exporters-conflict`, if one cannot be all that is said of it; `policy-forbidden`, if policies of
            several exporters, or a rule beside an action, together tell too much.
    """
    names = [str(exporter["name"]) for exporter in exporters]
    delivery = settings.delivery
    problems = [
        *_unknown(_BEST_EFFORT, delivery.best_effort, names, settings),
        *_unknown(_FALLBACK, (*delivery.fallback, *delivery.fallback.values()), names, settings),
        *_unknown(_DESTINATIONS, settings.redaction_in_force.destinations, (*names, *console), settings),
        *_conflicts(settings),
    ]
    if problems:
        raise configuration_error(problems)
    check_together(settings.redaction_in_force)
    duties: dict[str, dict[str, object]] = {name: {} for name in names}
    for name in delivery.best_effort:
        duties[name]["role"] = "best_effort"
    for name, fallback in delivery.fallback.items():
        after = delivery.fallback_after_millis
        duties[name] |= {"fallback": fallback, "fallback_after_millis": after}
        duties[fallback]["role"] = "fallback"
    return tuple({**exporter, **duties[name]} for name, exporter in zip(names, exporters, strict=True))


def _unknown(
    setting: str, wanted: Iterable[str], names: Sequence[str], settings: Settings
) -> Iterator[Problem]:
    """One problem for each name that no exporter with a queue has; the console has none."""
    known = ", ".join(names) or "none: there is no exporter with a queue"
    for name in dict.fromkeys(wanted):
        if name not in names:
            remedy = f"name exporters of this provider: {known}"
            what = f"{setting} names an exporter that this provider does not have: {name}"
            offending = OffendingSetting(setting, repr(name), settings.origin(setting), remedy)
            yield Problem("exporter-unknown", what, (offending,), remedy)


def _conflicts(settings: Settings) -> Iterator[Problem]:
    """A fallback gets nothing but what is handed over; so it can hand nothing on, and is not left out."""
    fallback = settings.delivery.fallback
    for name, other in fallback.items():
        if other in fallback:
            remedy = "name an exporter that has no fallback of its own"
            yield _conflict(
                f"{other} is the fallback of {name} and has one itself", name, other, remedy, settings
            )
        for each in dict.fromkeys((name, other)):
            if each in settings.delivery.best_effort:
                remedy = f"take it out of {_BEST_EFFORT} or of {_FALLBACK}"
                what = f"{each} is best-effort and in {_FALLBACK}: it cannot be both"
                yield _conflict(what, name, other, remedy, settings)


def _conflict(what: str, name: str, other: str, remedy: str, settings: Settings) -> Problem:
    offending = OffendingSetting(_FALLBACK, f"{name}={other}", settings.origin(_FALLBACK), remedy)
    return Problem("exporters-conflict", what, (offending,), remedy)
