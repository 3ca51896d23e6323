"""The README is one screen, its example prints what it shows, its links lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.contract.snippets import ROOT, run_python, snippets, without_times

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "examples/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)


def test_the_example_prints_the_output_below_it(tmp_path: Path):
    [example] = snippets("README.md")
    done = run_python(["-c", example.code], tmp_path)
    assert (done.returncode, example.output is not None) == (0, True)
    assert without_times(done.stdout) == without_times(example.output or "")


def test_the_example_is_six_lines():
    [example] = snippets("README.md")
    assert len([line for line in example.code.splitlines() if line]) == 6


def test_the_example_is_the_first_of_the_examples():
    [example] = snippets("README.md")
    hello = (ROOT / "examples" / "hello.py").read_text(encoding="utf-8")
    assert hello.partition('"""\n\n')[2] == example.code


def test_it_is_about_one_screen():
    assert len(README.splitlines()) <= 110


def test_the_benchmark_table_has_its_markers():
    assert re.findall(r"<!-- benchmarks:(?:start|end) -->", README) == [
        "<!-- benchmarks:start -->",
        "<!-- benchmarks:end -->",
    ]


def test_the_two_commands_are_there_and_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [
        name for name in ("demo", "test") if f"make {name} " not in README or f"\n{name}:" not in makefile
    ] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: str):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(
        r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    )
    dead = []
    for target, anchor in links:
        path = (ROOT / page).parent / target if target else ROOT / page
        if not path.exists() and path.name != "benchmarks.md":  # written by `make bench`
            dead.append(target)
        elif anchor and anchor not in anchors(path):
            dead.append(f"{target}#{anchor}")
    assert dead == []


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made from the text."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
