"""What fapilog expects of a detector, as a pytest class: inherit, give yours, say what it hides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fapilog.redaction.redactor import Redactor
from fapilog.settings.detectors import rules_of
from fapilog.settings.redaction import RedactionSettings


class DetectorConformance:
    """Rules that can be used, that hide what they should, and nothing else. Override `make_detector`.

    Attributes:
        hidden: Texts in each of which something has to be hidden.
        kept: Texts that have to stay as they are.

    Example:
        >>> class TestTickets(DetectorConformance):
        ...     hidden = ("see TCK-123456",)
        ...     kept = ("see TCK-12",)
        ...     def make_detector(self):
        ...         return {"ticket": {"pattern": "TCK-[0-9]{6}"}}
        >>> TestTickets().test_what_it_describes_is_hidden()
    """

    hidden: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def make_detector(self) -> Mapping[str, Any]:
        """Return the rules by their names."""
        raise NotImplementedError("make_detector() returns the detector under test")

    def test_its_rules_can_be_used_and_only_hide(self) -> None:
        """Each rule is one of `redaction.rules`, its pattern compiles, and none keeps values."""
        assert rules_of(self.make_detector())

    def test_what_it_describes_is_hidden(self) -> None:
        """In each text of `hidden` something is hidden, in both modes."""
        for mode in ("keys", "scan"):
            redactor = self._redactor(mode)
            assert [text for text in self.hidden if redactor.text(text) == text] == []

    def test_what_it_does_not_describe_stays(self) -> None:
        """Each text of `kept` stays as it is."""
        redactor = self._redactor("keys")
        assert [redactor.text(text) for text in self.kept] == list(self.kept)

    def _redactor(self, mode: str) -> Redactor:
        rules = rules_of(self.make_detector())
        return Redactor(RedactionSettings.model_validate({"mode": mode, "rules": rules}))
