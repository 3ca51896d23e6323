"""The README says what a record becomes, and what the settings are."""

import json
import re
from pathlib import Path

from object_storage import ObjectStorageSettings
from object_storage.objects import make_object

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


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
