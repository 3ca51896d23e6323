"""The README and the how-to page say what the code does."""

import re
from pathlib import Path
from typing import Any

from exporters.syslog.tests.records import TIME, batch_of, read
from fapilog_exporter_syslog import SyslogSettings
from fapilog_exporter_syslog.priority import severity

README = Path(__file__).parents[1] / "README.md"
PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "syslog.md").read_text(encoding="utf-8")


def test_the_message_of_the_readme_is_what_a_record_becomes():
    record = {
        "time_unix_nano": TIME,
        "severity_number": 9,
        "severity_text": "INFO",
        "body": "order placed",
        "attributes": {"order_id": 42},
        "trace_id": bytes.fromhex("5b8efff798038103d269b633813fc60c"),
        "span_id": bytes.fromhex("eee19b7ec3c1b174"),
        "flags": 1,
    }
    resource = {"service.name": "checkout", "host.name": "web-3", "process.pid": 4711}
    (message,) = read(batch_of(record, resource=resource, scope=("shop", "")))
    shown = re.search(r"```text\n(.*?)\n```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    assert message.raw.decode() == shown


def row(name: str, field: Any) -> str:
    """The line of one setting."""
    default = None if field.is_required() else field.default
    shown = ", ".join(default) if isinstance(default, tuple) else default
    return f"| `{name}` | {'-' if shown in (None, '') else f'`{shown}`'} | {field.description} |"


def test_every_setting_is_in_the_table_as_it_is():
    rows = [row(name, field) for name, field in SyslogSettings.model_fields.items()]
    assert [line for line in rows if line not in PAGE.splitlines()] == []


def test_the_table_of_severities_is_that_of_the_code():
    table = PAGE.partition("### Severities")[2].partition("\n### ")[0]
    rows = re.findall(
        r"^\| [^|]*\((\d+)(?:-|, )?(\d+)?\) \| \w+ \((\d)\) \| \w+ \((\d)\) \|", table, re.MULTILINE
    )
    said = {
        number: (int(ours), int(theirs))
        for first, last, ours, theirs in rows
        for number in range(int(first), int(last or first) + 1)
    }
    assert said == {number: (severity(number), severity(number, "opentelemetry")) for number in range(1, 25)}
