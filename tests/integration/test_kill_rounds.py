"""`kill -9` again and again: while logging, while recovering, and while the collector is away."""

import collections
import random
import signal
from pathlib import Path

import pytest

from fapilog.testing import OtlpReceiver
from tests.integration.harness import start

PER_ROUND = 1_000_000
ENOUGH_CALLS = 255
# Twice comes what was in flight, or between the spool and giving its slot back, at a death: at most two
# blocks of up to 256 records, and few of the deaths come then. Runs have shown 13 to 23 records per death.
TWICE_PER_DEATH = 128


@pytest.mark.parametrize(
    ("rounds", "level"),
    [
        pytest.param(50, "process", id="50"),
        pytest.param(1_000, "process", id="1000", marks=[pytest.mark.long, pytest.mark.timeout(1_800)]),
        pytest.param(200, "power", id="200-power", marks=[pytest.mark.long, pytest.mark.timeout(1_800)]),
    ],
)
def test_what_calls_returned_from_arrives_however_often_processes_are_killed(
    receiver: OtlpReceiver, tmp_path: Path, rounds: int, level: str
) -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    variables = {
        "FAPILOG_SPOOL_DIRECTORY": str(tmp_path / "spool"),
        "FAPILOG_RING_DIRECTORY": str(tmp_path / "ring"),
        "FAPILOG_DURABILITY": level,
    }
    program = start("kill_rounds.py", receiver.logs_endpoint, str(rounds), str(seed), **variables)
    returned, on_disk, is_away = {}, 0, False
    for number in range(rounds):
        if (chance.random() < 0.4) != is_away:
            is_away = not is_away
            receiver.refuse_connections() if is_away else receiver.accept_again()
        program.stdin.write("go on\n")
        program.stdin.flush()
        said = program.stdout.readline().split()
        assert said[:1] == [str(number)], (seed, said, program.stderr.read())
        returned[number], ended, segments = map(int, said[1:])
        assert ended == -signal.SIGKILL, f"seed {seed}: child {number} ended by itself with {ended}"
        on_disk += segments > 0
    if is_away:
        receiver.accept_again()
    out, err = program.communicate("go on\n", timeout=600)
    assert out.split() == ["end", "1"], (seed, err)
    # The harness did what it says: children died in the middle of their work, and of blocks on the disk too.
    assert sum(returned.values()) > ENOUGH_CALLS * rounds, f"seed {seed}: {returned}"
    assert on_disk > rounds // 10, f"seed {seed}: {on_disk}"

    arrived = collections.Counter(int(record.body) for record in receiver.log_records)
    expected = {each * PER_ROUND + count for each, total in returned.items() for count in range(total)}
    missing = expected - arrived.keys()
    assert not missing, f"seed {seed}: {len(missing)} of {len(expected)} are missing, such as {min(missing)}"
    # The call that was under way when the process died may have stored its record.
    under_way = {each * PER_ROUND + total for each, total in returned.items()} | {-1}
    assert arrived.keys() <= expected | under_way, f"seed {seed}"
    doubled = sum(count - 1 for count in arrived.values())
    assert doubled <= rounds * TWICE_PER_DEATH, f"seed {seed}: {doubled}"
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == [], f"seed {seed}"
    print(
        f"{rounds} kills at level {level}, seed {seed}: {len(expected)} calls returned, segments on the disk"
        f" after {on_disk} kills, {doubled} records came again"
    )
