"""Tokens in records: they join, by key, type and namespace; their keys change while records are made."""

import base64
import hmac
import os
import threading
from pathlib import Path
from typing import Any

import pytest

import fapilog
from fapilog.errors import ConfigurationError
from fapilog.exporters.memory import newest
from fapilog.keys.base import SpoolKeys, TokenKeyProvider
from fapilog.keys.tokens import HeldTokens, all_tokens, hold, token_keys
from fapilog.settings import RedactionSettings, Settings

ONE, TWO = bytes(range(32)), bytes(range(100, 132))
CARD = "4111 1111 1111 1111"


def expected(key: bytes, key_id: int, kind: str, value: str, namespace: str = "") -> str:
    """The token as the standard library makes it."""
    code = hmac.digest(key, f"v1\0{namespace}\0{kind}\0{value}".encode(), "sha256")[:16]
    return f"tok_{key_id}_{base64.b32encode(code).decode().lower().rstrip('=')}"


def policy(provider: Any, **more: Any) -> dict[str, Any]:
    actions = {"EMAIL": "token", "US_SSN": "token"}
    return {"mode": "scan", "actions": actions, "key_provider": provider, **more}


class Vault:
    """A provider whose keys a test changes."""

    def __init__(self, keys: Any) -> None:
        self.keys = keys
        self.asked = threading.Semaphore(0)

    def token_keys(self) -> Any:
        self.asked.release()
        if isinstance(self.keys, Exception):
            raise self.keys
        return self.keys


def logged(provider: fapilog.LoggerProvider, *messages: str) -> list[Any]:
    for message in messages:
        provider.get_logger("shop").emit(body=message)
    assert provider.force_flush(10_000)
    return [record.log_record.body for record in newest().get_finished_logs()]


def test_equal_values_have_one_token_in_whatever_spelling_and_field():
    settings = Settings.load(environ={}, redaction=policy(lambda: {3: ONE}))
    with fapilog.LoggerProvider(settings=settings, exporters=["memory"]) as provider:
        provider.get_logger("shop").emit(
            body="mail to Ann@Example.org", attributes={"user": {"email": "ann@example.org"}}
        )
        assert provider.force_flush(10_000)
        (found,) = newest().get_finished_logs()
    record = found.log_record
    token = expected(ONE, 3, "EMAIL", "ann@example.org")
    assert record.body == f"mail to [REDACTED:email:{token}]"
    assert record.attributes["user"] == {"email": f"[REDACTED:email:{token}]"}


def test_new_tokens_carry_the_new_id_while_the_process_runs_and_old_ones_can_still_be_found():
    vault = Vault({1: ONE})
    settings = Settings.load(environ={}, redaction=policy(vault))
    with fapilog.LoggerProvider(settings=settings, exporters=["memory"]) as provider:
        (before,) = logged(provider, "mail to ann@example.org")
        vault.keys = SpoolKeys({2: TWO, 1: ONE}, current=2)
        held = hold(settings, lambda *_: None)  # asks again
        assert held is not None
        held.let_go()
        _, after = logged(provider, "mail to ann@example.org")
    old, new = (expected(key, key_id, "EMAIL", "ann@example.org") for key, key_id in ((ONE, 1), (TWO, 2)))
    assert (before, after) == (f"mail to [REDACTED:email:{old}]", f"mail to [REDACTED:email:{new}]")
    assert all_tokens(settings.redaction, "EMAIL", "Ann@Example.org") == {2: new, 1: old}


def test_the_watcher_exchanges_keys_and_a_provider_that_fails_changes_nothing():
    vault, told, failed = Vault({1: ONE}), list[tuple[str, str]](), threading.Event()

    def tell(code: str, message: str, _about: str) -> None:
        told.append((code, message))
        failed.set()

    held = HeldTokens(vault, 0.01, tell, "")
    held.watch(())
    vault.keys = OSError(ONE.hex())
    assert failed.wait(30)
    vault.keys = {2: TWO}
    for _ in range(3):
        assert vault.asked.acquire(timeout=30)
    while held.native.key_id != 2:
        assert vault.asked.acquire(timeout=30)
    held.close()
    assert told == [
        (
            "token-keys-unusable",
            "redaction.key_provider gave no keys: it raised OSError; those from before stay in use",
        )
    ]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_makes_the_same_tokens():
    settings = Settings.load(environ={}, redaction=policy(lambda: {1: ONE}))
    with fapilog.LoggerProvider(settings=settings, exporters=["memory"]) as provider:
        (before,) = logged(provider, "mail to ann@example.org")
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writing, str(logged(provider, "mail to ann@example.org")[-1]).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answer:
            assert answer.read() == before
        assert os.waitpid(child, 0)[1] == 0


def test_tokens_of_two_namespaces_and_of_two_types_do_not_join():
    one, other = (
        RedactionSettings(**policy(lambda: {1: ONE}, token_namespace=space)) for space in ("acme", "globex")
    )
    made = {
        all_tokens(space, kind, "536-22-1034")[1] for space in (one, other) for kind in ("US_SSN", "US_ITIN")
    }
    assert len(made) == 4
    assert expected(ONE, 1, "US_SSN", "536221034", "acme") in made


def test_keys_come_from_a_variable_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("FAPILOG_TOKEN_KEY", f"7:{ONE.hex()}")
    file = tmp_path / "tokens"
    file.touch(mode=0o600)
    file.write_text(f"8:{base64.b64encode(TWO).decode()}\n7:{ONE.hex()}\n")
    env, from_file = (token_keys(RedactionSettings(key_provider=each)) for each in ("env", f"file:{file}"))
    assert env is not None
    assert from_file is not None
    assert (env.key_id, from_file.key_id) == (7, 8)
    assert env.token("EMAIL", "ann@example.org") == expected(ONE, 7, "EMAIL", "ann@example.org")


@pytest.mark.parametrize(
    ("given", "clause"),
    [
        (Vault({}), "there is no key"),
        (lambda: {1: ONE[:-1]}, "key 1 has 31 bytes instead of 32"),
        (lambda: SpoolKeys({1: ONE}, None), "no key is the current one"),
        (Vault(OSError(ONE.hex())), "it raised OSError"),
    ],
)
def test_a_provider_without_usable_keys_is_refused_at_the_start_and_shows_none(given: Any, clause: str):
    settings = Settings.load(environ={}, redaction=policy(given))
    with pytest.raises(ConfigurationError) as caught:
        fapilog.LoggerProvider(settings=settings, exporters=["memory"])
    said = f"redaction.key_provider gives no keys: {clause}"
    assert (caught.value.code, caught.value.what) == ("token-keys-unusable", said)
    assert ONE.hex() not in str(caught.value)
    with pytest.raises(ConfigurationError, match=clause):
        token_keys(settings.redaction)


def test_nothing_shows_a_key():
    native = token_keys(RedactionSettings(key_provider=lambda: {1: ONE}))
    held = HeldTokens(lambda: {1: ONE}, 60, lambda *_: None, "")
    settings = Settings.load(environ={}, redaction=policy(Vault({1: ONE})))
    shown = f"{native!r} {held!r} {held.keys!r} {settings!r} {settings.explain()}"
    assert not any(part in shown for part in (ONE.hex(), repr(ONE)[2:-1], base64.b64encode(ONE).decode()))


def test_keys_in_one_tree_with_records_are_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    for place, keys, records, said in (
        ("beside", "app/tokens", "app/logs/a.log", True),
        ("inside", "logs/keys/tokens", "logs/a.log", True),
        ("apart", "keys/tokens", "logs/a.log", False),
    ):
        file, log = tmp_path / place / keys, tmp_path / place / records
        file.parent.mkdir(parents=True)
        file.touch(mode=0o600)
        file.write_text(f"1:{ONE.hex()}")
        settings = Settings.load(environ={}, redaction=policy(f"file:{file}"), file={"path": log})
        held = hold(settings, lambda *_: None)
        assert held is not None
        held.let_go()
        assert ("keys-beside-records" in capfd.readouterr().err) is said, place


def test_a_provider_is_one_by_its_method():
    assert isinstance(Vault(None), TokenKeyProvider)
