"""Golden records: each case of `cases.json`, logged through fapilog, is the OTLP/JSON in `expected/`.

`native/tests/encode/golden.rs` builds the same cases with the Rust core alone and compares with the same
files.
"""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.sdk.trace import TracerProvider

import fapilog
from fapilog import _native
from fapilog.settings import Settings
from fapilog.testing import FakeClock, SequentialIds
from tests.golden.otlp_json import record_json

HERE = Path(__file__).parent
CASES = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
NOW = 1_767_225_600_000_000_000


def value_of(tagged: dict[str, Any]) -> Any:
    """Return the Python value of `{"type": ...}`."""
    [(kind, content)] = tagged.items()
    match kind:
        case "str" | "bool":
            return content
        case "none":
            return None
        case "int":
            return int(content)
        case "double":
            return float(content)
        case "bytes":
            return bytes.fromhex(content)
        case "repeat":
            return content[0] * content[1]
        case "join":
            return "".join(value_of(part) for part in content)
        case "list":
            return [value_of(item) for item in content]
        case "map":
            return {key: value_of(item) for key, item in content}
    raise AssertionError(f"unknown type {kind}")


def log(case: dict[str, Any]) -> tuple[bytes, str]:
    """Log one case through a provider of its own; return the record and its scope."""
    taken: list[tuple[bytes, str]] = []
    buffer = {"record_bytes": case.get("record_bytes", 65_536)}
    settings = Settings.load(
        environ={}, level="trace", sequence=False, capture_location="never", buffer=buffer
    )
    ids = SequentialIds(first=case.get("ids", 1))
    tracer = TracerProvider(id_generator=ids, shutdown_on_exit=False).get_tracer("golden")
    attributes = {key: value_of(value) for key, value in case.get("attributes", [])}
    attributes |= {name: case[name] for name in ("event_name", "timestamp") if name in case}
    with fapilog.LoggerProvider(settings=settings, exporters=["none"]) as provider:
        provider.pipeline.add_tap(lambda record, scope: taken.append((record, scope)))
        logger = _native.Logger(provider.handle, "golden")
        span = tracer.start_as_current_span("golden") if "ids" in case else nullcontext()
        with FakeClock(NOW, pipeline=provider.pipeline), span:
            logger.log(case["severity"], value_of(case["body"]), **attributes)
    [record] = taken
    return record


def request_of(record: bytes, scope: str) -> bytes:
    """Return the request that carries one record."""
    request = ExportLogsServiceRequest()
    scope_logs = request.resource_logs.add().scope_logs.add()
    scope_logs.scope.name = scope
    scope_logs.log_records.append(LogRecord.FromString(record))
    return request.SerializeToString()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_case_becomes_its_golden_record(case: dict[str, Any], update_golden: bool):
    record, scope = log(case)
    path = HERE / "expected" / f"{case['name']}.otlp.json"
    scope_logs = {"scope": {"name": scope}, "logRecords": [record_json(LogRecord.FromString(record))]}
    ours = {"resourceLogs": [{"scopeLogs": [scope_logs]}]}
    if update_golden:
        path.write_text(json.dumps(ours, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
    assert ours == json.loads(path.read_text(encoding="utf-8"))
    assert json.loads(_native.encode_request(request_of(record, scope), "otlp_json")) == ours
    assert len(record) <= case.get("record_bytes", 65_536)
    assert b"hunter2" not in record


def test_every_golden_file_belongs_to_a_case():
    files = sorted(path.name.removesuffix(".otlp.json") for path in (HERE / "expected").iterdir())
    assert files == sorted(case["name"] for case in CASES)
