"""The README shows what is sent."""

import json
import re
from pathlib import Path

import pytest

from exporters.elasticsearch.tests.shapes import SHAPES, becomes, the_batch

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^`(\w+)`: .*?```json\n(.*?)```", README, re.MULTILINE | re.DOTALL)
SHOWN = {shape: json.loads(text) for shape, text in FENCES}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_record_becomes_what_the_readme_shows(shape):
    assert SHOWN[shape] == becomes(shape)


def test_every_shape_is_shown():
    assert tuple(SHOWN) == SHAPES


def test_the_action_line_is_as_shown():
    (action, _) = the_batch().documents("otel", bulk=True, require_data_stream=False).bytes.splitlines()
    create = json.loads(action)["create"]
    assert (create["_index"], sorted(create)) == ("logs-generic.otel-default", ["_id", "_index"])
