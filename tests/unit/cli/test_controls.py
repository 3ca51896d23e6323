"""`fapilog controls`: the readable report, the signed one, and the exit codes."""

import json
from importlib.resources import files

import jsonschema
import pytest
from typer.testing import CliRunner

from fapilog.cli.main import app

SCHEMA = json.loads(files("fapilog.controls").joinpath("report.schema.json").read_text(encoding="utf-8"))
HOUSE = """
schema = 1
name = "house"
version = "3"
title = "House rules"
standard = "1"
published = 2026-01-01
updated = 2026-01-01
summary = "s"
[actions]
PAN = { do = "truncate:0:4", clause = "1" }
[[clauses]]
id = "1"
asks = "No PAN."
mechanism = "PAN is shortened."
checks = ["type:PAN", "key:pin"]
test = "t"
cannot = "Know more."
[[clauses]]
id = "2"
asks = "TLS."
mechanism = "http is refused."
checks = ["setting:tls"]
test = "t"
cannot = "c"
"""


@pytest.fixture
def files_of_a_service(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("FAPILOG_REDACTION", "FAPILOG_COMPLIANCE", "FAPILOG_EXPORTERS", "OTEL_LOGS_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "house.toml").write_text(HOUSE)
    # The other types are kept, so that the test is short.
    monkeypatch.setattr("fapilog.controls.running._looked_for", lambda _policy: frozenset({"PAN", "CVV"}))
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, ["controls", *map(str, arguments)])


def test_a_report_by_clause_is_printed_written_and_signed(files_of_a_service):
    assert run("new-key", "audit.key").exit_code == 0
    result = run("test", "--profile", "./house.toml", "--report", "report.json", "--key", "audit.key")
    assert result.exit_code == 0, result.output
    assert "profiles: house 3; policy " in result.stdout
    assert (
        "looked at: otlp, file, console" in result.stdout or "looked at: otlp, console, file" in result.stdout
    )
    assert "house 1  passed " in result.stdout
    assert "house 2  enforced " in result.stdout
    assert "exporters of yours: the settings name none" in result.stdout
    document = json.loads((files_of_a_service / "report.json").read_text())
    jsonschema.validate(document, SCHEMA)
    assert document["report"]["clauses"][0]["types"] == ["PAN", "key:pin"]
    verified = run("verify", "report.json", "--public-key", "audit.key.pub")
    assert (verified.exit_code, "unchanged; result: passed" in verified.stdout) == (0, True)


def test_a_report_that_was_changed_is_told(files_of_a_service):
    run("new-key", "audit.key")
    report = files_of_a_service / "report.json"
    run("test", "--profile", "./house.toml", "--report", report, "--key", "audit.key")
    document = json.loads(report.read_text())
    document["report"]["totals"]["failed"] = 1
    report.write_text(json.dumps(document))
    result = run("verify", report, "--public-key", "audit.key.pub")
    assert (result.exit_code, "changed after it was signed" in result.stderr) == (1, True)
    report.write_text("{")
    assert run("verify", report, "--public-key", "audit.key.pub").exit_code == 1


def test_a_leak_ends_with_exit_code_1_and_is_named_without_its_value(files_of_a_service):
    (files_of_a_service / "now.yaml").write_text("redaction: {mode: keys}\nexporters: [console]\n")
    result = run("test", "--settings", "now.yaml")
    assert result.exit_code == 1
    assert "leaked: PAN in body.str at console (plain)" in result.stdout
    assert "result: failed" in result.stdout
    assert "4111" not in result.output


def test_wrong_settings_end_with_an_error(files_of_a_service):
    (files_of_a_service / "key").write_text("x")
    assert run("test", "--profile", "unknown").exception is not None
    assert run("new-key", "key").exit_code == 1


def test_without_a_mode_and_a_profile_what_mode_keys_promises_is_tested(files_of_a_service, monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(files_of_a_service)
    (files_of_a_service / "now.yaml").write_text("exporters: [memory]\nredaction: {mode: keys}\n")
    result = run("test", "--settings", "now.yaml")
    assert (result.exit_code, "result: passed" in result.stdout) == (0, True)
    assert "sensitive values: mode keys looks for none; set redaction.mode" in result.stdout


def test_a_report_about_nothing_says_what_to_do(files_of_a_service, monkeypatch):
    monkeypatch.setattr("fapilog.controls.running._looked_for", lambda _policy: frozenset())
    monkeypatch.setattr("fapilog.controls.basics.types_of", lambda _policy: frozenset())
    (files_of_a_service / "now.yaml").write_text("exporters: [memory]\n")
    result = run("test", "--settings", "now.yaml")
    assert result.exit_code == 1
    assert (
        "nothing was sent, so nothing can be said: set redaction.mode (FAPILOG_REDACTION) to scan"
        in result.stdout
    )
