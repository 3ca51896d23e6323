"""The soak of `make soak`, short: nothing grows and nothing is lost while the receiver flaps."""

import subprocess
import sys
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from fapilog import Ledger
from fapilog.ledger import ExporterLedger
from tests.integration.faults.soak import MIB, ROOT, Sample, Soak
from tests.servers.flapping import covered

COMMON = ("--rate", "20000", "--good-seconds", "0.4", "--bad-seconds", "0.2")
DURABLE = ("--spool", "--durability", "process")
SIDE = ExporterLedger(accepted=9, delivered=9, rejected=0, dropped=MappingProxyType({}), pending=0)
GOOD = Soak(
    asked_rate=9,
    rate=9.0,
    samples=[Sample(second, 50 * MIB, 7, 9) for second in range(9)],
    unbalanced=[],
    ledger=Ledger(9, 0, MappingProxyType({}), 9, 0, MappingProxyType({"otlp": SIDE})),
    received={"requests": 2, "records": 9, "distinct": 9, "missing": 0, "answers_lost": 0},
)


def cell(seconds: int, *flags: str) -> Any:
    marks = [pytest.mark.long] if seconds > 5 else []
    return pytest.param((f"--seconds={seconds}", *flags), id=f"{seconds}-{' '.join(flags)}", marks=marks)


@pytest.mark.parametrize(
    "flags",
    [
        cell(4, *DURABLE),
        cell(12),
        cell(12, "--spool"),
        cell(12, *DURABLE),
        *(cell(12, "--durability", level) for level in ("memory", "process", "power")),
    ],
)
def test_some_seconds_of_soak_find_no_problem(flags: tuple[str, ...]) -> None:
    # A process of its own: what other tests left behind would count.
    command = [sys.executable, "-m", "tests.integration.faults.soak", *COMMON, *flags]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_soak_names_what_is_wrong() -> None:
    side = replace(SIDE, delivered=8, dropped=MappingProxyType({"overflow_oldest": 1}))
    bad = replace(
        GOOD,
        samples=[Sample(second, (50 + 8 * second) * MIB, 7 + second, 9 + second) for second in range(9)],
        unbalanced=[GOOD.ledger],
        ledger=replace(GOOD.ledger, exporters=MappingProxyType({"otlp": side})),
        received={"requests": 2, "records": 10, "distinct": 8, "missing": 1, "answers_lost": 0},
    )
    assert GOOD.problems() == []
    assert [problem.split(":")[0] for problem in bad.problems()] == [
        "memory grew from 82.0 to 106.0 MiB",
        "memory grows by 480.00 MiB per minute",
        "threads were added",
        "descriptors were added",
        "1 ledgers did not add up",
        "not everything was delivered",
        "the receiver misses records",
        "records came twice without a lost answer",
    ]
    assert replace(GOOD, spooled=0).problems() == ["nothing went to the disk"]


def test_a_soak_of_minutes_may_not_grow_by_little_either() -> None:
    samples = [Sample(second, 90 * MIB + second * MIB // 40, 7, 9) for second in range(0, 600, 10)]
    assert replace(GOOD, samples=samples).problems() == ["memory grows by 1.50 MiB per minute"]
    flat = [replace(sample, rss_bytes=90 * MIB + sample.threads) for sample in samples]
    assert replace(GOOD, samples=flat).problems() == []


def test_ranges_of_numbers_add_up_whatever_their_order() -> None:
    assert covered([]) == (0, 0)
    assert covered([(3, 5), (0, 2)]) == (6, 6)
    assert covered([(0, 2), (4, 5), (0, 2), (1, 4)]) == (6, 6)
    assert covered([(0, 1), (3, 3)]) == (3, 4)
