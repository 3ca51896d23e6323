"""The README and the how-to page say what the code does."""

import json
import re
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from exporters.splunk.tests.standing_in import export, exporter_to, hec
from fapilog import LogBatch
from fapilog_exporter_splunk import SplunkHecSettings
from fapilog_exporter_splunk.answers import EVENT_FAULTS

README = Path(__file__).parents[1] / "README.md"
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "splunk.md"


def test_the_event_of_the_readme_is_what_a_record_becomes():
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    for key, value in {"service.name": "checkout", "host.name": "web-3"}.items():
        resource.resource.attributes.add(key=key).value.string_value = value
    record = resource.scope_logs.add().log_records.add(
        time_unix_nano=1_795_219_200_123_456_000,
        severity_number=9,
        severity_text="INFO",
        trace_id=bytes.fromhex("5b8efff798038103d269b633813fc60c"),
        span_id=bytes.fromhex("eee19b7ec3c1b174"),
    )
    record.body.string_value = "order placed"
    record.attributes.add(key="order_id").value.int_value = 42
    collector = hec()
    export(exporter_to(collector), LogBatch(request.SerializeToString()))
    shown = re.search(r"```json\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    assert collector.events == [json.loads(shown)]


def test_the_page_has_every_setting_with_its_default():
    text = PAGE.read_text(encoding="utf-8").partition("## Settings")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", text, re.MULTILINE))
    settings = {name: field.default for name, field in SplunkHecSettings.model_fields.items()}
    assert sorted(rows) == sorted(settings)
    for name, default in settings.items():
        shown = rows[name].strip().strip("`").replace(",", "")
        if not SplunkHecSettings.model_fields[name].is_required():
            assert shown == ("-" if default is None else str(default).lower()), name


def test_the_page_has_every_reason_of_events_that_are_at_fault():
    page = PAGE.read_text(encoding="utf-8")
    missing = [reason for reason in EVENT_FAULTS.values() if f"`{reason}`" not in page]
    assert missing == []
