"""What people give as a policy: settings, or the name of a mode. Thread: any."""

from __future__ import annotations

from typing import Literal, get_args

from fapilog.errors import ConfigurationError, OffendingSetting, Problem
from fapilog.settings.redaction import RedactionSettings

Mode = Literal["keys", "scan"]
GivenPolicy = RedactionSettings | Mode | None
_MODES: tuple[str, ...] = get_args(Mode)


def policy_given(given: object, default: Mode = "keys") -> RedactionSettings:
    """Return the policy that somebody means.

    Args:
        given: `RedactionSettings`, or the name of a mode. None: the default.
        default: The mode that counts without a word.

    Raises:
        ConfigurationError: `setting-invalid`, if it is neither.

    Example:
        >>> policy_given("scan").mode, policy_given(None).mode
        ('scan', 'keys')
    """
    if isinstance(given, RedactionSettings):
        return given
    name = default if given is None else given
    if isinstance(name, str) and name in _MODES:
        return RedactionSettings.model_validate({"mode": name})
    shown = repr(given) if isinstance(given, str) else f"an object of {type(given).__name__}"
    do = "pass 'keys', 'scan', or RedactionSettings, such as Settings.redaction_in_force"
    offender = OffendingSetting("settings", shown, "argument", do)
    raise ConfigurationError(
        [Problem("setting-invalid", "settings are no redaction policy", (offender,), do)]
    )
