"""The policy as the native engine takes it: one form for pipelines, the scanner and single values."""

from __future__ import annotations

from fapilog.redaction.policy import default_policy
from fapilog.settings.redaction import RedactionSettings


def native_policy(redaction: RedactionSettings) -> dict[str, object]:
    """Return what `_native` compiles into a policy.

    Example:
        >>> native_policy(RedactionSettings(secret_keys=("patient_number",)))["exact"]
        ['patient_number']
    """
    words = default_policy(redaction.secret_keys)
    return {
        "anywhere": list(words.anywhere),
        "last": list(words.last),
        "exact": list(words.exact),
        "values": redaction.native(),
        **redaction.native_rules(),
    }
