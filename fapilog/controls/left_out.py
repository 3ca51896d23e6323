"""Records that a policy drops whole: nobody gets them, or not this exporter, and that is no fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fapilog.ledger import ExporterLedger, Ledger
from fapilog.settings.destinations import policy_for
from fapilog.settings.redaction import RedactionSettings

_CONSOLE = "console"


def drops(policy: RedactionSettings) -> bool:
    """Tell whether a policy may drop whole records, by type or by a rule.

    Example:
        >>> drops(RedactionSettings(mode="scan", actions={"PAN": "drop"})), drops(RedactionSettings())
        (True, False)
    """
    by_type = policy.mode == "scan" and "drop" in policy.actions.values()
    return by_type or any(rule.action == "drop" for rule in policy.rules)


def count(policy: RedactionSettings, ledger: Ledger) -> dict[str, int]:
    """Return by exporter how many records it did not get because of a policy that drops some."""
    common = ledger.refused.get("redacted", 0) if drops(policy) else 0
    return {
        name: common + _withheld(policy_for(policy, name), name, side)
        for name, side in ledger.exporters.items()
    }


def _withheld(own: RedactionSettings | None, name: str, side: ExporterLedger) -> int:
    if own is None or not drops(own):
        return 0
    # The console counts what its policy leaves out as not written; during a test nothing else is not.
    return side.dropped.get("withheld", 0) + (side.rejected if name == _CONSOLE else 0)


def notes(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield what a report says of them."""
    for name, records in counts.items():
        if records:
            yield (
                f"{records} records that the policy drops before {name}: that nothing of them arrived there"
                " is all that was seen"
            )
