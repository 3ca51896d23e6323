"""Lines of files under stage 3: documents are read and written without loss, and nothing sensitive stays."""

import doctest
import importlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.redaction import documents
from fapilog.redaction.lines import LineRedactor
from fapilog.settings.redaction import RedactionSettings

SCAN = LineRedactor(RedactionSettings(mode="scan"))
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


@pytest.mark.parametrize("name", ["documents", "explain", "lines"])
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"fapilog.redaction.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)


@given(plain)
def test_a_value_survives_otlp_json(value):
    assert documents.plain(json.loads(json.dumps(documents.any_value(value)))) == value


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
