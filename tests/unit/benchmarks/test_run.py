"""The run of all benchmarks: how single ones are measured again."""

from __future__ import annotations

from typing import Any

from benchmarks.options import Options
from benchmarks.report import document, readme_table
from benchmarks.run import merged

ROW = {
    "library": "fapilog",
    "measurement": "rate",
    "value": 1.0,
    "unit": "/s",
    "headline": True,
}


def entry(title: str, value: float = 1.0) -> dict[str, Any]:
    row = ROW | {"value": value}
    return {"title": title, "lead": f"{title}?", "seconds": 1.0, "failure": None, "rows": [row]}


def results(**benchmarks: dict[str, Any]) -> dict[str, Any]:
    facts = {"date": "2026-01-01", "commit": "old", "cpu": "a cpu", "cores": "2", "python": "CPython 3.11"}
    return {"machine": facts, "quick": False, "short": False, "benchmarks": benchmarks}


def test_a_benchmark_that_is_measured_again_takes_its_place_and_says_when() -> None:
    last = results(memory=entry("Memory"), exporters=entry("Exporters"))
    new = results(exporters=entry("Exporters", 2.0), faults=entry("Faults"))
    new |= {"machine": {"date": "2026-01-02", "commit": "new", "httpx": "1"}, "short": True}
    own = {"measured": {"date": "2026-01-02", "commit": "new", "short": True}}
    assert merged(last, new) == {
        "machine": {"httpx": "1", **last["machine"]},
        "quick": False,
        "short": False,
        "benchmarks": {
            "exporters": entry("Exporters", 2.0) | own,
            "faults": entry("Faults") | own,
            "memory": entry("Memory"),
        },
    }


def test_the_pages_say_which_figures_are_of_another_day() -> None:
    last = results(memory=entry("Memory"), exporters=entry("Exporters"))
    new = results(exporters=entry("Exporters"))
    new |= {"machine": {"date": "2026-01-02", "commit": "new"}, "short": True}
    both = merged(last, new)
    said = "Measured on 2026-01-02, commit new, with fewer rounds (`--short`)."
    page = document(both)
    assert page.count(said) == 1
    assert page.index("## Exporters") < page.index(said) < page.index("## Memory")
    assert "2026-01-01. Exporters: 2026-01-02. In brackets" in readme_table(both)


def test_a_short_run_is_a_full_one_but_where_a_benchmark_takes_long() -> None:
    assert [Options().pick(9, 1), Options().pick(9, 1, 4)] == [9, 9]
    assert [Options(short=True).pick(9, 1), Options(short=True).pick(9, 1, 4)] == [9, 4]
    assert [Options(quick=True, short=True).pick(9, 1, 4)] == [1]
    assert "a short run" in document(results(memory=entry("Memory")) | {"short": True})
