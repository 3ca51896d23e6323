"""The README says what a record becomes, and what the settings are; and the package is valid."""

import doctest
import importlib
import json
import re
from pathlib import Path

import pytest
from fapilog.cli.main import app
from typer.testing import CliRunner

from postgres_table import PostgresSettings
from postgres_table.rows import rows_of
from postgres_table.schema import COLUMNS, table

FOLDER = Path(__file__).parents[1]
README = (FOLDER / "README.md").read_text(encoding="utf-8")
MODULES = sorted(path.stem for path in (FOLDER / "postgres_table").glob("[a-z]*.py"))


def test_the_row_of_the_readme_is_what_a_record_becomes(make_batch):
    [row] = rows_of(make_batch("order placed"))
    [shown] = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    times = {"time": row.time.isoformat(), "observed_time": row.observed_time.isoformat()}
    objects = {"attributes": json.loads(row.attributes), "resource": json.loads(row.resource)}
    assert row._asdict() | times | objects == json.loads(shown)


def test_the_statement_that_makes_the_table_has_a_column_for_each_field():
    assert re.findall(r"^\s+(\w+) \w+ NOT NULL", table("t"), re.MULTILINE) == list(COLUMNS)


def test_the_readme_has_every_setting_with_its_default_and_its_words():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", README.partition("## Settings")[2], re.MULTILINE)
    expected = []
    for name, field in PostgresSettings.model_fields.items():
        default = "-" if field.default is None else str(field.default)
        expected.append(
            (name, f"`{default.lower() if field.default is True else default}`", field.description)
        )
    assert rows == expected


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"postgres_table.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)


def test_fapilog_finds_it_valid():
    done = CliRunner().invoke(app, ["plugins", "validate", str(FOLDER)])
    assert (done.exit_code, " 0 failed" in done.output) == (0, True), done.output
