"""`fapilog spool` and crash rings: what a killed process left is listed, checked, delivered, removed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fapilog import _native
from fapilog.testing import OtlpReceiver
from tests.integration.test_crash_ring import PAGE, Place, forget_the_boot, kill, numbers, place
from tests.integration.test_spool_commands import Run, run

__all__ = ["place", "run"]
RECORDS = 60


@pytest.fixture
def left(receiver: OtlpReceiver, place: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ring of a process that was killed, under the settings of the command."""
    for name, value in place.variables("process").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FAPILOG_EXPORTERS", "otlp")
    # Others may have rings in shared memory meanwhile.
    monkeypatch.setattr(_native, "ring_memory", list)
    receiver.refuse_connections()
    process = place.start(receiver, 0, RECORDS, "kill")
    process.stdout.readline()
    kill(process)
    receiver.accept_again()
    [ring] = place.rings()
    return ring


def listed(run: Run, command: str = "list", *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(command, *arguments, "--json")[1])
    return [each for each in found if each["kind"] == "ring"]


def test_a_dead_ring_is_listed_with_what_waits_and_for_whom(left: Path, run: Run) -> None:
    [found] = listed(run)
    assert 0 <= found.pop("oldest_seconds") < 600
    assert found.pop("bytes") == left.stat().st_size
    assert found.pop("process") > 0
    assert found.pop("blocks") >= 1
    assert found == {
        "directory": str(left),
        "kind": "ring",
        "service": "shop",
        "alive": False,
        "records": RECORDS,
        "owed": {"otlp": RECORDS},
        "encrypted_blocks": 0,
        "key_ids": [],
    }
    assert run("verify", left.name) == (
        0,
        f"{left}: intact, {RECORDS} of {RECORDS} records can be delivered\n",
        "",
    )
    assert run("list")[1].splitlines()[1].startswith(str(left))


def test_a_dead_ring_is_delivered_and_goes(
    left: Path, receiver: OtlpReceiver, run: Run, place: Place
) -> None:
    code, out, err = run("replay", str(left))
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].split() == f"0 + {RECORDS} = {RECORDS} + 0 + 0 + 0".split()
    assert numbers(receiver) == list(range(RECORDS))
    assert place.left() == []


def test_what_a_replay_does_not_deliver_goes_to_the_spool(
    left: Path, receiver: OtlpReceiver, run: Run, place: Place
) -> None:
    receiver.refuse_connections()
    code, _, err = run("replay", str(left), "--timeout", "0.2")
    assert (code, f"{RECORDS} records still wait in {place.spool}" in err) == (1, True)
    assert not left.exists()
    receiver.accept_again()
    (name,) = _native.spool_directories(place.spool)
    assert run("replay", name)[0] == 0
    assert numbers(receiver) == list(range(RECORDS))


def test_a_ring_is_not_delivered_past_an_exporter_that_it_waits_for(
    left: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAPILOG_EXPORTERS", "memory")
    reason = f"{left} holds records for exporters that the settings do not have: otlp; add them\n"
    assert run("replay", str(left)) == (1, "", reason)
    assert left.exists()


def test_purge_removes_a_dead_ring(left: Path, run: Run, place: Place) -> None:
    assert run("purge", "--older-than", "1d", "--yes") == (0, "nothing to remove\n", "")
    code, out, err = run("purge", "--yes")
    assert (code, out.splitlines()[-1], err) == (0, f"{left}: removed", "")
    assert place.left() == []


def test_the_ring_of_a_living_process_is_counted_and_left_alone(
    left: Path, receiver: OtlpReceiver, run: Run, place: Place
) -> None:
    left.unlink()
    receiver.refuse_connections()
    process = place.start(receiver, 0, RECORDS, "kill")
    try:
        process.stdout.readline()
        [ring] = place.rings()
        [found] = listed(run)
        assert (found["alive"], found["records"], found["owed"]) == (True, RECORDS, {"otlp": RECORDS})
        said = f"{ring}: in use by a process, {RECORDS} records on their way\n"
        assert run("verify", ring.name) == (0, said, "")
        message = f"{ring} belongs to a process that runs; it delivers what is in it\n"
        assert run("replay", str(ring)) == (1, "", message)
        message = f"{ring} belongs to a process that runs; nothing was removed\n"
        assert run("purge", str(ring), "--yes") == (1, "", message)
        assert _native.purge_ring(ring) is False
        assert ring.exists()
    finally:
        kill(process)


def test_verify_names_damage_in_a_ring_and_changes_nothing(left: Path, run: Run) -> None:
    content = bytearray(left.read_bytes())
    middle = content.index(b"xxxxxxxx")
    content[middle : middle + 1_000] = os.urandom(1_000)
    left.write_bytes(content)
    [found] = listed(run, "verify")
    assert (found["damaged"], found["records"], found["damaged_bytes"] > 0) == (True, RECORDS, True)
    assert 0 < found["missing_records"] == RECORDS - found["salvageable_records"]
    code, out, _ = run("verify", left.name)
    assert (code, f"{left}: damaged ({found['missing_records']} records not found" in out) == (1, True)
    assert left.read_bytes() == content


def test_a_ring_whose_header_is_damaged_is_named_and_purged(left: Path, run: Run) -> None:
    content = left.read_bytes()
    left.write_bytes(os.urandom(PAGE) + content[PAGE:])
    aside = left.rename(left.with_suffix(".ring.corrupt"))
    said = f"{aside}: damaged (both copies of its header), nothing can be delivered\n"
    assert run("verify") == (1, said, "")
    assert run("replay", aside.name) == (1, "", said)
    assert run("purge", "--yes")[1].splitlines()[-1] == f"{aside}: removed"


def test_after_a_loss_of_power_only_what_was_synced_is_listed(left: Path, run: Run) -> None:
    forget_the_boot(left)
    [found] = listed(run, "verify")
    assert (found["records"], found["unsynced_records"]) == (0, RECORDS)


def test_a_ring_whose_spool_has_another_name_now_is_found_in_memory(
    receiver: OtlpReceiver, place: Place, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.variables = lambda level: {  # type: ignore[method-assign]
        "FAPILOG_SPOOL_DIRECTORY": str(place.spool),
        "FAPILOG_DURABILITY": level,
    }
    before = set(_native.ring_files(_native.ring_memory()))
    receiver.refuse_connections()
    process = place.start(receiver, 0, RECORDS, "kill")
    process.stdout.readline()
    mine = {
        ring
        for ring in set(_native.ring_files(_native.ring_memory())) - before
        if ring.name.split("-")[2] == str(process.pid)
    }
    kill(process)
    [ring] = mine
    receiver.accept_again()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("FAPILOG_SPOOL_DIRECTORY", str(elsewhere))
    monkeypatch.setenv("FAPILOG_EXPORTERS", "otlp")
    assert str(ring) in [found["directory"] for found in listed(run)]
    code, _, err = run("replay", str(ring))
    assert (code, err, numbers(receiver)) == (0, "", list(range(RECORDS)))
    assert (ring.exists(), ring.parent.exists()) == (False, False)


@pytest.mark.parametrize("command", ["verify", "purge", "replay"])
def test_a_name_that_is_no_ring_is_refused(left: Path, run: Run, command: str) -> None:
    code, out, err = run(command, "shop.ring")
    assert (code, out) == (1, "")
    assert err == "shop.ring is no crash ring; give a path that `fapilog spool list` names\n"
