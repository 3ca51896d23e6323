"""Lines of files under stage 3: documents are read and written without loss, and nothing sensitive stays."""

import doctest
import importlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.redaction import documents, lines, otlp_json
from fapilog.redaction.explain import Explainer
from fapilog.redaction.lines import LineRedactor
from fapilog.settings.redaction import RedactionSettings

SCAN = LineRedactor(RedactionSettings(mode="scan"))
EXPLAINER = Explainer(RedactionSettings(mode="scan"))
CARD = "4111 1111 1111 1111"
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize("name", ["documents", "explain", "lines", "otlp_json"])
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"fapilog.redaction.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)


@given(plain)
def test_a_value_survives_otlp_json(value):
    assert otlp_json.plain(json.loads(json.dumps(otlp_json.any_value(value)))) == value


@given(st.text())
def test_any_text_is_a_line_that_can_be_read(line):
    assert documents.read(line).value is not documents
    assert isinstance(SCAN.line(line), str)


@given(
    st.recursive(
        st.text("ab .:", max_size=6) | st.just("4111 1111 1111 1111"),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", max_size=3), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_no_card_is_left_wherever_it_stands(value):
    assert "4111 1111" not in SCAN.line(json.dumps(value))


def test_what_is_no_otlp_in_an_otlp_document_is_hidden_as_in_any_json():
    inner = {"resource": {"tenant": {"password": "hunter2"}}, "scopeLogs": [{"logRecords": [{"note": CARD}]}]}
    line = json.dumps(
        {"resourceLogs": [inner], "password": "hunter2", "note": CARD, "count": "4111111111111111"}
    )
    assert json.loads(SCAN.line(line)) == {
        "resourceLogs": [
            {
                "resource": {"tenant": {"password": "[REDACTED:secret]"}},
                "scopeLogs": [{"logRecords": [{"note": "[REDACTED:pan]"}]}],
            }
        ],
        "password": "[REDACTED:secret]",
        "note": "[REDACTED:pan]",
        "count": "[REDACTED:pan]",
    }


@pytest.mark.parametrize(
    "value", [CARD, [CARD], 4111111111111111, {"stringValue": CARD, "x": 1}, {"other": CARD}]
)
def test_a_value_that_is_none_of_otlp_is_a_marker(value):
    one = {"key": "b", "value": {"intValue": "1"}}
    attributes = {"attributes": [{"key": "a", "value": value}, one, CARD]}
    ids = {"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "timeUnixNano": "1700000000000000000"}
    record = {"body": value, **ids}
    line = json.dumps({"resourceLogs": [{"resource": attributes, "scopeLogs": [{"logRecords": [record]}]}]})
    unscanned = {"stringValue": "[REDACTED:unscanned]"}
    assert json.loads(SCAN.line(line))["resourceLogs"] == [
        {
            "resource": {
                "attributes": [
                    {"key": "a", "value": unscanned},
                    one,
                    {"key": "", "value": unscanned},
                ]
            },
            "scopeLogs": [{"logRecords": [record | {"body": unscanned}]}],
        }
    ]
    assert list(lines.findings(line, EXPLAINER)) == []


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ('{"b": 12345678901234567890123}', None),
        ('[18446744073709551615, {"c": [12345678901234567890123]}]', None),
        (
            '{"b":12345678901234567890123,"password":1}',
            '{"b":12345678901234567890123,"password":"[REDACTED:secret]"}',
        ),
        ('{"a": ["\\ud800"]}', None),
        ('{"a":"\\ud800","password":1}', '{"a":"\\ud800","password":"[REDACTED:secret]"}'),
        ('{"a":1,"a":"ann@example.org"}', '{"a":"[REDACTED:email]"}'),
        ('{"a":"ann@example.org","a":1}', '{"a":1}'),
        (
            '{"resourceLogs":[{"resource":{"attributes":[{"key":"a","value":{"intValue":12345678901234567890123}}]}}]}',
            None,
        ),
    ],
)
def test_what_is_not_hidden_keeps_its_type(line, left):
    assert SCAN.line(line) == (line if left is None else left)


def test_half_characters_can_be_written_and_explained():
    line = json.dumps({"\ud800": f"\ud800 {CARD}", "a": "\udfff"})
    assert json.loads(SCAN.line(line).encode())["a"] == "\udfff"
    [found] = lines.findings(line, EXPLAINER)
    assert (found.type, found.path.encode()) == ("PAN", b"\\ud800")


def test_a_document_that_is_too_deep_is_a_marker_or_has_no_card():
    for depth in (300, 480, 900):
        line = '{"resourceLogs":[' + '{"resource":[' * depth + f'"{CARD}"' + "]}" * depth + "]}"
        assert "4111 1111" not in SCAN.line(line)
        list(lines.findings(line, EXPLAINER))
