"""README and how-to page say what the code does."""

import json
import re
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from exporters.kafka.tests.standing_in import Log, export, exporter_to
from fapilog import LogBatch
from fapilog_exporter_kafka import KafkaSettings, progress, reports

README = Path(__file__).parents[1] / "README.md"
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "kafka.md"


def row(name: str, field: Any) -> str:
    """The line of one setting."""
    default = field.default
    if isinstance(default, tuple):
        default = ", ".join(default)
    if isinstance(default, bool):
        default = str(default).lower()
    if isinstance(default, int):
        default = f"{default:,}"
    return f"| `{name}` | {f'`{default}`' if default not in (None, {}) else '-'} | {field.description} |"


def test_every_setting_is_in_the_table_as_it_is():
    page = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [row(name, field) for name, field in KafkaSettings.model_fields.items()]
    assert [line for line in rows if line not in page] == []


def test_every_reason_and_every_error_with_a_hint_is_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    named = {
        *reports._HINTS,
        *reports._NEVER,
        reports.TOO_LARGE,
        progress.RECORD_TOO_LARGE,
        progress.NOT_ENCODED,
    }
    assert [each for each in sorted(named - {"MSG_SIZE_TOO_LARGE"}) if f"`{each}`" not in page] == []


def test_the_message_of_the_readme_is_what_a_record_becomes():
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "checkout"
    scope = resource.scope_logs.add()
    scope.scope.name = "shop"
    record = scope.log_records.add(
        time_unix_nano=1_795_219_200_123_456_000,
        severity_number=9,
        severity_text="INFO",
        trace_id=bytes.fromhex("5b8efff798038103d269b633813fc60c"),
        span_id=bytes.fromhex("eee19b7ec3c1b174"),
    )
    record.body.string_value = "order placed"
    record.attributes.add(key="order_id").value.int_value = 42
    readme = README.read_text(encoding="utf-8")
    shown = json.loads(re.search(r"```json\n(.*?)```", readme, re.DOTALL)[1])
    for key in ("none", "service", "trace"):
        log = Log()
        export(exporter_to(log, key=key), LogBatch(request.SerializeToString()))
        (message,) = log.messages
        assert json.loads(LogBatch(message.value).encode("otlp_json")) == shown
        assert key == "none" or f"`{message.key.decode()}`" in readme
