"""What a log call costs the thread that makes it, beside an empty Python function called alike."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.libraries import ADAPTERS, DEFAULTS, NotInstalledError
from benchmarks.measure import Goal, Row, best, missing
from benchmarks.options import Options
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.servers import null_receiver
from benchmarks.worker import Worker

GOALS = {"five": Goal(at_most=1.0, of="ratio"), "disabled": Goal(at_most=0.25, of="ratio")}
EMPTY = "empty function, **attributes"
DECLARED = "empty function, declared"
LATENCY_RATE = 100_000
COLLECTOR_DELAY_SECONDS = 0.25
LATENCY_LABELS = {"p50": "p50", "p99": "p99", "p999": "p99.9", "max": "max"}

Sample = dict[str, float | None]


def run(options: Options) -> list[Row]:
    """Return the rows of cost and of latency."""
    return cost_rows(options) + latency_rows(options)


def cost_rows(options: Options) -> list[Row]:
    """Measure every scenario of every library; one round visits all of them before the next begins."""
    with ExitStack() as stack:
        workers, rows = start_workers(stack)
        samples: dict[str, dict[str, list[Sample]]] = {scenario.name: {} for scenario in SCENARIOS}
        for _ in range(options.pick(5, 2)):
            for scenario in SCENARIOS:
                for worker in workers:
                    n = calls(worker.library, scenario, options)
                    sample = worker.ask("cost", scenario=scenario.name, n=n, repeats=options.pick(5, 3))
                    samples[scenario.name].setdefault(worker.library, []).append(sample)
    for scenario in SCENARIOS:
        found = samples[scenario.name]
        empty, baselines = baseline_rows(scenario, [sample for one in found.values() for sample in one])
        rows += baselines
        rows += [library_row(name, scenario, one, empty) for name, one in found.items()]
    return rows + bridge_rows(rows)


def start_workers(stack: ExitStack) -> tuple[list[Worker], list[Row]]:
    """Start and set up one process per library; return them, and the rows of those that are missing."""
    endpoint = stack.enter_context(null_receiver()).endpoint
    workers: list[Worker] = []
    rows: list[Row] = []
    for name in ADAPTERS:
        try:
            workers.append(stack.enter_context(Worker(name)))
        except NotInstalledError as error:
            for scenario in SCENARIOS:
                rows += missing([name], scenario.title, "ns", str(error), GOALS.get(scenario.name))
        else:
            workers[-1].ask("prepare", endpoint=endpoint, hold=True)
    return workers, rows


def calls(name: str, scenario: Scenario, options: Options) -> int:
    """Return the calls of one run: a few milliseconds, so that queues stay small and the clock is exact."""
    fast = scenario.level == "debug" or (name == "fapilog" and scenario.level == "info")
    return 20_000 if fast else options.pick(1_000, 300)


def bridge_rows(rows: list[Row]) -> list[Row]:
    """Return what fapilog's bridge adds to a `logging` call that a NullHandler takes."""
    by_key = {(row.library, row.measurement): row.value for row in rows}
    five = SCENARIOS[0].title
    with_bridge, floor = by_key.get(("fapilog stdlib bridge", five)), by_key.get(("stdlib null", five))
    added = with_bridge - floor if with_bridge is not None and floor is not None else None
    title, goal = "added to logging by the bridge", Goal(at_most=1.0)
    note = "" if added is not None else "not installed"
    return [
        Row(
            "fapilog",
            title,
            added / 1000 if added is not None else None,
            "µs",
            goal=goal,
            note=note,
            group="Bridge",
        )
    ]


def baseline_rows(scenario: Scenario, samples: list[Sample]) -> tuple[float, list[Row]]:
    """Return the unit of the ratios and the rows of the two empty functions.

    The unit is the empty function's best time in any process: the strictest choice for every library.
    """
    empty = best(s["empty_ns"] for s in samples if s["empty_ns"])
    rows = [Row(EMPTY, scenario.title, empty, "ns", 1.0, headline=scenario.name == "five")]
    declared = [s["declared_ns"] for s in samples if s["declared_ns"]]
    if declared:
        rows.append(Row(DECLARED, scenario.title, best(declared), "ns", best(declared) / empty))
    return empty, rows


def library_row(name: str, scenario: Scenario, samples: list[Sample], empty: float) -> Row:
    """Return one library's row."""
    ours = [s["ns"] for s in samples if s["ns"] is not None]
    if not ours:
        return Row(name, scenario.title, None, "ns", note=f"{scenario.title}: not offered")
    goal = GOALS.get(scenario.name) if name == "fapilog" else None
    headline = scenario.name == "five"
    return Row(name, scenario.title, best(ours), "ns", best(ours) / empty, goal=goal, headline=headline)


def latency_rows(options: Options) -> list[Row]:
    """Time single calls at a steady rate while the collector takes a quarter of a second per request."""
    rows: list[Row] = []
    group = (
        f"Latency at {LATENCY_RATE:,} calls/s, the collector takes {COLLECTOR_DELAY_SECONDS * 1000:.0f} ms"
    )
    p99_goal = Goal(at_most=5.0)
    for name in ("fapilog", DEFAULTS):
        with null_receiver("slow", COLLECTOR_DELAY_SECONDS) as receiver:
            try:
                worker = Worker(name, FAPILOG_OVERFLOW="drop_oldest")
            except NotInstalledError as error:
                for label in LATENCY_LABELS.values():
                    rows += missing(
                        [name], label, "µs", str(error), p99_goal if label == "p99" else None, group
                    )
                continue
            with worker:
                worker.ask("prepare", endpoint=receiver.endpoint)
                found = worker.ask("latency", rate=LATENCY_RATE, n=options.pick(300_000, 50_000))
        for key, label in LATENCY_LABELS.items():
            goal = p99_goal if name == "fapilog" and key == "p99" else None
            rows.append(Row(name, label, found[key] / 1000, "µs", goal=goal, group=group))
        rows.append(Row(name, "rate reached", found["rate"], "/s", better="higher", group=group))
        rows.append(Row(name, "records lost", found["lost"], "", group=group))
    return rows


if __name__ == "__main__":
    from benchmarks.report import print_rows

    print_rows(run(Options.from_arguments()))
