"""`fapilog spool`: what waits on disk is listed, checked, delivered, removed; never what a process holds."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fapilog
from fapilog import SpoolKeys, _native
from fapilog.cli import main as cli
from fapilog.settings import Settings
from fapilog.testing import OtlpReceiver
from tests.integration.beside import wait_until
from tests.integration.spools import BUFFER, OTLP

Configure = Callable[..., fapilog.Telemetry]
Run = Callable[..., tuple[int, str, str]]
KEY = b"\x07" * 32
RECORDS = 40


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], receiver: OtlpReceiver) -> Run:
    """Run the command as the console script does: (exit code, stdout, stderr)."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", receiver.logs_endpoint)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["fapilog", "spool", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "spool"
    monkeypatch.setenv("FAPILOG_SPOOL_DIRECTORY", str(path))
    # Others may have rings in shared memory meanwhile: test_ring_commands.py.
    monkeypatch.setattr(_native, "ring_memory", list)
    return path


def leave(receiver: OtlpReceiver, **spool: Any) -> None:
    """Log while the receiver is away, and end."""
    receiver.refuse_connections()
    overrides = {"buffer": {**BUFFER, "shutdown_timeout_millis": 100}, "otlp": OTLP, "spool": spool}
    provider = fapilog.LoggerProvider(settings=Settings.load(**overrides))
    logger = provider.get_logger("orders")
    for number in range(RECORDS):
        logger.emit(body=str(number))
    provider.shutdown()
    receiver.accept_again()


def only(spool: Path) -> str:
    (name,) = _native.spool_directories(spool)
    return name


def segment(spool: Path) -> Path:
    return next(spool.rglob("seg-*"))


def test_an_ended_process_is_listed_with_what_waits_and_for_whom(
    receiver: OtlpReceiver, spool: Path, run: Run
) -> None:
    leave(receiver)
    code, out, err = run("list", "--json")
    (found,) = json.loads(out)
    assert (code, err) == (0, "")
    assert 0 <= found.pop("oldest_seconds") < 600
    assert found.pop("bytes") > 0
    assert found.pop("blocks") > 0
    assert found.pop("process") > 0
    assert found.pop("service") in found["directory"]
    assert found == {
        "directory": only(spool),
        "kind": "spool",
        "alive": False,
        "records": RECORDS,
        "owed": {"otlp": RECORDS},
        "encrypted_blocks": 0,
        "key_ids": [],
    }
    code, out, err = run("list")
    assert (code, err, len(out.splitlines())) == (0, "", 2)
    assert out.splitlines()[1].endswith(f"otlp {RECORDS}")


def test_an_encrypted_directory_is_listed_and_checked_without_its_key(
    receiver: OtlpReceiver, spool: Path, run: Run
) -> None:
    leave(receiver, key_provider=lambda: SpoolKeys({7: KEY}, 7))
    (found,) = json.loads(run("list", "--json")[1])
    assert (found["records"], found["key_ids"], found["encrypted_blocks"] > 0) == (RECORDS, [7], True)
    assert "key 7" in run("list")[1]
    assert run("verify") == (
        0,
        f"{only(spool)}: intact, {RECORDS} of {RECORDS} records can be delivered\n",
        "",
    )


def test_a_spool_without_directories_says_so(spool: Path, run: Run) -> None:
    spool.mkdir()
    assert run("list") == (0, "nothing waits\n", "")
    assert run("verify") == (0, "nothing waits\n", "")
    assert run("purge") == (0, "nothing to remove\n", "")
    assert run("list", "--json") == (0, "[]\n", "")


def test_verify_names_a_damaged_block_and_what_can_still_be_delivered(
    receiver: OtlpReceiver, spool: Path, run: Run
) -> None:
    leave(receiver)
    path = segment(spool)
    content = bytearray(path.read_bytes())
    content[content.index(b"FSPB") + 64 + 5] ^= 0xFF
    path.write_bytes(content)
    code, out, err = run("verify", "--json")
    (found,) = json.loads(out)
    assert (code, err) == (1, "")
    assert (found["damaged"], found["damaged_blocks"], found["corrupt_bytes"]) == (True, 1, 0)
    assert found["salvageable_records"] == RECORDS - found["damaged_records"]
    assert found["damaged_records"] > 0
    code, out, _ = run("verify", only(spool))
    assert (code, f"damaged (1 damaged blocks with {found['damaged_records']} records)" in out) == (1, True)
    assert path.read_bytes() == content


def test_verify_reports_a_file_that_is_missing(receiver: OtlpReceiver, spool: Path, run: Run) -> None:
    leave(receiver)
    path = segment(spool)
    path.rename(path.with_name("seg-0000000001.fspl"))
    (found,) = json.loads(run("verify", "--json")[1])
    assert (found["damaged"], found["missing_segments"], found["lost_blocks"]) == (True, 1, 0)
    code, out, err = run("verify")
    said = f"damaged (1 missing files), {RECORDS} of {RECORDS} records can be delivered\n"
    assert (code, out, err) == (1, f"{only(spool)}: {said}", "")


def test_replay_delivers_one_directory_prints_the_ledger_and_leaves_nothing(
    receiver: OtlpReceiver, spool: Path, run: Run
) -> None:
    leave(receiver)
    code, out, err = run("replay", only(spool))
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].split() == f"0 + {RECORDS} = {RECORDS} + 0 + 0 + 0".split()
    assert sorted(int(record.body) for record in receiver.log_records) == list(range(RECORDS))
    assert list(spool.iterdir()) == []


def test_replay_says_what_is_left_when_the_receiver_is_away(
    receiver: OtlpReceiver, spool: Path, run: Run
) -> None:
    leave(receiver)
    receiver.refuse_connections()
    name = only(spool)
    code, _, err = run("replay", name, "--timeout", "0.2")
    assert (code, f"{RECORDS} records still wait in {name}" in err) == (1, True)


def test_replay_names_an_exporter_that_the_settings_do_not_have(
    receiver: OtlpReceiver, spool: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(receiver)
    monkeypatch.setenv("FAPILOG_EXPORTERS", "memory")
    code, _, err = run("replay", only(spool), "--timeout", "5")
    assert code == 1
    assert "the settings have no such exporter: otlp\n" in err


def test_a_living_process_is_listed_as_such_and_neither_replayed_nor_purged(
    configure: Configure, receiver: OtlpReceiver, spool: Path, run: Run
) -> None:
    receiver.refuse_connections()
    telemetry = configure(buffer=BUFFER, otlp=OTLP)
    log = fapilog.get_logger("orders")
    for number in range(3_000):
        log.info(str(number), padding="x" * 500)
    wait_until(lambda: telemetry.ledger().exporters["otlp"].spooled)
    name = only(spool)
    (found,) = json.loads(run("list", "--json")[1])
    assert (found["directory"], found["alive"]) == (name, True)
    message = f"{name} belongs to a process that runs; it delivers what is in it\n"
    assert run("replay", name) == (1, "", message)
    refusal = f"{name} belongs to a process that runs; nothing was removed\n"
    assert run("purge", name, "--yes") == (1, "", refusal)
    assert run("purge", "--yes") == (0, "nothing to remove\n", "")
    assert _native.purge_spool(spool, name) is False
    assert (spool / name).is_dir()
    receiver.accept_again()
    assert telemetry.shutdown(30_000)
    assert receiver.log_record_count == 3_000


def test_purge_asks_and_then_removes(
    receiver: OtlpReceiver, spool: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(receiver)
    name = only(spool)
    assert run("purge", "--older-than", "1d", "--yes") == (0, "nothing to remove\n", "")
    monkeypatch.setattr("typer.confirm", lambda _: False)
    assert run("purge")[0] == 1
    assert only(spool) == name
    code, out, err = run("purge", name, "--yes")
    assert (code, out.splitlines()[-1], err) == (0, f"{name}: removed", "")
    assert list(spool.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("verify", "../elsewhere"), "it is no directory of a spool"),
        (("purge", "--older-than", "soon"), "give 90s, 30m, 12h or 3d"),
        (("list", "--directory", "/nowhere"), "is no directory"),
    ],
)
def test_what_is_not_a_spool_is_refused_with_a_reason(
    spool: Path, run: Run, arguments: tuple[str, ...], said: str
) -> None:
    spool.mkdir()
    code, out, err = run(*arguments)
    assert (code > 0, out) == (True, "")
    assert said in " ".join(err.replace("│", " ").split())


def test_an_unknown_name_is_refused_and_where_names_are_is_said(spool: Path, run: Run) -> None:
    spool.mkdir()
    for command in ("purge", "replay", "verify"):
        code, out, err = run(command, "shop-00000000cafef00d-1-1")
        assert (code, out) == (1, "")
        assert err.endswith("; `fapilog spool list` names what is there\n"), err


def test_a_directory_that_cannot_be_looked_at_does_not_hide_the_others(
    receiver: OtlpReceiver, spool: Path, run: Run
) -> None:
    leave(receiver)
    other = spool / "other-00000000cafef00d-1-1"
    other.mkdir()
    other.chmod(0o777)
    why = f"cannot open {other.name}: everybody may write to it (mode 777); "
    why += "if you trust what is in it: chmod 700\n"
    for command in ("list", "verify"):
        code, out, err = run(command, "--json")
        assert (code, err) == (1, why)
        (found,) = json.loads(out)
        assert found["records"] == RECORDS


def test_verify_counts_what_is_cut_off_at_the_end_of_an_ended_process(
    receiver: OtlpReceiver, spool: Path, run: Run
) -> None:
    leave(receiver)
    path = segment(spool)
    path.write_bytes(path.read_bytes()[:-10])
    code, out, _ = run("verify", "--json")
    (found,) = json.loads(out)
    assert (code, found["damaged"]) == (1, True)
    torn = found["torn_records"]
    assert torn > 0
    assert found["records"] == RECORDS - torn
    said = f"damaged ({found['torn_bytes']} bytes cut off at the end, of {torn} records)"
    assert said in run("verify")[1]


def test_without_a_spool_the_commands_say_how_to_name_one(run: Run) -> None:
    code, _, err = run("list")
    assert (code, "give --directory" in " ".join(err.replace("│", " ").split())) == (2, True)
