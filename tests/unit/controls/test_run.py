"""The controls: what is hidden passes, and what gets out anywhere is found there."""

import pytest

from fapilog.controls import run
from fapilog.controls.log_carriers import CARRIERS, RESOURCE
from fapilog.errors import ConfigurationError
from fapilog.exporters.base import ExportOutcome
from fapilog.settings import Settings

SIGNALS = ("spans", "metrics", "baggage")
SIGNAL_CARRIERS = {
    "span.name",
    "span.attribute",
    "span.attribute.list",
    "span.event.name",
    "span.event.attribute",
    "span.event.exception",
    "span.link",
    "span.status",
    "metric.attribute",
    "metric.exemplar",
    "baggage.value",
    "baggage.text",
}
SOME = ("PAN", "EMAIL", "CVV", "PERSON_NAME")


def settings(tmp_path, **changes):
    given = {
        "redaction": "scan",
        "exporters": ("otlp", "console", "file", "memory"),
        "file": {"path": str(tmp_path / "never")},
        "otlp": {"endpoint": "https://collector.example:4318"},
    }
    return Settings.load(environ={}, **given | changes)


def test_nothing_leaks_and_everything_arrives_everywhere(tmp_path, capsys):
    report = run(settings(tmp_path), only=SOME)
    plain = report.plain()
    assert (plain["result"], plain["failures"], plain["missing"]) == ("passed", [], [])
    assert set(plain["exporters"]) == {"otlp", "console", "file", "memory", *SIGNALS}
    assert set(plain["carriers"]) == {*CARRIERS, "negative", RESOURCE, *SIGNAL_CARRIERS}
    assert set(plain["types"]) == set(SOME)
    assert all(counts["vectors"] >= 4 * 10 for counts in plain["types"].values())
    # The service's own file and streams saw nothing of it.
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_without_scanning_the_same_values_are_found_in_every_carrier(tmp_path):
    report = run(settings(tmp_path, redaction="keys"), only=["PAN", "EMAIL"])
    assert not report.passed
    leaks = {(each.exporter, each.carrier) for each in report.leaks}
    everywhere = {*CARRIERS, RESOURCE}
    assert {carrier for exporter, carrier in leaks if exporter == "otlp"} == everywhere
    assert {carrier for exporter, carrier in leaks if exporter == "file"} == everywhere
    assert {carrier for exporter, carrier in leaks if exporter == "memory"} == everywhere
    assert {carrier for exporter, carrier in leaks if exporter in SIGNALS} == SIGNAL_CARRIERS
    # What the console does not show, it does not leak.
    unseen = {carrier for carrier in everywhere if ("console", carrier) not in leaks}
    assert unseen <= {"event.name", "scope.name", "scope.attribute", RESOURCE}


def test_a_type_that_the_policy_keeps_is_found_when_it_is_asked_for(tmp_path):
    kept = settings(tmp_path, redaction={"mode": "scan", "actions": {"EMAIL": "keep"}}, exporters=("memory",))
    assert {each.type for each in run(kept, only=["EMAIL", "PAN"]).leaks} == {"EMAIL"}
    report = run(kept)
    assert report.passed
    assert any("EMAIL" in note for note in report.not_tested)


def test_a_type_that_a_destination_must_not_get_is_looked_for_there_and_what_it_drops_is_not_missed(tmp_path):
    redaction = {
        "mode": "scan",
        "actions": {"EMAIL": "keep"},
        "destinations": {"file": {"actions": {"EMAIL": "remove"}}, "memory": {"actions": {"EMAIL": "drop"}}},
    }
    report = run(settings(tmp_path, redaction=redaction, exporters=("memory", "file", "console")))
    assert (report.passed, report.leaks, report.missing) == (True, [], [])
    sent = [each for each in report.outcomes if each.carrier != "negative"]
    assert {each.exporter for each in sent if each.type == "EMAIL"} == {"file", "memory"}
    assert dropping(report) == {"memory"}


def dropping(report):
    """The exporters before which a policy dropped records, as the report says it."""
    notes = [note for note in report.not_tested if "records that the policy drops before" in note]
    return {note.partition(" drops before ")[2].partition(":")[0] for note in notes}


def test_what_the_spool_holds_is_looked_at(tmp_path):
    spooled = settings(tmp_path, exporters=("memory",), spool={"directory": str(tmp_path / "spool")})
    report = run(spooled, only=["PAN"])
    assert report.passed
    assert "spool" in report.exporters
    leaky = spooled.with_changes(redaction="keys")
    assert "spool" in {each.exporter for each in run(leaky, only=["PAN"]).leaks}


def test_texts_that_are_none_of_the_type_arrive_as_they_are(tmp_path):
    report = run(settings(tmp_path, exporters=("console", "memory")), only=["PAN", "IPV4"])
    negative = [each for each in report.outcomes if each.carrier == "negative"]
    assert {each.result for each in negative} == {"passed"}
    assert {each.type for each in negative} == {"PAN", "IPV4"}


def test_records_that_did_not_arrive_are_no_success(tmp_path, monkeypatch):
    async def refuse(self, batch):
        return ExportOutcome(rejected=len(batch))

    monkeypatch.setattr("fapilog.controls.places._Recorder.export_batch", refuse)
    report = run(settings(tmp_path, exporters=("memory",)), only=["PAN"])
    assert (report.leaks, report.passed) == ([], False)
    assert {name for name, _, _ in report.missing} == {"memory"}


def test_settings_without_an_exporter_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="have no exporter"):
        run(settings(tmp_path, exporters=("none",)), only=["PAN"])


def test_mode_keys_is_tested_for_what_it_promises_in_every_carrier_that_can_hold_it(tmp_path):
    plain_settings = settings(
        tmp_path, redaction={"secret_keys": ("patient_number",)}, exporters=("memory", "console")
    )
    report = run(plain_settings)
    plain = report.plain()
    assert (plain["result"], plain["failures"], plain["missing"]) == ("passed", [], [])
    assert {"SecretStr", "URL_USERINFO", "key:password", "key:X-Auth-Token", "key:patient_number"} <= set(
        report.types
    )
    with_keys = {each.carrier for each in report.outcomes if each.type == "key:password"}
    assert {
        "attribute.str",
        "attribute.nested",
        "body.dict",
        "span.attribute",
        "metric.exemplar",
    } <= with_keys
    secrets = {each.carrier for each in report.outcomes if each.type == "SecretStr"}
    assert secrets == {"attribute.SecretStr", "attribute.SecretStr.nested", "body.SecretStr"}
    assert {"exception.cause", "scope.name", "span.name", "baggage.text", RESOURCE} <= {
        each.carrier for each in report.outcomes if each.type == "URL_USERINFO"
    }
    assert any(
        note.startswith("sensitive values: mode keys looks for none; set") for note in report.not_tested
    )


def test_a_secret_key_name_that_a_rule_lets_through_is_named_and_found_when_it_is_asked_for(tmp_path):
    rule = {"name": "csrf", "paths": ("token",), "action": "keep", "even_secrets": True}
    lenient = settings(tmp_path, redaction={"rules": (rule,)}, exporters=("memory",))
    assert "secret key names that a rule of yours lets through: token" in run(lenient).not_tested
    assert {each.type for each in run(lenient, only=["key:token", "key:pin"]).leaks} == {"key:token"}


def test_a_secret_that_its_type_no_longer_hides_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("fapilog.controls.basics.SecretStr", str)
    report = run(settings(tmp_path, exporters=("memory",)), only=["SecretStr"])
    assert {each.type for each in report.leaks} == {"SecretStr"}


def test_a_secret_key_of_one_destination_is_sent_and_looked_for_there_alone(tmp_path):
    redaction = {"secret_keys": ("badge",), "destinations": {"file": {"secret_keys": ("order_id",)}}}
    report = run(settings(tmp_path, redaction=redaction, exporters=("memory", "file")))
    assert (report.passed, report.missing) == (True, [])
    assert {each.exporter for each in report.outcomes if each.type == "key:order_id"} == {"file"}
    assert {"memory", "file"} < {each.exporter for each in report.outcomes if each.type == "key:badge"}


PASSWORDS = {"name": "no-passwords", "paths": ("**.pin",), "action": "drop"}


@pytest.mark.parametrize(
    ("redaction", "short_of"),
    [
        ({"actions": {"EMAIL": "drop"}}, {"memory", "file", "console"}),
        ({"rules": (PASSWORDS,)}, {"memory", "file", "console"}),
        ({"destinations": {"memory": {"rules": (PASSWORDS,)}}}, {"memory"}),
        ({"destinations": {"file": {"rules": (PASSWORDS,)}}}, {"file"}),
        ({"destinations": {"console": {"rules": (PASSWORDS,)}}}, {"console"}),
    ],
)
def test_records_that_a_policy_drops_are_not_missed_where_it_counts(tmp_path, redaction, short_of):
    everywhere = ("memory", "file", "console")
    policy = settings(tmp_path, redaction={"mode": "scan", **redaction}, exporters=everywhere)
    report = run(policy, only=["EMAIL", "key:pin", "PAN"])
    assert (report.leaks, report.missing, report.passed) == ([], [], True)
    assert dropping(report) == short_of


def test_records_that_get_lost_beside_dropped_ones_are_missed(tmp_path, monkeypatch):
    async def refuse(self, batch):
        return ExportOutcome(rejected=len(batch))

    monkeypatch.setattr("fapilog.controls.places._Recorder.export_batch", refuse)
    redaction = {"mode": "scan", "destinations": {"memory": {"rules": (PASSWORDS,)}}}
    report = run(settings(tmp_path, redaction=redaction, exporters=("memory",)), only=["PAN", "key:pin"])
    assert {name for name, _, _ in report.missing} == {"memory"}
