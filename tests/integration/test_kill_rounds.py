"""`kill -9` again and again: while logging, while recovering, and while the collector is away."""

import collections
import random
from pathlib import Path

import pytest

from fapilog.testing import OtlpReceiver
from tests.integration.harness import start

PER_ROUND = 1_000_000
# Each process has one request in flight, of one block. A death may also come between writing a block to the
# spool and giving its slot back. A block is at most one chunk of 16 KiB; a record takes more than 64 bytes.
BLOCKS_PER_DEATH = 2
RECORDS_PER_BLOCK = (1 << 14) // 64


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
    returned, is_away = {}, False
    for number in range(rounds):
        if (chance.random() < 0.4) != is_away:
            is_away = not is_away
            receiver.refuse_connections() if is_away else receiver.accept_again()
        program.stdin.write("go on\n")
        program.stdin.flush()
        said = program.stdout.readline().split()
        assert said[:1] == [str(number)], (seed, said, program.stderr.read())
        returned[number] = int(said[1])
    if is_away:
        receiver.accept_again()
    out, err = program.communicate("go on\n", timeout=600)
    assert out.split() == ["end", "1"], (seed, err)

    arrived = collections.Counter(int(record.body) for record in receiver.log_records)
    expected = {each * PER_ROUND + count for each, total in returned.items() for count in range(total)}
    missing = expected - arrived.keys()
    assert not missing, f"seed {seed}: {len(missing)} of {len(expected)} are missing, such as {min(missing)}"
    # The call that was under way when the process died may have stored its record.
    under_way = {each * PER_ROUND + total for each, total in returned.items()} | {-1}
    assert arrived.keys() <= expected | under_way, f"seed {seed}"
    doubled = sum(count - 1 for count in arrived.values())
    assert doubled <= rounds * BLOCKS_PER_DEATH * RECORDS_PER_BLOCK, f"seed {seed}: {doubled}"
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == [], f"seed {seed}"
    print(f"{rounds} kills, {len(expected)} calls returned, {doubled} records came again")
