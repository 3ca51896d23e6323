"""The README says what a record becomes, and what the settings are."""

import json
import re
from pathlib import Path

from sentry_events import SentrySettings
from sentry_events.payloads import event, records_of

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
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
