"""The README says what a record becomes, and what the settings are; and the package is valid."""

import doctest
import importlib
import json
import re
from pathlib import Path

import pytest
from fapilog.cli.main import app
from typer.testing import CliRunner

from object_storage import ObjectStorageSettings
from object_storage.objects import make_object

FOLDER = Path(__file__).parents[1]
README = (FOLDER / "README.md").read_text(encoding="utf-8")
MODULES = sorted(path.stem for path in (FOLDER / "object_storage").glob("[a-z]*.py"))


def test_the_object_of_the_readme_is_what_a_record_becomes(make_batch):
    made = make_object(make_batch(), ObjectStorageSettings(bucket="acme-logs", folder="checkout"))
    [key] = re.findall(r"```text\n(.*)\n```", README)
    [content] = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    assert json.loads(make_batch().encode("otlp_json")) == json.loads(content)
    assert made.key == key


def test_the_readme_has_every_setting_with_its_default_and_its_words():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", README.partition("## Settings")[2], re.MULTILINE)
    expected = []
    for name, field in ObjectStorageSettings.model_fields.items():
        default = "-" if field.default is None else str(field.default)
        shown = f"`{default.lower() if field.default is True else default}`"
        expected.append((name, "needed" if field.is_required() else shown, field.description))
    assert sorted(rows) == sorted(expected)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"object_storage.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)


def test_fapilog_finds_it_valid(monkeypatch):
    monkeypatch.setenv("FAPILOG_OBJECT_STORAGE_BUCKET", "made-up")
    done = CliRunner().invoke(app, ["plugins", "validate", str(FOLDER)])
    assert (done.exit_code, " 0 failed" in done.output) == (0, True), done.output
