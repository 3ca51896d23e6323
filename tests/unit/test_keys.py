"""Keys of the spool: where they come from, what is refused, and that nothing ever shows one."""

import base64
import copy
import os
import pickle
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import fapilog
from fapilog import KeyProvider, SpoolKeys
from fapilog.errors import ConfigurationError
from fapilog.keys import held
from fapilog.keys.base import UnusableKeysError, ask
from fapilog.keys.built_in import EnvironmentKeys, FileKeys
from fapilog.settings import Settings

ONE, TWO = bytes(range(32)), bytes(range(100, 132))
NAME = "FAPILOG_SPOOL_KEY"


def shown(key: bytes) -> Iterator[str]:
    """How a key could show: in base64, in hexadecimal digits, as Python writes bytes."""
    yield from (
        base64.b64encode(key).decode(),
        base64.urlsafe_b64encode(key).decode(),
        key.hex(),
        repr(key)[2:-1],
    )


def text(key_id: int, key: bytes) -> str:
    return f"{key_id}:{base64.b64encode(key).decode()}"


def private(path: Path, content: str, mode: int = 0o600) -> Path:
    path.write_text(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (text(7, ONE), SpoolKeys({7: ONE}, 7)),
        (f"2:{TWO.hex()}", SpoolKeys({2: TWO}, 2)),
        (f"  {text(2, TWO)}, {text(1, ONE)}\n", SpoolKeys({1: ONE, 2: TWO}, 2)),
        (f"2:{TWO.hex().upper()} {text(1, ONE).rstrip('=')}", SpoolKeys({1: ONE, 2: TWO}, 2)),
        (f"3:{base64.urlsafe_b64encode(b'?' * 32).decode()}", SpoolKeys({3: b"?" * 32}, 3)),
    ],
)
def test_a_variable_holds_keys_with_ids_and_the_first_one_is_current(
    monkeypatch: pytest.MonkeyPatch, raw: str, expected: SpoolKeys
) -> None:
    monkeypatch.setenv(NAME, raw)
    assert EnvironmentKeys(NAME).spool_keys() == expected


@pytest.mark.parametrize(
    ("raw", "clause"),
    [
        ("", "the variable FAPILOG_SPOOL_KEY is not set"),
        (base64.b64encode(ONE).decode(), "entry 1 has no id before a colon; give id:key, the key being 32"),
        (f"{text(1, ONE)},x:{TWO.hex()}", "entry 2 has no id before a colon; give id:key, the key being 32"),
        (f"1:{ONE.hex()[:-2]}", "key 1 has 46 bytes instead of 32; give id:key, the key being 32"),
        (f"1:{ONE.hex()}!", "key 1 is neither base64 nor hexadecimal; give id:key, the key being 32"),
        (f"{text(1, ONE)},{text(1, TWO)}", "key 1 is given twice; an id names one key for ever"),
        (f"0:{ONE.hex()}", "an id is not a whole number from 1 to 4294967295"),
        (f"4294967296:{ONE.hex()}", "an id is not a whole number from 1 to 4294967295"),
    ],
)
def test_a_wrong_key_is_named_by_its_place_or_id_alone(
    monkeypatch: pytest.MonkeyPatch, raw: str, clause: str
) -> None:
    monkeypatch.setenv(NAME, raw)
    with pytest.raises(UnusableKeysError) as caught:
        EnvironmentKeys(NAME).spool_keys()
    assert str(caught.value).startswith(clause)
    assert not any(part in str(caught.value) for key in (ONE, TWO) for part in shown(key))


def test_a_file_holds_one_key_a_line(tmp_path: Path) -> None:
    path = private(tmp_path / "keys", f"# rotated in May\n\n{text(2, TWO)}\n  1:{ONE.hex()}  \n")
    assert FileKeys(path).spool_keys() == SpoolKeys({1: ONE, 2: TWO}, 2)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o602])
def test_a_file_that_others_may_read_or_change_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "keys", text(1, ONE), mode)
    with pytest.raises(UnusableKeysError) as caught:
        FileKeys(path).spool_keys()
    assert str(caught.value) == f"others may read or change {path} (mode {mode:04o}); chmod 600 it"


def test_a_secret_volume_that_its_group_may_read_is_taken(tmp_path: Path) -> None:
    assert FileKeys(private(tmp_path / "keys", text(1, ONE), 0o440)).spool_keys() == SpoolKeys({1: ONE}, 1)


def test_what_is_no_file_of_keys_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    binary = private(tmp_path / "binary", "")
    binary.write_bytes(b"\xff" * 32)
    clauses = []
    for path in (tmp_path / "none", tmp_path / "pipe", binary, private(tmp_path / "empty", "# nothing\n")):
        with pytest.raises(UnusableKeysError) as caught:
            FileKeys(path).spool_keys()
        clauses.append(str(caught.value).partition(";")[0])
    assert clauses == [
        f"{tmp_path}/none cannot be read: No such file or directory",
        f"{tmp_path}/pipe is no file",
        f"{tmp_path}/binary is not text",
        "there is no key",
    ]


class Vault:
    """A provider whose keys a test changes, and which tells that it was asked."""

    def __init__(self, keys: Any) -> None:
        self.keys = keys
        self.asked = threading.Semaphore(0)

    def spool_keys(self) -> SpoolKeys:
        self.asked.release()
        if isinstance(self.keys, Exception):
            raise self.keys
        found: SpoolKeys = self.keys
        return found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (lambda: {2: TWO, 1: ONE}, SpoolKeys({1: ONE, 2: TWO}, 2)),
        (lambda: {1: bytearray(ONE)}, SpoolKeys({1: ONE}, 1)),
        (lambda: SpoolKeys({1: ONE}, None), SpoolKeys({1: ONE}, None)),
        (Vault(SpoolKeys({1: ONE}, 1)), SpoolKeys({1: ONE}, 1)),
    ],
)
def test_a_function_or_an_object_gives_keys(given: Any, expected: SpoolKeys) -> None:
    assert ask(given) == expected


def failing() -> Mapping[int, bytes]:
    raise OSError(f"the vault does not know {ONE.hex()}")


@pytest.mark.parametrize(
    ("given", "clause"),
    [
        (failing, "it raised OSError"),
        (lambda: ONE, "it returned a bytes, not keys by their ids"),
        (lambda: None, "it returned a NoneType, not keys by their ids"),
        (dict, "there is no key"),
        (lambda: {"1": ONE}, "an id is not a whole number from 1 to 4294967295"),
        (lambda: {True: ONE}, "an id is not a whole number from 1 to 4294967295"),
        (lambda: {1: ONE.hex()}, "key 1 is a str, not bytes"),
        (lambda: {1: ONE[:-1]}, "key 1 has 31 bytes instead of 32"),
        (lambda: SpoolKeys({1: ONE}, 2), "the current key 2 is not among the keys"),
    ],
)
def test_what_gives_no_keys_is_said_without_one(given: Any, clause: str) -> None:
    with pytest.raises(UnusableKeysError) as caught:
        ask(given)
    assert str(caught.value) == clause


def test_no_traceback_leads_to_what_a_key_provider_raised(tmp_path: Path) -> None:
    spool = {"directory": tmp_path, "key_provider": failing}
    with pytest.raises(ConfigurationError) as caught:
        fapilog.LoggerProvider(settings=Settings.load(environ={}, spool=spool), exporters=["memory"])
    chain: list[BaseException] = [caught.value]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(before)
    assert [type(each).__name__ for each in chain] == ["ConfigurationError", "UnusableKeysError"]
    assert ONE.hex() not in "".join(traceback.format_exception(caught.value))


def test_keys_are_frozen_and_show_ids_only() -> None:
    keys = SpoolKeys({2: TWO, 1: ONE}, 2)
    assert (repr(keys), str(keys), hash(keys)) == ("SpoolKeys(current=2, ids=[1, 2])",) * 2 + (
        hash(SpoolKeys({1: ONE, 2: TWO}, 2)),
    )
    with pytest.raises(AttributeError):
        keys.current = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        keys.by_id[3] = ONE  # type: ignore[index]
    for way in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            way(keys)
    assert keys != object()


@pytest.mark.parametrize(
    ("given", "shown_as"),
    [
        ("env", "env:FAPILOG_SPOOL_KEY"),
        ("env:OUR_KEYS", "env:OUR_KEYS"),
        (" file:/run/secrets/keys ", "file:/run/secrets/keys"),
        ("vault", "vault"),
        (Vault(None), "<Vault>"),
        (failing, "<function>"),
    ],
)
def test_settings_show_where_keys_come_from_and_no_more(given: Any, shown_as: str) -> None:
    settings = Settings.load(environ={}, spool={"key_provider": given})
    explained = {item.name: item.value for item in settings.explain()}
    assert explained["spool.key_provider"] == shown_as
    assert shown_as in repr(settings)
    assert settings == Settings.load(environ={}, spool={"key_provider": given})
    assert settings.with_changes(level="debug").spool == settings.spool


@pytest.mark.parametrize(
    "given", [text(1, ONE), ONE.hex(), "env:", "env:A-B", "file:keys", "file", "", {1: ONE}, 7, Vault]
)
def test_a_setting_that_names_no_provider_is_refused_and_not_shown(given: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ={}, spool={"key_provider": given})
    (problem,) = caught.value.problems
    assert (problem.code, problem.settings[0].value) == ("setting-invalid", "***")
    assert not any(part in str(caught.value) for part in shown(ONE))


def test_a_key_in_the_variable_of_the_provider_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ={"FAPILOG_SPOOL_KEY_PROVIDER": text(1, ONE)})
    assert str(caught.value).splitlines()[:2] == [
        "spool.key_provider names no key provider [setting-invalid]",
        "  spool.key_provider = ***   from FAPILOG_SPOOL_KEY_PROVIDER",
    ]


def test_the_variable_that_holds_keys_is_no_unknown_one(capfd: pytest.CaptureFixture[str]) -> None:
    Settings.load(environ={NAME: text(1, ONE)})
    assert capfd.readouterr().err == ""


def test_keys_that_cannot_be_used_are_an_error_of_the_configuration(tmp_path: Path) -> None:
    path = private(tmp_path / "keys", f"1:{ONE.hex()[:-2]}")
    with pytest.raises(ConfigurationError) as caught:
        fapilog.LoggerProvider(
            settings=Settings.load(
                environ={}, spool={"directory": tmp_path / "spool", "key_provider": f"file:{path}"}
            )
        )
    assert str(caught.value).splitlines() == [
        "spool.key_provider gives no keys: key 1 has 46 bytes instead of 32 [spool-keys-unusable]",
        f"  spool.key_provider = file:{path}   from argument",
        "  do: give id:key, the key being 32 random bytes in base64 or hexadecimal digits",
        "  see: docs/reference/errors.md#spool-keys-unusable",
    ]
    assert not (tmp_path / "spool").exists()


def test_without_a_spool_nobody_is_asked_for_keys() -> None:
    vault = Vault(OSError())
    with fapilog.LoggerProvider(
        settings=Settings.load(environ={}, spool={"key_provider": vault}), exporters=["none"]
    ):
        assert not vault.asked.acquire(blocking=False)


class Pipe:
    """Stands for a pipeline."""

    def __init__(self) -> None:
        self.taken: list[tuple[int | None, list[int]]] = []
        self.got = threading.Event()

    def set_spool_keys(self, keys: tuple[int | None, dict[int, bytes]]) -> None:
        self.taken.append((keys[0], sorted(keys[1])))
        self.got.set()


def test_new_keys_reach_the_pipelines_and_a_provider_that_fails_changes_nothing() -> None:
    vault, pipe, told = Vault(SpoolKeys({1: ONE}, 1)), Pipe(), list[tuple[str, str]]()
    failed = threading.Event()

    def tell(code: str, message: str, _about: str) -> None:
        told.append((code, message))
        failed.set()

    keys = held.HeldKeys(vault, 0.01, tell)
    keys.watch([pipe])
    keys.watch([pipe])
    vault.keys = OSError(ONE.hex())
    assert failed.wait(30)
    for _ in range(4):  # it is asked on and on, and that is not said again
        assert vault.asked.acquire(timeout=30)
    vault.keys = SpoolKeys({2: TWO, 1: ONE}, 2)
    assert pipe.got.wait(30)
    assert (pipe.taken, keys.keys) == ([(2, [1, 2])], vault.keys)
    assert told == [
        (
            "spool-keys-unusable",
            "spool.key_provider gave no keys: it raised OSError; those from before stay in use",
        )
    ]
    keys.close()


def test_the_watcher_ends_when_nobody_holds_the_keys_any_more() -> None:
    keys = held.HeldKeys(Vault(SpoolKeys({1: ONE}, 1)), 3_600, lambda *_: None)
    before = set(threading.enumerate())
    keys.watch([])
    (watcher,) = set(threading.enumerate()) - before
    del keys
    watcher.join(30)
    assert not watcher.is_alive()


def test_a_provider_is_one_by_its_method() -> None:
    assert isinstance(Vault(None), KeyProvider)
    assert not isinstance(failing, KeyProvider)
