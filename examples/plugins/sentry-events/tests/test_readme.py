"""The README says what a record becomes, and what the settings are; and the package is valid."""

import doctest
import importlib
import json
import re
from pathlib import Path

import pytest
from fapilog.cli.main import app
from typer.testing import CliRunner

from sentry_events import SentrySettings
from sentry_events.payloads import event, records_of

FOLDER = Path(__file__).parents[1]
README = (FOLDER / "README.md").read_text(encoding="utf-8")
MODULES = sorted(path.stem for path in (FOLDER / "sentry_events").glob("[a-z]*.py"))
STACK = """\
Traceback (most recent call last):
  File "/srv/shop.py", line 3, in count
    return int(text)
           ^^^^^^^^^
ValueError: many

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/shop.py", line 9, in place
    raise OrderError(text) from error
shop.OrderError: not a number
"""


def test_the_event_of_the_readme_is_what_a_record_becomes(make_batch):
    attributes = {
        "exception.type": "shop.OrderError",
        "exception.message": "not a number",
        "exception.stacktrace": STACK,
        "order_id": 42,
    }
    [record] = records_of(make_batch("order refused", **attributes))
    [shown] = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    made = event(record, SentrySettings(dsn="https://public@sentry.example/42"))
    assert made == json.loads(shown)


def test_the_readme_has_every_setting_with_its_default_and_its_words():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", README.partition("## Settings")[2], re.MULTILINE)
    expected = []
    for name, field in SentrySettings.model_fields.items():
        shown = f"`{'-' if field.default is None else field.default}`"
        expected.append((name, "needed" if field.is_required() else shown, field.description))
    assert sorted(rows) == sorted(expected)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"sentry_events.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)


def test_fapilog_finds_it_valid(monkeypatch):
    monkeypatch.setenv("SENTRY_DSN", "https://public@127.0.0.1/1")
    done = CliRunner().invoke(app, ["plugins", "validate", str(FOLDER)])
    assert (done.exit_code, " 0 failed" in done.output) == (0, True), done.output
