"""Fields that compliance profiles ask of records: counted, reported, and nothing is held back."""

from collections.abc import Callable
from typing import Any

import pytest

import fapilog
from fapilog.compliance import Profile
from fapilog.testing import OtlpReceiver

Configure = Callable[..., fapilog.Telemetry]
CLAUSE = {"id": "10.2.2", "asks": "a", "mechanism": "b", "test": "c", "cannot": "d"}


def profile(name: str, categories: dict[str, Any]) -> Profile:
    head = {"schema": 1, "name": name, "version": "1", "title": "t", "standard": "s", "summary": "Helps."}
    dates = {"published": "2026-01-01", "updated": "2026-02-01"}
    named = {category: {**fields, "clause": "10.2.2"} for category, fields in categories.items()}
    return Profile.model_validate(head | dates | {"categories": named, "clauses": [CLAUSE]})


PCI = profile("pci", {"audit": {"required": ["user.id|actor", "event.name"]}})
GDPR = profile("gdpr", {"audit": {"required": ["user.id|actor"]}, "business": {"forbidden": ["religion"]}})


def test_records_that_lack_or_have_a_field_are_counted_and_reported(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure(compliance=[PCI, GDPR])
    log = fapilog.get_logger("shop")
    log.audit("role granted", actor="ann", event_name="role.granted")
    log.audit("role granted", resource="orders")
    log.info("sold", category="business", religion="none of your business")
    log.info("sold", category="business")
    assert telemetry.force_flush(10_000)
    log.info("later")
    assert telemetry.force_flush(10_000)
    broken = {
        "audit required user.id|actor": 1,
        "audit required event.name": 1,
        "business forbidden religion": 1,
    }
    assert telemetry.ledger().violations == broken
    assert (telemetry.health().violations, telemetry.health().status) == (3, "ok")
    told = [record for record in receiver.log_records if record.event_name == "fapilog.compliance.violation"]
    assert len(receiver.log_records) - len(told) == 5, "no record is held back"
    names = ("category", "demand", "field", "records", "profile", "clause")
    assert sorted(
        tuple(record.attributes[f"fapilog.compliance.{name}"] for name in names) for record in told
    ) == [
        ("audit", "required", "event.name", 1, "pci", "10.2.2"),
        ("audit", "required", "user.id|actor", 1, "pci, gdpr", "10.2.2, 10.2.2"),
        ("business", "forbidden", "religion", 1, "gdpr", "10.2.2"),
    ]
    assert {record.attributes["fapilog.event.category"] for record in told} == {"compliance"}
    assert {record.severity_text for record in told} == {"WARN"}


def test_a_demand_on_compliance_records_does_not_count_its_own_reports(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure(compliance=[profile("house", {"compliance": {"required": ["ticket"]}})])
    log = fapilog.get_logger("shop")
    log.info("changed", category="compliance")
    for _ in range(3):
        assert telemetry.force_flush(10_000)
        log.info("later")
    assert telemetry.force_flush(10_000)
    assert telemetry.ledger().violations == {"compliance required ticket": 1}


def test_without_profiles_nothing_is_looked_at(configure: Configure, receiver: OtlpReceiver) -> None:
    telemetry = configure()
    fapilog.get_logger("shop").audit("role granted")
    assert telemetry.force_flush(10_000)
    assert telemetry.ledger().violations == {}


def test_a_forbidden_field_counts_in_any_spelling_and_at_any_depth(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure(
        compliance=[profile("gdpr", {"business": {"forbidden": ["trade_union", "religion"]}})]
    )
    log = fapilog.get_logger("shop")
    for attributes in (
        {"tradeUnion": "x"},
        {"member": {"Trade-Union": "x"}},
        {"members": [{"name": "ann"}, {"trade_union": ["x"]}]},
        {"person.religion": "x"},
    ):
        log.info("sold", category="business", **attributes)
    log.info("sold", category="business", trade_unions_counted=3, religion="", member={"note": "union"})
    assert telemetry.force_flush(10_000)
    assert telemetry.ledger().violations == {
        "business forbidden trade_union": 3,
        "business forbidden religion": 1,
    }


def test_a_required_field_counts_in_any_spelling_where_it_is_asked_for(
    configure: Configure, receiver: OtlpReceiver
) -> None:
    telemetry = configure(compliance=[profile("pci", {"audit": {"required": ["user.id|actor"]}})])
    log = fapilog.get_logger("shop")
    log.audit("granted", user={"id": 7})
    log.audit("granted", userId=7)
    log.audit("granted", target={"actor": "somebody else"})
    assert telemetry.force_flush(10_000)
    assert telemetry.ledger().violations == {"audit required user.id|actor": 1}


def test_violations_are_counted_where_the_console_is_alone(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = fapilog.configure_otel("shop", compliance=[PCI, GDPR], exporters=["console"])
    log = fapilog.get_logger("shop")
    log.audit("role granted", resource="orders")
    log.info("sold", category="business", religion="none of your business")
    assert telemetry.ledger().violations == {
        "audit required user.id|actor": 1,
        "audit required event.name": 1,
        "business forbidden religion": 1,
    }
    telemetry.shutdown()
    capsys.readouterr()
