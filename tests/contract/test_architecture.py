"""The architecture page and the decisions say what is true of the code: places exist, pages are whole."""

import re

import pytest

from tests.contract.snippets import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PLACES = sorted(set(re.findall(r"`((?:fapilog|native)/[\w/]+\.(?:py|rs)):(\w+)`", PAGE)))
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives", "Evidence"]


def test_the_page_names_places():
    assert len(PLACES) > 25


@pytest.mark.parametrize(("path", "name"), PLACES, ids=str)
def test_a_place_exists(path: str, name: str):
    text = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"\b(?:def|fn|class) {name}\b", text), f"{path} defines no {name}"


def test_every_module_of_the_stage_table_exists():
    rows = re.findall(r"^\| [1-7] \|.*$", PAGE, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([\w/]+\.(?:py|rs))`", row)]
    homes = {".py": ROOT / "fapilog", ".rs": ROOT / "native" / "src"}
    assert [name for name in named if not (homes[name[-3:]] / name).is_file()] == []


def test_the_layers_are_those_that_import_linter_checks():
    configured = re.findall(
        r'^    "([\w| ()]+)",', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    )
    layers = [re.sub(r"[()]", "", layer) for layer in configured if layer != "class"]
    drawn = PAGE.partition("```\ncli ")[2].partition("```")[0]
    shown = [re.split(r" {2,}", line)[0].strip() for line in f"cli {drawn}".strip().splitlines()]
    assert shown == layers[-len(shown) :]


def test_decisions_are_numbered_without_gaps_and_listed_on_the_page():
    assert [path.name[:4] for path in DECISIONS] == [
        f"{number:04}" for number in range(1, len(DECISIONS) + 1)
    ]
    assert re.findall(r"^\| \[\d{4}\]\(adr/(.+?)\)", PAGE, re.MULTILINE) == [path.name for path in DECISIONS]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name)
def test_a_decision_is_one_page_with_all_sections_and_a_status(path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert re.match(rf"# {path.name[:4]}: .+\n\nStatus: (accepted|superseded by \d{{4}}), \d", text)
    assert len(text.splitlines()) <= 60
