"""`fapilog gaps`: missing and repeated numbers, process by process."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from fapilog.cli.main import app
from fapilog.testing.gaps import find_gaps


def line(instance, *numbers, service="orders"):
    """One document of one process; None: a record without a number."""
    resource = [
        {"key": key, "value": {"stringValue": value}}
        for key, value in (("service.name", service), ("service.instance.id", instance))
    ]
    records = [
        {"attributes": [{"key": "fapilog.sequence", "value": {"intValue": str(number)}}]}
        if number is not None
        else {"body": {"stringValue": "foreign"}}
        for number in numbers
    ]
    logs = {"resource": {"attributes": resource}, "scopeLogs": [{"logRecords": records}]}
    return json.dumps({"resourceLogs": [logs]})


def run(tmp_path, *files):
    paths = []
    for number, lines in enumerate(files):
        path = tmp_path / f"{number}.jsonl"
        path.write_text("\n".join(lines) + "\n")
        paths.append(str(path))
    result = CliRunner().invoke(app, ["gaps", *paths])
    return result.exit_code, result.output


def test_gaps_and_duplicates_are_named_for_each_process_across_files(tmp_path):
    code, output = run(
        tmp_path, [line("a", 0, 1, 5), line("b", 3)], ["", line("a", 2, 2, 8, None), line("b", 4, 5)]
    )
    assert (code, output.splitlines()) == (
        1,
        [
            "orders a: 6 records, numbers 0 to 8; 4 missing: 3-4, 6-7; 1 came twice: 2; 1 without a number",
            "orders b: 3 records, numbers 3 to 5; complete",
        ],
    )


def test_complete_files_end_well(tmp_path):
    assert run(tmp_path, [line("a", 1, 0), line("a", 2)]) == (
        0,
        "orders a: 3 records, numbers 0 to 2; complete\n",
    )


def test_many_gaps_are_cut_short(tmp_path):
    code, output = run(tmp_path, [line("a", *range(0, 100, 2))])
    assert code == 1
    assert output.endswith("35, 37, 39, and 29 more\n")


@pytest.mark.parametrize("text", ["{", "[]", '{"resourceLogs": 3}', '{"other": []}'])
def test_a_file_that_is_no_otlp_json_is_named_by_its_line(tmp_path, text):
    code, output = run(tmp_path, [line("a", 0), text])
    assert code == 2
    assert "line 2 is not OTLP JSON" in output


@given(st.lists(st.integers(0, 60), max_size=80))
def test_what_is_found_is_what_is_missing(numbers):
    found = find_gaps([line("a", number) for number in numbers])
    if not numbers:
        assert found == []
        return
    [sequence] = found
    expected = set(range(min(numbers), max(numbers))) - set(numbers)
    missing = {number for first, last in sequence.gaps for number in range(first, last + 1)}
    twice = {number for number in numbers if numbers.count(number) > 1}
    assert (missing, set(sequence.duplicates)) == (expected, twice)
    assert (sequence.missing, sequence.records) == (len(expected), len(numbers))
