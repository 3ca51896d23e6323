"""The command does what it says."""

from typer.testing import CliRunner

from show_level import app


def test_the_level_of_the_environment_is_printed(monkeypatch):
    monkeypatch.setenv("FAPILOG_LEVEL", "warning")
    assert CliRunner().invoke(app, ["level"]).output == "WARN\n"
