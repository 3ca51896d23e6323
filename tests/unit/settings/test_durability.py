"""Durability levels: what a level needs is asked for at the start, and named."""

from pathlib import Path

import pytest

from fapilog import Settings
from fapilog.errors import ConfigurationError


@pytest.mark.parametrize("level", ["process", "power"])
def test_a_level_beyond_memory_needs_a_spool(level: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ={"FAPILOG_DURABILITY": level})
    [problem] = caught.value.problems
    assert (problem.code, problem.what, problem.remedy) == (
        "durability-without-spool",
        f"durability {level} needs a spool: what the ring cannot hold has to go somewhere",
        "set spool.directory (FAPILOG_SPOOL_DIRECTORY) to a directory that outlives the process,"
        " or FAPILOG_DURABILITY to 'memory'",
    )
    assert [(each.name, each.value) for each in problem.settings] == [("durability", f"'{level}'")]


def test_the_native_side_gets_a_ring_only_beyond_memory(tmp_path: Path) -> None:
    memory = Settings.load(environ={}, spool={"directory": tmp_path})
    process = memory.with_changes(durability="process", ring={"directory": tmp_path, "limit_bytes": 1 << 20})
    power = memory.with_changes(durability="power", ring={"sync_interval_millis": 200})
    rings = [settings.ring.native(settings.durability) for settings in (memory, process, power)]
    assert rings == [
        None,
        {"directory": tmp_path, "limit_bytes": 1 << 20, "sync_interval_millis": None},
        {"directory": None, "limit_bytes": 16 << 20, "sync_interval_millis": 200},
    ]
