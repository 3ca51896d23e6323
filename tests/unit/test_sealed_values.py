"""Sealed values open with another implementation of HPKE and AES-GCM, and no two processes share a key."""

import base64
import json
import os
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

import fapilog
from fapilog import _native
from fapilog.exporters.memory import newest
from fapilog.settings import Settings

CARD, ADDRESS = "4111 1111 1111 1111", "ann@example.org"
PRIVATE = X25519PrivateKey.from_private_bytes(bytes([7] * 32))
PUBLIC = PRIVATE.public_key().public_bytes_raw()
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def opened(entries: list[str]) -> list[tuple[str, str, str]]:
    """What the entries of one record hold, by the page's description alone."""
    found, data_key = [], b""
    for entry in entries:
        version, key_id, kind, wrapped, sealed, path = entry.split(".", 5)
        assert version == "1"
        if wrapped:
            data_key = SUITE.decrypt(decoded(wrapped), PRIVATE, info=f"fapilog data key 1\0{key_id}".encode())
        nonce, body = decoded(sealed)[:12], decoded(sealed)[12:]
        authenticated = "\0".join(("fapilog seal 1", key_id, kind, path)).encode()
        found.append((path, kind, AESGCM(data_key).decrypt(nonce, body, authenticated).decode()))
    return found


def sealed(provider: fapilog.LoggerProvider, body: str, **attributes: Any) -> list[str]:
    provider.get_logger("shop").emit(body=body, attributes=attributes)
    assert provider.force_flush(10_000)
    record = newest().get_finished_logs()[-1].log_record
    assert record.attributes is not None
    return list(record.attributes["fapilog.sealed"])  # type: ignore[arg-type, call-overload]


@pytest.fixture
def settings() -> Settings:
    redaction = {
        "mode": "scan",
        "actions": {"PAN": "seal", "EMAIL": "seal"},
        "seal_to": base64.b64encode(PUBLIC).decode(),
    }
    return Settings.load(environ={}, redaction=redaction)


def test_another_implementation_opens_what_was_sealed(settings: Settings):
    with fapilog.LoggerProvider(settings=settings, exporters=["memory"]) as provider:
        entries = sealed(provider, f"paid with {CARD}", user={"email": ADDRESS}, card=CARD)
    expected = [("body", "PAN", CARD), ("user.email", "EMAIL", ADDRESS), ("card", "PAN", CARD)]
    assert opened(entries) == _native.seal_open(PRIVATE.private_bytes_raw(), entries) == expected


def test_what_another_implementation_sealed_opens():
    private, public, key_id = _native.seal_new_key()
    data_key, nonce = os.urandom(32), os.urandom(12)
    known = X25519PrivateKey.from_private_bytes(private).public_key()
    assert known.public_bytes_raw() == public
    wrapped = SUITE.encrypt(data_key, known, info=f"fapilog data key 1\0{key_id}".encode())
    authenticated = "\0".join(("fapilog seal 1", key_id, "EMAIL", "a.b")).encode()
    body = nonce + AESGCM(data_key).encrypt(nonce, ADDRESS.encode(), authenticated)
    wrapped_text, text = (base64.urlsafe_b64encode(each).decode().rstrip("=") for each in (wrapped, body))
    entry = f"1.{key_id}.EMAIL.{wrapped_text}.{text}.a.b"
    assert _native.seal_open(private, [entry]) == [("a.b", "EMAIL", ADDRESS)]


def test_records_share_a_data_key_and_never_a_nonce_and_a_forked_child_has_its_own(settings: Settings):
    with fapilog.LoggerProvider(settings=settings, exporters=["memory"]) as provider:
        ours = [sealed(provider, f"paid with {CARD}")[0].split(".") for _ in range(3)]
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writing, json.dumps(sealed(provider, f"paid with {CARD}")).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answer:
            theirs = json.loads(answer.read())
        assert os.waitpid(child, 0)[1] == 0
    assert len({parts[3] for parts in ours}) == 1
    assert len({parts[4] for parts in ours}) == len({decoded(parts[4])[:12] for parts in ours}) == 3
    assert opened(theirs) == [("body", "PAN", CARD)]
    assert theirs[0].split(".")[3] != ours[0][3]


def test_a_second_look_by_a_processor_leaves_the_list_as_it_is(settings: Settings):
    class Adds:
        def on_emit(self, record: Any) -> None:
            record.log_record.attributes = {**record.log_record.attributes, "to": ADDRESS}

        def shutdown(self) -> None: ...
        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return True

    with fapilog.LoggerProvider(settings=settings, exporters=["memory"]) as provider:
        provider.add_log_record_processor(Adds())  # type: ignore[arg-type]
        entries = sealed(provider, f"paid with {CARD}")
    assert opened(entries) == [("body", "PAN", CARD), ("to", "EMAIL", ADDRESS)]
