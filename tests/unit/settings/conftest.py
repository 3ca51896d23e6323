"""Settings read from a given environment only, and what they say collected."""

import pytest

from fapilog import diagnostics
from fapilog.settings import Settings


@pytest.fixture
def notices(monkeypatch):
    """Every line that loading settings says, as (code, message)."""
    said = []
    monkeypatch.setattr(diagnostics, "say", lambda code, message, about="": said.append((code, message)))
    return said


@pytest.fixture
def load(notices):
    """Load settings from the given variables; nothing of the real environment leaks in."""

    def load(environ=None, path=None, **overrides):
        return Settings.load(path, environ=environ or {}, **overrides)

    return load
