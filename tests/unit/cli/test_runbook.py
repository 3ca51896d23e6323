"""Every command in the recovery runbook is one that `fapilog` has, with arguments that it takes."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from fapilog.cli.main import app
from fapilog.error_codes import CODES

RUNBOOK = (Path(__file__).parents[3] / "docs" / "operations" / "recovery_runbook.md").read_text("utf-8")
COMMANDS = re.findall(r"^\$ fapilog (.*)$", RUNBOOK, re.MULTILINE)


def test_the_runbook_uses_every_command_of_the_spool():
    assert {shlex.split(line)[1] for line in COMMANDS} == {"list", "verify", "replay", "purge"}


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_runbook_can_be_run_as_it_stands(line):
    command, arguments = typer.main.get_command(app), shlex.split(line)
    while hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    assert command.make_context(line, arguments).args == []


@pytest.mark.parametrize("code", sorted(set(re.findall(r"`(spool-[a-z-]+)`", RUNBOOK))))
def test_a_notice_that_the_runbook_names_exists(code):
    errors = (Path(__file__).parents[3] / "docs" / "reference" / "errors.md").read_text("utf-8")
    assert code in CODES or f"### {code}\n" in errors
