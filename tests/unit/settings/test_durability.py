"""Durability levels: what a level needs is asked for at the start, and named."""

from pathlib import Path
from typing import Any

import pytest

from fapilog import LoggerProvider, Settings, _native, diagnostics
from fapilog.errors import ConfigurationError
from fapilog.settings.ring import possible_bytes


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
    rings = [
        settings.ring.native(settings.durability, settings.buffer) for settings in (memory, process, power)
    ]
    assert rings == [
        None,
        {"directory": tmp_path, "limit_bytes": 1 << 20, "sync_interval_millis": None},
        {"directory": None, "limit_bytes": 16 << 20, "sync_interval_millis": 200},
    ]


BUFFER = {"limit_bytes": 1 << 20, "chunk_bytes": 1 << 14, "record_bytes": 1 << 12}


@pytest.mark.parametrize("asked", [1 << 12, (1 << 40)])
def test_a_ring_that_its_slots_cannot_make_is_refused_with_the_range(tmp_path: Path, asked: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(
            environ={"FAPILOG_DURABILITY": "process", "FAPILOG_RING_BYTES": str(asked)},
            spool={"directory": tmp_path},
        )
    [problem] = caught.value.problems
    assert (problem.code, problem.what, problem.remedy) == (
        "ring-out-of-range",
        "a crash ring has 2 to 64 slots, and a slot holds one record of 65536 bytes at least and one chunk of"
        " the buffer at most: 139264 to 67108864 bytes together",
        "set ring.limit_bytes (FAPILOG_RING_BYTES) to 139264 ... 67108864, or change buffer.record_bytes,"
        " buffer.chunk_bytes or buffer.limit_bytes",
    )
    [offending] = problem.settings
    found = (offending.name, offending.value, offending.origin)
    assert found == ("ring.limit_bytes", str(asked), "FAPILOG_RING_BYTES")


@pytest.mark.parametrize("end", [0, 1])
def test_both_ends_of_the_range_are_rings_of_that_length(tmp_path: Path, end: int) -> None:
    place, buffer = tmp_path / "ring", Settings.load(environ={}, buffer=BUFFER).buffer
    asked = possible_bytes(buffer)[end]
    settings = Settings.load(
        environ={},
        durability="process",
        buffer=BUFFER,
        spool={"directory": tmp_path / "spool"},
        ring={"directory": place, "limit_bytes": asked},
    )
    with LoggerProvider(settings=settings):
        [path] = _native.ring_files([place])
        length = path.stat().st_size
    # Headers, scopes and resources come on top.
    assert asked < length <= asked + (1 << 18) + 5 * 4096


def test_a_length_that_nobody_gave_follows_the_buffer(tmp_path: Path) -> None:
    settings = Settings.load(environ={}, durability="process", buffer=BUFFER, spool={"directory": tmp_path})
    native = settings.ring.native(settings.durability, settings.buffer)
    assert native is not None
    assert native["limit_bytes"] == possible_bytes(settings.buffer)[1] == 64 << 14


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"spool": {"key_provider": "env"}},
            [
                "spool.key_provider (argument) has no effect, because there is no spool: set spool.directory"
                " (FAPILOG_SPOOL_DIRECTORY), or leave it out"
            ],
        ),
        (
            {"ring": {"directory": "/dev/shm"}},
            [
                "ring.directory (argument) has no effect, because durability is 'memory': set durability"
                " (FAPILOG_DURABILITY) to 'process' or 'power', or leave it out"
            ],
        ),
        (
            {
                "spool": {"directory": "DIRECTORY"},
                "durability": "process",
                "ring": {"sync_interval_millis": 5},
            },
            [],
        ),
        ({"spool": {"adopt": True, "key_provider": None}, "ring": {"directory": None}}, []),
        ({"spool": {"directory": "DIRECTORY", "limit_bytes": 1 << 28}}, []),
        (
            {"redaction": {"actions": {"PAN": "remove"}}},
            [
                "redaction.actions (argument) has no effect, because values are looked for only in the mode"
                " 'scan': set redaction.mode (FAPILOG_REDACTION) to 'scan', or leave it out"
            ],
        ),
        ({"redaction": {"mode": "scan", "actions": {"PAN": "mask:4"}}}, []),
    ],
)
def test_settings_without_effect_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: dict[str, Any], said: list[str]
) -> None:
    diagnostics._voice.forget()
    if given.get("spool", {}).get("directory"):
        given = given | {"spool": given["spool"] | {"directory": tmp_path}}
    with LoggerProvider(settings=Settings.load(environ={}, **given), exporters=["none"]):
        pass
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"fapilog: {each} [setting-without-effect]" for each in said]


def test_without_exporters_the_places_are_asked_for_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spool = Settings.load(environ={}, spool={"directory": tmp_path / "file"})
    power = Settings.load(
        environ={},
        durability="power",
        spool={"directory": tmp_path / "spool"},
        ring={"directory": "/dev/shm/fapilog-test-power"},
    )
    for settings, what in [(spool, "the spool directory"), (power, "durability power cannot be given")]:
        with pytest.raises(ConfigurationError, match=what):
            LoggerProvider(settings=settings, exporters=["none"])
    Path("/dev/shm/fapilog-test-power").rmdir()


def test_after_shutdown_no_descriptor_of_ring_or_spool_stays_open(tmp_path: Path) -> None:
    settings = Settings.load(
        environ={},
        durability="process",
        spool={"directory": tmp_path / "spool"},
        ring={"directory": tmp_path / "ring"},
    )
    provider = LoggerProvider(settings=settings, exporters=["memory"])
    provider.get_logger("orders").emit(body="order placed")
    assert provider.shutdown()
    links = [str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    assert [link for link in links if link.startswith(str(tmp_path))] == []
    assert list((tmp_path / "ring").iterdir()) == list((tmp_path / "spool").iterdir()) == []
