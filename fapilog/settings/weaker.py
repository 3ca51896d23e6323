"""Whether one redaction policy hides less than another, as far as their settings tell."""

from __future__ import annotations

from collections.abc import Iterable

from fapilog.settings.destinations import policy_for
from fapilog.settings.redaction import RedactionSettings


def hides_less(one: RedactionSettings, other: RedactionSettings, exporters: Iterable[str] = ()) -> bool:
    """Tell whether a policy leaves out something that another one asks to hide.

    Args:
        one: The policy that records were under.
        other: The policy that is asked for.
        exporters: Names of those that got the records: policies of these destinations count too.

    Example:
        >>> keys, scan = RedactionSettings(), RedactionSettings(mode="scan")
        >>> hides_less(keys, scan), hides_less(scan, keys), hides_less(scan, scan)
        (True, False, False)
        >>> siem = RedactionSettings(destinations={"siem": "scan"})
        >>> hides_less(keys, siem, ["siem"]), hides_less(keys, siem, ["otlp"])
        (True, False)
    """
    pairs = [(policy_for(one, name) or one, policy_for(other, name) or other) for name in exporters]
    return any(_hides_less(*pair) for pair in [(one, other), *pairs])


def _hides_less(one: RedactionSettings, other: RedactionSettings) -> bool:
    return (
        (other.mode == "scan" and (one.mode == "keys" or one.actions != other.actions))
        or (other.minimise and not (one.minimise and one.allowed_keys == other.allowed_keys))
        or not set(other.secret_keys) <= set(one.secret_keys)
        or (bool(other.rules) and one.rules != other.rules)
    )
