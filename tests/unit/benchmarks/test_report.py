"""The pure parts of the benchmarks: statistics, rows, tables, pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.instructions import exceeded, same_build
from benchmarks.measure import TIMES, Goal, Row, format_ratio, format_value, missing, percentile
from benchmarks.null_receiver import content_length
from benchmarks.report import document, goals, insert_between_markers, losses, pivot, readme_table, verdict
from benchmarks.scenarios import ROW_COUNT, varied_rows

FAST = Row("fapilog", "call", 100.0, "ns", 0.8, goal=Goal(at_most=1.0, of="ratio"), headline=True)
SLOW = Row("stock", "call", 10_000.0, "ns", 80.0, headline=True)
ABSENT = Row("loguru", "call", None, "ns", note="not installed: No module named 'loguru'")


def results(*rows: Row, quick: bool = False, failure: str | None = None) -> dict:
    return {
        "machine": {"date": "2026-01-01", "cpu": "a cpu", "cores": "2", "python": "CPython 3.11"},
        "quick": quick,
        "benchmarks": {
            "caller_cost": {
                "title": "Cost",
                "lead": "What a call costs.",
                "seconds": 1.0,
                "failure": failure,
                "rows": [row.to_json() for row in rows],
            }
        },
    }


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100), (0.01, 1), (0.001, 1)]
)
def test_a_percentile_is_the_nearest_rank(fraction: float, expected: int) -> None:
    assert percentile(range(1, 101), fraction) == expected


@given(st.lists(st.integers(), min_size=1), st.floats(min_value=0.001, max_value=1))
def test_at_least_the_asked_fraction_of_values_is_at_or_below_the_percentile(
    values: list[int], fraction: float
) -> None:
    found = percentile(sorted(values), fraction)
    assert found in values
    assert sum(value <= found for value in values) >= fraction * len(values)


@pytest.mark.parametrize(("values", "fraction"), [([], 0.5), ([1], 0), ([1], 1.1)])
def test_a_percentile_of_nothing_or_outside_its_range_is_an_error(values: list[int], fraction: float) -> None:
    with pytest.raises(ValueError, match=r"fraction|no values"):
        percentile(values, fraction)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "n/a"),
        (0.0, "0 ns"),
        (12.345, "12.3 ns"),
        (178.9, "179 ns"),
        (9_863.0, "9,860 ns"),
        (4_123_456.0, "4,120,000 ns"),
        (-3.1, "-3.1 ns"),
    ],
)
def test_a_figure_is_written_with_three_digits(value: float | None, text: str) -> None:
    assert format_value(value, "ns") == text


def test_a_ratio_keeps_two_digits_below_ten_and_none_behind_the_point_above() -> None:
    assert [format_ratio(ratio) for ratio in (None, 0.812, 25.4, 1098.0)] == [
        "",
        f"0.81 {TIMES}",
        f"25 {TIMES}",
        f"1,098 {TIMES}",
    ]


@pytest.mark.parametrize(
    ("goal", "value", "ratio", "expected"),
    [
        (Goal(at_most=60), 60.0, None, "met"),
        (Goal(at_most=60), 90.0, None, "missed by 50%"),
        (Goal(at_least=4e6), 3e6, None, "missed by 25%"),
        (Goal(at_most=0), 1.0, None, "missed"),
        (Goal(at_most=1.0, of="ratio"), 500.0, 0.9, "met"),
        (Goal(at_most=1.0, of="ratio"), 0.1, 1.1, "missed by 10%"),
        (Goal(at_most=60), None, None, "not measured"),
    ],
)
def test_a_goal_is_met_or_missed_by_a_share_of_its_bound(
    goal: Goal, value: float | None, ratio: float | None, expected: str
) -> None:
    assert verdict(Row("fapilog", "m", value, "B", ratio, goal=goal)) == expected


def test_a_row_survives_the_results_file() -> None:
    assert [Row.from_json(row.to_json()) for row in (FAST, SLOW, ABSENT)] == [FAST, SLOW, ABSENT]


def test_a_missing_library_stays_a_row_and_only_fapilog_keeps_the_goal() -> None:
    goal = Goal(at_most=60)
    assert missing(["fapilog", "loguru"], "memory", "B", "not installed", goal, "Group") == [
        Row("fapilog", "memory", None, "B", goal=goal, note="not installed", group="Group"),
        Row("loguru", "memory", None, "B", note="not installed", group="Group"),
    ]


def test_a_table_shows_figure_ratio_and_absence() -> None:
    assert pivot([FAST, SLOW, ABSENT]).splitlines() == [
        "| library | call |",
        "| --- | ---: |",
        f"| fapilog | 100 ns (0.8 {TIMES}) |",
        f"| stock | 10,000 ns (80 {TIMES}) |",
        "| loguru | not installed |",
    ]


def test_a_table_of_many_measurements_is_turned() -> None:
    rows = [Row("fapilog", f"m{index}", 1.0, "s") for index in range(7)]
    assert pivot(rows).splitlines()[0] == "| measurement | fapilog |"


def test_goals_of_the_same_measurement_are_told_apart_by_table_or_by_library() -> None:
    goal = Goal(at_most=2)
    rows = [
        Row("fapilog", "lost", 0, "", goal=goal, group="refused"),
        Row("fapilog", "lost", 1, "", goal=goal, group="slow"),
        Row("fapilog, a", "twice", 0, "", goal=goal, group="slow"),
        Row("fapilog, b", "twice", 0, "", goal=goal, group="slow"),
        Row("fapilog", "p99", 1, "µs", goal=goal, group="slow"),
    ]
    names = [line.split(" | ")[0].removeprefix("| ") for line in goals(rows).splitlines()[2:]]
    assert names == ["refused: lost", "slow: lost", "twice, fapilog, a", "twice, fapilog, b", "p99"]


def test_a_better_peer_is_named_and_the_baselines_are_no_peers() -> None:
    rows = [
        Row("fapilog", "import", 50.0, "ms"),
        Row("loguru", "import", 40.0, "ms"),
        Row("stock", "import", 90.0, "ms"),
        Row("fapilog", "rate", 10.0, "/s", better="higher"),
        Row("stock", "rate", 20.0, "/s", better="higher"),
        Row("empty function", "import", 1.0, "ms"),
        Row("stock", "import", 1.0, "ms", group="another table"),
        Row("fapilog, keys", "added", 9.0, "µs", goal=Goal(at_most=20)),
        Row("fapilog, scan", "added", 12.0, "µs"),
        Row("bare app", "added", 0.0, "µs"),
        Row("stock", "added", 8.0, "µs"),
    ]
    assert losses(rows) == [
        "import: fapilog 50 ms, better: loguru 40 ms",
        "rate: fapilog 10 /s, better: stock 20 /s",
        "added: fapilog, keys 9 µs, better: stock 8 µs",
    ]


def test_the_page_holds_machine_tables_goals_notes_and_failures() -> None:
    page = document(results(FAST, SLOW, ABSENT, quick=True, failure="LossError: one record"))
    for part in (
        "| cpu | a cpu |",
        "This was a quick run",
        "## Cost",
        "**Failed:** LossError: one record",
        f"| call | ≤ 1 {TIMES} | 100 ns (0.8 {TIMES}) | met |",
        "- loguru: not installed: No module named 'loguru'",
    ):
        assert part in page
    assert "better" not in page


def test_the_readme_shows_only_headline_rows_of_the_measurements() -> None:
    text = readme_table(results(FAST, SLOW, Row("stock", "detail", 1.0, "s")))
    assert text.splitlines()[:4] == [
        "| library | call |",
        "| --- | ---: |",
        f"| fapilog | 100 ns (0.8 {TIMES}) |",
        f"| stock | 10,000 ns (80 {TIMES}) |",
    ]
    assert readme_table(results()) == "No figures yet: run `make bench`."


def test_the_table_replaces_what_stood_between_the_markers_and_nothing_else() -> None:
    text = "above\n<!-- benchmarks:start -->\nold\n<!-- benchmarks:end -->\nbelow\n"
    once = insert_between_markers(text, "new")
    assert once == "above\n<!-- benchmarks:start -->\nnew\n<!-- benchmarks:end -->\nbelow\n"
    assert insert_between_markers(once, "new") == once


@pytest.mark.parametrize(
    "text",
    [
        "no markers",
        "<!-- benchmarks:start -->",
        "<!-- benchmarks:end --><!-- benchmarks:start -->",
        "<!-- benchmarks:start --><!-- benchmarks:start --><!-- benchmarks:end -->",
    ],
)
def test_a_readme_without_one_pair_of_markers_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="benchmarks:start"):
        insert_between_markers(text, "new")


def test_the_gate_names_counts_above_the_limit_and_counts_without_one() -> None:
    counts = {"fapilog/five": 1031.0, "fapilog/none": 1030.0, "fapilog/ten": 5.0, "empty function/five": 9e9}
    lines = exceeded(counts, {"fapilog/five": 1000, "fapilog/none": 1000})
    assert [line.partition(":")[0] for line in lines] == ["fapilog/five", "fapilog/ten"]


def test_limits_of_another_interpreter_build_are_recognised_by_the_empty_function() -> None:
    limits = {"empty function/five": 1000, "fapilog/five": 10}
    assert same_build({"empty function/five": 1020.0, "fapilog/five": 99.0}, limits)
    assert not same_build({"empty function/five": 700.0, "fapilog/five": 10.0}, limits)


@pytest.mark.parametrize(
    ("head", "length"),
    [
        (b"POST /v1/logs HTTP/1.1\r\nContent-Length: 12\r\n\r\n", 12),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length:7\r\n\r\n", 7),
        (b"GET /stats HTTP/1.1\r\n\r\n", 0),
    ],
)
def test_the_receiver_reads_the_content_length_in_any_case(head: bytes, length: int) -> None:
    assert content_length(head) == length


def test_the_rows_of_a_stream_are_the_same_in_every_process() -> None:
    rows = varied_rows()
    assert rows == varied_rows()
    assert len(rows) == ROW_COUNT
    assert len(set(rows)) > 0.99 * ROW_COUNT
