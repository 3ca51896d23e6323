"""What `scan` finds and does not find, as the how-to says it: neither more nor less is promised."""

import pytest

from fapilog.controls import run
from fapilog.redaction import Redactor
from fapilog.settings import Settings
from fapilog.settings.redaction import RedactionSettings
from tests.contract.snippets import ROOT

PAGE = (ROOT / "docs" / "how-to" / "redact.md").read_text(encoding="utf-8")
LIMITS = PAGE.partition("## What it does not find")[2]
SCAN = Redactor(RedactionSettings(mode="scan"))


@pytest.mark.parametrize(
    "text",
    [
        "Anna Meyer ordered",
        "10 Downing Street, London",
        "536221034",
        "my login is bob and hunter2",
        "ann%2540example.org",
        "NDExMTExMTExMTExMTExMQ==",
        "ann&#64;example.org",
        "four one one one",
        "ann (at) example dot org",
    ],
)
def test_what_the_page_says_is_kept_is_named_there_and_kept(text):
    assert (f"`{text}" in LIMITS, SCAN.text(text)) == (True, text)


@pytest.mark.parametrize("text", ["patient Anna Meyer", "ssn 536221034"])
def test_what_the_page_says_is_found_is_named_there_and_found(text):
    assert (f"`{text}`" in LIMITS, "[REDACTED:" in SCAN.text(text)) == (True, True)


def test_the_sample_of_the_control_tests_has_the_numbers_of_this_version():
    report = run(Settings.load(environ={}, redaction="scan", exporters=("console",)), only=["PAN"])
    page = (ROOT / "docs" / "how-to" / "test_the_controls.md").read_text(encoding="utf-8")
    assert f"types in {len(report.plain()['carriers'])} carriers" in page
