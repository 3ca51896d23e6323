"""The troubleshooting page names what exists: commands, variables, and every reason of the ledger."""

import re

import pytest
from typer.testing import CliRunner

from fapilog.cli.main import app
from fapilog.settings.variables import VARIABLE_NAMES
from tests.contract.snippets import ROOT

PAGE = (ROOT / "docs" / "operations" / "troubleshooting.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"`fapilog ([a-z ]+?)(?: --[a-z]+)*`", PAGE)))


def test_the_page_names_commands():
    assert COMMANDS == [
        "config explain",
        "config show",
        "config validate",
        "gaps",
        "plugins list",
        "spool list",
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_exists(command):
    assert CliRunner().invoke(app, [*command.split(), "--help"]).exit_code == 0


def test_every_variable_exists():
    named = set(re.findall(r"`((?:FAPILOG|OTEL)_[A-Z_]+)", PAGE))
    assert named - set(VARIABLE_NAMES) == set()


def test_every_reason_of_the_ledger_is_explained():
    source = (ROOT / "native" / "src" / "ledger" / "mod.rs").read_text(encoding="utf-8")
    lists = re.findall(r"pub const (?:REFUSALS|DROPS): \[&str; \d+\] =\s*\[(.*?)\];", source, re.DOTALL)
    reasons = {reason for each in lists for reason in re.findall(r'"(\w+)"', each)}
    assert len(reasons) > 10
    assert {reason for reason in reasons if f"`{reason}`" not in PAGE} == set()
