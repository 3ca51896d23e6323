"""The bundled values: one for each type, valid, told apart, and beside them texts that are none."""

import pytest

from fapilog.controls.vectors import vectors
from fapilog.redaction import scan
from fapilog.settings.redaction import KINDS, RedactionSettings

# Types that no detector gives yet: what looks like them is found as another type.
FOUND_AS = {"HIGH_ENTROPY": "API_KEY_GENERIC", "PASSPORT": "US_PASSPORT"}
EVERYTHING = RedactionSettings(mode="scan", actions={"USER_PATH": "remove"})


def test_every_type_has_a_vector_and_no_value_comes_twice():
    assert {vector.type for vector in vectors()} == set(KINDS)
    values = [vector.value for vector in vectors()]
    assert len(set(values)) == len(values)
    # A short one is looked for as a word of its own.
    assert not [one for one in values for other in values if one != other and one in other and len(one) > 5]


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: f"{vector.type}-{vector.key}")
def test_a_vector_is_found_whole_by_its_key_and_in_its_text(vector):
    for text, attributes in ((vector.text, {}), ("", {vector.key: vector.field})):
        whole = text or vector.field
        found = scan(text, attributes, settings=EVERYTHING) if text or attributes else []
        left = whole
        for finding in reversed(found):
            left = left[: finding.start] + left[finding.end :]
        if text or attributes:
            types = {finding.type for finding in found}
            assert FOUND_AS.get(vector.type, vector.type) in types, (text, attributes, found)
            assert vector.value not in left


def test_what_must_stay_is_not_found():
    assert [text for vector in vectors() for text in vector.stays if scan(text, settings=EVERYTHING)] == []
