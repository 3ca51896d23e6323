"""`fapilog validate`: documents of our encoders and of the Collector pass, others are told what is wrong."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fapilog.cli.main import app
from fapilog.testing.samples import sample_batch

GOLDEN = Path(__file__).parents[2] / "data" / "golden"
SHAPES = {
    "otel": "elasticsearch_otel",
    "ecs": "elasticsearch_ecs",
    "hec": "splunk_hec",
    "otlp": "otlp_requests",
}
NO_SCALAR, CODE_15 = "must be a string, number or boolean", "(Splunk answers code 15)"
OUT_OF_RANGE = ": the number is out of range"
TIME = "2026-11-21T00:00:00Z"


def run(content, shape, *options):
    given = content if isinstance(content, str | bytes) else "\n".join(map(json.dumps, content))
    return CliRunner().invoke(app, ["validate", "-", "--shape", shape, *options], input=given)


def problems(document, shape):
    """What is said of one document, without its line."""
    result = run([document], shape)
    assert result.exit_code == (1 if result.stdout else 0)
    return [line.removeprefix("line 1: ") for line in result.stdout.splitlines()]


@pytest.mark.parametrize("shape", SHAPES)
def test_what_the_collectors_exporters_made_is_valid(shape):
    golden = json.loads((GOLDEN / f"{SHAPES[shape]}.json").read_text(encoding="utf-8"))
    made = list(golden.values()) if shape == "otlp" else [line for lines in golden.values() for line in lines]
    result = run(made, shape)
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize("shape", SHAPES)
def test_what_our_encoders_make_is_valid(shape, tmp_path):
    batch = sample_batch(5)
    if shape == "otlp":
        content, count = batch.encode("otlp_json"), 1
    else:
        content, count = batch.documents(shape, bulk=shape != "hec").bytes, 5
    file = tmp_path / "documents"
    file.write_bytes(content)
    result = CliRunner().invoke(app, ["validate", str(file), "--shape", shape])
    said = f"{count} document{'' if count == 1 else 's'} of shape {shape}: no problems\n"
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", said)


def test_each_problem_has_its_line_its_path_and_its_reason():
    content = (
        '{"event":"a"}{"event":""}\n\n{"event":"b",\n "fields":{"a/b":{"c":1}}}\nnonsense\n{"event":"c"}'
    )
    result = run(content, "hec")
    assert (result.exit_code, result.stdout.splitlines()) == (
        1,
        [
            "line 1: /event: must not be empty (Splunk answers code 13)",
            f"line 3: /fields/a~1b: {NO_SCALAR}, not an object {CODE_15}",
            "line 5: /: is no JSON: Expecting value",
        ],
    )
    assert result.stderr == "4 documents of shape hec: 3 problems\n"
    assert run(content, "hec", "--max", "1").stdout.splitlines()[1:] == ["... and 2 more"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"event": None}, ["/event: must not be null (Splunk answers code 12)"]),
        ({"message": "x"}, ["/event: is missing", "/message: is not a field of this shape"]),
        ({"event": {}, "Host": "a"}, ["/Host: is not a field of this shape; did you mean host?"]),
        ({"event": 0, "time": "1795219200.5"}, []),
        ({"event": 0, "time": TIME}, [f"/time: must be seconds since 1970, not {TIME!r}"]),
        ({"event": 0, "time": 1_795_219_200_000_000},
         ["/time: must be seconds since 1970, not 1795219200000000"]),
        ({"event": 0, "fields": {"a": [1, "x", True], "b": [None]}},
         [f"/fields/b: {NO_SCALAR}, not null {CODE_15}"]),
        ([], ["/: must be an object, not an array"]),
    ],
)  # fmt: skip
def test_hec(document, expected):
    assert problems(document, "hec") == expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, ["/@timestamp: is missing"]),
        ({"@timestamp": TIME, "body": {"text": {}}},
         ["/body/text: must be a single value, not an object; others are body.structured"]),
        ({"@timestamp": "1795219200000.0", "trace_id": "0" * 32},
         ["/trace_id: must be 32 lower-case hexadecimal digits, not all zero, not '" + "0" * 32 + "'"]),
        ({"@timestamp": "1.0", "severity_number": 25},
         ["/severity_number: must be between 1 and 24, not 25"]),
        ({"@timestamp": "1.0", "data_stream": {"type": "logs", "dataset": "a", "namespace": "B"}},
         ["/data_stream/dataset: must end with .otel, or the index template for this shape does not apply",
          "/data_stream/namespace: must be 1 to 100 characters, lower case, "
          "without what index names forbid, not 'B'"]),
        ({"@timestamp": "1.0", "resource": {"attributes": []}},
         ["/resource/attributes: must be an object, not an array"]),
    ],
)  # fmt: skip
def test_otel(document, expected):
    assert problems(document, "otel") == expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"message": "x"}, ["/@timestamp: is missing: a data stream refuses the document"]),
        ({"@timestamp": TIME, "a": {"b.c": 1}},
         ["/a/b.c: has a dot in its name: write it as an object in an object"]),
        ({"@timestamp": TIME, "host": "web", "message": {}},
         ["/message: must be a string, not an object", "/host: must be an object, not a string"]),
        ({"@timestamp": TIME, "rows": [{"": 1}]}, ["/rows/0/: has no name"]),
    ],
)  # fmt: skip
def test_ecs(document, expected):
    assert problems(document, "ecs") == expected


def test_an_action_line_needs_a_document_and_creates_it():
    document = {"@timestamp": TIME}
    content = [{"create": {}}, {"index": {"_index": 1}}, document, {"create": {"_id": "a"}}]
    assert run(content, "ecs").stdout.splitlines() == [
        "line 1: /: has no document behind it",
        "line 2: /index: data streams take create only",
        "line 2: /index/_index: must be a string, not a number",
        "line 4: /: has no document behind it",
    ]


def of_record(record):
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"time_unix_nano": "1"},
         ["time_unix_nano: is not a field of this shape; did you mean timeUnixNano?"]),
        ({"timeUnixNano": "-1"},
         ["timeUnixNano: must be nanoseconds since 1970 in a string" + OUT_OF_RANGE]),
        ({"traceId": "W47/95gDgQPSabYzgT/GDA=="},
         ["traceId: must be 32 hexadecimal digits or empty, not 'W47/95gDgQPSabYzgT/GDA=='"]),
        ({"severityNumber": "SEVERITY_NUMBER_INFO"},
         ["severityNumber: must be an integer, not a string"]),
        ({"body": {"stringValue": "a", "intValue": 1}},
         ["body: must have one kind of value: intValue, stringValue"]),
        ({"body": {"kvlistValue": {"values": [{"key": "a", "value": {"bytesValue": "?"}}]}}},
         ["body/kvlistValue/values/0/value/bytesValue: must be base64 in a string"]),
        ({"attributes": [{"key": "a", "value": {}}, {"key": "a", "value": {"doubleValue": "NaN"}}]},
         ["attributes/1/key: occurs twice: 'a'"]),
        ({"body": {"intValue": "9223372036854775808"}},
         ["body/intValue: must be a 64-bit integer, best in a string" + OUT_OF_RANGE]),
    ],
)  # fmt: skip
def test_otlp(record, expected):
    start = "/resourceLogs/0/scopeLogs/0/logRecords/0/"
    assert problems(of_record(record), "otlp") == [start + line for line in expected]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "0 documents of shape otlp: no problems\n"),
        (b'{}\n"\xff"', "line 2: is not UTF-8\n"),
    ],
)
def test_what_has_no_document_fails(content, said):
    result = run(content, "otlp")
    assert (result.exit_code, result.stderr) == (1, said)


def test_a_file_that_is_not_there_fails(tmp_path):
    result = CliRunner().invoke(app, ["validate", str(tmp_path / "gone"), "--shape", "otlp"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("gone: cannot be read: No such file or directory\n")


def test_names_that_occur_twice_numbers_that_are_none_and_depth_are_found():
    deep = '{"event":' + "[" * 100_000 + "]" * 100_000 + "}"
    result = run(f'{{"event":1,"event":2}}\n{{"event":NaN}}\n{deep}', "hec")
    lines = result.stdout.splitlines()
    assert lines[0] == "line 1: /event: occurs twice in its object"
    assert lines[1] == "line 2: /: is no JSON: NaN is no number of JSON"
    assert lines[2].startswith("line 3: /: is ")
    assert len(lines) == 3
