"""Stricter policies per destination: one gets less than the others, whatever way its records take."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk.resources import Resource

from fapilog import ExportOutcome, LogBatch, LoggerProvider, Settings
from fapilog.errors import ConfigurationError
from fapilog.exporters.memory import newest
from fapilog.exporters.otlp import make_exporter
from fapilog.redaction import scan
from fapilog.testing import OtlpReceiver, Status
from fapilog.testing.decoding import ReceivedLogRecord, decode_log_records
from tests.integration.beside import wait_until

Make = Callable[..., LoggerProvider]
CARD, MAIL, HOST = "4111 1111 1111 1111", "ann@example.org", "203.0.113.77"
SCAN = {"mode": "scan"}
# One of everything that a record may hold it in.
BODY = f"paid with {CARD} by {MAIL}"
ATTRIBUTES = {"card": CARD, "patient_number": "X-7", "nested": {"to": [MAIL, 7], "patient_number": 7}}
FAST = {"initial_backoff_millis": 1, "max_backoff_millis": 20}
RESOURCE = Resource({"service.name": "shop", "host.owner": MAIL})


class Keeping:
    """A Python exporter that keeps requests, or refuses them."""

    def __init__(self, name: str, *, takes: bool = True) -> None:
        self.name = name
        self.takes = takes
        self.records: list[ReceivedLogRecord] = []
        self.bodies: list[Any] = []

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        if not self.takes:
            raise ValueError("never")
        self.records += decode_log_records(ExportLogsServiceRequest.FromString(batch.otlp_bytes()))
        self.bodies += [record.log_record.body for record in batch]
        return ExportOutcome(delivered=len(batch))


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[LoggerProvider] = []

    def provider(*exporters: Any, **settings: Any) -> LoggerProvider:
        loaded = Settings.load(environ={}, **settings)
        made.append(LoggerProvider(RESOURCE, settings=loaded, exporters=exporters))
        return made[-1]

    yield provider
    for each in made:
        each.shutdown()
        assert each.ledger().balanced, str(each.ledger())


def log(provider: LoggerProvider, records: int = 1) -> None:
    logger = provider.get_logger(f"shop {MAIL}")
    for _ in range(records):
        logger.emit(body=BODY, attributes=ATTRIBUTES)


def second(receiver: OtlpReceiver, name: str = "strict", **otlp: Any) -> Any:
    settings = Settings.load(environ={}, otlp={"endpoint": receiver.logs_endpoint, "retry": FAST, **otlp})
    return replace(make_exporter(settings), name=name)  # type: ignore[type-var]


def holds(text: object) -> set[str]:
    """What of the values a text holds."""
    return {value for value in (CARD, MAIL, "X-7") if value in str(text)}


ALL = {CARD, MAIL, "X-7"}
STRICT = {"mode": "scan", "secret_keys": ["patient_number"]}


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_of_two_receivers_side_by_side_one_gets_less(make: Make, compression: str, protocol: str) -> None:
    with OtlpReceiver() as receiver, OtlpReceiver() as other:
        provider = make(
            "otlp",
            second(other, compression=compression, protocol=protocol),
            otlp={"endpoint": receiver.logs_endpoint},
            redaction={"destinations": {"strict": STRICT}},
        )
        log(provider, 3)
        assert provider.force_flush(30_000)
        open_records, strict = receiver.log_records, other.log_records
    assert (len(open_records), len(strict)) == (3, 3)
    assert holds(open_records) == ALL
    assert holds(strict) == set()
    for record in strict:
        assert record.body == "paid with [REDACTED:pan] by [REDACTED:email]"
        assert record.attributes["patient_number"] == "[REDACTED:secret]"
        assert record.attributes["nested"] == {
            "to": ["[REDACTED:email]", 7],
            "patient_number": "[REDACTED:secret]",
        }
        assert record.scope_name == "shop [REDACTED:email]"
        assert record.resource["host.owner"] == "[REDACTED:email]"
    sides = provider.ledger().exporters
    assert {name: side.delivered for name, side in sides.items()} == {"otlp": 3, "strict": 3}


def test_blocks_that_share_a_request_are_all_rewritten(make: Make) -> None:
    with OtlpReceiver() as other:
        other.refuse_connections()
        provider = make(
            second(other, max_in_flight=1),
            redaction={"destinations": {"strict": STRICT}},
            buffer={"max_block_records": 2, "chunk_bytes": 1 << 13, "record_bytes": 1 << 12},
        )
        log(provider, 60)
        other.accept_again()
        assert provider.force_flush(30_000)
        records = other.log_records
    assert len(records) == 60
    assert holds(records) == set()


def test_what_the_common_policy_left_of_a_value_goes_where_the_destination_removes_it(make: Make) -> None:
    some, less = Keeping("some"), Keeping("less")
    provider = make(
        some,
        less,
        redaction={
            **SCAN,
            "actions": {"PAN": "mask:4"},
            "destinations": {"less": {"actions": {"PAN": "remove"}}},
        },
    )
    log(provider)
    assert provider.force_flush(30_000)
    assert some.bodies == ["paid with [REDACTED:pan:1111] by [REDACTED:email]"]
    assert less.bodies == ["paid with [REDACTED:pan] by [REDACTED:email]"]


def test_tokens_and_sealed_values_go_where_the_destination_removes_the_type(make: Make) -> None:
    some, less = Keeping("some"), Keeping("less")
    public = base64.b64encode(X25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    provider = make(
        some,
        less,
        redaction={
            **SCAN,
            "actions": {"PAN": "seal", "EMAIL": "token"},
            "key_provider": lambda: {1: bytes(range(32))},
            "seal_to": public,
            "destinations": {"less": {"actions": {"PAN": "remove", "EMAIL": "remove"}}},
        },
    )
    log(provider)
    assert provider.force_flush(30_000)
    [with_codes], [without] = some.records, less.records
    assert "[REDACTED:email:tok_1_" in str(with_codes.body)
    assert len(with_codes.attributes["fapilog.sealed"]) == 2
    assert without.body == "paid with [REDACTED:pan] by [REDACTED:email]"
    assert not without.attributes["fapilog.sealed"]
    assert "tok_1_" not in repr(without)


def test_rules_of_a_destination_hide_leave_out_and_drop_for_it_alone(make: Make) -> None:
    some, less = Keeping("some"), Keeping("less")
    rules = [
        {"name": "ticket", "pattern": "TCK-[0-9]+", "action": "remove"},
        {"name": "internal", "paths": ["internal"], "action": "drop"},
    ]
    own = {"rules": rules, "minimise": True, "allowed_keys": ["order", "internal"]}
    provider = make(some, less, redaction={"destinations": {"less": own}})
    logger = provider.get_logger("shop")
    logger.emit(body="see TCK-123", attributes={"order": 1, "other": 2})
    logger.emit(body="not for others", attributes={"internal": 1})
    assert provider.force_flush(30_000)
    assert some.bodies == ["see TCK-123", "not for others"]
    assert less.bodies == ["see [REDACTED:ticket]"]
    assert less.records[0].attributes["order"] == 1
    assert "other" not in less.records[0].attributes
    side = provider.ledger().exporters["less"]
    assert (side.accepted, side.delivered, side.dropped["withheld"], side.pending) == (2, 1, 1, 0)


def test_files_and_python_exporters_have_policies_of_their_own(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    strict, open_one = Keeping("strict"), Keeping("open")
    provider = make(
        "file",
        strict,
        open_one,
        file={"path": path},
        redaction={"destinations": {"strict": STRICT, "file": "scan"}},
    )
    log(provider, 2)
    assert provider.force_flush(30_000)
    assert holds(path.read_text()) == {"X-7"}
    assert len(strict.records) == len(strict.bodies) == 2
    assert holds(strict.bodies) == holds(strict.records) == set()
    assert holds(open_one.records) == ALL


@pytest.mark.parametrize("output", ["stdout", "stderr"])
def test_standard_output_may_get_less(make: Make, output: str, capfd: pytest.CaptureFixture[str]) -> None:
    provider = make(f"otlp/{output}", redaction={"destinations": {f"otlp/{output}": STRICT}})
    log(provider)
    assert provider.force_flush(30_000)
    written = getattr(capfd.readouterr(), "out" if output == "stdout" else "err")
    assert "[REDACTED:pan]" in written
    assert holds(written) == set()


def test_the_console_may_get_less(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    other = Keeping("other")
    provider = make(
        "console", other, redaction={"destinations": {"console": STRICT}}, console={"stream": "stdout"}
    )
    log(provider)
    assert provider.force_flush(30_000)
    shown = capsys.readouterr().out
    assert "paid with [REDACTED:pan] by [REDACTED:email]" in shown
    assert holds(shown) == set()
    assert holds(other.records) == ALL


def test_a_block_for_the_fallback_has_the_policy_of_the_fallback(make: Make) -> None:
    other = Keeping("other")
    with OtlpReceiver() as receiver:
        receiver.refuse_connections()
        provider = make(
            "otlp",
            other,
            otlp={"endpoint": receiver.logs_endpoint, "retry": FAST},
            delivery={"fallback": {"otlp": "other"}, "fallback_after_millis": 1},
            redaction={
                "destinations": {"otlp": {"mode": "scan"}, "other": {"secret_keys": ["patient_number"]}}
            },
        )
        log(provider, 2)
        provider.shutdown(1_000)
    assert holds(other.records) == {CARD, MAIL}


@pytest.mark.parametrize("kind", ["native", "python"])
def test_a_dead_letter_has_the_policy_of_the_exporter_that_refused_it(
    make: Make, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "refused.jsonl"
    with OtlpReceiver() as receiver:
        receiver.answer_always_with(Status(400))
        exporter = "otlp" if kind == "native" else Keeping("otlp", takes=False)
        provider = make(
            exporter,
            otlp={"endpoint": receiver.logs_endpoint},
            delivery={"dead_letters": path},
            redaction={"destinations": {"otlp": STRICT}},
        )
        log(provider)
        provider.force_flush(30_000)
        assert provider.ledger().exporters["otlp"].rejected == 1
    [line] = path.read_text().splitlines()
    assert "[REDACTED:pan]" in line
    assert json.loads(line)["fapilog"]["exporter"] == "otlp"
    assert holds(line) == set()


def test_the_spool_holds_the_common_form_and_what_leaves_it_is_rewritten(make: Make, tmp_path: Path) -> None:
    spool = {"directory": tmp_path, "min_free_bytes": 0}
    with OtlpReceiver() as receiver:
        receiver.refuse_connections()
        otlp = {"endpoint": receiver.logs_endpoint, "retry": FAST, "compression": "none"}
        common: dict[str, Any] = {"spool": spool, "otlp": otlp}
        ended = make("otlp", **common)
        log(ended, 2)
        assert not ended.shutdown(1)
        assert ended.ledger().exporters["otlp"].spooled == 2
        assert any(MAIL.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        receiver.accept_again()
        made = make("otlp", **common, redaction={"destinations": {"otlp": STRICT}})
        log(made)
        wait_until(lambda: len(receiver.log_records) == 3)
        records = receiver.log_records
    assert holds(records) == set()


def test_no_finding_of_its_policy_is_left_at_a_destination(make: Make) -> None:
    strict = Keeping("strict")
    provider = make(strict, redaction={"destinations": {"strict": STRICT}})
    logger = provider.get_logger("shop")
    for text in (f"{CARD}{MAIL}", f"https://u:p@{HOST}/?card={CARD}", json.dumps({"mail": MAIL, "ip": HOST})):
        logger.emit(body=text, attributes={"a": [text, text], "b": {"c": text}})
    assert provider.force_flush(30_000)
    for record in strict.records:
        assert scan(str(record.body), dict(record.attributes)) == []


def test_a_name_that_no_exporter_has_is_refused(make: Make) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make("otlp", redaction={"destinations": {"siem": "scan"}})
    [problem] = raised.value.problems
    assert problem.code == "exporter-unknown"
    assert problem.what == "redaction.destinations names an exporter that this provider does not have: siem"


def test_a_rule_that_removes_takes_the_rest_that_the_common_rule_of_its_name_left(make: Make) -> None:
    strict = Keeping("strict")
    rule = {"name": "acct", "pattern": r"ACCT-\d+"}
    redaction = {
        "rules": [rule | {"action": "truncate:4:4"}],
        "destinations": {"strict": {"rules": [rule | {"action": "remove"}]}},
    }
    provider = make(strict, "memory", redaction=redaction)
    provider.get_logger("shop").emit(body="of ACCT-1234567890")
    assert provider.force_flush(10_000)
    assert strict.bodies == ["of [REDACTED:acct]"]
    assert str(newest().get_finished_logs()[0].log_record.body) == "of [REDACTED:acct:ACCT...7890]"


def test_no_limit_cuts_what_a_destination_alone_hides(make: Make) -> None:
    strict = Keeping("strict")
    provider = make(
        strict, limits={"attribute_value_length": 14}, redaction={"destinations": {"strict": SCAN}}
    )
    given = {"a": f"card {CARD} of", "b": [f"{MAIL} and others"], "c": "nothing of the kind"}
    provider.get_logger("shop").emit(body="x" * 32_728 + f" {CARD} " + "y" * 70_000, attributes=given)
    assert provider.force_flush(10_000)
    [record] = strict.records
    assert {key: record.attributes[key] for key in given} == {"a": "card ", "b": [""], "c": "nothing of the"}
    assert "4111" not in repr(record)
