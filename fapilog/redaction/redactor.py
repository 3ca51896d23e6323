"""Stage 3 of 7, redact: single texts and mappings under the rules for records. Thread: any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fapilog import _native
from fapilog.redaction.given import GivenPolicy, policy_given
from fapilog.redaction.native import native_policy
from fapilog.values import valid_text

# Stands where a fault kept a text from being scanned, as in records.
UNSCANNED = "[REDACTED:unscanned]"


class Redactor:
    """Hides in texts and mappings what stage 3 hides in records, with the code that records use.

    It never raises: what cannot be read or scanned becomes `[REDACTED:unscanned]`. Any thread may use one.

    Args:
        settings: The policy, or `keys` or `scan`, its mode; default: `keys`, which hides values under secret
            key names and credentials in URLs. Of a pipeline: `Settings.redaction_in_force`.

    Raises:
        ConfigurationError: `setting-invalid`, if that is no policy.

    Example:
        >>> redactor = Redactor("scan")
        >>> redactor.text("paid with 4111 1111 1111 1111")
        'paid with [REDACTED:pan]'
        >>> redactor.attributes({"user": {"email": "ann@example.org", "password": "x"}, "order": 42})
        {'user': {'email': '[REDACTED:email]', 'password': '[REDACTED:secret]'}, 'order': 42}
    """

    def __init__(self, settings: GivenPolicy = None) -> None:
        self._native = _native.Redactor(native_policy(policy_given(settings)))

    def text(self, text: str, key: str = "") -> str:
        """Return a text without what is hidden.

        Args:
            text: Any text, of any length.
            key: The name of the attribute whose value it is, which may itself say that the value is secret.
        """
        try:
            return self._native.text(text if isinstance(text, str) else valid_text(text), key)
        except Exception:
            return UNSCANNED

    def value(self, value: Any) -> Any:
        """Return any value without what is hidden, as it would stand in the body of a record."""
        try:
            return self._native.value(value)
        except Exception:
            return UNSCANNED

    def attributes(self, attributes: Mapping[Any, Any], *, notes: bool = False) -> dict[str, Any]:
        """Return a mapping without what is hidden.

        Names become texts, as in a record. A value that no record holds as it is, such as a date or an object
        with fields, comes back as a record would show it; what is left of the others keeps its type.

        Args:
            attributes: Nested as it is.
            notes: Adds `fapilog.redacted`, which says of which types hidden values were, and where: what the
                scanner and rules hid. Markers of secret names, `SecretStr` and URLs say it themselves.
        """
        left = self.changed(attributes, notes=notes)
        try:
            return dict(attributes) if left is None else left
        except Exception:
            return {"fapilog.redacted": UNSCANNED}

    def changed(self, attributes: Mapping[Any, Any], *, notes: bool = False) -> dict[str, Any] | None:
        """Return what `attributes()` returns; None when that is what was given, and nobody can change it."""
        try:
            return self._native.attributes(attributes, notes)
        except Exception:
            return {"fapilog.redacted": UNSCANNED}
