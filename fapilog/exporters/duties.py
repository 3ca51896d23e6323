"""Stage 6 of 7, export: which exporters must have every record. Threads: the configuring one.

`native/src/roles.rs` does what is said here: a block waits for required exporters, not for best-effort ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from fapilog.errors import OffendingSetting, Problem, configuration_error
from fapilog.settings import Settings

_BEST_EFFORT = "delivery.best_effort"


def assigned(
    exporters: Sequence[Mapping[str, object]], settings: Settings
) -> tuple[Mapping[str, object], ...]:
    """Add to exporters, as the native side takes them, what they are to the records.

    Raises:
        ConfigurationError: `exporter-unknown`, if a setting names an exporter that is not among them.
    """
    names = [str(exporter["name"]) for exporter in exporters]
    problems = list(_unknown(_BEST_EFFORT, settings.delivery.best_effort, names, settings))
    if problems:
        raise configuration_error(problems)
    roles = dict.fromkeys(settings.delivery.best_effort, "best_effort")
    return tuple({**exporter, **_duty(name, roles)} for name, exporter in zip(names, exporters, strict=True))


def _duty(name: str, roles: Mapping[str, str]) -> dict[str, str]:
    return {"role": roles[name]} if name in roles else {}


def _unknown(
    setting: str, wanted: Iterable[str], names: Sequence[str], settings: Settings
) -> Iterable[Problem]:
    """One problem for each name that no exporter with a queue has; the console has none."""
    known = ", ".join(names) or "none: there is no exporter with a queue"
    for name in wanted:
        if name not in names:
            remedy = f"name exporters of this provider: {known}"
            what = f"{setting} names an exporter that this provider does not have: {name}"
            offending = OffendingSetting(setting, repr(name), settings.origin(setting), remedy)
            yield Problem("exporter-unknown", what, (offending,), remedy)
