"""The policy as the native engine takes it: one form for pipelines, the scanner and single values."""

from __future__ import annotations

from fapilog.keys.tokens import token_keys
from fapilog.redaction.policy import default_policy
from fapilog.settings.redaction import RedactionSettings


def native_policy(redaction: RedactionSettings) -> dict[str, object]:
    """Return what `_native` compiles into a policy.

    Raises:
        ConfigurationError: `token-keys-unusable`, if the key provider gives no keys.

    Example:
        >>> native_policy(RedactionSettings(secret_keys=("patient_number",)))["exact"][-1]
        'patient_number'
    """
    values = redaction.native()
    if values is not None:
        values |= {"token_key": token_keys(redaction), "seal_key": redaction.seal_key()}
    words = default_policy(redaction.secret_keys)
    return {
        "anywhere": list(words.anywhere),
        "last": list(words.last),
        "exact": list(words.exact),
        "kept": list(words.kept),
        "values": values,
        **redaction.native_rules(),
    }
