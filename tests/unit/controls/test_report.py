"""The report: its schema, its result by clause, and who vouches for it."""

import base64
import datetime
import doctest
import importlib
import json
import stat
from importlib.resources import files

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from fapilog.compliance import Clause, combine
from fapilog.compliance.profile import Profile
from fapilog.controls import clauses, signature
from fapilog.controls.report import Outcome, Report, policy_hash
from fapilog.errors import ConfigurationError
from fapilog.settings import Settings

SCHEMA = json.loads(files("fapilog.controls").joinpath("report.schema.json").read_text(encoding="utf-8"))
NOW = datetime.datetime(2026, 11, 29, 12, 0, 0, 5, tzinfo=datetime.UTC)


def clause(name, *checks):
    return Clause(id=name, asks="a", mechanism="m", checks=checks, test="t", cannot="c")


PROFILE = Profile(
    schema=1,
    name="house",
    version="2",
    title="House rules",
    standard="1",
    published="2026-01-01",
    updated="2026-01-01",
    summary="s",
    clauses=(
        clause("1", "type:PAN", "carrier:*"),
        clause("2", "group:contact"),
        clause("3", "setting:tls"),
        clause("4", "key:pin"),
        clause("5"),
    ),
)


def a_report() -> Report:
    report = Report(policy_hash(Settings.load(environ={})), ["EMAIL", "PAN"])
    report.add_exporters(["otlp", "console"])
    report.add(Outcome("otlp", "body.str", "PAN", "passed", None))
    report.add(Outcome("console", "body.str", "PAN", "leaked", "base64"))
    report.add(Outcome("otlp", "attribute.str", "EMAIL", "passed", None))
    report.add(Outcome("otlp", "negative", "EMAIL", "altered", None))
    report.clauses = clauses.rows(combine([PROFILE]), report)
    report.profiles = [{"name": "house", "version": "2"}]
    report.not_tested = ["spans"]
    return report


@pytest.mark.parametrize("name", ["vectors", "clauses", "report", "signature"])
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"fapilog.controls.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)


def test_the_report_is_as_its_schema_says(tmp_path):
    signature.new_key(tmp_path / "key")
    document = signature.signed(a_report().plain(NOW), tmp_path / "key")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA)
    jsonschema.validate(signature.unsigned(a_report().plain(NOW)), SCHEMA)
    assert document["report"]["time"] == "2026-11-29T12:00:00+00:00"


def test_a_clause_fails_with_any_of_its_types_and_says_what_was_not_tested():
    found = {row["id"]: (row["result"], row["vectors"], row["failed"]) for row in a_report().clauses}
    assert found == {
        "1": ("failed", 2, 1),
        "2": ("passed", 1, 0),
        "3": ("enforced", 0, 0),
        "4": ("not tested", 0, 0),
        "5": ("not tested", 0, 0),
    }


def test_secret_key_names_of_clauses_are_sent_too():
    asked = clauses.asked(combine([PROFILE]))
    assert asked >= {"PAN", "EMAIL", "key:pin"}
    [vector] = clauses.key_vectors(asked)
    assert (vector.type, vector.key) == ("key:pin", "pin")


def test_totals_add_up_and_a_leak_is_a_failure():
    plain = a_report().plain(NOW)
    assert plain["totals"] == {"vectors": 3, "passed": 2, "failed": 1, "altered": 1}
    assert plain["types"] == {
        "EMAIL": {"vectors": 1, "passed": 1, "failed": 0},
        "PAN": {"vectors": 2, "passed": 1, "failed": 1},
    }
    assert plain["result"] == "failed"


def test_a_report_of_nothing_has_not_passed():
    assert not Report("0" * 64, []).passed


def test_the_hash_is_that_of_the_policy_alone():
    one = Settings.load(environ={}, redaction="scan")
    assert policy_hash(one) == policy_hash(one.with_changes(level="debug"))
    assert policy_hash(one) != policy_hash(
        one.with_changes(redaction={"mode": "scan", "actions": {"PAN": "mask:4"}})
    )


def test_a_signed_report_is_checked_with_the_public_key_alone(tmp_path):
    public = signature.new_key(tmp_path / "key")
    document = json.loads(json.dumps(signature.signed(a_report().plain(NOW), tmp_path / "key")))
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert signature.problem_with(document, public) is None
    # Another implementation says so too.
    key = load_pem_public_key(public.read_bytes())
    value = base64.b64decode(document["signature"]["value"])
    key.verify(value, signature.canonical(document["report"]))


def test_a_key_of_openssl_signs_as_well(tmp_path):
    made = Ed25519PrivateKey.generate()
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key").write_bytes(pem)
    document = signature.signed({"format": "x"}, tmp_path / "key")
    value = base64.b64decode(document["signature"]["value"])
    made.public_key().verify(value, signature.canonical({"format": "x"}))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda document: document["report"].update(result="passed"), "changed after it was signed"),
        (lambda document: document.update(signature=None), "not signed"),
        (lambda document: document["signature"].update(value="!"), "cannot be read"),
        (lambda document: document["signature"].update(algorithm="rsa"), "not signed with ed25519"),
        (lambda document: document.pop("report"), "no report"),
    ],
)
def test_what_is_wrong_with_a_signature_is_said(tmp_path, change, problem):
    public = signature.new_key(tmp_path / "key")
    document = signature.signed(a_report().plain(NOW), tmp_path / "key")
    change(document)
    assert problem in (signature.problem_with(document, public) or "")


def test_another_key_is_named_as_the_reason(tmp_path):
    signature.new_key(tmp_path / "one")
    other = signature.new_key(tmp_path / "other")
    document = signature.signed({"a": 1}, tmp_path / "one")
    assert signature.problem_with(document, other) == "it is signed with another key"


def test_a_file_that_is_no_key_is_refused_and_a_key_is_never_written_over(tmp_path):
    (tmp_path / "text").write_text("no key")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        signature.signed({}, tmp_path / "text")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        signature.problem_with({}, tmp_path / "missing")
    signature.new_key(tmp_path / "key")
    with pytest.raises(FileExistsError):
        signature.new_key(tmp_path / "key")
