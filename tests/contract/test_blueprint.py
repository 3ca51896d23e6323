"""docs/blueprint.md stays true: every component has a row, every module and test that a row names exists."""

import re

import pytest

from tests.contract.snippets import ROOT

HEAD = ["blueprint", "part", "modules", "tests", "status"]
TOPICS = {
    "OpenTelemetry interfaces",
    "durability",
    "redaction and compliance",
    "FastAPI",
    "exporters and plugins",
    "audit",
}
# The components of the original documents, in their own words.
COMPONENTS = """
AsyncLogger; create(); zero config; AsyncLoggingContainer; isolation; no global state; AsyncPipeline;
enrich; process; queue; sinks; AsyncQueue; batching; overflow strategies; zero-copy; memory-mapped
persistence; stdout; stderr; file; rotation; null; http; memory; filter; throttle; format; dedupe; sampling;
timestamp; correlation; context; hostname; user; k8s; system; simple; json; logfmt; minimal; canonical
formats; ComplianceEngine; PCI; HIPAA; SOX; GDPR; SOC2; minimisation; redaction beyond regex; encryption;
retention; access control; testable controls; Immutable log storage; audit trails; integrity check;
PluginRegistry; PluginMetadata; versioning; validation; marketplace; search; install; scan;
MetricsCollector; health; dashboards; Error hierarchy; retry; circuit breaker; fallback levels;
AsyncSmartCache; lock management; background cleanup; UniversalSettings; env; YAML; hot reload; middleware;
lifecycle; DI; exceptions; request logger; test fixtures; Splunk; ELK; Datadog; Loki; Kafka; cloud;
categories; severities; rules; webhook; Slack; CLI; plugin generator; validator; docs; CI templates
"""


def rows() -> list[dict[str, str]]:
    lines = re.findall(
        r"^\| (.+) \|$", (ROOT / "docs" / "blueprint.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    cells = [[cell.strip() for cell in re.split(r"\s*\|\s*", line)] for line in lines]
    assert cells[0] == HEAD
    return [dict(zip(HEAD, row, strict=True)) for row in cells[1:] if set(row) != {"---"}]


ROWS = rows()


def test_every_component_has_a_row():
    named = " ; ".join(row["blueprint"] for row in ROWS).lower().replace("`", "")
    words = [word.strip() for word in COMPONENTS.replace("\n", " ").split(";")]
    assert [word for word in words if word.lower() not in named] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["blueprint"])
def test_every_module_and_test_of_a_row_exists(row):
    named = re.findall(r"`([^`]+)`", row["modules"] + row["tests"])
    assert [name for name in named if not (ROOT / name).is_file()] == []
    assert all(
        name.startswith(("fapilog/", "native/src/", "docs/", "instrumentation/", "exporters/"))
        for name in re.findall(r"`([^`]+)`", row["modules"])
    )
    assert all(
        re.match(r"(tests|native/tests|instrumentation/fastapi/tests|exporters/\w+/tests)/", name)
        for name in re.findall(r"`([^`]+)`", row["tests"])
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["blueprint"])
def test_a_row_is_here_with_module_and_test_or_names_the_topic_it_comes_with(row):
    topic = re.search(r"comes? with (.+)$", row["status"])
    if topic:
        assert topic[1] in TOPICS
    if "here" in row["status"]:
        assert row["modules"]
        assert row["tests"]
    assert topic or row["status"] == "here"
