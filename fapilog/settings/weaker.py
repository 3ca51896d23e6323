"""Whether one redaction policy hides less than another, as far as their settings tell."""

from __future__ import annotations

from fapilog.settings.redaction import RedactionSettings


def hides_less(one: RedactionSettings, other: RedactionSettings) -> bool:
    """Tell whether a policy leaves out something that another one asks to hide.

    Example:
        >>> keys, scan = RedactionSettings(), RedactionSettings(mode="scan")
        >>> hides_less(keys, scan), hides_less(scan, keys), hides_less(scan, scan)
        (True, False, False)
    """
    return (
        (other.mode == "scan" and (one.mode == "keys" or one.actions != other.actions))
        or (other.minimise and not (one.minimise and one.allowed_keys == other.allowed_keys))
        or not set(other.secret_keys) <= set(one.secret_keys)
        or (bool(other.rules) and one.rules != other.rules)
    )
