"""The inventory of a file: keys and types, counted, bounded, without values."""

import doctest
import json

import pytest
from typer.testing import CliRunner

from fapilog.cli.main import app
from fapilog.redaction import inventory
from fapilog.redaction.inventory import Counting, of_lines
from fapilog.settings.redaction import RedactionSettings

SCAN = RedactionSettings(mode="scan")
CARD = "4111 1111 1111 1111"


def test_the_examples_in_docstrings_run():
    result = doctest.testmod(inventory)
    assert (result.failed, result.attempted > 0) == (0, True)


def test_keys_and_types_are_counted_in_every_form_of_line():
    record = {
        "body": {"stringValue": f"paid with {CARD}"},
        "attributes": [
            {"key": "password", "value": {"stringValue": "x"}},
            {"key": "ok", "value": {"intValue": "1"}},
        ],
    }
    lines = [
        json.dumps({"customer": [{"mail": "ann@example.org"}, {"mail": "bob@example.org"}], "n": 1}),
        json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}),
        "mail to ann@example.org",
    ]
    found = of_lines(lines, SCAN)
    assert {(entry.path, entry.type): entry.count for entry in found.entries} == {
        ("customer.mail", "EMAIL"): 2,
        ("n", ""): 1,
        ("body", "PAN"): 1,
        ("attributes.password", "SECRET_KEY"): 1,
        ("attributes.ok", ""): 1,
        ("text", "EMAIL"): 1,
    }
    assert (found.records, found.types()) == (3, {"EMAIL": 3, "PAN": 1, "SECRET_KEY": 1})


def test_a_name_that_is_sensitive_is_counted_without_being_named():
    found = of_lines([json.dumps({f"card {CARD}": "x"})], SCAN)
    assert [(entry.path, entry.type) for entry in found.entries] == [("*", "PAN")]
    assert CARD not in str(found) + json.dumps(found.plain())


def test_places_are_bounded():
    counting = Counting(most=10)
    for number in range(1_000):
        counting.add(f"key{number}", "EMAIL")
    found = counting.inventory()
    assert (len(found.entries), found.elsewhere, found.types()) == (10, {"EMAIL": 990}, {"EMAIL": 1_000})


@pytest.mark.parametrize("as_json", [True, False])
def test_the_command_prints_it(tmp_path, as_json):
    (tmp_path / "log").write_text(f'{{"note": "{CARD}"}}\n{{"note": "x"}}\n')
    result = CliRunner().invoke(app, ["inventory", str(tmp_path / "log"), *(["--json"] if as_json else [])])
    assert result.exit_code == 0
    if as_json:
        assert json.loads(result.stdout)["types"] == {"PAN": 1}
    else:
        assert result.stdout == "         1  note: PAN\n         1  note: -\n"
    assert CARD not in result.output
