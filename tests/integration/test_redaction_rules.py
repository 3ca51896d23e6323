"""Rules of the user on whole records: hidden, kept, dropped, minimised, and counted."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

import fapilog
from fapilog.testing import OtlpReceiver

Configure = Callable[..., fapilog.Telemetry]


def told(telemetry: fapilog.Telemetry, receiver: OtlpReceiver) -> list[Any]:
    assert telemetry.force_flush(10_000)
    return list(receiver.log_records)


@pytest.mark.parametrize("mode", ["keys", "scan"])
def test_rules_hide_in_both_modes_whoever_logs(
    configure: Configure, receiver: OtlpReceiver, mode: str
) -> None:
    rules = [
        {"name": "ticket", "pattern": r"TCK-\d+"},
        {"name": "customer", "paths": ["customer.*.email"], "action": "mask:4"},
    ]
    telemetry = configure(redaction={"mode": mode, "rules": rules})
    fapilog.get_logger("shop").info("see TCK-12", customer={"home": {"email": "a-very-long-name"}})
    logging.getLogger("shop").warning("see %s", "TCK-13")
    native, by_logging = told(telemetry, receiver)
    assert (native.body, by_logging.body) == ("see [REDACTED:ticket]", "see [REDACTED:ticket]")
    assert native.attributes["customer"] == {"home": {"email": "[REDACTED:customer:name]"}}
    assert native.attributes["fapilog.redacted"] == ["body:ticket", "customer.home.email:customer"]


def test_a_dropped_record_is_counted_and_an_audit_record_only_loses_its_content(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure(redaction={"rules": [{"name": "probe", "paths": ["probe"], "action": "drop"}]})
    log = fapilog.get_logger("shop")
    log.info("asked", probe=1)
    log.audit("granted", probe=1)
    log.error("denied", probe=1, category="security", user="ann")
    log.info("kept")
    # Audit records have a chunk of their own, so they need not come in this order.
    audit, security, kept = sorted(
        told(telemetry, receiver), key=lambda record: record.attributes["fapilog.sequence"]
    )
    assert (audit.body, security.body, kept.body) == ("[REDACTED:probe]", "[REDACTED:probe]", "kept")
    assert security.attributes["fapilog.event.category"] == "security"
    assert "user" not in security.attributes
    ledger = telemetry.ledger()
    assert ledger.balanced
    assert (ledger.offered, ledger.accepted, ledger.refused["redacted"]) == (4, 3, 1)
    assert telemetry.shutdown(10_000)


def test_a_processor_never_sees_a_dropped_record(configure: Configure, receiver: OtlpReceiver) -> None:
    from opentelemetry.sdk._logs import LogRecordProcessor

    seen = []

    class Seeing(LogRecordProcessor):
        def on_emit(self, log_record: Any) -> None:
            seen.append(log_record.log_record.body)
            if log_record.log_record.body == "changed":
                log_record.log_record.body = "now a probe"

        def shutdown(self) -> None: ...

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return True

    rules = [{"name": "probe", "words": ["probe"], "action": "drop"}]
    telemetry = configure(redaction={"rules": rules})
    telemetry.logger_provider.add_log_record_processor(Seeing())
    log = fapilog.get_logger("shop")
    for body in ("a probe", "changed", "kept"):
        log.info(body)
    assert [record.body for record in told(telemetry, receiver)] == ["kept"]
    assert seen == ["changed", "kept"]
    ledger = telemetry.ledger()
    assert ledger.balanced
    assert ledger.refused["redacted"] == 2


def test_types_may_cost_the_record_and_secret_names_may_be_kept_by_name(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    keep = {"name": "csrf", "paths": ["csrf_token"], "action": "keep", "even_secrets": True}
    telemetry = configure(redaction={"mode": "scan", "actions": {"PAN": "drop"}, "rules": [keep]})
    log = fapilog.get_logger("shop")
    log.info("card 4111 1111 1111 1111")
    log.info("kept", csrf_token="abc", api_token="def", nested={"csrf_token": "ghi"})
    [record] = told(telemetry, receiver)
    assert record.attributes["csrf_token"] == "abc"
    assert record.attributes["nested"] == {"csrf_token": "ghi"}
    assert record.attributes["api_token"] == "[REDACTED:secret]"
    assert telemetry.ledger().refused["redacted"] == 1


def test_minimising_leaves_the_allowed_keys_and_what_the_program_does(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure(
        redaction={"minimise": True, "allowed_keys": ["order.*"]}, capture_location="always"
    )
    log = fapilog.get_logger("shop")
    log.info("paid", order={"id": 7}, user={"name": "ann"}, **{"http.route": "/pay", "order.sum": 3})
    [record] = told(telemetry, receiver)
    left = {key for key in record.attributes if not key.startswith(("code.", "fapilog."))}
    assert left == {"order", "http.route", "order.sum"}
    assert record.attributes["code.function.name"].endswith("what_the_program_does")
    assert record.attributes["fapilog.dropped_keys"] == 1


def test_scope_and_resource_follow_the_rules_too(configure: Configure, receiver: OtlpReceiver) -> None:
    rules = [{"name": "project", "words": ["apollo"]}, {"name": "team", "paths": ["team.**"]}]
    telemetry = configure(redaction={"rules": rules}, resource={"team.lead": "ann", "host.room": "Apollo 7"})
    fapilog.get_logger("of apollo").info("hello")
    [record] = told(telemetry, receiver)
    assert record.scope_name == "of [REDACTED:project]"
    assert record.resource["host.room"] == "[REDACTED:project] 7"
    assert record.resource["team.lead"] == "[REDACTED:team]"


def test_drop_in_the_policy_of_a_destination_withholds_the_record_from_it(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    own = {"otlp": {"mode": "scan", "actions": {"PAN": "drop"}}}
    telemetry = configure(redaction={"destinations": own})
    log = fapilog.get_logger("shop")
    log.info("card 4111 1111 1111 1111")
    log.info("kept")
    assert [record.body for record in told(telemetry, receiver)] == ["kept"]
    ledger = telemetry.ledger()
    assert ledger.balanced
    assert (ledger.accepted, ledger.exporters["otlp"].dropped["withheld"]) == (2, 1)


def test_spans_lose_the_value_that_would_cost_a_record_and_what_nobody_allowed() -> None:
    from fapilog.redaction import Redactor
    from fapilog.settings.redaction import RedactionSettings
    from fapilog.settings.redaction_rules import RedactionRule

    rules = (RedactionRule(name="probe", words=("probe",), action="drop"),)
    redactor = Redactor(RedactionSettings(rules=rules, minimise=True, allowed_keys=("order.*",)))
    attributes = {"order.id": "a probe", "user.name": "ann", "http.route": "/"}
    assert redactor.attributes(attributes) == {"order.id": "a [REDACTED:probe]", "http.route": "/"}
    assert redactor.text("a probe", "user.name") == "a [REDACTED:probe]"
