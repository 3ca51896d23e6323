"""The redaction that the records of an application are under, for what is judged before there is a record.

Thread: caller.
"""

from __future__ import annotations

from fapilog import LoggerProvider, Telemetry, current_telemetry
from fapilog.redaction import Redactor


class Policy:
    """Judges texts as the pipeline would.

    Args:
        provider: Whose policy; None: the one of the process, which may be configured later, and anew.

    Example:
        >>> policy = Policy()
        >>> policy.shows("order-7"), policy.shows("redis://shop:hunter2@cache")
        (True, False)
    """

    __slots__ = ("_of", "_provider", "_redactor")

    def __init__(self, provider: LoggerProvider | None = None) -> None:
        self._provider = provider
        self._of: Telemetry | None = None
        self._redactor: Redactor | None = None

    @property
    def redactor(self) -> Redactor:
        """What hides, as it is in force now."""
        telemetry = None if self._provider is not None else current_telemetry()
        known = self._redactor
        if known is None or telemetry is not self._of:
            provider = self._provider if telemetry is None else telemetry.logger_provider
            known = Redactor(None if provider is None else provider.settings.redaction_in_force)
            self._of, self._redactor = telemetry, known
        return known

    def shows(self, text: str) -> bool:
        """Tell whether a text stands in a record as it is."""
        return self.redactor.text(text) == text
